package idmap_test

import (
	"errors"
	"fmt"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// TestMade: what we make where something was that others have moved away is new. What
// was there keeps its ID, and what lies below it.
func TestMade(t *testing.T) {
	for _, rids := range []bool{true, false} {
		each(t, func(w *world) {
			w.tr.rids = rids
			w.add("/far/")
			file, folder, below := w.add("/x.txt"), w.add("/d/"), w.add("/d/y.txt")
			w.tr.move("/x.txt", "/far/x.txt")
			w.tr.move("/d", "/far/d")
			w.tr.add("/x.txt", false)
			w.tr.add("/d", true)
			for _, p := range []dav.Path{"/x.txt", "/d"} {
				e, err := w.m.Made(w.ctx(), w.s, w.tr.res(p))
				if err != nil || e.ID == file.ID || e.ID == folder.ID || e.Path != p {
					w.Errorf("made %+v, %v", e, err)
				}
				again, err := w.m.Made(w.ctx(), w.s, w.tr.res(p))
				if err != nil || e.Kind == idmap.File && again.ID != e.ID {
					w.Errorf("made again %+v, %v", again, err)
				}
			}
			for _, c := range []struct {
				e  idmap.Entry
				at dav.Path
			}{{file, "/far/x.txt"}, {below, "/far/d/y.txt"}} {
				e, _, err := w.m.Find(w.ctx(), w.s, c.e.ID, w.tr)
				if rids && (err != nil || e.Path != c.at) || !rids && err == nil && e.Path != c.at {
					w.Errorf("%s is found at %q, %v", c.at, e.Path, err)
				}
			}
			w.distinct()
			w.sound()
		})
	}
}

// TestMadeAndListed: somebody has listed the new file before its making was recorded.
func TestMadeAndListed(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/x.txt", false)
		seen := w.list("/")[0]
		if e, err := w.m.Made(w.ctx(), w.s, w.tr.res("/x.txt")); err != nil || e.ID != seen.ID {
			w.Errorf("%+v, %v, was seen as %+v", e, err, seen)
		}
		if _, err := w.m.Made(w.ctx(), w.s, w.tr.res("/")); !errors.Is(err, idmap.ErrRoot) {
			w.Errorf("the root: %v", err)
		}
	})
}

// TestLargeListing: in a container that comes in batches, too, others swap two files,
// rename one, move one in from elsewhere, and replace one.
func TestLargeListing(t *testing.T) {
	for _, rids := range []bool{true, false} {
		each(t, func(w *world) {
			w.tr.rids = rids
			w.add("/in/")
			in := w.add("/in/z.txt")
			w.add("/d/")
			for i := range 40 {
				w.tr.add(dav.Path(fmt.Sprintf("/d/%02d.txt", i)), false)
			}
			ids := map[dav.Path]idmap.FileID{}
			for _, e := range w.batches("/d", 8) {
				ids[e.Path] = e.ID
			}
			w.tr.move("/d/01.txt", "/t")
			w.tr.move("/d/33.txt", "/d/01.txt")
			w.tr.move("/t", "/d/33.txt")
			w.tr.move("/d/20.txt", "/d/99.txt")
			w.tr.move("/in/z.txt", "/d/zz.txt")
			w.tr.add("/d/30.txt", false)
			want := map[dav.Path]idmap.FileID{
				"/d/01.txt": ids["/d/33.txt"], "/d/33.txt": ids["/d/01.txt"], "/d/99.txt": ids["/d/20.txt"],
				"/d/zz.txt": in.ID, "/d/30.txt": ids["/d/30.txt"], "/d/02.txt": ids["/d/02.txt"],
			}
			w.tr.asks()
			all := w.batches("/d", 8)
			if asked := len(w.tr.asked); asked > 30 {
				w.Errorf("%d requests", asked)
			}
			for _, e := range all {
				if id, ok := want[e.Path]; ok && e.ID != id {
					w.Errorf("%q has %s, want %s", e.Path, e.ID, id)
				}
			}
			w.distinct()
			w.sound()
		})
	}
}

// batches lists a container in batches of n.
func (w *world) batches(p dav.Path, n int) []idmap.Entry {
	w.Helper()
	b, res := w.m.Batches(w.s, p), w.tr.members(p)
	var all []idmap.Entry
	add := func(some []idmap.Entry, err error) {
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, some...)
	}
	for len(res) > 0 {
		some := res[:min(n, len(res))]
		if err := b.See(w.ctx(), some, w.tr); err != nil {
			w.Fatal(err)
		}
		add(b.Add(w.ctx(), some))
		res = res[len(some):]
	}
	add(b.End(w.ctx()))
	return all
}
