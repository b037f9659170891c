package locks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Handover passes the DAV lock of t's file on to a, whose own credential t.View has, under
// the lease x. Some servers bind a lock to the person who took it and refuse everybody
// else's write, also with its token (Apache: 403); then who saves must hold it. It is
// given back with the credential of whoever took it, and taken with a's own; if a crash
// or somebody else comes between, the row is as one whose lock the upstream has dropped.
//
// The caller has proven that a may write here, and compares the contents with the base
// afterwards. Errors: [*MismatchError] if somebody else has locked the file meanwhile, or
// if there is no lock of another person to hand over; [ErrTaker]; [ErrStale];
// [dav.ErrNotFound]; what else the upstream said.
func (l *Locks) Handover(ctx context.Context, x *Lease, t Target, a Actor) (dav.LockToken, error) {
	var token dav.LockToken
	err := l.untilSettled(ctx, t.File.ID, func(r *row, _ time.Time) error {
		if err := x.Check(ctx); err != nil {
			return err
		}
		if r == nil || r.phase != held && r.phase != kept || r.token == "" || r.actor.UserID == a.UserID {
			return &MismatchError{Reason: reasonUnlocked}
		}
		present, err := l.handOver(ctx, x, t, a, r)
		if err == nil {
			token = present.shadowToken()
		}
		return err
	})
	return token, err
}

// Taker is the view of whoever took the DAV lock of a file, for what the journal delivers as
// user long after its permit: [Permit.Taker] of then. Nil if that is user, if nobody did, or if
// one account serves all.
func (l *Locks) Taker(ctx context.Context, f idmap.FileID, user string) (*davbackend.View, error) {
	r, err := readRow(ctx, l.DB.Read(), f)
	if err != nil || r == nil {
		return nil, err
	}
	return l.takerView(ctx, r, Actor{UserID: user})
}

func (l *Locks) handOver(ctx context.Context, x *Lease, t Target, a Actor, r *row) (*row, error) {
	pinned, err := t.pin(ctx)
	if err != nil {
		return nil, err
	}
	taker, err := l.keep(ctx, r.upstream, r.pinned)
	if err != nil {
		return nil, err
	}
	err = unlock(ctx, taker, r.path, r.token)
	if errors.Is(err, dav.ErrUnauthorized) {
		err = fmt.Errorf("%w: %w", ErrTaker, err)
	}
	if err != nil {
		return nil, err
	}
	if t.Seen, err = t.View.Stat(ctx, t.File.Path); err != nil {
		return nil, err // the keeper takes the lock again for whoever had it
	}
	next := *r
	a.Editor = r.actor.Editor // a is a co-editor, or the journal, which does not know
	next.actor, next.pinned, next.upstream, next.handed = a, pinned, t.Upstream, true
	return l.reshadow(ctx, x, t, &next)
}
