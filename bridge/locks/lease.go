package locks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A Lease is the right to work on one file: PutFile, Rename, Delete, Unlock,
// UnlockAndRelock, overwriting and delivery hold it, so that they never
// interleave, in this process or between two.
//
// It is written without waiting for the disk: only a living process holds it, and what it
// does under it, it announces durably first, which makes the lease durable, too.
//
// It is renewed in the background until Release, or until the context with which
// it was taken ends. A process that sleeps for longer than the lease lives may
// lose it: whoever takes it over gets a higher Serial, and [Lease.Check] of the
// sleeper fails from then on. Call Check right before everything that cannot be
// undone.
type Lease struct {
	File   idmap.FileID
	Serial int64 // grows with every holder of this file's lease
	// Quiet is until when an upload into place may be under way that an earlier holder
	// has begun and nobody has seen the end of ([Lease.Linger]); zero: none. Before that,
	// whoever writes may be written over.
	Quiet time.Time

	l       *Locks
	holder  string
	ctx     context.Context
	stop    context.CancelFunc
	once    sync.Once
	asked   time.Time    // when it was asked for, by this process's clock
	renewed atomic.Int64 // ns after asked: when the last renewal that succeeded was asked for
}

// Lease waits for the file's lease for at most patience, and returns [ErrBusy] if
// others kept it for so long. op says in a word what for. Before it returns, it
// settles what earlier holders have left half done; if that fails, the intent
// stays and the lease is given all the same.
//
// The lease lasts while ctx does: a caller that goes on after its client has hung
// up hands in a context that does not end then.
func (l *Locks) Lease(ctx context.Context, f idmap.FileID, op string, patience time.Duration) (*Lease, error) {
	deadline := time.Now().Add(patience)
	for {
		x, left, err := l.tryLease(ctx, f, op)
		if err != nil {
			return nil, err
		}
		if x != nil {
			x.start(ctx)
			if left {
				l.settleBefore(ctx, x)
			}
			return x, nil
		}
		rest := time.Until(deadline)
		if rest <= 0 {
			return nil, ErrBusy
		}
		if err := l.k.wakes.wait(ctx, f, min(rest, l.k.poll)); err != nil {
			return nil, err
		}
	}
}

// tryLease takes the lease if it is free; nil if it is not. left says that
// intents of the file are waiting.
func (l *Locks) tryLease(ctx context.Context, f idmap.FileID, op string) (x *Lease, left bool, err error) {
	asked := time.Now()
	now, err := l.now(ctx)
	if err != nil {
		return nil, false, err
	}
	busy, err := l.leased(ctx, f, now)
	if err != nil || busy && !l.lacks(theLease) {
		return nil, false, err
	}
	err = l.DB.WriteUnsynced(ctx, func(tx sqldb.Queryer) error {
		x = nil
		serial, _, until, err := readLease(ctx, tx, f)
		if err != nil {
			return err
		}
		if now.Before(until) && !l.lacks(theLease) {
			return nil
		}
		quiet, err := quietAfter(ctx, tx, f)
		if err != nil {
			return err
		}
		// The clock in the serial: it grows even when the row was swept away.
		got := &Lease{File: f, Serial: max(serial+1, sqldb.Millis(now)), Quiet: sqldb.FromMillis(quiet), asked: asked, l: l, holder: l.k.process + newNonce()}
		_, err = tx.Exec(ctx, `INSERT INTO locks_lease (file, serial, holder, op, until, linger, quiet) VALUES (?, ?, ?, ?, ?, 0, ?)
			ON CONFLICT (file) DO UPDATE SET serial = excluded.serial, holder = excluded.holder, op = excluded.op, until = excluded.until,
				linger = 0, quiet = excluded.quiet`,
			string(f), got.Serial, got.holder, op, sqldb.Millis(now.Add(l.k.leaseFor)), quiet)
		if err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM locks_intent WHERE file = ?`, string(f)).Scan(&n); err != nil {
			return err
		}
		x, left = got, n > 0
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("locks: taking the lease of %s: %w", f, err)
	}
	return x, left, nil
}

// leased reports whether somebody holds the file's lease.
func (l *Locks) leased(ctx context.Context, f idmap.FileID, now time.Time) (bool, error) {
	_, _, until, err := readLease(ctx, l.DB.Read(), f)
	return now.Before(until), err
}

func readLease(ctx context.Context, q sqldb.Queryer, f idmap.FileID) (serial int64, holder string, until time.Time, err error) {
	var ms int64
	err = q.QueryRow(ctx, `SELECT serial, holder, until FROM locks_lease WHERE file = ?`, string(f)).Scan(&serial, &holder, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", time.Time{}, nil
	}
	if err != nil {
		return 0, "", time.Time{}, fmt.Errorf("locks: reading the lease of %s: %w", f, err)
	}
	return serial, holder, sqldb.FromMillis(ms), nil
}

// start renews the lease until Release.
func (x *Lease) start(ctx context.Context) {
	x.ctx, x.stop = context.WithCancel(ctx)
	x.l.k.renewals.add(x)
	context.AfterFunc(x.ctx, func() { x.l.k.renewals.remove(x) })
}

// renew moves the end of the lease, or returns ErrStale.
func (x *Lease) renew(ctx context.Context) error {
	asked := time.Since(x.asked)
	now, err := x.l.now(ctx)
	if err != nil {
		return err
	}
	err = x.l.DB.WriteUnsynced(ctx, func(tx sqldb.Queryer) error {
		n, err := tx.Exec(ctx, `UPDATE locks_lease SET until = ? WHERE file = ? AND serial = ? AND holder = ?`,
			sqldb.Millis(now.Add(x.l.k.leaseFor)), string(x.File), x.Serial, x.holder)
		if err == nil && n == 0 && !x.l.lacks(theLease) {
			err = ErrStale
		}
		return err
	})
	if err == nil {
		x.renewed.Store(int64(asked))
	}
	return err
}

// Check returns [ErrStale] if the lease was taken over: the holder then writes
// neither row nor upstream.
func (x *Lease) Check(ctx context.Context) error {
	now, err := x.l.now(ctx)
	if err != nil {
		return err
	}
	serial, holder, until, err := readLease(ctx, x.l.DB.Read(), x.File)
	switch {
	case err != nil || x.l.lacks(theLease):
		return err
	case serial != x.Serial || holder != x.holder:
		return ErrStale
	case until.Sub(now) < x.l.k.leaseFor/3:
		return x.renew(ctx) // we slept, but nobody has taken over
	}
	return nil
}

// Still is [Lease.Check] inside a transaction, so that what the transaction writes is
// fenced.
func (x *Lease) Still(ctx context.Context, tx sqldb.Queryer) error {
	serial, holder, _, err := readLease(ctx, tx, x.File)
	if err == nil && (serial != x.Serial || holder != x.holder) && !x.l.lacks(theLease) {
		err = ErrStale
	}
	return err
}

// Release gives the lease back. It may be called more than once, and after the
// lease was lost.
func (x *Lease) Release() {
	x.once.Do(func() {
		x.stop()
		x.l.k.renewals.remove(x)
		ctx, cancel := detached(x.ctx)
		defer cancel()
		err := x.l.DB.WriteUnsynced(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `UPDATE locks_lease SET holder = '', until = 0, linger = 0 WHERE file = ? AND serial = ? AND holder = ?`,
				string(x.File), x.Serial, x.holder)
			return err
		})
		x.l.failed("giving a lease back", err)
		x.l.k.wakes.ring(x.File)
	})
}
