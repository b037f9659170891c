//go:build linux

package localdav

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
)

// A crash is a server that is never closed: what it left is what the next one finds.
func (h *house) crash() *house {
	h.t.Helper()
	return openHouse(h.t, h.dir, h.db)
}

func (h *house) stage(dir, text string) string {
	h.t.Helper()
	f, g, err := h.s.stageFile(context.Background(), dir)
	must(h.t, err)
	_, err = f.WriteString(text)
	must(h.t, err)
	must(h.t, h.s.seal(f, g))
	must(h.t, f.Close())
	must(h.t, g.at.root.Close())
	return g.rel
}

func (h *house) bind(b binding) {
	h.t.Helper()
	must(h.t, h.db.Write(context.Background(), func(tx sqldb.Queryer) error {
		return h.s.state.bind(context.Background(), tx, b)
	}))
}

func TestCrashWhileStaging(t *testing.T) {
	h := newHouse(t)
	h.want(201, "MKCOL", "/d", "")
	h.want(201, "PUT", "/d/f", "whole")
	id, etag := h.id("/d/f"), h.etag("/d/f")
	staged := h.stage("d", "half")
	g, err := h.s.stageFolder(context.Background(), "d")
	must(t, err)
	must(t, g.at.root.Close())
	stranger := filepath.Join("d", stagedPrefix+"another-state"+stagedSuffix)
	h.write(stranger, "x")
	if a := h.want(207, "PROPFIND", "/d", "", "Depth: 1"); strings.Contains(a.body, "localdav-") {
		t.Error("staged things are listed")
	}
	h = h.crash()
	h.absent(staged)
	if got := h.names("d"); len(got) != 2 || h.read(stranger) != "x" {
		t.Error("leftovers, or another's taken for them", got)
	}
	if h.read("d/f") != "whole" || h.id("/d/f") != id || h.etag("/d/f") != etag {
		t.Error("the file changed")
	}
}

// Staged things go where their folder goes.
func TestCrashAfterTheFolderMoved(t *testing.T) {
	h := newHouse(t)
	h.want(201, "MKCOL", "/d", "")
	h.stage("d", "half")
	h.want(201, "MOVE", "/d", "", "Destination: URL/e")
	if len(h.names("e")) != 1 {
		t.Fatal(h.names("e"))
	}
	h = h.crash()
	if got := h.names("e"); len(got) != 0 {
		t.Error(got)
	}
}

// PUT: row, rename, row. The power fails in between.
func TestCrashOfPut(t *testing.T) {
	for _, renamed := range []bool{false, true} {
		t.Run(fmt.Sprintf("renamed %v", renamed), func(t *testing.T) {
			h := newHouse(t)
			h.want(201, "PUT", "/f", "old")
			h.want(207, "PROPPATCH", "/f", setProperty("n", "p", "1"))
			id, etag := h.id("/f"), h.etag("/f")
			staged := h.stage(".", "new")
			n, err := h.s.tree.look(staged)
			must(t, err)
			o, err := h.s.sight(t.Context(), "/f")
			must(t, err)
			b := binding{identity: n.identity, id: o.id(), etag: newETag(), mtime: n.mtime, size: n.size}
			h.bind(b)
			want := etag
			if renamed {
				must(t, os.Rename(h.disk(staged), h.disk("f")))
				want = b.etag
			}
			for range 2 { // before and after the restart
				if h.id("/f") != id || h.etag("/f") != want || h.property("/f", "p") != "1" {
					t.Error(h.id("/f") == id, h.etag("/f"), want)
				}
				h = h.crash()
			}
			h.want(204, "PUT", "/f", "again")
			if h.id("/f") != id {
				t.Error("the id was lost")
			}
			h.want(204, "DELETE", "/f", "")
			if n := h.count(`SELECT COUNT(*) FROM localdav_property`); n != 0 {
				t.Error("properties of what is gone", n)
			}
		})
	}
}

