package idmap_test

import (
	"errors"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// told moves behind the map's back in a way that no evidence shows, and says so.
func (w *world) told(id idmap.FileID, to dav.Path) (idmap.Told, error) {
	w.Helper()
	t, err := w.m.Told(w.ctx(), w.s, id, to, w.tr)
	w.sound()
	return t, err
}

// copyOver is what cp and rm do: a new resource with the old contents.
func (w *world) copyOver(from, to dav.Path) {
	w.Helper()
	moved := map[dav.Path]*node{}
	for p, n := range w.tr.nodes {
		if from.Contains(p) {
			c := *n
			c.ino, c.etag = w.tr.next(), w.tr.next()
			moved[to+p[len(from):]] = &c
		}
	}
	w.tr.remove(from)
	for p, n := range moved {
		w.tr.nodes[p] = n
	}
}

func TestToldOfAFile(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x := w.add("/a/x.odt")
		w.add("/b/")
		w.copyOver("/a/x.odt", "/b/y.odt")
		fresh := w.list("/b")[0]
		w.list("/a")
		if fresh.ID == x.ID {
			w.Fatal("the evidence was enough")
		}
		if id, err := w.m.WasAt(w.ctx(), w.s, "/a/x.odt", w.tr); err != nil || id != x.ID {
			w.Fatal(id, err)
		}
		told, err := w.told(x.ID, "/b/y.odt")
		if err != nil || told.Entry.ID != x.ID || told.From != "/a/x.odt" || told.Entry.Path != "/b/y.odt" || told.Ended != fresh.ID {
			w.Fatalf("%+v, %v", told, err)
		}
		if e := w.at("/b/y.odt"); e.ID != x.ID || e.Revision.Number != told.Entry.Revision.Number {
			w.Errorf("%+v", e)
		}
		if _, err := w.m.Known(w.ctx(), w.s, fresh.ID); !errors.Is(err, idmap.ErrNotFound) {
			w.Error("the fresh ID lives on:", err)
		}
		// It is known by the new evidence from now on.
		w.tr.move("/b/y.odt", "/a/z.odt")
		if e := w.list("/a"); len(e) != 1 || e[0].ID != x.ID {
			w.Errorf("%+v", e)
		}
	})
}

func TestToldOfAFolder(t *testing.T) {
	each(t, func(w *world) {
		d := w.add("/a/d/")
		x, y := w.add("/a/d/x.odt"), w.add("/a/d/sub/y.odt")
		gone := w.add("/a/d/gone.odt")
		w.tr.remove("/a/d/gone.odt")
		w.list("/a/d")
		w.add("/b/")
		w.copyOver("/a/d", "/b/e")
		w.add("/b/e/new.odt")
		stranger := w.add("/b/e/gone.odt")
		for _, p := range []dav.Path{"/a", "/b", "/b/e", "/b/e/sub"} {
			w.list(p)
		}
		told, err := w.told(d.ID, "/b/e")
		if err != nil || told.Entry.ID != d.ID || told.Ended == "" {
			w.Fatalf("%+v, %v", told, err)
		}
		for p, id := range map[dav.Path]idmap.FileID{"/b/e": d.ID, "/b/e/x.odt": x.ID, "/b/e/sub/y.odt": y.ID} {
			if e, err := w.m.KnownAt(w.ctx(), w.s, p); err != nil || e.ID != id || !e.Missing.IsZero() {
				w.Errorf("%s: %+v, %v", p, e, err)
			}
		}
		// It was gone before the folder was moved: what is there now is another.
		if k := w.known(gone.ID); k.Path != "/b/e/gone.odt" || k.Missing.IsZero() {
			w.Errorf("%+v", k)
		}
		if k := w.known(stranger.ID); k.Path != "/b/e/gone.odt" || !k.Missing.IsZero() {
			w.Errorf("%+v", k)
		}
		if e, err := w.m.KnownAt(w.ctx(), w.s, "/b/e/new.odt"); err != nil || !e.Missing.IsZero() {
			w.Errorf("%+v, %v", e, err)
		}
		before := w.known(x.ID)
		for _, p := range []dav.Path{"/b/e", "/b/e/sub"} {
			w.list(p)
		}
		if after := w.known(x.ID); after.Path != before.Path || after.Revision.Number != before.Revision.Number {
			w.Errorf("%+v became %+v", before, after)
		}
		w.sound()
	})
}

