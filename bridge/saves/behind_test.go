package saves

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// busyRig is a rig whose saves do not wait for the lease for long, over a server that
// moves or replaces by profile.
func busyRig(t *testing.T, db *sqldb.DB, profile davbackend.Profile, policy Policy) *rig {
	t.Helper()
	g := newRigOn(t, db, upstream.Strict(t), profile)
	g.patient(policy, nil)
	g.server.Write(t, "a.txt", "old")
	return g
}

// eachBusy runs f on both databases, with both ways to write.
func eachBusy(t *testing.T, f func(t *testing.T, g *rig)) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		f(t, busyRig(t, db, davbackend.Unknown, Auto))
	})
	t.Run("in place", func(t *testing.T) {
		f(t, busyRig(t, sqldbtest.Prepared(t, "saves", tables(t)), davbackend.Embedded, Auto))
	})
}

// writes is the request by which the rig's strategy replaces a.txt.
func (g *rig) writes() string {
	if g.client.Profile().InPlace {
		return http.MethodPut
	}
	return "MOVE"
}

// during runs f while a request of the method is under way, once.
func (g *rig) during(method, name string, f func()) {
	g.server.Quirks.Fail(upstream.Fault{Method: method, Name: name, Times: 1, Before: f})
}

// hold keeps the lease of o's file.
func (g *rig) hold(o *opened, op string) *locks.Lease {
	g.t.Helper()
	lease, err := g.locks.Lease(g.t.Context(), o.target.File.ID, op, time.Second)
	if err != nil {
		g.t.Fatal(err)
	}
	return lease
}

// putBehind is a PutFile whose patience is over at once.
func (o *opened) putBehind(body string) (idmap.Revision, error) {
	s := *o.g.saves
	s.Patience = time.Millisecond
	second := *o
	g := &rig{t: o.g.t, saves: &s}
	second.g = g
	rev, err := second.put(body)
	o.stamp = second.stamp
	return rev, err
}

func (o *opened) mustPutBehind(body string) idmap.Revision {
	o.g.t.Helper()
	rev, err := o.putBehind(body)
	if err != nil {
		o.g.t.Errorf("PutFile behind the holder of the lease: %v", err)
	}
	return rev
}

// arrives lets the journal deliver until nothing waits.
func (g *rig) arrives() {
	g.t.Helper()
	for range 4 {
		g.saves.live.hurry()
		g.saves.sweep(g.t.Context())
	}
	for _, e := range g.entries(stateWaiting, stateAside) {
		g.t.Errorf("it still waits: %+v (%v)", e, g.heard)
	}
}

func (g *rig) entries(states ...string) (found []Entry) {
	g.t.Helper()
	list, err := g.saves.List(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	for _, e := range list {
		for _, state := range states {
			if e.State == state {
				found = append(found, e)
			}
		}
	}
	return found
}

// TestBehindASave: the holder is an older save of the same editing, which ends well, or
// is refused, or whose answer is lost. What was acknowledged behind it is the file in the end,
// under the strings that were given out, and no conflict.
func TestBehindASave(t *testing.T) {
	for what, fault := range map[string]upstream.Fault{
		"ends well": {}, "answer is lost": {LoseAnswer: true}, "is refused": {Status: http.StatusForbidden},
	} {
		t.Run(what, func(t *testing.T) {
			eachBusy(t, func(t *testing.T, g *rig) {
				o := g.open("a.txt", wopi.Collabora)
				var told idmap.Revision
				fault.Method, fault.Name, fault.Times = g.writes(), "", 1
				fault.Before = func() {
					told = o.mustPutBehind("the newer save")
					g.wantState("the newer save", stateWaiting)
					if w, err := g.saves.Waiting(t.Context(), o.target.File.ID); err != nil || w == nil || w.Revision.Version != told.Version {
						t.Errorf("readers see %+v, %v", w, err)
					}
				}
				g.server.Quirks.Fail(fault)
				rev, err := o.put("the older save")
				if what == "ends well" && (err != nil || rev.Version != told.Version || rev.LastModified != told.LastModified) {
					t.Errorf("the older save is told %+v, %v, the newer was told %+v", rev, err, told)
				}
				if w, err := g.saves.Waiting(t.Context(), o.target.File.ID); err != nil || w == nil || w.Revision.Version != told.Version {
					t.Errorf("afterwards readers see %+v, %v", w, err)
				}
				g.arrives()
				g.wantOn("a.txt", "the newer save")
				g.wantStrings(o, told)
				o.mustPut("after")
				g.wantOn("a.txt", "after")
				if n := g.names(); len(n) != 1 {
					t.Errorf("the folder holds %v", n)
				}
				g.wantPinned(o, false)
			})
		})
	}
}

// TestTwoBehindOneHolder: in the order in which they came, or the older one notices last.
func TestTwoBehindOneHolder(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.OnlyOffice)
		g.during(g.writes(), "", func() {
			o.mustPutBehind("the second save")
			o.mustPutBehind("the third save")
		})
		if _, err := o.put("the first save"); err != nil {
			t.Error(err)
		}
		g.wantState("the second save")
		g.arrives()
		g.wantOn("a.txt", "the third save")

		lease := g.hold(o, "another")
		older := *g.saves
		older.pause = sleep
		older.Patience = time.Millisecond
		older.crash = func(step string) error {
			if step == "journaled" {
				o.mustPutBehind("the fifth save") // while the fourth one is spooled
			}
			return nil
		}
		second := *o
		second.g = &rig{t: t, saves: &older}
		_, err := second.put("the fourth save")
		if k := keptEntry(t, err); !errors.Is(k, errSuperseded) {
			t.Errorf("the older save: %v", err)
		}
		lease.Release()
		g.arrives()
		g.wantOn("a.txt", "the fifth save")
		o.mustPut("after")
		g.wantOn("a.txt", "after")
		if n := g.names(); len(n) != 1 {
			t.Errorf("the folder holds %v", n)
		}
	})
}

