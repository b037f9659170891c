package saves

import (
	"context"
	"errors"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
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
	}, nil)
	if err != nil {
		return dav.Resource{}, err
	}
	if err := d.s.step("put journaled"); err != nil {
		return dav.Resource{}, err
	}
	err = d.view.Put(ctx, d.entry.Path, d.body(ctx), d.condition())
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
