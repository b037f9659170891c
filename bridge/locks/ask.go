package locks

import (
	"context"
	"errors"
	"fmt"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// ask sends LOCK with r's nonce, for one minute. On a 423 it releases what is
// provably our own and asks once more. It returns a [*MismatchError] if the lock
// is somebody else's, an [*ownLockError] if it may be our own, [dav.ErrNotFound] if there is no file (an empty one that
// LOCK made is removed again), and [dav.ErrUnsupported].
func (l *Locks) ask(ctx context.Context, t Target, name string, r *row) (dav.ActiveLock, error) {
	if l.lacks(theShadow) {
		return dav.ActiveLock{}, dav.ErrUnsupported
	}
	request := davbackend.LockRequest{Owner: owner(name, r.nonce), Timeout: firstGrant}
	lock, created, err := t.View.Lock(ctx, r.path, request)
	if errors.Is(err, dav.ErrLocked) {
		if err := l.whose(ctx, t, r, err); err != nil {
			return lock, err
		}
		lock, created, err = t.View.Lock(ctx, r.path, request)
	}
	if err != nil {
		return lock, refusedForLock(err)
	}
	if !created {
		return lock, nil
	}
	o := leftover{Path: r.path, Nonce: r.nonce, Evidence: t.evidence()}
	res, err := t.View.Stat(ctx, r.path)
	if err == nil {
		err = l.undo(ctx, t.View, o, lock.Token, res, true)
	}
	if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return lock, fmt.Errorf("locks: taking back what LOCK made: %w", err)
	}
	return lock, fmt.Errorf("locks: LOCK found no file: %w", dav.ErrNotFound)
}

// releaseOurs releases those of locks that intents are to release anyhow.
func (l *Locks) releaseOurs(ctx context.Context, upstream string, p dav.Path, locks []dav.ActiveLock, left []leftover) (released bool, err error) {
	for _, lock := range locks {
		for _, w := range left {
			if lock.Token == "" || !(own{[]dav.LockToken{w.Token}, []string{w.Nonce}}).is(lock) {
				continue
			}
			view, err := l.keep(ctx, upstream, w.pinned)
			if err != nil {
				return false, err
			}
			if err := unlock(ctx, view, p, lock.Token); err != nil {
				return false, err
			}
			released = true
			l.failed("forgetting an intent", l.Done(ctx, w.id))
			break
		}
	}
	return released, nil
}

// owner is the text by which other users of the upstream know us; the nonce at its
// end is how we know it.
func owner(name, nonce string) string {
	if name = cleanHolder(name); name == "" {
		name = "davwopi"
	}
	return name + " " + nonce
}

// whose finds out who holds the DAV lock that refused ours. Nil: what was ours is
// released, ask again.
func (l *Locks) whose(ctx context.Context, t Target, r *row, refused error) error {
	o, left, err := l.ownOf(ctx, r.file, nil)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return refusedForLock(refused)
	}
	res, err := t.View.Stat(ctx, r.path)
	if err != nil {
		return err
	}
	if s := o.stranger(res.Locks); s != nil && s.Owner != "" {
		return foreignLock(s.Owner)
	}
	if released, err := l.releaseOurs(ctx, t.Upstream, r.path, res.Locks, left); err != nil || released {
		return err
	}
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	for _, w := range left {
		if until := sqldb.FromMillis(w.Until); now.Before(until) {
			return &ownLockError{until}
		}
	}
	return refusedForLock(refused)
}

// stillThere looks whether the file that was locked is the file that was meant: a
// server may make an empty one for LOCK without saying so, or lock nothing at all.
// What is not is unlocked again.
func (l *Locks) stillThere(ctx context.Context, t Target, r *row) error {
	res, err := t.View.Stat(ctx, r.path)
	switch {
	case err != nil && !errors.Is(err, dav.ErrNotFound):
		return err
	case err == nil && !t.evidence().stranger(res) && !res.Collection && (res.Size > 0 || t.File.Revision.Size <= 0):
		return nil
	}
	o := leftover{Path: r.path, Nonce: r.nonce, Evidence: t.evidence()}
	made := l.elsewhere(ctx, t.View, r.space, r.file, o, res)
	if err := l.undo(ctx, t.View, o, r.token, res, made); err != nil {
		return err
	}
	return fmt.Errorf("locks: what was locked is not the file: %w", dav.ErrNotFound)
}
