package locks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/test/upstream"
)

func TestLockTakesADAVLock(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	h.server.Forget()
	ok(t, h.Lock(context.Background(), target, anna, "A"))
	if n := len(h.server.Requests()); n != 2 {
		t.Errorf("%d trips after the PROPFIND, want LOCK and its refresh", n)
	}
	locks := h.davLocks("/a.docx")
	if len(locks) != 1 || !locks[0].Exclusive || locks[0].Infinite {
		t.Fatalf("locks %+v, want one exclusive of depth 0", locks)
	}
	if !strings.HasPrefix(locks[0].Owner, "Anna via davwopi ") || !carries(locks[0].Owner, h.row(f).nonce) {
		t.Errorf("owner %q", locks[0].Owner)
	}
	r := h.row(f)
	if locks[0].Token != r.token || r.phase != held || locks[0].Timeout <= firstGrant {
		t.Errorf("row %+v, lock %+v", r, locks[0])
	}
	if err := h.view().Put(context.Background(), "/a.docx", davbackend.Body{Open: noBytes}, davbackend.Condition{}); !errors.Is(err, dav.ErrLocked) {
		t.Errorf("a stranger's PUT: %v, want locked", err)
	}
}

func TestNonceIsStoredFirstAndTheFirstLockIsShort(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	var before *row
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() { before = h.row(f) }})
	var stored *row
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() { stored = h.row(f) }})
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	var asked []string
	for _, r := range h.server.Requests() {
		if r.Method == "LOCK" {
			asked = append(asked, r.Header.Get("Timeout"))
		}
	}
	if fmt.Sprint(asked) != "[Second-60 Second-1800]" {
		t.Errorf("asked for %v", asked)
	}
	if before == nil || before.phase != taking || before.nonce == "" || before.token != "" {
		t.Fatalf("row before the first LOCK: %+v", before)
	}
	if stored == nil || stored.phase != held || stored.token == "" || stored.nonce != before.nonce {
		t.Errorf("row before the refresh: %+v", stored)
	}
}

func TestLongGrantNeedsNoSecondTrip(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.LockSays = "Second-3600" }) // nginx
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	if n := h.server.Count("LOCK"); n != 1 {
		t.Errorf("%d LOCKs", n)
	}
}

func TestUnknownUpstreamIsLookedAtAfterLock(t *testing.T) {
	h := newHouse(t)
	h.ups.List[0].Client.Learn(davbackend.Unknown)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	h.server.Forget()
	ok(t, h.Lock(context.Background(), target, anna, "A"))
	if h.server.Count("LOCK") != 1 || h.server.Count("PROPFIND") != 1 {
		t.Errorf("%d LOCK, %d PROPFIND: want no more than 3 trips with the one before", h.server.Count("LOCK"), h.server.Count("PROPFIND"))
	}
	h.tend() // the long time is asked for at once
	if got := h.davLocks("/a.docx")[0].Timeout; got <= firstGrant {
		t.Errorf("granted %v", got)
	}
}

func TestUnknownGrantCountsAsTenMinutes(t *testing.T) {
	for _, says := range []string{"Infinite", "Second-0", "Second-"} {
		h := newHouse(t)
		f := h.file("a.docx", "hello")
		h.server.Quirks.Set(func(q *upstream.Quirks) { q.LockSays = says })
		ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
		if got := h.row(f).granted.Sub(h.clock.read()); got > unknownGrant || got < unknownGrant-time.Second {
			t.Errorf("%q counts as %v", says, got)
		}
	}
}

func TestOfTwoLocksAtOnceOneWinsAndTheOtherLearnsItsID(t *testing.T) {
	h := newHouse(t)
	second := h.restart()
	for round := range 4 {
		f := h.file(fmt.Sprintf("%d.docx", round), "hello")
		target := h.target(f)
		// The upstream takes its time, so that all rivals meet the row `taking`.
		h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() { time.Sleep(30 * time.Millisecond) }})
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range errs {
			book := h.Locks
			if i%2 == 1 {
				book = second
			}
			wg.Go(func() {
				errs[i] = book.Lock(context.Background(), target, anna, wopi.LockID(fmt.Sprint("lock-", i)))
			})
		}
		wg.Wait()
		winner := wopi.LockID("")
		for i, err := range errs {
			if err == nil {
				if winner != "" {
					t.Fatal("two winners")
				}
				winner = wopi.LockID(fmt.Sprint("lock-", i))
			}
		}
		for _, err := range errs {
			if err != nil {
				is409(t, err, winner)
			}
		}
		if n := len(h.davLocks(target.File.Path)); n != 1 {
			t.Errorf("%d DAV locks", n)
		}
	}
}

