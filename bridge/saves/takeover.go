package saves

import (
	"context"
	"errors"

	"davwopi/bridge/locks"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// takeOver deals with what an earlier holder of the lease left unfinished on this
// file (DESIGN 4): its temp goes, so that it cannot move it any more, and its entry
// becomes unacknowledged, so that it notices. And with what a save of the same
// editing has left that failed on the way: a piece of it is nobody else's work.
func (d *delivery) takeOver(ctx context.Context) error {
	if d.s.lacks(theTakeOver) {
		return nil
	}
	left, err := d.s.anywhere(ctx, `file = ? AND state IN (?, ?, ?) AND id <> ? AND (state = ? AND serial < ? OR state = ? AND editing = ? AND editing > 0 AND sent = ? OR state = ? AND (sent > 0 OR temp <> '') AND beside = 0)`,
		string(d.file), stateDelivering, stateUnacknowledged, stateWaiting, d.r.id, stateDelivering, d.lease.Serial, stateUnacknowledged, d.r.editing, sentPut, stateWaiting)
	if err != nil {
		return err
	}
	inPlace := false
	for _, r := range left {
		sentInPlace := r.sent == sentPut && r.beside == 0
		sub := &delivery{
			s: d.s, r: r, t: d.t, view: d.view, token: d.token, lease: d.lease, file: d.file, base: r.base,
			own: d.own, until: d.until, permit: d.permit, inPlace: d.inPlace,
		}
		if r.state == stateUnacknowledged {
			arrived := false
			err := d.s.patiently(ctx, d.until, func() (err error) {
				_, arrived, err = sub.landed(ctx) // it notes a piece as ours
				return err
			})
			if err != nil {
				return err
			}
			// As in strayed: it may be carried out later than what is sent now.
			inPlace = inPlace || sentInPlace && !arrived
			continue
		}
		inPlace = inPlace || sentInPlace
		if err := sub.takenOver(ctx); err != nil && !errors.Is(err, locks.ErrStale) {
			return err
		}
	}
	if inPlace {
		return d.replaceLock(ctx)
	}
	return nil
}

// replaceLock gives the file another DAV lock: what somebody who is gone has sent into
// place shows the old one, and is refused whenever it arrives (DESIGN 4).
func (d *delivery) replaceLock(ctx context.Context) error {
	if d.token == "" || d.lease == nil || d.s.lacks(theTakeOver) {
		return nil
	}
	t, err := d.t, error(nil)
	if t.File, err = d.s.IDs.Known(ctx, d.t.File.Space, d.file); err != nil {
		return nil // it is gone, as the next look finds
	}
	t.Seen = dav.Resource{}
	// The start is in a hurry. A LOCK that is given up while it is under way may be granted
	// all the same, and then is in the way for a minute.
	ctx, stop := shortly(context.WithoutCancel(ctx))
	defer stop()
	token, err := d.s.Locks.Reshadow(ctx, d.lease, t)
	var mismatch *locks.MismatchError
	switch {
	case errors.As(err, &mismatch):
		return &foreignError{holder: mismatch.Reason}
	case errors.Is(err, dav.ErrNotFound):
		return nil
	case d.takersLock(err):
		d.withoutTaker(err)
		return nil
	case err == nil:
		d.token = token
	}
	return err
}

func (d *delivery) takenOver(ctx context.Context) error {
	if d.r.sent == sentNothing {
		d.s.sweepChunks(ctx, d.view, d.r)
	}
	if res, ok, err := d.landed(ctx); err != nil {
		return err
	} else if ok {
		return d.found(ctx, res)
	}
	err := d.look(ctx)
	switch {
	case errors.Is(err, idmap.ErrMissing), errors.Is(err, idmap.ErrNotFound), errors.Is(err, dav.ErrNotFound):
		return d.settleGone(ctx)
	case err != nil:
		return err
	}
	return d.parkHere(ctx)
}
