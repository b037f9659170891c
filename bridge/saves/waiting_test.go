package saves

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"os"
	"path/filepath"
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

// patient gives the rig a journal that lets saves wait.
func (g *rig) patient(p Policy, change func(*Saves)) {
	g.t.Helper()
	g.saves = g.journal(g.saves.Dir, func(s *Saves) {
		s.WhenDown, s.ownSpool = p, true
		s.disk.room = func(string) (room, error) { return room{free: 1 << 40, total: 1 << 41}, nil }
		if change != nil {
			change(s)
		}
	})
}

func (g *rig) down() { g.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable}) }

// up ends the outage, and with it the pause before the next try.
func (g *rig) up() {
	g.server.Quirks.Reset()
	if g.binds != nil {
		g.server.Quirks.Set(g.binds)
	}
	g.saves.live.hurry()
}

func (g *rig) known(o *opened) idmap.Entry {
	g.t.Helper()
	e, err := g.ids.Known(g.t.Context(), g.space, o.target.File.ID)
	if err != nil {
		g.t.Fatal(err)
	}
	return e
}

// wantStrings checks that the file has the strings that an editor was told.
func (g *rig) wantStrings(o *opened, want idmap.Revision) {
	g.t.Helper()
	if got := g.known(o).Revision; got.Version != want.Version || got.LastModified != want.LastModified || got.Size != want.Size {
		g.t.Errorf("the file is %s, %s with %d bytes, the editor was told %s, %s, %d",
			got.Version, got.LastModified, got.Size, want.Version, want.LastModified, want.Size)
	}
}

func (g *rig) wantPinned(o *opened, want bool) {
	g.t.Helper()
	stranger := o.actor
	stranger.Editor = "https://other.example"
	t := o.target
	t.File = g.known(o)
	if err := g.locks.Unlock(g.t.Context(), t, o.actor, o.id); err != nil {
		g.t.Fatal(err)
	}
	err := g.locks.Lock(g.t.Context(), t, stranger, "stranger")
	var m *locks.MismatchError
	switch {
	case want && (!errors.As(err, &m) || m.Current != "" || m.Reason == ""):
		g.t.Errorf("Lock by another editor: %v, want a refusal without a lock ID", err)
	case !want && err != nil:
		g.t.Errorf("Lock by another editor: %v", err)
	}
}

// TestWaitingSave: an editor that would not try again saves three times while the
// upstream is away. It is told 200 each time, readers see the newest, and that arrives
// by itself, under the strings that were given out.
func TestWaitingSave(t *testing.T) {
	for _, office := range []wopi.Office{wopi.OnlyOffice, wopi.Collabora} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			g.patient(Auto, nil)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", office)
			before := o.mustPut("before")
			g.down()
			first := o.mustPut("first while it is away")
			second := o.mustPut("second while it is away")
			last := o.mustPut("the last")
			for _, pair := range [][2]idmap.Revision{{before, first}, {first, second}, {second, last}} {
				if pair[0].Version == pair[1].Version || pair[0].LastModified == pair[1].LastModified {
					t.Errorf("revisions recur: %+v", pair)
				}
			}
			g.wantState("the last", stateWaiting)
			w, err := g.saves.Waiting(t.Context(), o.target.File.ID)
			if err != nil || w == nil || w.Revision.Version != last.Version || w.Revision.Size != int64(len("the last")) {
				t.Fatalf("readers see %+v, %v", w, err)
			}
			g.saves.sweep(t.Context())
			g.wantState("the last", stateWaiting)
			g.up()
			g.saves.sweep(t.Context())
			g.wantOn("a.txt", "the last")
			g.wantState("first while it is away")
			g.wantState("second while it is away")
			g.wantStrings(o, last)
			g.wantNoTemps()
			after := o.mustPut("after")
			g.wantOn("a.txt", "after")
			if after.Version == last.Version || len(g.names()) != 1 {
				t.Errorf("after it: %+v, %v", after, g.names())
			}
			g.wantPinned(o, false)
		})
	}
}

