package locks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A holder of a lease that is gone may have left an upload on its way. What goes into a
// temporary file harms nobody: whoever takes over removes it. An upload into place could
// land on what whoever takes over writes, and so that one waits (DESIGN 4).

// Linger says, inside tx, that an upload into place begins now, which may go on for so
// long after the last byte that anybody has sent. It counts if the lease is taken over; if
// it is given back everybody knows how the upload has ended. [ErrStale].
func (x *Lease) Linger(ctx context.Context, tx sqldb.Queryer, idle time.Duration) error {
	n, err := tx.Exec(ctx, `UPDATE locks_lease SET linger = ? WHERE file = ? AND serial = ? AND holder = ?`,
		idle.Milliseconds(), string(x.File), x.Serial, x.holder)
	if err == nil && n == 0 && !x.l.lacks(theLease) {
		err = ErrStale
	}
	return err
}

// quietAfter is [Lease.Quiet], in ms, for whoever takes the lease over now; 0 none.
func quietAfter(ctx context.Context, tx sqldb.Queryer, f idmap.FileID) (int64, error) {
	var until, linger, quiet int64
	err := tx.QueryRow(ctx, `SELECT until, linger, quiet FROM locks_lease WHERE file = ?`, string(f)).Scan(&until, &linger, &quiet)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("locks: reading the lease of %s: %w", f, err)
	}
	if until > 0 && linger > 0 { // it was not given back
		quiet = max(quiet, until+linger)
	}
	return quiet, nil
}

// Alive reports whether the lease was renewed so lately that nobody can have taken it
// over. It asks nobody: a process that slept, or that does not reach its database any
// more, sends nothing from then on, whatever else it believes.
func (x *Lease) Alive() bool {
	return time.Since(x.asked)-time.Duration(x.renewed.Load()) < x.l.k.leaseFor
}

// During is ctx for as long as the lease is [Lease.Alive]; its cause is [ErrStale] then.
// The caller calls stop.
func (x *Lease) During(ctx context.Context) (during context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(x.l.k.leaseFor / 20)
		defer tick.Stop()
		for x.Alive() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		cancel(ErrStale)
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-ended
	}
}
