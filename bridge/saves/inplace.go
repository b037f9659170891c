package saves

import (
	"context"
	"errors"
	"fmt"
	"io"

	"davwopi/bridge/locks"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// inPlace reports whether a PUT onto the file is the first choice. Where several bridges
// share the work it never is: what one of them that was cut off has on the wire could
// land after another has taken over, which a temp without its MOVE cannot.
func (s *Saves) inPlace(v *davbackend.View) bool {
	return v.Client().Profile().InPlace && !s.Replicas
}

// putInPlace is the strategy for upstreams whose PUT replaces a file atomically,
// and the last resort where a MOVE onto a locked file is refused: one PUT with our
// lock token, and the ETag where the profile honours it.
func (d *delivery) putInPlace(ctx context.Context) (dav.Resource, error) {
	err := d.s.advance(ctx, d.r, func(n *row) {
		n.state, n.beside, n.target, n.before, n.sent = d.sending(), d.beside(), d.entry.Path, d.was.ETag, sentPut
	}, d.linger(ctx))
	if err != nil {
		return dav.Resource{}, err
	}
	if err := d.s.step("put journaled"); err != nil {
		return dav.Resource{}, err
	}
	err = d.overwrite(ctx)
	if cerr := d.s.step("put sent"); cerr != nil {
		return dav.Resource{}, cerr
	}
	switch {
	case err == nil:
		return d.verify(ctx, d.entry.Path)
	case lost(err):
		return dav.Resource{}, err // the next round looks what became of it
	case errors.Is(err, dav.ErrNotFound):
		return dav.Resource{}, errAgain
	case errors.Is(err, dav.ErrLocked), errors.Is(err, dav.ErrChanged):
		return dav.Resource{}, d.relock(ctx, err)
	case d.lockOfAnother(err):
		return dav.Resource{}, d.handOver(ctx)
	}
	return dav.Resource{}, d.denied(ctx, d.entry.Path, err)
}

// linger tells the lease, in the transaction that announces an upload into place, for how
// long such a one may go on after this process is gone. Nil where there is no lease.
func (d *delivery) linger(ctx context.Context) func(sqldb.Queryer) error {
	if d.lease == nil || d.s.lacks(theFence) {
		return nil
	}
	return func(tx sqldb.Queryer) error { return d.lease.Linger(ctx, tx, d.view.Client().IdleLimit()) }
}

// overwrite is the PUT into place. It goes on only as long as nobody else can have the
// lease: a process that was asleep breaks it off, and a body that is not whole lands
// nowhere, or as a piece that is known as ours.
func (d *delivery) overwrite(ctx context.Context) error {
	body := d.body(ctx)
	d.putTag = ""
	body.Tag = &d.putTag
	if d.lease == nil || d.s.lacks(theFence) {
		return d.view.Put(ctx, d.entry.Path, body, d.condition())
	}
	during, stop := d.lease.During(ctx)
	defer stop()
	open := body.Open
	body.Open = func() (io.ReadCloser, error) {
		f, err := open()
		return leased{f, d.lease}, err
	}
	err := d.view.Put(during, d.entry.Path, body, d.condition())
	if err != nil && !d.lease.Alive() {
		return fmt.Errorf("saves: the lease was not renewed: %w: %w", dav.ErrIncomplete, err)
	}
	return err
}

// leased is a body that ends with an error when its lease does.
type leased struct {
	io.ReadCloser
	lease *locks.Lease
}

func (l leased) Read(p []byte) (int, error) {
	if !l.lease.Alive() {
		return 0, locks.ErrStale
	}
	return l.ReadCloser.Read(p)
}

// quiet returns errUnderWay as long as an upload into place may be under way that an
// earlier holder of the lease has left (DESIGN 4).
func (d *delivery) quiet(ctx context.Context) error {
	if d.lease == nil || d.lease.Quiet.IsZero() || d.s.lacks(theFence) || d.s.lacks(theTakeOver) {
		return nil
	}
	now, err := d.s.DB.Now(ctx)
	if err == nil && now.Before(d.lease.Quiet) {
		err = errUnderWay
	}
	return err
}