// TestBehindAHolderThatDies: at every step of its save.
func TestBehindAHolderThatDies(t *testing.T) {
	for _, c := range steps {
		if c.profile.Chunked || c.step == "spooled" || c.step == "journaled" {
			continue // chunks: as temps; and without the lease nobody is behind it
		}
		t.Run(c.profile.Name+", "+c.step, func(t *testing.T) {
			g := busyRig(t, sqldbtest.Prepared(t, "saves", tables(t)), c.profile, Auto)
			o := g.open("a.txt", wopi.OnlyOffice)
			died := false
			g.saves.crash = func(step string) error {
				if step != c.step || died {
					return nil
				}
				died = true
				o.mustPutBehind("the newer save")
				return errCrash
			}
			if _, err := o.put("the older save"); !errors.Is(err, errCrash) {
				t.Fatalf("it did not die: %v", err)
			}
			g.later(2 * time.Minute)
			g.patient(Auto, nil)
			g.recover()
			g.arrives()
			g.wantOn("a.txt", "the newer save")
			g.wantNoTemps()
			o.mustPut("after")
			g.wantOn("a.txt", "after")
			if n := g.names(); len(n) != 1 {
				t.Errorf("the folder holds %v", n)
			}
		})
	}
}

// TestBehindAMoveThatBrokeOff: the holder's MOVE has taken the target away when it died, and
// its entry rests for a while. What waits behind it finishes the MOVE first; the file keeps
// its ID.
func TestBehindAMoveThatBrokeOff(t *testing.T) {
	g := busyRig(t, sqldbtest.Prepared(t, "saves", tables(t)), davbackend.Unknown, Auto)
	o := g.open("a.txt", wopi.OnlyOffice)
	g.saves.crash = func(step string) error {
		if step != "move journaled" {
			return nil
		}
		o.mustPutBehind("the newer save")
		g.remove("a.txt")
		return errCrash
	}
	if _, err := o.put("the older save"); !errors.Is(err, errCrash) {
		t.Fatalf("it did not die: %v", err)
	}
	g.later(2 * time.Minute)
	g.patient(Auto, nil)
	for _, e := range g.entries(stateDelivering) {
		g.saves.live.tries[e.ID] = try{next: time.Now().Add(time.Hour)}
	}
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the newer save")
	if n := g.names(); len(n) != 1 || g.target("a.txt").File.ID != o.target.File.ID {
		t.Errorf("the folder holds %v", n)
	}
}

