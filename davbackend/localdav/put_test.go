//go:build linux

package localdav

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPut(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		a := h.want(201, "PUT", "/a.txt", "one")
		if h.read("a.txt") != "one" || a.header.Get("ETag") != h.etag("/a.txt") {
			t.Errorf("%q %v", h.read("a.txt"), a.header)
		}
		id := h.id("/a.txt")
		b := h.want(204, "PUT", "/a.txt", "one")
		if b.header.Get("ETag") == a.header.Get("ETag") || b.header.Get("ETag") != h.etag("/a.txt") {
			t.Error("every write changes the ETag, also one of equal bytes")
		}
		if h.id("/a.txt") != id {
			t.Error("a PUT keeps the resource id")
		}
		if got := h.names("."); !slices.Equal(got, []string{"a.txt"}) {
			t.Error(got)
		}
		h.want(409, "PUT", "/none/a.txt", "x")
		h.want(409, "PUT", "/a.txt/b", "x")
		h.want(201, "MKCOL", "/dir", "")
		h.want(405, "PUT", "/dir", "x")
		h.want(405, "PUT", "/new/", "x")
		h.want(405, "PUT", "/", "x")
		h.want(400, "PUT", "/a.txt", "x", "Content-Range: bytes 0-0/3")
		h.want(201, "PUT", "/empty", "")
		if h.read("a.txt") != "one" || h.read("empty") != "" {
			t.Error("a refused PUT changed something")
		}
	})
}

// A body that ends early never replaces the file.
func TestPutCutShort(t *testing.T) {
	h := newHouse(t)
	h.want(201, "PUT", "/a.txt", "whole")
	etag := h.etag("/a.txt")
	intact := func(t *testing.T) {
		t.Helper()
		if h.read("a.txt") != "whole" || h.etag("/a.txt") != etag || len(h.names(".")) != 1 {
			t.Errorf("%q %v", h.read("a.txt"), h.names("."))
		}
	}
	t.Run("connection closed", func(t *testing.T) {
		o := h.overSocket()
		c, err := net.Dial("tcp", strings.TrimPrefix(o.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "PUT /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, c)
		c.Close()
		intact(t)
	})
	t.Run("chunked, without the last chunk", func(t *testing.T) {
		o := h.overSocket()
		c, err := net.Dial("tcp", strings.TrimPrefix(o.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "PUT /a.txt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
		intact(t)
	})
	for name, body := range map[string]io.Reader{
		"shorter than announced": strings.NewReader("half"),
		"longer than announced":  strings.NewReader(strings.Repeat("x", 101)),
		"body fails":             io.MultiReader(strings.NewReader("half"), ending{errors.New("no more")}),
	} {
		t.Run("in process: "+name, func(t *testing.T) {
			r, _ := http.NewRequest("PUT", h.url+"/a.txt", io.NopCloser(body))
			r.ContentLength = 100
			res, err := h.rt.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 400 {
				t.Error(res.Status)
			}
			intact(t)
		})
	}
	t.Run("in process: cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		pr, pw := io.Pipe()
		r, _ := http.NewRequestWithContext(ctx, "PUT", h.url+"/a.txt", pr)
		go func() {
			pw.Write([]byte("half"))
			cancel()
		}()
		if _, err := h.rt.RoundTrip(r); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		eventually(t, func() bool { return len(h.names(".")) == 1 })
		intact(t)
	})
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for range 500 {
		if f() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("never came")
}

// Without a Content-Length the end of the chunks is the end.
func TestPutChunked(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		data := make([]byte, 3<<20)
		rand.Read(data)
		r, _ := http.NewRequest("PUT", h.url+"/big", io.MultiReader(bytes.NewReader(data)))
		res, err := h.rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 201 || sha256.Sum256([]byte(h.read("big"))) != sha256.Sum256(data) {
			t.Error(res.Status)
		}
	})
}

func TestPutTooLarge(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.s.MaxSize = 4
		h.want(201, "PUT", "/a", "1234")
		h.want(413, "PUT", "/a", "12345")
		r, _ := http.NewRequest("PUT", h.url+"/a", io.MultiReader(strings.NewReader("12345")))
		res, err := h.rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 413 || h.read("a") != "1234" || len(h.names(".")) != 1 {
			t.Error(res.Status, h.names("."))
		}
	})
}

