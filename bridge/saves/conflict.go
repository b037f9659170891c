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

// errNoCopy: the earlier conflict copy cannot be replaced; make another.
var errNoCopy = errors.New("saves: the conflict copy is not ours any more")

// conflict keeps the bytes beside the file, in the one copy of (file, base,
// editing), and returns what the editor is told (the table of DESIGN 7.7). An
// error that is no [*ConflictError] is one of making the copy.
func (d *delivery) conflict(ctx context.Context, word string) error {
	c := &ConflictError{
		Outside:  d.entry.Revision,
		Current:  d.permit.Lock.ID,
		Ask:      d.office() == wopi.Collabora,
		Diverted: d.office() == wopi.OnlyOffice,
	}
	d.pending = c
	if d.s.lacks(theCopy) {
		return errors.Join(c, d.s.forget(ctx, d.r))
	}
	e, err := d.copyBeside(ctx, word)
	switch {
	case err == nil:
	case transient(err), c.Diverted, d.r.acknowledged(), errors.Is(err, locks.ErrStale), errors.Is(err, errCrash):
		// ONLYOFFICE is told 200 only for bytes that were seen on the upstream.
		return err
	default:
		return d.keepConflict(ctx, err)
	}
	d.dropAsides(ctx)
	c.Copy = e.Name
	if c.Diverted {
		c.Revision = e.Revision
	}
	d.report(ctx, e.ID)
	return c
}

// keepConflict ends a conflict whose copy could not be made: the bytes stay here.
func (d *delivery) keepConflict(ctx context.Context, cause error) error {
	if err := d.takeBack(ctx); err != nil {
		return err
	}
	err := d.s.advance(ctx, d.r, func(n *row) { n.state, n.etag, n.reason = stateConflict, "", bounded(cause.Error()) }, nil)
	if err != nil {
		return err
	}
	d.dropTemp(ctx, d.unusedTemp())
	d.report(ctx, "")
	return d.pending
}

// report tells the editing which outside revision its person is being told of, and
// ONLYOFFICE's where its saves go from now on.
func (d *delivery) report(ctx context.Context, copied idmap.FileID) {
	ed := d.permit.Editing
	if ed == nil || d.superseded {
		return // what the holder of the lock is told is none of this save's business
	}
	diverted := ed.Diverted
	if d.office() == wopi.OnlyOffice && copied != "" {
		diverted = copied
	}
	reported := d.entry.Revision.Number
	if reported == 0 {
		reported = ed.Reported
	}
	if err := d.s.Locks.SetConflict(ctx, d.lease, ed.ID, reported, diverted); err != nil {
		// The copy is there; the worst that follows is another question or copy.
		d.s.OnError("saves: recording a conflict", err)
	}
}

// copyBeside brings the bytes to the conflict copy and verifies them there.
func (d *delivery) copyBeside(ctx context.Context, word string) (idmap.Entry, error) {
	if d.r.editing != 0 {
		c, ok, err := d.s.copyOf(ctx, d.file, d.r.editing, d.base)
		if err != nil {
			return idmap.Entry{}, err
		}
		if ok {
			e, err := d.underCopy(ctx, c)
			if errors.Is(err, errNoCopy) {
				e, err = d.replaceCopy(ctx, c)
			}
			if !errors.Is(err, errNoCopy) {
				return e, err
			}
		}
	}
	now, err := d.s.DB.Now(ctx)
	if err != nil {
		return idmap.Entry{}, err
	}
	sub := d.besides()
	res, err := sub.makeNew(ctx, d.folder(), copyNames(d.name(), word, d.r.writer, now))
	if err != nil {
		return idmap.Entry{}, err
	}
	e, err := d.s.IDs.Made(ctx, d.t.File.Space, res)
	if err != nil {
		return idmap.Entry{}, err
	}
	if err := d.s.IDs.Hash(ctx, e.ID, e.Revision.Number, d.r.sha256); err != nil {
		return idmap.Entry{}, err
	}
	return e, d.copied(ctx, e, res)
}

// underCopy lets go of an older save of the editing whose copy has a newer one already:
// one that waited while the newer found the upstream back. Else errNoCopy.
func (d *delivery) underCopy(ctx context.Context, c copyRow) (idmap.Entry, error) {
	if c.num <= d.r.num {
		return idmap.Entry{}, errNoCopy
	}
	e, err := d.s.IDs.Known(ctx, d.t.File.Space, c.copy)
	if err != nil || !e.Missing.IsZero() {
		return idmap.Entry{}, errors.Join(errNoCopy, err) // it is nowhere: these bytes get a copy of their own
	}
	if err := d.takeBack(ctx); err != nil {
		return idmap.Entry{}, err
	}
	d.dropTemp(ctx, d.unusedTemp())
	return e, d.s.forget(ctx, d.r)
}

