package locks

import (
	"context"
	"errors"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// grant sets until when the DAV lock of r is good, and when the keeper must look.
func (l *Locks) grant(ctx context.Context, r *row, granted time.Duration) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	if granted <= 0 {
		granted = unknownGrant
	}
	r.granted, r.lost, r.holder, r.tries = now.Add(granted), false, "", 0
	r.next = now.Add(granted / 2)
	if r.phase != kept && r.lock.Expires.Before(r.next) {
		r.next = r.lock.Expires
	}
	return nil
}

// leaveNow writes the intent to release r's DAV lock, which no row has, and tries
// to settle it at once.
func (l *Locks) leaveNow(ctx context.Context, r *row) {
	o, any := r.leave()
	if !any {
		return
	}
	now, err := l.now(ctx)
	if err == nil {
		err = l.DB.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := addLeftover(ctx, tx, kindUnlock, r, o, 0, now)
			return err
		})
	}
	l.failed("releasing a lock that came too late", err)
}

// extend asks for the long time once the token of r is stored, unless the server
// has granted that already. A failure is the keeper's to mend.
func (l *Locks) extend(ctx context.Context, view *davbackend.View, r *row) {
	now, err := l.now(ctx)
	if err != nil || r.token == "" || r.granted.Sub(now) >= longEnough && r.granted.Sub(now) != unknownGrant {
		l.failed("reading the clock", err)
		return
	}
	granted, err := view.RefreshLock(ctx, r.path, r.token, shadowGrant)
	if err == nil {
		err = l.refreshed(ctx, r, granted)
	}
	if !errors.Is(err, errRaced) {
		l.failed("extending a DAV lock", err)
	}
}

// refreshed records that the DAV lock of r was granted again, if the row still has
// it. If a power cut takes that back the keeper only looks sooner than it must.
func (l *Locks) refreshed(ctx context.Context, r *row, granted time.Duration) error {
	_, err := l.amendBy(ctx, l.DB.WriteUnsynced, r.file, func(present *row) error {
		if present.token != r.token || present.path != r.path {
			return errRaced
		}
		return l.grant(ctx, present, granted)
	}, nil)
	return err
}

// dropOld releases the DAV lock of r if it is in the way of a new one: the upstream
// may have dropped it or not, and some show no locks.
func (l *Locks) dropOld(ctx context.Context, t Target, r *row) error {
	shown := t.Seen.Path == "" || !t.Seen.LocksKnown || own{tokens: []dav.LockToken{r.token}}.any(t.Seen.Locks)
	if r.token == "" || r.path != t.File.Path || !shown {
		return nil
	}
	return unlock(ctx, t.View, r.path, r.token)
}

// forTaker is t as the person reaches it who took r's DAV lock: no other
// credential may be able to use or release it.
func (l *Locks) forTaker(ctx context.Context, r *row, t Target) (Target, error) {
	view, err := l.keep(ctx, r.upstream, r.pinned)
	if err != nil {
		return t, err
	}
	t.View, t.Upstream = view, r.upstream
	if t.File.Space != r.space {
		e, err := l.IDs.Known(ctx, r.space, r.file)
		if err != nil {
			return t, err
		}
		t.File, t.Seen = e, dav.Resource{}
	}
	return t, nil
}

