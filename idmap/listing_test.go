package idmap_test

import (
	"errors"
	"fmt"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

func TestAtAll(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/a", true)
		for i := range 5 {
			w.tr.add(dav.Path(fmt.Sprintf("/a/%d", i)), i == 4)
		}
		first := w.list("/a")
		if len(first) != 5 || first[3].Path != "/a/3" || first[4].Kind != idmap.Container || first[4].Revision.Number != 0 {
			w.Fatalf("%+v", first)
		}
		for i, e := range w.list("/a") {
			if e.ID != first[i].ID || e.Revision.Version != first[i].Revision.Version || w.at(e.Path).ID != e.ID {
				w.Errorf("%d: %+v, before %+v", i, e, first[i])
			}
		}
		t := w.tr
		t.edit("/a/0")
		t.move("/a/1", "/a/one")
		t.move("/a/2", "/a/t") // 2 and 3 change places
		t.move("/a/3", "/a/2")
		t.move("/a/t", "/a/3")
		t.remove("/a/4")
		got := map[dav.Path]idmap.Entry{}
		for _, e := range w.list("/a") {
			got[e.Path] = e
		}
		for p, i := range map[dav.Path]int{"/a/0": 0, "/a/one": 1, "/a/3": 2, "/a/2": 3} {
			if got[p].ID != first[i].ID {
				w.Errorf("%q does not have the ID of %q", p, first[i].Path)
			}
		}
		if got["/a/0"].Revision.Number != 2 || got["/a/2"].Revision.Number != 1 {
			w.Errorf("%+v", got)
		}
		if k := w.known(first[4].ID); k.Missing.IsZero() {
			w.Error("a complete listing without it does not make it missing")
		}
	})
}

func TestIncompleteListingLosesNothing(t *testing.T) {
	each(t, func(w *world) {
		w.add("/x")
		y := w.add("/y")
		if _, err := w.m.AtAll(w.ctx(), w.s, "/", []dav.Resource{w.tr.res("/x")}, false); err != nil {
			w.Fatal(err)
		}
		if !w.known(y.ID).Missing.IsZero() {
			w.Error("missing")
		}
		if all, err := w.m.AtAll(w.ctx(), w.s, "/", nil, true); err != nil || len(all) != 0 {
			w.Error(all, err)
		}
		if w.known(y.ID).Missing.IsZero() {
			w.Error("not missing after an empty listing")
		}
		if w.at("/y").ID != y.ID {
			w.Error("another ID after it came back")
		}
	})
}

func TestAtAllTakesMembersOnly(t *testing.T) {
	each(t, func(w *world) {
		for _, p := range []dav.Path{"/", "/a", "/a/b/c", "/b/x"} {
			_, err := w.m.AtAll(w.ctx(), w.s, "/a", []dav.Resource{{Path: "/a/ok"}, {Path: p}}, true)
			if !errors.Is(err, dav.ErrBadPath) {
				w.Errorf("%q: %v", p, err)
			}
		}
		if _, err := w.m.KnownAt(w.ctx(), w.s, "/a/ok"); !errors.Is(err, idmap.ErrNotFound) {
			w.Errorf("recorded: %v", err)
		}
	})
}

// Two names of one inode are two files, once one listing has shown both.
func TestHardLinks(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/x", false)
		w.tr.add("/y", false).ino = w.tr.nodes["/x"].ino
		l := w.list("/")
		if l[0].ID == l[1].ID {
			w.Fatal("one ID")
		}
		for range 2 {
			if w.at("/x").ID != l[0].ID || w.at("/y").ID != l[1].ID {
				w.Error("a sight of one took the ID of the other")
			}
		}
		again := w.list("/")
		if again[0].ID != l[0].ID || again[1].ID != l[1].ID {
			w.Error("listed again:", again)
		}
	})
}

// A name that an upstream shows twice in one answer is one file.
func TestNameListedTwice(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/x", false)
		r := w.tr.res("/x")
		for range 2 {
			l, err := w.m.AtAll(w.ctx(), w.s, "/", []dav.Resource{r, r}, true)
			if err != nil || l[0].ID != l[1].ID {
				w.Error(l, err)
			}
		}
	})
}

// A folder in the listing is one from above it: what was above is something else.
func TestListingThatMakesItsOwnFolderStale(t *testing.T) {
	each(t, func(w *world) {
		a := w.add("/a/")
		w.add("/a/b/")
		w.add("/a/b/x")
		w.tr.move("/a", "/t")
		w.tr.add("/a", true)
		w.tr.add("/a/b", true)
		w.tr.move("/t", "/a/b/a")
		w.tr.add("/a/b/z", false)
		l := w.list("/a/b")
		if len(l) != 2 || l[0].ID != a.ID {
			w.Fatalf("%+v", l)
		}
		for _, e := range l {
			if k := w.known(e.ID); k.Path != e.Path || !k.Missing.IsZero() {
				w.Errorf("%+v, known as %+v", e, k)
			}
		}
	})
}