// besides is a delivery of the same entry to something beside the file.
func (d *delivery) besides() *delivery {
	if d.copyOwn == nil {
		d.copyOwn = make(map[int64]bool)
	}
	return &delivery{
		s: d.s, r: d.r, t: d.t, until: d.until, view: d.view, own: d.copyOwn, inflight: stateConflict,
		inPlace: d.s.inPlace(d.view), tempSeen: d.tempSeen,
	}
}

func (d *delivery) folder() dav.Path {
	if d.entry.Path != "" {
		return d.entry.Path.Parent()
	}
	return d.t.File.Path.Parent()
}

func (d *delivery) name() string {
	if d.entry.Name != "" {
		return d.entry.Name
	}
	return d.t.File.Name
}

// copied writes down that the bytes are in e.
func (d *delivery) copied(ctx context.Context, e idmap.Entry, res dav.Resource) error {
	waited := d.r.state == stateWaiting
	if err := d.takeBack(ctx); err != nil {
		return err
	}
	return d.s.advance(ctx, d.r, func(n *row) {
		n.arrived(e.Revision, res)
		n.state, n.copy, n.reason = stateConflict, e.ID, "changed outside"
	}, func(tx sqldb.Queryer) error {
		if waited {
			if err := d.s.unpin(ctx, tx, d.r.id, d.r.file); err != nil {
				return err
			}
		}
		if err := d.replacesAsides(ctx, tx); err != nil {
			return err
		}
		if err := wrote(ctx, tx, d.r.changed, hand{user: d.r.user}, e.ID, e.Revision, d.r.sha256); err != nil || d.r.editing == 0 {
			return err
		}
		return setCopy(ctx, tx, d.r.changed, d.file, d.r.editing, d.base, copyRow{copy: e.ID, revision: e.Revision.Number, num: d.r.num, name: e.Name, user: d.r.user})
	})
}

// replaceCopy writes a later save of the same conflict over its copy, if that is
// still exactly what we wrote and nobody has it open; else errNoCopy.
func (d *delivery) replaceCopy(ctx context.Context, c copyRow) (idmap.Entry, error) {
	lease, err := d.s.Locks.Lease(ctx, c.copy, "conflict copy", min(2*time.Second, d.s.left(d.until)))
	if errors.Is(err, locks.ErrBusy) {
		return idmap.Entry{}, errNoCopy
	}
	if err != nil {
		return idmap.Entry{}, err
	}
	defer lease.Release()
	sub := d.besides()
	sub.lease, sub.file = lease, c.copy
	res, landed, err := sub.landed(ctx)
	if err == nil && !landed {
		if err = sub.mayReplace(ctx, c); err == nil {
			res, err = sub.upload(ctx)
		}
	}
	if errors.Is(err, dav.ErrLocked) || errors.Is(err, errAgain) {
		return idmap.Entry{}, errNoCopy
	}
	if err != nil {
		return idmap.Entry{}, err
	}
	if err := lease.Check(ctx); err != nil {
		return idmap.Entry{}, err
	}
	e, err := d.s.IDs.Wrote(ctx, d.t.File.Space, c.copy, res, d.r.sha256)
	if err != nil {
		return idmap.Entry{}, err
	}
	return e, d.copied(ctx, e, res)
}

func (d *delivery) mayReplace(ctx context.Context, c copyRow) error {
	now, err := d.s.DB.Now(ctx)
	if err != nil {
		return err
	}
	st, err := d.s.Locks.State(ctx, c.copy)
	if err != nil {
		return err
	}
	if st.Lock.Held(now) {
		return errNoCopy
	}
	err = d.look(ctx)
	if errors.Is(err, idmap.ErrMissing) || errors.Is(err, idmap.ErrNotFound) || errors.Is(err, dav.ErrNotFound) {
		return errNoCopy
	}
	if err != nil {
		return err
	}
	if holder, _ := d.lockShown(d.was); holder != "" || d.entry.Revision.Number != c.revision && !d.own[d.entry.Revision.Number] {
		return errNoCopy
	}
	return nil
}
