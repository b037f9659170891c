package files

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// renameFile is WOPI's RenameFile. The ID and the extension stay.
func (f *Files) renameFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.Headers.RequestedName == nil {
		reason := "X-WOPI-RequestedName is missing"
		return wopi.Response{}, &wopi.Error{Status: http.StatusBadRequest, Reason: reason, InvalidName: reason}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(q.Body, f.MaxBody)); err != nil {
		return wopi.Response{}, fmt.Errorf("files: body of a rename: %w", dav.ErrIncomplete)
	}
	t, err := f.Seen(ctx, q)
	if err != nil {
		return wopi.Response{}, f.orWaiting(ctx, q, err)
	}
	moved, err := f.Rename(ctx, q, t, q.Headers.Lock, *q.Headers.RequestedName)
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.RenameFileInfo{
		Name:             renamedAs(q.Actor.Office, moved.Name),
		LastModifiedTime: moved.Revision.LastModified,
	}}, nil
}
