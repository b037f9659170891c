package saves

import (
	"errors"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

var troubles = []struct {
	what   string
	faults []upstream.Fault
	quirks func(*upstream.Quirks)
	saved  bool  // the request succeeds all the same
	cause  error // else of the KeptError
	state  string
}{
	{"PUT cut after some bytes, once", []upstream.Fault{{Method: "PUT", Cut: true, After: 1000, Times: 1}}, nil, true, nil, ""},
	{"PUT cut after some bytes, always", []upstream.Fault{{Method: "PUT", Cut: true, After: 1000}}, nil, false, dav.ErrUnavailable, stateUnacknowledged},
	{"PUT cut, and what came is kept", []upstream.Fault{{Method: "PUT", Cut: true, After: 1000, Times: 1}},
		func(q *upstream.Quirks) { q.PartialWrites = true }, true, nil, ""},
	{"answer to PUT lost", []upstream.Fault{{Method: "PUT", LoseAnswer: true, Times: 1}}, nil, true, nil, ""},
	{"answer to MOVE lost", []upstream.Fault{{Method: "MOVE", LoseAnswer: true, Times: 1}}, nil, true, nil, ""},
	{"2xx to a PUT that stored a piece, once", []upstream.Fault{{Method: "PUT", Truncate: true, After: 1000, Times: 1}}, nil, true, nil, ""},
	{"2xx to a PUT that stored nothing, once", []upstream.Fault{{Method: "PUT", Truncate: true, Times: 1}}, nil, true, nil, ""},
	{"2xx to PUTs that always store a piece", []upstream.Fault{{Method: "PUT", Truncate: true, After: 1000}}, nil, false, errShort, stateUnacknowledged},
	{"500 once", []upstream.Fault{{Method: "PUT", Status: 500, Times: 1}}, nil, true, nil, ""},
	{"500 always", []upstream.Fault{{Method: "PUT", Status: 500}}, nil, false, dav.ErrUnavailable, stateUnacknowledged},
	{"429 once", []upstream.Fault{{Method: "PUT", Status: 429, Times: 1}}, nil, true, nil, ""},
	{"423 once", []upstream.Fault{{Method: "PUT", Status: 423, Times: 1}}, nil, true, nil, ""},
	{"423 always, and nobody holds a lock", []upstream.Fault{{Method: "PUT", Status: 423}}, nil, false, dav.ErrLocked, stateUnacknowledged},
	{"507", []upstream.Fault{{Method: "PUT", Status: 507}}, nil, false, dav.ErrFull, stateRefused},
	{"413", []upstream.Fault{{Method: "PUT", Status: 413}}, nil, false, dav.ErrTooLarge, stateRefused},
	{"403 with a working PROPFIND", []upstream.Fault{{Method: "PUT", Status: 403}}, nil, false, dav.ErrDenied, stateRefused},
	{"401", []upstream.Fault{{Method: "PUT", Status: 401}}, nil, false, dav.ErrUnauthorized, stateUnacknowledged},
	{"PROPFIND fails before", []upstream.Fault{{Method: "PROPFIND", Status: 503, Times: 1}}, nil, true, nil, ""},
	{"everything fails", []upstream.Fault{{Status: 503}}, nil, false, dav.ErrUnavailable, stateUnacknowledged},
	{"conditions are ignored", nil, func(q *upstream.Quirks) { q.IgnoreConditions = true }, true, nil, ""},
	{"no ETags in PROPFIND", nil, func(q *upstream.Quirks) { q.NoPropfindETag = true }, true, nil, ""},
	{"weak ETags", nil, func(q *upstream.Quirks) { q.WeakETags = true }, true, nil, ""},
	{"no ETags, and the answer lost", []upstream.Fault{{Method: "PUT", LoseAnswer: true, Times: 1}, {Method: "MOVE", LoseAnswer: true, Times: 1}},
		func(q *upstream.Quirks) { q.NoPropfindETag = true }, true, nil, ""},
	{"locks are hidden", nil, func(q *upstream.Quirks) { q.HideLocks = true }, true, nil, ""},
	{"MOVE drops the target's lock", nil, func(q *upstream.Quirks) { q.MoveLosesLock = true }, true, nil, ""},
	{"MOVE onto a locked file is refused", nil, func(q *upstream.Quirks) { q.MoveLocked412 = true }, true, nil, ""},
	{"MOVE onto a locked file is refused, and locks are hidden", nil,
		func(q *upstream.Quirks) { q.MoveLocked412, q.HideLocks = true, true }, true, nil, ""},
}

// TestUpstreamFails: whatever goes wrong, the bytes are at the target, in a copy or
// in the journal, and the old contents are not lost either.
func TestUpstreamFails(t *testing.T) {
	long := letters(100_000)
	for n, c := range troubles {
		t.Run(c.what, func(t *testing.T) {
			eachStrategyOf(t, n, func(t *testing.T, g *rig) {
				g.server.Write(t, "a.txt", "old")
				if c.quirks != nil {
					g.server.Quirks.Set(c.quirks)
				}
				o := g.open("a.txt", wopi.Collabora)
				g.server.Forget()
				for _, f := range c.faults {
					g.server.Quirks.Fail(f)
				}
				rev, err := o.put(long)
				g.somewhere(long)
				if c.saved {
					if err != nil {
						t.Fatalf("PutFile: %v (%v)", err, g.heard)
					}
					g.wantOn("a.txt", long)
					g.wantNoTemps()
					if st, _ := g.locks.State(t.Context(), o.target.File.ID); st.Editing == nil || st.Editing.Base != rev.Number {
						t.Errorf("the base is %+v, want %d", st.Editing, rev.Number)
					}
				} else {
					if k := keptEntry(t, err); !errors.Is(k, c.cause) {
						t.Errorf("kept for %v, want %v", k.Err, c.cause)
					}
					g.wantState(long, c.state)
				}
				// The next save of the same editing, when all is well again: no false
				// alarm, and what was unacknowledged is not needed any more.
				g.server.Quirks.Reset()
				if c.quirks != nil {
					g.server.Quirks.Set(c.quirks)
				}
				o.mustPut("next")
				g.wantOn("a.txt", "next")
				g.wantNoTemps()
				for _, e := range g.inJournal(long) {
					if e.State == stateUnacknowledged {
						t.Errorf("entry %+v stays behind the newer save", e)
					}
				}
			})
		})
	}
}

// TestLandedWithoutAWord: the bytes arrived, but nobody could see it. The person was
// told 500; that is no change from outside for the next save, and no news for the
// journal when the upstream is back.
func TestLandedWithoutAWord(t *testing.T) {
	for _, swept := range []bool{false, true} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Microsoft)
			method := "PUT"
			if !g.client.Profile().InPlace {
				method = "MOVE"
			}
			g.server.Quirks.Fail(upstream.Fault{Method: method, LoseAnswer: true, Times: 1, Then: func() {
				g.server.Quirks.Fail(upstream.Fault{Status: 502})
			}})
			_, err := o.put("landed")
			keptEntry(t, err)
			g.wantOn("a.txt", "landed")
			g.server.Quirks.Reset()
			if swept {
				g.saves.sweep(t.Context())
				g.wantState("landed", stateVerified)
			}
			if g.target("a.txt").File.Revision.Number == o.target.File.Revision.Number {
				t.Error("nobody has noticed new contents")
			}
			o.mustPut("next")
			g.wantOn("a.txt", "next")
		})
	}
}