// TestDrain: at the end of the program what waits is tried once more, pauses or not, and what stays is counted.
func TestDrain(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		g.down()
		o.mustPut("while it is away")
		g.saves.sweep(t.Context())
		if left, err := g.saves.Drain(t.Context()); err != nil || left != 1 {
			t.Errorf("in the outage: %d stay, %v", left, err)
		}
		g.server.Quirks.Reset() // the next try by itself would be a while away
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if left, err := g.saves.Drain(over); err != nil || left != 1 {
			t.Errorf("without time: %d stay, %v", left, err)
		}
		if left, err := g.saves.Drain(t.Context()); err != nil || left != 0 {
			t.Errorf("afterwards: %d stay, %v", left, err)
		}
		g.wantOn("a.txt", "while it is away")
	})
}

// TestWhoseSavesWait: the policy decides, and the state directory.
func TestWhoseSavesWait(t *testing.T) {
	plenty := room{free: 1 << 40, total: 1 << 41}
	for _, c := range []struct {
		what   string
		policy Policy
		office wopi.Office
		room   room
		own    bool
		waits  bool
	}{
		{"auto, ONLYOFFICE", Auto, wopi.OnlyOffice, plenty, true, true},
		{"auto, Collabora", Auto, wopi.Collabora, plenty, true, true},
		{"auto, Microsoft", Auto, wopi.Microsoft, plenty, true, false},
		{"auto, text editor", Auto, wopi.TextEditor, plenty, true, false},
		{"queue, Microsoft", Queue, wopi.Microsoft, plenty, true, true},
		{"queue, text editor", Queue, wopi.TextEditor, plenty, true, true},
		{"refuse, Collabora", Refuse, wopi.Collabora, plenty, true, false},
		{"nothing said, Collabora", "", wopi.Collabora, plenty, true, false},
		{"tmpfs or overlay", Queue, wopi.Collabora, room{fleeting: true, free: 1 << 40, total: 1 << 41}, true, false},
		{"255 MiB left", Queue, wopi.Collabora, room{free: 255 << 20, total: 1 << 30}, true, false},
		{"less than 5 % left", Queue, wopi.Collabora, room{free: 4 << 30, total: 100 << 30}, true, false},
		{"a shared database", Queue, wopi.Collabora, plenty, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Embedded)
			if !c.own && !g.db.Shared() {
				t.Skip("this database is not shared")
			}
			g.patient(c.policy, func(s *Saves) {
				s.ownSpool, s.disk.room = c.own, func(string) (room, error) { return c.room, nil }
			})
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", c.office)
			g.down()
			_, err := o.put("the save")
			if c.waits {
				if err != nil {
					t.Fatal(err)
				}
				g.wantState("the save", stateWaiting)
				return
			}
			keptEntry(t, err)
			g.wantState("the save", stateUnacknowledged)
		})
	}
}

// TestWaitingTooLong: nothing is acknowledged any more when a save waits for longer
// than max_age; what was acknowledged goes on waiting.
func TestWaitingTooLong(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	g.server.Write(t, "b.txt", "old")
	a := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	a.mustPut("the first")
	g.up()
	g.later(25 * time.Hour)
	b := g.open("b.txt", wopi.OnlyOffice)
	g.down()
	_, err := b.put("the second")
	keptEntry(t, err)
	g.later(30 * 24 * time.Hour)
	g.saves.sweep(t.Context())
	g.wantState("the first", stateWaiting)
	g.up()
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the first")
}

// TestWaitingMeetsAnOutsideChange: somebody wrote the file while the save waited. Both
// versions stay.
func TestWaitingMeetsAnOutsideChange(t *testing.T) {
	for _, office := range []wopi.Office{wopi.OnlyOffice, wopi.Collabora} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			g.patient(Auto, nil)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", office)
			g.down()
			o.mustPut("the save that waits")
			g.server.Write(t, "a.txt", "somebody else's version")
			g.up()
			g.saves.sweep(t.Context())
			g.wantOn("a.txt", "somebody else's version")
			g.somewhere("the save that waits")
			if n := g.names(); len(n) != 2 {
				t.Fatalf("the folder holds %v", n)
			}
			_, err := o.put("the next save")
			conflictOf(t, err)
			g.wantOn("a.txt", "somebody else's version")
			g.somewhere("the next save")
			g.wantPinned(o, false)
		})
	}
}

