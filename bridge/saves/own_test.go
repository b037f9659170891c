package saves

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

// ben is o as another person has it.
func (o *opened) ben() *opened {
	b := *o
	b.actor.UserID, b.actor.Name, b.actor.Member = "ben", "Ben via davwopi", "the grant of ben"
	return &b
}

func (g *rig) ownOf(user string) Own {
	g.t.Helper()
	own, err := g.saves.OwnOf(g.t.Context(), user)
	if err != nil {
		g.t.Fatal(err)
	}
	return own
}

func namesOf(all []Entry) []string {
	var names []string
	for _, e := range all {
		names = append(names, e.Name+" "+e.State)
	}
	return names
}

// TestOwn: a person is told of what they saved, and of nobody else's.
func TestOwn(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	for _, name := range []string{"waits.txt", "aside.txt", "kept.txt", "bens.txt", "conflict.txt"} {
		g.server.Write(t, name, "old")
	}
	waits, aside := g.open("waits.txt", wopi.Collabora), g.open("aside.txt", wopi.Collabora)
	kept, bens := g.open("kept.txt", wopi.Microsoft), g.open("bens.txt", wopi.Microsoft).ben()
	conflict := g.open("conflict.txt", wopi.Microsoft)
	g.server.Write(t, "aside.txt", "theirs")
	g.target("aside.txt")
	g.server.Write(t, "conflict.txt", "theirs")
	_, err := conflict.put("mine")
	copied := conflictOf(t, err).Copy
	g.down()
	waits.mustPut("1")
	aside.mustPut("2")
	for _, o := range []*opened{kept, bens} {
		_, err := o.put("3")
		keptEntry(t, err)
	}
	ann, ben := g.ownOf("ann"), g.ownOf("ben")
	if got := namesOf(ann.Waiting); !slices.Equal(got, []string{"aside.txt aside", "waits.txt waiting"}) {
		t.Errorf("Ann's waiting: %v", got)
	}
	if got := namesOf(ann.Kept); !slices.Equal(got, []string{"kept.txt unacknowledged"}) {
		t.Errorf("Ann's kept: %v", got)
	}
	if len(ann.Copies) != 1 || ann.Copies[0].Name != copied || ann.Copies[0].File != conflict.target.File.ID {
		t.Errorf("Ann's copies: %+v, want %s", ann.Copies, copied)
	}
	if got := namesOf(ben.Kept); !slices.Equal(got, []string{"bens.txt unacknowledged"}) || len(ben.Waiting)+len(ben.Copies)+len(ben.Undos) != 0 {
		t.Errorf("Ben's: %+v", ben)
	}
	if nobody := g.ownOf(""); len(nobody.Waiting)+len(nobody.Kept)+len(nobody.Copies)+len(nobody.Undos) != 0 {
		t.Errorf("nobody's: %+v", nobody)
	}
	g.up()
	g.later(retention + time.Hour)
	g.saves.sweep(t.Context())
	g.saves.sweep(t.Context())
	if ann := g.ownOf("ann"); len(ann.Kept) != 0 {
		t.Errorf("after seven days: %v", namesOf(ann.Kept))
	}
}

// TestUndoIsOfferedToWhoSavedLast and is a save itself, which can be undone.
func TestUndoIsOfferedToWhoSavedLast(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "at first")
		o := g.open("a.txt", wopi.Collabora)
		o.mustPut("by Ann")
		undo := func(o *opened) error {
			t.Helper()
			own := g.ownOf(o.actor.UserID)
			if len(own.Undos) != 1 || own.Undos[0].Name != "a.txt" {
				t.Fatalf("offered to %s: %+v", o.actor.UserID, own.Undos)
			}
			g.later(time.Second)
			_, err := g.saves.Undo(t.Context(), g.target("a.txt"), o.actor, own.Undos[0].To.ID)
			return err
		}
		var mismatch *locks.MismatchError
		if err := undo(o); !errors.As(err, &mismatch) {
			t.Errorf("while it is open: %v", err)
		}
		g.wantOn("a.txt", "by Ann")
		if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"at first", "by Ann", "at first"} {
			if err := undo(o); err != nil {
				t.Fatal(err)
			}
			g.wantOn("a.txt", want)
		}
		b := g.open("a.txt", wopi.Collabora).ben()
		b.mustPut("by Ben")
		if own := g.ownOf("ann"); len(own.Undos) != 0 {
			t.Errorf("Ann may undo Ben's save: %+v", own.Undos)
		}
		if err := g.locks.Unlock(t.Context(), b.target, b.actor, b.id); err != nil {
			t.Fatal(err)
		}
		if err := undo(b); err != nil {
			t.Fatal(err)
		}
		g.wantOn("a.txt", "at first")
		g.wantNoTemps()
		if _, err := g.saves.Undo(t.Context(), g.target("a.txt"), b.actor, "no such entry"); !errors.Is(err, ErrNoEntry) {
			t.Errorf("an entry that is none: %v", err)
		}
	})
}

