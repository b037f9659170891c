package saves

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/locks"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// moveIn is the strategy for upstreams whose PUT truncates in place, or of which
// nothing is known: PUT beside the file, verify that, MOVE it over the file.
func (d *delivery) moveIn(ctx context.Context) (dav.Resource, error) {
	target := d.entry.Path
	if err := d.putTemp(ctx, target.Parent()); err != nil {
		return dav.Resource{}, d.tempFailed(ctx, err)
	}
	if d.token == "" && d.was.ETag == "" {
		// No lock, and no ETag to make a condition of: a look, as late as possible.
		if err := d.lookAgain(ctx, target); err != nil {
			return dav.Resource{}, err
		}
	}
	if err := d.mine(ctx); err != nil {
		return dav.Resource{}, err
	}
	d.stampTemp(ctx)
	if err := d.announce(ctx, target, d.was.ETag); err != nil {
		return dav.Resource{}, err
	}
	err := d.view.Move(ctx, d.r.temp, target, true, zeroCondition, d.condition())
	if cerr := d.s.step("move sent"); cerr != nil {
		return dav.Resource{}, cerr
	}
	switch {
	case err == nil:
		res, err := d.verify(ctx, target)
		if err == nil {
			d.lockAfterMove(ctx, res)
		}
		return res, err
	case lost(err):
		return dav.Resource{}, err // the next round looks what became of it
	}
	return dav.Resource{}, d.moveRefused(ctx, target, err)
}

// moveRefused finds out what a MOVE that was answered with a refusal has left: an
// x/net-based server may have removed the target before it failed.
func (d *delivery) moveRefused(ctx context.Context, target dav.Path, cause error) error {
	res, err := d.view.Stat(ctx, target)
	switch {
	case errors.Is(err, dav.ErrNotFound):
		return errAgain // the next round finishes what was begun
	case err == nil && !same(res, d.was):
		return errAgain // it has happened all the same, or somebody was quicker: the next round finds out
	case err != nil && errors.Is(cause, dav.ErrDenied):
		return fmt.Errorf("%w: %w", errOutage, err)
	case err != nil:
		return err
	}
	if err := d.s.advance(ctx, d.r, func(n *row) { n.sent = sentNothing }, nil); err != nil {
		return err
	}
	switch {
	case d.lockOfAnother(cause):
		return d.handOver(ctx)
	case errors.Is(cause, dav.ErrNotFound):
		return errAgain // the temp is gone
	case errors.Is(cause, dav.ErrLocked), errors.Is(cause, dav.ErrChanged), errors.Is(cause, dav.ErrExists), errors.Is(cause, dav.ErrUnsupported):
		return d.relock(ctx, cause)
	}
	return cause
}

// announce journals the MOVE, and the temp's ETag by which it is known afterwards.
func (d *delivery) announce(ctx context.Context, target dav.Path, before dav.ETag) error {
	err := d.s.advance(ctx, d.r, func(n *row) {
		n.state, n.beside, n.target, n.before, n.tempETag, n.sent = d.sending(), d.beside(), target, before, d.tempSeen.ETag, sentMove
	}, nil)
	if err != nil {
		return err
	}
	return d.s.step("move journaled")
}

// stage uploads the temp before the look that decides, wherever temp and MOVE is the
// strategy: an upload may take minutes, and whoever knows no DAV locks (SMB, a
// desktop) may write the file meanwhile. A refusal is met again after the look,
// when it is known what follows from it.
func (d *delivery) stage(ctx context.Context) error {
	if d.inPlace || d.chunked() || d.holder != "" {
		return nil
	}
	known, err := d.s.IDs.Known(ctx, d.t.File.Space, d.file)
	if err != nil {
		return nil // the look says so, too
	}
	err = d.putTemp(ctx, known.Path.Parent())
	if err == nil {
		d.staged = true
		return nil
	}
	if lost(err) || errors.Is(err, locks.ErrStale) || errors.Is(err, errCrash) {
		return err
	}
	return nil
}

