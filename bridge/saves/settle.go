package saves

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// settle decides about an entry that its request has left: by a crash, or because
// the upstream went away while it answered. It looks at the upstream:
//
//   - the bytes are there: verified;
//   - our MOVE took the target away and broke off: it is completed, unless the file
//     is found elsewhere;
//   - a piece of the bytes is there (an upload in place broke off): sent again until
//     it is whole;
//   - nothing of them is there: delivered if nobody was answered, the upstream still
//     holds what they rest on and no newer save of the editing is there; else
//     unacknowledged.
//
// An error leaves the entry as it is, for another time.
func (s *Saves) settle(ctx context.Context, r *row) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	view, err := s.view(ctx, r)
	switch {
	case err == nil && r.acknowledged():
		err = s.reachable(ctx, r, view)
	case err != nil && r.state == stateSpooled:
		return s.park(ctx, r, "no credential to deliver it with")
	}
	if err != nil && r.acknowledged() {
		return &waitsError{s.stall(ctx, r, err)}
	}
	if err != nil {
		return err
	}
	d := &delivery{
		s: s, r: r, view: view, file: r.file, base: r.base, own: make(map[int64]bool), until: s.clock().Add(s.Patience),
		t: locks.Target{
			File: idmap.Entry{ID: r.file, Space: r.space, Name: r.name}, Upstream: r.upstream, View: view,
			Pin: func(context.Context) ([]byte, error) { return r.pinned, nil },
		},
		inPlace: s.inPlace(view), actor: r.actor(),
	}
	if r.file == "" || r.beside == 1 && !r.acknowledged() {
		if r.beside == 1 {
			d.inflight = r.state
		}
		return d.settleBeside(ctx)
	}
	lease, err := s.Locks.Lease(ctx, r.file, "settling a save", 0)
	if errors.Is(err, locks.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lease.Release()
	again, err := s.entry(ctx, r.id)
	if err != nil || again.store != s.store || again.state != r.state || again.serial != r.serial {
		return err
	}
	d.lease = lease
	if err := d.quiet(ctx); errors.Is(err, errUnderWay) {
		return nil // another time
	} else if err != nil {
		return err
	}
	err = d.settleEntry(ctx)
	if err != nil && r.acknowledged() {
		err = &waitsError{s.stall(ctx, r, err)}
	}
	switch {
	case err == nil:
		s.sweepChunks(ctx, view, r)
	case !errors.Is(err, errCrash):
		d.dropChunks(ctx)
	}
	return err
}

// actor is whose save it is, as far as the journal knows: not through which editor.
func (r *row) actor() locks.Actor {
	const via = " via davwopi"
	return locks.Actor{
		Member: r.member, Office: wopi.Office(r.office), UserID: r.user, Name: strings.TrimSuffix(r.writer, via) + via,
	}
}

// settleEntry is settle under the file's lease.
func (d *delivery) settleEntry(ctx context.Context) error {
	switch d.r.state {
	case stateWaiting:
		return d.settleWaiting(ctx)
	case stateAside:
		return d.settleAside(ctx)
	}
	// As in a request: where the MOVE is refused, the next look leads to a PUT into place.
	for n := 1; ; n++ {
		if err := d.settleFile(ctx); n == maxRounds || !errors.Is(err, errAgain) {
			return err
		}
	}
}

// park keeps an entry for its person and does nothing more by itself.
func (s *Saves) park(ctx context.Context, r *row, reason string) error {
	return s.advance(ctx, r, func(n *row) {
		if n.state == stateSpooled || n.state == stateDelivering {
			n.state = stateUnacknowledged
		}
		n.sent, n.temp = sentNothing, ""
		if n.reason == "" && !n.acknowledged() {
			n.reason = reason
		}
	}, nil)
}

// settleFile settles a save of a file, under its lease.
func (d *delivery) settleFile(ctx context.Context) error {
	if err := d.asWriter(ctx); err != nil {
		return err
	}
	if res, ok, err := d.landed(ctx); err != nil {
		return err
	} else if ok {
		return d.found(ctx, res)
	}
	if d.r.sent == sentPut {
		if err := d.replaceLock(ctx); err != nil {
			return err
		}
	}
	err := d.look(ctx)
	switch {
	case errors.Is(err, idmap.ErrMissing), errors.Is(err, idmap.ErrNotFound), errors.Is(err, dav.ErrNotFound):
		return d.settleGone(ctx)
	case err != nil:
		return err
	}
	unanswered := d.r.state == stateSpooled || d.r.state == stateDelivering
	if newer, err := d.s.newer(ctx, d.r); err != nil {
		return err
	} else if newer {
		d.dropTemp(ctx, d.r.temp)
		return d.s.forget(ctx, d.r)
	}
	broken := d.own[d.entry.Revision.Number]
	if !broken && !unanswered {
		return d.parkHere(ctx)
	}
	may, err := d.mayDeliver(ctx)
	if err != nil {
		return err
	}
	if !may && !broken {
		return d.parkHere(ctx)
	}
	return d.deliver(ctx)
}

// asWriter lends the delivery the lock of the editing that the bytes belong to, if
// that is still the one that holds the file.
func (d *delivery) asWriter(ctx context.Context) error {
	now, err := d.s.DB.Now(ctx)
	if err != nil {
		return err
	}
	st, err := d.s.Locks.State(ctx, d.file)
	if err != nil {
		return err
	}
	d.permit.View = d.view
	if st.Editing != nil && st.Editing.ID == d.r.editing {
		d.permit.Editing, d.permit.Lock, d.token = st.Editing, st.Lock, st.Shadow.Token
		d.permit.Taker, err = d.s.Locks.Taker(ctx, d.file, d.actor.UserID)
	} else if st.Lock.Held(now) {
		d.holder = "another editing"
	}
	return err
}