// TestBehindAPausedHolder: its lease runs out, and what waits behind it arrives, before it
// wakes up. It writes nothing then.
func TestBehindAPausedHolder(t *testing.T) {
	for _, c := range []struct {
		profile davbackend.Profile
		step    string
	}{{davbackend.Unknown, "compared"}, {davbackend.Unknown, "temp sent"}, {davbackend.Embedded, "compared"}} {
		g := busyRig(t, sqldbtest.Prepared(t, "saves", tables(t)), c.profile, Auto)
		o := g.open("a.txt", wopi.Collabora)
		slept := false
		g.saves.crash = func(step string) error {
			if step == c.step && !slept {
				slept = true
				o.mustPutBehind("the newer save")
				g.later(21 * time.Second)
				g.arrives()
				g.wantOn("a.txt", "the newer save")
			}
			return nil
		}
		_, err := o.put("the older save")
		keptEntry(t, err)
		g.saves.crash = nil
		g.arrives()
		g.wantOn("a.txt", "the newer save")
		g.wantNoTemps()
	}
}

// TestOlderThanWhatWaits: the holder's server goes away when a newer save of the editing waits
// behind it already. The older one is kept and answered with an error (DESIGN 4), and
// changes nothing of what the newer one was told.
func TestOlderThanWhatWaits(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.OnlyOffice)
		var told idmap.Revision
		g.server.Quirks.Fail(upstream.Fault{Times: 1, Status: http.StatusServiceUnavailable, Before: func() {
			told = o.mustPutBehind("the newer save")
			g.down()
		}})
		_, err := o.put("the older save")
		if k := keptEntry(t, err); !errors.Is(k, errSuperseded) || !errors.Is(k, dav.ErrUnavailable) {
			t.Errorf("the older save: %v", err)
		}
		g.wantState("the older save", stateUnacknowledged)
		st, err := g.locks.State(t.Context(), o.target.File.ID)
		if err != nil || st.Editing == nil || st.Editing.Base != told.Number {
			t.Errorf("the base is that of %+v, %v; the newer save is %d", st.Editing, err, told.Number)
		}
		w, err := g.saves.Waiting(t.Context(), o.target.File.ID)
		if err != nil || w == nil || w.Revision.Version != told.Version {
			t.Errorf("readers see %+v, %v", w, err)
		}
		g.up()
		g.arrives()
		g.wantOn("a.txt", "the newer save")
		g.wantState("the older save")
		g.wantStrings(o, told)
		g.wantNoTemps()
	})
}

// TestBehindAnUnlock: the exit save that comes while the lock is given back. The file stays
// that editor's until the save has arrived, and its DAV lock is taken anew.
func TestBehindAnUnlock(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.Collabora)
		o.mustPut("before")
		var told idmap.Revision
		g.during("UNLOCK", "", func() { told = o.mustPutBehind("the exit save") })
		if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
			t.Fatal(err)
		}
		stranger := o.actor
		stranger.Editor = "https://other.example"
		var m *locks.MismatchError
		if err := g.locks.Lock(t.Context(), g.target("a.txt"), stranger, "stranger"); !errors.As(err, &m) || m.Current != "" {
			t.Errorf("Lock by another editor: %v", err)
		}
		g.later(15 * time.Second)
		if err := g.locks.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		res, err := g.view.Stat(t.Context(), "/a.txt")
		if err != nil || len(res.Locks) != 1 {
			t.Errorf("DAV locks %+v, %v", res.Locks, err)
		}
		g.arrives()
		g.wantOn("a.txt", "the exit save")
		g.wantStrings(o, told)
		if err := g.locks.Lock(t.Context(), g.target("a.txt"), stranger, "stranger"); err != nil {
			t.Errorf("Lock by another editor when the save has arrived: %v", err)
		}
	})
}

