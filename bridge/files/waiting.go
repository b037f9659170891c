package files

import (
	"context"
	"errors"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/davbackend"
)

// seen is [endpoint.Endpoint.Seen] for a file of which a save may wait (DESIGN 7.5):
// its revision is the waiting one then, and it is shown while the upstream is away to
// those who may see it. waiting is nil if nothing waits.
func (f *Files) seen(ctx context.Context, q *endpoint.Request) (t locks.Target, waiting *saves.Waiting, err error) {
	t, err = f.Seen(ctx, q)
	waiting, waitErr := f.Saves.Waiting(ctx, q.File)
	switch {
	case waitErr != nil:
		return t, nil, errors.Join(err, waitErr)
	case err == nil:
		f.Saves.Saw(q.File, q.Actor.UserID)
	case waiting != nil:
		shown, showErr := f.Saves.MayShow(ctx, waiting, q.Actor, err)
		if showErr != nil || !shown {
			return t, nil, errors.Join(err, showErr)
		}
		if t, err = f.Known(ctx, q); err != nil {
			return t, nil, err
		}
		t.File.Revision = waiting.Revision
		return t, waiting, nil
	}
	if err != nil || waiting == nil {
		return t, nil, err
	}
	if waiting.NeedsSignIn && q.Rights >= access.Edit {
		if err := f.Saves.Lend(ctx, waiting, t); err != nil {
			return t, nil, err
		}
	}
	t.File.Revision = waiting.Revision
	return t, waiting, nil
}

// openWaiting opens the bytes that wait for the upstream; nil if none do.
func (f *Files) openWaiting(ctx context.Context, q *endpoint.Request, t *locks.Target) (*davbackend.Content, error) {
	waiting, err := f.Saves.Waiting(ctx, q.File)
	if err != nil || waiting == nil {
		return nil, err
	}
	seen, waiting, err := f.seen(ctx, q)
	if err != nil || waiting == nil {
		return nil, err
	}
	body, err := f.Saves.OpenWaiting(ctx, waiting)
	if errors.Is(err, saves.ErrNoEntry) {
		return nil, nil // it has just arrived
	}
	if err != nil {
		return nil, err
	}
	*t = seen
	return &davbackend.Content{ReadCloser: body, Size: waiting.Revision.Size}, nil
}

// orWaiting is why a file cannot be touched: a waiting save of it, if the upstream
// does not answer and this person may know of it, else err.
func (f *Files) orWaiting(ctx context.Context, q *endpoint.Request, err error) error {
	waiting, waitErr := f.Saves.Waiting(ctx, q.File)
	if waitErr != nil || waiting == nil {
		return errors.Join(err, waitErr)
	}
	shown, showErr := f.Saves.MayShow(ctx, waiting, q.Actor, err)
	if showErr != nil || !shown {
		return errors.Join(err, showErr)
	}
	return locks.ErrWaiting()
}
