package saves

import (
	"context"
	"errors"
	"fmt"
	"io"

	"davwopi/bridge/locks"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Overwrite replaces the contents of a file that nobody has locked
// (PutRelativeFile with X-WOPI-OverwriteRelativeTarget, upload over a file). The
// file keeps its ID and gets a new revision; its old contents are kept as a
// pre-image first.
//
// Errors: *locks.MismatchError if it is locked, with Foreign for a DAV lock;
// dav.ErrChanged if it is not the revision of t.File any more; dav.ErrTooLarge,
// dav.ErrIncomplete, ErrNoRoom: nothing was kept; *KeptError as in [Saves.Put].
func (s *Saves) Overwrite(ctx context.Context, t locks.Target, a locks.Actor, body io.Reader, length int64) (idmap.Entry, error) {
	return s.overwriteWith(ctx, t, a, body, length, false)
}

// overwriteWith is Overwrite; undoable: only if the old contents are kept.
func (s *Saves) overwriteWith(ctx context.Context, t locks.Target, a locks.Actor, body io.Reader, length int64, undoable bool) (idmap.Entry, error) {
	if err := s.unlocked(ctx, t.File.ID); err != nil {
		return idmap.Entry{}, err
	}
	r, err := s.receive(ctx, sender{
		kind: kindOverwrite, file: t.File.ID, space: t.File.Space, upstream: t.Upstream, name: t.File.Name,
		writer: a.Name, user: a.UserID, member: a.Member, office: int64(a.Office), base: t.File.Revision.Number, pin: t.Pin, max: s.MaxBytes,
	}, body, length)
	if err != nil {
		return idmap.Entry{}, err
	}
	defer s.live.leave(r.id)
	ctx = context.WithoutCancel(ctx)
	e, err := s.overwrite(ctx, t, a, r, undoable)
	if err == nil || errors.Is(err, errCrash) {
		return e, err
	}
	// A file that somebody works on is no failure: nothing was written, and who asks
	// still has the bytes.
	var mismatch *locks.MismatchError
	switch {
	case errors.As(err, &mismatch):
		err = mismatch
	case errors.Is(err, errReplaced):
		err = fmt.Errorf("%w: %w", errReplaced, dav.ErrChanged)
	case errors.Is(err, dav.ErrLocked):
		err = &locks.MismatchError{Reason: "locked on the upstream", Foreign: true}
	default:
		return idmap.Entry{}, err
	}
	if ferr := s.forget(ctx, r); ferr != nil {
		s.OnError("saves: dropping a refused overwrite", ferr)
	}
	return idmap.Entry{}, err
}

func (s *Saves) unlocked(ctx context.Context, f idmap.FileID) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return err
	}
	st, err := s.Locks.State(ctx, f)
	if err != nil {
		return err
	}
	if st.Lock.Held(now) {
		return &locks.MismatchError{Current: st.Lock.ID, Reason: "the file is being edited"}
	}
	return nil
}

func (s *Saves) overwrite(ctx context.Context, t locks.Target, a locks.Actor, r *row, undoable bool) (idmap.Entry, error) {
	until := s.clock().Add(s.Patience)
	lease, err := s.Locks.Lease(ctx, t.File.ID, "Overwrite", s.Patience)
	if err != nil {
		return idmap.Entry{}, s.keep(ctx, r, err)
	}
	defer lease.Release()
	if err := s.unlocked(ctx, t.File.ID); err != nil {
		return idmap.Entry{}, err
	}
	d := &delivery{
		s: s, r: r, t: t, actor: a, lease: lease, until: until, file: t.File.ID, view: t.View,
		own: make(map[int64]bool), permit: locks.Permit{View: t.View}, undoable: undoable,
	}
	err = d.begin(ctx)
	if err == nil {
		_, err = d.rounds(ctx)
	}
	if err != nil {
		return idmap.Entry{}, d.end(ctx, err)
	}
	return d.entry, nil
}
