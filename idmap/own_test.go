package idmap_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

func (w *world) moved(e idmap.Entry, to dav.Path) idmap.Entry {
	w.Helper()
	w.tr.move(w.known(e.ID).Path, to)
	got, err := w.m.Moved(w.ctx(), w.s, e.ID, to, w.tr.res(to))
	if err != nil || got.ID != e.ID || got.Path != to || got.Name != to.Base() {
		w.Fatalf("%+v, %v", got, err)
	}
	return got
}

func (w *world) deleted(e idmap.Entry) {
	w.Helper()
	w.tr.remove(w.known(e.ID).Path)
	if err := w.m.Deleted(w.ctx(), w.s, e.ID); err != nil {
		w.Fatal(err)
	}
}

func (w *world) isDead(what string, id idmap.FileID) {
	w.Helper()
	if _, err := w.m.Known(w.ctx(), w.s, id); !errors.Is(err, idmap.ErrNotFound) {
		w.Errorf("%s: %v", what, err)
	}
}

func TestMoved(t *testing.T) {
	for _, rids := range []bool{true, false} {
		each(t, func(w *world) {
			w.tr.rids = rids
			w.add("/a/")
			x, y := w.add("/a/x"), w.add("/y")
			w.add("/b/c/")

			e := w.moved(x, "/a/z")
			if e.Revision.Version != x.Revision.Version {
				w.Error("a rename made a revision")
			}
			if w.at("/a/z").ID != x.ID {
				w.Error("another ID after a rename")
			}
			folder := w.at("/a")
			w.moved(folder, "/b/c/d")
			if k := w.known(x.ID); k.Path != "/b/c/d/z" {
				w.Errorf("below the folder: %+v", k)
			}
			w.moved(x, "/y")
			w.isDead("what was overwritten", y.ID)
			if w.at("/y").ID != x.ID {
				w.Error("another ID at the target")
			}
			if again := w.add("/b/c/d/z"); again.ID == x.ID || again.ID == y.ID {
				w.Error("a new file at the old path has the old ID")
			}
		})
	}
}

// The upstream may show another ETag after a MOVE; the bytes are the same.
func TestMovedTakesTheNewETag(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		w.tr.move("/x", "/y")
		w.tr.nodes["/y"].etag = w.tr.next()
		if _, err := w.m.Moved(w.ctx(), w.s, x.ID, "/y", w.tr.res("/y")); err != nil {
			w.Fatal(err)
		}
		if e := w.at("/y"); e.Revision.Version != x.Revision.Version || e.Revision.ETag != w.tr.res("/y").ETag {
			w.Errorf("%+v, before %+v", e.Revision, x.Revision)
		}
	})
}

// The embedded upstream keeps the target's resource-id when a file is moved onto
// another, so that the saves of desktop programs keep it.
func TestMovedOntoAFileThatKeepsItsResourceID(t *testing.T) {
	for _, looked := range []bool{true, false} {
		each(t, func(w *world) {
			x, y := w.add("/x"), w.add("/y")
			ino := w.tr.nodes["/y"].ino
			w.tr.move("/x", "/y")
			w.tr.nodes["/y"].ino = ino
			var r dav.Resource
			if looked {
				r = w.tr.res("/y")
			}
			if _, err := w.m.Moved(w.ctx(), w.s, x.ID, "/y", r); err != nil {
				w.Fatal(err)
			}
			for range 2 {
				if w.at("/y").ID != x.ID {
					w.Errorf("looked %v: the dead rose", looked)
				}
			}
			w.isDead("the target", y.ID)
		})
	}
}

func TestMovedOverOneThatIsMissing(t *testing.T) {
	each(t, func(w *world) {
		x, y := w.add("/x"), w.add("/y")
		w.tr.move("/y", "/z")
		if l := w.list("/"); len(l) != 2 {
			w.Fatal(l)
		}
		w.tr.move("/z", "/gone/z")
		w.list("/")
		w.moved(x, "/y")
		w.tr.add("/gone", true)
		if w.at("/gone/z").ID != y.ID {
			w.Error("what was not overwritten has died")
		}
	})
}