// TestUnlockBehindASave: the holder is at a server that hangs, the exit save is safe behind
// it, and the editor unlocks, once, whatever it is answered. The document can be opened
// anew, by that editor, and in the end nothing is locked.
func TestUnlockBehindASave(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.Collabora)
		stranger, again := o.actor, *o
		stranger.Editor, again.id, again.actor.Member = "https://other.example", "opened anew", "another grant"
		var told idmap.Revision
		g.during(g.writes(), "", func() {
			told = o.mustPutBehind("the exit save")
			var m *locks.MismatchError
			if err := g.locks.Unlock(t.Context(), o.target, o.actor, "not its ID"); !errors.As(err, &m) || m.Current != o.id {
				t.Errorf("Unlock with another ID: %v", err)
			}
			if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
				t.Errorf("Unlock: %v", err)
			}
			if err := g.locks.Lock(t.Context(), o.target, stranger, "stranger"); !errors.As(err, &m) || m.Current != "" {
				t.Errorf("Lock by another editor: %v", err)
			}
			again.target.File = g.known(o)
			if err := g.locks.Lock(t.Context(), again.target, again.actor, again.id); err != nil {
				t.Errorf("Lock by the same editor: %v", err)
			}
		})
		rev, err := o.put("the older save")
		if err != nil || rev.Version != told.Version {
			t.Errorf("the older save is told %+v, %v, the newer was told %+v", rev, err, told)
		}
		g.arrives()
		g.wantOn("a.txt", "the exit save")
		g.wantStrings(o, told)
		again.stamp = told.LastModified
		again.mustPut("saved anew")
		g.wantOn("a.txt", "saved anew")
		if err := g.locks.Unlock(t.Context(), again.target, again.actor, again.id); err != nil {
			t.Error(err)
		}
		res, err := g.view.Stat(t.Context(), "/a.txt")
		if err != nil || len(res.Locks) != 0 || len(g.names()) != 1 {
			t.Errorf("DAV locks %+v, %v, files %v", res.Locks, err, g.names())
		}
	})
}

// TestBehindARelock: another lock ID is no other editing for what waits already; what
// comes under the old ID afterwards is not written over the file.
func TestBehindARelock(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.OnlyOffice)
		lease := g.hold(o, "relock")
		o.mustPutBehind("before it")
		lease.Release()
		if err := g.locks.Relock(t.Context(), o.target, o.actor, o.id, "another ID"); err != nil {
			t.Fatal(err)
		}
		lease = g.hold(o, "another")
		o.mustPutBehind("under the old ID")
		g.wantState("under the old ID", stateAside)
		lease.Release()
		g.arrives()
		g.wantOn("a.txt", "before it")
		g.somewhere("under the old ID")
		if n := g.names(); len(n) != 2 {
			t.Errorf("the folder holds %v", n)
		}
	})
}

// TestBehindARename: the save goes to where the file is then.
func TestBehindARename(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.Collabora)
		var told idmap.Revision
		g.during("MOVE", "", func() { told = o.mustPutBehind("the save") })
		e, err := g.locks.Move(t.Context(), o.target, o.actor, &o.id, dav.Path("/b.txt"))
		if err != nil {
			t.Fatal(err)
		}
		o.target.File = e
		g.arrives()
		g.wantOn("b.txt", "the save")
		g.wantStrings(o, told)
		o.mustPut("after")
		g.wantOn("b.txt", "after")
		if n := g.names(); len(n) != 1 {
			t.Errorf("the folder holds %v", n)
		}
	})
}

// TestBehindADeletion: the exit save that comes while the file is deleted becomes a
// recovered copy; if the deletion fails it is the file's; if it was there first, nothing is
// deleted.
func TestBehindADeletion(t *testing.T) {
	for _, status := range []int{0, http.StatusForbidden} {
		eachBusy(t, func(t *testing.T, g *rig) {
			o := g.open("a.txt", wopi.Collabora)
			if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
				t.Fatal(err)
			}
			g.server.Quirks.Fail(upstream.Fault{Method: http.MethodDelete, Times: 1, Status: status, Before: func() { o.mustPutBehind("the exit save") }})
			err := g.locks.Delete(t.Context(), g.target("a.txt"), o.actor)
			if (err == nil) != (status == 0) {
				t.Fatal(err)
			}
			g.arrives()
			g.somewhere("the exit save")
			if status != 0 {
				g.wantOn("a.txt", "the exit save")
			}
			if n := g.names(); len(n) != 1 || (n[0] == "a.txt") != (status != 0) || len(g.inJournal("the exit save")) != 1 {
				t.Errorf("the folder holds %v", n)
			}
		})
	}
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.Collabora)
		if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
			t.Fatal(err)
		}
		lease := g.hold(o, "another")
		o.mustPutBehind("the exit save")
		lease.Release()
		var m *locks.MismatchError
		if err := g.locks.Delete(t.Context(), g.target("a.txt"), o.actor); !errors.As(err, &m) {
			t.Errorf("deleted while its save waits: %v", err)
		}
		g.arrives()
		g.wantOn("a.txt", "the exit save")
	})
}