// TestWaitingFileIsGone: the bytes become a file of their own.
func TestWaitingFileIsGone(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.down()
		o.mustPut("the save that waits")
		if err := os.Remove(g.server.Dir + "/a.txt"); err != nil {
			t.Fatal(err)
		}
		g.up()
		g.saves.sweep(t.Context())
		n := g.names()
		if len(n) != 1 || !strings.Contains(n[0], "recovered") {
			t.Fatalf("the folder holds %v", n)
		}
		g.wantOn(n[0], "the save that waits")
	})
}

// TestWaitedForLong: longer than what nobody asks for is kept. When it has arrived it is looked
// for once more, like every save, and what is found replaced then is kept for its time.
func TestWaitedForLong(t *testing.T) {
	g := newRigFor(t, davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	o.mustPut("the save")
	g.later(retention + 24*time.Hour)
	g.up()
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the save")
	g.wantState("the save", stateVerified)
	g.server.Write(t, "a.txt", "somebody else's")
	g.later(lateAfter + time.Second)
	g.saves.sweep(t.Context())
	g.wantState("the save", stateUnacknowledged)
	now, err := g.db.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e := g.inJournal("the save"); len(e) != 1 || e[0].Why != Replaced || e[0].Until.Sub(now) != retention {
		t.Errorf("at %v: %+v", now, e)
	}
	g.later(retention - time.Hour)
	g.saves.sweep(t.Context())
	g.wantState("the save", stateUnacknowledged)
	g.later(2 * time.Hour)
	g.saves.sweep(t.Context())
	g.wantState("the save")
}

// TestFolderInThePlaceOfAWaitingSave: the save was sent, and nobody knows what became of it;
// when the server is back, somebody has made a folder of that name.
func TestFolderInThePlaceOfAWaitingSave(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		g.server.Quirks.Fail(upstream.Fault{Method: g.writes(), Cut: true, Times: 1, Before: g.down})
		o.mustPut("the save")
		there := filepath.Join(g.server.Dir, "a.txt")
		if err := errors.Join(os.Remove(there), os.Mkdir(there, 0o700)); err != nil {
			t.Fatal(err)
		}
		g.up()
		g.arrives()
		names := g.names()
		if len(names) != 1 || !strings.Contains(names[0], "(recovered Ann ") {
			t.Fatalf("the folder holds %v", names)
		}
		g.wantOn(names[0], "the save")
	})
}

// TestEmptyingSaveThatCannotWait: a save of nothing is written only when what it replaces
// is kept. Where that cannot be, nobody is told in an outage that it is a matter of time.
func TestEmptyingSaveThatCannotWait(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		for _, c := range []struct{ undo, free int64 }{{-1, 0}, {2, 2}} {
			g.server.Write(t, "a.txt", strings.Repeat("x", int(c.free)+1))
			g.patient(Auto, func(s *Saves) { s.UndoBytes = c.undo })
			o := g.open("a.txt", wopi.OnlyOffice)
			lease := g.hold(o, "another")
			_, err := o.putBehind("")
			keptEntry(t, err)
			lease.Release()
			g.down()
			_, err = o.put("")
			keptEntry(t, err)
			o.mustPut("something")
			g.up()
			g.arrives()
			g.wantOn("a.txt", "something")
			if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
				t.Fatal(err)
			}
			g.server.Write(t, "a.txt", strings.Repeat("y", int(c.free)))
			o = g.open("a.txt", wopi.OnlyOffice)
			g.down()
			o.mustPut("")
			g.up()
			g.arrives()
			g.wantOn("a.txt", "")
			if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestWaitingThatHadArrived: the upstream took the bytes, its answer was lost and it
// went away. Somebody sees the new contents before the journal looks again: the strings
// stay all the same, and nothing is "outside".
func TestWaitingThatHadArrived(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.die("put sent")
		away := false
		g.saves.crash = func(step string) error {
			if step == "put sent" || step == "move sent" || step == "assembly sent" {
				away = true
				g.down()
			}
			return nil
		}
		told := o.mustPut("the save")
		if !away {
			t.Fatal("nothing was sent")
		}
		g.saves.crash = nil
		g.up()
		g.target("a.txt")
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "the save")
		g.wantStrings(o, told)
		o.mustPut("after")
		g.wantOn("a.txt", "after")
		if len(g.names()) != 1 {
			t.Errorf("the folder holds %v", g.names())
		}
	})
}

