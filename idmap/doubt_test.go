package idmap_test

import (
	"errors"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Cases where two resources could be meant.

func TestFolderThatWeWronglyBuriedComesBack(t *testing.T) {
	each(t, func(w *world) {
		b := w.add("/b/")
		w.tr.move("/b", "/d")
		w.add("/d/x") // gives /d a provisional ID
		w.moved(w.add("/y"), "/b")
		if w.at("/d").ID != b.ID {
			w.Error("another ID")
		}
	})
}

func TestSameResourceIDWithAnotherNativeID(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x := w.add("/x")
		r := w.tr.res("/x")
		r.Path, r.NativeID = "/y", "another"
		if e, err := w.m.At(w.ctx(), w.s, r); err != nil || e.ID == x.ID {
			w.Error(e, err)
		}
	})
}

func TestFileThatAnInheritedFolderHasTwiceWaits(t *testing.T) {
	each(t, func(w *world) {
		a := w.add("/a/")
		old := w.add("/a/f")
		w.tr.move("/a", "/b")
		w.tr.move("/b/f", "/far")
		fresh := w.add("/b/f")
		if w.at("/b").ID != a.ID {
			w.Error("the folder has another ID")
		}
		if k := w.known(old.ID); k.Missing.IsZero() {
			w.Errorf("%+v", k)
		}
		if w.at("/b/f").ID != fresh.ID || w.at("/far").ID != old.ID {
			w.Error("IDs changed")
		}
	})
}

func TestTheLivingAreKnownBeforeTheDead(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/x", false)
		w.tr.add("/y", false).ino = w.tr.nodes["/x"].ino
		l := w.list("/")
		w.deleted(l[0])
		w.tr.move("/y", "/z")
		if w.at("/z").ID != l[1].ID {
			w.Error("the dead hard link's ID")
		}
	})
}

// What a save leaves behind must not take the file's evidence along.
func TestTempOfASaveIsForgotten(t *testing.T) {
	for _, native := range []bool{true, false} {
		each(t, func(w *world) {
			w.tr.natives = native
			x := w.add("/x")
			w.add("/.x.tmp")
			w.tr.move("/.x.tmp", "/x")
			if _, err := w.m.Wrote(w.ctx(), w.s, x.ID, w.tr.res("/x"), nil); err != nil {
				w.Fatal(err)
			}
			w.list("/")
			w.tr.move("/x", "/z")
			if w.at("/z").ID != x.ID {
				w.Error("the ID of the temp")
			}
		})
	}
}

func TestMovedOverOneThatIsMissingLetsItWait(t *testing.T) {
	each(t, func(w *world) {
		x, y := w.add("/x"), w.add("/y")
		w.tr.remove("/y")
		w.list("/")
		w.moved(x, "/y")
		if k := w.known(y.ID); k.Missing.IsZero() {
			w.Errorf("%+v", k)
		}
	})
}

func TestMovedWithoutALookMakesNoRevision(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		w.tr.move("/x", "/y")
		w.tr.nodes["/y"].etag = w.tr.next()
		if _, err := w.m.Moved(w.ctx(), w.s, x.ID, "/y", dav.Resource{}); err != nil {
			w.Fatal(err)
		}
		if e := w.at("/y"); e.ID != x.ID || e.Revision.Version != x.Revision.Version || e.Revision.ETag == "" {
			w.Errorf("%+v, before %+v", e, x)
		}
	})
}

func TestListingThatShowsANewHardLinkFirst(t *testing.T) {
	each(t, func(w *world) {
		b := w.add("/b")
		w.tr.add("/a", false).ino = w.tr.nodes["/b"].ino
		if l := w.list("/"); l[1].ID != b.ID || l[0].ID == b.ID {
			w.Errorf("%+v", l)
		}
	})
}

func TestListingThatShowsEvidenceForSomeOnly(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		w.tr.move("/x", "/a")
		w.tr.add("/x", false)
		l := w.tr.members("/")
		l[1].ResourceID, l[1].ETag, l[1].Modified = "", l[0].ETag, l[0].Modified // a copy
		got, err := w.m.AtAll(w.ctx(), w.s, "/", l, true)
		if err != nil || got[0].ID != x.ID || got[1].ID == x.ID {
			w.Errorf("%+v, %v", got, err)
		}
	})
}

func TestListingShowsOneThatWasMissing(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		n := w.tr.nodes["/x"]
		w.tr.remove("/x")
		w.list("/")
		w.tr.nodes["/x"] = n
		if l := w.list("/"); l[0].ID != x.ID || !w.known(x.ID).Missing.IsZero() {
			w.Errorf("%+v, known as %+v", l, w.known(x.ID))
		}
	})
}

func TestExpireLeavesWhatOthersSee(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x := w.add("/x")
		s, err := w.m.Space(w.ctx(), "nas", "somebody")
		if err != nil {
			w.Fatal(err)
		}
		r := w.tr.res("/x")
		r.Path = "/shared"
		if _, err := w.m.At(w.ctx(), s, r); err != nil {
			w.Fatal(err)
		}
		w.tr.remove("/x")
		w.list("/")
		if n, err := w.m.Expire(w.ctx(), time.Now().Add(time.Hour)); err != nil || n != 1 {
			w.Error(n, err)
		}
		if e, err := w.m.Known(w.ctx(), s, x.ID); err != nil || e.Path != "/shared" {
			w.Error(e, err)
		}
		if _, err := w.m.Known(w.ctx(), w.s, x.ID); !errors.Is(err, idmap.ErrNotFound) {
			w.Error(err)
		}
	})
}
