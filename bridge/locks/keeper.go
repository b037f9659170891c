package locks

import (
	"context"
	"errors"
	"sync"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

const (
	keeperFor   = 20 * time.Second // life of the keeper's claim on one row, renewed while it works
	keeperLimit = 50 * time.Second
	keepers     = 6   // rows that are looked after at once: one dead server must not hold up the others
	perPass     = 500 // rows of one pass
)

// Run keeps the shadows alive, gives expired ones back, adopts what a crash has
// left and settles intents, until ctx ends; its error is ctx's. Several processes
// may run it on one database: each row is looked after by one of them at a time.
func (l *Locks) Run(ctx context.Context) error {
	tick := time.NewTicker(l.k.step)
	defer tick.Stop()
	for {
		if err := l.Tend(ctx); err != nil && ctx.Err() == nil {
			l.failed("keeping locks", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Tend is one pass of Run, as of the database's clock. It returns when all that is
// due has been tried once. What failed on an upstream is told to OnError and tried
// again later; the error is the database's.
func (l *Locks) Tend(ctx context.Context) error {
	if l.lacks(theKeeper) {
		return nil
	}
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	if err := l.sweep(ctx, now); err != nil {
		return err
	}
	intents, err := l.dueIntents(ctx, now)
	if err != nil {
		return err
	}
	forEach(ctx, intents, func(file idmap.FileID) { l.settleFile(ctx, file) })
	old, err := l.dueLockFiles(ctx, now)
	if err != nil {
		return err
	}
	forEach(ctx, old, func(file idmap.FileID) { l.tidyAgain(ctx, file) })
	due, err := l.rows(ctx, `WHERE next_at <= ? AND keeper_until <= ? ORDER BY next_at LIMIT ?`,
		sqldb.Millis(now), sqldb.Millis(now), int64(perPass))
	if err != nil {
		return err
	}
	files := make([]idmap.FileID, len(due))
	for i, r := range due {
		files[i] = r.file
	}
	forEach(ctx, files, func(file idmap.FileID) { l.look(ctx, file) })
	l.stampOpened(ctx)
	return ctx.Err()
}

// forEach calls f for every file, a few at once, until ctx ends.
func forEach(ctx context.Context, files []idmap.FileID, f func(idmap.FileID)) {
	work := make(chan idmap.FileID)
	var wg sync.WaitGroup
	for range min(keepers, len(files)) {
		wg.Go(func() {
			for file := range work {
				f(file)
			}
		})
	}
	for _, file := range files {
		if ctx.Err() != nil {
			break
		}
		work <- file
	}
	close(work)
	wg.Wait()
}

// look claims the row of file and does what is due. The claim is renewed while an upstream
// takes its time, so that another process waits for a dead one no longer than it must.
func (l *Locks) look(ctx context.Context, file idmap.FileID) {
	ctx, cancel := context.WithTimeout(ctx, keeperLimit)
	defer cancel()
	now, err := l.now(ctx) // that of the pass may be long ago
	if err != nil {
		l.failed("claiming a lock row", err)
		return
	}
	mine, err := l.claim(ctx, file, now.Add(keeperFor), now)
	if err != nil || !mine {
		l.failed("claiming a lock row", err)
		return
	}
	stop := l.keepClaim(ctx, cancel, file)
	r, err := readRow(ctx, l.DB.Read(), file)
	if err == nil && r != nil {
		err = l.tend(ctx, r, now)
	}
	if err != nil && !errors.Is(err, errRaced) && !errors.Is(err, ErrBusy) {
		l.failed("keeping a lock", err)
	}
	stop()
	done, cancel := detached(ctx)
	defer cancel()
	_, err = l.claim(done, file, time.Time{}, now)
	l.failed("ending a claim", err)
}

// keepClaim renews the claim on a row until stop is called, and ends ctx by lost if
// somebody else has it.
func (l *Locks) keepClaim(ctx context.Context, lost func(), file idmap.FileID) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(keeperFor / 4)
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
			if mine, err := l.claim(ctx, file, now.Add(keeperFor), now); err == nil && !mine {
				lost()
				return
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// claim makes this process the keeper of a row until then, if nobody else is; the
// zero time ends the claim.
func (l *Locks) claim(ctx context.Context, file idmap.FileID, until, now time.Time) (bool, error) {
	var n int64
	err := l.DB.WriteUnsynced(ctx, func(tx sqldb.Queryer) error {
		var err error
		n, err = tx.Exec(ctx, `UPDATE locks_row SET keeper = ?, keeper_until = ? WHERE file = ? AND (keeper = ? OR keeper_until <= ?)`,
			l.k.process, sqldb.Millis(until), string(file), l.k.process, sqldb.Millis(now))
		return err
	})
	return n > 0, err
}

// tend does what r needs.
func (l *Locks) tend(ctx context.Context, r *row, now time.Time) error {
	switch {
	case r.phase == taking && r.pending(now):
		return nil
	case r.phase == taking:
		return l.abandon(ctx, r, now)
	case r.phase == held && r.lock.Held(now):
		return l.keepAlive(ctx, r, now)
	}
	if _, waits, err := l.pinnedBy(ctx, r.file); err != nil {
		return err
	} else if waits {
		return l.keepForJournal(ctx, r, now)
	}
	return l.expire(ctx, r, now)
}

// abandon ends a taking whose process has died: nobody was told that the file is
// locked. An intent looks for the DAV lock with its nonce.
func (l *Locks) abandon(ctx context.Context, r *row, now time.Time) error {
	err := l.swap(ctx, r, nil, func(tx sqldb.Queryer) error {
		_, err := addLeftover(ctx, tx, kindLock, r, r.mayHave(Target{}), 0, now)
		return err
	})
	if err != nil {
		return err
	}
	l.settleFile(ctx, r.file) // at once: it may still be locked for the next who comes
	return nil
}

// expire gives back what an expired or unlocked row still has on the upstream. The
// editing lives on: its lock IDs may take the lock again.
func (l *Locks) expire(ctx context.Context, r *row, now time.Time) error {
	x, err := l.Lease(ctx, r.file, "expire", 0)
	if err != nil {
		if errors.Is(err, ErrBusy) {
			return l.putOff(ctx, r, now.Add(takingFor/2)) // a save may just be using it
		}
		return err
	}
	defer x.Release()
	next, err := l.startReleasing(ctx, r, false, now)
	if err != nil {
		return err
	}
	view, err := l.keep(ctx, r.upstream, r.pinned)
	if err != nil {
		return errors.Join(err, l.putOff(ctx, next, now.Add(backoff(next.tries))))
	}
	done, cancel := detached(ctx)
	defer cancel()
	return l.drop(done, view, next, now)
}

// putOff lets r rest until then.
func (l *Locks) putOff(ctx context.Context, r *row, until time.Time) error {
	_, err := l.amend(ctx, r.file, func(p *row) error {
		if p.serial != r.serial {
			return errRaced
		}
		p.next, p.tries = until, p.tries+1
		return nil
	}, nil)
	return err
}

// keepAlive refreshes the DAV lock of a live row, or takes it again if it is gone.
func (l *Locks) keepAlive(ctx context.Context, r *row, now time.Time) error {
	if r.token == "" && !r.lost {
		// Upstream without LOCK: the row is all.
		if r.phase == kept {
			return l.putOff(ctx, r, now.Add(Life))
		}
		return l.putOff(ctx, r, r.lock.Expires)
	}
	view, err := l.keep(ctx, r.upstream, r.pinned)
	if err != nil {
		return errors.Join(err, l.putOff(ctx, r, now.Add(l.pause(r))))
	}
	known, err := l.IDs.Known(ctx, r.space, r.file)
	if r.lost || (err == nil && known.Path != r.path) {
		return l.retake(ctx, view, r, now) // found at a new place, as it may be
	}
	granted, err := view.RefreshLock(ctx, r.path, r.token, shadowGrant)
	switch {
	case err == nil:
		return l.refreshed(ctx, r, granted)
	case errors.Is(err, dav.ErrChanged), errors.Is(err, dav.ErrLocked), errors.Is(err, dav.ErrNotFound):
		return l.retake(ctx, view, r, now)
	}
	done, cancel := detached(ctx)
	defer cancel()
	return errors.Join(err, l.putOff(done, r, now.Add(l.pause(r))))
}

// pause is a backoff that never waits for long while a lock has to be kept.
func (l *Locks) pause(r *row) time.Duration { return min(backoff(r.tries), time.Minute) }

// retake takes a DAV lock again that the upstream has dropped, under the lease: at
// the place where the file is now, and only if it still has the contents that we
// know. If somebody has changed it meanwhile the next save finds out.
func (l *Locks) retake(ctx context.Context, view *davbackend.View, r *row, now time.Time) error {
	x, err := l.Lease(ctx, r.file, "retake", 0)
	if err != nil {
		return l.putOff(ctx, r, now.Add(takingFor/2))
	}
	defer x.Release()
	present, err := readRow(ctx, l.DB.Read(), r.file)
	if err != nil || present == nil || present.phase != r.phase || present.token != r.token || present.editing != r.editing {
		return err // unlocked, or mended, before the lease was ours
	}
	e, res, err := l.IDs.Find(ctx, r.space, r.file, view)
	if errors.Is(err, idmap.ErrMissing) || errors.Is(err, idmap.ErrNotFound) {
		l.lose(ctx, r, dav.ErrNotFound)
		return nil
	}
	if err != nil {
		return errors.Join(err, l.putOff(ctx, r, now.Add(l.pause(r))))
	}
	if s := (own{[]dav.LockToken{r.token}, []string{r.nonce}}).stranger(res.Locks); s != nil {
		l.lose(ctx, r, l.met(ctx, r.file, foreignLock(s.Owner)))
		return nil
	}
	base, err := editingByID(ctx, l.DB.Read(), r.editing)
	if err != nil {
		return err
	}
	if e.Revision.Number > max(base.Base, base.known) {
		l.lose(ctx, r, dav.ErrChanged)
		return nil
	}
	t := Target{File: e, Seen: res, Upstream: r.upstream, View: view}
	if _, err = l.reshadow(ctx, x, t, r); isMismatch(err) {
		err = nil // told to people, and tried again
	}
	return err
}
