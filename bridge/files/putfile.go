package files

import (
	"context"
	"errors"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// putFile is WOPI's PutFile. The lock rule speaks before the body is read, and
// again under the file's lease.
func (f *Files) putFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	t, err := f.Known(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	revision, err := f.Saves.Put(ctx, t, q.Actor, saves.Put{
		Lock:      q.Headers.Lock,
		Body:      q.Body,
		Length:    q.Length,
		Timestamp: q.Headers.Timestamp,
		Base:      q.Headers.Base,
		Writer:    q.Grant.Principal.Name,
	})
	var conflict *saves.ConflictError
	if errors.As(err, &conflict) && conflict.Diverted {
		revision, err = conflict.Revision, nil
	}
	if err != nil {
		return wopi.Response{}, err
	}
	return putAnswer(revision), nil
}

func putAnswer(r idmap.Revision) wopi.Response {
	return wopi.Response{JSON: wopi.PutFileInfo{LastModifiedTime: r.LastModified}, ItemVersion: r.Version}
}
