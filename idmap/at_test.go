package idmap_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs f in a fresh world on every database.
func each(t *testing.T, f func(w *world)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorld(t, db)
		f(w)
		w.sound()
	})
}

func TestAtGivesIDs(t *testing.T) {
	each(t, func(w *world) {
		w.tr.add("/a", true)
		w.tr.add("/a/b", true)
		x := w.add("/a/b/x.odt")
		if again := w.at("/a/b/x.odt"); again.ID != x.ID || again.Revision.Version != x.Revision.Version {
			w.Errorf("seen again: %+v, before %+v", again, x)
		}
		if _, err := idmap.ParseFileID(string(x.ID)); err != nil {
			w.Error(err)
		}
		if x.Revision.Number != 1 || x.Revision.Size != 10 || x.Revision.ETag == "" || !x.Revision.Modified.Equal(w.tr.nodes["/a/b/x.odt"].modified) {
			w.Errorf("%+v", x.Revision)
		}
		root, err := w.m.Root(w.ctx(), w.s)
		if err != nil {
			w.Fatal(err)
		}
		ids := map[idmap.FileID]bool{x.ID: true, root.ID: true, w.at("/a").ID: true, w.at("/a/b").ID: true}
		if len(ids) != 4 || w.at("/").ID != root.ID {
			w.Errorf("not every resource has an ID of its own: %v", ids)
		}
		if e := w.known(x.ID); e.Path != "/a/b/x.odt" {
			w.Errorf("Known: %+v", e)
		}
		up, err := w.m.Ancestors(w.ctx(), w.s, x.ID)
		if err != nil || len(up) != 3 || up[0].ID != root.ID || up[0].Path != "/" || up[1].Path != "/a" || up[2].Path != "/a/b" || up[2].ID != w.at("/a/b").ID {
			w.Errorf("%+v, %v", up, err)
		}
	})
}

func TestNamesAreBytes(t *testing.T) {
	each(t, func(w *world) {
		met := map[idmap.FileID]dav.Path{}
		for _, p := range []dav.Path{"/x", "/X", "/\u00e4", "/a\u0308", "/x ", "/%20", "/'", "/?", "/\U0001f4c4.odt"} {
			e := w.add(p)
			if before, ok := met[e.ID]; ok {
				w.Errorf("%q and %q are one", before, p)
			}
			met[e.ID] = p
		}
		for id, p := range met {
			if e := w.known(id); e.Path != p {
				w.Errorf("%q became %q", p, e.Path)
			}
		}
	})
}

