package files

import (
	"context"
	"net/http"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
)

// The five lock operations differ in one call. Lock looks at the upstream,
// because the editing begins with what is there; the others work on the row.

var errNoLockID = &wopi.Error{Status: http.StatusBadRequest, Reason: "X-WOPI-Lock is missing"}

// lock is WOPI's Lock.
func (f *Files) lock(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.Headers.Lock == nil {
		return wopi.Response{}, errNoLockID
	}
	t, _, err := f.SeenOrWaiting(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	if err := f.Locks.Lock(ctx, t, q.Actor, *q.Headers.Lock); err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{ItemVersion: t.File.Revision.Version}, nil
}

// unlockAndRelock is WOPI's UnlockAndRelock.
func (f *Files) unlockAndRelock(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.Headers.Lock == nil {
		return wopi.Response{}, errNoLockID
	}
	return f.onRow(ctx, q, func(t locks.Target) error {
		return f.Locks.Relock(ctx, t, q.Actor, *q.Headers.OldLock, *q.Headers.Lock)
	})
}

// refreshLock is WOPI's RefreshLock.
func (f *Files) refreshLock(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.Headers.Lock == nil {
		return wopi.Response{}, errNoLockID
	}
	return f.onRow(ctx, q, func(t locks.Target) error {
		return f.Locks.Refresh(ctx, t, q.Actor, *q.Headers.Lock)
	})
}

// unlock is WOPI's Unlock.
func (f *Files) unlock(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.Headers.Lock == nil {
		return wopi.Response{}, errNoLockID
	}
	return f.onRow(ctx, q, func(t locks.Target) error {
		return f.Locks.Unlock(ctx, t, q.Actor, *q.Headers.Lock)
	})
}

// getLock is WOPI's GetLock.
func (f *Files) getLock(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	var id wopi.LockID
	response, err := f.onRow(ctx, q, func(t locks.Target) (err error) {
		id, err = f.Locks.Get(ctx, t, q.Actor)
		return err
	})
	response.Lock = &id
	return response, err
}

func (f *Files) onRow(ctx context.Context, q *endpoint.Request, do func(locks.Target) error) (wopi.Response, error) {
	t, err := f.Known(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	if err := do(t); err != nil {
		return wopi.Response{}, err
	}
	// It may have waited for a save, and the version is that of now.
	if now, err := f.IDs.Known(ctx, t.File.Space, t.File.ID); err == nil {
		t.File = now
	}
	return wopi.Response{ItemVersion: t.File.Revision.Version}, nil
}
