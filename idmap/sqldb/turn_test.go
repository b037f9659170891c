package sqldb_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// TestTurn: one process does it, once within the time; who fails or dies has not done it.
func TestTurn(t *testing.T) {
	where := sqldbtest.Postgres(t)
	ctx := t.Context()
	var ahead atomic.Int64 // of the database's clock
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	open := func() *sqldb.DB {
		db, err := sqldb.Open(ctx, where)
		if err != nil {
			t.Fatal(err)
		}
		db.SetClock(clock)
		t.Cleanup(func() { db.Close() })
		return db
	}
	one, two := open(), open()
	nothing := func(context.Context) error { return nil }
	var done atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			err := []*sqldb.DB{one, two}[i%2].Turn(ctx, "x", time.Hour, func(context.Context) error { done.Add(1); return nil })
			if err != nil && !errors.Is(err, sqldb.ErrNotNow) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 {
		t.Errorf("it was done %d times", done.Load())
	}
	ahead.Add(int64(time.Hour))
	mine := errors.New("mine")
	if err := one.Turn(ctx, "x", time.Hour, func(context.Context) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("an hour later: %v", err)
	}
	if err := two.Turn(ctx, "x", time.Hour, nothing); err != nil {
		t.Errorf("after one that failed: %v", err)
	}
	ahead.Add(int64(time.Hour))
	err := one.Turn(ctx, "x", time.Hour, func(ctx context.Context) error {
		if err := two.Turn(ctx, "x", time.Hour, nothing); !errors.Is(err, sqldb.ErrNotNow) {
			t.Errorf("while another one is at it: %v", err)
		}
		// As if this process were dead: its lease is not renewed for longer than it lasts.
		ahead.Add(int64(sqldb.TurnLease + time.Millisecond))
		if err := two.Turn(ctx, "x", time.Hour, nothing); err != nil {
			t.Errorf("after the death of the one that was at it: %v", err)
		}
		select {
		case <-ctx.Done(): // the one that woke up again stops
		case <-time.After(time.Minute):
			t.Error("who was taken over does not hear of it")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := one.Turn(ctx, "x", time.Hour, nothing); !errors.Is(err, sqldb.ErrNotNow) {
		t.Errorf("it was done just now: %v", err)
	}
	if err := sqldbtest.New(t).Turn(ctx, "x", time.Hour, func(context.Context) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("on SQLite: %v", err)
	}
}
