package endpoint

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Known returns the file as this person reaches it, at the place where it was
// last; no request is made to the upstream.
func (e *Endpoint) Known(ctx context.Context, q *Request) (locks.Target, error) {
	view, err := e.Upstreams.View(ctx, q.Grant.Upstream, q.Grant.Principal)
	pin := func(ctx context.Context) ([]byte, error) {
		return e.Upstreams.Pin(ctx, q.Grant.Upstream, q.Grant.Principal)
	}
	if errors.Is(err, access.ErrNeedsSignIn) && q.Lent != nil {
		var pinned []byte
		view, pinned, err = q.Lent(ctx)
		pin = func(context.Context) ([]byte, error) { return pinned, nil }
	}
	if err != nil {
		return locks.Target{}, err
	}
	return locks.Target{
		File:     q.Known,
		Upstream: q.Grant.Upstream,
		View:     view,
		Pin:      pin,
		May:      func(ctx context.Context, at idmap.Entry) error { return e.may(ctx, q, at) },
	}, nil
}

// may asks whether q may write the file at that place, as of now.
func (e *Endpoint) may(ctx context.Context, q *Request, at idmap.Entry) error {
	if at.Path == q.Known.Path {
		return nil // the shared steps have asked
	}
	if err := e.inScope(ctx, q.Grant, at); err != nil {
		return fmt.Errorf("endpoint: the file was moved: %w: %w", dav.ErrDenied, err)
	}
	if e.Rules.AllowsGrant(q.Grant, string(at.Path)) < access.Edit {
		return fmt.Errorf("endpoint: the file was moved to where this person may not write: %w", dav.ErrDenied)
	}
	return nil
}

// Seen is [Endpoint.Known] after one look at the upstream: where the file is now,
// and what it is. A file that turns up at another place is asked about again: q's
// rights become those of that place; never more than the upstream says that this
// person has ([davbackend.View.MayWrite]). The errors are those of [idmap.Map.Find], of a file
// that the grant does not reach, and of an operation that wants more than is left.
func (e *Endpoint) Seen(ctx context.Context, q *Request) (locks.Target, error) {
	t, err := e.Known(ctx, q)
	if err != nil {
		return t, err
	}
	if t.File, t.Seen, err = e.find(ctx, q, t.View); err != nil {
		return t, err
	}
	if t.File.Path != q.Known.Path {
		if err := e.allow(ctx, q, t.File); err != nil {
			return locks.Target{}, err
		}
	}
	if !t.View.MayWrite(t.Seen) {
		q.Rights = min(q.Rights, access.View)
	}
	return t, q.demand()
}

// maxFinds bounds how often a file is looked for that moves while we look.
const maxFinds = 5

// find is [idmap.Map.Find], which may be wrong about a file that is moved through the
// bridge at this very moment, or that lies in a folder that is: then it is repeated.
func (e *Endpoint) find(ctx context.Context, q *Request, view *davbackend.View) (idmap.Entry, dav.Resource, error) {
	before := q.Known // the shared steps have just read it
	var finder idmap.Finder = view
	if q.Operation == wopi.OpCheckFileInfo {
		finder = view.Joining() // who opens the same document at the same time
	}
	for try := 1; ; try++ {
		var err error
		if try > 1 || before.ID != q.File {
			if before, err = e.IDs.Known(ctx, q.Grant.Space, q.File); err != nil {
				return idmap.Entry{}, dav.Resource{}, err
			}
		}
		found, seen, err := e.IDs.FindFrom(ctx, q.Grant.Space, before, finder)
		if !errors.Is(err, idmap.ErrMissing) || try == maxFinds {
			return found, seen, err
		}
		if moved, moveErr := e.wasMoved(ctx, q, before); moveErr != nil || !moved {
			return found, seen, errors.Join(err, moveErr)
		}
	}
}

// wasMoved waits for what is moving q's file, and reports whether it is elsewhere now,
// or may be.
func (e *Endpoint) wasMoved(ctx context.Context, q *Request, before idmap.Entry) (bool, error) {
	above, err := e.IDs.Ancestors(ctx, q.Grant.Space, q.File)
	if err != nil {
		return false, err
	}
	files := []idmap.FileID{q.File}
	for _, a := range above {
		files = append(files, a.ID)
	}
	waited, err := e.Locks.AfterMoves(ctx, files)
	if err != nil {
		return false, err
	}
	now, err := e.IDs.Known(ctx, q.Grant.Space, q.File)
	return waited || now.Path != before.Path, err
}

// in is the folder of n as a place in which q's person makes something.
func (e *Endpoint) in(q *Request, n NewFile) saves.Place {
	return saves.Place{
		Space:    n.Target.File.Space,
		Upstream: n.Target.Upstream,
		View:     n.Target.View,
		Folder:   n.Folder,
		Pin:      n.Target.Pin,
		Writer:   q.Grant.Principal.Name,
		User:     q.Actor.UserID,
	}
}

// Lookup is the file that is called name in folder, as this person reaches it.
// It returns [dav.ErrNotFound] if there is none.
func (e *Endpoint) Lookup(ctx context.Context, q *Request, folder dav.Path, name string) (locks.Target, error) {
	t, err := e.Known(ctx, q)
	if err != nil {
		return t, err
	}
	p, err := folder.Join(name)
	if err != nil {
		return t, err
	}
	if t.Seen, err = t.View.Stat(ctx, p); err != nil {
		return t, err
	}
	t.File, err = e.IDs.See(ctx, q.Grant.Space, t.Seen, t.View)
	return t, err
}

// Source is the address of a file, with a token derived from the request's grant:
// for answers that hand out other files or containers.
func (e *Endpoint) Source(q *Request, other idmap.Entry) string {
	u := e.urlsFor(q)
	address := u.WOPISrc(other.ID)
	if other.Kind == idmap.Container {
		address = u.ContainerSrc(other.ID)
	}
	return WithToken(address, e.Tokens.Derive(q.Grant, other.ID))
}

// EcosystemSource is the address of the ecosystem, with a token derived from the request's grant.
func (e *Endpoint) EcosystemSource(q *Request) string {
	return WithToken(e.urlsFor(q).EcosystemSrc(), e.Tokens.Derive(q.Grant, access.Ecosystem))
}

// urlsFor are our addresses as whoever asks reaches us: a grant without an editor is that of a phone or a program, which
// is nowhere near the editors' servers.
func (e *Endpoint) urlsFor(q *Request) URLs {
	u := e.URLs
	if q.Grant.Editor == "" {
		u.WOPI = u.Public
	}
	return u
}
