package saves

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// landed reports whether an earlier try, whose answer was lost, has brought the
// bytes to its target, and what is there. A piece of them is noted as ours.
func (d *delivery) landed(ctx context.Context) (dav.Resource, bool, error) {
	if d.r.sent == sentNothing || d.r.beside != d.beside() {
		return dav.Resource{}, false, nil
	}
	res, err := d.view.Stat(ctx, d.r.target)
	if errors.Is(err, dav.ErrNotFound) && d.r.sent == sentPut && d.file != "" {
		// The file, or the piece of it that is there, may have been renamed since.
		known, kerr := d.s.IDs.Known(ctx, d.t.File.Space, d.file)
		if kerr == nil && known.Path != d.r.target {
			res, err = d.view.Stat(ctx, known.Path)
		}
	}
	if errors.Is(err, dav.ErrNotFound) {
		return res, false, nil
	}
	if err != nil || d.r.before != "" && res.ETag.Same(d.r.before) {
		return res, false, err
	}
	ok, err := d.holds(ctx, res)
	if err != nil || ok || d.r.sent != sentPut {
		return res, ok, err
	}
	if err := d.mangled(ctx, res); !errors.Is(err, errAgain) && !errors.Is(err, errShort) {
		return res, false, err
	}
	return res, false, nil
}

// commit records that res has our bytes: new revision, new base, entry verified,
// what the same editing left undelivered dropped.
func (d *delivery) commit(ctx context.Context, res dav.Resource) (idmap.Revision, error) {
	if d.r.state == stateWaiting {
		return d.arrivedLate(ctx, res)
	}
	if err := d.s.step("landed"); err != nil {
		return idmap.Revision{}, err
	}
	if err := d.mine(ctx); err != nil {
		return idmap.Revision{}, err
	}
	temp := d.unusedTemp()
	later, err := d.settled(ctx, res)
	if err != nil {
		return idmap.Revision{}, d.unrecorded(err)
	}
	d.stamped(ctx, res)
	if err := d.s.step("recorded"); err != nil {
		return idmap.Revision{}, err
	}
	return d.told(ctx, later, temp)
}

// settled makes res the file's new revision, and writes down all that follows from it, in
// one transaction. later is a newer save of the same editing that was acknowledged
// meanwhile (behind.go), whose base stays.
func (d *delivery) settled(ctx context.Context, res dav.Resource) (later *row, err error) {
	now, err := d.s.DB.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	var e idmap.Entry
	next := *d.r
	err = d.s.DB.Write(ctx, func(tx sqldb.Queryer) (err error) {
		later = nil
		if e, err = d.s.IDs.WroteIn(ctx, tx, d.t.File.Space, d.file, res, d.r.sha256, now); err != nil {
			return err
		}
		next = *d.r
		next.changed = now
		next.arrived(e.Revision, res)
		if err := d.s.update(ctx, tx, d.r, &next); err != nil {
			return err
		}
		if err := wrote(ctx, tx, now, d.r.hand(), d.file, e.Revision, d.r.sha256); err != nil {
			return err
		}
		if err := litters(ctx, tx, now, d.r, d.unusedTemp()); err != nil { // the row forgets it
			return err
		}
		waits, err := existsIn(ctx, tx, `SELECT 1 FROM saves_entry WHERE file = ? AND state = ? AND id <> ? LIMIT 1`, string(d.file), stateWaiting, d.r.id)
		if err == nil && waits {
			if err = d.replaced(ctx, tx); err == nil {
				later, err = d.overtaken(ctx, tx)
			}
		}
		if err != nil || later != nil || d.permit.Editing == nil {
			return err
		}
		if err := d.lease.Still(ctx, tx); err != nil {
			return err
		}
		return d.s.Locks.Based(ctx, tx, d.file, d.permit.Editing.ID, e.Revision.Number, now)
	})
	if err != nil {
		return nil, d.s.notChanged(d.r, err)
	}
	*d.r, d.entry = next, e
	return later, nil
}