func TestSameIDFromTwoAtOnceIsOneLock(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	var wg sync.WaitGroup
	for _, a := range []Actor{anna, ben} { // ONLYOFFICE's IDs are deterministic
		wg.Go(func() {
			if err := h.Lock(context.Background(), target, a, "A"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	members, err := h.Members(context.Background())
	if ok(t, err); len(members) != 2 {
		t.Errorf("members %v", members)
	}
}

func TestRivalOfAStuckTakingLearnsTheIDInTheEnd(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	h.k.patience = 20 * time.Millisecond
	release := make(chan struct{})
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() { <-release }})
	first := make(chan error)
	go func() { first <- h.Lock(context.Background(), target, anna, "A") }()
	for h.row(f) == nil {
		time.Sleep(time.Millisecond)
	}
	is409(t, h.Lock(context.Background(), target, ben, "B"), "A")
	close(release)
	ok(t, <-first)
}

func TestForeignDAVLockIsNamed(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	token := h.foreign("/a.docx", "Zoe's Mac")
	target := h.target(f)
	m := is409(t, h.Lock(context.Background(), target, anna, "A"), "")
	if !m.Foreign || m.Reason != "locked by Zoe's Mac on the file server" {
		t.Errorf("%+v", m)
	}
	if h.row(f) != nil || h.count("locks_editing") != 0 {
		t.Error("a refused Lock leaves a row or an editing")
	}
	state, err := h.State(context.Background(), f)
	if ok(t, err); !strings.Contains(state.Foreign, "Zoe's Mac") {
		t.Errorf("state %+v", state)
	}
	ok(t, h.view().Unlock(context.Background(), "/a.docx", token))
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	if state, err = h.State(context.Background(), f); err != nil || state.Foreign != "" {
		t.Errorf("state %+v, %v", state, err)
	}
}

func TestUpstreamWithoutLockLeavesTheRowAlone(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.NoLock = true })
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	is409(t, h.Lock(ctx, h.target(f), anna, "B"), "A")
	state, err := h.State(ctx, f)
	if ok(t, err); state.Shadow.Token != "" || state.Shadow.Lost {
		t.Errorf("shadow %+v", state.Shadow)
	}
	ok(t, h.put(f, anna, id("A")))
	for range 3 { // the keeper has nothing to refresh, but sees to the expiry
		h.clock.forward(20 * time.Minute)
		ok(t, h.Refresh(ctx, h.target(f), anna, "A"))
		h.tend()
	}
	h.clock.forward(Life)
	h.tend()
	if h.row(f) != nil {
		t.Error("an expired row stays")
	}
	if problems := h.told.all(); len(problems) != 0 {
		t.Errorf("heard %q", problems)
	}
}

// gone moves the file away behind our back, between PROPFIND and LOCK.
func (h *house) gone(t *testing.T, name string, target Target) {
	ok(t, h.view().Move(context.Background(), target.File.Path, dav.Path("/"+name), false, davbackend.Condition{}, davbackend.Condition{}))
}

func TestLockThatCreatedAnEmptyFileIsUndone(t *testing.T) {
	for name, seen := range map[string]bool{"after a PROPFIND": true, "without one": false} {
		for _, quiet := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " quiet ", quiet), func(t *testing.T) {
				h := newHouse(t)
				if quiet { // no embedded server does so
					h.ups.List[0].Client.Learn(davbackend.Unknown)
				}
				h.server.Quirks.Set(func(q *upstream.Quirks) { q.LockQuietCreate = quiet })
				f := h.file("a.docx", "hello")
				target := h.target(f)
				if !seen {
					target.Seen = dav.Resource{}
				}
				h.gone(t, "b.docx", target)
				err := h.Lock(context.Background(), target, anna, "A")
				if !errors.Is(err, dav.ErrNotFound) {
					t.Fatalf("%v, want not found", err)
				}
				if h.row(f) != nil || h.count("locks_editing") != 0 {
					t.Error("a row or an editing stays")
				}
				_, there := h.server.Read(t, "a.docx")
				if there {
					t.Error("the empty file stays")
				}
				ok(t, h.Lock(context.Background(), h.target(f), anna, "A")) // found again
				if got := h.row(f).path; got != "/b.docx" {
					t.Errorf("locked at %s", got)
				}
			})
		}
	}
}

func TestWhatSomebodyPutIntoTheEmptyFileStays(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	h.gone(t, "b.docx", target)
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Then: func() { h.server.Write(t, "a.docx", "a stranger's") }})
	if err := h.Lock(context.Background(), target, anna, "A"); !errors.Is(err, dav.ErrNotFound) {
		t.Fatalf("%v, want not found", err)
	}
	if got, _ := h.server.Read(t, "a.docx"); got != "a stranger's" {
		t.Errorf("the stranger's file holds %q", got)
	}
	if len(h.davLocks("/a.docx")) != 0 {
		t.Error("our lock stays on it")
	}
}