// TestNextEditingRestsOnTheWaitingSave: another session began on the waiting revision,
// which got another number when it arrived. It still is that session's base.
func TestNextEditingRestsOnTheWaitingSave(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.saves.crash = func(step string) error {
		if step == "put sent" {
			g.down()
		}
		return nil
	}
	o.mustPut("the save")
	g.saves.crash = nil
	if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
		t.Fatal(err)
	}
	next := &opened{g: g, target: o.target, actor: o.actor, id: "the next lock"}
	next.target.File, next.actor.Member = g.known(o), "the next grant"
	next.lock()
	g.up()
	g.target("a.txt") // a look between arrival and record
	g.saves.sweep(t.Context())
	st, err := g.locks.State(t.Context(), o.target.File.ID)
	if err != nil || st.Editing == nil || st.Editing.Base != g.known(o).Revision.Number {
		t.Errorf("the base is %+v, %v; the file is revision %d", st.Editing, err, g.known(o).Revision.Number)
	}
	next.mustPut("after")
	g.wantOn("a.txt", "after")
}

// TestSaveBeforeTheWaitingOne: the upstream is back, and the editor saves again before
// the journal has delivered.
func TestSaveBeforeTheWaitingOne(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		g.down()
		o.mustPut("the save that waits")
		g.up()
		told := o.mustPut("the newer save")
		g.wantOn("a.txt", "the newer save")
		g.wantState("the save that waits")
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "the newer save")
		g.wantStrings(o, told)
		g.wantPinned(o, false)
	})
}

// TestNothingGoesOverAWaitingSave: who has read the file before the waiting save was
// made, does not write over it, though the upstream still holds what was read.
func TestNothingGoesOverAWaitingSave(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	early := o.actor
	early.Member = "an earlier window"
	if err := g.locks.Read(t.Context(), o.target.File.ID, early, o.target.File.Revision.Number); err != nil {
		t.Fatal(err)
	}
	// Equal contents are no proof: what waits is beneath neither.
	sum := sha256.Sum256([]byte("old"))
	if err := g.ids.Hash(t.Context(), o.target.File.ID, o.target.File.Revision.Number, sum[:]); err != nil {
		t.Fatal(err)
	}
	g.down()
	o.mustPut("the save that waits")
	if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
		t.Fatal(err)
	}
	g.up()
	stale := &opened{g: g, target: o.target, actor: early, id: "another lock", stamp: o.target.File.Revision.LastModified}
	stale.target.File = g.known(o)
	if err := g.locks.Lock(t.Context(), stale.target, early, stale.id); err != nil {
		t.Fatal(err)
	}
	_, err := stale.put("what rests on the old contents")
	conflictOf(t, err)
	if _, err := g.saves.Overwrite(t.Context(), stale.target, early, strings.NewReader("x"), 1); err == nil {
		t.Error("a file was overwritten of which a save waits")
	}
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the save that waits")
	g.somewhere("what rests on the old contents")
}

// TestCrashWhileWaiting kills the process at every step of the waiting and of the
// delivery. What was acknowledged arrives, under its strings.
func TestCrashWhileWaiting(t *testing.T) {
	for _, c := range steps {
		if c.step == "spooled" || c.step == "journaled" {
			continue // before it waits: TestCrashAfterEachStep
		}
		t.Run(c.profile.Name+", "+c.step, func(t *testing.T) {
			g := newRigFor(t, c.profile)
			g.pieces()
			g.patient(Auto, nil)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.OnlyOffice)
			g.down()
			told := o.mustPut("the save")
			died := false
			g.saves.crash = func(s string) error {
				if s == c.step {
					died = true
					return errCrash
				}
				return nil
			}
			g.up()
			g.saves.sweep(t.Context())
			if !died {
				t.Fatalf("it did not come to %q", c.step)
			}
			g.later(2 * time.Minute)
			g.patient(Auto, nil)
			g.recover()
			g.saves.sweep(t.Context())
			g.wantOn("a.txt", "the save")
			g.wantStrings(o, told)
			g.wantNoTemps()
			o.mustPut("after")
			g.wantOn("a.txt", "after")
			if len(g.names()) != 1 {
				t.Errorf("the folder holds %v", g.names())
			}
			g.wantPinned(o, false)
		})
	}
}

