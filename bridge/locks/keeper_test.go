package locks

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/test/upstream"
)

func TestKeeperRefreshesAtHalfOfTheTimeGranted(t *testing.T) {
	h := newHouse(t)
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.LockCap = 10 * time.Minute }) // lighttpd
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.Forget()
	h.clock.forward(5*time.Minute - time.Second)
	h.tend()
	if n := h.server.Count("LOCK"); n != 0 {
		t.Errorf("refreshed before half of the time")
	}
	h.clock.forward(2 * time.Second)
	h.tend()
	h.tend() // once is enough
	if n := h.server.Count("LOCK"); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	if got := h.row(f).granted.Sub(h.clock.read()); got < 9*time.Minute {
		t.Errorf("granted for %v more", got)
	}
}

// The machine's clock was hours ahead, and is set right. What was given until then ends in
// its time all the same, and what has to be looked after is.
func TestClockIsSetBack(t *testing.T) {
	h := newHouse(t)
	left, kept, died := h.file("a.docx", "hello"), h.file("b.docx", "hello"), h.file("c.docx", "hello")
	ctx := context.Background()
	h.tend()
	ok(t, h.Lock(ctx, h.target(left), anna, "A")) // nobody comes back to it
	ok(t, h.Lock(ctx, h.target(kept), anna, "A"))
	ok(t, h.Lock(ctx, h.target(died), anna, "A"))
	holding, dies := context.WithCancel(ctx)
	if _, err := h.Lease(holding, died, "put", 0); err != nil {
		t.Fatal(err)
	}
	dies()
	other := h.restart()
	if mine, err := h.claim(ctx, kept, h.clock.read().Add(keeperFor), h.clock.read()); err != nil || !mine {
		t.Fatal(mine, err)
	}
	h.clock.forward(-5 * time.Hour)
	tend := func(d time.Duration) {
		h.clock.forward(d)
		if err := other.Tend(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		tend(10 * time.Minute)
		ok(t, other.Refresh(ctx, h.target(kept), anna, "A"))
	}
	if r := h.row(left); r != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Errorf("40 minutes later there is %+v, and on the upstream %+v", r, h.davLocks("/a.docx"))
	}
	if r := h.row(kept); r == nil || !r.granted.After(h.clock.read()) || r.granted.Sub(h.clock.read()) > shadowGrant {
		t.Errorf("the lock that goes on: %+v", r)
	}
	if x, err := other.Lease(ctx, died, "put", 0); err != nil {
		t.Errorf("the lease of the dead: %v", err)
	} else {
		x.Release()
	}
}

func TestOnlyOneKeeperLooksAfterARow(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	other := h.restart()
	h.clock.forward(16 * time.Minute)
	h.server.Forget()
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() {
		if err := other.Tend(context.Background()); err != nil { // while the first is at it
			t.Error(err)
		}
	}})
	h.tend()
	if n := h.server.Count("LOCK"); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

func TestRestartedBridgeAdoptsRows(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	token := h.row(f).token
	// The keeper died in the middle of its work.
	if mine, err := h.claim(ctx, f, h.clock.read().Add(keeperFor), h.clock.read()); err != nil || !mine {
		t.Fatal(mine, err)
	}
	next := h.restart()
	h.clock.forward(16 * time.Minute)
	ok(t, next.Refresh(ctx, h.target(f), anna, "A"))
	ok(t, next.Tend(ctx))
	if h.row(f).token != token || !h.row(f).granted.After(h.clock.read().Add(20*time.Minute)) {
		t.Errorf("row %+v", h.row(f))
	}
	ok(t, next.Unlock(ctx, h.target(f), anna, "A"))
}

func TestExpiredLockIsReleasedUpstreamAndTheEditingLivesOn(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(Life - time.Second)
	h.tend()
	if len(h.davLocks("/a.docx")) != 1 {
		t.Fatal("released too early")
	}
	h.clock.forward(time.Second)
	h.restart().Tend(ctx) // another process sees to it
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Errorf("row %+v, locks %+v", h.row(f), h.davLocks("/a.docx"))
	}
	state, err := h.State(ctx, f)
	if ok(t, err); state.Editing == nil || state.Lock.ID != "" {
		t.Errorf("state %+v", state)
	}
}

func TestDroppedLockIsTakenAgain(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	token := h.row(f).token
	h.server.DropLocks(t, "/a.docx") // the upstream was restarted
	h.clock.forward(16 * time.Minute)
	h.tend()
	locks, r := h.davLocks("/a.docx"), h.row(f)
	if len(locks) != 1 || locks[0].Token != r.token || r.token == token || r.lost || !carries(locks[0].Owner, r.nonce) {
		t.Errorf("row %+v, locks %+v", r, locks)
	}
	if h.count("locks_intent") != 0 {
		t.Error("an intent stays")
	}
}