// TestBehindADelivery: an older save is just being delivered, of this editing or of the one
// before, on whose contents this one rests; or it has just been, and is about to be recorded.
func TestBehindADelivery(t *testing.T) {
	for _, c := range []struct {
		same bool
		late string // at which step; "": when it is sent
	}{{true, ""}, {false, ""}, {false, "landed"}, {false, "recorded"}} {
		eachBusy(t, func(t *testing.T, g *rig) {
			o := g.open("a.txt", wopi.OnlyOffice)
			g.down()
			waits := o.mustPut("the save that waits")
			if !c.same {
				if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
					t.Fatal(err)
				}
				o.target.File, o.actor.Member, o.id = g.known(o), "the next grant", "the next lock"
				o.lock()
				if o.stamp != waits.LastModified {
					t.Fatalf("the next editing reads %s", o.stamp)
				}
			}
			g.up()
			var told idmap.Revision
			if c.late != "" {
				g.at(c.late, func() { told = o.mustPutBehind("the newer save") })
			} else {
				g.during(g.writes(), "", func() { told = o.mustPutBehind("the newer save") })
			}
			g.saves.sweep(t.Context())
			if told.Version == "" {
				t.Fatal("nothing was saved meanwhile")
			}
			g.arrives()
			g.wantOn("a.txt", "the newer save")
			g.wantStrings(o, told)
			o.mustPut("after")
			g.wantOn("a.txt", "after")
			if n := g.names(); len(n) != 1 {
				t.Errorf("the folder holds %v", n)
			}
		})
	}
}

// at runs f when the journal comes to a step, once.
func (g *rig) at(step string, f func()) {
	g.saves.crash = func(s string) error {
		if s == step && f != nil {
			do := f
			f = nil
			do()
		}
		return nil
	}
}

// TestBehindAnOverwrite: somebody replaces a file that nobody has locked, while its editor's
// exit save comes, or before it is opened and saved. Neither is written over.
func TestBehindAnOverwrite(t *testing.T) {
	upload := locks.Actor{UserID: "bob", Name: "Bob"}
	overwrite := func(g *rig, at locks.Target) {
		g.t.Helper()
		if _, err := g.saves.Overwrite(g.t.Context(), at, upload, strings.NewReader("an upload over the file"), -1); err != nil {
			g.t.Fatal(err)
		}
		g.arrives()
		g.wantOn("a.txt", "an upload over the file")
		g.somewhere("the save")
		if n := g.names(); len(n) != 2 {
			g.t.Errorf("the folder holds %v", n)
		}
	}
	t.Run("the exit save before it", func(t *testing.T) {
		eachBusy(t, func(t *testing.T, g *rig) {
			o := g.open("a.txt", wopi.Collabora)
			if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
				t.Fatal(err)
			}
			spooled, busy, told := make(chan struct{}), make(chan struct{}), make(chan error)
			slow := *g.saves
			slow.Patience = time.Millisecond
			slow.crash = func(step string) error {
				if step == "journaled" {
					close(spooled)
					<-busy
				}
				return nil
			}
			go func() {
				second := *o
				second.g = &rig{t: t, saves: &slow}
				_, err := second.put("the save")
				told <- err
			}()
			<-spooled
			g.during(g.writes(), "", func() {
				close(busy)
				if err := <-told; err != nil {
					t.Errorf("PutFile behind the holder of the lease: %v", err)
				}
			})
			overwrite(g, g.target("a.txt"))
		})
	})
	t.Run("opened since", func(t *testing.T) {
		g := busyRig(t, sqldbtest.Prepared(t, "saves", tables(t)), davbackend.Embedded, Auto)
		at := g.target("a.txt")
		g.at("put journaled", func() {
			o := &opened{g: g, target: at, id: "a lock", actor: locks.Actor{
				Member: "a grant", Editor: "https://collabora.example", Office: wopi.Collabora, UserID: "ann", Name: "Ann",
			}}
			o.lock()
			o.mustPutBehind("the save")
		})
		if _, err := g.saves.Overwrite(t.Context(), at, upload, strings.NewReader("an upload over the file"), -1); err != nil {
			t.Logf("the upload: %v", err) // the file is locked on the upstream by now
		}
		g.arrives()
		g.somewhere("the save")
	})
}

