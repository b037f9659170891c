package idmap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// A walker is a world with a walk over it, and a clock.
type walker struct {
	*world
	db    *sqldb.DB
	walk  *idmap.Walk
	ahead atomic.Int64 // ns
}

// tagged is a tree whose folders have ETags that tell of changes.
type tagged struct {
	*tree
	whole bool
}

func (tg tagged) tag(res dav.Resource) dav.Resource {
	if !res.Collection {
		return res
	}
	var b strings.Builder
	for _, p := range tg.paths() {
		if p.Parent() == res.Path || tg.whole && res.Path.Contains(p) {
			fmt.Fprintf(&b, "%s=%d ", p, tg.nodes[p].ino)
		}
	}
	res.ETag = dav.ETag(fmt.Sprintf("%q", fmt.Sprintf("%x", b.String())))
	return res
}

func (tg tagged) Stat(ctx context.Context, p dav.Path, extra ...dav.PropName) (dav.Resource, error) {
	res, err := tg.tree.Stat(ctx, p, extra...)
	if err != nil {
		return res, err
	}
	return tg.tag(res), nil
}

func (tg tagged) List(ctx context.Context, p dav.Path, each func(dav.Resource) error) error {
	return tg.tree.List(ctx, p, func(res dav.Resource) error { return each(tg.tag(res)) })
}

func eachWalker(t *testing.T, f func(w *walker)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { withWalker(t, db, f) })
}

func withWalker(t *testing.T, db *sqldb.DB, f func(w *walker)) {
	t.Helper()
	w := &walker{world: newWorld(t, db), db: db}
	db.SetClock(func() time.Time { return epoch.AddDate(0, 0, 1).Add(time.Duration(w.ahead.Load())) })
	w.walk = w.another(idmap.NoTags)
	f(w)
	w.sound()
}

func (w *walker) later(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *walker) another(tags idmap.FolderTags) *idmap.Walk {
	w.Helper()
	var f idmap.Finder = w.tr
	if tags != idmap.NoTags {
		f = tagged{w.tr, tags == idmap.WholeTree}
	}
	walk, err := idmap.NewWalk(w.ctx(), idmap.Walk{
		Map: w.m, Space: w.s, Finder: f, Tags: tags, Every: time.Hour, Within: 30 * 24 * time.Hour, Search: 1000,
	})
	if err != nil {
		w.Fatal(err)
	}
	return walk
}

// round makes the next round, when it is due.
func (w *walker) round() idmap.Walked {
	w.Helper()
	w.later(time.Hour)
	w.tr.asked = nil
	done, err := w.walk.Round(w.ctx())
	if err != nil {
		w.Fatal(err)
	}
	if done.Requests != len(w.tr.asked) {
		w.Errorf("%d requests were counted, of %d", done.Requests, len(w.tr.asked))
	}
	return done
}

// wantAt checks what the database says, which nobody has asked the upstream about.
func (w *walker) wantAt(id idmap.FileID, p dav.Path) {
	w.Helper()
	if k := w.known(id); k.Path != p || !k.Missing.IsZero() {
		w.Errorf("known at %q, missing %v, want it at %q", k.Path, k.Missing, p)
	}
}

