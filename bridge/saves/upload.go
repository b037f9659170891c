package saves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"davwopi/bridge/locks"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// zeroCondition lets anything go.
var zeroCondition davbackend.Condition

// upload brings the bytes to where the last look found the file, by the strategy
// that the upstream's profile allows, and verifies them. The entry says what is
// going to be sent before it is sent.
func (d *delivery) upload(ctx context.Context) (dav.Resource, error) {
	if err := d.mine(ctx); err != nil {
		return dav.Resource{}, err
	}
	switch {
	case d.chunked() && d.r.size > 0:
		return d.putChunks(ctx)
	case d.inPlace, d.chunked():
		return d.putInPlace(ctx)
	}
	return d.moveIn(ctx)
}

// sending is the state of the entry while bytes are on the wire.
func (d *delivery) sending() string {
	if d.r.acknowledged() {
		return d.r.state // somebody was told that these bytes are safe
	}
	if d.inflight != "" {
		return d.inflight
	}
	return stateDelivering
}

// beside says whether the delivery is to something beside the file.
func (d *delivery) beside() int64 {
	if d.inflight != "" {
		return 1
	}
	return 0
}

// mine says that nobody has taken the file over since the lease was taken. A new
// file has no lease: its temp name is known to nobody else.
func (d *delivery) mine(ctx context.Context) error {
	if d.lease == nil || d.s.lacks(theFence) {
		return nil
	}
	return d.lease.Check(ctx)
}

// verify looks at the target after the upstream has said yes: the size must be
// ours, and the ETag the temp's or at least a new one. An upstream that shows no
// ETags is believed by the size.
func (d *delivery) verify(ctx context.Context, target dav.Path) (dav.Resource, error) {
	res, err := d.view.Stat(ctx, target)
	if errors.Is(err, dav.ErrNotFound) {
		return res, errAgain
	}
	if err != nil || d.s.lacks(theVerify) {
		return res, err
	}
	if res.Size == d.r.size {
		switch {
		case d.writtenSince(res):
		case res.ETag == "", d.r.tempETag != "" && res.ETag.Same(d.r.tempETag), !res.ETag.Same(d.r.before):
			return res, nil
		}
	}
	// The old ETag over what should be new contents, or another size, or none, or not that
	// of what was just written: only the bytes can tell.
	ok, err := d.holds(ctx, res)
	if err != nil || ok {
		return res, err
	}
	return res, d.mangled(ctx, res)
}

// writtenSince reports whether somebody has written the file between our PUT and the look.
// Only the embedded server is known to answer a PUT with the ETag that it shows.
func (d *delivery) writtenSince(res dav.Resource) bool {
	return d.r.sent == sentPut && d.putTag != "" && d.view.Client().Profile().Name == davbackend.Embedded.Name && !res.ETag.Same(d.putTag)
}

// mangled deals with contents that are not ours although ours were sent: a piece
// of ours is to be written again, anything else is somebody's.
func (d *delivery) mangled(ctx context.Context, res dav.Resource) error {
	broken, err := d.brokeOff(ctx, res)
	if err != nil {
		return err
	}
	if !broken {
		return errAgain
	}
	e, err := d.s.IDs.At(ctx, d.t.File.Space, res)
	if err != nil {
		return err
	}
	if e.ID == d.file {
		d.own[e.Revision.Number] = true
		if err := d.s.noteOwn(ctx, d.r.editing, d.file, e.Revision, nil); err != nil {
			return err
		}
	}
	return errShort
}

// denied tells a refusal of the write from a credential that has lost everything:
// 403 counts as final only while the same credential's PROPFIND works (DESIGN 7.5).
func (d *delivery) denied(ctx context.Context, at dav.Path, cause error) error {
	if !errors.Is(cause, dav.ErrDenied) {
		return cause
	}
	if _, err := d.view.Stat(ctx, at); err != nil && !errors.Is(err, dav.ErrNotFound) {
		return fmt.Errorf("%w: %w", errOutage, err)
	}
	return cause
}

// relock finds a way on after the upstream refused a write for a lock or a
// condition (412, 423 and kin), or refused the MOVE as such. It returns errAgain
// if another try is worth it, a [*foreignError] for somebody else's lock, else
// cause.
//
// The order: did it change? is it somebody's lock? the lock taker's credential,
// if the lock is bound to a person; a new DAV lock, if ours is gone; in place, if
// the MOVE is refused while the lock is ours (lighttpd, OpenCloud).
func (d *delivery) relock(ctx context.Context, cause error) error {
	res, err := d.view.Stat(ctx, d.entry.Path)
	if errors.Is(err, dav.ErrNotFound) {
		return errAgain
	}
	if err != nil {
		return err
	}
	holder, ours := d.lockShown(res)
	forLock := errors.Is(cause, dav.ErrLocked) || errors.Is(cause, dav.ErrChanged)
	switch {
	case !same(res, d.was):
		return errAgain
	case holder != "":
		return &foreignError{holder: holder}
	case forLock && d.permit.Taker != nil && !d.asTaker:
		return d.borrow(ctx)
	case forLock && !ours && d.token != "" && !d.reshadowed:
		return d.reshadow(ctx)
	case !d.inPlace:
		d.inPlace = true
		return errAgain
	}
	return cause
}