// told is the revision that the editor is told: that of later, if there is one. temp is not
// needed any more.
func (d *delivery) told(ctx context.Context, later *row, temp dav.Path) (idmap.Revision, error) {
	rev := d.entry.Revision
	if ed := d.permit.Editing; ed != nil && ed.Reported != 0 {
		if err := d.s.Locks.SetConflict(ctx, d.lease, ed.ID, 0, ed.Diverted); err != nil {
			return idmap.Revision{}, d.unrecorded(err)
		}
	}
	d.tidy(ctx, temp)
	if later == nil {
		return rev, nil
	}
	if w, err := d.s.asWaiting(ctx, later); err == nil && w != nil {
		return w.Revision, nil
	}
	return rev, nil
}

// arrived is what becomes of an entry whose bytes were seen at res, as rev.
func (r *row) arrived(rev idmap.Revision, res dav.Resource) {
	r.state, r.revision, r.target, r.etag, r.reason = stateVerified, rev.Number, res.Path, res.ETag, ""
	r.temp, r.sent = "", sentNothing
}

// unusedTemp is the entry's temp if it was not moved to the target.
func (d *delivery) unusedTemp() dav.Path {
	if d.r.sent == sentMove {
		return ""
	}
	return d.r.temp
}

// unrecorded says that the bytes are on the upstream, but the database could not
// be told. It does not end the entry: settle does, which looks again.
func (d *delivery) unrecorded(err error) error {
	if errors.Is(err, locks.ErrStale) {
		return err
	}
	return &KeptError{Entry: d.r.id, Err: fmt.Errorf("saves: delivered, not recorded: %w", err)}
}

// tidy removes what the verified save has made needless: its own temp, if it went
// in place in the end, and older entries that nobody was answered for. One that was
// acknowledged and then lost its place stays: an editor whose lock ID is always the
// same may have begun anew, and what it saves does not rest on those bytes. Nothing
// depends on it.
func (d *delivery) tidy(ctx context.Context, temp dav.Path) {
	d.dropTemp(ctx, temp)
	d.dropChunks(ctx)
	d.s.dropReplaced(ctx, d.file)
	if d.abandoned {
		d.s.sweepChunks(ctx, d.view, d.r)
	}
	if d.r.editing == 0 {
		return
	}
	older, err := d.s.entries(ctx, `file = ? AND editing = ? AND kind = ? AND state = ? AND revision = 0 AND num < ?`,
		string(d.file), d.r.editing, kindPut, stateUnacknowledged, d.r.num)
	for _, r := range older {
		if !d.s.live.take(r.id) {
			continue
		}
		d.dropTemp(ctx, r.temp) // the target was just seen
		err = errors.Join(err, d.s.forget(ctx, r))
		d.s.live.leave(r.id)
	}
	if err != nil {
		d.s.OnError("saves: dropping superseded entries", err)
	}
}

// end gives the entry of a delivery that failed its state, and the caller its
// error.
func (d *delivery) end(ctx context.Context, err error) error {
	if !errors.Is(err, errCrash) {
		d.dropChunks(ctx)
	}
	var conflict *ConflictError
	var kept *KeptError
	var foreign *foreignError
	switch {
	case errors.As(err, &conflict), errors.As(err, &kept), errors.Is(err, locks.ErrStale), errors.Is(err, errCrash):
		return err
	case errors.As(err, &foreign) && d.pending == nil && d.r.kind == kindPut:
		// It lasted longer than our patience: as good as a change from outside.
		d.holder = foreign.holder
		return d.end(ctx, d.conflict(ctx, "conflict"))
	case d.pending != nil && !d.pending.Diverted:
		return d.keepConflict(ctx, err)
	}
	if d.putBack != nil {
		d.restore(ctx)
	}
	d.dropTemp(ctx, d.unusedTemp())
	return d.s.keep(ctx, d.r, err)
}

// errCrash is what a test's crash says; the entry stays as the process leaves it.
var errCrash = errors.New("saves: the test lets the process die")

// office is the kind of editor that gets the answer.
func (d *delivery) office() wopi.Office { return d.actor.Office }