func TestLostAnswerIsNotWrittenTwice(t *testing.T) {
	for method, profile := range map[string]davbackend.Profile{"PUT": davbackend.Embedded, "MOVE": davbackend.Unknown} {
		t.Run(method, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), profile)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.OnlyOffice)
			g.server.Forget()
			g.server.Quirks.Fail(upstream.Fault{Method: method, LoseAnswer: true, Times: 1})
			o.mustPut("new")
			if n := g.server.Count("PUT"); n != 1 {
				t.Errorf("%d PUTs, want 1", n)
			}
			if n := g.server.Count("MOVE"); n > 1 {
				t.Errorf("%d MOVEs", n)
			}
		})
	}
}

// TestMoveTookTheTarget: on x/net-based servers a MOVE removes the target first.
func TestMoveTookTheTarget(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Times: 1, Status: 500, Before: func() { g.remove("a.txt") }})
	o.mustPut("new")
	g.wantOn("a.txt", "new")
	if got := g.names(); len(got) != 1 {
		t.Errorf("the folder holds %v", got)
	}
	if e := g.target("a.txt").File; e.ID != o.target.File.ID {
		t.Errorf("the file is %s now, was %s", e.ID, o.target.File.ID)
	}
}

func (g *rig) remove(name string) {
	g.t.Helper()
	res, err := g.view.Stat(g.t.Context(), dav.Path("/"+name))
	if err != nil {
		g.t.Error(err)
		return
	}
	c := davbackend.Condition{}
	if len(res.Locks) > 0 {
		c.Token = res.Locks[0].Token
	}
	if err := g.view.Delete(g.t.Context(), dav.Path("/"+name), c); err != nil {
		g.t.Error(err)
	}
}