// TestNoUndoThatCannotBeUndone: what lies there does not fit among the pre-images.
func TestNoUndoThatCannotBeUndone(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "small")
	o := g.open("a.txt", wopi.Collabora)
	o.mustPut("something larger")
	if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
		t.Fatal(err)
	}
	pre, err := g.saves.LastPreimage(t.Context(), o.target.File.ID)
	if err != nil {
		t.Fatal(err)
	}
	g.later(2 * lateAfter)
	g.saves.sweep(t.Context()) // the save's own spool goes
	g.saves.preBytes = 10
	if _, err := g.saves.Undo(t.Context(), g.target("a.txt"), o.actor, pre.ID); !errors.Is(err, errNoPreimage) {
		t.Errorf("undo: %v", err)
	}
	g.wantOn("a.txt", "something larger")
}

// TestRestoreBeside: what was kept becomes a file, and leaves the journal; a pre-image
// stays.
func TestRestoreBeside(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		o.mustPut("new")
		g.down()
		_, err := o.put("kept")
		id := keptEntry(t, err).Entry
		g.up()
		g.saves.sweep(t.Context())
		pre, err := g.saves.LastPreimage(t.Context(), o.target.File.ID)
		if err != nil {
			t.Fatal(err)
		}
		place := Place{Space: g.space, Upstream: "main", View: g.view, Folder: dav.Root, Pin: g.pins["ann"], Writer: "Ann", User: "ann"}
		made, err := g.saves.Restore(t.Context(), id, place)
		if err != nil || !strings.HasPrefix(made.Name, "a (recovered Ann 20") || !strings.HasSuffix(made.Name, ").txt") {
			t.Fatalf("%q, %v", made.Name, err)
		}
		g.wantOn(made.Name, "kept")
		if _, err := g.saves.Restore(t.Context(), id, place); !errors.Is(err, ErrNoEntry) {
			t.Errorf("once more: %v", err)
		}
		place, err = g.saves.PlaceOf(t.Context(), pre.ID) // by nobody: with what the entry was left with
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if made, err = g.saves.Restore(t.Context(), pre.ID, place); err != nil {
				t.Fatal(err)
			}
			g.wantOn(made.Name, "old")
		}
		g.wantOn("a.txt", "new")
		g.wantNoTemps()
		if !g.saves.live.take(pre.ID) {
			t.Fatal("the entry is in use")
		}
		if _, err := g.saves.Restore(t.Context(), pre.ID, place); !errors.Is(err, ErrInUse) {
			t.Errorf("an entry in use: %v", err)
		}
		g.saves.live.leave(pre.ID)
	})
}

// TestOwnOnAnotherBridge: the bytes lie where every bridge reads them, so a person is shown
// the same on each, and may restore and undo there.
func TestOwnOnAnotherBridge(t *testing.T) {
	stores(t, func(t *testing.T, g *rig, change func(*Saves)) {
		g.server.Write(t, "a.txt", "old")
		g.server.Write(t, "b.txt", "old")
		waits, kept := g.open("a.txt", wopi.Collabora), g.open("b.txt", wopi.Microsoft)
		kept.mustPut("new")
		g.down()
		waits.mustPut("waits")
		_, err := kept.putWith("kept", func(p *Put) { p.NoWait = true })
		id := keptEntry(t, err).Entry
		g.up()
		if err := g.locks.Unlock(t.Context(), kept.target, kept.actor, kept.id); err != nil {
			t.Fatal(err)
		}
		g.saves = g.journal(t.TempDir(), change)
		own := g.ownOf("ann")
		if len(own.Waiting) != 1 || len(own.Kept) != 1 || own.Kept[0].ID != id || len(own.Undos) != 1 {
			t.Fatalf("%+v", own)
		}
		w, err := g.saves.Waitings(t.Context())
		if err != nil || len(w.Files()) != 1 {
			t.Errorf("what waits: %v, %v", w.Files(), err)
		}
		place := Place{Space: g.space, Upstream: "main", View: g.view, Folder: dav.Root, Pin: g.pins["ann"], Writer: "Ann", User: "ann"}
		made, err := g.saves.Restore(t.Context(), id, place)
		if err != nil {
			t.Fatal(err)
		}
		g.wantOn(made.Name, "kept")
		if own := g.ownOf("ann"); len(own.Kept) != 0 {
			t.Errorf("it is still kept: %+v", own.Kept)
		}
		if _, err := g.saves.Undo(t.Context(), g.target("b.txt"), kept.actor, own.Undos[0].To.ID); err != nil {
			t.Fatal(err)
		}
		g.wantOn("b.txt", "old")
	})
}

