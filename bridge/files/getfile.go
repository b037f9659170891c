package files

import (
	"context"
	"fmt"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// getFile is WOPI's GetFile: the bytes, streamed, with the version that they are.
func (f *Files) getFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	return f.get(ctx, q, func(int64) error { return nil })
}

// get is getFile; may says whether the revision that was opened is to be given.
func (f *Files) get(ctx context.Context, q *endpoint.Request, may func(revision int64) error) (wopi.Response, error) {
	content, err := f.Contents(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	file := content.Target.File
	if err := may(file.Revision.Number); err != nil {
		content.Close()
		return wopi.Response{}, err
	}
	if content.Size > q.Headers.MaxExpectedSize {
		content.Close()
		return wopi.Response{}, &wopi.Error{
			Status: http.StatusPreconditionFailed,
			Reason: fmt.Sprintf("the file has %d bytes, %d are expected at most", content.Size, q.Headers.MaxExpectedSize),
		}
	}
	if q.Rights >= access.Edit { // what a reader saw is no base for anybody's save
		if err := f.Locks.Read(ctx, q.File, q.Actor, file.Revision.Number); err != nil {
			content.Close()
			return wopi.Response{}, err
		}
	}
	return wopi.Response{
		ItemVersion: file.Revision.Version,
		Stream:      &wopi.Stream{Body: content, Size: content.Size, Name: file.Name},
	}, nil
}