// A LOCK whose answer is lost may or may not have happened.
func TestLockWithoutAnAnswerLeavesNothing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, LoseAnswer: true})
	ctx := context.Background()
	if err := h.Lock(ctx, h.target(f), anna, "A"); !errors.Is(err, dav.ErrUnavailable) {
		t.Fatalf("%v, want unavailable", err)
	}
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 1 {
		t.Fatal("want no row, and the DAV lock that nobody knows")
	}
	h.tend()
	if len(h.davLocks("/a.docx")) != 0 || h.count("locks_intent") != 0 {
		t.Error("the DAV lock with our nonce was not released")
	}
}

func TestNextLockReleasesWhatIsProvablyOurs(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, LoseAnswer: true})
	ctx := context.Background()
	if err := h.Lock(ctx, h.target(f), anna, "A"); !errors.Is(err, dav.ErrUnavailable) {
		t.Fatalf("%v, want unavailable", err)
	}
	ok(t, h.Lock(ctx, h.target(f), anna, "B")) // before any keeper has come by
	if locks := h.davLocks("/a.docx"); len(locks) != 1 || locks[0].Token != h.row(f).token {
		t.Errorf("locks %+v", locks)
	}
	h.tend()
	if h.count("locks_intent") != 0 || len(h.davLocks("/a.docx")) != 1 {
		t.Error("the intent did harm, or stays")
	}
}

func TestWhereNoOwnerIsShownTheFileIsLockedByOurselves(t *testing.T) {
	for name, quirk := range map[string]func(*upstream.Quirks){
		"nginx":  func(q *upstream.Quirks) { q.HideOwner = true },
		"rclone": func(q *upstream.Quirks) { q.HideLocks = true },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			h.server.Quirks.Set(quirk)
			h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, LoseAnswer: true})
			ctx := context.Background()
			if err := h.Lock(ctx, h.target(f), anna, "A"); !errors.Is(err, dav.ErrUnavailable) {
				t.Fatalf("%v, want unavailable", err)
			}
			m := is409(t, h.Lock(ctx, h.target(f), anna, "B"), "")
			if !strings.HasPrefix(m.Reason, "locked by ourselves until ") {
				t.Errorf("reason %q", m.Reason)
			}
			h.tend()
			if h.count("locks_intent") != 1 || len(h.server.Requests()) == 0 {
				t.Error("the intent must wait for the time to pass")
			}
			h.clock.forward(2 * time.Minute)
			h.server.DropLocks(t, "/a.docx") // it has run out
			h.tend()
			if h.count("locks_intent") != 0 {
				t.Error("the intent stays")
			}
			ok(t, h.Lock(ctx, h.target(f), anna, "B"))
		})
	}
}

func TestSlowUpstreamDoesNotLoseTheTaking(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	// The process sleeps for longer than the row lives, and another takes over.
	rival := h.restart()
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Then: func() {
		h.clock.forward(2 * takingFor)
		if err := rival.Lock(context.Background(), target, ben, "B"); err != nil {
			t.Errorf("the rival: %v", err)
		}
	}})
	is409(t, h.Lock(context.Background(), target, anna, "A"), "B")
	h.tend()
	locks := h.davLocks("/a.docx")
	if len(locks) != 1 || locks[0].Token != h.row(f).token || h.row(f).lock.ID != "B" {
		t.Errorf("row %+v, locks %+v", h.row(f), locks)
	}
	if h.count("locks_intent") != 0 {
		t.Error("intents stay")
	}
}

func TestLockThatCameTooLateIsReleasedByItsToken(t *testing.T) {
	h := newHouse(t)
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.HideOwner = true }) // no nonce to know it by
	f := h.file("a.docx", "hello")
	target := h.target(f)
	rival := h.restart()
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Then: func() {
		h.clock.forward(2 * takingFor)
		if err := rival.Tend(context.Background()); err != nil { // gives the sleeper up
			t.Error(err)
		}
	}})
	h.k.patience = 0 // the sleeper does not try again
	if err := h.Lock(context.Background(), target, anna, "A"); err == nil {
		t.Fatal("locked by a process that was given up")
	}
	h.tend()
	if locks := h.davLocks("/a.docx"); len(locks) != 0 || h.row(f) != nil {
		t.Errorf("row %+v, locks %+v", h.row(f), locks)
	}
}

