package saves

import (
	"bytes"
	"context"
	"errors"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A save whose file somebody else works on for longer than the patience (DESIGN 4) is
// treated as one whose upstream is away (7.5): where it may, it begins to wait behind the
// holder of the lease. All that this changes is in the database, in one transaction, and
// the holder meets it there; the upstream is not touched.

const (
	behindTries = 5
	behindPause = 200 * time.Millisecond
)

// errUnrested: what is known to lie on the upstream is not what the bytes rest on. The
// holder of the lease may just be about to write down that it is.
var errUnrested = errors.New("saves: the bytes rest on other contents than are known")

// behind answers a save that has not got the lease; cause says so.
func (d *delivery) behind(ctx context.Context, cause error) (idmap.Revision, error) {
	if !errors.Is(cause, locks.ErrBusy) || d.p.NoWait || !d.s.WhenDown.queueing(d.office()) {
		return idmap.Revision{}, d.s.keep(ctx, d.r, cause)
	}
	rev, ok, err := d.queueBehind(ctx, cause)
	var mismatch *locks.MismatchError
	switch {
	case errors.As(err, &mismatch):
		return idmap.Revision{}, d.refused(ctx, err)
	case errors.Is(err, locks.ErrStale), errors.Is(err, errCrash):
		return idmap.Revision{}, err
	case err != nil || !ok:
		return idmap.Revision{}, d.s.keep(ctx, d.r, errors.Join(cause, err))
	}
	return rev, nil
}

// queueBehind lets the entry wait; false if it may not.
func (d *delivery) queueBehind(ctx context.Context, cause error) (idmap.Revision, bool, error) {
	if ok, err := d.s.mayQueue(ctx); err != nil || !ok {
		return idmap.Revision{}, false, err
	}
	if ok, err := d.deliverable(); err != nil || !ok {
		return idmap.Revision{}, false, err
	}
	for n := 1; ; n++ {
		rev, err := d.waitBehind(ctx, cause, n == behindTries)
		again := errors.Is(err, errUnrested) || errors.Is(err, idmap.ErrNewer) || errors.Is(err, locks.ErrBusy)
		if !again || n == behindTries {
			d.s.dropReplaced(ctx, d.file)
			return rev, err == nil && rev.Version != "", err
		}
		if err := d.s.pause(ctx, behindPause); err != nil {
			return idmap.Revision{}, false, err
		}
	}
}

// waitBehind is one try. last: what does not rest on what is known waits for a place beside
// the file.
func (d *delivery) waitBehind(ctx context.Context, cause error, last bool) (idmap.Revision, error) {
	known, err := d.s.IDs.Known(ctx, d.t.File.Space, d.file)
	if err != nil && !errors.Is(err, idmap.ErrNotFound) && !errors.Is(err, idmap.ErrMissing) {
		return idmap.Revision{}, err
	}
	d.entry = known
	if known.ID == "" {
		d.entry = d.t.File // deleted meanwhile: its bytes go beside where it was
	}
	d.t.File = d.entry
	now, err := d.s.DB.Now(ctx)
	if err != nil {
		return idmap.Revision{}, err
	}
	var rev idmap.Revision
	next := *d.r
	err = d.s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		next = *d.r
		next.changed, next.reason = now, bounded(cause.Error())
		next.startsFrom(d.entry.Path)
		var err error
		rev, err = d.acknowledge(ctx, tx, now, &next, known.ID == "", last)
		return err
	})
	if errors.Is(err, errTaken) {
		err = d.s.notChanged(d.r, err)
	}
	if err != nil {
		return idmap.Revision{}, err
	}
	if rev.Version != "" {
		*d.r = next
		err = d.s.step("behind")
	}
	return rev, err
}

