package saves

import (
	"context"
	"errors"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

const (
	maxRounds   = 8 // looks at an upstream that keeps changing under our hands
	maxRestarts = 3 // leases taken over from one request
)

// Put is PutFile (DESIGN 4 and 7): the lock rule before the body is read, spool,
// fsync, journal, lease, lock rule again, where is the file now, is it still what
// the editing started from, pre-image, upload by the upstream's strategy, verify,
// new revision. It returns the revision that the bytes have become.
//
// Errors, and what then holds:
//
//   - *locks.MismatchError: the file is as it was. If the rule changed while the
//     body came in, the bytes are kept as unacknowledged.
//   - *ConflictError: the file is as somebody else left it, the bytes are in a copy
//     or in the journal. With Diverted the answer is 200 with Revision.
//   - *KeptError: the bytes are in the journal; nothing is known of the upstream,
//     except that it refused if the cause is dav.ErrFull, dav.ErrTooLarge or
//     dav.ErrDenied.
//   - dav.ErrTooLarge, dav.ErrIncomplete, ErrNoRoom: nothing was kept or written.
//
// Once the body is in, ctx's end does not stop it.
func (s *Saves) Put(ctx context.Context, t locks.Target, a locks.Actor, p Put) (idmap.Revision, error) {
	if err := s.Locks.MayWrite(ctx, t, a, p.Lock); err != nil {
		return idmap.Revision{}, err
	}
	st, err := s.Locks.State(ctx, t.File.ID)
	if err != nil {
		return idmap.Revision{}, err
	}
	ed := st.Editing // Permit knows better; this is for a crash before it
	from := sender{
		kind: kindPut, file: t.File.ID, space: t.File.Space, upstream: t.Upstream, name: t.File.Name,
		writer: p.Writer, user: a.UserID, member: a.Member, office: int64(a.Office), pin: t.Pin, max: s.MaxBytes,
	}
	if from.writer == "" {
		from.writer = a.Name
	}
	if ed != nil {
		from.editing = ed.ID
		if from.base, err = s.baseOf(ctx, t.File.ID, ed, p.Timestamp); err != nil {
			return idmap.Revision{}, err
		}
	}
	r, err := s.receive(ctx, from, p.Body, p.Length)
	if err != nil {
		return idmap.Revision{}, err
	}
	defer s.live.leave(r.id)
	return s.bring(context.WithoutCancel(ctx), t, a, p, r)
}

// baseOf is the revision that a save of ed rests on. A timestamp that names a
// revision which the editing read or wrote is the base exactly; one that names
// anything else says nothing.
func (s *Saves) baseOf(ctx context.Context, f idmap.FileID, ed *locks.Editing, timestamp string) (int64, error) {
	if ed == nil {
		return 0, nil
	}
	if timestamp == "" {
		return ed.Base, nil
	}
	rev, err := s.IDs.RevisionBy(ctx, f, timestamp)
	if errors.Is(err, idmap.ErrNotFound) {
		return ed.Base, nil
	}
	if err != nil {
		return 0, err
	}
	own, err := s.writtenBy(ctx, ed.ID, f, rev.Number)
	if err != nil {
		return 0, err
	}
	if own {
		return rev.Number, nil
	}
	return ed.Base, nil
}

// bring delivers r, again from the lock rule if the lease is taken over (DESIGN
// 4), unless a newer save of the same editing has arrived meanwhile.
func (s *Saves) bring(ctx context.Context, t locks.Target, a locks.Actor, p Put, r *row) (idmap.Revision, error) {
	until := s.clock().Add(s.Patience)
	for n := 1; ; n++ {
		rev, err := s.bringOnce(ctx, t, a, p, r, until)
		if !errors.Is(err, locks.ErrStale) {
			return rev, err
		}
		again, rerr := s.entry(ctx, r.id)
		if rerr != nil {
			return idmap.Revision{}, &KeptError{Entry: r.id, Err: errors.Join(err, rerr)}
		}
		if r = again; r.state == stateVerified {
			// Whoever took over found that it had arrived, and has gone on from there.
			return idmap.Revision{}, &KeptError{Entry: r.id, Err: errSuperseded}
		}
		if newer, nerr := s.newer(ctx, r); newer || nerr != nil {
			return idmap.Revision{}, s.keep(ctx, r, errors.Join(errSuperseded, nerr))
		}
		if n == maxRestarts {
			return idmap.Revision{}, s.keep(ctx, r, err)
		}
	}
}

// newer reports whether a later save of the same editing has arrived, by whichever
// bridge. Its entry may have left the journal since; what it wrote is remembered.
func (s *Saves) newer(ctx context.Context, r *row) (bool, error) {
	if r.editing == 0 || s.lacks(theOrder) {
		return false, nil
	}
	return newerIn(ctx, s.DB.Read(), r)
}

func newerIn(ctx context.Context, q sqldb.Queryer, r *row) (bool, error) {
	return existsIn(ctx, q, `SELECT 1 FROM saves_written WHERE file = ? AND editing = ? AND num > ? LIMIT 1`,
		string(r.file), r.editing, r.num)
}

func (s *Saves) bringOnce(ctx context.Context, t locks.Target, a locks.Actor, p Put, r *row, until time.Time) (idmap.Revision, error) {
	d := &delivery{s: s, r: r, t: t, p: p, actor: a, until: until, file: t.File.ID, view: t.View, own: make(map[int64]bool)}
	lease, err := s.Locks.Lease(ctx, t.File.ID, "PutFile", s.left(until))
	if err != nil {
		return d.behind(ctx, err)
	}
	defer lease.Release()
	d.lease = lease
	if known, err := s.IDs.Known(ctx, t.File.Space, t.File.ID); err == nil {
		d.t.File, d.t.Seen = known, dav.Resource{} // it may have been moved while we waited
	}
	if err := d.ask(ctx); errors.Is(err, locks.ErrStale) {
		return idmap.Revision{}, err
	} else if err != nil {
		return d.unpermitted(ctx, err)
	}
	if err := d.begin(ctx); err != nil {
		return d.queueOr(ctx, err)
	}
	rev, err := d.rounds(ctx)
	if err != nil {
		return d.queueOr(ctx, err)
	}
	return rev, nil
}

// unpermitted is what follows when Permit said no, or could not ask the upstream:
// what the database allows may wait then.
func (d *delivery) unpermitted(ctx context.Context, cause error) (idmap.Revision, error) {
	if outage(cause) && !d.p.NoWait && d.s.WhenDown.queueing(d.office()) {
		permit, err := d.s.Locks.PermitKept(ctx, d.lease, d.t, d.actor, d.p.Lock)
		if errors.Is(err, locks.ErrStale) {
			return idmap.Revision{}, err
		}
		if d.permit = permit; err == nil {
			if err := d.claim(ctx); err != nil {
				return idmap.Revision{}, d.end(ctx, err)
			}
			return d.queueOr(ctx, cause)
		}
	}
	return idmap.Revision{}, d.refused(ctx, cause)
}

// ask gets the permit. A lock ID that was held here, while somebody else holds the
// file now, is somebody's work: it ends as a conflict copy.
func (d *delivery) ask(ctx context.Context) error {
	err := d.s.patiently(ctx, d.until, func() error {
		var err error
		d.permit, err = d.s.Locks.Permit(ctx, d.lease, d.t, d.actor, d.p.Lock)
		return err
	})
	var late *locks.SupersededError
	switch {
	case errors.As(err, &late):
		d.permit = locks.Permit{View: d.t.View, Editing: late.Editing, Lock: locks.Lock{ID: late.Mismatch.Current}}
		d.holder, d.superseded = late.Mismatch.Reason, true
		return nil
	case errors.Is(err, dav.ErrNotFound):
		// The file is gone; rounds will find that, too.
		st, err := d.s.Locks.State(ctx, d.file)
		d.permit = locks.Permit{View: d.t.View, Editing: st.Editing, Lock: st.Lock}
		return err
	}
	return err
}

// refused answers a Permit that said no. A mismatch is WOPI's 409, whatever it
// is wrapped in; the bytes stay as unacknowledged, for the rule allowed them when
// they began to come in.
func (d *delivery) refused(ctx context.Context, err error) error {
	kept := d.s.keep(ctx, d.r, err)
	var mismatch *locks.MismatchError
	if errors.As(err, &mismatch) && !errors.Is(kept, locks.ErrStale) {
		return err
	}
	return kept
}

// begin takes over what the permit says, and what an earlier holder of the lease
// has left lying.
func (d *delivery) begin(ctx context.Context) error {
	if err := d.claim(ctx); err != nil {
		return err
	}
	if err := d.s.patiently(ctx, d.until, func() error { return d.quiet(ctx) }); err != nil {
		return err
	}
	waits, err := d.s.exists(ctx, `SELECT 1 FROM saves_entry WHERE file = ? AND state IN (?, ?) AND id <> ? LIMIT 1`,
		string(d.file), stateWaiting, stateAside, d.r.id)
	if err != nil {
		return err
	}
	if waits {
		// An outage has gone before: who saves on is not kept waiting again, and no temp
		// is promised that would have to be cleared away.
		if err := d.s.reachable(ctx, d.r, d.view); err != nil {
			return err
		}
	}
	return d.takeOver(ctx)
}

// claim is begin as far as the database goes.
func (d *delivery) claim(ctx context.Context) error {
	if d.permit.View != nil {
		d.view = d.permit.View
	}
	d.token = d.permit.Token
	d.inPlace = d.s.inPlace(d.view)
	var err error
	d.base = d.r.base
	if d.permit.Editing != nil {
		if d.base, err = d.s.baseOf(ctx, d.file, d.permit.Editing, d.p.Timestamp); err != nil {
			return err
		}
	}
	editing := int64(0)
	if d.permit.Editing != nil {
		editing = d.permit.Editing.ID
	}
	if err := d.s.advanceUnsynced(ctx, d.r, func(n *row) {
		n.state, n.serial, n.editing, n.base = stateSpooled, d.lease.Serial, editing, d.base
	}); err != nil {
		return err
	}
	if newer, err := d.s.newer(ctx, d.r); err != nil || newer {
		// An exit save has overtaken the autosave before it.
		return errors.Join(errSuperseded, err)
	}
	return nil
}

// rounds looks, compares and uploads until the bytes are somewhere for good.
func (d *delivery) rounds(ctx context.Context) (idmap.Revision, error) {
	var rev idmap.Revision
	err := d.s.patiently(ctx, d.until, func() error {
		for n := 1; ; n++ {
			var err error
			rev, err = d.round(ctx)
			if n == maxRounds || !errors.Is(err, errAgain) {
				return err
			}
		}
	})
	return rev, err
}

func (d *delivery) round(ctx context.Context) (idmap.Revision, error) {
	if d.permit.Editing != nil && d.permit.Editing.Diverted != "" && d.office() == wopi.OnlyOffice {
		return idmap.Revision{}, d.conflict(ctx, "conflict")
	}
	// Before idmap is asked: some upstreams give a file that was moved over
	// another the ID of the source.
	if res, ok, err := d.landed(ctx); err != nil {
		return idmap.Revision{}, err
	} else if ok {
		return d.commit(ctx, res)
	}
	if ok, err := d.deliveredSince(ctx); err != nil {
		return idmap.Revision{}, err
	} else if ok {
		return d.commit(ctx, d.was)
	}
	if err := d.stage(ctx); err != nil {
		return idmap.Revision{}, err
	}
	err := d.look(ctx)
	if errors.Is(err, idmap.ErrMissing) || errors.Is(err, idmap.ErrNotFound) || errors.Is(err, dav.ErrNotFound) {
		return d.gone(ctx, err)
	}
	if err != nil {
		return idmap.Revision{}, err
	}
	if d.holder != "" {
		return idmap.Revision{}, d.conflict(ctx, "conflict")
	}
	if err := d.compare(ctx); err != nil {
		return idmap.Revision{}, err
	}
	if err := d.keepPreimage(ctx); err != nil {
		return idmap.Revision{}, err
	}
	if err := d.lookPreimage(ctx); err != nil {
		return idmap.Revision{}, err
	}
	if err := d.s.step("compared"); err != nil {
		return idmap.Revision{}, err
	}
	res, err := d.upload(ctx)
	if err != nil {
		return idmap.Revision{}, err
	}
	return d.commit(ctx, res)
}
