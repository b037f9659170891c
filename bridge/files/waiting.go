package files

import (
	"context"
	"errors"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
)

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