func TestMovedRefuses(t *testing.T) {
	each(t, func(w *world) {
		a, x, root := w.add("/a/"), w.add("/a/x"), w.at("/")
		for _, c := range []struct {
			id   idmap.FileID
			to   dav.Path
			res  dav.Resource
			want error
		}{
			{root.ID, "/r", dav.Resource{}, idmap.ErrRoot},
			{x.ID, "/", dav.Resource{}, idmap.ErrRoot},
			{a.ID, "/a/b", dav.Resource{}, idmap.ErrBelow},
			{a.ID, "/a/b/c", dav.Resource{}, idmap.ErrBelow},
			{x.ID, "/a", dav.Resource{}, idmap.ErrBelow},
			{x.ID, "/y", dav.Resource{Path: "/y", Collection: true}, idmap.ErrKind},
			{"aaaaaaaaaaaaaaaaaaaaaaaaaa", "/y", dav.Resource{}, idmap.ErrNotFound},
		} {
			if _, err := w.m.Moved(w.ctx(), w.s, c.id, c.to, c.res); !errors.Is(err, c.want) {
				w.Errorf("%s to %q: %v, want %v", c.id, c.to, err, c.want)
			}
		}
		if w.known(a.ID).Path != "/a" || w.known(x.ID).Path != "/a/x" {
			w.Error("something was recorded")
		}
		if err := w.m.Deleted(w.ctx(), w.s, root.ID); !errors.Is(err, idmap.ErrRoot) {
			w.Error(err)
		}
	})
}

func TestDeleted(t *testing.T) {
	each(t, func(w *world) {
		a, x := w.add("/a/"), w.add("/a/b/x")
		nx := w.tr.nodes["/a/b/x"]
		out := w.add("/out")
		w.deleted(a)
		w.isDead("the folder", a.ID)
		w.isDead("what was below it", x.ID)
		w.known(out.ID)
		if err := w.m.Deleted(w.ctx(), w.s, a.ID); !errors.Is(err, idmap.ErrNotFound) {
			w.Error("twice:", err)
		}
		w.tr.add("/a", true)
		w.tr.add("/a/b", true)
		if e := w.add("/a/b/x"); e.ID == x.ID || w.at("/a").ID == a.ID {
			w.Error("a new file at the same path has the dead one's ID")
		}
		w.tr.nodes["/restored"] = nx
		if e := w.at("/restored"); e.ID != x.ID || e.Revision.Version != x.Revision.Version {
			w.Errorf("restored with its evidence: %+v, before %+v", e, x)
		}
		w.known(x.ID)
	})
}

func TestWrote(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x.odt")
		hash := bytes.Repeat([]byte{7}, 32)
		versions, times := map[string]bool{x.Revision.Version: true}, map[string]bool{x.Revision.LastModified: true}
		for i := range 5 {
			if i > 2 {
				w.tr.edit("/x.odt") // before: equal bytes, equal time, equal ETag
			}
			e, err := w.m.Wrote(w.ctx(), w.s, x.ID, w.tr.res("/x.odt"), hash)
			if err != nil {
				w.Fatal(err)
			}
			if versions[e.Revision.Version] || times[e.Revision.LastModified] || e.Revision.Number != int64(i+2) || !bytes.Equal(e.Revision.SHA256, hash) {
				w.Errorf("%+v", e.Revision)
			}
			versions[e.Revision.Version], times[e.Revision.LastModified] = true, true
			if again := w.at("/x.odt"); again.Revision.Version != e.Revision.Version || !bytes.Equal(again.Revision.SHA256, hash) {
				w.Errorf("seen after: %+v", again.Revision)
			}
			for n := int64(1); n <= e.Revision.Number; n++ {
				if r, err := w.m.RevisionAt(w.ctx(), x.ID, n); err != nil || r.Number != n || !times[r.LastModified] {
					w.Errorf("number %d: %+v, %v", n, r, err)
				}
			}
			for _, s := range []string{x.Revision.Version, x.Revision.LastModified, e.Revision.Version, e.Revision.LastModified} {
				if r, err := w.m.RevisionBy(w.ctx(), x.ID, s); err != nil || r.Version != s && r.LastModified != s {
					w.Errorf("%q: %+v, %v", s, r, err)
				}
			}
		}
		for _, n := range []int64{-1, 0, 7} {
			if _, err := w.m.RevisionAt(w.ctx(), x.ID, n); !errors.Is(err, idmap.ErrNotFound) {
				w.Errorf("number %d: %v", n, err)
			}
		}
		for _, s := range []string{"", "1", "2026-11-20T09:00:00.0000000Z"} {
			if _, err := w.m.RevisionBy(w.ctx(), x.ID, s); !errors.Is(err, idmap.ErrNotFound) {
				w.Errorf("%q: %v", s, err)
			}
		}
	})
}

// temp + MOVE on an upstream with native ids: the path has the temp's native id
// now, and a listing may have given the temp an ID.
func TestWroteByTempAndMoveKeepsTheID(t *testing.T) {
	for _, seen := range []bool{true, false} {
		each(t, func(w *world) {
			w.tr.natives = true
			x := w.add("/x")
			w.tr.add("/.x.tmp", false)
			if seen {
				w.list("/")
			}
			w.tr.move("/.x.tmp", "/x")
			if _, err := w.m.Wrote(w.ctx(), w.s, x.ID, w.tr.res("/x"), nil); err != nil {
				w.Fatal(err)
			}
			if w.at("/x").ID != x.ID || w.list("/")[0].ID != x.ID {
				w.Error("another ID after the save")
			}
		})
	}
}

