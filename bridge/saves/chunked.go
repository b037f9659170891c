package saves

import (
	"context"
	"errors"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// defaultChunk is the size of a chunk: more than the 5 MB that an object store behind
// the upstream wants, little enough to be sent once more.
const defaultChunk = 10 << 20

// chunks are a file on its way in pieces. Nothing of it is journaled: the folders that
// an entry's attempts have made on the upstream begin with its ID, and can be listed.
type chunks struct {
	davbackend.Upload
	view *davbackend.View // in whose account they are
	size int64            // of one chunk
	done int              // chunks that have arrived
}

// chunked reports whether the delivery is one in chunks: a save of a file, by what the
// profile says, unless the upstream has refused that. What goes beside the file is
// new, and goes by temp and MOVE.
func (d *delivery) chunked() bool {
	return !d.inPlace && d.inflight == "" && d.view.Client().Profile().Chunked
}

// putChunks is the strategy for Nextcloud, whose PUT truncates in place and whose MOVE
// onto a file costs that file its ID, shares and versions: the chunks are gathered in
// a folder and put together over the file in one request, with our lock token and the
// ETag as its conditions. That request writes in place. So the entry says "PUT sent"
// from there on, and a piece of our bytes is known as ours.
func (d *delivery) putChunks(ctx context.Context) (dav.Resource, error) {
	target := d.entry.Path
	err := d.s.advance(ctx, d.r, func(n *row) {
		n.state, n.beside, n.target, n.before, n.tempETag, n.sent = d.sending(), d.beside(), target, d.was.ETag, "", sentNothing
	}, nil)
	if err != nil {
		return dav.Resource{}, err
	}
	if err := d.s.step("chunks journaled"); err != nil {
		return dav.Resource{}, err
	}
	if err := d.gather(ctx, target); err != nil {
		return dav.Resource{}, d.chunkFailed(ctx, err)
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
	return d.assemble(ctx, target)
}

// gather brings all chunks to the folder that this delivery fills, going on where an
// earlier round has stopped.
func (d *delivery) gather(ctx context.Context, target dav.Path) error {
	if c := d.gathered; c != nil && (c.Target != target || c.view != d.view) {
		d.dropChunks(ctx) // the target's name was told with every chunk
	}
	if d.gathered == nil {
		c := &chunks{view: d.view, Upload: davbackend.Upload{ID: uploadPrefix(d.r.id) + newID(), Target: target, Size: d.r.size}}
		c.size = max(d.s.chunk, (d.r.size+davbackend.MaxChunks-1)/davbackend.MaxChunks)
		if err := d.view.BeginUpload(ctx, c.Upload); err != nil {
			if errors.Is(err, dav.ErrUnsupported) || errors.Is(err, dav.ErrDenied) {
				d.inPlace = true // the last resort, as where MOVE is refused
				return errAgain
			}
			return err
		}
		d.gathered = c
	}
	c := d.gathered
	for int64(c.done)*c.size < d.r.size {
		if err := d.mine(ctx); err != nil {
			return err
		}
		from := int64(c.done) * c.size
		err := d.view.PutChunk(ctx, c.Upload, c.done+1, d.s.upTo(ctx, d.r, from, min(c.size, d.r.size-from)))
		if cerr := d.s.step("chunk sent"); cerr != nil {
			return cerr
		}
		if err != nil {
			return err
		}
		c.done++
	}
	return nil
}

// assemble lets the upstream put the chunks together.
func (d *delivery) assemble(ctx context.Context, target dav.Path) (dav.Resource, error) {
	if err := d.s.advance(ctx, d.r, func(n *row) { n.sent = sentPut }, d.linger(ctx)); err != nil {
		return dav.Resource{}, err
	}
	if err := d.s.step("assembly journaled"); err != nil {
		return dav.Resource{}, err
	}
	err := d.view.FinishUpload(ctx, d.gathered.Upload, d.condition())
	if cerr := d.s.step("assembly sent"); cerr != nil {
		return dav.Resource{}, cerr
	}
	switch {
	case err == nil:
		d.gathered = nil
		res, err := d.verify(ctx, target)
		if err == nil {
			d.lockAfterMove(ctx, res)
		}
		return res, err
	case lost(err):
		// It may be going on there: the folder is left alone, and never used again.
		d.gathered, d.abandoned = nil, true
		return dav.Resource{}, err
	}
	return dav.Resource{}, d.chunkFailed(ctx, err)
}

// chunkFailed decides what follows from an upload in chunks that was refused.
func (d *delivery) chunkFailed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errAgain), errors.Is(err, errCrash), lost(err):
		return err
	case errors.Is(err, dav.ErrNotFound):
		d.dropChunks(ctx) // it has expired
		return errAgain
	case errors.Is(err, dav.ErrBadName):
		d.dropChunks(ctx) // they are not what was sent
		return errShort
	case errors.Is(err, dav.ErrLocked), errors.Is(err, dav.ErrChanged):
		return d.relock(ctx, err)
	}
	return d.denied(ctx, d.entry.Path, err)
}

// dropChunks removes the folder that was being filled, as well as it can.
func (d *delivery) dropChunks(ctx context.Context) {
	if d.gathered == nil {
		return
	}
	c := d.gathered
	d.gathered = nil
	ctx, stop := shortly(ctx)
	defer stop()
	if err := c.view.DropUpload(ctx, c.ID); err != nil {
		d.s.OnError("saves: removing chunks", err)
	}
}

// uploadPrefix begins the names of the folders of an entry.
func uploadPrefix(id string) string { return "davwopi-" + id + "-" }

// sweepChunks removes what all attempts to deliver an entry have left, once it is
// settled. What it cannot remove the upstream does, after a day.
func (s *Saves) sweepChunks(ctx context.Context, v *davbackend.View, r *row) {
	if !v.Client().Profile().Chunked {
		return
	}
	ctx, stop := shortly(ctx)
	defer stop()
	left, err := v.Uploads(ctx, uploadPrefix(r.id))
	for _, id := range left {
		err = errors.Join(err, v.DropUpload(ctx, id))
	}
	if err != nil && !errors.Is(err, dav.ErrUnsupported) && !errors.Is(err, dav.ErrNotFound) {
		s.OnError("saves: removing chunks", err)
	}
}