// TestWhoMayLend: only an entry that needs a sign-in takes another credential.
func TestWhoMayLend(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	o.mustPut("the save")
	need := func(want int) []Entry {
		t.Helper()
		all, err := g.saves.NeedSignIn(t.Context())
		if err != nil || len(all) != want {
			t.Fatalf("%+v, %v", all, err)
		}
		return all
	}
	need(0)
	g.up()
	g.server.Quirks.Fail(upstream.Fault{Status: http.StatusUnauthorized})
	g.saves.sweep(t.Context())
	e := need(1)[0]
	if !e.SignIn || e.State != stateWaiting {
		t.Errorf("%+v", e)
	}
	g.up()
	target := o.target
	target.Pin = func(context.Context) ([]byte, error) { return nil, nil } // the account that all share
	if err := g.saves.LendTo(t.Context(), e.ID, target); err != nil {
		t.Fatal(err)
	}
	need(0)
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the save")
}

// TestServicePasswordAfterARestart: the account that all share was refused. Its password
// may be another one when the daemon starts again: one try.
func TestServicePasswordAfterARestart(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	g.down()
	o.mustPut("the save")
	g.up()
	g.server.Quirks.Fail(upstream.Fault{Status: http.StatusUnauthorized})
	g.saves.sweep(t.Context())
	g.up()
	g.saves.sweep(t.Context())
	g.wantState("the save", stateWaiting)
	g.patient(Auto, nil)
	g.recover()
	g.saves.sweep(t.Context())
	g.wantOn("a.txt", "the save")
}

// TestStandings: what pages say of the saves of a file.
func TestStandings(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.patient(Auto, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	standing := func() Standing {
		t.Helper()
		all, err := g.saves.Standings(t.Context(), append(many(450), o.target.File.ID))
		if err != nil || len(all) > 1 {
			t.Fatal(all, err)
		}
		return all[o.target.File.ID]
	}
	if st := standing(); st != (Standing{}) {
		t.Errorf("before: %+v", st)
	}
	var during Standing
	g.server.Quirks.Fail(upstream.Fault{Method: http.MethodPut, Times: 1, Before: func() { during = standing() }})
	rev := o.mustPut("one")
	if !during.Busy {
		t.Errorf("while it is saved: %+v", during)
	}
	if st := standing(); st.Last.IsZero() || st.Waits || st.Busy || st.Written != "ann" {
		t.Errorf("saved: %+v", st)
	}
	if user, at, err := g.saves.WriterOf(t.Context(), o.target.File.ID, rev.Number); err != nil || user != "ann" || at.IsZero() {
		t.Errorf("written by %q at %v, %v", user, at, err)
	}
	if user, _, err := g.saves.WriterOf(t.Context(), o.target.File.ID, rev.Number+1); err != nil || user != "" {
		t.Errorf("what nobody has made is written by %q, %v", user, err)
	}
	g.down()
	o.mustPut("two")
	if st := standing(); !st.Waits || st.Entry == "" {
		t.Errorf("waiting: %+v", st)
	}
	g.up()
	g.saves.sweep(t.Context())
	if st := standing(); st.Waits || st.Aside || st.Kept {
		t.Errorf("arrived: %+v", st)
	}
}

// many are IDs of no file.
func many(n int) []idmap.FileID {
	all := make([]idmap.FileID, n)
	for i := range all {
		all[i] = idmap.FileID(fmt.Sprintf("%026d", i))
	}
	return all
}

// TestHowLongAndHowMuchIsKeptForUndo: as configured.
func TestHowLongAndHowMuchIsKeptForUndo(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		age   time.Duration
		after time.Duration
		kept  bool
	}{
		{0, 0, 6 * 24 * time.Hour, true},
		{0, 0, 8 * 24 * time.Hour, false},
		{0, 30 * 24 * time.Hour, 29 * 24 * time.Hour, true},
		{0, time.Hour, 2 * time.Hour, false},
		{3, 0, time.Hour, true},
		{2, 0, time.Hour, false},
		{-1, 0, time.Hour, false},
	} {
		g := newRig(t, upstream.Strict(t), davbackend.Embedded)
		g.saves = g.journal(g.saves.Dir, func(s *Saves) { s.UndoBytes, s.UndoAge = c.bytes, c.age })
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		o.mustPut("new")
		g.later(c.after)
		g.saves.sweep(t.Context())
		g.saves.sweep(t.Context())
		_, err := g.saves.LastPreimage(t.Context(), o.target.File.ID)
		if kept := err == nil; kept != c.kept || err != nil && !errors.Is(err, ErrNoEntry) {
			t.Errorf("%d bytes for %v, after %v: kept %v, %v", c.bytes, c.age, c.after, kept, err)
		}
	}
}
