package idmap_test

import (
	"errors"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// stamped writes the stamp that is due on a file.
func (w *world) stamped(e idmap.Entry) string {
	w.Helper()
	stamp, err := w.m.NextStamp(w.ctx(), w.s, e.ID, w.tr.res(e.Path))
	if err != nil || stamp == "" {
		w.Fatalf("no stamp for %q: %v", e.Path, err)
	}
	w.tr.nodes[e.Path].stamp = stamp
	if err := w.m.Stamped(w.ctx(), w.s, e.ID, stamp, w.tr.res(e.Path)); err != nil {
		w.Fatal(err)
	}
	return stamp
}

// TestStampDecides: what a stamp tells of a file that was edited and moved, and what it
// does not tell.
func TestStampDecides(t *testing.T) {
	const x = dav.Path("/d/x.docx")
	for _, c := range []struct {
		name string
		do   func(w *world)
		want dav.Path // where x is; "" nowhere
	}{
		{"edited and moved", func(w *world) { w.tr.edit(x); w.tr.move(x, "/far/y.docx") }, "/far/y.docx"},
		{"moved and edited", func(w *world) { w.tr.move(x, "/far/y.docx"); w.tr.edit("/far/y.docx") }, "/far/y.docx"},
		{"its folder renamed, all in it edited", func(w *world) {
			w.tr.edit(x)
			w.tr.edit("/d/z.docx")
			w.tr.move("/d", "/e")
		}, "/e/x.docx"},
		{"edited and moved over another document", func(w *world) { w.tr.edit(x); w.tr.move(x, "/d/z.docx") }, "/d/z.docx"},
		{"edited, and called something else entirely", func(w *world) { w.tr.edit(x); w.tr.move(x, "/far/y.zip") }, ""},
		{"edited, and put aside", func(w *world) { w.tr.edit(x); w.tr.move(x, "/d/~WRL1.docx") }, ""},
		{"copied", func(w *world) { w.tr.copy(x, "/far/y.docx") }, x},
		{"copied, the copy was seen", func(w *world) { w.tr.copy(x, "/far/y.docx"); w.seeAll("/far") }, x},
		{"copied, the copy was seen, and the first deleted", func(w *world) {
			w.tr.copy(x, "/far/y.docx")
			w.seeAll("/far")
			w.tr.remove(x)
		}, ""},
		{"the same, and the copy edited and moved", func(w *world) {
			w.tr.copy(x, "/far/y.docx")
			w.seeAll("/far")
			w.tr.remove(x)
			w.tr.edit("/far/y.docx")
			w.tr.move("/far/y.docx", "/far/v.docx")
		}, ""},
		{"copied over the renamed original", func(w *world) { w.tr.move(x, "/d/y.docx"); w.tr.copy("/d/y.docx", x) }, ""},
		{"two copies, and the first deleted", func(w *world) {
			w.tr.copy(x, "/far/y.docx")
			w.tr.copy(x, "/far/w.docx")
			w.tr.remove(x)
		}, ""},
		{"moved beside its clone", func(w *world) { w.tr.clone(x, "/far/c.docx"); w.tr.move(x, "/far/y.docx") }, "/far/y.docx"},
		{"moved, its clone without a stamp stays behind", func(w *world) {
			w.tr.move(x, "/far/y.docx")
			w.tr.clone("/far/y.docx", "/d/c.docx")
		}, "/far/y.docx"},
		{"edited and moved, an old clone is about", func(w *world) {
			w.tr.clone(x, "/far/c.docx")
			w.tr.edit(x)
			w.tr.move(x, "/far/y.docx")
		}, ""},
		{"renamed on Apache's disk, a stranger inherits", func(w *world) {
			stamp := w.tr.nodes[x].stamp
			w.tr.move(x, "/far/y.docx")
			w.tr.nodes["/far/y.docx"].stamp = ""
			w.tr.add(x, false).stamp = stamp
		}, ""},
		{"the same, and the stranger edited and moved on", func(w *world) {
			stamp := w.tr.nodes[x].stamp
			w.tr.move(x, "/far/y.docx")
			w.tr.nodes["/far/y.docx"].stamp = ""
			w.tr.add(x, false).stamp = stamp
			w.seeAll("/d")
			w.tr.edit(x)
			w.tr.move(x, "/d/v.docx")
		}, "/far/y.docx"},
		{"an older stamp", func(w *world) {
			w.tr.copy(x, "/far/y.docx")
			w.tr.nodes[x].stamp = ""
			w.stamped(w.at(x))
			w.tr.remove(x)
		}, ""},
		{"the stamp was taken off", func(w *world) {
			w.tr.copy(x, "/far/y.docx")
			w.tr.nodes[x].stamp = ""
			w.at(x)
			w.tr.remove(x)
		}, ""},
	} {
		for _, listed := range []bool{false, true} {
			name := c.name
			if listed {
				name += ", listed"
			}
			t.Run(name, func(t *testing.T) {
				w := newMemoryWorld(t)
				w.tr.rids, w.tr.stamps = false, true
				w.add("/d/")
				w.add("/far/")
				e, z := w.add(x), w.add("/d/z.docx")
				w.stamped(e)
				w.stamped(z)
				c.do(w)
				if listed {
					for _, p := range w.tr.paths() {
						if w.tr.nodes[p].collection {
							w.seeAll(p)
						}
					}
				}
				got, _, err := w.m.Find(w.ctx(), w.s, e.ID, w.tr)
				switch {
				case c.want == "" && !errors.Is(err, idmap.ErrMissing):
					t.Errorf("found at %q: %v", got.Path, err)
				case c.want != "" && (err != nil || got.Path != c.want):
					t.Errorf("found at %q, want %q: %v", got.Path, c.want, err)
				}
				w.distinct()
				w.sound()
			})
		}
	}
}

// TestNextStamp: a file is stamped once, again when it has lost its stamp, with another
// serial, and not where it is of no use.
func TestNextStamp(t *testing.T) {
	each(t, func(w *world) {
		w.tr.rids, w.tr.stamps = false, true
		e, folder := w.add("/x.docx"), w.add("/d/")
		next := func(id idmap.FileID, res dav.Resource) string {
			w.Helper()
			s, err := w.m.NextStamp(w.ctx(), w.s, id, res)
			if err != nil {
				w.Fatal(err)
			}
			return s
		}
		first := w.stamped(e)
		if s := next(e.ID, w.tr.res("/x.docx")); s != "" {
			w.Errorf("again: %q", s)
		}
		w.tr.nodes["/x.docx"].stamp = ""
		w.at("/x.docx")
		if second := w.stamped(e); second == first {
			w.Errorf("the serial recurs: %q", second)
		}
		if s := next(folder.ID, w.tr.res("/d")); s != "" {
			w.Errorf("for a folder: %q", s)
		}
		r := w.tr.res("/x.docx")
		r.Stamp, r.ResourceID = "", "better"
		if s := next(e.ID, r); s != "" {
			w.Errorf("where there is an ID: %q", s)
		}
		r.ResourceID, r.StampKnown = "", false
		if s := next(e.ID, r); s != "" {
			w.Errorf("where none is kept: %q", s)
		}
		if err := w.m.Stamped(w.ctx(), w.s, e.ID, "foreign", w.tr.res("/x.docx")); err != nil {
			w.Error(err)
		}
		name, err := w.m.StampName(w.ctx())
		again, err2 := w.m.StampName(w.ctx())
		if err != nil || err2 != nil || name != again || name.Local == "" || len(name.Space) < 20 {
			w.Errorf("%v %v, %v %v", name, again, err, err2)
		}
		if err := w.m.NewEpoch(w.ctx()); err != nil {
			w.Fatal(err)
		}
		if now, err := w.m.StampName(w.ctx()); err != nil || now != name {
			w.Errorf("after a restore: %v, %v", now, err)
		}
	})
}
