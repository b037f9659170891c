package saves

import (
	"bytes"
	"context"
	"errors"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// errReplaced: the file is not the one that the person wanted to overwrite.
var errReplaced = errors.New("saves: changed since it was looked at")

// compare decides whether what the last look showed may be written over. Nil: yes.
// errAgain: look again. A [*ConflictError] has been dealt with.
func (d *delivery) compare(ctx context.Context) error {
	if err := d.besideWaiting(ctx); err != nil {
		return err
	}
	cur := d.entry.Revision
	switch {
	case d.own[cur.Number]:
		return nil
	case d.r.kind == kindOverwrite:
		return d.compareOverwrite(ctx)
	case d.permit.Editing == nil && d.r.state != stateWaiting:
		// PutFile without a lock is for empty files only (wopi.md 6.8); the rule
		// was asked before the lease, about an older look.
		if d.was.Size != 0 {
			return &locks.MismatchError{Reason: "the file is not locked and not empty"}
		}
		return nil
	}
	outside, err := d.outside(ctx)
	if err != nil || !outside {
		return err
	}
	ok, err := d.mayOverwrite(ctx)
	if err != nil {
		return err
	}
	if ok {
		return d.keepOutside(ctx)
	}
	return d.conflict(ctx, "conflict")
}

func (d *delivery) compareOverwrite(ctx context.Context) error {
	if holder, _ := d.lockShown(d.was); holder != "" {
		return &locks.MismatchError{Reason: "locked on the upstream by " + holder, Foreign: true}
	}
	if d.base == 0 || d.entry.Revision.Number == d.base {
		return nil
	}
	if ok, err := d.unchanged(ctx); err != nil || ok {
		return err
	}
	return errReplaced
}

// outside reports whether what lies there is neither what the bytes rest on nor
// what the same editing wrote (DESIGN 7, base).
func (d *delivery) outside(ctx context.Context) (bool, error) {
	cur := d.entry.Revision
	if d.base == 0 || cur.Number == d.base || d.s.lacks(theBase) {
		return false, nil
	}
	own, err := d.s.writtenBy(ctx, d.r.editing, d.file, cur.Number)
	if err != nil || own {
		return false, err
	}
	if !d.r.restored.IsZero() {
		still, err := d.stillThere(ctx)
		return !still, err
	}
	same, err := d.unchanged(ctx)
	return !same, err
}

// unchanged compares by sha256: an ETag that changed while the contents are those
// of the base, or those that this editing sent (and was told 500 for), is no
// change. At most one GET, and none if no size fits.
func (d *delivery) unchanged(ctx context.Context) (bool, error) {
	cur := d.entry.Revision
	hashes, err := d.s.ownHashes(ctx, d.r.editing, d.file, d.was.Size)
	if err != nil {
		return false, err
	}
	base, err := d.baseHashes(ctx)
	if err != nil {
		return false, err
	}
	hashes = append(hashes, base...)
	if len(hashes) == 0 {
		return false, nil
	}
	sum := cur.SHA256
	if len(sum) == 0 {
		if sum, err = hashAt(ctx, d.view, d.was.Path); err != nil {
			return false, err
		}
		if err := d.s.IDs.Hash(ctx, d.file, cur.Number, sum); err != nil {
			return false, err
		}
	}
	for _, h := range hashes {
		if bytes.Equal(h, sum) {
			d.own[cur.Number] = true
			return true, d.s.noteOwn(ctx, d.r.editing, d.file, cur, sum)
		}
	}
	return false, nil
}

// baseHashes is the contents of the base, as far as somebody has read or written
// them whole, if they are as long as what is there now.
func (d *delivery) baseHashes(ctx context.Context) ([][]byte, error) {
	rev, err := d.s.IDs.RevisionAt(ctx, d.file, d.base)
	if err == nil && rev.Size == d.was.Size && len(rev.SHA256) > 0 {
		return [][]byte{rev.SHA256}, nil
	}
	if err != nil && !errors.Is(err, idmap.ErrNotFound) {
		return nil, err
	}
	return d.s.hashesOf(ctx, d.file, d.base, d.was.Size)
}

// mayOverwrite reports whether the person was told of exactly this outside
// revision and chose to write over it. Collabora says so by leaving the timestamp
// out after a 1010, the text editor by naming the Version it showed.
func (d *delivery) mayOverwrite(ctx context.Context) (bool, error) {
	if d.r.state == stateWaiting {
		return false, nil // nobody has been asked
	}
	cur := d.entry.Revision
	switch d.office() {
	case wopi.Collabora:
		return d.p.Timestamp == "" && d.permit.Editing.Reported != 0 && d.permit.Editing.Reported == cur.Number, nil
	case wopi.TextEditor, wopi.AnyOffice:
		if d.p.Base == "" {
			return false, nil
		}
		named, err := d.s.IDs.RevisionBy(ctx, d.file, d.p.Base)
		if errors.Is(err, idmap.ErrNotFound) {
			return false, nil
		}
		return named.Number == cur.Number, err
	}
	return false, nil
}

// keepOutside copies the outside version beside the file, so that it may be
// written over: "NAME (outside WHEN).EXT".
func (d *delivery) keepOutside(ctx context.Context) error {
	cur, was := d.entry.Revision, d.was
	if d.s.lacks(theOutside) {
		d.own[cur.Number] = true
		return nil
	}
	names := copyNames(d.entry.Name, "outside", "", d.was.Modified)
	kept := false
	for n := 0; !kept; n++ {
		name, ok := names(n)
		if !ok {
			return dav.ErrExists
		}
		to, err := d.entry.Path.Parent().Join(name)
		if err != nil {
			return err
		}
		err = d.view.Copy(ctx, d.entry.Path, to, false, zeroCondition)
		switch {
		case errors.Is(err, dav.ErrExists), errors.Is(err, dav.ErrChanged):
			continue
		case errors.Is(err, dav.ErrUnsupported):
			if err := d.copyByHand(ctx, names); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			res, err := d.view.Stat(ctx, to)
			if err != nil {
				return err
			}
			if res.Size != was.Size {
				return errShort
			}
		}
		kept = true
	}
	// Between the look and the copy it may have changed once more; then the copy
	// is of something else, and what is there now was never shown to the person.
	if err := d.look(ctx); err != nil {
		return err
	}
	if d.entry.Revision.Number != cur.Number {
		return errAgain
	}
	d.own[cur.Number] = true
	return d.s.step("outside kept")
}

// copyByHand is COPY for an upstream without it.
func (d *delivery) copyByHand(ctx context.Context, names func(int) (string, bool)) error {
	r, err := d.fetch(ctx)
	if err != nil {
		return err
	}
	defer d.s.live.leave(r.id)
	d.s.preRoom.recount()
	sub := &delivery{s: d.s, r: r, t: d.t, until: d.until, view: d.view, own: make(map[int64]bool), inflight: statePreimage}
	if _, err = sub.makeNew(ctx, d.entry.Path.Parent(), names); err != nil {
		return err
	}
	return d.s.advance(ctx, r, func(n *row) { n.temp, n.sent = "", sentNothing }, nil)
}

// gone is what to do when the file is not there (DESIGN 7.3, 7.6): finish our own
// MOVE if it took the target away and broke off, else a recovered copy.
func (d *delivery) gone(ctx context.Context, cause error) (idmap.Revision, error) {
	if d.r.sent == sentMove && d.r.temp != "" && d.r.beside == d.beside() {
		res, err := d.finishMove(ctx)
		if err == nil {
			return d.commit(ctx, res)
		}
		if !errors.Is(err, dav.ErrNotFound) {
			return idmap.Revision{}, err
		}
	}
	if !d.missed {
		// Other programs save by moving the old file away first, too.
		d.missed = true
		if err := d.s.pause(ctx, 200*time.Millisecond); err != nil {
			return idmap.Revision{}, err
		}
		return idmap.Revision{}, errAgain
	}
	if d.r.kind == kindOverwrite {
		return idmap.Revision{}, cause
	}
	d.entry.Revision = idmap.Revision{}
	return idmap.Revision{}, d.conflict(ctx, "recovered")
}
