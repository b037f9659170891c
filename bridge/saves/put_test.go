package saves

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

func TestPutFile(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		first := o.mustPut("first")
		g.wantOn("a.txt", "first")
		g.wantNoTemps()
		known, err := g.ids.Known(t.Context(), g.space, o.target.File.ID)
		if err != nil || known.Revision.Version != first.Version || known.Revision.LastModified != first.LastModified {
			t.Errorf("PutFile answered %+v, known is %+v, %v", first, known.Revision, err)
		}
		// Strings are new for equal bytes too (DESIGN 7).
		second := o.mustPut("first")
		if second.Version == first.Version || second.LastModified == first.LastModified || second.Number <= first.Number {
			t.Errorf("the second save is %+v, the first was %+v", second, first)
		}
		third := o.mustPut("third")
		g.wantOn("a.txt", "third")
		if st, err := g.locks.State(t.Context(), o.target.File.ID); err != nil || st.Editing.Base != third.Number {
			t.Errorf("the base is %+v, %v; want %d", st.Editing, err, third.Number)
		}
	})
}

func TestTrips(t *testing.T) {
	for name, want := range map[string]int{"in place": 3, "temp and MOVE": 5} {
		t.Run(name, func(t *testing.T) {
			profile := davbackend.Embedded
			if name != "in place" {
				profile = davbackend.Unknown
			}
			g := newRig(t, upstream.Strict(t), profile)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			o.mustPut("the first save takes a pre-image")
			g.server.Forget()
			o.mustPut("the second")
			if got := len(g.server.Requests()); got > want {
				t.Errorf("%d trips, want at most %d: %v", got, want, g.server.Requests())
			}
		})
	}
}

func TestSpoolGoesAfterOneMoreLook(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		o.mustPut("new")
		g.wantState("new", stateVerified)
		g.saves.sweep(t.Context())
		g.wantState("new", stateVerified) // too early
		g.later(lateAfter + time.Second)
		g.server.Forget()
		g.saves.sweep(t.Context())
		g.wantState("new")
		if n := len(g.server.Requests()); n != 1 || g.server.Count("PROPFIND") != 1 {
			t.Errorf("looking once more took %v", g.server.Requests())
		}
	})
}

func TestSpoolStaysIfTheUpstreamForgets(t *testing.T) {
	for _, c := range []struct {
		what, now string
		there     bool
	}{
		{"rolled back", "old", true},
		{"other contents of the same size", "NEW", true},
		{"gone", "", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Embedded)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Microsoft)
			o.mustPut("new")
			if c.there {
				g.server.Write(t, "a.txt", c.now)
			} else if err := g.view.Delete(t.Context(), "/a.txt", g.condition(o)); err != nil {
				t.Fatal(err)
			}
			g.later(lateAfter + time.Second)
			g.saves.sweep(t.Context())
			g.wantState("new", stateUnacknowledged)
		})
	}
}

func (g *rig) condition(o *opened) davbackend.Condition {
	g.t.Helper()
	st, err := g.locks.State(g.t.Context(), o.target.File.ID)
	if err != nil {
		g.t.Fatal(err)
	}
	return davbackend.Condition{Token: st.Shadow.Token}
}

func TestLockRule(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "full.txt", "old")
	g.server.Write(t, "empty.txt", "")
	o := g.open("full.txt", wopi.Microsoft)
	unread := iotest.ErrReader(errors.New("the body was read"))
	wrong := wopi.LockID("another")
	for _, c := range []struct {
		what    string
		lock    *wopi.LockID
		current wopi.LockID
	}{
		{"PutFile with another lock ID: 409 before the body is read", &wrong, o.id},
		{"PutFile without a lock ID on a locked file", nil, o.id},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := g.saves.Put(t.Context(), o.target, o.actor, Put{Lock: c.lock, Body: unread, Length: 3})
			var m *locks.MismatchError
			if !errors.As(err, &m) || m.Current != c.current {
				t.Errorf("error is %v, want a mismatch with %q", err, c.current)
			}
		})
	}
	t.Run("PutFile on an unlocked file that is not empty", func(t *testing.T) {
		g.server.Write(t, "free.txt", "old")
		_, err := g.saves.Put(t.Context(), g.target("free.txt"), o.actor, Put{Body: unread, Length: 3})
		var m *locks.MismatchError
		if !errors.As(err, &m) || m.Current != "" {
			t.Errorf("error is %v, want a mismatch with nobody", err)
		}
	})
	t.Run("PutFile without a lock on an empty file is how documents are made", func(t *testing.T) {
		_, err := g.saves.Put(t.Context(), g.target("empty.txt"), o.actor, Put{Body: strings.NewReader("made"), Length: 4})
		if err != nil {
			t.Fatal(err)
		}
		g.wantOn("empty.txt", "made")
	})
	t.Run("a second one finds it full", func(t *testing.T) {
		late := g.target("empty.txt")
		late.File.Revision.Size = 0
		late.Seen = dav.Resource{}
		_, err := g.saves.Put(t.Context(), late, o.actor, Put{Body: strings.NewReader("again"), Length: 5})
		var m *locks.MismatchError
		if !errors.As(err, &m) {
			t.Errorf("error is %v, want a mismatch", err)
		}
		g.wantOn("empty.txt", "made")
	})
}