func TestAtSeesOtherContents(t *testing.T) {
	const p = "/x.odt"
	for _, c := range []struct {
		name string
		do   func(tr *tree, n *node)
		want bool
	}{
		{"nothing happened", func(*tree, *node) {}, false},
		{"Apache's weak ETag became strong", func(tr *tree, _ *node) { tr.weak = !tr.weak }, false},
		{"another ETag", func(tr *tree, n *node) { n.etag = tr.next() }, true},
		{"another size under the same ETag", func(_ *tree, n *node) { n.size++ }, true},
		{"another time under the same ETag", func(_ *tree, n *node) { n.modified = n.modified.Add(time.Hour) }, false},
		{"the size is not told", func(_ *tree, n *node) { n.size = -1 }, false},
		{"ETags are not told any more", func(tr *tree, _ *node) { tr.noETags = true }, false},
		{"without ETags, another time", func(tr *tree, n *node) { tr.noETags = true; n.modified = n.modified.Add(time.Second) }, true},
		{"without a time", func(tr *tree, n *node) { tr.noETags = true; n.modified = time.Time{} }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(w *world) {
				w.tr.weak = true
				before := w.add(p)
				c.do(w.tr, w.tr.nodes[p])
				after := w.at(p)
				if after.ID != before.ID {
					w.Fatal("another ID")
				}
				if got := after.Revision.Number != before.Revision.Number; got != c.want ||
					got != (after.Revision.Version != before.Revision.Version) || got != (after.Revision.LastModified != before.Revision.LastModified) {
					w.Errorf("before %+v, after %+v", before.Revision, after.Revision)
				}
				again := w.at(p)
				if again.Revision.Number != after.Revision.Number {
					w.Errorf("a second look made %+v", again.Revision)
				}
				w.sound()
			})
		})
	}
}

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		name         string
		rid, native  bool
		do           func(w *world)
		old, new     dav.Path // where the old ID is looked for, where another one is
		missing      bool     // the old ID is not where it was
		sameRevision bool
	}{
		{"renamed outside, known by resource-id", true, false, func(w *world) { w.tr.move("/a/x", "/a/y") }, "/a/y", "", false, true},
		{"moved outside, known by native id", false, true, func(w *world) { w.tr.move("/a/x", "/b/x") }, "/b/x", "", false, true},
		{"a folder above was moved outside", true, false, func(w *world) { w.tr.move("/a", "/b/a"); w.at("/b/a") }, "/b/a/x", "", false, true},
		{"moved outside, and another file at the old path", true, false, func(w *world) { w.tr.move("/a/x", "/b/x"); w.tr.add("/a/x", false) }, "/b/x", "/a/x", false, true},
		{"the other file is seen first", true, false, func(w *world) { w.tr.move("/a/x", "/b/x"); w.tr.add("/a/x", false); w.at("/a/x") }, "/b/x", "/a/x", false, true},
		{"replaced by a file with other evidence", true, false, func(w *world) { w.tr.add("/a/x", false) }, "", "/a/x", true, false},
		{"replaced where there is no evidence", false, false, func(w *world) { w.tr.add("/a/x", false) }, "/a/x", "", false, false},
		{"replaced by a folder where there is no evidence", false, false, func(w *world) { w.tr.add("/a/x", true) }, "", "/a/x", true, false},
		{"a file was seen below its path", false, false, func(w *world) { w.tr.add("/a/x", true); w.add("/a/x/z") }, "", "/a/x", true, false},
		{"seen once without evidence", true, false, func(w *world) { w.tr.rids = false; w.at("/a/x"); w.tr.rids = true }, "/a/x", "", false, true},
		{"evidence that is new to us", false, false, func(w *world) { w.tr.natives = true }, "/a/x", "", false, true},
		{"native id outranks resource-id", true, true, func(w *world) {
			w.tr.move("/a/x", "/b/x")
			n := w.tr.nodes["/b/x"]
			r := w.tr.res("/b/x")
			w.tr.nodes["/b/x"] = n
			r.ResourceID = "urn:ino:other"
			if _, err := w.m.At(w.ctx(), w.s, r); err != nil {
				w.Fatal(err)
			}
		}, "/b/x", "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(w *world) {
				w.tr.rids, w.tr.natives = c.rid, c.native
				w.add("/a/")
				w.add("/b/")
				x := w.add("/a/x")
				c.do(w)
				if c.new != "" && w.at(c.new).ID == x.ID {
					w.Errorf("the ID went to %q", c.new)
				}
				if c.old != "" {
					e := w.at(c.old)
					if e.ID != x.ID {
						w.Errorf("%q has another ID", c.old)
					}
					if (e.Revision.Version == x.Revision.Version) != c.sameRevision {
						w.Errorf("revision %+v, before %+v", e.Revision, x.Revision)
					}
				}
				if e := w.known(x.ID); e.Missing.IsZero() == c.missing {
					w.Errorf("%+v", e)
				}
				w.sound()
			})
		})
	}
}

// The folder gets an ID as an ancestor before it is seen itself, under its new
// name: what was found below it must not be lost, nor what we knew below it.
func TestProvisionalFolderTurnsOutToBeKnown(t *testing.T) {
	each(t, func(w *world) {
		a := w.add("/a/")
		old := w.add("/a/old")
		sub := w.add("/a/sub/")
		deep := w.add("/a/sub/deep")
		w.tr.move("/a", "/b")
		fresh := w.add("/b/fresh")
		other := w.add("/b/sub/other")
		if w.at("/b").ID != a.ID || w.at("/b/sub").ID != sub.ID {
			w.Error("the folder's ID did not come along")
		}
		for p, e := range map[dav.Path]idmap.Entry{"/b/old": old, "/b/fresh": fresh, "/b/sub/deep": deep, "/b/sub/other": other} {
			if k := w.known(e.ID); k.Path != p || !k.Missing.IsZero() {
				w.Errorf("%q: %+v", p, k)
			}
			if w.at(p).ID != e.ID {
				w.Errorf("%q got another ID", p)
			}
		}
	})
}

// /a/b became /b, and then /a became /b/a.
func TestFoldersThatChangedSides(t *testing.T) {
	for _, first := range []dav.Path{"/b", "/b/a", "/b/a/x", "/b/y"} {
		t.Run(string(first), func(t *testing.T) {
			each(t, func(w *world) {
				ids := map[dav.Path]idmap.FileID{}
				for _, p := range []dav.Path{"/a/", "/a/b/", "/a/x", "/a/b/y"} {
					e := w.add(p)
					ids[e.Path] = e.ID
				}
				w.tr.move("/a/b", "/b")
				w.tr.move("/a", "/b/a")
				w.at(first)
				for p, old := range map[dav.Path]dav.Path{"/b": "/a/b", "/b/a": "/a", "/b/a/x": "/a/x", "/b/y": "/a/b/y"} {
					if w.at(p).ID != ids[old] {
						w.Errorf("%q does not have the ID of %q", p, old)
					}
					w.sound()
				}
			})
		})
	}
}