func TestDroppedLockOfAFileThatWasChangedIsNotTakenAgain(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	h.server.DropLocks(t, "/a.docx")
	h.server.Write(t, "a.docx", "changed by somebody")
	h.clock.forward(16 * time.Minute)
	h.tend()
	if r := h.row(f); !r.lost || r.phase != held || len(h.davLocks("/a.docx")) != 0 {
		t.Errorf("row %+v", r)
	}
}

func TestDroppedLockThatSomebodyElseTookIsLost(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.DropLocks(t, "/a.docx")
	token := h.foreign("/a.docx", "Zoe")
	h.clock.forward(16 * time.Minute)
	h.tend()
	state, err := h.State(ctx, f)
	if ok(t, err); !state.Shadow.Lost || state.Shadow.Token != "" || !strings.Contains(state.Foreign, "Zoe") || state.Lock.ID != "A" {
		t.Errorf("state %+v", state)
	}
	// A save is kept as an outside change for as long as Zoe holds the file,
	var superseded *SupersededError
	if err := h.put(f, anna, id("A")); !errors.As(err, &superseded) {
		t.Errorf("PutFile: %v, want superseded", err)
	}
	is409(t, superseded, "")
	// and the keeper takes the lock again when she has gone.
	ok(t, h.view().Unlock(ctx, "/a.docx", token))
	ok(t, h.Refresh(ctx, h.target(f), anna, "A"))
	h.clock.forward(11 * time.Minute)
	h.tend()
	if r := h.row(f); r.lost || len(h.davLocks("/a.docx")) != 1 {
		t.Errorf("row %+v", r)
	}
}

func TestUpstreamThatIsDownNeverCostsTheRow(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	target := h.target(f)
	ok(t, h.Lock(ctx, target, anna, "A"))
	h.server.Quirks.Fail(upstream.Fault{Status: 503})
	for range 40 {
		h.clock.forward(2 * time.Minute)
		h.tend()
		ok(t, h.Refresh(ctx, target, anna, "A"))
	}
	if r := h.row(f); r == nil || !r.locked(h.clock.read()) || r.token == "" || r.tries == 0 {
		t.Fatalf("row %+v", r)
	}
	if n := h.server.Count("LOCK"); n > 45 || n < 20 {
		t.Errorf("%d tries in 80 minutes", n)
	}
	h.server.Quirks.Reset() // the NAS has rebooted
	h.server.DropLocks(t, "/a.docx")
	h.clock.forward(2 * time.Minute)
	h.tend()
	if r := h.row(f); r.lost || len(h.davLocks("/a.docx")) != 1 {
		t.Errorf("row %+v", r)
	}
}

// A crash at each point between the database and the upstream: the process's
// knowledge is gone, another one finds only the rows.
func TestCrashWhileTaking(t *testing.T) {
	ctx := context.Background()
	for name, reached := range map[string]bool{"before LOCK": false, "after LOCK, before its token was stored": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			k := &taker{l: h.Locks, t: h.target(f), a: anna, id: "A", byLock: true}
			r, err := k.announceTaking(ctx)
			ok(t, err)
			if reached {
				_, err := h.ask(ctx, k.t, "Anna", r)
				ok(t, err)
			}
			next := h.restart()
			h.clock.forward(takingFor + time.Second)
			ok(t, next.Tend(ctx))
			if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
				t.Fatalf("row %+v, locks %+v", h.row(f), h.davLocks("/a.docx"))
			}
			h.clock.forward(2 * firstGrant)
			ok(t, next.Tend(ctx))
			if h.count("locks_intent") != 0 {
				t.Error("an intent stays")
			}
			ok(t, next.Lock(ctx, h.target(f), ben, "B"))
		})
	}
}

func TestCrashWhileTakingIsOvercomeByTheNextLock(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	k := &taker{l: h.Locks, t: h.target(f), a: anna, id: "A", byLock: true}
	r, err := k.announceTaking(ctx)
	ok(t, err)
	_, err = h.ask(ctx, k.t, "Anna", r)
	ok(t, err)
	next := h.restart()
	h.clock.forward(takingFor + time.Second)
	ok(t, next.Lock(ctx, h.target(f), ben, "B")) // no keeper has come by
	if locks := h.davLocks("/a.docx"); len(locks) != 1 || locks[0].Token != h.row(f).token {
		t.Errorf("locks %+v", locks)
	}
}

func TestCrashAfterTheTokenWasStored(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx, cancel := context.WithCancel(context.Background())
	// The refresh to 30 minutes never comes.
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Name: "a.docx", Times: 1, Then: func() {
		h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: cancel, Status: 503})
	}})
	_ = h.Lock(ctx, h.target(f), anna, "A")
	next := h.restart()
	h.clock.forward(31 * time.Second)
	ok(t, next.Tend(context.Background()))
	r := h.row(f)
	if r.phase != held || r.granted.Sub(h.clock.read()) < 29*time.Minute {
		t.Errorf("row %+v", r)
	}
}