// TestNoStringsWithoutTheirBytes: at no time does a look show the strings of a save that
// waits, and the journal nothing of it: a reader would be given what lies beneath under
// them, and save over what waits.
func TestNoStringsWithoutTheirBytes(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		before := o.mustPut("before")
		g.down()
		steps := 0
		g.saves.crash = func(step string) error {
			steps++
			known := g.known(o).Revision.Number
			w, err := g.saves.Waiting(t.Context(), o.target.File.ID)
			if err != nil || known != before.Number && (w == nil || w.Revision.Number != known) {
				t.Errorf("at the step %q the file is revision %d, and %+v, %v waits", step, known, w, err)
			}
			return nil
		}
		if told := o.mustPut("the save"); told.Number == before.Number || steps == 0 {
			t.Errorf("told %+v after %+v, in %d steps", told, before, steps)
		}
	})
}

// TestCrashBeforeItWaits: nobody was told anything. The bytes stay, and what the editor
// does next is no conflict.
func TestCrashBeforeItWaits(t *testing.T) {
	for _, step := range []string{"to wait", "waiting"} {
		g := newRig(t, upstream.Strict(t), davbackend.Embedded)
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		o.mustPut("before")
		g.down()
		g.die(step)
		if _, err := o.put("the save"); !errors.Is(err, errCrash) {
			t.Fatalf("%s: %v", step, err)
		}
		g.later(2 * time.Minute)
		g.patient(Auto, nil)
		g.up()
		g.recover()
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "the save")
		o.mustPut("after")
		g.wantOn("a.txt", "after")
	}
}

// TestNeedsSignIn: the credential of a waiting save is refused. It is not tried again,
// until somebody who may write the file lends another.
func TestNeedsSignIn(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	o.mustPut("the save")
	g.up()
	g.server.Quirks.Fail(upstream.Fault{Status: http.StatusUnauthorized})
	g.saves.sweep(t.Context())
	g.server.Forget()
	g.up()
	g.saves.sweep(t.Context())
	if n := len(g.server.Requests()); n > 0 {
		t.Errorf("a refused credential was tried again: %d requests", n)
	}
	w, err := g.saves.Waiting(t.Context(), o.target.File.ID)
	if err != nil || w == nil || !w.NeedsSignIn {
		t.Fatalf("%+v, %v", w, err)
	}
	lender := o.target
	lender.Pin = func(context.Context) ([]byte, error) { return nil, nil } // the account that all share
	if err := g.saves.Lend(t.Context(), w, lender); err != nil {
		t.Fatal(err)
	}
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the save")
}

// TestDropWaiting: a person gives the bytes up. Their strings name nothing afterwards.
func TestDropWaiting(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	told := o.mustPut("the save")
	if err := g.saves.Drop(t.Context(), g.inJournal("the save")[0].ID); err != nil {
		t.Fatal(err)
	}
	g.up()
	if now := g.target("a.txt").File.Revision; now.Version == told.Version || now.LastModified == told.LastModified {
		t.Errorf("the old contents have the strings of the dropped ones: %+v", now)
	}
	g.wantPinned(o, false)
}

// TestVolumeIsAway: what was acknowledged is not forgotten because the volume with its bytes
// is not mounted, at the start or later; nor is what lies beneath shown instead, to be
// saved over it. A person can end it, and it arrives when the volume is back.
func TestVolumeIsAway(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		g := newRigFor(t, davbackend.Embedded)
		volume := t.TempDir()
		on := func(s *Saves) { s.Volume = volume }
		g.patient(Auto, on)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		g.down()
		o.mustPut("the save")
		id := g.inJournal("the save")[0].ID
		// A start without the volume has once left a folder where it is mounted.
		if err := errors.Join(os.Rename(volume, volume+".away"), os.MkdirAll(g.saves.spools(), 0o700)); err != nil {
			t.Fatal(err)
		}
		g.up()
		for _, when := range []string{"mounted no more", "not mounted at the start"} {
			if when != "mounted no more" {
				g.patient(Auto, on)
				g.recover()
			}
			g.saves.sweep(t.Context())
			g.wantOn("a.txt", "old")
			w, err := g.saves.Waiting(t.Context(), o.target.File.ID)
			if w == nil || err != nil {
				t.Fatalf("%s: %+v, %v waits (%v)", when, w, err, g.heard)
			}
			if _, err := g.saves.OpenWaiting(t.Context(), w); err == nil || errors.Is(err, ErrNoEntry) {
				t.Errorf("%s: readers are told %v", when, err)
			}
		}
		if dropped {
			if err := g.saves.Drop(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.RemoveAll(volume), os.Rename(volume+".away", volume)); err != nil {
			t.Fatal(err)
		}
		g.arrives()
		g.wantOn("a.txt", map[bool]string{false: "the save", true: "old"}[dropped])
		g.wantPinned(o, false)
	}
}