func TestWroteRefuses(t *testing.T) {
	each(t, func(w *world) {
		a, x := w.add("/a/"), w.add("/x")
		if _, err := w.m.Wrote(w.ctx(), w.s, a.ID, w.tr.res("/a"), nil); !errors.Is(err, idmap.ErrKind) {
			w.Error("a container:", err)
		}
		if _, err := w.m.Wrote(w.ctx(), w.s, x.ID, w.tr.res("/x"), []byte{1}); err == nil {
			w.Error("a hash of one byte")
		}
		w.deleted(x)
		w.add("/x")
		if _, err := w.m.Wrote(w.ctx(), w.s, x.ID, w.tr.res("/x"), nil); !errors.Is(err, idmap.ErrNotFound) {
			w.Error("a dead file:", err)
		}
	})
}

func TestRebind(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		n := w.tr.nodes["/x"]
		n.etag, n.ino = w.tr.next(), w.tr.next()
		e, err := w.m.Rebind(w.ctx(), w.s, x.ID, w.tr.res("/x"))
		if err != nil || e.Revision.Version != x.Revision.Version || e.Revision.ETag != w.tr.res("/x").ETag {
			w.Error(e, err)
		}
		if again := w.at("/x"); again.ID != x.ID || again.Revision.Version != x.Revision.Version {
			w.Errorf("%+v", again)
		}
	})
}

func TestHash(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		hash := bytes.Repeat([]byte{9}, 32)
		record := func(revision int64, want bool) {
			w.Helper()
			if err := w.m.Hash(w.ctx(), x.ID, revision, hash); err != nil {
				w.Fatal(err)
			}
			if got := w.at("/x").Revision.SHA256; bytes.Equal(got, hash) != want {
				w.Errorf("%x", got)
			}
		}
		record(x.Revision.Number, true)
		w.tr.edit("/x")
		record(x.Revision.Number, false) // the revision has moved on
		if r, err := w.m.RevisionBy(w.ctx(), x.ID, x.Revision.Version); err != nil || !bytes.Equal(r.SHA256, hash) {
			w.Error(r, err)
		}
		if err := w.m.Hash(w.ctx(), x.ID, 2, []byte("short")); err == nil {
			w.Error("a short hash")
		}
	})
}

func TestRevisionsAreBounded(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		last := x
		for range 205 {
			e, err := w.m.Wrote(w.ctx(), w.s, x.ID, w.tr.res("/x"), nil)
			if err != nil {
				w.Fatal(err)
			}
			last = e
		}
		var n int64
		if err := w.m.DB.Read().QueryRow(w.ctx(), `SELECT COUNT(*) FROM idmap_revision`).Scan(&n); err != nil || n != 200 {
			w.Error(n, err)
		}
		if _, err := w.m.RevisionBy(w.ctx(), x.ID, x.Revision.Version); !errors.Is(err, idmap.ErrNotFound) {
			w.Error("the oldest:", err)
		}
		if last.Revision.Number != 206 {
			w.Error(last.Revision)
		}
	})
}

func TestExpire(t *testing.T) {
	each(t, func(w *world) {
		now := epoch
		w.m.DB.SetClock(func() time.Time { return now })
		a, x, keep := w.add("/a/"), w.add("/a/x"), w.add("/keep")
		nx := w.tr.nodes["/a/x"]
		w.tr.remove("/a")
		w.list("/")
		for i, c := range []struct {
			before time.Time
			want   int
		}{{epoch, 0}, {epoch.Add(time.Second), 1}, {epoch.Add(time.Second), 0}} {
			if n, err := w.m.Expire(w.ctx(), c.before); err != nil || n != c.want {
				w.Errorf("%d: %d, %v", i, n, err)
			}
			w.sound()
		}
		w.isDead("the folder", a.ID)
		w.isDead("what was below it", x.ID)
		w.known(keep.ID)
		w.tr.nodes["/late"] = nx
		if w.at("/late").ID != x.ID {
			w.Error("its evidence does not revive it")
		}
	})
}

func TestExpireMany(t *testing.T) {
	each(t, func(w *world) {
		for i := range 450 {
			w.tr.add(dav.Path(fmt.Sprintf("/%d", i)), false)
		}
		w.list("/")
		w.tr.nodes = map[dav.Path]*node{"/": w.tr.nodes["/"]}
		w.list("/")
		if n, err := w.m.Expire(w.ctx(), time.Now().Add(time.Hour)); err != nil || n != 450 {
			w.Error(n, err)
		}
	})
}