// More than the disk can take is refused before the body is read.
func TestPutMoreThanFits(t *testing.T) {
	h := newHouse(t)
	read := false
	r, _ := http.NewRequest("PUT", h.url+"/a", readerFunc(func([]byte) (int, error) {
		read = true
		return 0, io.EOF
	}))
	r.ContentLength = 1 << 60
	res, err := h.rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 507 || !strings.Contains(string(body), "sufficient-disk-space") || read {
		t.Error(res.Status, read)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A really full disk: needs the right to mount one.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("mount(2) is not allowed")
	}
	h := openHouseUnmounted(t, dir)
	h.want(201, "PUT", "/a", "kept")
	etag := h.etag("/a")
	r, _ := http.NewRequest("PUT", h.url+"/a", io.MultiReader(bytes.NewReader(make([]byte, 1<<20))))
	res, err := h.rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 507 || h.read("a") != "kept" || h.etag("/a") != etag || len(h.names(".")) != 1 {
		t.Error(res.Status, h.names("."))
	}
	h.want(201, "PUT", "/half", strings.Repeat("x", 150<<10))
	h.want(507, "COPY", "/half", "", "Destination: URL/half2")
	if len(h.names(".")) != 2 {
		t.Error(h.names("."))
	}
}

// openHouseUnmounted unmounts dir when the server is closed.
func openHouseUnmounted(t *testing.T, dir string) *house {
	t.Helper()
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return openHouse(t, dir, newDB(t))
}

// What a file has beside its bytes stays.
func TestPutKeepsAttributes(t *testing.T) {
	h := newHouse(t)
	h.write("a", "old")
	file := filepath.Join(h.dir, "a")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	attributes := unix.Setxattr(file, "user.DOSATTRIB", []byte("0x20"), 0) == nil
	h.want(204, "PUT", "/a", "new")
	fi, err := os.Stat(file)
	if err != nil || fi.Mode() != 0o640 || h.read("a") != "new" {
		t.Error(fi.Mode(), err)
	}
	value := make([]byte, 16)
	if n, err := unix.Getxattr(file, "user.DOSATTRIB", value); attributes && (err != nil || string(value[:n]) != "0x20") {
		t.Errorf("%q %v", value, err)
	}
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	h.want(403, "PUT", "/a", "newer")
	if h.read("a") != "new" {
		t.Error("a file marked read-only was written")
	}
}

func TestConditions(t *testing.T) {
	type condition struct {
		name, header string
		there, gone  int // with the ETag of what is there; where nothing is
	}
	for _, c := range []condition{
		{"no condition", "", 204, 201},
		{"If-Match, right", "If-Match: ETAG", 204, 412},
		{"If-Match, wrong", `If-Match: "wrong"`, 412, 412},
		{"If-Match, weak never matches", "If-Match: W/ETAG", 412, 412},
		{"If-Match, one of several", `If-Match: "a,b", ETAG`, 204, 412},
		{"If-Match, any", "If-Match: *", 204, 412},
		{"If-None-Match, any", "If-None-Match: *", 412, 201},
		{"If-None-Match, right", "If-None-Match: ETAG", 412, 201},
		{"If-None-Match, weak", "If-None-Match: W/ETAG", 412, 201},
		{"If-None-Match, wrong", `If-None-Match: "wrong"`, 204, 201},
		{"If-Unmodified-Since, past", "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT", 412, 201},
		{"If-Unmodified-Since, future", "If-Unmodified-Since: Sat, 01 Jan 2124 00:00:00 GMT", 204, 201},
		{"If, right ETag", "If: ([ETAG])", 204, 412},
		{"If, wrong ETag", `If: (["wrong"])`, 412, 412},
		{"If, Not wrong ETag", `If: (Not ["wrong"])`, 204, 201},
		{"If, Not right ETag", `If: (Not [ETAG])`, 412, 201},
		{"If, second list", `If: (["wrong"]) ([ETAG])`, 204, 412},
		{"If, all of a list", `If: ([ETAG] ["wrong"])`, 412, 412},
		{"If, tagged", "If: <URL/f> ([ETAG])", 204, 412},
		{"If, tagged by path", "If: </f> ([ETAG])", 204, 412},
		{"If, tagged elsewhere", "If: <http://other.invalid/f> ([ETAG])", 412, 412},
		{"If, tagged with what is not here", "If: </other> ([ETAG])", 412, 412},
		{"If, tagged, not what is not here", "If: </other> (Not [ETAG])", 204, 201},
		{"If, no-lock", "If: (<DAV:no-lock>)", 412, 412},
		{"If, Not no-lock", "If: (Not <DAV:no-lock>)", 204, 201},
		{"If, unknown token", "If: (<opaquelocktoken:x>)", 412, 412},
		{"If, malformed", "If: (", 400, 400},
		{"If, over several lines", "If: ([\"wrong\"])\nIf: ([ETAG])", 204, 412},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			headers := func(etag string) []string {
				if c.header == "" {
					return nil
				}
				return strings.Split(strings.ReplaceAll(c.header, "ETAG", etag), "\n")
			}
			h.want(c.gone, "PUT", "/f", "new", headers(`"0"`)...)
			if c.gone != 201 {
				h.absent("f")
				h.want(201, "PUT", "/f", "new")
			}
			h.want(c.there, "PUT", "/f", "newer", headers(h.etag("/f"))...)
			if want := map[bool]string{true: "newer", false: "new"}[c.there == 204]; h.read("f") != want {
				t.Errorf("%q", h.read("f"))
			}
		})
	}
}