func TestWalkFindsWhatOthersHaveMoved(t *testing.T) {
	for _, evidence := range []struct {
		name         string
		rids, native bool
	}{{"fingerprint", false, false}, {"resource-id", true, false}, {"native id", false, true}} {
		for _, c := range []struct {
			what, from, to, now string
		}{
			{"file renamed", "/a/deep/x.odt", "/a/deep/y.odt", "/a/deep/y.odt"},
			{"file moved to a folder that is known", "/a/deep/x.odt", "/b/z.odt", "/b/z.odt"},
			{"file moved to a folder that nobody knows", "/a/deep/x.odt", "/far/1/2/x.odt", "/far/1/2/x.odt"},
			{"folder renamed", "/a/deep", "/a/shallow", "/a/shallow/x.odt"},
			{"folder moved", "/a/deep", "/b/deep", "/b/deep/x.odt"},
			{"folder moved to where nobody knows", "/a/deep", "/far/1/deep", "/far/1/deep/x.odt"},
			{"ancestor renamed", "/a", "/c", "/c/deep/x.odt"},
			{"ancestor moved", "/a", "/b/a", "/b/a/deep/x.odt"},
		} {
			t.Run(evidence.name+"/"+c.what, func(t *testing.T) {
				withWalker(t, sqldbtest.New(t), func(w *walker) {
					w.tr.rids, w.tr.natives = evidence.rids, evidence.native
					for _, p := range []dav.Path{"/a", "/a/deep", "/b", "/far", "/far/1", "/far/1/2"} {
						w.tr.add(p, true)
					}
					for i := range 30 {
						p := dav.Path(fmt.Sprintf("/far/%02d", i+10))
						w.tr.add(p, true)
						w.tr.add(p+"/other.odt", false)
					}
					w.list("/")
					x, n, b := w.add("/a/deep/x.odt"), w.add("/a/deep/n.odt"), w.add("/b/b.odt")
					w.list("/a")
					w.round()
					w.tr.move(dav.Path(c.from), dav.Path(c.to))
					done := w.round()
					w.wantAt(x.ID, dav.Path(c.now))
					w.wantAt(b.ID, "/b/b.odt")
					if k := w.known(n.ID); w.tr.nodes[k.Path] == nil || !k.Missing.IsZero() {
						w.Errorf("the neighbour is known at %q, missing %v", k.Path, k.Missing)
					}
					w.Logf("%d requests, %d folders listed, %d searched", done.Requests, done.Listed, done.Searched)
					if done.Requests > 140 {
						w.Errorf("%d requests: %v", done.Requests, w.tr.asked)
					}
					if after := w.round(); after.Searched != 0 {
						w.Errorf("nothing is lost, and %d folders were searched", after.Searched)
					}
				})
			})
		}
	}
}

func TestWalkLooksOnlyWhereSomebodyWas(t *testing.T) {
	eachWalker(t, func(w *walker) {
		w.tr.add("/used", true)
		w.tr.add("/other", true)
		w.tr.add("/other/x.odt", false)
		w.add("/used/x.odt")
		w.list("/")
		w.round()
		if got := w.tr.asks(); got != "list /, list /used" {
			w.Errorf("asked %q", got)
		}
		if _, err := w.walk.Round(w.ctx()); !errors.Is(err, idmap.ErrEarly) {
			w.Errorf("again, at once: %v", err)
		}
		w.later(20 * 24 * time.Hour)
		w.list("/used")
		for range 3 { // the walk's own looks do not count
			w.later(5 * 24 * time.Hour)
			w.round()
		}
		if got := w.tr.asks(); got != "list /used" {
			w.Errorf("later asked %q", got)
		}
		w.later(30 * 24 * time.Hour)
		if done := w.round(); done.Requests != 0 {
			w.Errorf("nobody has been there for long, and it cost %d requests", done.Requests)
		}
	})
}

// What somebody has deleted is searched for once.
func TestWalkSearchesOnceForWhatIsGone(t *testing.T) {
	eachWalker(t, func(w *walker) {
		w.tr.rids = false
		w.tr.add("/a", true)
		x := w.add("/a/x.odt")
		for i := range 9 {
			w.tr.add(dav.Path(fmt.Sprintf("/%d", i)), true)
		}
		w.list("/")
		w.round()
		w.tr.remove("/a/x.odt")
		w.walk.Search = 5
		if done := w.round(); done.Searched != 5 {
			w.Errorf("searched %d folders", done.Searched)
		}
		if done := w.round(); done.Searched != 4 {
			w.Errorf("then searched %d folders", done.Searched)
		}
		if done := w.round(); done.Searched != 0 || w.known(x.ID).Missing.IsZero() {
			w.Errorf("and %d again", done.Searched)
		}
	})
}

func TestWalkPassesOverFoldersThatAreTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		tags        idmap.FolderTags
		same, moved int
	}{
		"none":         {idmap.NoTags, 11, 11},
		"own children": {idmap.OwnChildren, 1, 3},
		"whole tree":   {idmap.WholeTree, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			eachWalker(t, func(w *walker) {
				w.walk = w.another(c.tags)
				for i := range 10 {
					p := dav.Path(fmt.Sprintf("/%d", i))
					w.tr.add(p, true)
					w.add(p + "/x.odt")
				}
				x := w.at("/3/x.odt")
				w.list("/")
				w.round()
				w.round() // only now it is sure that the tags are those of what was seen
				if done := w.round(); done.Requests != c.same {
					w.Errorf("nothing has changed, and it cost %d requests, want %d: %v", done.Requests, c.same, w.tr.asked)
				}
				w.tr.move("/3/x.odt", "/4/moved.odt")
				done := w.round()
				w.wantAt(x.ID, "/4/moved.odt")
				if done.Requests > c.moved+2 || done.Requests < c.moved { // a look at the old place
					w.Errorf("a file was moved, and it cost %d requests, want about %d: %v", done.Requests, c.moved, w.tr.asked)
				}
				w.Logf("nothing new: %d requests; a file moved: %d", c.same, done.Requests)
			})
		})
	}
}

