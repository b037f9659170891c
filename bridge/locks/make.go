package locks

import (
	"context"
	"errors"
	"time"

	"davwopi/davbackend/dav"
)

// Making runs do, which makes something in the container of t, while nobody renames or
// deletes that container through the bridge. It waits for that for at most patience.
//
// Errors: [ErrBusy], also if the container was moved while we waited; those of do.
func (l *Locks) Making(ctx context.Context, t Target, patience time.Duration, do func() error) error {
	x, err := l.Lease(ctx, t.File.ID, "create", patience)
	if err != nil {
		return err
	}
	defer x.Release()
	known, err := l.IDs.Known(ctx, t.File.Space, t.File.ID)
	if err != nil {
		return err
	}
	if known.Path != t.File.Path {
		return ErrBusy
	}
	return do()
}

// Mkcol makes a container called name in that of t, where nothing is, and returns it as
// t's person reaches it. It looks first: rclone says that it has made one that was there.
// The caller is in [Locks.Making].
//
// Errors: [dav.ErrExists], and those of the upstream.
func (l *Locks) Mkcol(ctx context.Context, t Target, name string) (Target, error) {
	p, err := t.File.Path.Join(name)
	if err != nil {
		return t, err
	}
	if _, err := t.View.Stat(ctx, p); err == nil {
		return t, dav.ErrExists
	} else if !errors.Is(err, dav.ErrNotFound) {
		return t, err
	}
	if err := t.View.Mkcol(ctx, p); err != nil {
		return t, err
	}
	ctx = context.WithoutCancel(ctx) // it is there
	res, err := t.View.Stat(ctx, p)
	if err != nil {
		return t, err
	}
	t.Seen = res
	t.File, err = l.IDs.Made(ctx, t.File.Space, res)
	return t, err
}