func TestTokenThatIsBeingTakenOverIsNotReleased(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	token := h.row(f).token
	h.clock.forward(Life)
	keeper := h.restart()
	during := false
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() {
		during = h.row(f).phase == taking
		if err := keeper.Tend(ctx); err != nil {
			t.Error(err)
		}
	}})
	ok(t, h.Lock(ctx, h.target(f), anna, "B"))
	if !during || h.row(f).token != token {
		t.Fatalf("during %v, row %+v; want its token taken over", during, h.row(f))
	}
	h.clock.forward(time.Minute)
	h.tend()
	if locks := h.davLocks("/a.docx"); len(locks) != 1 || h.count("locks_intent") != 0 {
		t.Errorf("locks %+v, %d intents", locks, h.count("locks_intent"))
	}
}

func TestIntentToReleaseALockThatARowHasDoesNothing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	r := h.row(f)
	byToken, _ := r.leave()
	byNonce := r.mayHave(Target{})
	ok(t, h.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := addLeftover(ctx, tx, kindUnlock, r, byToken, 0, noon)
		if err == nil {
			_, err = addLeftover(ctx, tx, kindLock, r, byNonce, 0, noon)
		}
		return err
	}))
	h.tend()
	if len(h.davLocks("/a.docx")) != 1 || h.count("locks_intent") != 0 {
		t.Errorf("locks %+v, %d intents", h.davLocks("/a.docx"), h.count("locks_intent"))
	}
}

func TestTokenOfAnotherPlaceIsNotTakenOver(t *testing.T) {
	h := newHouse(t)
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.RefreshLies = true }) // lighttpd takes any token
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(Life)
	h.server.DropLocks(t, "/a.docx")
	h.gone(t, "b.docx", h.target(f))
	h.target(f)                      // found there
	h.file("a.docx", "a stranger's") // and another file at its old place
	ok(t, h.Lock(ctx, h.target(f), anna, "B"))
	if r, locks := h.row(f), h.davLocks("/b.docx"); r.path != "/b.docx" || len(locks) != 1 || locks[0].Token != r.token {
		t.Errorf("row %+v, locks %+v", r, locks)
	}
}

func TestTakingIsRenewedWhileTheUpstreamTakesItsTime(t *testing.T) {
	h := newHouse(t)
	h.k.renew = 2 * time.Millisecond
	f := h.file("a.docx", "hello")
	target := h.target(f)
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() { // disks that spin up
		for range 3 {
			h.clock.forward(takingFor - time.Second)
			for end := time.Now().Add(5 * time.Second); !h.row(f).takingUntil.After(h.clock.read().Add(takingFor / 2)); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Error("not renewed")
					return
				}
			}
		}
	}})
	ok(t, h.Lock(context.Background(), target, anna, "A"))
}

func TestClientThatHangsUpLeavesNothing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	ctx, cancel := context.WithCancel(context.Background())
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Then: cancel, LoseAnswer: true})
	if err := h.Lock(ctx, target, anna, "A"); err == nil {
		t.Fatal("no error")
	}
	h.tend()
	h.clock.forward(2 * time.Minute)
	h.tend()
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 || h.count("locks_intent") != 0 {
		t.Errorf("row %+v, locks %+v, %d intents", h.row(f), h.davLocks("/a.docx"), h.count("locks_intent"))
	}
}

func TestOtherEditorIsRefusedEvenWithAnEqualLockID(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	for name, do := range map[string]func() error{
		"Lock":            func() error { return h.Lock(ctx, h.target(f), elsewhere(anna), "A") },
		"RefreshLock":     func() error { return h.Refresh(ctx, h.target(f), elsewhere(anna), "A") },
		"PutFile":         func() error { return h.put(f, elsewhere(anna), id("A")) },
		"Unlock":          func() error { return h.Unlock(ctx, h.target(f), elsewhere(anna), "A") },
		"UnlockAndRelock": func() error { return h.Relock(ctx, h.target(f), elsewhere(anna), "A", "B") },
	} {
		if m := is409(t, do(), ""); !strings.Contains(m.Reason, "another editor ("+docs+")") || !m.Foreign {
			t.Errorf("%s: %+v", name, m)
		}
	}
	script := anna
	script.Editor = "" // a script is an editor of its own
	is409(t, h.Lock(ctx, h.target(f), script, "A"), "")
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	ok(t, h.Lock(ctx, h.target(f), script, "A"))
	if m := is409(t, h.Lock(ctx, h.target(f), anna, "A"), ""); !strings.Contains(m.Reason, "script") {
		t.Errorf("%+v", m)
	}
}

func TestRefreshMakesNoTrip(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	ok(t, h.Lock(context.Background(), target, anna, "A"))
	h.server.Forget()
	ok(t, h.Refresh(context.Background(), target, anna, "A"))
	ok(t, h.Lock(context.Background(), target, anna, "A")) // Collabora refreshes so
	if _, err := h.Get(context.Background(), target, anna); err != nil {
		t.Error(err)
	}
	if r := h.server.Requests(); len(r) != 0 {
		t.Errorf("requests %+v", r)
	}
}