// putTemp makes sure that the bytes are whole in a temp in folder, or in the one
// that an earlier round has made.
func (d *delivery) putTemp(ctx context.Context, folder dav.Path) error {
	temp, err := folder.Join(tempName(d.r.id))
	if err != nil {
		return err
	}
	fresh := d.staged
	d.staged = false
	if fresh && d.r.temp == temp && d.tempSeen.Path == temp {
		return nil
	}
	if d.r.temp != "" && d.tempSeen.Path == d.r.temp {
		res, err := d.view.Stat(ctx, d.r.temp)
		if err == nil && res.Size == d.r.size && same(res, d.tempSeen) {
			return nil
		}
		if err != nil && !errors.Is(err, dav.ErrNotFound) {
			return err
		}
		if d.r.temp != temp {
			d.dropTemp(ctx, d.r.temp)
		}
	}
	err = d.s.advance(ctx, d.r, func(n *row) {
		n.state, n.beside, n.temp, n.tempETag, n.sent = d.sending(), d.beside(), temp, "", sentNothing
	}, nil)
	if err != nil {
		return err
	}
	if err := d.s.step("temp journaled"); err != nil {
		return err
	}
	if err := d.view.Put(ctx, temp, d.body(ctx), zeroCondition); err != nil {
		return err
	}
	if err := d.s.step("temp sent"); err != nil {
		return err
	}
	res, err := d.view.Stat(ctx, temp)
	if errors.Is(err, dav.ErrNotFound) {
		return errShort
	}
	if err != nil {
		return err
	}
	if res.Size != d.r.size && !d.s.lacks(theVerify) {
		return errShort
	}
	d.tempSeen = res
	return nil
}

// tempFailed decides what follows from a temp that could not be made.
func (d *delivery) tempFailed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, dav.ErrFull):
		return d.noRoomForTemp(ctx, err)
	case errors.Is(err, dav.ErrNotFound):
		return errAgain
	case errors.Is(err, dav.ErrLocked), errors.Is(err, dav.ErrChanged):
		if holder, _ := d.lockShown(d.was); holder != "" {
			return &foreignError{holder: holder}
		}
		return err
	}
	return d.denied(ctx, d.entry.Path, err)
}

// noRoomForTemp is DESIGN 7.3's rule for 507: the temp goes, and the file is
// written in place only if the quota properties prove that it fits and what is
// there now lies here, checked by its hash. A failed try puts that back.
func (d *delivery) noRoomForTemp(ctx context.Context, full error) error {
	d.dropTemp(ctx, d.r.temp)
	d.tempSeen = dav.Resource{}
	if d.pre == nil || d.was.Size < 0 {
		return full
	}
	quota := d.was.QuotaAvailable
	if quota < 0 {
		folder, err := d.view.Stat(ctx, d.entry.Path.Parent(), dav.PropQuotaAvailable)
		if err != nil {
			return full
		}
		quota = folder.QuotaAvailable
	}
	if quota < 0 || quota+d.was.Size < d.r.size {
		return full
	}
	d.inPlace, d.putBack = true, d.pre
	return errAgain
}

// finishMove completes a MOVE of ours that took the target away and broke off:
// the entry says that it was sent, the temp is there whole and the file is nowhere
// to be found. dav.ErrNotFound: there is no temp either.
func (d *delivery) finishMove(ctx context.Context) (dav.Resource, error) {
	res, err := d.view.Stat(ctx, d.r.temp)
	if err != nil {
		return dav.Resource{}, err
	}
	if res.Size != d.r.size {
		return dav.Resource{}, dav.ErrNotFound
	}
	err = d.view.Move(ctx, d.r.temp, d.r.target, false, zeroCondition, davbackend.Condition{Token: d.token})
	switch {
	case errors.Is(err, dav.ErrExists):
		return dav.Resource{}, errAgain
	case errors.Is(err, dav.ErrChanged), errors.Is(err, dav.ErrLocked):
		// A lock that died with the target is no condition any more.
		if err = d.view.Move(ctx, d.r.temp, d.r.target, false, zeroCondition, zeroCondition); err != nil {
			return dav.Resource{}, err
		}
	case err != nil:
		return dav.Resource{}, err
	}
	res, err = d.verify(ctx, d.r.target)
	if err == nil {
		d.lockAfterMove(ctx, res)
	}
	return res, err
}

// lockAfterMove takes the DAV lock again where the MOVE has removed it. If
// somebody else was quicker the save stands all the same; the lock row says so.
func (d *delivery) lockAfterMove(ctx context.Context, res dav.Resource) {
	if d.token == "" || d.lease == nil || d.view.Client().Profile().MoveKeepsTargetLock {
		return
	}
	_, before := d.lockShown(d.was)
	if _, after := d.lockShown(res); !before || after || !res.LocksKnown {
		return // still there, or this upstream never shows it: the keeper finds out
	}
	t := d.t
	t.File, t.Seen = d.entry, res
	if token, err := d.s.Locks.Reshadow(ctx, d.lease, t); err == nil {
		d.token = token
	}
}
