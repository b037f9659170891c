package idmap_test

import (
	"os"
	"path/filepath"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

// stampOn makes a file that was opened for editing.
func (w *shop) stampOn(name string) idmap.FileID {
	w.Helper()
	id := w.opened(name)
	p := dav.Path("/" + name)
	res, err := w.view.Stat(w.Context(), p)
	w.must(err)
	stamp, err := w.m.NextStamp(w.Context(), w.s, id, res)
	w.must(err)
	if stamp == "" {
		w.Fatalf("no stamp for %s: %+v", name, res)
	}
	w.must(w.view.WriteStamp(w.Context(), p, stamp, davbackend.Condition{}))
	res, err = w.view.Stat(w.Context(), p)
	w.must(err)
	w.must(w.m.Stamped(w.Context(), w.s, id, stamp, res))
	return id
}

func (w *shop) move(from, to string, overwrite bool) {
	w.Helper()
	w.must(w.view.Move(w.Context(), dav.Path("/"+from), dav.Path("/"+to), overwrite, davbackend.Condition{}, davbackend.Condition{}))
}

func (w *shop) copy(from, to string) {
	w.Helper()
	w.must(w.view.Copy(w.Context(), dav.Path("/"+from), dav.Path("/"+to), true, davbackend.Condition{}))
}

// edit writes other contents on the disk, of another length.
func (w *shop) edit(name string) {
	w.server.Write(w, name, "edited by others, at length and at leisure")
}

// TestStampsOnRealServers: on Apache, which keeps properties beside the files, and on
// lighttpd, which keeps them by path. A rename on the disk takes Apache's along with a
// folder, but leaves a file's to whoever comes by its name.
func TestStampsOnRealServers(t *testing.T) {
	const a, b = "f/a.txt", "f/b.txt"
	for _, c := range []struct {
		name             string
		do               func(w *shop)
		apache, lighttpd string // where f/a.txt is
	}{
		{"edited, and moved by WebDAV", func(w *shop) { w.edit(a); w.move(a, "g/z.txt", false) }, "g/z.txt", "g/z.txt"},
		{"moved by WebDAV, and edited by it", func(w *shop) { w.move(a, "g/z.txt", false); w.put("/g/z.txt", "edited") }, "g/z.txt", "g/z.txt"},
		{"its folder moved by WebDAV, all in it edited", func(w *shop) { w.edit(a); w.edit(b); w.move("f", "h", false) }, "h/a.txt", "h/a.txt"},
		{"its folder renamed on the disk, all in it edited", func(w *shop) { w.edit(a); w.edit(b); w.mv("f", "h") }, "h/a.txt", ""},
		{"edited, and renamed on the disk", func(w *shop) { w.edit(a); w.mv(a, "g/z.txt") }, "", ""},
		{"renamed on the disk", func(w *shop) { w.mv(a, "g/z.txt") }, "g/z.txt", "g/z.txt"},
		{"renamed on the disk, a stranger at its name", func(w *shop) { w.mv(a, "g/z.txt"); w.server.Write(w, a, "a stranger") }, "", ""},
		{"the same, and the stranger seen, edited and moved by WebDAV", func(w *shop) {
			w.mv(a, "g/z.txt")
			w.server.Write(w, a, "a stranger")
			w.list("f")
			w.edit(a)
			w.move(a, "f/v.txt", false)
		}, "g/z.txt", "g/z.txt"},
		{"copied by WebDAV", func(w *shop) { w.copy(a, "g/c.txt") }, a, a},
		{"copied, the copy seen, the first deleted", func(w *shop) { w.copy(a, "g/c.txt"); w.list("g"); w.rm(a) }, "", ""},
		{"saved by temp and MOVE", func(w *shop) { w.put("/f/~WRD1.tmp", "the next"); w.move("f/~WRD1.tmp", a, true) }, a, a},
		{"edited and moved over the other", func(w *shop) { w.edit(a); w.move(a, b, true) }, b, b},
	} {
		for name, start := range map[string]func(testing.TB) *upstream.Server{"apache": upstream.Apache, "lighttpd": upstream.Lighttpd} {
			for _, listed := range []bool{false, true} {
				if testing.Short() && listed {
					continue
				}
				title := c.name + "/" + name
				if listed {
					title += ", listed"
				}
				t.Run(title, func(t *testing.T) {
					w := realShop(t, start(t))
					id, other := w.stampOn(a), w.stampOn(b)
					w.must(os.Mkdir(filepath.Join(w.server.Dir, "g"), 0o777))
					w.must(os.Chmod(filepath.Join(w.server.Dir, "g"), 0o777))
					w.list("")
					w.list("g")
					c.do(w)
					if listed {
						w.list("")
					}
					want := map[string]string{"apache": c.apache, "lighttpd": c.lighttpd}[name]
					if got := w.where(id); got != want {
						t.Errorf("found at %q, want %q", got, want)
					}
					if got := w.where(other); got != "" && got == w.where(id) {
						t.Errorf("two IDs at %q", got)
					}
				})
			}
		}
	}
}

// realShop is a map over a real server, which it asks for stamps.
func realShop(t *testing.T, server *upstream.Server) *shop {
	t.Helper()
	w := shopOver(t, server)
	name, err := w.m.StampName(t.Context())
	w.must(err)
	client := w.view.Client()
	client.Stamp = name
	profile := client.Profile()
	profile.Stamps = true
	client.Learn(profile)
	return w
}
