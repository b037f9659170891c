package locks

import (
	"context"
	"errors"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Unlock is WOPI's Unlock: it releases the lock, ends the editing, and gives the
// DAV lock back. That last step may fail without harm: the file is unlocked for
// WOPI then, the row stays `releasing` with its token, the keeper tries again, and
// a new Lock takes the token over.
//
// It waits for a save that is just being written, unless one waits behind that. Errors:
// [*MismatchError], [wopi.ErrMalformed], [ErrBusy].
func (l *Locks) Unlock(ctx context.Context, t Target, a Actor, id wopi.LockID) error {
	if done, err := l.unlockBehind(ctx, t, a, id); done || err != nil {
		return err
	}
	return l.working(ctx, t.File.ID, "unlock", func(x *Lease, r *row, now time.Time) error {
		if err := r.mayUnlock(a, id, now); err != nil {
			return err
		}
		if _, waits, err := l.pinnedBy(ctx, r.file); err != nil {
			return err
		} else if waits {
			return l.leaveToJournal(ctx, r, now)
		}
		next, err := l.startReleasing(ctx, r, true, now)
		if err != nil {
			return err
		}
		done, cancel := detached(ctx)
		defer cancel()
		view, err := l.viewOf(done, r, t, a)
		if err == nil {
			err = l.drop(done, view, next, now)
		}
		l.failed("releasing a DAV lock", err)
		return nil
	})
}

// mayUnlock is Unlock's rule.
func (r *row) mayUnlock(a Actor, id wopi.LockID, now time.Time) error {
	if r.locked(now) && r.actor.Editor != a.Editor {
		return otherEditor(r)
	}
	_, err := r.wopi(now).Release(id, now)
	return err
}

// unlockBehind is Unlock while somebody works on a file of which a save waits: it needs
// nothing but the row, and the holder of the lease may be at a server that hangs. An editor
// that has been told that its last save is safe asks once, whatever it is answered.
// False: Unlock needs the lease.
func (l *Locks) unlockBehind(ctx context.Context, t Target, a Actor, id wopi.LockID) (done bool, err error) {
	err = l.untilSettled(ctx, t.File.ID, func(r *row, now time.Time) error {
		done = false
		busy, err := l.leased(ctx, t.File.ID, now)
		if err != nil || !busy {
			return err
		}
		_, waits, err := l.pinnedBy(ctx, t.File.ID)
		if err != nil || !waits {
			return err
		}
		if err := r.mayUnlock(a, id, now); err != nil {
			return err
		}
		done = true
		return l.leaveToJournal(ctx, r, now)
	})
	return done && err == nil, err
}

// Release gives the lock of file up on behalf of its owner or an administrator,
// whatever its ID is: as an Unlock would, and also if a save of it waits: its bytes
// stay in the journal, which goes on trying. It is no error if there is none. Who may
// do so is the caller's to decide. Errors: [ErrBusy].
func (l *Locks) Release(ctx context.Context, f idmap.FileID) error {
	return l.working(ctx, f, "release", func(x *Lease, _ *row, now time.Time) error {
		err := l.DB.Write(ctx, func(tx sqldb.Queryer) error { return l.Unpin(ctx, tx, f) })
		if err != nil {
			return err
		}
		r, err := readRow(ctx, l.DB.Read(), f) // unpinned: it may have changed
		if err != nil {
			return err
		}
		if r == nil {
			return l.DB.Write(ctx, func(tx sqldb.Queryer) error { return endEditings(ctx, tx, f, now) })
		}
		next, err := l.startReleasing(ctx, r, true, now)
		if err != nil {
			return err
		}
		done, cancel := detached(ctx)
		defer cancel()
		view, err := l.keep(done, r.upstream, r.pinned)
		if err == nil {
			err = l.drop(done, view, next, now)
		}
		l.failed("releasing a DAV lock", err)
		return nil
	})
}

// leaveToJournal is Unlock of a file of which a save waits.
func (l *Locks) leaveToJournal(ctx context.Context, r *row, now time.Time) error {
	next := *r
	next.phase, next.next, next.tries = kept, now, 0
	return l.swap(ctx, r, &next, func(tx sqldb.Queryer) error {
		if _, waits, err := pinnedBy(ctx, tx, r.file); err != nil || !waits {
			return errors.Join(errRaced, err) // it has arrived meanwhile
		}
		return endEditings(ctx, tx, r.file, now)
	})
}

// startReleasing makes r `releasing`: unlocked for WOPI, its DAV lock about to be
// given back. The row changes even if it is releasing already, so that whoever
// has read it before, and would take its token over, notices. It returns errRaced if a
// save of the file has begun to wait meanwhile.
func (l *Locks) startReleasing(ctx context.Context, r *row, ends bool, now time.Time) (*row, error) {
	next := *r
	next.phase, next.next = releasing, now.Add(takingFor)
	if r.phase != releasing {
		next.lock.Expires, next.tries = now, 0
	}
	return &next, l.swap(ctx, r, &next, func(tx sqldb.Queryer) error {
		if err := unlessPinned(ctx, tx, r.file); err != nil || !ends {
			return err
		}
		return endEditings(ctx, tx, r.file, now)
	})
}

// drop gives back what the releasing row r has on the upstream, and removes the
// row; or, if that may have failed, keeps the row for the keeper to try again and
// returns the error. The caller holds the lease.
func (l *Locks) drop(ctx context.Context, view *davbackend.View, r *row, now time.Time) error {
	o, _ := r.leave()
	err := l.release(ctx, view, o)
	l.tidy(ctx, r.file)
	if err != nil && now.Sub(r.lock.Expires) < intentLife {
		next := *r
		next.tries++
		next.next = now.Add(backoff(r.tries))
		if swapErr := l.swap(ctx, r, &next, nil); swapErr != nil && !errors.Is(swapErr, errRaced) {
			err = errors.Join(err, swapErr)
		}
		return err
	}
	if swapErr := l.swap(ctx, r, nil, nil); !errors.Is(swapErr, errRaced) {
		err = errors.Join(err, swapErr)
	}
	return err
}