// TestNothingWaitsBehindWithoutACredential: nobody could deliver it.
func TestNothingWaitsBehindWithoutACredential(t *testing.T) {
	g := busyRig(t, sqldbtest.Prepared(t, "saves", tables(t)), davbackend.Embedded, Auto)
	o := g.open("a.txt", wopi.OnlyOffice)
	lease := g.hold(o, "another")
	defer lease.Release()
	up := g.locks.Upstreams.List[0]
	service := up.Service
	up.Service = nil
	_, err := o.putBehind("the save")
	up.Service = service
	keptEntry(t, err)
	g.wantState("the save", stateUnacknowledged)
}

// TestDivertedSaveBehind: an editing of ONLYOFFICE that goes on beside its file stays there.
func TestDivertedSaveBehind(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.OnlyOffice)
		g.outside("a.txt", "theirs")
		_, err := o.put("the first save")
		copied := conflictOf(t, err).Copy
		lease := g.hold(o, "another")
		o.mustPutBehind("the second save")
		g.wantState("the second save", stateAside)
		lease.Release()
		g.arrives()
		g.wantOn("a.txt", "theirs")
		g.wantOn(copied, "the second save")
		if n := g.names(); len(n) != 2 {
			t.Errorf("the folder holds %v", n)
		}
	})
}

// TestStaleSaveBehind: what others have written is known already. The save is safe, and goes
// beside the file.
func TestStaleSaveBehind(t *testing.T) {
	eachBusy(t, func(t *testing.T, g *rig) {
		o := g.open("a.txt", wopi.Collabora)
		g.outside("a.txt", "theirs")
		g.target("a.txt") // somebody looks
		lease := g.hold(o, "another")
		o.mustPutBehind("the save")
		g.wantState("the save", stateAside)
		lease.Release()
		g.arrives()
		g.wantOn("a.txt", "theirs")
		g.somewhere("the save")
		if n := g.names(); len(n) != 2 {
			t.Errorf("the folder holds %v", n)
		}
	})
}

// TestWhoWaitsBehind: 7.5 decides, with all of its conditions.
func TestWhoWaitsBehind(t *testing.T) {
	plenty := room{free: 1 << 40, total: 1 << 41}
	for _, c := range []struct {
		what   string
		policy Policy
		office wopi.Office
		room   room
		own    bool
		old    bool // something has waited for a day
		waits  bool
	}{
		{"auto, ONLYOFFICE", Auto, wopi.OnlyOffice, plenty, true, false, true},
		{"auto, Collabora", Auto, wopi.Collabora, plenty, true, false, true},
		{"auto, Microsoft", Auto, wopi.Microsoft, plenty, true, false, false},
		{"auto, text editor", Auto, wopi.TextEditor, plenty, true, false, false},
		{"queue, Microsoft", Queue, wopi.Microsoft, plenty, true, false, true},
		{"refuse, Collabora", Refuse, wopi.Collabora, plenty, true, false, false},
		{"tmpfs or overlay", Auto, wopi.Collabora, room{fleeting: true, free: 1 << 40, total: 1 << 41}, true, false, false},
		{"nearly full", Auto, wopi.Collabora, room{free: 4 << 30, total: 100 << 30}, true, false, false},
		{"a NAS with 8 GiB left", Auto, wopi.Collabora, room{free: 8 << 30, total: 4 << 40}, true, false, true},
		{"a NAS with less", Auto, wopi.Collabora, room{free: 8<<30 - 1, total: 4 << 40}, true, false, false},
		{"something has waited for too long", Auto, wopi.Collabora, plenty, true, true, false},
		{"spools of one replica", Auto, wopi.Collabora, plenty, false, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
				if db.Shared() == c.own {
					t.Skip("for the other kind of database")
				}
				g := newRigOn(t, db, upstream.Strict(t), davbackend.Embedded)
				g.patient(c.policy, func(s *Saves) {
					s.ownSpool, s.disk.room = c.own, func(string) (room, error) { return c.room, nil }
				})
				g.server.Write(t, "a.txt", "old")
				if c.old {
					g.server.Write(t, "b.txt", "old")
					b := g.open("b.txt", wopi.Collabora)
					g.down()
					b.mustPut("the oldest")
					g.server.Quirks.Reset()
					g.later(25 * time.Hour)
				}
				o := g.open("a.txt", c.office)
				lease := g.hold(o, "another")
				_, err := o.putBehind("the save")
				lease.Release()
				if c.waits {
					if err != nil {
						t.Fatal(err)
					}
					g.wantState("the save", stateWaiting)
					return
				}
				if k := keptEntry(t, err); !errors.Is(k, locks.ErrBusy) {
					t.Errorf("kept for %v", k.Err)
				}
				g.wantState("the save", stateUnacknowledged)
				g.arrives()
				g.wantOn("a.txt", "old")
			})
		})
	}
}