// acknowledge is waitBehind inside its transaction: the lock rule, the order of the file's
// saves, what the bytes rest on, and all that a waiting save is. A zero Revision: it may
// not wait.
func (d *delivery) acknowledge(ctx context.Context, tx sqldb.Queryer, now time.Time, next *row, gone, last bool) (idmap.Revision, error) {
	permit, err := d.s.Locks.PermitBehind(ctx, tx, now, d.t, d.actor, d.p.Lock)
	var late *locks.SupersededError
	if errors.As(err, &late) {
		permit.Editing, err = late.Editing, nil
	}
	if err != nil || permit.Editing == nil {
		return idmap.Revision{}, err
	}
	ed := permit.Editing
	next.editing = ed.ID
	if newer, err := newerIn(ctx, tx, next); err != nil || newer {
		return idmap.Revision{}, errors.Join(errSuperseded, err)
	}
	if d.base, err = d.s.baseOf(ctx, d.file, ed, d.p.Timestamp); err != nil {
		return idmap.Revision{}, err
	}
	next.base = d.base
	aside := gone || late != nil || ed.Diverted != "" && d.office() == wopi.OnlyOffice
	if !aside {
		rests, err := d.restsBehind(ctx, tx, ed.ID)
		switch {
		case err != nil:
			return idmap.Revision{}, err
		case !rests && !last:
			return idmap.Revision{}, errUnrested
		}
		aside = !rests
	}
	if aside {
		return d.asideBehind(ctx, tx, now, next)
	}
	if d.undeliverable() {
		return idmap.Revision{}, nil
	}
	return d.begins(ctx, tx, now, ed, next)
}

// asideBehind lets the entry wait for its place beside the file.
func (d *delivery) asideBehind(ctx context.Context, tx sqldb.Queryer, now time.Time, next *row) (idmap.Revision, error) {
	next.state = stateAside
	if err := d.s.update(ctx, tx, d.r, next); err != nil {
		return idmap.Revision{}, err
	}
	if err := replacesOlderAsides(ctx, tx, next); err != nil {
		return idmap.Revision{}, err
	}
	return asideRevision(next, now), nil
}

// restsBehind is rests for a save without the lease, inside tx: what the holder of the
// lease has sent for the same editing may be recorded as a revision and not yet as whose.
func (d *delivery) restsBehind(ctx context.Context, tx sqldb.Queryer, editing int64) (bool, error) {
	all, err := rowsOf(ctx, tx, `file = ? AND state = ? AND id <> ?`, string(d.file), stateWaiting, d.r.id)
	if err != nil {
		return false, err
	}
	own := &delivery{s: d.s, r: &row{editing: editing}, file: d.file, base: d.base}
	known := d.entry.Revision
	if len(all) > 0 {
		w := all[len(all)-1]
		if w.num > d.r.num || !d.entry.Missing.IsZero() {
			return false, nil
		}
		if ok, err := own.restsOn(ctx, tx, w); err != nil || !ok {
			return false, err
		}
		if bytes.Equal(w.sha256, known.SHA256) {
			return true, nil
		}
	}
	if known.Number == d.base {
		return true, nil
	}
	if ok, err := writtenBy(ctx, tx, editing, d.file, known.Number); err != nil || ok {
		return ok, err
	}
	return d.sameAsOwn(ctx, editing, known)
}

// sameAsOwn reports whether the contents of rev are those of the base, or those that the
// editing has sent.
func (d *delivery) sameAsOwn(ctx context.Context, editing int64, rev idmap.Revision) (bool, error) {
	base, err := d.s.IDs.RevisionAt(ctx, d.file, d.base)
	if err != nil && !errors.Is(err, idmap.ErrNotFound) {
		return false, err
	}
	if err == nil && base.Size == rev.Size && base.ETag != "" && base.ETag.Same(rev.ETag) {
		return true, nil // its strings were given out for bytes that did not wait in the end
	}
	if len(rev.SHA256) == 0 {
		return false, nil
	}
	hashes, err := d.s.ownHashes(ctx, editing, d.file, rev.Size)
	for _, h := range append(hashes, base.SHA256) {
		if bytes.Equal(h, rev.SHA256) {
			return true, err
		}
	}
	return false, err
}

// overtaken is the newest save of the same editing that has begun to wait behind this one;
// nil if there is none.
func (d *delivery) overtaken(ctx context.Context, tx sqldb.Queryer) (*row, error) {
	after, err := waitingAfter(ctx, tx, d.r)
	if err != nil || len(after) == 0 || d.r.editing == 0 || after[len(after)-1].editing != d.r.editing {
		return nil, err
	}
	return after[len(after)-1], nil
}