func TestCrashWhileUnlocking(t *testing.T) {
	ctx := context.Background()
	for name, reached := range map[string]bool{"before UNLOCK": false, "after UNLOCK": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			r := h.row(f)
			_, err := h.startReleasing(ctx, r, true, h.clock.read())
			ok(t, err)
			if reached {
				ok(t, h.view().Unlock(ctx, "/a.docx", r.token))
			}
			next := h.restart()
			h.clock.forward(time.Minute)
			ok(t, next.Tend(ctx))
			if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
				t.Errorf("row %+v, locks %+v", h.row(f), h.davLocks("/a.docx"))
			}
		})
	}
}

func TestFailedUnlockLeavesTheTokenToTheKeeper(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Status: 503})
	ok(t, h.Unlock(ctx, h.target(f), anna, "A")) // the file is unlocked for WOPI
	if r := h.row(f); r == nil || r.phase != releasing || r.token == "" {
		t.Fatalf("row %+v, want releasing with its token", r)
	}
	if got, err := h.Get(ctx, h.target(f), anna); err != nil || got != "" {
		t.Errorf("GetLock %q, %v", got, err)
	}
	is409(t, h.Unlock(ctx, h.target(f), anna, "A"), "")
	h.clock.forward(time.Minute)
	h.tend()
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Errorf("row %+v, locks %+v", h.row(f), h.davLocks("/a.docx"))
	}
}

func TestNewLockTakesOverTheTokenThatIsReleasing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	for name, next := range map[string]Actor{"the same person": anna, "somebody else": ben} {
		ok(t, h.Lock(ctx, h.target(f), anna, "A"))
		token := h.row(f).token
		h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Status: 503})
		ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
		ok(t, h.Lock(ctx, h.target(f), next, "B"))
		r, locks := h.row(f), h.davLocks("/a.docx")
		if len(locks) != 1 || locks[0].Token != r.token || !carries(locks[0].Owner, r.nonce) {
			t.Errorf("%s: row %+v, locks %+v", name, r, locks)
		}
		if same := r.token == token; same != (next.UserID == anna.UserID) {
			t.Errorf("%s: the same token: %v", name, same)
		}
		h.clock.forward(time.Minute)
		h.tend() // must not release what was taken over
		if h.count("locks_intent") != 0 || len(h.davLocks("/a.docx")) != 1 {
			t.Errorf("%s: %d intents, locks %+v", name, h.count("locks_intent"), h.davLocks("/a.docx"))
		}
		ok(t, h.Unlock(ctx, h.target(f), next, "B"))
	}
}

func TestKeeperWaitsForASaveBeforeItReleases(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(Life - time.Second)
	x, err := h.Lease(ctx, f, "put", 0)
	ok(t, err)
	p, err := h.Permit(ctx, x, h.target(f), anna, id("A"))
	ok(t, err)
	h.clock.forward(2 * time.Second) // the lock expires while bytes flow
	ok(t, x.Check(ctx))
	h.tend()
	ok(t, h.view().Put(ctx, "/a.docx", davbackend.Body{Open: noBytes}, davbackend.Condition{Token: p.Token}))
	x.Release()
	h.clock.forward(10 * time.Second)
	h.tend()
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Error("not released afterwards")
	}
}

// Whoever has read the row before the keeper began to release its DAV lock must
// not take that lock over any more.
func TestRowIsNotTakenOverWhileItsLockIsReleased(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(Life)
	h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Status: 503})
	h.tend()
	h.clock.forward(time.Minute)
	k := &taker{l: h.restart(), t: h.target(f), a: anna, id: "B", byLock: true, old: h.row(f)}
	var err error
	h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Before: func() { _, err = k.take(ctx) }})
	h.tend()
	if !errors.Is(err, errRaced) {
		t.Errorf("%v, want errRaced", err)
	}
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Errorf("row %+v, locks %+v", h.row(f), h.davLocks("/a.docx"))
	}
}

