package idmap_test

import (
	"errors"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

func TestFind(t *testing.T) {
	type look struct {
		name        string
		rid, native bool
		do          func(w *world)
		want        dav.Path // "" ErrMissing
		asked       string
		from        bool // what was known is handed in
	}
	looks := []look{
		{"where it was", true, false, func(*world) {}, "/a/x", "stat /a/x", false},
		{"edited", true, false, func(w *world) { w.tr.edit("/a/x") }, "/a/x", "stat /a/x", false},
		{"edited, by fingerprint", false, false, func(w *world) { w.tr.edit("/a/x") }, "/a/x", "stat /a/x, list /a, list /, list /b", false},
		{"edited and seen, by fingerprint", false, false, func(w *world) { w.tr.edit("/a/x"); w.seeAll("/a"); w.tr.asks() }, "/a/x", "stat /a/x", false},
		{"edited, a native id", false, true, func(w *world) { w.tr.edit("/a/x") }, "/a/x", "stat /a/x", false},
		{"renamed, by fingerprint", false, false, func(w *world) { w.tr.move("/a/x", "/a/y") }, "/a/y", "stat /a/x, list /a, list /, list /b", false},
		{"renamed beside", true, false, func(w *world) { w.tr.move("/a/x", "/a/y") }, "/a/y", "stat /a/x, list /a", false},
		{"renamed beside, another at the old name", true, false, func(w *world) { w.tr.move("/a/x", "/a/y"); w.tr.add("/a/x", false) }, "/a/y", "stat /a/x, list /a", false},
		{"deleted", true, false, func(w *world) { w.tr.remove("/a/x") }, "", "stat /a/x, list /a, list /, list /b", false},
		{"deleted with its folder", true, false, func(w *world) { w.tr.remove("/a") }, "", "stat /a/x, list /a, list /, list /b", false},
		{"moved far away", true, false, func(w *world) { w.tr.move("/a/x", "/b/x") }, "/b/x", "stat /a/x, list /a, list /, list /b", false},
		{"moved far away, by fingerprint", false, false, func(w *world) { w.tr.move("/a/x", "/b/z") }, "/b/z", "stat /a/x, list /a, list /, list /b", false},
		{"moved far away, a native id", false, true, func(w *world) { w.tr.move("/a/x", "/b/x") }, "/b/x", "stat /a/x, native oc4, stat /b/x", false},
		{"its folder moved, a native id", false, true, func(w *world) { w.tr.move("/a", "/b/c") }, "/b/c/x", "stat /a/x, native oc4, stat /b/c/x", false},
		{"deleted, a native id", false, true, func(w *world) { w.tr.remove("/a/x") }, "", "stat /a/x, native oc4, list /a", false},
		{"replaced by a file with other evidence", true, false, func(w *world) { w.tr.add("/a/x", false) }, "/a/x", "stat /a/x, list /a, list /, list /b", false},
		{"replaced, a native id", false, true, func(w *world) { w.tr.add("/a/x", false) }, "/a/x", "stat /a/x, native oc4", false},
		{"replaced by a folder", false, false, func(w *world) { w.tr.add("/a/x", true) }, "", "stat /a/x, list /a, list /, list /a/x, list /b", false},
		{"its folder renamed, by fingerprint", false, false, func(w *world) { w.tr.move("/a", "/c") }, "/c/x", "stat /a/x, list /a, list /, list /b, list /c", false},
		{"its folder moved, by fingerprint", false, false, func(w *world) { w.tr.move("/a", "/b/a") }, "/b/a/x", "stat /a/x, list /a, list /, list /b, list /b/a", false},
		{"renamed and copied", false, false, func(w *world) { w.tr.move("/a/x", "/a/y"); *w.tr.add("/b/y", false) = *w.tr.nodes["/a/y"] }, "", "stat /a/x, list /a, list /, list /b", false},
		{"moved, another at the old name", false, false, func(w *world) { w.tr.move("/a/x", "/a/y"); w.tr.add("/a/x", false) }, "", "stat /a/x, list /a", false},
	}
	for _, c := range looks {
		c.name, c.from = c.name+", from what is known", true // it asks no more
		looks = append(looks, c)
	}
	for _, c := range looks {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(w *world) {
				w.tr.rids, w.tr.natives = c.rid, c.native
				w.add("/a/")
				w.tr.add("/b", true)
				w.tr.last = 3
				x := w.add("/a/x")
				known := w.known(x.ID)
				c.do(w)
				find := func() (idmap.Entry, dav.Resource, error) { return w.m.Find(w.ctx(), w.s, x.ID, w.tr) }
				if c.from {
					find = func() (idmap.Entry, dav.Resource, error) { return w.m.FindFrom(w.ctx(), w.s, known, w.tr) }
				}
				e, res, err := find()
				if got := w.tr.asks(); got != c.asked {
					w.Errorf("asked %q, want %q", got, c.asked)
				}
				if c.want == "" {
					if !errors.Is(err, idmap.ErrMissing) || w.known(x.ID).Missing.IsZero() {
						w.Errorf("%+v, %v", e, err)
					}
					since := w.known(x.ID).Missing
					if _, _, err := w.m.Find(w.ctx(), w.s, x.ID, w.tr); !errors.Is(err, idmap.ErrMissing) || !w.known(x.ID).Missing.Equal(since) {
						w.Errorf("again: %v", err)
					}
					return
				}
				if err != nil || e.ID != x.ID || e.Path != c.want || res.Path != c.want {
					w.Errorf("%+v, %+v, %v", e, res, err)
				}
			})
		})
	}
}

