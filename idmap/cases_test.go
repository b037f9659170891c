package idmap_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// A shop is a map over one server, and what others do to it.
type shop struct {
	*testing.T
	m      *idmap.Map
	s      idmap.SpaceID
	server *upstream.Server
	view   *davbackend.View
}

func (w *shop) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *shop) mv(from, to string) {
	w.Helper()
	w.must(os.Rename(filepath.Join(w.server.Dir, from), filepath.Join(w.server.Dir, to)))
}

func (w *shop) rm(name string) {
	w.Helper()
	w.must(os.RemoveAll(filepath.Join(w.server.Dir, name)))
}

func (w *shop) put(p dav.Path, text string) {
	w.Helper()
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	w.must(w.view.Put(w.Context(), p, davbackend.Body{Open: open, Size: int64(len(text))}, davbackend.Condition{}))
}

// opened makes a file that somebody has read.
func (w *shop) opened(name string) idmap.FileID {
	w.Helper()
	text := "the contents of " + name + strings.Repeat(".", int(name[2]-'a')) // of another length: nginx shows no more
	w.server.Write(w, name, text)
	e := w.see(name)
	sum := sha256.Sum256([]byte(text))
	w.must(w.m.Hash(w.Context(), e.ID, e.Revision.Number, sum[:]))
	return e.ID
}

func (w *shop) see(name string) idmap.Entry {
	w.Helper()
	res, err := w.view.Stat(w.Context(), dav.Path("/"+name))
	w.must(err)
	e, err := w.m.See(w.Context(), w.s, res, w.view)
	w.must(err)
	return e
}

func (w *shop) list(name string) {
	w.Helper()
	p, all := dav.Path("/"+strings.Trim(name, "/")), []dav.Resource(nil)
	w.must(w.view.List(w.Context(), p, func(r dav.Resource) error { all = append(all, r); return nil }))
	_, err := w.m.SeeAll(w.Context(), w.s, p, all, true, w.view)
	w.must(err)
}

// where is where an ID is found; "" nowhere.
func (w *shop) where(id idmap.FileID) string {
	w.Helper()
	e, _, err := w.m.Find(w.Context(), w.s, id, w.view)
	if errors.Is(err, idmap.ErrMissing) {
		return ""
	}
	w.must(err)
	return string(e.Path)[1:]
}

// places are where a case leaves the two files f/a.txt and f/b.txt, by what the server
// knows files by. "" is not found.
type places struct{ print, native, strict [2]string }

func everywhere(a, b string) places { return places{[2]string{a, b}, [2]string{a, b}, [2]string{a, b}} }

// TestCases: what DESIGN 5 says of everything that others do to two files that were
// opened, on every preset: asked for at once, and after somebody has listed the folder.
func TestCases(t *testing.T) {
	const a, b = "f/a.txt", "f/b.txt"
	for _, c := range []struct {
		name string
		do   func(w *shop)
		want places
	}{
		{"swapped", func(w *shop) { w.mv(a, "t"); w.mv(b, a); w.mv("t", b) }, everywhere(b, a)},
		{"a chain of renames", func(w *shop) { w.mv(b, "f/c.txt"); w.mv(a, b) }, everywhere(b, "f/c.txt")},
		{"renamed over", func(w *shop) { w.mv(a, b) }, everywhere(b, "")},
		{"renamed twice", func(w *shop) { w.mv(a, "f/c.txt"); w.mv("f/c.txt", "g/d.txt") }, everywhere("g/d.txt", b)},
		{"folder renamed", func(w *shop) { w.mv("f", "h") }, everywhere("h/a.txt", "h/b.txt")},
		{"folder moved", func(w *shop) { w.mv("f", "g/f") }, everywhere("g/f/a.txt", "g/f/b.txt")},
		{"deleted", func(w *shop) { w.rm(a) }, everywhere("", b)},
		{"deleted and made again", func(w *shop) { w.rm(a); w.server.Write(w, a, "new") },
			everywhere(a, b)},
		{"renamed, a stranger at the old name", func(w *shop) { w.mv(a, "f/c.txt"); w.server.Write(w, a, "a stranger") },
			places{[2]string{"", b}, [2]string{"f/c.txt", b}, [2]string{"f/c.txt", b}}},
		{"moved to another folder, a stranger at the old name", func(w *shop) { w.mv(a, "g/c.txt"); w.server.Write(w, a, "a stranger") },
			places{[2]string{"", b}, [2]string{"g/c.txt", b}, [2]string{"g/c.txt", b}}},
		{"renamed to .bak, and written anew", func(w *shop) { w.mv(a, "f/a.txt.bak"); w.server.Write(w, a, "the next") },
			places{[2]string{a, b}, [2]string{"f/a.txt.bak", b}, [2]string{"f/a.txt.bak", b}}},
		{"copied", func(w *shop) { w.must(w.view.Copy(w.Context(), "/"+a, "/g/c.txt", false, davbackend.Condition{})) }, everywhere(a, b)},
		{"copied, and the first deleted", func(w *shop) {
			w.must(w.view.Copy(w.Context(), "/"+a, "/g/c.txt", false, davbackend.Condition{}))
			w.list("g")
			w.rm(a)
		}, everywhere("", b)},
		{"saved by temp and MOVE", func(w *shop) {
			w.put("/f/~WRD1.tmp", "the next")
			w.must(w.view.Move(w.Context(), "/f/~WRD1.tmp", "/"+a, true, davbackend.Condition{}, davbackend.Condition{}))
		}, everywhere(a, b)},
		{"edited", func(w *shop) { w.server.Write(w, a, "edited") }, everywhere(a, b)},
	} {
		for _, preset := range append([]upstream.Preset{{Name: "strict", Set: func(*upstream.Quirks) {}}}, upstream.Presets()...) {
			for _, listed := range []bool{false, true} {
				if testing.Short() && (listed || !strings.Contains("strict apache nginx nextcloud", preset.Name)) {
					continue
				}
				name := c.name + "/" + preset.Name
				if listed {
					name += ", listed"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w := newShop(t, preset)
					ids := [2]idmap.FileID{w.opened(a), w.opened(b)}
					w.must(os.Mkdir(filepath.Join(w.server.Dir, "g"), 0o777))
					w.list("")
					w.list("g")
					c.do(w)
					if listed {
						w.list("")
					}
					want := c.want.print
					switch {
					case preset.Name == "strict":
						want = c.want.strict
					case strings.Contains(preset.Name, "cloud"):
						want = c.want.native
					}
					for i, id := range ids {
						if got := w.where(id); got != want[i] {
							t.Errorf("file %d is found at %q, want %q", i+1, got, want[i])
						}
					}
				})
			}
		}
	}
}

func newShop(t *testing.T, preset upstream.Preset) *shop {
	t.Helper()
	server := upstream.Strict(t)
	server.Quirks.Set(preset.Set)
	return shopOver(t, server)
}

func shopOver(t *testing.T, server *upstream.Server) *shop {
	t.Helper()
	m, err := idmap.New(t.Context(), sqldbtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Space(t.Context(), "nas", "")
	if err != nil {
		t.Fatal(err)
	}
	return &shop{T: t, m: m, s: s, server: server, view: server.View(t)}
}