func TestFileGoneInALiveEditing(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		for _, office := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft, wopi.TextEditor} {
			t.Run(office.String(), func(t *testing.T) {
				name := office.String() + ".txt"
				g.server.Write(t, name, "old")
				o := g.open(name, office)
				g.remove(name)
				_, err := o.put("work")
				c := conflictOf(t, err)
				if !strings.HasPrefix(c.Copy, office.String()+" (recovered Ann ") || c.Outside.Number != 0 {
					t.Errorf("conflict is %+v", c)
				}
				if c.Ask != (office == wopi.Collabora) || c.Diverted != (office == wopi.OnlyOffice) {
					t.Errorf("conflict is %+v", c)
				}
				g.wantOn(c.Copy, "work")
				// Its own ID, and replaced by the next save.
				if e := g.target(c.Copy).File; e.ID == o.target.File.ID {
					t.Error("the recovered copy has the file's ID")
				}
				_, err = o.put("more work")
				if again := conflictOf(t, err); again.Copy != c.Copy {
					t.Errorf("the next save went to %q, the first to %q", again.Copy, c.Copy)
				}
				g.wantOn(c.Copy, "more work")
			})
		}
	})
}

func TestFolderGone(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "d/a.txt", "old")
		o := g.open("d/a.txt", wopi.Microsoft)
		g.remove("d/a.txt")
		g.remove("d")
		_, err := o.put("work")
		if c := conflictOf(t, err); c.Copy != "" {
			t.Errorf("a copy %q in a folder that is gone", c.Copy)
		}
		g.wantState("work", stateConflict)
	})
}

func TestShadowLostAtTheUpstream(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.server.DropLocks(t, "/a.txt") // a restart
		o.mustPut("new")
		g.wantOn("a.txt", "new")
		if st, _ := g.locks.State(t.Context(), o.target.File.ID); st.Shadow.Lost {
			t.Errorf("the shadow is %+v", st.Shadow)
		}
		t.Run("and somebody else locked and wrote", func(t *testing.T) {
			g.server.DropLocks(t, "/a.txt")
			lock, _, err := g.view.Lock(t.Context(), "/a.txt", davbackend.LockRequest{Owner: "Word on a desk", Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			g.server.Write(t, "a.txt", "theirs")
			_, err = o.put("mine")
			c := conflictOf(t, err)
			g.wantOn("a.txt", "theirs")
			g.wantOn(c.Copy, "mine")
			if err := g.view.Unlock(t.Context(), "/a.txt", lock.Token); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// TestForeignLockThatLasts counts as a change from outside (DESIGN 7.6).
func TestForeignLockThatLasts(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		g.server.DropLocks(t, "/a.txt")
		if _, _, err := g.view.Lock(t.Context(), "/a.txt", davbackend.LockRequest{Owner: "Word on a desk", Timeout: time.Minute}); err != nil {
			t.Fatal(err)
		}
		_, err := o.put("mine")
		g.somewhere("mine")
		g.wantOn("a.txt", "old")
		var m *locks.MismatchError
		var c *ConflictError
		if !errors.As(err, &c) && !errors.As(err, &m) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestNoRoomForTheTemp(t *testing.T) {
	body := letters(5000)
	for _, c := range []struct {
		what  string
		quota int64
		fault *upstream.Fault
		want  string // of a.txt
		saved bool
	}{
		{"no quota is known: refused", -1, nil, "old contents", false},
		{"it would not fit: refused", 100, nil, "old contents", false},
		{"it fits: in place", 10_000, nil, body, true},
		{"it fits, and breaks off for good: the old contents are put back", 10_000,
			&upstream.Fault{Method: "PUT", Name: "a.txt", Truncate: true, After: 10}, "", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Unknown)
			g.server.Write(t, "a.txt", "old contents")
			o := g.open("a.txt", wopi.Collabora)
			g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Name: tempPrefix, Status: 507})
			if c.fault != nil {
				g.server.Quirks.Fail(*c.fault)
			}
			quotaOf(g, c.quota)
			_, err := o.put(body)
			g.somewhere(body)
			if c.saved && err != nil {
				t.Fatal(err)
			}
			if !c.saved {
				keptEntry(t, err)
			}
			if c.want != "" {
				g.wantOn("a.txt", c.want)
			}
			g.wantState("old contents", statePreimage)
			g.wantNoTemps()
		})
	}
}

func TestLeaseHeldForTooLong(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.OnlyOffice)
	lease, err := g.locks.Lease(t.Context(), o.target.File.ID, "another save", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	g.saves.Patience = 30 * time.Millisecond
	_, err = o.put("waits for longer than its patience")
	lease.Release()
	if k := keptEntry(t, err); !errors.Is(k, locks.ErrBusy) {
		t.Errorf("kept for %v", k.Err)
	}
	g.wantState("waits for longer than its patience", stateUnacknowledged)
	g.wantOn("a.txt", "old")
}
