package locks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Lock is WOPI's Lock: it takes the unlocked file, or refreshes id's own lock. It
// begins an editing, unless id belongs to the latest one, whose lock has expired.
//
// A rival waits for the outcome. Errors: [*MismatchError]; an error wrapping
// [wopi.ErrMalformed] for an empty id; [dav.ErrNotFound] if the file is not there
// any more: the caller looks for it again; what else the upstream said; [ErrBusy].
// An upstream without LOCK is none: the row alone is the lock then.
//
// At most 2 trips to the upstream if t.Seen is set (LOCK and its refresh), 2 more
// for lock files, 1 to announce; none to refresh.
func (l *Locks) Lock(ctx context.Context, t Target, a Actor, id wopi.LockID) error {
	if _, err := (Lock{}).Acquire(id, time.Time{}); err != nil {
		return err
	}
	return l.untilSettled(ctx, t.File.ID, func(r *row, now time.Time) error {
		if r.locked(now) {
			return l.extendRow(ctx, t, a, r, now, func(present Lock) (Lock, error) { return present.Acquire(id, now) })
		}
		again, err := l.goesOn(ctx, t.File.ID, a, id)
		if err != nil {
			return err
		}
		if err = l.takeAgain(ctx, &taker{l: l, t: t, a: a, id: id, old: r, again: again, byLock: true}, nil, now); err == nil {
			l.opened(t)
		}
		return asMismatch(err)
	})
}

// Refresh is RefreshLock: it starts the 30 minutes again, without a trip to the
// upstream: the keeper refreshes the DAV lock. An ID of the latest editing, whose
// lock has expired, is taken again. Errors as for [Locks.Lock].
func (l *Locks) Refresh(ctx context.Context, t Target, a Actor, id wopi.LockID) error {
	return l.untilSettled(ctx, t.File.ID, func(r *row, now time.Time) error {
		refresh := func(present Lock) (Lock, error) { return present.Refresh(id, now) }
		if r.locked(now) {
			return l.extendRow(ctx, t, a, r, now, refresh)
		}
		again, err := l.goesOn(ctx, t.File.ID, a, id)
		if err != nil {
			return err
		}
		if again == nil {
			_, err := refresh(Lock{})
			return err
		}
		return asMismatch(l.takeAgain(ctx, &taker{l: l, t: t, a: a, id: id, old: r, again: again}, nil, now))
	})
}

// Relock is UnlockAndRelock: old's lock becomes id's, in one step, under the lease.
// The DAV lock stays. Errors: [*MismatchError], [wopi.ErrMalformed], [ErrBusy].
func (l *Locks) Relock(ctx context.Context, t Target, a Actor, old, id wopi.LockID) error {
	return l.working(ctx, t.File.ID, "relock", func(x *Lease, r *row, now time.Time) error {
		relock := func(present Lock) (Lock, error) { return present.Relock(old, id, now) }
		if !r.locked(now) {
			_, err := relock(Lock{})
			return err
		}
		return l.extendRow(ctx, t, a, r, now, relock)
	})
}

// errWait asks untilSettled to wait for a change and look again.
var errWait = errors.New("locks: somebody is just taking or releasing the lock")

// untilSettled calls try with the file's row as it is now, waits while somebody is
// just taking the lock, and calls it again when the row changed under it. After
// the patience is over a rival learns the ID of who is taking the lock.
func (l *Locks) untilSettled(ctx context.Context, file idmap.FileID, try func(r *row, now time.Time) error) error {
	deadline := time.Now().Add(l.k.patience)
	for {
		now, err := l.now(ctx)
		if err != nil {
			return err
		}
		r, err := readRow(ctx, l.DB.Read(), file)
		if err != nil {
			return err
		}
		err = errWait
		if !r.pending(now) {
			err = try(r, now)
		}
		rest := time.Until(deadline)
		switch {
		case errors.Is(err, errRaced) && rest > 0:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		case !errors.Is(err, errWait) && !errors.Is(err, errRaced):
			return err
		case rest <= 0 && r.pending(now):
			return &MismatchError{Current: r.lock.ID, Reason: "another editing session is just taking the lock"}
		case rest <= 0 && errors.Is(err, errWait):
			return &MismatchError{Reason: "a save of this file is just being written; try again"}
		case rest <= 0:
			return ErrBusy
		}
		if err := l.k.wakes.wait(ctx, file, min(rest, l.k.poll)); err != nil {
			return err
		}
	}
}

