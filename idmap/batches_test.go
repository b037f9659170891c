package idmap_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// inBatches lists a folder with n members at once.
func (w *world) inBatches(p dav.Path, n int) map[dav.Path]idmap.Entry {
	w.Helper()
	var all []dav.Resource
	if err := w.tr.List(w.ctx(), p, func(res dav.Resource) error { all = append(all, res); return nil }); err != nil {
		w.Fatal(err)
	}
	return w.addInBatches(p, n, all)
}

func (w *world) addInBatches(p dav.Path, n int, all []dav.Resource) map[dav.Path]idmap.Entry {
	w.Helper()
	got := map[dav.Path]idmap.Entry{}
	take := func(entries []idmap.Entry, err error) {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
		for _, e := range entries {
			if _, twice := got[e.Path]; twice {
				w.Fatalf("%q was given twice", e.Path)
			}
			got[e.Path] = e
		}
	}
	b := w.m.Batches(w.s, p)
	for part := range slices.Chunk(all, n) {
		take(b.Add(w.ctx(), part))
	}
	take(b.End(w.ctx()))
	if len(got) != len(all) {
		w.Fatalf("%d entries of %d members", len(got), len(all))
	}
	return got
}

func TestBatchesAreAListing(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/a", true)
		for i := range 9 {
			w.tr.add(dav.Path(fmt.Sprintf("/a/%d", i)), i == 8)
		}
		first := w.inBatches("/a", 4)
		for _, e := range w.list("/a") {
			if first[e.Path].ID != e.ID || first[e.Path].Revision.Version != e.Revision.Version || first[e.Path].Kind != e.Kind {
				w.Errorf("%+v, in batches %+v", e, first[e.Path])
			}
		}
		w.tr.edit("/a/0")
		w.tr.move("/a/1", "/a/one") // "one" comes after all others, "0a" before its old name
		w.tr.move("/a/7", "/a/0a")
		w.tr.move("/a/2", "/a/t") // 2 and 3 change places
		w.tr.move("/a/3", "/a/2")
		w.tr.move("/a/t", "/a/3")
		got := w.inBatches("/a", 2)
		for p, was := range map[dav.Path]dav.Path{"/a/0": "/a/0", "/a/one": "/a/1", "/a/0a": "/a/7", "/a/3": "/a/2", "/a/2": "/a/3", "/a/8": "/a/8"} {
			if got[p].ID != first[was].ID {
				w.Errorf("%q does not have the ID of %q", p, was)
			}
		}
		if got["/a/0"].Revision.Number != 2 || got["/a/4"].Revision.Version != first["/a/4"].Revision.Version {
			w.Errorf("%+v %+v", got["/a/0"], got["/a/4"])
		}
	})
}

// A second name of a file that comes before the one that is known must not take its ID.
func TestBatchesKnowHardLinks(t *testing.T) {
	each(t, func(w *world) {
		if !w.tr.rids && !w.tr.natives {
			w.Skip("nothing shows that they are one")
		}
		w.tr.add("/m", false)
		known := w.at("/m").ID
		one, other := w.tr.res("/m"), w.tr.res("/m")
		one.Path, other.Path = "/a", "/z"
		middle := w.tr.res("/m")
		first := w.addInBatches("/", 1, []dav.Resource{one, middle, other})
		if first["/m"].ID != known || first["/a"].ID == known || first["/z"].ID == known || first["/a"].ID == first["/z"].ID {
			w.Fatalf("m is %s: %+v", known, first)
		}
		again := w.addInBatches("/", 2, []dav.Resource{one, middle, other})
		for p, e := range first {
			if again[p].ID != e.ID {
				w.Errorf("%q had %s, has %s", p, e.ID, again[p].ID)
			}
		}
	})
}

// Whatever happens between them, listings in batches and whole ones give the same IDs.
func TestBatchesAgreeWithWholeListings(t *testing.T) {
	each(t, func(w *world) {
		random := rand.New(rand.NewPCG(4, 20))
		name := func() dav.Path { return dav.Path(fmt.Sprintf("/%d", random.IntN(12))) }
		for range 120 {
			from, to := name(), name()
			switch _, there := w.tr.nodes[from]; {
			case !there:
				w.tr.add(from, false)
			case random.IntN(3) == 0:
				w.tr.remove(from)
			case random.IntN(2) == 0:
				w.tr.edit(from)
			case w.tr.nodes[to] == nil:
				w.tr.move(from, to)
			}
			if random.IntN(3) > 0 {
				continue
			}
			got := w.inBatches("/", 1+random.IntN(5))
			for _, e := range w.list("/") {
				if got[e.Path].ID != e.ID || got[e.Path].Revision.Version != e.Revision.Version {
					w.Fatalf("%q: %+v in batches, then %+v", e.Path, got[e.Path], e)
				}
			}
		}
	})
}
