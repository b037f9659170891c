package files

import (
	"context"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// enumerateAncestors is WOPI's EnumerateAncestors: the folders above, root first,
// those that the grant cannot see cut off.
func (f *Files) enumerateAncestors(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	above, err := f.Ancestors(ctx, q)
	return wopi.Response{JSON: above}, err
}

// getEcosystem is WOPI's GetEcosystem.
func (f *Files) getEcosystem(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	return f.Ecosystem(q)
}
