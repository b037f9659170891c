package files

import (
	"context"
	"errors"
	"net/http"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// deleteFile is WOPI's DeleteFile: the ID dies with the file.
func (f *Files) deleteFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	t, err := f.Seen(ctx, q)
	if err != nil {
		return wopi.Response{}, f.orWaiting(ctx, q, err)
	}
	err = f.Locks.Delete(ctx, t, q.Actor)
	if errors.Is(err, dav.ErrDenied) {
		err = &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not delete the file", Err: err}
	}
	return wopi.Response{}, err
}