func TestFindComesBack(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		n := w.tr.nodes["/x"]
		w.tr.remove("/x")
		if _, _, err := w.m.Find(w.ctx(), w.s, x.ID, w.tr); !errors.Is(err, idmap.ErrMissing) {
			w.Fatal(err)
		}
		w.tr.nodes["/x"] = n
		e, _, err := w.m.Find(w.ctx(), w.s, x.ID, w.tr)
		if err != nil || e.Revision.Version != x.Revision.Version || !w.known(x.ID).Missing.IsZero() {
			w.Error(e, err)
		}
	})
}

// One that gave way to another is looked for beside its old place.
func TestFindAfterGivingWay(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		w.tr.move("/x", "/y")
		w.add("/x")
		e, _, err := w.m.Find(w.ctx(), w.s, x.ID, w.tr)
		if err != nil || e.Path != "/y" || w.tr.asks() != "list /" {
			w.Error(e, err)
		}
	})
}

func TestFindErrors(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		find := func(s idmap.SpaceID, id idmap.FileID) error {
			_, _, err := w.m.Find(w.ctx(), s, id, w.tr)
			return err
		}
		w.tr.down = true
		if err := find(w.s, x.ID); !errors.Is(err, dav.ErrUnavailable) || !w.known(x.ID).Missing.IsZero() {
			w.Errorf("upstream down: %v", err)
		}
		w.tr.down = false
		other, err := w.m.Space(w.ctx(), "nas", "somebody")
		if err != nil {
			w.Fatal(err)
		}
		if err := find(other, x.ID); !errors.Is(err, idmap.ErrNotFound) {
			w.Errorf("another space: %v", err)
		}
		if err := find(w.s, "aaaaaaaaaaaaaaaaaaaaaaaaaa"); !errors.Is(err, idmap.ErrNotFound) {
			w.Errorf("unknown: %v", err)
		}
		root, err := w.m.Root(w.ctx(), w.s)
		if err != nil {
			w.Fatal(err)
		}
		if e, _, err := w.m.Find(w.ctx(), w.s, root.ID, w.tr); err != nil || e.ID != root.ID || e.Path != "/" {
			w.Errorf("the root: %+v, %v", e, err)
		}
		if err := w.m.Deleted(w.ctx(), w.s, x.ID); err != nil {
			w.Fatal(err)
		}
		if err := find(w.s, x.ID); !errors.Is(err, idmap.ErrNotFound) {
			w.Errorf("dead: %v", err)
		}
	})
}

// The same file in the trees of two people: a native id unites them, a
// resource-id does not.
func TestAcrossSpaces(t *testing.T) {
	for _, native := range []bool{true, false} {
		each(t, func(w *world) {
			w.tr.natives = native
			mine := w.add("/x")
			s, err := w.m.Space(w.ctx(), "nas", "somebody")
			if err != nil {
				w.Fatal(err)
			}
			r := w.tr.res("/x")
			r.Path = "/Shared/x"
			theirs, err := w.m.At(w.ctx(), s, r)
			if err != nil {
				w.Fatal(err)
			}
			if (mine.ID == theirs.ID) != native {
				w.Errorf("native %v: %v and %v", native, mine.ID, theirs.ID)
			}
			if k := w.known(mine.ID); k.Path != "/x" {
				w.Errorf("moved to %q", k.Path)
			}
			if k, err := w.m.Known(w.ctx(), s, theirs.ID); err != nil || k.Path != "/Shared/x" {
				w.Error(k, err)
			}
			if w.at("/x").ID != mine.ID {
				w.Error("another ID")
			}
			elsewhere, err := w.m.Space(w.ctx(), "other nas", "")
			if err != nil {
				w.Fatal(err)
			}
			if e, err := w.m.At(w.ctx(), elsewhere, w.tr.res("/x")); err != nil || e.ID == mine.ID {
				w.Error("another upstream:", e, err)
			}
			if err := w.m.Deleted(w.ctx(), s, theirs.ID); err != nil {
				w.Fatal(err)
			}
			if _, err := w.m.Known(w.ctx(), w.s, mine.ID); errors.Is(err, idmap.ErrNotFound) != native {
				w.Errorf("native %v, after the other deleted it: %v", native, err)
			}
		})
	}
}