// extendRow changes the lock of the held row r by rule, and its editing with it.
func (l *Locks) extendRow(ctx context.Context, t Target, a Actor, r *row, now time.Time, rule func(Lock) (Lock, error)) error {
	if r.actor.Editor != a.Editor {
		return otherEditor(r)
	}
	lock, err := rule(r.lock)
	if err != nil {
		return err
	}
	return l.writeLock(ctx, t, a, r, lock, false, now)
}

// writeLock gives the held row r another lock. reopened as in goOnEditing.
func (l *Locks) writeLock(ctx context.Context, t Target, a Actor, r *row, lock Lock, reopened bool, now time.Time) error {
	next := *r
	next.lock = lock
	if next.token == "" && !next.lost {
		next.next = lock.Expires
	}
	if r.space == t.File.Space && r.path != t.File.Path {
		next.next = now // found at a new place: the keeper brings the DAV lock there
	}
	return l.swap(ctx, r, &next, func(tx sqldb.Queryer) error {
		return goOnEditing(ctx, tx, r.editing, a, lock, reopened, now)
	})
}

// takeAgain takes a file that is not locked. A row that is held and has only
// expired goes on as it is, if it is the same editing's; one with a DAV lock is
// not touched while somebody works under the lease, unless that is x, the
// caller's: that DAV lock may just be in use, or be about to be released.
func (l *Locks) takeAgain(ctx context.Context, k *taker, x *Lease, now time.Time) error {
	if pinned, err := l.lockKept(ctx, k, now); pinned || err != nil {
		return err
	}
	if k.old != nil && x == nil {
		busy, err := l.leased(ctx, k.t.File.ID, now)
		if err != nil {
			return err
		}
		if busy {
			return errWait
		}
	}
	if k.again != nil && k.old != nil && k.old.phase == held && k.old.editing == k.again.ID && !k.old.lost {
		return l.writeLock(ctx, k.t, k.a, k.old, Lock{ID: k.id, Expires: now.Add(Life)}, k.byLock, now)
	}
	if err := l.lockFiles(ctx, k.t, k.old); err != nil {
		return l.met(ctx, k.t.File.ID, err)
	}
	_, err := k.take(ctx)
	return err
}

// goesOn is the file's latest editing if it has only lost its lock by expiry and
// has had id through a's editor: then a Lock, RefreshLock or PutFile with id is no
// stranger's. Nil otherwise.
func (l *Locks) goesOn(ctx context.Context, file idmap.FileID, a Actor, id wopi.LockID) (*editingRow, error) {
	latest, err := latestEditing(ctx, l.DB.Read(), file)
	if err != nil || latest == nil || !latest.Ended.IsZero() {
		return nil, err
	}
	e, err := editingThatHeld(ctx, l.DB.Read(), file, a.Editor, id)
	if err != nil || e == nil || e.ID != latest.ID {
		return nil, err
	}
	return e, nil
}

// working runs f under the file's lease with its row, none of it being taken.
func (l *Locks) working(ctx context.Context, file idmap.FileID, op string, f func(x *Lease, r *row, now time.Time) error) error {
	x, err := l.Lease(ctx, file, op, l.k.patience)
	if err != nil {
		return fmt.Errorf("locks: %s: %w", op, err)
	}
	defer x.Release()
	return l.untilSettled(ctx, file, func(r *row, now time.Time) error {
		if err := x.Check(ctx); err != nil {
			return err
		}
		if err := l.mayTouch(ctx, file, op, r, now); err != nil {
			return err
		}
		if (op == "move" || op == "delete") && now.Before(x.Quiet) {
			return fmt.Errorf("locks: %s: an upload into place may be under way: %w", op, ErrBusy)
		}
		return f(x, r, now)
	})
}