// borrow goes on with the credential of whoever took the DAV lock, where locks are
// bound to a person, for the lock's sake only: the writer's own right to write here
// is proven with the writer's own credential first (DESIGN 6).
func (d *delivery) borrow(ctx context.Context) error {
	if err := d.mayWriteBeside(ctx); err != nil {
		return err
	}
	d.view, d.asTaker = d.permit.Taker, true
	return errAgain
}

// reshadow takes the DAV lock again after the upstream forgot it. The contents are
// still those of the last look.
func (d *delivery) reshadow(ctx context.Context) error {
	d.reshadowed = true
	t := d.t
	t.File, t.Seen = d.entry, dav.Resource{}
	token, err := d.s.Locks.Reshadow(ctx, d.lease, t)
	var mismatch *locks.MismatchError
	switch {
	case err == nil:
		d.token = token
	case errors.As(err, &mismatch):
		return &foreignError{holder: mismatch.Reason}
	case d.takersLock(err):
		d.withoutTaker(err)
	case !errors.Is(err, dav.ErrLocked):
		return err
	}
	// Locked, and nobody is shown: our own lock, which this upstream hides.
	return errAgain
}

// lockShown reads lockdiscovery: who else holds a lock, and whether ours is shown.
// A lock without a token on a file that we hold is taken for ours.
func (d *delivery) lockShown(res dav.Resource) (holder string, ours bool) {
	for _, l := range res.Locks {
		switch {
		case d.token != "" && (l.Token == d.token || l.Token == ""):
			ours = true
		case l.Owner != "":
			holder = l.Owner
		default:
			holder = "another program"
		}
	}
	if ours {
		return "", true
	}
	return holder, false
}

// shortly bounds what is done for tidiness after the answer is known.
func shortly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 5*time.Second)
}

// dropTemp removes a temp from the upstream, now or as litter; "" is none.
func (d *delivery) dropTemp(ctx context.Context, temp dav.Path) {
	if temp == "" {
		return
	}
	hurried, stop := shortly(ctx)
	defer stop()
	err := d.view.Delete(hurried, temp, zeroCondition)
	if err == nil || errors.Is(err, dav.ErrNotFound) {
		return
	}
	if err := d.s.litter(context.WithoutCancel(ctx), d.r, temp); err != nil {
		d.s.OnError("saves: removing a temporary file", err)
	}
}

// mayWriteBeside proves with the writer's own credential that they may write in the
// file's folder: a temp of theirs is there, or an empty one can be made.
func (d *delivery) mayWriteBeside(ctx context.Context) error {
	if d.tempSeen.Path != "" {
		return nil
	}
	probe, err := d.entry.Path.Parent().Join(tempName(newID()))
	if err != nil {
		return err
	}
	journaled := d.r.temp == ""
	if journaled { // so that a crash does not leave it there
		if err := d.s.advance(ctx, d.r, func(n *row) { n.temp, n.tempETag = probe, "" }, nil); err != nil {
			return err
		}
	}
	empty := davbackend.Body{Open: func() (io.ReadCloser, error) { return http.NoBody, nil }}
	if err := d.view.Put(ctx, probe, empty, zeroCondition); err != nil {
		return err
	}
	d.dropTemp(ctx, probe)
	if !journaled {
		return nil
	}
	return d.s.advance(ctx, d.r, func(n *row) { n.temp = "" }, nil)
}

// lockOfAnother reports whether a refusal of the write may be for the lock's sake alone:
// it was taken by another person, and some servers let nobody else write then, also with
// the token (Apache says 403). It is asked once per delivery.
func (d *delivery) lockOfAnother(cause error) bool {
	return errors.Is(cause, dav.ErrDenied) && d.permit.Taker != nil && d.token != "" && !d.asTaker && !d.handed
}

// handOver takes the lock over from the person who has it, so that the writer's own
// credential is the one that writes (DESIGN 6). It returns errAgain if that is worth
// another look.
func (d *delivery) handOver(ctx context.Context) error {
	d.handed = true
	if err := d.mayWriteBeside(ctx); err != nil {
		return err
	}
	t := d.t
	t.File, t.View = d.entry, d.view
	token, err := d.s.Locks.Handover(ctx, d.lease, t, d.actor)
	var mismatch *locks.MismatchError
	if errors.As(err, &mismatch) {
		return &foreignError{holder: mismatch.Reason}
	}
	if err != nil {
		return err
	}
	d.token = token
	return errAgain
}
