package endpoint

import (
	"context"

	"davwopi/bridge/access"
)

// Visit is the request of somebody who holds g and has named no file: for the bootstrapper, which lets people in by
// another token than WOPI's. What it reaches is asked for by [Endpoint.Root] and [Endpoint.About].
func (e *Endpoint) Visit(ctx context.Context, g access.Grant) (*Request, error) {
	q := &Request{Grant: g, Headers: Headers{Native: true, Size: -1}}
	return q, e.authorize(ctx, q, 0)
}
