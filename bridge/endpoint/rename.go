package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Rename gives t's file the name that somebody asks for, with the extension that it has, or
// the first free one near it. lock is the lock ID that the request shows, nil none. The error is
// ready to be returned.
func (e *Endpoint) Rename(ctx context.Context, q *Request, t locks.Target, lock *wopi.LockID, requested string) (idmap.Entry, error) {
	wanted, err := wantedName(requested, t.File.Name)
	if err != nil {
		return idmap.Entry{}, err
	}
	moved, err := e.moveToFree(ctx, q, t, lock, wanted)
	switch {
	case errors.Is(err, dav.ErrDenied):
		err = &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not rename the file", Said: words.Say("refusal.may_not_rename"), Err: err}
	case errors.Is(err, dav.ErrBadName), errors.Is(err, dav.ErrBadPath):
		err = invalidName("the file server refuses this name", words.Say("refusal.bad_name"))
	}
	return moved, err
}

// wantedName is the whole new name: the extension of the file stays.
func wantedName(requested, current string) (string, error) {
	if requested == "" {
		return "", invalidName("the name is empty", words.Say("name.empty"))
	}
	name := wopi.RenamedName(requested, current)
	if reason := CheckName(name); reason != "" {
		return "", invalidName(reason, NameFault(name))
	}
	return name, nil
}

// maxRenames is how many names near the wanted one are tried where it is taken.
const maxRenames = 20

// moveToFree moves the file to name, or to the first free name near it.
func (e *Endpoint) moveToFree(ctx context.Context, q *Request, t locks.Target, lock *wopi.LockID, name string) (idmap.Entry, error) {
	next := Numbered(name)
	for attempt := range maxRenames {
		candidate, _ := next(attempt)
		to, err := t.File.Path.Parent().Join(candidate)
		if err != nil {
			return idmap.Entry{}, err
		}
		if e.Rules.AllowsGrant(q.Grant, string(to)) < access.Edit {
			return idmap.Entry{}, fmt.Errorf("endpoint: rules: %w", dav.ErrDenied)
		}
		moved, err := e.Locks.Move(ctx, t, q.Actor, lock, to)
		if !errors.Is(err, dav.ErrExists) {
			return moved, err
		}
	}
	return idmap.Entry{}, invalidName("the name is taken", words.Say("name.taken"))
}

func invalidName(reason string, said words.Text) error {
	return &wopi.Error{Status: http.StatusBadRequest, Reason: reason, InvalidName: reason, Said: said}
}
