package idmap_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// TestReplaced: what stands in the place of a document is its next contents, or not.
func TestReplaced(t *testing.T) {
	type test struct {
		*world
		x, y idmap.Entry // /d/x.docx and /d/y.docx, which were seen
	}
	for _, c := range []struct {
		name string
		do   func(w *test)
		want dav.Path // where x is; "" nowhere
		at   dav.Path // where y is
	}{
		{"temp and rename", func(w *test) { w.tr.add("/d/~WRD0001.tmp", false); w.tr.move("/d/~WRD0001.tmp", "/d/x.docx") }, "/d/x.docx", "/d/y.docx"},
		{"the same, the temp was listed", func(w *test) {
			w.add("/d/~WRD0001.tmp")
			w.tr.move("/d/~WRD0001.tmp", "/d/x.docx")
		}, "/d/x.docx", "/d/y.docx"},
		{"Office's dance", func(w *test) {
			w.add("/d/~WRD0000.tmp")
			w.tr.move("/d/x.docx", "/d/~WRL0001.tmp")
			w.tr.move("/d/~WRD0000.tmp", "/d/x.docx")
			w.tr.remove("/d/~WRL0001.tmp")
		}, "/d/x.docx", "/d/y.docx"},
		{"Excel's, whose temps have no extension", func(w *test) {
			w.add("/d/5B2A1000")
			w.tr.move("/d/5B2A1000", "/d/x.docx")
		}, "/d/x.docx", "/d/y.docx"},
		{"LibreOffice's", func(w *test) {
			w.add("/d/.~lock.x.docx#")
			w.add("/d/lu1234abc.tmp")
			w.tr.move("/d/lu1234abc.tmp", "/d/x.docx")
			w.tr.remove("/d/.~lock.x.docx#")
		}, "/d/x.docx", "/d/y.docx"},
		{"a sync client's", func(w *test) {
			w.add("/d/.x.docx.~3f2a")
			w.tr.move("/d/.x.docx.~3f2a", "/d/x.docx")
		}, "/d/x.docx", "/d/y.docx"},
		{"a backup that is removed", func(w *test) {
			w.tr.move("/d/x.docx", "/d/x.docx.bak")
			w.tr.add("/d/x.docx", false)
			w.tr.remove("/d/x.docx.bak")
		}, "/d/x.docx", "/d/y.docx"},
		{"a backup that stays is the file", func(w *test) {
			w.tr.move("/d/x.docx", "/d/x.docx.bak")
			w.tr.add("/d/x.docx", false)
		}, "/d/x.docx.bak", "/d/y.docx"},
		{"a stranger at its name, itself in a folder near by", func(w *test) { w.tr.move("/d/x.docx", "/far/x.docx"); w.tr.add("/d/x.docx", false) }, "/far/x.docx", "/d/y.docx"},
		{"renamed over", func(w *test) { w.tr.move("/d/y.docx", "/d/x.docx") }, "", "/d/x.docx"},
		{"a chain", func(w *test) {
			w.tr.move("/d/x.docx", "/d/z.docx")
			w.tr.move("/d/y.docx", "/d/x.docx")
		}, "/d/z.docx", "/d/x.docx"},
		{"swapped", func(w *test) {
			w.tr.move("/d/x.docx", "/t")
			w.tr.move("/d/y.docx", "/d/x.docx")
			w.tr.move("/t", "/d/y.docx")
		}, "/d/y.docx", "/d/x.docx"},
		{"missed in between", func(w *test) {
			w.tr.remove("/d/x.docx")
			w.list("/d")
			w.tr.add("/d/x.docx", false)
		}, "", "/d/y.docx"},
		{"not seen for more than a day", func(w *test) { w.later(25 * time.Hour); w.tr.add("/d/x.docx", false) }, "", "/d/y.docx"},
		{"the same, but locked", func(w *test) {
			w.later(25 * time.Hour)
			w.m.Held = func(_ context.Context, id idmap.FileID) (bool, error) { return id == w.x.ID, nil }
			w.tr.add("/d/x.docx", false)
		}, "/d/x.docx", "/d/y.docx"},
		{"another document is locked", func(w *test) {
			w.later(25 * time.Hour)
			w.m.Held = func(_ context.Context, id idmap.FileID) (bool, error) { return id == w.y.ID, nil }
			w.tr.add("/d/x.docx", false)
		}, "", "/d/y.docx"},
		{"somebody else has it, too", func(w *test) {
			w.tr.natives = true
			w.at("/d/x.docx")
			s, err := w.m.Space(w.ctx(), "nas", "somebody")
			if err != nil {
				w.Fatal(err)
			}
			r := w.tr.res("/d/x.docx")
			r.Path = "/shared/x.docx"
			if _, err := w.m.At(w.ctx(), s, r); err != nil {
				w.Fatal(err)
			}
			w.tr.add("/d/x.docx", false)
		}, "", "/d/y.docx"},
		{"another is restored there", func(w *test) {
			z := w.add("/d/z.docx")
			n := w.tr.nodes["/d/z.docx"]
			w.tr.remove("/d/z.docx")
			if err := w.m.Deleted(w.ctx(), w.s, z.ID); err != nil {
				w.Fatal(err)
			}
			w.tr.nodes["/d/x.docx"] = n
		}, "", "/d/y.docx"},
		{"a folder", func(w *test) { w.tr.remove("/d/x.docx"); w.tr.add("/d/x.docx", true) }, "", "/d/y.docx"},
	} {
		for _, native := range []bool{true, false} {
			for _, listed := range []bool{true, false} {
				name := c.name
				if native {
					name += ", native IDs"
				}
				if listed {
					name += ", listed"
				}
				t.Run(name, func(t *testing.T) {
					if native && testing.Short() {
						t.Skip("half of the cases: not with -short")
					}
					w := &test{world: newMemoryWorld(t)}
					w.tr.natives, w.tr.rids = native, !native
					w.add("/d/")
					w.add("/far/")
					w.x, w.y = w.add("/d/x.docx"), w.add("/d/y.docx")
					c.do(w)
					if listed {
						w.seeAll("/d")
					}
					for i, want := range []dav.Path{c.want, c.at} {
						id := [2]idmap.FileID{w.x.ID, w.y.ID}[i]
						e, res, err := w.m.Find(w.ctx(), w.s, id, w.tr)
						switch {
						case want == "" && !errors.Is(err, idmap.ErrMissing):
							t.Errorf("file %d is at %q: %v", i, e.Path, err)
						case want != "" && (err != nil || e.ID != id || e.Path != want || res.Path != want):
							t.Errorf("file %d is at %q, want %q: %v", i, e.Path, want, err)
						}
					}
					w.distinct()
					w.sound()
				})
			}
		}
	}
}