// mayDeliver reports whether bytes that nobody was answered for may be written by
// themselves: nobody else has the file, and it still is what they rest on.
func (d *delivery) mayDeliver(ctx context.Context) (bool, error) {
	if holder, _ := d.lockShown(d.was); d.holder != "" || holder != "" {
		return false, nil
	}
	switch {
	case d.r.kind == kindStray:
		return false, nil
	case d.r.kind == kindPut && d.r.editing == 0:
		return d.was.Size == 0, nil
	case d.permit.Editing != nil && (d.permit.Editing.Diverted != "" || d.permit.Editing.Reported != 0):
		return false, nil
	case d.r.base == 0:
		return false, nil
	}
	outside, err := d.outside(ctx)
	return !outside, err
}

// deliver sends the bytes now.
func (d *delivery) deliver(ctx context.Context) error {
	if err := d.s.advance(ctx, d.r, func(n *row) { n.serial = d.lease.Serial }, nil); err != nil {
		return err
	}
	if err := d.keepPreimage(ctx); err != nil {
		return err
	}
	res, err := d.upload(ctx)
	switch {
	case err == nil:
		return d.found(ctx, res)
	case final(err):
		return d.s.park(ctx, d.r, bounded(err.Error()))
	}
	return err
}

// found records that res has the bytes. What was recorded before the crash is not
// recorded twice, so that a revision which an editor knows stays the present one.
func (d *delivery) found(ctx context.Context, res dav.Resource) error {
	if d.r.state == stateWaiting {
		_, err := d.arrivedLate(ctx, res)
		return err
	}
	e, err := d.s.IDs.Known(ctx, d.t.File.Space, d.file)
	if err == nil && !(bytes.Equal(e.Revision.SHA256, d.r.sha256) && e.Revision.ETag.Same(res.ETag)) {
		e, err = d.s.IDs.Wrote(ctx, d.t.File.Space, d.file, res, d.r.sha256)
	}
	if errors.Is(err, idmap.ErrNotFound) {
		return d.s.park(ctx, d.r, reasonDeleted)
	}
	if err != nil {
		return err
	}
	d.dropTemp(ctx, d.unusedTemp()) // before the row forgets it
	err = d.s.advance(ctx, d.r, func(n *row) { n.arrived(e.Revision, res) }, func(tx sqldb.Queryer) error {
		return wrote(ctx, tx, d.r.changed, d.r.hand(), d.file, e.Revision, d.r.sha256)
	})
	if err == nil {
		d.tidy(ctx, "")
	}
	return err
}

// parkHere keeps the bytes for recovery; the target is there, so the temp may go.
func (d *delivery) parkHere(ctx context.Context) error {
	if d.r.temp != "" {
		if err := d.dropTempNow(ctx); err != nil {
			return err
		}
	}
	return d.s.park(ctx, d.r, reasonUndelivered)
}

// settleGone: the file is nowhere in reach.
func (d *delivery) settleGone(ctx context.Context) error {
	if d.r.sent != sentMove || d.r.temp == "" {
		return d.s.park(ctx, d.r, reasonGone)
	}
	res, err := d.finishMove(ctx)
	switch {
	case err == nil:
		return d.found(ctx, res)
	case errors.Is(err, dav.ErrNotFound):
		return d.s.park(ctx, d.r, reasonGone)
	}
	return err
}

// settleBeside settles a new file or a conflict copy: something that nothing else
// depends on.
func (d *delivery) settleBeside(ctx context.Context) error {
	if d.r.sent != sentNothing && d.r.target != "" {
		res, err := d.view.Stat(ctx, d.r.target)
		switch {
		case err == nil:
			ok, err := d.holds(ctx, res)
			if err != nil {
				return err
			}
			if ok {
				return d.foundBeside(ctx, res)
			}
		case !errors.Is(err, dav.ErrNotFound):
			return err
		}
	}
	if d.r.temp != "" {
		if err := d.dropTempNow(ctx); err != nil {
			return err
		}
	}
	if d.r.state == stateConflict || d.r.state == statePreimage {
		return d.s.advance(ctx, d.r, func(n *row) { n.temp, n.sent = "", sentNothing }, nil)
	}
	return d.s.park(ctx, d.r, "the upstream went away before it was delivered")
}

func (d *delivery) foundBeside(ctx context.Context, res dav.Resource) error {
	if d.r.state == statePreimage {
		return d.s.advance(ctx, d.r, func(n *row) { n.temp, n.sent = "", sentNothing }, nil)
	}
	if d.r.kind == kindCreate {
		_, err := d.made(ctx, res)
		return err
	}
	e, err := d.s.IDs.Made(ctx, d.t.File.Space, res)
	if err != nil {
		return err
	}
	return d.copied(ctx, e, res)
}

// dropTempNow is dropTemp for when it must have happened. Whoever was to be answered for the
// temp is gone, so it may be on its way still.
func (d *delivery) dropTempNow(ctx context.Context) error {
	err := d.view.Delete(ctx, d.r.temp, zeroCondition)
	if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return err
	}
	return d.s.litter(ctx, d.r, d.r.temp)
}
