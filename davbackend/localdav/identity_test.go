//go:build linux

package localdav

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func mkfifo(t *testing.T, name string) {
	t.Helper()
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (h *house) disk(name string) string { return filepath.Join(h.dir, name) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOutsideChanges(t *testing.T) {
	h := newHouse(t)
	h.want(201, "PUT", "/ours", "text")
	h.write("theirs", "text")
	for _, name := range []string{"ours", "theirs"} {
		t.Run(name, func(t *testing.T) {
			id, etag := h.id("/"+name), h.etag("/"+name)
			for range 3 {
				h.write(name, "TEXT") // in place, same size, as fast as can be
				if h.id("/"+name) != id {
					t.Fatal("an edit in place keeps the resource id")
				}
				if now := h.etag("/" + name); now == etag {
					t.Fatal("an edit changes the ETag")
				} else {
					etag = now
				}
			}
			fi, err := os.Stat(h.disk(name))
			must(t, err)
			time.Sleep(5 * time.Millisecond)
			h.write(name, "TeXt")
			must(t, os.Chtimes(h.disk(name), fi.ModTime(), fi.ModTime()))
			if h.etag("/"+name) == etag {
				t.Error("an edit that sets mtime back changes the ETag")
			}
			must(t, os.Rename(h.disk(name), h.disk(name+"2")))
			if h.id("/"+name+"2") != id {
				t.Error("mv keeps the resource id")
			}
			h.write(name, "TeXt")
			if h.id("/"+name) == id {
				t.Error("a new file at the old name has the old id")
			}
			data := h.read(name + "2")
			h.write("copy", data)
			if h.id("/copy") == id {
				t.Error("a copy has the id of the original")
			}
			must(t, os.Remove(h.disk("copy")))
		})
	}
}

func TestIdentityLasts(t *testing.T) {
	sqldbtest.EachWhere(t, func(t *testing.T, where string) {
		db := openDB(t, where)
		h := openHouse(t, t.TempDir(), db)
		h.want(201, "PUT", "/a", "1")
		h.want(204, "PUT", "/a", "2")
		h.write("b", "outside")
		h.want(201, "MKCOL", "/d", "")
		h.want(201, "PUT", "/d/x", "x")
		paths := []string{"/a", "/b", "/d/x"}
		ids, etags := map[string]string{"/d": h.id("/d")}, map[string]string{}
		for _, p := range paths {
			ids[p], etags[p] = h.id(p), h.etag(p)
		}
		h = h.reopen()
		for _, p := range paths {
			if h.id(p) != ids[p] || h.etag(p) != etags[p] {
				t.Error("a restart changed", p)
			}
		}
		h.want(201, "MOVE", "/a", "", "Destination: URL/d/a2")
		h.want(201, "MOVE", "/b", "", "Destination: URL/b2")
		h.want(201, "MOVE", "/d", "", "Destination: URL/e")
		for p, was := range map[string]string{"/e/a2": "/a", "/b2": "/b", "/e/x": "/d/x"} {
			if h.id(p) != ids[was] || h.etag(p) != etags[was] {
				t.Error("a MOVE changed", was)
			}
		}
		if h.id("/e") != ids["/d"] {
			t.Error("a MOVE changed the folder's id")
		}
		h.want(201, "COPY", "/b2", "", "Destination: URL/b3")
		if h.id("/b3") == ids["/b"] || h.etag("/b3") == etags["/b"] {
			t.Error("a COPY has id or ETag of the original")
		}
		h.want(204, "DELETE", "/b2", "")
		h.want(201, "PUT", "/b2", "outside")
		if h.id("/b2") == ids["/b"] {
			t.Error("a new file has the id of a deleted one")
		}
		if e := h.prop("/e", "getetag"); e != "" {
			t.Error("a folder has an ETag", e)
		}
	})
}

func openDB(t *testing.T, where string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), where)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// MOVE of a file onto a file is a save: one resource before and after.
func TestMoveOntoAFile(t *testing.T) {
	for _, source := range []string{"ours", "theirs"} {
		for _, target := range []string{"ours", "theirs"} {
			t.Run(source+" onto "+target, func(t *testing.T) {
				h := newHouse(t)
				for name, kind := range map[string]string{"src": source, "dst": target} {
					if kind == "ours" {
						h.want(201, "PUT", "/"+name, name)
					} else {
						h.write(name, name)
					}
				}
				h.want(207, "PROPPATCH", "/src", setProperty("n", "mine", "src"))
				h.want(207, "PROPPATCH", "/dst", setProperty("n", "mine", "dst"))
				h.want(207, "PROPPATCH", "/dst", setProperty("n", "only", "dst"))
				id, etag, token := h.id("/dst"), h.etag("/src"), h.take("/dst")
				srcID := h.id("/src")
				h.want(423, "MOVE", "/src", "", "Destination: URL/dst")
				h.want(412, "MOVE", "/src", "", "Destination: URL/dst", "If: (<"+token+">)")
				h.want(412, "MOVE", "/src", "", "Destination: URL/dst", "If: <URL/dst> (<"+token+"> [\"wrong\"])")
				h.want(412, "MOVE", "/src", "", "Destination: URL/dst", "Overwrite: F", "If: <URL/dst> (<"+token+">)")
				h.want(204, "MOVE", "/src", "", "Destination: URL/dst", "If: <URL/dst> (<"+token+"> ["+h.etag("/dst")+"])")
				if h.read("dst") != "src" || h.id("/dst") != id || h.etag("/dst") != etag {
					t.Error(h.read("dst"), h.id("/dst") == id, h.etag("/dst") == etag)
				}
				h.absent("src")
				h.want(423, "PUT", "/dst", "x")
				if h.property("/dst", "mine") != "src" || h.property("/dst", "only") != "dst" {
					t.Error(h.property("/dst", "mine"), h.property("/dst", "only"))
				}
				h = h.reopen()
				if h.id("/dst") != id || h.etag("/dst") != etag {
					t.Error("a restart changed it")
				}
				h.want(201, "PUT", "/src", "again")
				if got := h.id("/src"); got == srcID || got == id {
					t.Error("a new file has an old id")
				}
			})
		}
	}
}

// Two names of one inode: rename(2) would keep both.
func TestHardLinks(t *testing.T) {
	h := newHouse(t)
	h.write("a", "one")
	must(t, os.Link(h.disk("a"), h.disk("b")))
	id := h.id("/a")
	if h.id("/b") != id {
		t.Error("two names of one file are one resource")
	}
	h.want(204, "MOVE", "/a", "", "Destination: URL/b")
	h.absent("a")
	if h.id("/b") != id {
		t.Error("lost its id")
	}
	must(t, os.Link(h.disk("b"), h.disk("c")))
	h.want(204, "PUT", "/b", "two")
	if h.read("c") != "one" || h.id("/b") != id {
		t.Error("a PUT is to one name")
	}
	if h.id("/c") == id {
		t.Error("two files have one id")
	}
	h.want(204, "DELETE", "/b", "")
	h.want(200, "GET", "/c", "")
}

// Many changes within one tick of the clock.
func TestETagsNeverRecur(t *testing.T) {
	h := newHouse(t)
	seen := map[string]bool{}
	for n := range 60 {
		switch n % 3 {
		case 0:
			h.do("PUT", "/f", "same")
		case 1:
			h.write("f", "SAME")
		case 2:
			h.do("DELETE", "/f", "")
			h.do("PUT", "/f", "same")
		}
		e := h.etag("/f")
		if seen[e] {
			t.Fatal("an ETag came twice")
		}
		seen[e] = true
	}
}
