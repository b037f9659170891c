package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// renameFile is WOPI's RenameFile. The ID and the extension stay.
func (f *Files) renameFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.Headers.RequestedName == nil {
		return wopi.Response{}, invalidName("X-WOPI-RequestedName is missing")
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(q.Body, f.MaxBody)); err != nil {
		return wopi.Response{}, fmt.Errorf("files: body of a rename: %w", dav.ErrIncomplete)
	}
	t, err := f.Seen(ctx, q)
	if err != nil {
		return wopi.Response{}, f.orWaiting(ctx, q, err)
	}
	wanted, err := wantedName(*q.Headers.RequestedName, t.File.Name)
	if err != nil {
		return wopi.Response{}, err
	}
	moved, err := f.moveToFree(ctx, q, t, wanted)
	if errors.Is(err, dav.ErrDenied) {
		return wopi.Response{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not rename the file", Err: err}
	}
	if errors.Is(err, dav.ErrBadName) || errors.Is(err, dav.ErrBadPath) {
		return wopi.Response{}, invalidName("the file server refuses this name")
	}
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.RenameFileInfo{
		Name:             renamedAs(q.Actor.Office, moved.Name),
		LastModifiedTime: moved.Revision.LastModified,
	}}, nil
}

// wantedName is the whole new name: the extension of the file stays.
func wantedName(requested, current string) (string, error) {
	if requested == "" {
		return "", invalidName("the name is empty")
	}
	name := wopi.RenamedName(requested, current)
	if reason := endpoint.CheckName(name); reason != "" {
		return "", invalidName(reason)
	}
	return name, nil
}

// maxRenames is how many names near the wanted one are tried where it is taken.
const maxRenames = 20

// moveToFree moves the file to name, or to the first free name near it.
func (f *Files) moveToFree(ctx context.Context, q *endpoint.Request, t locks.Target, name string) (idmap.Entry, error) {
	next := endpoint.Numbered(name)
	for attempt := range maxRenames {
		candidate, _ := next(attempt)
		to, err := t.File.Path.Parent().Join(candidate)
		if err != nil {
			return idmap.Entry{}, err
		}
		if f.Rules.AllowsGrant(q.Grant, string(to)) < access.Edit {
			return idmap.Entry{}, fmt.Errorf("files: rules: %w", dav.ErrDenied)
		}
		moved, err := f.Locks.Move(ctx, t, q.Actor, q.Headers.Lock, to)
		if !errors.Is(err, dav.ErrExists) {
			return moved, err
		}
	}
	return idmap.Entry{}, invalidName("the name is taken")
}

func invalidName(reason string) error {
	return &wopi.Error{Status: http.StatusBadRequest, Reason: reason, InvalidName: reason}
}
