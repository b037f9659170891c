package locks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

const file = idmap.FileID("aaaaaaaaaaaaaaaaaaaaaaaaaa")

// eachDB runs f on a lock book over SQLite and over PostgreSQL.
func eachDB(t *testing.T, f func(t *testing.T, h *house)) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { f(t, houseOn(t, db, upstream.Strict(t))) })
}

func TestLeaseIsForOneAtATime(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		second := h.restart()
		var inside, most atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			book := h.Locks
			if i%2 == 1 {
				book = second // another process
			}
			wg.Go(func() {
				x, err := book.Lease(ctx, file, "put", 20*time.Second)
				if err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), inside.Add(1)))
				if err := x.Check(ctx); err != nil {
					t.Error(err)
				}
				inside.Add(-1)
				x.Release()
				x.Release() // twice is once
			})
		}
		wg.Wait()
		if most.Load() != 1 {
			t.Errorf("%d held the lease at once", most.Load())
		}
	})
}

func TestOfManyWhoFindTheLeaseFreeOneGetsIt(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		for range 10 {
			var won atomic.Int64
			var start, end sync.WaitGroup
			start.Add(1)
			leases := make([]*Lease, 8)
			for i := range leases {
				end.Go(func() {
					start.Wait()
					x, _, err := h.tryLease(context.Background(), file, "put")
					if err != nil {
						t.Error(err)
					}
					if x != nil {
						won.Add(1)
						x.start(context.Background())
						leases[i] = x
					}
				})
			}
			start.Done()
			end.Wait()
			for _, x := range leases {
				if x != nil {
					x.Release()
				}
			}
			if won.Load() != 1 {
				t.Fatalf("%d got it", won.Load())
			}
		}
	})
}

func TestLeaseSerialsGrow(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		last := int64(0)
		for i := range 5 {
			x, err := h.Lease(ctx, file, "put", 0)
			ok(t, err)
			if x.Serial <= last {
				t.Errorf("serial %d after %d", x.Serial, last)
			}
			last = x.Serial
			x.Release()
			if i == 3 { // even when the row was swept away
				h.clock.forward(48 * time.Hour)
				h.tend()
				if h.count("locks_lease") != 0 {
					t.Error("old leases are not swept away")
				}
			}
		}
	})
}

func TestBusyLeaseIsErrBusy(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	defer x.Release()
	if _, err := h.Lease(ctx, file, "move", 0); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	if _, err := h.restart().Lease(ctx, file, "move", 20*time.Millisecond); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := h.Lease(stopped, file, "move", time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

func TestSleeperIsStaleOnceTakenOver(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		sleeper, err := h.Lease(ctx, file, "put", 0)
		ok(t, err)
		h.clock.forward(h.k.leaseFor - time.Second)
		ok(t, sleeper.Check(ctx)) // still its own, and renewed by that
		h.clock.forward(h.k.leaseFor + time.Second)
		other, err := h.restart().Lease(ctx, file, "put", 0)
		ok(t, err)
		if err := sleeper.Check(ctx); !errors.Is(err, ErrStale) {
			t.Fatalf("Check says %v, want ErrStale", err)
		}
		// It writes nothing, and takes nothing away from who took over.
		if _, err := h.Intend(ctx, sleeper, Intent{Kind: "put"}); !errors.Is(err, ErrStale) {
			t.Errorf("Intend says %v, want ErrStale", err)
		}
		if err := h.SetBase(ctx, sleeper, 1, 2); !errors.Is(err, ErrStale) {
			t.Errorf("SetBase says %v, want ErrStale", err)
		}
		if err := h.SetConflict(ctx, sleeper, 1, 2, ""); !errors.Is(err, ErrStale) {
			t.Errorf("SetConflict says %v, want ErrStale", err)
		}
		sleeper.Release()
		ok(t, other.Check(ctx))
		other.Release()
	})
}

func TestSleeperThatNobodyReplacedGoesOn(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	defer x.Release()
	h.clock.forward(time.Hour)
	ok(t, x.Check(ctx))
	if _, err := h.Lease(ctx, file, "put", 0); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy: Check has renewed the lease", err)
	}
}