// reshadow takes the DAV lock of a held row anew, at t's place, under x: the old
// one was dropped, or left behind by a move. t is the taker's. The intent and its nonce come first.
// It returns the row as it is then, or a [*MismatchError] if somebody else has
// locked the file meanwhile, [dav.ErrNotFound], or what else the upstream said;
// the row is marked lost then, and the keeper tries again.
func (l *Locks) reshadow(ctx context.Context, x *Lease, t Target, r *row) (*row, error) {
	next := *r
	next.path, next.space, next.nonce, next.token, next.lost = t.File.Path, t.File.Space, newNonce(), "", false
	o := leftover{Path: next.path, Nonce: next.nonce, Evidence: t.evidence()}
	now, err := l.now(ctx)
	if err != nil {
		return nil, err
	}
	o.Until = sqldb.Millis(now.Add(firstGrant))
	intent, err := l.Intend(ctx, x, Intent{Kind: kindLock, Space: next.space, Upstream: next.upstream, Pinned: next.pinned, Detail: detail(o)})
	if err != nil {
		return nil, err
	}
	var lock dav.ActiveLock
	if err = l.dropOld(ctx, t, r); err == nil {
		lock, err = l.ask(ctx, t, r.actor.Name, &next)
	}
	done, cancel := detached(ctx)
	defer cancel()
	switch {
	case errors.Is(err, dav.ErrUnsupported):
		next.nonce = o.Nonce
	case err != nil:
		if !unclear(err) || isMismatch(err) {
			l.failed("forgetting an intent", l.Done(done, intent))
		}
		l.lose(done, r, err)
		return nil, l.met(done, r.file, err)
	}
	next.token = lock.Token
	present, err := l.store(done, x, t, r, &next, lock.Timeout, intent)
	if err != nil {
		if errors.Is(err, errRaced) {
			next.granted = now.Add(max(lock.Timeout, firstGrant))
			l.leaveNow(done, &next) // by its token: where no owner is shown the intent could not find it
		}
		return nil, err
	}
	if present.phase == held {
		l.announceAnew(done, t.View, present)
	}
	return present, nil
}

// store writes a new DAV lock into the present row; the old one, if there is any,
// becomes an intent to release it.
func (l *Locks) store(ctx context.Context, x *Lease, t Target, old, next *row, granted time.Duration, intent int64) (*row, error) {
	now, err := l.now(ctx)
	if err != nil {
		return nil, err
	}
	var before *row
	present, err := l.amend(ctx, old.file, func(p *row) error {
		if p.editing != old.editing || p.phase != old.phase {
			return errRaced // cannot be under the lease, but a lock with nobody to release it would be bad
		}
		was := *p
		before = &was
		p.path, p.space, p.token, p.nonce = next.path, next.space, next.token, next.nonce
		if next.handed {
			p.actor, p.pinned, p.upstream = next.actor, next.pinned, next.upstream
		}
		if next.token == "" {
			p.lost, p.next = false, p.lock.Expires
			return nil
		}
		err := l.grant(ctx, p, granted)
		if granted < longEnough {
			p.next = now // the keeper asks for the long time; somebody is waiting for us
		}
		return err
	}, func(tx sqldb.Queryer) error {
		if err := x.Still(ctx, tx); err != nil {
			return err
		}
		if o, any := before.leave(); any && before.path != next.path && !before.lost {
			if _, err := addLeftover(ctx, tx, kindUnlock, before, o, x.Serial, now); err != nil {
				return err
			}
		}
		return deleteIntent(ctx, tx, intent)
	})
	return present, err
}

// lose marks the shadow of the held row r as lost, and remembers who stands in
// the way.
func (l *Locks) lose(ctx context.Context, r *row, cause error) {
	now, err := l.now(ctx)
	if err == nil {
		var before row
		_, err = l.amend(ctx, r.file, func(p *row) error {
			if p.token != r.token || p.phase != r.phase {
				return errRaced
			}
			before = *p
			p.lost, p.token, p.holder = true, "", ""
			var m *MismatchError
			if errors.As(cause, &m) {
				p.holder = m.Reason
			}
			p.tries++
			p.next = now.Add(backoff(p.tries))
			return nil
		}, func(tx sqldb.Queryer) error {
			// It may be there all the same: nobody else would give it back after Unlock.
			o, any := before.leave()
			if !any || before.lost {
				return nil
			}
			_, err := addLeftover(ctx, tx, kindUnlock, &before, o, 0, now)
			return err
		})
	}
	if !errors.Is(err, errRaced) {
		l.failed("marking a DAV lock as lost", err)
	}
}

func isMismatch(err error) bool {
	var m *MismatchError
	return errors.As(err, &m)
}
