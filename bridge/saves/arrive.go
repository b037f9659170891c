package saves

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// errOrder: an older save of the same file has to be delivered first.
var errOrder = errors.New("saves: an older save of this file is delivered first")

// errSpoiled: the directory was touched. Such bytes are never delivered.
var errSpoiled = errors.New("saves: the bytes of this entry are not those that were saved")

// reachable asks the upstream for the file before the lease of a waiting save is
// taken: the saves that come meanwhile must not wait for a dead server twice.
func (s *Saves) reachable(ctx context.Context, r *row, view *davbackend.View) error {
	known, err := s.IDs.Known(ctx, r.space, r.file)
	if errors.Is(err, idmap.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = view.Stat(ctx, known.Path)
	if errors.Is(err, dav.ErrNotFound) {
		return nil
	}
	return err
}

// stall leaves a waiting save for another time, and says why. One whose credential
// is refused is not tried again until somebody lends another: an upstream may close
// the account after a few wrong ones.
func (s *Saves) stall(ctx context.Context, r *row, cause error) error {
	if errors.Is(cause, locks.ErrStale) || errors.Is(cause, errCrash) {
		return cause
	}
	reason := bounded(cause.Error())
	if errors.Is(cause, dav.ErrUnauthorized) || errors.Is(cause, access.ErrNeedsSignIn) {
		reason = needsSignIn
	}
	if r.reason == reason {
		return cause
	}
	return errors.Join(cause, s.advance(ctx, r, func(n *row) { n.reason = reason }, nil))
}

// deliverWaiting brings an acknowledged save to the upstream, under the lease: what
// lies there must be what lay beneath it when it was acknowledged; else the bytes go
// beside it.
func (d *delivery) deliverWaiting(ctx context.Context) error {
	older, err := d.s.exists(ctx, `SELECT 1 FROM saves_entry WHERE file = ? AND state = ? AND num < ? LIMIT 1`, string(d.file), stateWaiting, d.r.num)
	if err != nil {
		return err
	}
	if older {
		return errOrder
	}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.lend(ctx); err != nil {
		return err
	}
	// It may have begun to wait behind a save that has died since, and that is older.
	if err := d.takeOver(ctx); err != nil {
		return err
	}
	if err := d.strayed(ctx); err != nil {
		return d.ended(ctx, err)
	}
	for n := 1; ; n++ {
		if _, err = d.round(ctx); d.takerRefused(err) && d.takerGone == nil {
			d.withoutTaker(err)
			err = errAgain
		}
		if n == maxRounds || !errors.Is(err, errAgain) {
			break
		}
	}
	return d.ended(ctx, err)
}

// takerRefused reports whether err may be that the upstream refuses the credential of whoever
// took the DAV lock, which another person's bytes needed; or that it lets nobody else write,
// where that other person has lent a credential to bytes of whoever took it.
func (d *delivery) takerRefused(err error) bool {
	return errors.Is(err, locks.ErrTaker) || d.asTaker && errors.Is(err, dav.ErrUnauthorized) || d.token != "" && errors.Is(err, dav.ErrDenied)
}

// takersLock reports whether err is the same of an attempt to take that lock anew, which the
// locks do as whoever took it, for bytes that were acknowledged: their own credential was
// good a moment ago (reachable).
func (d *delivery) takersLock(err error) bool {
	return d.r.state == stateWaiting && errors.Is(err, dav.ErrUnauthorized)
}

// withoutTaker goes on as the writer, and without that lock: as long as it is there the upstream
// refuses the bytes, and they wait; it is not the writer who would have to sign in.
func (d *delivery) withoutTaker(why error) {
	d.view, d.token, d.asTaker, d.permit.Taker = d.permit.View, "", false, nil
	d.takerGone = why
}

// strayed takes the DAV lock anew if the entry's own upload into place had no answer and has
// not arrived: what a gateway gave up may be carried out behind it, and be later than a
// newer save.
func (d *delivery) strayed(ctx context.Context) error {
	if d.r.sent != sentPut || d.r.beside == 1 {
		return nil
	}
	_, ok, err := d.landed(ctx)
	if err != nil || ok {
		return err
	}
	return d.replaceLock(ctx)
}

// takeBack gives what lies on the upstream strings of its own, if it still has those that
// were given out for a waiting save that does not become the file's contents.
func (d *delivery) takeBack(ctx context.Context) error {
	if d.r.state != stateWaiting {
		return nil
	}
	return d.s.takeBack(ctx, d.r)
}

func (s *Saves) takeBack(ctx context.Context, r *row) error {
	known, err := s.IDs.Known(ctx, r.space, r.file)
	if err == nil && known.Revision.Number == r.revision {
		_, err = s.IDs.Issue(ctx, r.space, r.file, r.revision)
	}
	if errors.Is(err, idmap.ErrNotFound) || errors.Is(err, idmap.ErrNewer) {
		return nil
	}
	return err
}

// ended is what follows from an attempt to deliver what was acknowledged.
func (d *delivery) ended(ctx context.Context, err error) error {
	var conflict *ConflictError
	var foreign *foreignError
	if errors.As(err, &foreign) && d.takerGone != nil {
		return fmt.Errorf("%v: %w", d.takerGone, err)
	}
	if errors.As(err, &foreign) && d.pending == nil {
		if ours, oerr := d.mayBeOurs(ctx); ours || oerr != nil {
			return errors.Join(err, oerr)
		}
		d.holder = foreign.holder
		err = d.conflict(ctx, "conflict")
	}
	if !errors.As(err, &conflict) {
		return err
	}
	if d.office() == wopi.OnlyOffice {
		d.divert(ctx)
	}
	return nil
}

// lend gives the delivery the DAV lock of the file, taken again if the upstream may
// have dropped it.
func (d *delivery) lend(ctx context.Context) error {
	st, err := d.s.Locks.State(ctx, d.file)
	if err != nil {
		return err
	}
	d.permit.View, d.token = d.view, st.Shadow.Token
	if d.permit.Taker, err = d.s.Locks.Taker(ctx, d.file, d.actor.UserID); err != nil {
		return err
	}
	if st.Shadow.Path == "" || !st.Shadow.Lost && d.token != "" {
		return nil
	}
	token, err := d.s.Locks.Reshadow(ctx, d.lease, d.t)
	var mismatch *locks.MismatchError
	switch {
	case d.takersLock(err):
		d.withoutTaker(err)
		return nil
	case errors.As(err, &mismatch):
		if ours, oerr := d.mayBeOurs(ctx); ours || oerr != nil {
			return errors.Join(err, oerr)
		}
		d.holder = mismatch.Reason
		return nil
	case errors.Is(err, dav.ErrNotFound):
		return nil // round finds out
	}
	d.token = token
	return err
}

// arrivedLate is commit for a waiting save: its revision was given out before, and
// stays.
func (d *delivery) arrivedLate(ctx context.Context, res dav.Resource) (idmap.Revision, error) {
	if err := d.mine(ctx); err != nil {
		return idmap.Revision{}, err
	}
	newer, err := waitingAfter(ctx, d.s.DB.Read(), d.r)
	if err != nil {
		return idmap.Revision{}, err
	}
	if err := d.s.step("landed"); err != nil {
		return idmap.Revision{}, err
	}
	issued, now, newest := d.r.revision, d.r.changed, len(newer) == 0
	var e idmap.Entry
	if !newest {
		// Nobody is shown these contents any more.
		e, err = d.s.IDs.Wrote(ctx, d.t.File.Space, d.file, res, d.r.sha256)
	} else {
		e, err = d.s.IDs.Delivered(ctx, d.t.File.Space, d.file, issued, res, d.r.sha256)
	}
	if err != nil {
		return idmap.Revision{}, err
	}
	if err := d.s.step("recorded"); err != nil {
		return idmap.Revision{}, err
	}
	d.entry = e
	temp := d.unusedTemp()
	err = d.s.advance(ctx, d.r, func(n *row) { n.arrived(e.Revision, res) }, func(tx sqldb.Queryer) error {
		if err := wrote(ctx, tx, now, hand{editing: d.r.editing, user: d.r.user}, d.file, e.Revision, d.r.sha256); err != nil {
			return err
		}
		if newer, err = waitingAfter(ctx, tx, d.r); err != nil { // more may have come without the lease
			return err
		}
		for _, n := range newer { // they rest on these bytes, whoever saved them
			if err := wrote(ctx, tx, now, hand{editing: n.editing}, d.file, e.Revision, d.r.sha256); err != nil {
				return err
			}
		}
		if err := litters(ctx, tx, now, d.r, temp); err != nil { // the row forgets it
			return err
		}
		if newest && e.Revision.Number != issued {
			if err := d.s.Locks.Renumber(ctx, tx, d.file, issued, e.Revision.Number); err != nil {
				return err
			}
		}
		return d.s.unpin(ctx, tx, d.r.id, d.file)
	})
	if err != nil {
		return idmap.Revision{}, err
	}
	d.tidy(ctx, temp)
	return e.Revision, nil
}

// waitingAfter are the newer waiting saves of the file of r. They rest on it.
func waitingAfter(ctx context.Context, q sqldb.Queryer, r *row) ([]*row, error) {
	return rowsOf(ctx, q, `file = ? AND state = ? AND num > ?`, string(r.file), stateWaiting, r.num)
}

// settleWaiting settles a waiting save, under the lease.
func (d *delivery) settleWaiting(ctx context.Context) error {
	if d.r.beside == 1 {
		// A copy beside the file was begun, and it is not known whether it is there.
		if err := d.settleBegun(ctx, stateWaiting); err != nil || d.r.state != stateWaiting {
			return err
		}
	}
	newer, err := d.s.newer(ctx, d.r)
	if err != nil {
		return err
	}
	after, err := waitingAfter(ctx, d.s.DB.Read(), d.r)
	if err != nil {
		return err
	}
	if (newer || len(after) > 0) && d.r.sent == sentNothing {
		d.dropTemp(ctx, d.r.temp)
		return d.s.forget(ctx, d.r)
	}
	return d.deliverWaiting(ctx)
}