// TestSpoiledWaiting: bytes that were changed on the disk are not delivered.
func TestSpoiledWaiting(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	o.mustPut("the save")
	if err := os.WriteFile(g.spoolFiles()[0], []byte("tampered"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.up()
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "old")
	g.wantPinned(o, true)
}

// TestWhoSeesWaitingBytes: members of the editing, and who has seen the file within
// the hour; and only in an outage.
func TestWhoSeesWaitingBytes(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	g.patient(Auto, func(s *Saves) { s.clock = func() time.Time { now = now.Add(time.Second); return now } })
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	o.mustPut("the save")
	w, err := g.saves.Waiting(t.Context(), o.target.File.ID)
	if err != nil || w == nil {
		t.Fatal(err)
	}
	see := func(user, member string, err error) bool {
		t.Helper()
		ok, ferr := g.saves.MayShow(t.Context(), w, locks.Actor{UserID: user, Member: member}, err)
		if ferr != nil {
			t.Fatal(ferr)
		}
		return ok
	}
	if !see("bob", o.actor.Member, dav.ErrUnavailable) || see("bob", "bob's grant", dav.ErrUnavailable) {
		t.Error("not exactly the members see it")
	}
	for _, refusal := range []error{dav.ErrDenied, dav.ErrUnauthorized, dav.ErrNotFound} {
		if see("ann", o.actor.Member, refusal) {
			t.Errorf("shown after %v", refusal)
		}
	}
	g.saves.Saw(o.target.File.ID, "bob")
	if !see("bob", "bob's grant", dav.ErrUnavailable) || see("eve", "eve's grant", dav.ErrUnavailable) {
		t.Error("not exactly who has seen the file sees it")
	}
	now = now.Add(time.Hour)
	if see("bob", "bob's grant", dav.ErrUnavailable) {
		t.Error("shown an hour later")
	}
}

// TestWaitingOnBothDatabases: the statements are the same for both; with PostgreSQL a
// save waits only where the test says that no other bridge is there.
func TestWaitingOnBothDatabases(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
		g.patient(Auto, func(s *Saves) { s.ownSpool = false })
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.down()
		_, err := o.put("the first")
		if db.Shared() != (err != nil) {
			t.Fatalf("shared: %v, PutFile: %v", db.Shared(), err)
		}
		g.patient(Auto, nil)
		o.mustPut("the second")
		told := o.mustPut("the last")
		if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
			t.Fatal(err)
		}
		o.target.File = g.known(o)
		o.lock()
		g.up()
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "the last")
		g.wantStrings(o, told)
		g.wantPinned(o, false)
	})
}

// TestStringsOfAConflictAreTakenBack: a waiting save that had to give way to somebody
// else's lock becomes a conflict copy. The strings that were given out for it are not
// those of the file then, whose contents are the old ones.
func TestStringsOfAConflictAreTakenBack(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.patient(Queue, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.down()
	told := o.mustPut("the save")
	g.server.DropLocks(t, "/a.txt")
	g.up()
	ctx := t.Context()
	if _, _, err := g.view.Lock(ctx, "/a.txt", davbackend.LockRequest{Owner: "Word on a desk", Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.saves.sweep(ctx)
	}
	g.wantOn("a.txt", "old")
	g.wantState("the save", stateConflict)
	if now := g.known(o).Revision; now.Version == told.Version || now.LastModified == told.LastModified {
		t.Errorf("%s, %s was given out for the save, and is what the old contents are called", now.Version, now.LastModified)
	}
}
