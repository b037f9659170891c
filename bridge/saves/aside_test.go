package saves

import (
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

// stale is a file that an editor has open and somebody else has changed, with the
// upstream away. seen: somebody has looked at it, so that it is known here.
func (g *rig) stale(office wopi.Office) *opened {
	g.t.Helper()
	g.patient(Auto, nil)
	g.server.Write(g.t, "a.txt", "old")
	o := g.open("a.txt", office)
	g.server.Write(g.t, "a.txt", "somebody else's version")
	g.target("a.txt")
	g.down()
	return o
}

// wantTwo checks that there are the file and one copy with want.
func (g *rig) wantTwo(want string) string {
	g.t.Helper()
	n := g.names()
	if len(n) != 2 {
		g.t.Fatalf("the folder holds %v", n)
	}
	g.wantOn("a.txt", "somebody else's version")
	copied := n[0]
	if copied == "a.txt" {
		copied = n[1]
	}
	g.wantOn(copied, want)
	return copied
}

// TestStaleSavesGoAside: what rests on older contents than those that are known is told
// 200 in an outage like every save, shown to nobody as the file, and becomes one copy
// beside it, which later saves replace.
func TestStaleSavesGoAside(t *testing.T) {
	for _, office := range []wopi.Office{wopi.OnlyOffice, wopi.Collabora} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			o := g.stale(office)
			known := g.known(o).Revision
			first, second := o.mustPut("first"), o.mustPut("second")
			for _, told := range []idmap.Revision{first, second} {
				if told.Version == "" || told.LastModified == "" || told.Version == known.Version || told.LastModified == known.LastModified || told.Size == 0 {
					t.Errorf("the editor was told %+v, the file is %+v", told, known)
				}
			}
			if first.Version == second.Version {
				t.Error("two saves with one Version")
			}
			g.wantState("second", stateAside)
			if w, err := g.saves.Waiting(t.Context(), o.target.File.ID); err != nil || w != nil {
				t.Errorf("readers are shown %+v, %v", w, err)
			}
			g.wantStrings(o, known)
			g.saves.sweep(t.Context())
			g.wantState("second", stateAside)
			g.up()
			g.saves.sweep(t.Context())
			g.wantState("first")
			copied := g.wantTwo("second")
			_, err := o.put("third")
			if c := conflictOf(t, err); c.Copy != copied {
				t.Errorf("the next save went to %q, not to %q", c.Copy, copied)
			}
			g.wantTwo("third")
			g.wantNoTemps()
			g.wantPinned(o, false)
		})
	}
}

// TestStaleSavesOfOthers: who tries again is told 500, and the bytes are kept.
func TestStaleSavesOfOthers(t *testing.T) {
	for _, office := range []wopi.Office{wopi.Microsoft, wopi.TextEditor} {
		g := newRig(t, upstream.Strict(t), davbackend.Embedded)
		o := g.stale(office)
		_, err := o.put("the save")
		keptEntry(t, err)
		g.wantState("the save", stateUnacknowledged)
		g.up()
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "somebody else's version")
		if n := g.names(); len(n) != 1 {
			t.Errorf("the folder holds %v", n)
		}
	}
}

// TestDivertedSaveInAnOutage: ONLYOFFICE is on a conflict copy already. Its save is not
// lost to an outage, and goes to the same copy.
func TestDivertedSaveInAnOutage(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		g.server.Write(t, "a.txt", "somebody else's version")
		_, err := o.put("first")
		copied := conflictOf(t, err).Copy
		g.down()
		o.mustPut("in the outage")
		g.wantState("in the outage", stateAside)
		g.up()
		g.saves.sweep(t.Context())
		if got := g.wantTwo("in the outage"); got != copied {
			t.Errorf("it went to %q, not to %q", got, copied)
		}
		g.wantNoTemps()
	})
}

// TestAsideOvertaken: the upstream is back, and the editor saves again before the
// journal has delivered. The older bytes do not come back over the newer.
func TestAsideOvertaken(t *testing.T) {
	for _, office := range []wopi.Office{wopi.OnlyOffice, wopi.Collabora} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			o := g.stale(office)
			o.mustPut("aside")
			g.up()
			_, err := o.put("newer")
			conflictOf(t, err)
			g.wantState("aside")
			g.saves.sweep(t.Context())
			g.wantTwo("newer")
		})
	}
}

// TestAsideOfAFileThatIsGone: its bytes become a file of their own.
func TestAsideOfAFileThatIsGone(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	o := g.stale(wopi.Collabora)
	o.mustPut("the save")
	if err := os.Remove(g.server.Dir + "/a.txt"); err != nil {
		t.Fatal(err)
	}
	g.up()
	g.saves.sweep(t.Context())
	if n := g.names(); len(n) != 1 || n[0] == "a.txt" {
		t.Fatalf("the folder holds %v", n)
	} else {
		g.wantOn(n[0], "the save")
	}
}

