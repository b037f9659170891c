package containers

import (
	"context"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// enumerateAncestors is WOPI's EnumerateAncestors: the containers above, without this
// one; none for the root.
func (c *Containers) enumerateAncestors(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	above, err := c.Ancestors(ctx, q)
	return wopi.Response{JSON: above}, err
}

// getEcosystem is WOPI's GetEcosystem.
func (c *Containers) getEcosystem(_ context.Context, q *endpoint.Request) (wopi.Response, error) {
	return c.Ecosystem(q)
}