func TestLeaseIsRenewedWhileHeld(t *testing.T) {
	h := newHouse(t)
	h.k.leaseFor = 30 * time.Millisecond
	ctx := context.Background()
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	defer x.Release()
	h.clock.forward(25 * time.Millisecond)
	deadline := time.Now().Add(5 * time.Second)
	for {
		_, _, until, err := readLease(ctx, h.db.Read(), file)
		ok(t, err)
		if until.After(h.clock.read().Add(20 * time.Millisecond)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not renewed")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestLeaseEndsWithItsContext(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(context.Background())
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	if due := h.k.renewals.due(0); len(due) != 1 {
		t.Errorf("%d leases are renewed", len(due))
	}
	cancel()
	if due := h.k.renewals.due(0); len(due) != 0 {
		t.Errorf("%d leases are renewed after the end of their context", len(due))
	}
	x.Release() // gives it back all the same
	y, err := h.Lease(context.Background(), file, "put", 0)
	ok(t, err)
	y.Release()
}

// TestRenewalsAreOneTransaction: hundreds of leases that each wait for the writer and the disk
// would keep those waiting for whom they are held. One that was taken over is not renewed.
func TestRenewalsAreOneTransaction(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		var all []*Lease
		for i := range 50 {
			x, err := h.Lease(ctx, idmap.FileID(fmt.Sprintf("file %d", i)), "put", 0)
			ok(t, err)
			defer x.Release()
			all = append(all, x)
		}
		h.clock.forward(h.k.leaseFor - time.Second)
		writes := 0
		h.db.SetFault(func() error { writes++; return nil })
		ok(t, h.k.renewals.renew(ctx, h.Locks, all))
		h.db.SetFault(nil)
		if writes != 1 {
			t.Errorf("%d transactions", writes)
		}
		h.clock.forward(h.k.leaseFor - time.Second)
		for _, x := range all {
			if held, err := h.leased(ctx, x.File, h.clock.read()); err != nil || !held {
				t.Fatalf("%s was not renewed: %v", x.File, err)
			}
		}
		h.clock.forward(2 * time.Second)
		y, err := h.Lease(ctx, all[0].File, "put", 0)
		ok(t, err)
		defer y.Release()
		ok(t, h.k.renewals.renew(ctx, h.Locks, all))
		if due := h.k.renewals.due(0); len(due) != len(all) { // one went, y came
			t.Errorf("%d leases are renewed", len(due))
		}
		if err := all[0].Check(ctx); !errors.Is(err, ErrStale) {
			t.Errorf("who was taken over: %v", err)
		}
		if err := y.Check(ctx); err != nil {
			t.Errorf("who took over: %v", err)
		}
	})
}

func TestIntentsAreSettledBeforeTheNextLease(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		first, err := h.Lease(ctx, file, "put", 0)
		ok(t, err)
		intent, err := h.Intend(ctx, first, Intent{Kind: "put", Space: 7, Upstream: "main", Pinned: []byte{1}, Detail: []byte(`{}`)})
		ok(t, err)
		h.tend() // not while its lease lives
		if h.count("locks_intent") != 1 {
			t.Fatal("settled under a live lease")
		}
		h.clock.forward(h.k.leaseFor + time.Second) // it dies
		book := h.restart()
		var got []Intent
		book.OnIntent("put", func(_ context.Context, x *Lease, i Intent) error {
			ok(t, x.Check(ctx))
			got = append(got, i)
			return nil
		})
		x, err := book.Lease(ctx, file, "put", 0)
		ok(t, err)
		defer x.Release()
		if len(got) != 1 || got[0].ID != intent || got[0].Space != 7 || got[0].Upstream != "main" ||
			string(got[0].Pinned) != "\x01" || string(got[0].Detail) != "{}" || got[0].Serial != first.Serial {
			t.Fatalf("settled %+v", got)
		}
		if h.count("locks_intent") != 0 {
			t.Error("a settled intent stays")
		}
		first.stop()
	})
}

func TestIntentThatFailsWaitsAndIsTriedAgain(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	_, err = h.Intend(ctx, x, Intent{Kind: "put"})
	ok(t, err)
	x.Release()
	tries := 0
	broken := true
	h.OnIntent("put", func(context.Context, *Lease, Intent) error {
		if tries++; broken {
			return errors.New("down")
		}
		return nil
	})
	h.tend()
	h.tend() // its pause is not over
	if tries != 1 || h.count("locks_intent") != 1 {
		t.Fatalf("%d tries, %d intents", tries, h.count("locks_intent"))
	}
	h.clock.forward(time.Minute)
	broken = false
	h.tend()
	if tries != 2 || h.count("locks_intent") != 0 {
		t.Fatalf("%d tries, %d intents", tries, h.count("locks_intent"))
	}
	if len(h.told.all()) != 1 {
		t.Errorf("OnError heard %q", h.told.all())
	}
}

func TestIntentOfUnknownKindWaits(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	_, err = h.Intend(ctx, x, Intent{Kind: "of a newer program"})
	ok(t, err)
	x.Release()
	h.tend()
	if h.count("locks_intent") != 1 {
		t.Error("lost")
	}
}

func TestIntentThatNobodyCanSettleIsGivenUpAfterAWeek(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	_, err = h.Intend(ctx, x, Intent{Kind: "put"})
	ok(t, err)
	x.Release()
	h.OnIntent("put", func(context.Context, *Lease, Intent) error { return errors.New("never") })
	h.clock.forward(intentLife + time.Minute)
	h.tend()
	if h.count("locks_intent") != 0 || len(h.told.all()) != 1 {
		t.Errorf("%d intents, heard %q", h.count("locks_intent"), h.told.all())
	}
}