func TestLockWaitsForASaveThatUsesTheToken(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	target := h.target(f)
	ok(t, h.Lock(ctx, target, anna, "A"))
	x, err := h.Lease(ctx, f, "put", 0)
	ok(t, err)
	p, err := h.Permit(ctx, x, target, anna, id("A"))
	ok(t, err)
	h.clock.forward(Life)
	ok(t, x.Check(ctx))
	other := h.restart()
	done := make(chan error)
	go func() { done <- other.Lock(ctx, target, ben, "B") }()
	select {
	case err := <-done:
		t.Fatalf("Lock took a token over that a save is using: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	ok(t, h.view().Put(ctx, "/a.docx", davbackend.Body{Open: noBytes}, davbackend.Condition{Token: p.Token}))
	x.Release()
	ok(t, <-done)
}

func TestRunEndsWithItsContext(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	h.clock.forward(Life)
	h.k.step = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- h.Run(ctx) }()
	for h.row(f) != nil {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

func TestLockedFileFoundAtANewPlaceIsLockedThere(t *testing.T) {
	h := newHouse(t)
	f := h.file("docs/a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	old := h.row(f).token
	// Somebody renames it. (This server would refuse; after a restart others do not.)
	h.server.DropLocks(t, "/docs/a.docx")
	ok(t, h.view().Move(ctx, "/docs/a.docx", "/docs/b.docx", false, davbackend.Condition{}, davbackend.Condition{}))
	h.clock.forward(16 * time.Minute)
	h.tend()
	r, locks := h.row(f), h.davLocks("/docs/b.docx")
	if r.path != "/docs/b.docx" || len(locks) != 1 || locks[0].Token != r.token || r.token == old || r.lost {
		t.Errorf("row %+v, locks %+v", r, locks)
	}
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
}

func TestKeeperDoesNotTrustARefreshAtThePlaceBefore(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.RefreshLies = true }) // lighttpd takes any token
	h.server.DropLocks(t, "/a.docx")
	h.gone(t, "b.docx", h.target(f))
	h.target(f) // somebody's listing has found it
	h.file("a.docx", "a stranger's")
	h.clock.forward(16 * time.Minute)
	h.tend()
	if r, locks := h.row(f), h.davLocks("/b.docx"); r.path != "/b.docx" || len(locks) != 1 || locks[0].Token != r.token {
		t.Errorf("row %+v, locks %+v", r, locks)
	}
}

func TestLockFollowsASaveToANewPlace(t *testing.T) {
	h := newHouse(t)
	f := h.file("docs/a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.DropLocks(t, "/docs/a.docx")
	ok(t, h.view().Move(ctx, "/docs/a.docx", "/docs/b.docx", false, davbackend.Condition{}, davbackend.Condition{}))
	ok(t, h.put(f, anna, id("A")))
	if r, locks := h.row(f), h.davLocks("/docs/b.docx"); r.path != "/docs/b.docx" || len(locks) != 1 || locks[0].Token != r.token {
		t.Errorf("row %+v, locks %+v", r, locks)
	}
	h.tend() // the old DAV lock's intent
	if h.count("locks_intent") != 0 {
		t.Error("an intent stays")
	}
}

func TestReleasedByAnAdministrator(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Release(ctx, f)) // nothing there: no error
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	rows, err := h.List(ctx)
	if ok(t, err); len(rows) != 1 || rows[0].File != f || rows[0].Phase != "held" || rows[0].Holder.UserID != "u-anna" || rows[0].Editing == nil {
		t.Errorf("list %+v", rows)
	}
	ok(t, h.Release(ctx, f))
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Error("not released")
	}
	state, err := h.State(ctx, f)
	if ok(t, err); state.Editing != nil {
		t.Error("the editing lives on")
	}
	is409(t, h.Refresh(ctx, h.target(f), anna, "A"), "")
}

func TestDatabaseErrorsComeUp(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	ctx := context.Background()
	ok(t, h.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DROP TABLE locks_row`)
		return err
	}))
	for name, err := range map[string]error{
		"Lock": h.Lock(ctx, target, anna, "A"), "Refresh": h.Refresh(ctx, target, anna, "A"),
		"Unlock": h.Unlock(ctx, target, anna, "A"), "Delete": h.Delete(ctx, target, anna),
		"MayWrite": h.MayWrite(ctx, target, anna, id("A")), "Tend": h.Tend(ctx),
	} {
		if err == nil || isMismatch(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.Move(ctx, target, anna, nil, dav.Path("/b.docx")); err == nil {
		t.Error("Move without a database")
	}
	if _, there := h.server.Read(t, "a.docx"); !there {
		t.Error("the file was deleted without a database to say so")
	}
}

// TestUnlockDuringARefresh: the editor unlocks while the keeper's refresh is on its way. A server that shows no owner (nginx)
// would keep what is taken after that until it runs out: nobody could say whose it is.
func TestUnlockDuringARefresh(t *testing.T) {
	h := newHouse(t)
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.HideOwner = true })
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(16 * time.Minute)
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() {
		ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	}})
	h.tend()
	if r := h.row(f); r != nil && r.phase == held {
		t.Errorf("row %+v", r)
	}
	if locks := h.target(f).Seen.Locks; len(locks) != 0 {
		t.Errorf("the upstream still has %+v", locks)
	}
	if n := h.count("locks_intent"); n != 0 {
		t.Errorf("%d intents are left", n)
	}
}
