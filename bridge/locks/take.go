package locks

import (
	"context"
	"errors"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A taker turns an unlocked file locked: row `taking`, DAV lock, row `held`.
type taker struct {
	l     *Locks
	t     Target
	a     Actor
	id    wopi.LockID
	old   *row        // the row that is there: expired, releasing, or left taking by a crash
	again *editingRow // the editing that goes on; nil begins one
	// byLock says that Lock asked, not RefreshLock or PutFile.
	byLock bool

	adopt   leftover // what old left, if its DAV lock can be taken over as it is
	adoptID int64    // its intent
	checked bool     // a third trip was used to look at what was locked: the keeper extends
}

// take runs the taker. It returns the row, held, or: errRaced if somebody was
// faster, a [*MismatchError] if something that is not WOPI holds the file,
// [dav.ErrNotFound] if the file is not there any more, and what else the upstream
// said. In every case of error the file is not locked by us, or an intent sees to
// it.
func (k *taker) take(ctx context.Context) (*row, error) {
	r, err := k.announceTaking(ctx)
	if err != nil {
		return nil, err
	}
	stop := k.l.keepTaking(ctx, r)
	next, err := k.shadow(ctx, r)
	stop()
	// From here on the outcome must be written even if the client has hung up.
	done, cancel := detached(ctx)
	defer cancel()
	if err != nil {
		k.giveUp(done, r, err)
		return nil, k.l.met(done, k.t.File.ID, err)
	}
	if err := k.hold(done, r, next); err != nil {
		return nil, err
	}
	if !k.checked {
		k.l.extend(ctx, k.t.View, next)
	}
	k.l.announceAnew(ctx, k.t.View, next)
	return next, nil
}

// announceTaking writes the row `taking`, with the nonce, before anything is
// asked of the upstream, and what the old row leaves behind as intents.
func (k *taker) announceTaking(ctx context.Context) (*row, error) {
	now, err := k.l.now(ctx)
	if err != nil {
		return nil, err
	}
	pinned, err := k.t.pin(ctx)
	if err != nil {
		return nil, err
	}
	r := &row{
		file: k.t.File.ID, phase: taking, lock: Lock{ID: k.id, Expires: now.Add(Life)}, since: now, actor: k.a,
		space: k.t.File.Space, upstream: k.t.Upstream, pinned: pinned, path: k.t.File.Path, nonce: newNonce(),
		takingUntil: now.Add(takingFor), next: now.Add(takingFor),
	}
	err = k.l.swap(ctx, k.old, r, func(tx sqldb.Queryer) error {
		k.adopt, k.adoptID = leftover{}, 0
		if err := unlessPinned(ctx, tx, r.file); err != nil || k.old == nil {
			return err
		}
		if k.old.phase == taking {
			_, err := addLeftover(ctx, tx, kindLock, k.old, k.old.mayHave(k.t), 0, now)
			return err
		}
		o, any := k.old.leave()
		if !any {
			return nil
		}
		id, err := addLeftover(ctx, tx, kindUnlock, k.old, o, 0, now)
		k.adopt, k.adoptID = o, id
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// mayHave is what a row that was left `taking` may have on the upstream: a lock
// with its nonce, until the first grant has run out.
func (r *row) mayHave(t Target) leftover {
	last := r.takingUntil
	if last.Before(r.since) {
		last = r.since // Alone has cut it short
	}
	return leftover{Path: r.path, Nonce: r.nonce, Until: sqldb.Millis(last.Add(firstGrant)), Evidence: t.evidence()}
}

// keepTaking renews the row's short lease while the upstream takes its time, and
// returns how to stop it.
func (l *Locks) keepTaking(ctx context.Context, r *row) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	file, serial := string(r.file), r.serial
	go func() {
		defer close(done)
		tick := time.NewTicker(l.k.renew)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now, err := l.now(ctx)
			if err != nil {
				continue
			}
			until := sqldb.Millis(now.Add(takingFor))
			l.failed("renewing a row", l.DB.WriteUnsynced(ctx, func(tx sqldb.Queryer) error {
				_, err := tx.Exec(ctx, `UPDATE locks_row SET taking_until = ?, next_at = ? WHERE file = ? AND serial = ?`, until, until, file, serial)
				return err
			}))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// shadow asks the upstream for the DAV lock of r and returns the row that follows.
func (k *taker) shadow(ctx context.Context, r *row) (*row, error) {
	next := *r
	next.phase, next.takingUntil, next.next = held, time.Time{}, r.lock.Expires
	if k.adoptable() {
		granted, err := k.t.View.RefreshLock(ctx, k.adopt.Path, k.adopt.Token, shadowGrant)
		if err == nil {
			next.token, next.nonce = k.adopt.Token, k.adopt.Nonce
			return &next, k.l.grant(ctx, &next, granted)
		}
	}
	if err := k.clearOld(ctx); err != nil {
		return nil, err
	}
	lock, err := k.l.ask(ctx, k.t, k.a.Name, r)
	if errors.Is(err, dav.ErrUnsupported) {
		return &next, nil
	}
	if err != nil {
		return nil, err
	}
	next.token = lock.Token
	if sure := k.t.View.Client().Profile().Name == davbackend.Embedded.Name; k.t.Seen.Path == "" || !sure {
		if err := k.l.stillThere(ctx, k.t, &next); err != nil {
			return nil, err
		}
		k.checked = k.t.Seen.Path != ""
	}
	err = k.l.grant(ctx, &next, lock.Timeout)
	if k.checked && (lock.Timeout <= 0 || lock.Timeout < longEnough) {
		next.next = next.since // at the keeper's next pass
	}
	return &next, err
}

// adoptable reports whether the DAV lock that the old row leaves can go on as
// ours: the same person's, at the same place, not run out, and not shown lost.
func (k *taker) adoptable() bool {
	return k.adopt.Token != "" && k.old.actor.UserID == k.a.UserID && k.old.upstream == k.t.Upstream &&
		k.old.path == k.t.File.Path && k.old.space == k.t.File.Space && !k.old.lost
}

// clearOld releases the DAV lock of the old row, with the credential that took it.
func (k *taker) clearOld(ctx context.Context) error {
	if k.adoptID == 0 {
		return nil
	}
	view, err := k.l.viewOf(ctx, k.old, k.t, k.a)
	if err != nil {
		return err
	}
	if err := k.l.release(ctx, view, k.adopt); err != nil {
		return err
	}
	err = k.l.Done(ctx, k.adoptID)
	k.adoptID = 0
	return err
}

// hold writes the row `held` with its token, and the editing, in one step. If the
// row is not ours any more, because we slept for longer than it lives, the DAV
// lock is released again.
func (k *taker) hold(ctx context.Context, r, next *row) error {
	now, err := k.l.now(ctx)
	if err != nil {
		return err
	}
	err = k.l.swap(ctx, r, next, func(tx sqldb.Queryer) error {
		var err error
		if k.again == nil {
			next.editing, err = beginEditing(ctx, tx, k.t.File, k.a, next.lock, now)
		} else {
			next.editing = k.again.ID
			err = goOnEditing(ctx, tx, next.editing, k.a, next.lock, k.byLock, now)
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE locks_row SET editing = ? WHERE file = ?`, next.editing, string(next.file)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM locks_foreign WHERE file = ?`, string(next.file)); err != nil {
			return err
		}
		return deleteIntent(ctx, tx, k.adoptID)
	})
	if err != nil && next.token != "" && next.nonce == r.nonce {
		k.l.leaveNow(ctx, next)
	}
	return err
}

// giveUp removes the row that was being taken. If nobody knows what the upstream
// did, an intent looks for our nonce.
func (k *taker) giveUp(ctx context.Context, r *row, cause error) {
	now, err := k.l.now(ctx)
	if err == nil {
		err = k.l.swap(ctx, r, nil, func(tx sqldb.Queryer) error {
			var mismatch *MismatchError
			if errors.As(cause, &mismatch) || !unclear(cause) {
				return nil
			}
			r.takingUntil = now
			_, err := addLeftover(ctx, tx, kindLock, r, r.mayHave(k.t), 0, now)
			return err
		})
	}
	if !errors.Is(err, errRaced) {
		k.l.failed("giving up a lock", err)
	}
}