// TestReplacedIsANewRevision: the ID stays, the strings do not; and what the temporary
// file was called names nothing any more.
func TestReplacedIsANewRevision(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x, temp := w.add("/x.docx"), w.add("/~WRD1.tmp")
		w.tr.move("/~WRD1.tmp", "/x.docx")
		e, err := w.m.See(w.ctx(), w.s, w.tr.res("/x.docx"), w.tr)
		if err != nil || e.ID != x.ID || e.Revision.Number <= x.Revision.Number || e.Revision.Version == x.Revision.Version {
			w.Errorf("%+v, %v; before %+v", e, err, x)
		}
		if _, _, err := w.m.Find(w.ctx(), w.s, temp.ID, w.tr); !errors.Is(err, idmap.ErrMissing) {
			w.Errorf("the temporary file: %v", err)
		}
		w.tr.move("/x.docx", "/y.docx")
		if e, _, err := w.m.Find(w.ctx(), w.s, x.ID, w.tr); err != nil || e.Path != "/y.docx" {
			w.Errorf("moved afterwards: %+v, %v", e, err)
		}
		w.sound()
	})
}

// TestReplacedAndNobodyAnswers: nothing is decided while the look-up cannot be made.
func TestReplacedAndNobodyAnswers(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x := w.add("/x.docx")
		w.tr.add("/x.docx", false)
		res := w.tr.res("/x.docx")
		w.tr.down = true
		if _, err := w.m.See(w.ctx(), w.s, res, w.tr); !errors.Is(err, dav.ErrUnavailable) {
			w.Errorf("%v", err)
		}
		w.tr.down = false
		if e, err := w.m.See(w.ctx(), w.s, res, w.tr); err != nil || e.ID != x.ID {
			w.Errorf("%+v, %v", e, err)
		}
	})
}

// TestManyReplaced: a sync client has replaced more files than one listing may ask for.
// Those that were not asked for have new IDs, and no ID names another file.
func TestManyReplaced(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		before := map[dav.Path]idmap.FileID{}
		var all []dav.Path
		for i := range 40 {
			p := dav.Path("/" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".docx")
			all = append(all, p)
			before[p] = w.add(p).ID
		}
		for _, p := range all {
			w.tr.add(p, false)
		}
		w.tr.asks()
		kept := 0
		for _, e := range w.seeAll("/") {
			if e.ID == before[e.Path] {
				kept++
			} else if _, known := before[e.Path]; known && e.Revision.Number != 1 {
				w.Errorf("%+v", e)
			}
		}
		if kept != 30 {
			w.Errorf("%d kept their IDs", kept)
		}
		w.sound()
	})
}
