package containers

import (
	"context"
	"errors"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// deleteContainer is WOPI's DeleteContainer: an empty one, whose ID dies with it.
func (c *Containers) deleteContainer(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	t, err := c.Seen(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	if !c.mayChange(q, t.File) || !t.Seen.May(dav.Delete) {
		return wopi.Response{}, refused("this person may not delete the folder", nil)
	}
	err = c.Locks.DeleteContainer(ctx, t, q.Actor)
	if errors.Is(err, dav.ErrDenied) {
		err = refused("this person may not delete the folder", err)
	}
	return wopi.Response{}, err
}