// TestWaitingForADeletedFile: the file is deleted through the bridge before the save has found
// its place, beside it or, when somebody has released what it held, in it.
func TestWaitingForADeletedFile(t *testing.T) {
	for _, state := range []string{stateAside, stateWaiting} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			o := g.stale(wopi.Collabora)
			if state == stateWaiting {
				g.up()
				o.target = g.target("a.txt")
				o.id = "opened anew"
				if err := g.locks.Release(t.Context(), o.target.File.ID); err != nil {
					t.Fatal(err)
				}
				o.lock()
				g.down()
			}
			o.mustPut("the save")
			g.wantState("the save", state)
			g.server.Quirks.Reset() // the journal does not try before its pause is over
			if err := g.locks.Release(t.Context(), o.target.File.ID); err != nil {
				t.Fatal(err)
			}
			if err := g.locks.Delete(t.Context(), g.target("a.txt"), o.actor); err != nil {
				t.Fatal(err)
			}
			g.arrives()
			n := g.names()
			if len(n) != 1 || n[0] == "a.txt" {
				t.Fatalf("the folder holds %v", n)
			}
			g.wantOn(n[0], "the save")
		})
	}
}

// TestHeldBySomebodyElseInAnOutage: the lock of an editing expired, and somebody else
// has the file now. What its editor saves in an outage is not lost either.
func TestHeldBySomebodyElseInAnOutage(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.later(locks.Life + time.Minute)
	other := &opened{g: g, target: o.target, actor: o.actor, id: "somebody else's lock"}
	other.actor.Member = "somebody else's grant"
	if err := g.locks.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.lock()
	g.down()
	o.mustPut("the late save")
	other.mustPut("the holder's save")
	g.up()
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the holder's save")
	g.somewhere("the late save")
	if n := g.names(); len(n) != 2 {
		t.Errorf("the folder holds %v", n)
	}
}

// TestCrashAside kills the process at every step of going aside and of the delivery.
func TestCrashAside(t *testing.T) {
	for n, step := range []string{"aside", "temp journaled", "temp sent", "move journaled", "move sent"} {
		eachStrategyOf(t, n, func(t *testing.T, g *rig) {
			o := g.stale(wopi.OnlyOffice)
			died := false
			die := func(s string) error {
				if s == step {
					died = true
					return errCrash
				}
				return nil
			}
			if step == "aside" {
				g.saves.crash = die
			}
			if _, err := o.put("the save"); err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			g.saves.crash = die
			g.up()
			g.saves.sweep(t.Context())
			g.later(2 * time.Minute)
			g.patient(Auto, nil)
			g.recover()
			g.saves.sweep(t.Context())
			if !died {
				t.Fatalf("it did not come to %q", step)
			}
			g.wantTwo("the save")
			g.wantNoTemps()
		})
	}
}

// TestAsideNeedsSignIn: its credential is refused, and somebody lends another.
func TestAsideNeedsSignIn(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	o := g.stale(wopi.OnlyOffice)
	o.mustPut("the save")
	g.up()
	g.server.Quirks.Fail(upstream.Fault{Status: http.StatusUnauthorized})
	g.saves.sweep(t.Context())
	if got := g.inJournal("the save"); len(got) != 1 || got[0].State != stateAside || got[0].Reason != needsSignIn {
		t.Fatalf("the journal holds %+v", got)
	}
	g.up()
	g.server.Forget()
	g.saves.sweep(t.Context())
	if n := len(g.server.Requests()); n > 0 {
		t.Errorf("the refused credential was tried %d times", n)
	}
}

// TestOlderWaitingSaveUnderTheCopy: a save that waited is not written over the conflict
// copy of a later one, which found the upstream back first.
func TestOlderWaitingSaveUnderTheCopy(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.patient(Auto, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		o.mustPut("before")
		g.down()
		o.mustPut("waited")
		g.up()
		g.outside("a.txt", "theirs")
		_, err := o.put("later")
		c := conflictOf(t, err)
		g.wantOn(c.Copy, "later")
		for range 3 {
			g.later(time.Minute)
			g.up()
			g.saves.sweep(t.Context())
		}
		g.wantOn("a.txt", "theirs")
		g.wantOn(c.Copy, "later")
		if names := g.names(); len(names) != 2 {
			t.Errorf("the folder holds %v", names)
		}
		for _, e := range mustList(t, g.saves) {
			if e.State == stateWaiting || e.State == stateAside {
				t.Errorf("it still waits: %+v", e)
			}
		}
	})
}