func TestToldIsRefused(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x := w.add("/a/x.odt")
		d := w.add("/a/d/")
		elsewhere := w.add("/b/older.odt")
		w.add("/b/sub/")
		root, err := w.m.Root(w.ctx(), w.s)
		if err != nil {
			w.Fatal(err)
		}
		refused := func(what string, id idmap.FileID, to dav.Path, want error) {
			w.Helper()
			before, _ := w.export()
			if _, err := w.told(id, to); !errors.Is(err, want) {
				w.Errorf("%s: %v, not %v", what, err, want)
			}
			if after, _ := w.export(); after != before {
				w.Errorf("%s: something was changed", what)
			}
		}
		refused("it is there", x.ID, "/b/older.odt", idmap.ErrThere)
		refused("no move at all", x.ID, "/a/x.odt", idmap.ErrThere)
		refused("the root", root.ID, "/b/sub", idmap.ErrRoot)
		refused("to the root", x.ID, "/", idmap.ErrRoot)
		refused("nobody", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "/b/sub", idmap.ErrNotFound)

		w.tr.edit("/a/x.odt") // edited, not gone
		refused("it is there, with other contents", x.ID, "/b/older.odt", idmap.ErrThere)

		w.tr.remove("/a/d")
		w.add("/a/e/")
		w.tr.add("/a/d/e/", true)
		w.tr.remove("/a/x.odt")
		refused("nothing is there", x.ID, "/b/nothing.odt", idmap.ErrMissing)
		refused("a folder is there", x.ID, "/b/sub", idmap.ErrKind)
		refused("another one has been there for longer", d.ID, "/b/nothing", idmap.ErrMissing)
		y := w.add("/a/y.odt")
		w.tr.remove("/a/y.odt")
		refused("it was known before", y.ID, "/b/older.odt", idmap.ErrContradicted)
		w.tr.move("/b/older.odt", "/b/moved.odt")
		refused("what is there is known from elsewhere", y.ID, "/b/moved.odt", idmap.ErrContradicted)

		z := w.add("/a/z.odt")
		w.tr.move("/a/z.odt", "/b/z.odt")
		w.tr.add("/b/stranger.odt", false)
		refused("the server has it at a third place", z.ID, "/b/stranger.odt", idmap.ErrContradicted)
		w.tr.down = true
		refused("nobody answers", z.ID, "/b/stranger.odt", dav.ErrUnavailable)
		w.tr.down = false

		if err := w.m.Deleted(w.ctx(), w.s, elsewhere.ID); err != nil {
			w.Fatal(err)
		}
		refused("it was deleted", elsewhere.ID, "/b/z.odt", idmap.ErrNotFound)
	})
}

func TestWasAt(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		was := func(p dav.Path, want idmap.FileID, wantErr error) {
			w.Helper()
			id, err := w.m.WasAt(w.ctx(), w.s, p, w.tr)
			if id != want || !errors.Is(err, wantErr) {
				w.Errorf("%s: %q, %v; want %q, %v", p, id, err, want, wantErr)
			}
		}
		x := w.add("/a/x.odt")
		was("/a/x.odt", "", idmap.ErrThere)
		was("/a/y.odt", "", idmap.ErrNotFound)
		was("/never/was", "", idmap.ErrNotFound)
		was("/", "", idmap.ErrRoot)
		w.tr.remove("/a/x.odt")
		was("/a/x.odt", x.ID, nil)
		second := w.add("/a/x.odt") // a stranger at the old name
		was("/a/x.odt", x.ID, nil)
		w.tr.remove("/a/x.odt")
		was("/a/x.odt", "", idmap.ErrSeveral)
		w.add("/a/x.odt")
		was("/a/x.odt", "", idmap.ErrSeveral)
		if x.ID == second.ID {
			w.Error("one ID for both")
		}
	})
}
