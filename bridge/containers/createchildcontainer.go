package containers

import (
	"context"
	"errors"
	"net/http"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// maxAttempts ends the search for a free name.
const maxAttempts = 100

// createChildContainer is WOPI's CreateChildContainer.
func (c *Containers) createChildContainer(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	t, err := c.toMake(ctx, q, dav.CreateContainer)
	if err != nil {
		return wopi.Response{}, err
	}
	var made locks.Target
	err = c.Locks.Making(ctx, t, c.Saves.Patience, func() error {
		if q.Headers.SuggestedTarget != nil {
			made, err = c.makeNear(ctx, q, t, *q.Headers.SuggestedTarget)
		} else {
			made, err = c.makeExactly(ctx, q, t, *q.Headers.RelativeTarget)
		}
		return err
	})
	if errors.Is(err, dav.ErrDenied) {
		err = refused("this person may not create folders here", err)
	}
	if err != nil {
		return wopi.Response{}, err
	}
	child := *q
	child.File, child.Known = made.File.ID, made.File
	info := c.describe(&child, made)
	return wopi.Response{JSON: wopi.RootContainer{ContainerPointer: c.Pointer(q, made.File), ContainerInfo: &info}}, nil
}

// toMake is the container of q as one in which something can be made: exactly one of
// the two names is given, and the upstream does not say that this person may not.
func (c *Containers) toMake(ctx context.Context, q *endpoint.Request, what dav.Permission) (locks.Target, error) {
	if (q.Headers.SuggestedTarget == nil) == (q.Headers.RelativeTarget == nil) {
		return locks.Target{}, refused("exactly one of X-WOPI-SuggestedTarget and X-WOPI-RelativeTarget is wanted", nil)
	}
	t, err := c.Seen(ctx, q)
	if err == nil && !t.Seen.May(what) {
		err = refused("this person may not create this here", nil)
	}
	return t, err
}

// makeNear is suggested mode: a name near to this one.
func (c *Containers) makeNear(ctx context.Context, q *endpoint.Request, t locks.Target, suggested string) (locks.Target, error) {
	next := c.Allowed(q, t.File.Path, endpoint.Numbered(endpoint.RepairName(suggested)))
	for attempt := range maxAttempts {
		name, ok := next(attempt)
		if !ok {
			break
		}
		made, err := c.Locks.Mkcol(ctx, t, name)
		if !errors.Is(err, dav.ErrExists) {
			return made, err
		}
	}
	return locks.Target{}, refused("every name near this one is taken", dav.ErrExists)
}

// makeExactly is specific mode: this name or none.
func (c *Containers) makeExactly(ctx context.Context, q *endpoint.Request, t locks.Target, name string) (locks.Target, error) {
	if reason := endpoint.CheckName(name); reason != "" {
		return locks.Target{}, invalidName(reason)
	}
	if !c.MayName(q, t.File.Path, name) {
		return locks.Target{}, refused("this person may not create that folder", nil)
	}
	made, err := c.Locks.Mkcol(ctx, t, name)
	switch {
	case errors.Is(err, dav.ErrExists):
		return made, &wopi.Error{
			Status: http.StatusConflict, Reason: "something of that name exists",
			ValidTarget: c.FreeName(ctx, t, t.File.Path, name), Err: err,
		}
	case errors.Is(err, dav.ErrBadName), errors.Is(err, dav.ErrBadPath):
		return made, invalidName("the file server refuses this name")
	}
	return made, err
}

func invalidName(reason string) error {
	return &wopi.Error{Status: http.StatusBadRequest, Reason: reason, InvalidBox: reason}
}