func TestFolderSwappedWithItsChild(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.add("/a/"), w.add("/a/b/")
		w.tr.move("/a/b", "/t")
		w.tr.move("/a", "/t/b")
		w.tr.move("/t", "/a") // now b's node is /a, a's node is /a/b
		if w.at("/a/b").ID != a.ID || w.at("/a").ID != b.ID || w.at("/a/b").ID != a.ID {
			w.Error("IDs did not follow the folders")
		}
	})
}

func TestRootKeepsItsID(t *testing.T) {
	each(t, func(w *world) {
		root, x := w.at("/"), w.add("/x")
		w.tr.nodes["/"].ino = w.tr.next() // another disk under the same mount point
		if w.at("/").ID != root.ID || w.at("/x").ID != x.ID {
			w.Error("lost")
		}
		w.tr.add("/loop", true).ino = w.tr.nodes["/"].ino // a bind mount of the root
		if w.at("/loop").ID == root.ID || w.at("/").ID != root.ID {
			w.Error("the root went away")
		}
		r := w.tr.res("/")
		r.Collection = false
		if _, err := w.m.At(w.ctx(), w.s, r); !errors.Is(err, idmap.ErrKind) {
			w.Errorf("a file as root: %v", err)
		}
	})
}

func TestFirstSightsAtOnceGiveOneID(t *testing.T) {
	each(t, func(w *world) {
		for range 3 {
			w.tr.add("/a", true)
			w.tr.add("/a/b", true)
			w.tr.add("/a/b/x", false)
			r := w.tr.res("/a/b/x")
			ids := make([]idmap.FileID, 6)
			var wg sync.WaitGroup
			for i := range ids {
				wg.Go(func() {
					e, err := w.m.At(w.ctx(), w.s, r)
					if err != nil {
						w.Error(err)
					}
					ids[i] = e.ID
				})
			}
			wg.Wait()
			for _, id := range ids {
				if id != ids[0] {
					w.Fatal(ids)
				}
			}
			if err := w.m.Deleted(w.ctx(), w.s, w.at("/a").ID); err != nil {
				w.Fatal(err)
			}
			w.tr.remove("/a")
		}
	})
}

// CheckFileInfo must not cost an fsync.
func TestAtWritesNothingIfNothingIsNew(t *testing.T) {
	each(t, func(w *world) {
		now := epoch
		w.m.DB.SetClock(func() time.Time { return now })
		w.tr.add("/a", true)
		w.add("/a/x")
		w.list("/a")
		seenAt := func(p string) time.Time {
			d, err := w.m.Describe(w.ctx(), p)
			if err != nil || len(d) != 1 {
				w.Fatal(d, err)
			}
			return d[0].Seen
		}
		seen := func() time.Time { return seenAt("/a/x") }
		now = now.Add(59 * time.Minute)
		w.at("/a/x")
		w.list("/a")
		w.at("/")
		if !seen().Equal(epoch) || !seenAt("/").Equal(epoch) {
			w.Error("a sight that showed nothing new was written down")
		}
		now = now.Add(2 * time.Minute)
		w.at("/a/x")
		if !seen().Equal(now) {
			w.Error("seen", seen())
		}
		now = now.Add(2 * time.Hour)
		w.list("/a")
		if !seen().Equal(now) {
			w.Error("seen", seen())
		}
	})
}

func TestAtRefuses(t *testing.T) {
	each(t, func(w *world) {
		deep := dav.Path("")
		for range 300 {
			deep += "/d"
		}
		if _, err := w.m.At(w.ctx(), w.s, dav.Resource{Path: deep}); !errors.Is(err, dav.ErrBadPath) {
			w.Errorf("too deep: %v", err)
		}
		if _, err := w.m.At(w.ctx(), w.s+99, dav.Resource{Path: "/x"}); !errors.Is(err, idmap.ErrNotFound) {
			w.Errorf("no space: %v", err)
		}
		if _, err := w.m.KnownAt(w.ctx(), w.s, "/x"); !errors.Is(err, idmap.ErrNotFound) {
			w.Errorf("recorded: %v", err)
		}
	})
}
