package idmap_test

import (
	"errors"
	"fmt"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

func (w *world) recordMove(id idmap.FileID, to dav.Path, res dav.Resource) idmap.Entry {
	w.Helper()
	e, err := w.m.Moved(w.ctx(), w.s, id, to, res)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func (w *world) find(id idmap.FileID) (idmap.Entry, error) {
	e, _, err := w.m.Find(w.ctx(), w.s, id, w.tr)
	return e, err
}

// What was seen below a container before our move of it, and recorded after it, does
// not lose an ID.
func TestAStaleSightBelowAContainerThatWeMoved(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/a", true)
		w.tr.add("/a/deep", true)
		x := w.add("/a/deep/x.odt")
		a, deep := w.at("/a"), w.at("/a/deep")
		stale, staleDeep := w.tr.res("/a/deep/x.odt"), w.tr.res("/a/deep")
		w.tr.move("/a", "/b")
		w.recordMove(a.ID, "/b", w.tr.res("/b"))
		for _, res := range []dav.Resource{stale, staleDeep} {
			if _, err := w.m.At(w.ctx(), w.s, res); err != nil {
				w.Fatal(err)
			}
		}
		for id, want := range map[idmap.FileID]dav.Path{x.ID: "/b/deep/x.odt", deep.ID: "/b/deep", a.ID: "/b"} {
			if e, err := w.find(id); err != nil || e.Path != want {
				w.Errorf("found at %q, %v, want %q", e.Path, err, want)
			}
		}
		// And again, further on.
		w.tr.move("/b", "/c")
		w.recordMove(a.ID, "/c", w.tr.res("/c"))
		if _, err := w.m.At(w.ctx(), w.s, stale); err != nil {
			w.Fatal(err)
		}
		if e, err := w.find(x.ID); err != nil || e.Path != "/c/deep/x.odt" {
			w.Errorf("found at %q, %v", e.Path, err)
		}
		w.tr.remove("/c/deep/x.odt")
		if _, err := w.find(x.ID); !errors.Is(err, idmap.ErrMissing) {
			w.Errorf("after it was deleted: %v", err)
		}
	})
}

// A move whose record comes after that of a container above it.
func TestAMoveBelowAContainerThatWeMoved(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/a", true)
		w.tr.add("/a/deep", true)
		x := w.add("/a/deep/x.odt")
		a, deep := w.at("/a"), w.at("/a/deep")
		w.tr.move("/a/deep", "/a/deep2")
		seen := w.tr.res("/a/deep2")
		w.tr.move("/a", "/b")
		w.recordMove(a.ID, "/b", w.tr.res("/b"))
		if e := w.recordMove(deep.ID, "/a/deep2", seen); e.Path != "/b/deep2" {
			w.Errorf("recorded at %q", e.Path)
		}
		if e, err := w.find(x.ID); err != nil || e.Path != "/b/deep2/x.odt" {
			w.Errorf("found at %q, %v", e.Path, err)
		}
		// A container of the old name that is there is meant when it is named.
		w.tr.add("/a", true)
		w.at("/a")
		w.tr.move("/b/deep2", "/a/deep")
		if e := w.recordMove(deep.ID, "/a/deep", w.tr.res("/a/deep")); e.Path != "/a/deep" {
			w.Errorf("recorded at %q", e.Path)
		}
	})
}

// A container comes back to where a stale sight has made one in the meantime: nothing
// below it dies.
func TestAMoveToWhereAStaleSightMadeAContainer(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/c", true)
		x, y := w.add("/c/x.odt"), w.add("/c/y.odt")
		c := w.at("/c")
		stale := w.tr.res("/c/x.odt")
		w.tr.move("/c", "/b")
		w.recordMove(c.ID, "/b", w.tr.res("/b"))
		if _, err := w.m.At(w.ctx(), w.s, stale); err != nil {
			w.Fatal(err)
		}
		w.tr.move("/b", "/c")
		w.recordMove(c.ID, "/c", w.tr.res("/c"))
		if k := w.known(x.ID); k.Path != "/c/x.odt" || !k.Missing.IsZero() {
			w.Errorf("known at %q, missing %v", k.Path, k.Missing)
		}
		for id, want := range map[idmap.FileID]dav.Path{x.ID: "/c/x.odt", y.ID: "/c/y.odt", c.ID: "/c"} {
			if e, err := w.find(id); err != nil || e.Path != want {
				w.Errorf("found at %q, %v, want %q", e.Path, err, want)
			}
		}
	})
}

// A container that is known at the place of a move was not overwritten: it gives way,
// and is found again.
func TestAMovedContainerKillsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/a", true)
		w.tr.add("/b", true)
		a, b, x := w.at("/a"), w.at("/b"), w.add("/b/x.odt")
		w.tr.move("/b", "/elsewhere") // by somebody else
		w.tr.move("/a", "/b")
		w.recordMove(a.ID, "/b", w.tr.res("/b"))
		w.list("/")
		if !w.tr.rids && !w.tr.natives {
			return // nothing shows which one it is
		}
		for id, want := range map[idmap.FileID]dav.Path{a.ID: "/b", b.ID: "/elsewhere", x.ID: "/elsewhere/x.odt"} {
			if e, err := w.find(id); err != nil || e.Path != want {
				w.Errorf("found at %q, %v, want %q", e.Path, err, want)
			}
		}
	})
}

// What is remembered of moves is bounded, so that a move costs the same after ten
// thousand others.
func TestFewMovesAreRemembered(t *testing.T) {
	each(t, func(w *world) {
		d := w.add("/d-0/")
		for i := range 450 {
			if _, err := w.m.Moved(w.ctx(), w.s, d.ID, dav.Path(fmt.Sprintf("/d-%d", i+1)), dav.Resource{}); err != nil {
				w.Fatal(err)
			}
		}
		var n int
		if err := w.m.DB.Read().QueryRow(w.ctx(), `SELECT COUNT(*) FROM idmap_moved`).Scan(&n); err != nil || n > 201 {
			w.Errorf("%d moves are remembered, %v", n, err)
		}
		w.sound()
	})
}
