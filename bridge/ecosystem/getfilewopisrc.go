package ecosystem

import (
	"context"
	"fmt"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// getFileWopiSrc is WOPI's GetFileWopiSrc: the WOPISrc, with a token, of what one of
// our own addresses shows.
func (e *Ecosystem) getFileWopiSrc(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	id, err := e.FileIn(ctx, q.Headers.NativeName)
	if err != nil {
		return wopi.Response{}, err
	}
	at, err := e.About(ctx, q, id, idmap.File)
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.URLInfo{
		Url: fmt.Sprintf("%s&access_token_ttl=%d", e.Source(at, at.Known), q.Grant.Expires.UnixMilli()),
	}}, nil
}
