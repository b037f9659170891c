package saves

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// keepPreimage keeps what the upload is about to replace (DESIGN 7.3): the spool
// of the save before it, if that is what is there, else one GET per editing; for a
// save of nothing and for an overwrite without an editing always. Contents over
// the limit are not kept; a save of nothing then does not happen.
func (d *delivery) keepPreimage(ctx context.Context) error {
	d.pre = nil
	if d.was.Size == 0 {
		return nil
	}
	have, err := d.previousSpool(ctx)
	if err != nil || have {
		return err
	}
	if d.r.size > 0 && d.r.editing != 0 {
		first, err := d.s.exists(ctx, `SELECT 1 FROM saves_entry WHERE store = ? AND file = ? AND editing = ? AND state = ? AND kind = ? LIMIT 1`,
			d.s.store, string(d.file), d.r.editing, statePreimage, kindPreimage)
		if err != nil || first {
			return err
		}
	}
	r, err := d.fetch(ctx)
	switch {
	case err == nil:
		d.pre, d.fetched = r, true
		d.s.live.leave(r.id)
		return d.s.trim(ctx, r)
	case errors.Is(err, errAgain), lost(err), errors.Is(err, errCrash):
		return err
	case errors.Is(err, errNoPreimage) && (d.r.size == 0 || d.undoable):
		return err
	case d.r.size == 0 || d.undoable:
		return fmt.Errorf("%w: %w", errNoPreimage, err)
	}
	return nil // no room, too large, or not readable: the save matters more
}

// lookPreimage looks once more if reading the pre-image took its time, where no
// ETag in the write itself says what is written over.
func (d *delivery) lookPreimage(ctx context.Context) error {
	if !d.fetched || d.condition().ETag != "" && d.view.Client().Profile().Conditions {
		return nil
	}
	d.fetched = false
	return d.lookAgain(ctx, d.was.Path)
}

// lookAgain returns errAgain if the upstream does not have there any more what the last
// look showed.
func (d *delivery) lookAgain(ctx context.Context, at dav.Path) error {
	res, err := d.view.Stat(ctx, at)
	if errors.Is(err, dav.ErrNotFound) || err == nil && !same(res, d.was) {
		return errAgain
	}
	return err
}

// previousSpool turns the entry whose bytes are there now into their pre-image.
func (d *delivery) previousSpool(ctx context.Context) (bool, error) {
	sum := d.entry.Revision.SHA256
	if len(sum) == 0 || d.s.preBytes == 0 {
		return false, nil
	}
	all, err := d.s.entries(ctx, `file = ? AND sha256 = ? AND state IN (?, ?) AND copy = ''`, string(d.file), sum, stateVerified, statePreimage)
	if err != nil {
		return false, err
	}
	for _, r := range all {
		if ok, err := d.s.hasBytes(ctx, r); err != nil || !ok || !d.s.live.take(r.id) {
			continue
		}
		// One that is a pre-image already is replaced once more: the newest is the one to
		// go back to.
		err = d.s.advanceUnsynced(ctx, r, func(n *row) { n.state, n.reason = statePreimage, "" })
		d.s.live.leave(r.id)
		if err == nil {
			d.pre = r
			return true, d.s.trim(ctx, r)
		}
	}
	return false, nil
}

// fetch reads what lies there into a pre-image, and checks it against what is
// known of it. The entry is live; the caller takes it out.
func (d *delivery) fetch(ctx context.Context) (*row, error) {
	if d.was.Size < 0 || d.was.Size > d.s.preBytes {
		return nil, fmt.Errorf("%w: they have %d bytes, the limit is %d", errNoPreimage, d.was.Size, d.s.preBytes)
	}
	c, err := d.view.Get(ctx, d.was.Path, 0, -1)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := d.s.receive(ctx, sender{
		kind: kindPreimage, file: d.file, space: d.t.File.Space, upstream: d.t.Upstream, name: d.name(),
		writer: d.r.writer, user: d.r.user, member: d.r.member, office: d.r.office, editing: d.r.editing, base: d.entry.Revision.Number,
		pin: d.t.Pin, max: d.s.preBytes,
	}, c, c.Size)
	if err != nil {
		return nil, err
	}
	sum := d.entry.Revision.SHA256
	if len(sum) > 0 && !bytes.Equal(sum, r.sha256) || len(sum) == 0 && r.size != d.was.Size {
		d.s.live.leave(r.id)
		return nil, errors.Join(errAgain, d.unseen(ctx, r), d.s.forget(ctx, r))
	}
	if len(sum) == 0 && c.ETag != "" && c.ETag.Same(d.was.ETag) {
		if err := d.s.IDs.Hash(ctx, d.file, d.entry.Revision.Number, r.sha256); err != nil {
			d.s.OnError("saves: noting a hash", err)
		}
	}
	return r, nil
}

// unseen deals with contents that are not what the last look says they are: either
// they change just now, or the upstream's evidence has not seen a change (nginx shows
// no ETag, so an edit of equal length within a second looks like nothing). Then they
// are a revision of their own from here on, made outside.
func (d *delivery) unseen(ctx context.Context, r *row) error {
	res, err := d.view.Stat(ctx, d.was.Path)
	if errors.Is(err, dav.ErrNotFound) || err == nil && (!same(res, d.was) || res.Size != r.size) {
		return nil // the next look sees it
	}
	if err != nil {
		return err
	}
	_, err = d.s.IDs.Wrote(ctx, d.t.File.Space, d.file, res, r.sha256)
	return err
}

// restore puts the pre-image back after an upload in place has broken off for
// good. What it cannot restore, settle repairs: the bytes are in the journal.
func (d *delivery) restore(ctx context.Context) {
	err := d.restoreOnce(ctx)
	if err != nil {
		d.s.OnError("saves: putting a pre-image back", err)
	}
}

func (d *delivery) restoreOnce(ctx context.Context) error {
	res, err := d.view.Stat(ctx, d.r.target)
	if err != nil {
		return err
	}
	broken, err := d.brokeOff(ctx, res)
	if err != nil || !broken || same(res, d.was) {
		return err
	}
	if err := d.mine(ctx); err != nil {
		return err
	}
	body := d.s.upTo(ctx, d.putBack, 0, d.putBack.size)
	if err := d.view.Put(ctx, d.r.target, body, davbackend.Condition{Token: d.token}); err != nil {
		return err
	}
	if res, err = d.view.Stat(ctx, d.r.target); err != nil {
		return err
	}
	if res.Size != d.putBack.size {
		return errShort
	}
	e, err := d.s.IDs.Wrote(ctx, d.t.File.Space, d.file, res, d.putBack.sha256)
	if err != nil {
		return err
	}
	if err := d.s.noteOwn(ctx, d.r.editing, d.file, e.Revision, d.putBack.sha256); err != nil {
		return err
	}
	return d.s.advance(ctx, d.r, func(n *row) { n.sent = sentNothing }, nil)
}

// errNoName: the caller's names have run out.
func errNoName(tried int) error {
	return fmt.Errorf("saves: %d names tried: %w", tried, dav.ErrExists)
}
