package containers

import (
	"context"
	"errors"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// renameContainer is WOPI's RenameContainer. The IDs of the container and of all that
// is in it stay.
func (c *Containers) renameContainer(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.Headers.RequestedName == nil {
		return wopi.Response{}, invalidName("X-WOPI-RequestedName is missing")
	}
	name := *q.Headers.RequestedName
	if reason := endpoint.CheckName(name); reason != "" {
		return wopi.Response{}, invalidName(reason)
	}
	t, err := c.Seen(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	moved, err := c.rename(ctx, q, t, name)
	switch {
	case errors.Is(err, dav.ErrDenied):
		err = refused("this person may not rename the folder", err)
	case errors.Is(err, dav.ErrBadName), errors.Is(err, dav.ErrBadPath):
		err = invalidName("the file server refuses this name")
	}
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.RenameContainerInfo{Name: c.NameOf(q, moved)}}, nil
}

func (c *Containers) rename(ctx context.Context, q *endpoint.Request, t locks.Target, name string) (idmap.Entry, error) {
	if !c.mayChange(q, t.File) || !t.Seen.May(dav.Rename) {
		return idmap.Entry{}, dav.ErrDenied
	}
	to, err := t.File.Path.Parent().Join(name)
	if err != nil {
		return idmap.Entry{}, err
	}
	if c.Rules.AllowsGrantBelow(q.Grant, string(to)) < access.Edit {
		return idmap.Entry{}, dav.ErrDenied
	}
	return c.Locks.MoveContainer(ctx, t, q.Actor, to)
}
