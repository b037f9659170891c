package locks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Delete is DeleteFile's rule and deed, under the lease: a locked file is not
// deleted, whoever locks it. The ID dies with the file.
//
// Errors: [*MismatchError]. [ErrBusy], also if the file was moved while we waited.
// [dav.ErrNotFound] and what else the upstream
// said: nothing was deleted. After [dav.ErrUnavailable] it may have been, and is
// settled later.
func (l *Locks) Delete(ctx context.Context, t Target, a Actor) error {
	err := l.working(ctx, t.File.ID, "delete", func(x *Lease, r *row, now time.Time) error {
		if err := l.stillAt(ctx, t); err != nil {
			return err
		}
		if r.locked(now) && r.actor.Editor != a.Editor {
			return otherEditor(r)
		}
		if err := r.wopi(now).MayDelete(now); err != nil {
			return err
		}
		if err := l.met(ctx, t.File.ID, l.lockFiles(ctx, t, r)); err != nil {
			return err
		}
		if err := l.clear(ctx, t, a, r, now); err != nil {
			return err
		}
		return l.remove(ctx, x, t)
	})
	return l.unlessMoved(ctx, t, err)
}

func (l *Locks) remove(ctx context.Context, x *Lease, t Target) error {
	pinned, err := t.pin(ctx)
	if err != nil {
		return err
	}
	i := Intent{
		Kind: kindDelete, File: t.File.ID, Space: t.File.Space, Upstream: t.Upstream, Pinned: pinned,
		Detail: detail(moving{From: t.File.Path, Evidence: t.evidence()}),
	}
	if i.ID, err = l.Intend(ctx, x, i); err != nil {
		return err
	}
	err = t.View.Delete(ctx, t.File.Path, davbackend.Condition{})
	done, cancel := detached(ctx)
	defer cancel()
	if unclear(err) {
		return err // the intent stays
	}
	if err == nil {
		if err := l.gone(done, i); err != nil {
			return err // the intent stays
		}
	}
	l.failed("forgetting an intent", l.Done(done, i.ID))
	return l.met(done, t.File.ID, refusedForLock(err))
}

// gone records that the file of i is deleted.
func (l *Locks) gone(ctx context.Context, i Intent) error {
	if err := l.IDs.Deleted(ctx, i.Space, i.File); err != nil && !errors.Is(err, idmap.ErrNotFound) {
		return fmt.Errorf("locks: recording a deletion: %w", err)
	}
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error { return endEditings(ctx, tx, i.File, now) })
}

// settleDelete finds out whether a deletion has happened: then the file is found
// nowhere. Something at its place, or the file at another, says that it has not.
func (l *Locks) settleDelete(ctx context.Context, x *Lease, i Intent) error {
	view, err := l.keep(ctx, i.Upstream, i.Pinned)
	if err != nil {
		return err
	}
	_, _, err = l.IDs.Find(ctx, i.Space, i.File, view)
	if errors.Is(err, idmap.ErrMissing) {
		return l.gone(ctx, i)
	}
	if errors.Is(err, idmap.ErrNotFound) {
		return nil
	}
	return err
}
