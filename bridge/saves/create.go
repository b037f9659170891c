package saves

import (
	"context"
	"errors"
	"io"
	"path"

	"davwopi/bridge/locks"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Create makes a new file in p with the bytes of body (PutRelativeFile,
// CreateChildFile, New, Upload): PUT under a temporary name, verify, MOVE with
// Overwrite: F, which every upstream honours. names yields the candidates for
// attempt 0, 1, ... until one is free, or false when there are no more. Nothing
// that exists is ever replaced, and neither half a file nor a temp is left behind
// by a crash, once [Saves.Run] reaches the upstream.
//
// Errors: dav.ErrExists if every name is taken, dav.ErrBadPath for a name that is
// none, dav.ErrTooLarge, dav.ErrIncomplete and ErrNoRoom: nothing was kept. A
// [*KeptError]: the upstream failed, or refused (dav.ErrFull, dav.ErrTooLarge,
// dav.ErrDenied, dav.ErrBadName, dav.ErrNotFound for the folder); the bytes are in
// the journal.
func (s *Saves) Create(ctx context.Context, p Place, names func(attempt int) (string, bool), body io.Reader, length int64) (idmap.Entry, error) {
	first, ok := names(0)
	if !ok {
		return idmap.Entry{}, errNoName(0)
	}
	if _, err := p.Folder.Join(first); err != nil {
		return idmap.Entry{}, err
	}
	r, err := s.receive(ctx, sender{
		kind: kindCreate, space: p.Space, upstream: p.Upstream, name: first, writer: p.Writer, user: p.User, pin: p.Pin, max: s.MaxBytes,
	}, body, length)
	if err != nil {
		return idmap.Entry{}, err
	}
	defer s.live.leave(r.id)
	ctx = context.WithoutCancel(ctx)
	d := &delivery{
		s: s, r: r, view: p.View, own: make(map[int64]bool), until: s.clock().Add(s.Patience),
		t: locks.Target{File: idmap.Entry{Space: p.Space}, Upstream: p.Upstream, View: p.View, Pin: p.Pin},
	}
	e, err := d.create(ctx, p.Folder, names)
	if err == nil || errors.Is(err, errCrash) {
		return e, err
	}
	d.dropTemp(ctx, d.unusedTemp())
	if errors.Is(err, dav.ErrExists) || errors.Is(err, dav.ErrBadPath) {
		return idmap.Entry{}, errors.Join(err, s.forget(ctx, r))
	}
	return idmap.Entry{}, s.keep(ctx, r, err)
}

func (d *delivery) create(ctx context.Context, folder dav.Path, names func(int) (string, bool)) (idmap.Entry, error) {
	var res dav.Resource
	err := d.s.patiently(ctx, d.until, func() error {
		var err error
		res, err = d.makeNew(ctx, folder, names)
		return err
	})
	if err != nil {
		return idmap.Entry{}, err
	}
	if err := d.s.step("landed"); err != nil {
		return idmap.Entry{}, err
	}
	return d.made(ctx, res)
}

// made records that the new file at res has our bytes.
func (d *delivery) made(ctx context.Context, res dav.Resource) (idmap.Entry, error) {
	e, err := d.s.IDs.Made(ctx, d.t.File.Space, res)
	if err != nil {
		return idmap.Entry{}, d.unrecorded(err)
	}
	if err := d.s.IDs.Hash(ctx, e.ID, e.Revision.Number, d.r.sha256); err != nil {
		return idmap.Entry{}, d.unrecorded(err)
	}
	e.Revision.SHA256 = d.r.sha256
	err = d.s.advance(ctx, d.r, func(n *row) {
		n.arrived(e.Revision, res)
		n.copy = e.ID
	}, func(tx sqldb.Queryer) error {
		return wrote(ctx, tx, d.r.changed, hand{user: d.r.user}, e.ID, e.Revision, d.r.sha256)
	})
	if err != nil {
		return idmap.Entry{}, d.unrecorded(err)
	}
	return e, nil
}

// makeNew brings the entry's bytes to a new file in folder under the first name
// that is free, and verifies them. It may be called again after a transient error:
// what has landed meanwhile is found, not made twice.
func (d *delivery) makeNew(ctx context.Context, folder dav.Path, names func(int) (string, bool)) (dav.Resource, error) {
	if d.r.sent == sentMove && d.r.beside == d.beside() && d.tempSeen.Path != "" {
		res, err := d.view.Stat(ctx, d.r.target)
		if err == nil {
			if ok, err := d.holds(ctx, res); err != nil || ok {
				return res, err
			}
		} else if !errors.Is(err, dav.ErrNotFound) {
			return dav.Resource{}, err
		}
	}
	if err := d.putTemp(ctx, folder); err != nil {
		if errors.Is(err, dav.ErrFull) {
			d.dropTemp(ctx, d.r.temp)
		}
		return dav.Resource{}, d.denied(ctx, folder, err)
	}
	for ; ; d.attempt++ {
		name, ok := names(d.attempt)
		if !ok || d.attempt >= maxTries {
			return dav.Resource{}, d.noName(ctx)
		}
		target, err := folder.Join(name)
		if err != nil {
			return dav.Resource{}, err
		}
		res, taken, err := d.moveNew(ctx, target)
		if !taken {
			return res, err
		}
	}
}

// noName ends a search in which every name was taken: no MOVE of ours has happened.
func (d *delivery) noName(ctx context.Context) error {
	err := d.s.advance(ctx, d.r, func(n *row) { n.sent = sentNothing }, nil)
	return errors.Join(errNoName(d.attempt), err)
}

// moveNew gives the temp its name, or reports that the name is taken.
func (d *delivery) moveNew(ctx context.Context, target dav.Path) (res dav.Resource, taken bool, err error) {
	if err := d.announce(ctx, target, ""); err != nil {
		return res, false, err
	}
	err = d.view.Move(ctx, d.r.temp, target, false, zeroCondition, zeroCondition)
	if cerr := d.s.step("move sent"); cerr != nil {
		return res, false, cerr
	}
	switch {
	case err == nil:
	case errors.Is(err, dav.ErrExists), errors.Is(err, dav.ErrLocked):
		return res, true, nil // a locked name is somebody's, too
	case lost(err):
		return res, false, err
	default:
		if aerr := d.s.advance(ctx, d.r, func(n *row) { n.sent = sentNothing }, nil); aerr != nil {
			return res, false, aerr
		}
		return res, false, d.denied(ctx, target.Parent(), err)
	}
	res, err = d.view.Stat(ctx, target)
	if errors.Is(err, dav.ErrNotFound) || err == nil && res.Size >= 0 && res.Size != d.r.size {
		return res, false, errShort
	}
	return res, false, err
}

// nameOf is what people call an entry.
func nameOf(r *row) string {
	if r.kind == kindCreate && r.target != "" {
		return path.Base(string(r.target))
	}
	return r.name
}
