package endpoint

import (
	"context"
	"math"

	"davwopi/bridge/access"
	"davwopi/idmap"
)

// Visit is the request of somebody who holds g and has named no file: for the bootstrapper, which lets people in by
// another token than WOPI's. What it reaches is asked for by [Endpoint.Root] and [Endpoint.About].
func (e *Endpoint) Visit(ctx context.Context, g access.Grant) (*Request, error) {
	q := &Request{Grant: g, Headers: Headers{Native: true, Size: -1}}
	return q, e.authorize(ctx, q, 0)
}

// Reach is the request of somebody who holds g and has come to its file by another way than WOPI's: the document server
// of the Docs API, and the page around its editor. as says what is demanded, as in a [Table]; its Run is not used. What
// lies outside of the grant is [idmap.ErrNotFound], as everywhere.
func (e *Endpoint) Reach(ctx context.Context, g access.Grant, as Entry) (*Request, error) {
	q := &Request{File: g.File, Grant: g, Headers: Headers{Size: -1, MaxExpectedSize: math.MaxInt64}, Length: -1, entry: as}
	return q, e.authorize(ctx, q, idmap.File)
}