// A tag proves nothing if it was seen in the same tick in which something happened.
func TestWalkDoesNotTrustATagTooEarly(t *testing.T) {
	eachWalker(t, func(w *walker) {
		w.walk = w.another(idmap.OwnChildren)
		w.walk.Every = 0
		w.tr.add("/a", true)
		w.add("/a/x.odt")
		for i := range 4 {
			w.later(time.Second)
			if _, err := w.walk.Round(w.ctx()); err != nil {
				w.Fatal(err)
			}
			if got := w.tr.asks(); !strings.Contains(got, "list /a") {
				w.Errorf("round %d asked %q", i, got)
			}
		}
	})
}

var errKilled = errors.New("killed")

func TestWalkGoesOnAfterAKill(t *testing.T) {
	eachWalker(t, func(w *walker) {
		w.tr.rids = false
		for i := range 100 {
			p := dav.Path(fmt.Sprintf("/%02d", i))
			w.tr.add(p, true)
			w.add(p + "/x.odt")
		}
		x := w.at("/90/x.odt")
		w.list("/")
		w.round()
		w.later(time.Hour)
		w.tr.move("/90", "/95/now here")
		w.tr.asked = nil
		n := 0
		w.walk.Pace = func(context.Context) error {
			if n++; n > 60 {
				panic(errKilled) // nothing of the process runs any more
			}
			return nil
		}
		func() {
			defer func() {
				if r := recover(); r != errKilled {
					panic(r)
				}
			}()
			_, _ = w.walk.Round(w.ctx())
			w.Error("it was not killed")
		}()
		other := w.another(idmap.NoTags)
		if _, err := other.Round(w.ctx()); !errors.Is(err, idmap.ErrTaken) {
			w.Errorf("just after the kill another process: %v", err)
		}
		w.later(20*time.Second + time.Millisecond)
		if _, err := other.Round(w.ctx()); err != nil {
			w.Fatal(err)
		}
		w.wantAt(x.ID, "/95/now here/x.odt")
		if resumed := w.tr.asked[60]; resumed < "list /20" || resumed > "list /60" {
			w.Errorf("it went on with %q", resumed)
		}
		if _, err := other.Round(w.ctx()); !errors.Is(err, idmap.ErrEarly) {
			w.Errorf("it is not over: %v", err)
		}
	})
}

func TestOneWalksAtATime(t *testing.T) {
	eachWalker(t, func(w *walker) {
		for i := range 5 {
			p := dav.Path(fmt.Sprintf("/%d", i))
			w.tr.add(p, true)
			w.add(p + "/x.odt")
		}
		other := w.another(idmap.NoTags)
		tried := 0
		w.walk.Pace = func(ctx context.Context) error {
			tried++
			if _, err := other.Round(ctx); !errors.Is(err, idmap.ErrTaken) {
				w.Errorf("another one at the same time: %v", err)
			}
			return nil
		}
		w.round()
		if tried < 5 {
			w.Errorf("only %d requests", tried)
		}
		// Who sleeps for longer than its turn has lost it.
		w.later(time.Hour)
		n := 0
		w.walk.Pace = func(ctx context.Context) error {
			if n++; n == 2 {
				w.later(20*time.Second + time.Millisecond)
				if _, err := other.Round(ctx); err != nil {
					w.Errorf("another one after it: %v", err)
				}
			}
			return nil
		}
		if _, err := w.walk.Round(w.ctx()); !errors.Is(err, idmap.ErrTaken) {
			w.Errorf("the one that slept: %v", err)
		}
	})
}

func TestWalkEndsWithTheUpstream(t *testing.T) {
	eachWalker(t, func(w *walker) {
		for _, p := range []dav.Path{"/a", "/b"} {
			w.tr.add(p, true)
			w.add(p + "/x.odt")
		}
		w.later(time.Hour)
		w.tr.down = true
		if _, err := w.walk.Round(w.ctx()); !errors.Is(err, dav.ErrUnavailable) {
			w.Errorf("%v", err)
		}
		w.tr.down = false
		if done, err := w.walk.Round(w.ctx()); err != nil || done.Listed != 3 {
			w.Errorf("%+v, %v", done, err)
		}
	})
}