func TestZeroBytesAfterAPreimage(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "years of work")
		o := g.open("a.txt", wopi.Collabora)
		o.mustPut("")
		g.wantOn("a.txt", "")
		g.wantState("years of work", statePreimage)
		g.saves.preBytes = 4
		g.server.Write(t, "b.txt", "too large to keep")
		b := g.open("b.txt", wopi.Collabora)
		_, err := b.put("")
		if k := keptEntry(t, err); !errors.Is(k, errNoPreimage) || strings.Count(k.Error(), "to be replaced") != 1 || !strings.Contains(k.Error(), "17 bytes") {
			t.Errorf("error is %v, want the reason, once", k)
		}
		g.wantOn("b.txt", "too large to keep")
	})
}

func TestPreimages(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "before the editing")
	o := g.open("a.txt", wopi.Collabora)
	o.mustPut("one")
	g.later(time.Second)
	if g.server.Count("GET") != 1 {
		t.Errorf("%d GETs, want one per editing", g.server.Count("GET"))
	}
	o.mustPut("two")
	g.wantState("before the editing", statePreimage)
	g.wantState("one", statePreimage) // the previous spool, without a GET
	g.wantState("two", stateVerified)
	g.later(time.Second)
	if g.server.Count("GET") != 1 {
		t.Errorf("%d GETs, want one per editing", g.server.Count("GET"))
	}
	t.Run("undo writes one back", func(t *testing.T) {
		if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
			t.Fatal(err)
		}
		target := g.target("a.txt")
		e, err := g.saves.Undo(t.Context(), target, o.actor, g.inJournal("before the editing")[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		g.wantOn("a.txt", "before the editing")
		if e.ID != target.File.ID || e.Revision.Number <= target.File.Revision.Number {
			t.Errorf("undo made %+v of %+v", e, target.File)
		}
		if _, err := g.saves.Undo(t.Context(), g.target("a.txt"), o.actor, "nothing"); !errors.Is(err, ErrNoEntry) {
			t.Errorf("undo of nothing: %v", err)
		}
	})
	t.Run("over the limit the oldest go", func(t *testing.T) {
		g.saves.preBytes = 5
		g.saves.preRoom.recount()
		if err := g.saves.trim(t.Context(), &row{}); err != nil {
			t.Fatal(err)
		}
		g.wantState("two", statePreimage)
		g.wantState("one")
	})
	t.Run("after seven days all go", func(t *testing.T) {
		g.later(retention + time.Hour)
		g.saves.sweep(t.Context())
		if left := g.spoolFiles(); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestOverwrite(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		target := g.target("a.txt")
		actor := locks.Actor{Member: "m", UserID: "ann", Name: "Ann"}
		e, err := g.saves.Overwrite(t.Context(), target, actor, strings.NewReader("new"), 3)
		if err != nil {
			t.Fatal(err)
		}
		g.wantOn("a.txt", "new")
		g.wantState("old", statePreimage)
		if e.ID != target.File.ID || e.Revision.Number <= target.File.Revision.Number {
			t.Errorf("overwriting made %+v of %+v", e, target.File)
		}
		t.Run("not the revision that was looked at", func(t *testing.T) {
			target := g.target("a.txt")
			g.server.Write(t, "a.txt", "somebody's")
			if _, err := g.saves.Overwrite(t.Context(), target, actor, strings.NewReader("mine"), 4); !errors.Is(err, dav.ErrChanged) {
				t.Errorf("error is %v, want ErrChanged", err)
			}
			g.wantOn("a.txt", "somebody's")
		})
		t.Run("locked by an editing", func(t *testing.T) {
			o := g.open("a.txt", wopi.Collabora)
			_, err := g.saves.Overwrite(t.Context(), o.target, actor, iotest.ErrReader(io.ErrClosedPipe), 4)
			var m *locks.MismatchError
			if !errors.As(err, &m) || m.Current != o.id {
				t.Errorf("error is %v, want a mismatch with %q", err, o.id)
			}
		})
		t.Run("locked by another program", func(t *testing.T) {
			g.server.Write(t, "b.txt", "theirs")
			target := g.target("b.txt")
			if _, _, err := g.view.Lock(t.Context(), "/b.txt", davbackend.LockRequest{Owner: "Word on a desk", Timeout: time.Minute}); err != nil {
				t.Fatal(err)
			}
			_, err := g.saves.Overwrite(t.Context(), target, actor, strings.NewReader("mine"), 4)
			var m *locks.MismatchError
			if !errors.As(err, &m) || !m.Foreign {
				t.Errorf("error is %v, want a foreign mismatch", err)
			}
			g.wantOn("b.txt", "theirs")
		})
	})
}