// MOVE onto a file: row, rename, row. The power fails in between.
func TestCrashOfMove(t *testing.T) {
	for _, renamed := range []bool{false, true} {
		t.Run(fmt.Sprintf("renamed %v", renamed), func(t *testing.T) {
			h := newHouse(t)
			h.want(201, "PUT", "/src", "new")
			h.want(201, "PUT", "/dst", "old")
			h.want(207, "PROPPATCH", "/src", setProperty("n", "p", "1"))
			src, dst, etag, old := h.id("/src"), h.id("/dst"), h.etag("/src"), h.etag("/dst")
			o, err := h.s.sight(t.Context(), "/src")
			must(t, err)
			d, err := h.s.sight(t.Context(), "/dst")
			must(t, err)
			b := o.row
			b.ctime, b.nextID, b.nextPlace = 0, d.id(), "/dst"
			h.bind(b)
			if renamed {
				must(t, os.Rename(h.disk("src"), h.disk("dst")))
			}
			for range 3 {
				switch {
				case !renamed && (h.id("/src") != src || h.id("/dst") != dst || h.etag("/src") != etag || h.etag("/dst") != old):
					t.Error("changed without the rename")
				case renamed && (h.id("/dst") != dst || h.etag("/dst") != etag):
					t.Error("changed with the rename")
				}
				h = h.crash()
			}
			if n := h.count(`SELECT COUNT(*) FROM localdav_binding WHERE next_id <> ''`); n != 0 {
				t.Error("not settled", n)
			}
			name := map[bool]string{true: "/dst", false: "/src"}[renamed]
			if h.property(name, "p") != "1" {
				t.Error("the source's property is lost")
			}
		})
	}
}

const storm = "LOCALDAV_TEST_STORM"

// TestStormChild is the process that TestKillStorm kills: it saves and moves until then.
func TestStormChild(t *testing.T) {
	where := os.Getenv(storm)
	if where == "" {
		return
	}
	db, err := sqldb.Open(context.Background(), filepath.Join(where, "state.db"))
	must(t, err)
	h := openHouse(t, filepath.Join(where, "files"), db)
	for n := 0; ; n++ {
		text := content(rand.IntN(200_000))
		switch n % 3 {
		case 0:
			h.do("PUT", "/f", text)
		case 1:
			h.do("PUT", "/f", text, "If-Match: "+h.etag("/f"))
		case 2:
			h.do("PUT", "/tmp", text)
			h.do("MOVE", "/tmp", "", "Destination: URL/f")
		}
	}
}

// content is a text that shows whether it is whole.
func content(n int) string {
	data := bytes.Repeat([]byte{byte(n)}, n)
	return fmt.Sprintf("%x%s", sha256.Sum256(data), data)
}

// Killed at any moment, the file is whole, is the same resource, and nothing lies about.
func TestKillStorm(t *testing.T) {
	where := t.TempDir()
	must(t, os.Mkdir(filepath.Join(where, "files"), 0o755))
	id := ""
	for round := range 6 {
		db, err := sqldb.Open(t.Context(), filepath.Join(where, "state.db"))
		must(t, err)
		h := openHouse(t, filepath.Join(where, "files"), db)
		if round == 0 {
			h.want(201, "PUT", "/f", content(10))
			id = h.id("/f")
		}
		text := h.read("f")
		data := text[64:]
		if fmt.Sprintf("%x", sha256.Sum256([]byte(data))) != text[:64] {
			t.Fatal("half a file")
		}
		if h.id("/f") != id {
			t.Fatal("another resource")
		}
		etag := h.etag("/f")
		names := slices.DeleteFunc(h.names("."), func(n string) bool { return n == "f" || n == "tmp" })
		if len(names) != 0 {
			t.Fatal(names)
		}
		h = h.reopen()
		if h.etag("/f") != etag {
			t.Fatal("a restart changed the ETag")
		}
		must(t, h.s.Close())
		must(t, db.Close())
		cmd := exec.Command(os.Args[0], "-test.run=^TestStormChild$")
		cmd.Env = append(os.Environ(), storm+"="+where)
		must(t, cmd.Start())
		time.Sleep(40*time.Millisecond + time.Duration(rand.IntN(60))*time.Millisecond)
		must(t, cmd.Process.Kill())
		if cmd.Wait() == nil {
			t.Fatal("the child ended by itself")
		}
	}
}

// An upload that is still running when the server is closed leaves nothing behind at the next start.
func TestCloseDuringPut(t *testing.T) {
	h := newHouse(t)
	h.want(201, "PUT", "/f", "whole")
	started := make(chan struct{})
	release := make(chan struct{})
	reads := 0
	body := readerFunc(func(p []byte) (int, error) {
		switch reads++; reads {
		case 1:
			return copy(p, "half"), nil
		case 2:
			close(started)
			<-release
			return copy(p, "half"), nil
		}
		return 0, io.EOF
	})
	r, err := http.NewRequest("PUT", h.url+"/f", body)
	must(t, err)
	r.ContentLength = 8
	done := make(chan int)
	go func() {
		res, err := h.rt.RoundTrip(r)
		if err != nil {
			t.Error(err)
			done <- 0
			return
		}
		res.Body.Close()
		done <- res.StatusCode
	}()
	<-started
	must(t, h.s.Close())
	close(release)
	if status := <-done; status != 503 {
		t.Error(status)
	}
	h.want(503, "GET", "/f", "")
	h = h.crash()
	if h.read("f") != "whole" || len(h.names(".")) != 1 {
		t.Error(h.names("."))
	}
}