// TestNeverLostBehind is TestNeverLostInOutages with saves that find the lease held, at any
// step of a save, a delivery or an Unlock, which goes on or dies then.
func TestNeverLostBehind(t *testing.T) {
	for _, profile := range []davbackend.Profile{davbackend.Embedded, davbackend.Unknown, inChunks} {
		for _, office := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice} {
			t.Run(profile.Name+", "+office.String(), func(t *testing.T) {
				g := newRigFor(t, profile)
				g.pieces()
				g.patient(Auto, nil)
				waited := 0
				for seed := range outages() {
					s := &behindStory{outageStory: outageStory{storm: storm{
						g: g, rand: rand.New(rand.NewPCG(seed, uint64(office)+70)), name: fmt.Sprintf("b%d.odt", seed),
					}}}
					s.run(t, office)
					waited += s.behind
					if t.Failed() {
						t.Fatalf("seed %d: %s", seed, strings.Join(s.story, "; "))
					}
				}
				if waited == 0 {
					t.Error("no save was acknowledged behind another: nothing was tested")
				}
				t.Logf("%d saves were acknowledged behind another", waited)
			})
		}
	}
}

type behindStory struct {
	outageStory
	behind int // saves that were acknowledged without the lease
}

func (s *behindStory) run(t *testing.T, office wopi.Office) {
	s.g.server.Write(t, s.name, "what it began with")
	s.o = s.g.open(s.name, office)
	for n := range 14 {
		switch s.rand.IntN(8) {
		case 0:
			s.outside = fmt.Sprintf("theirs %d of %s", n, s.name)
			s.say("outside")
			s.g.outside(s.name, s.outside)
		case 1:
			s.say("down")
			s.g.down()
		case 2:
			s.say("up")
			s.g.up()
			s.g.saves.sweep(t.Context())
		case 3:
			s.trouble()
		default:
			s.holding(t, n)
		}
		if s.outside != "" {
			s.g.somewhere(s.outside)
		}
		s.told()
	}
	s.end(t)
}

// holding is something that takes the lease, and a save that comes meanwhile.
func (s *behindStory) holding(t *testing.T, n int) {
	at, dies := steps[s.rand.IntN(len(steps))].step, s.rand.IntN(3) == 0
	body, newest := fmt.Sprintf("mine %d of %s", n, s.name), ""
	s.g.saves.crash = func(step string) error {
		if step != at || newest != "" || step == "spooled" { // before it is journaled nothing has an order
			return nil
		}
		newest = fmt.Sprintf("newer words %d at %s in %s", n, at, s.name)
		_, err := s.o.putBehind(newest)
		switch {
		case err == nil:
			s.behind++
			s.acked = newest
			s.say("acknowledged behind %s", at)
		case beside(err):
			s.acked = newest
			s.say("beside, at %s", at)
		default:
			s.say("behind %s: %v", at, err)
			s.kept(newest, err)
		}
		if dies {
			return errCrash
		}
		return nil
	}
	var err error
	switch s.rand.IntN(3) {
	case 0:
		s.say("sweep")
		s.g.saves.live.hurry()
		s.g.saves.sweep(t.Context())
		body = ""
	default:
		_, err = s.o.put(body)
		s.say("put %d, dies %v: %v", n, dies, err)
	}
	s.g.saves.crash = nil
	if body != "" && (err == nil || beside(err)) && (newest == "" || s.acked != newest) {
		s.acked = body // else the newer one is it
	}
	if dies && newest != "" {
		s.g.later(2 * time.Minute)
		s.g.patient(Auto, nil)
		s.g.recover()
		if on, _ := s.g.on(s.name); on == body && s.acked != newest {
			s.acked = body
		}
	}
	if err := s.g.locks.Lock(t.Context(), s.o.target, s.o.actor, s.o.id); err != nil {
		s.say("lock: %v", err)
	}
}

// beside reports whether the bytes are in a conflict copy.
func beside(err error) bool {
	var conflict *ConflictError
	return errors.As(err, &conflict) && conflict.Copy != ""
}