// The same conditions stop every method that changes something.
func TestConditionsOfMethods(t *testing.T) {
	for _, m := range []struct {
		method, path, body, header string
		ok                         int
	}{
		{"DELETE", "/f", "", "", 204},
		{"MOVE", "/f", "", "Destination: URL/g", 201},
		{"COPY", "/f", "", "Destination: URL/g", 201},
		{"PROPPATCH", "/f", `<propertyupdate xmlns="DAV:"><set><prop><x xmlns="n">1</x></prop></set></propertyupdate>`, "", 207},
		{"LOCK", "/f", fmt.Sprintf(lockBody, "exclusive", "Ann"), "Depth: 0", 200},
	} {
		t.Run(m.method, func(t *testing.T) {
			h := newHouse(t)
			h.want(201, "PUT", "/f", "x")
			var own []string
			if m.header != "" {
				own = []string{m.header}
			}
			for _, bad := range []string{`If-Match: "wrong"`, "If-None-Match: *", `If: (["wrong"])`, "If: (<opaquelocktoken:x>)"} {
				h.want(412, m.method, m.path, m.body, append(own, bad)...)
			}
			h.want(m.ok, m.method, m.path, m.body, append(own, "If-Match: "+h.etag("/f"))...)
		})
	}
	h := newHouse(t)
	h.want(412, "MKCOL", "/new", "", `If: (["wrong"])`)
	h.absent("new")
	h.want(201, "MKCOL", "/new", "", `If: (Not ["wrong"])`)
}

// Another program saves between the last look and the rename: it is not overwritten.
func TestExchangeShowsALateChange(t *testing.T) {
	h := newHouse(t)
	h.want(201, "PUT", "/f", "base")
	ctx := context.Background()
	o, err := h.s.sight(ctx, "/f")
	if err != nil {
		t.Fatal(err)
	}
	f, g, err := h.s.stageFile(ctx, ".")
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("ours")
	f.Close()
	h.write("late", "theirs")
	if err := os.Rename(filepath.Join(h.dir, "late"), filepath.Join(h.dir, "f")); err != nil {
		t.Fatal(err)
	}
	in := installation{staged: g.rel, to: o.place, old: &o, exact: true}
	if _, err := h.s.install(ctx, in); !errors.Is(err, errChanged) {
		t.Fatal(err)
	}
	h.s.discard(ctx, g)
	if h.read("f") != "theirs" || len(h.names(".")) != 1 {
		t.Error(h.read("f"), h.names("."))
	}
	o.info, _ = h.s.tree.look("f")
	f, g, _ = h.s.stageFile(ctx, ".")
	defer h.s.discard(ctx, g)
	f.WriteString("ours")
	f.Close()
	in.staged, in.exact = g.rel, true
	if _, err := h.s.install(ctx, in); err != nil || h.read("f") != "ours" || len(h.names(".")) != 1 {
		t.Error(err, h.read("f"), h.names("."))
	}
}
