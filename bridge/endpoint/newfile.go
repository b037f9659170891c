package endpoint

import (
	"context"
	"errors"
	"io"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A NewFile is what PutRelativeFile and CreateChildFile have in common: a file that
// is to be made in Folder, which t's person reaches.
type NewFile struct {
	Target locks.Target // of the person and upstream
	Folder dav.Path
	Source string // name of the file whose stem an extension takes
	Body   io.Reader
	Length int64 // of Body in bytes; -1 unknown
}

// Make makes the file under the name that the headers of q ask for; exactly one of
// the two must be there. A suggested name is repaired and numbered until it is free,
// an exact one taken as it is, over what is there if the headers say so and nobody
// holds it. The error is ready to be returned.
func (e *Endpoint) Make(ctx context.Context, q *Request, n NewFile) (idmap.Entry, error) {
	var made idmap.Entry
	var err error
	if h := q.Headers; h.SuggestedTarget != nil {
		names := Numbered(RepairName(wopi.SuggestedName(*h.SuggestedTarget, n.Source)))
		made, err = e.Saves.Create(ctx, e.in(q, n), e.Allowed(q, n.Folder, names), n.Body, n.Length)
	} else {
		made, err = e.makeExactly(ctx, q, n, *h.RelativeTarget)
	}
	if errors.Is(err, dav.ErrDenied) {
		err = &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not create files here", Said: words.Say("refusal.may_not_create"), Err: err}
	}
	return made, err
}

// makeExactly is specific mode: this name or none.
func (e *Endpoint) makeExactly(ctx context.Context, q *Request, n NewFile, name string) (idmap.Entry, error) {
	if reason := CheckName(name); reason != "" {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusBadRequest, Reason: reason, InvalidName: reason, Said: NameFault(name), ValidTarget: RepairName(name)}
	}
	if !e.MayName(q, n.Folder, name) {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not create that file", Said: words.Say("name.may_not")}
	}
	if q.Headers.Overwrite {
		target, err := e.Lookup(ctx, q, n.Folder, name)
		if err == nil {
			return e.overwrite(ctx, q, target, n)
		}
		if !errors.Is(err, dav.ErrNotFound) {
			return idmap.Entry{}, err
		}
	}
	once := func(attempt int) (string, bool) { return name, attempt == 0 }
	made, err := e.Saves.Create(ctx, e.in(q, n), once, n.Body, n.Length)
	if !errors.Is(err, dav.ErrExists) {
		return made, err
	}
	refusal := &wopi.Error{Status: http.StatusConflict, Reason: "a file of that name exists", Said: words.Say("name.taken"), ValidTarget: e.FreeName(ctx, n.Target, n.Folder, name), Err: err}
	if taken, err := e.Lookup(ctx, q, n.Folder, name); err == nil {
		if state, err := e.Locks.State(ctx, taken.File.ID); err == nil {
			refusal.Lock = &state.Lock.ID
		}
	}
	return made, refusal
}

func (e *Endpoint) overwrite(ctx context.Context, q *Request, target locks.Target, n NewFile) (idmap.Entry, error) {
	if target.File.Kind != idmap.File {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusConflict, Reason: "a folder of that name exists", Said: words.Say("name.taken")}
	}
	if e.Rules.AllowsGrant(q.Grant, string(target.File.Path)) < access.Edit {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not overwrite that file", Said: words.Say("name.may_not")}
	}
	return e.Saves.Overwrite(ctx, target, q.Actor, n.Body, n.Length)
}

// FreeName is what the editor may try in folder instead of a name that is taken; ""
// if nothing near is free.
func (e *Endpoint) FreeName(ctx context.Context, t locks.Target, folder dav.Path, name string) string {
	next := Numbered(name)
	for attempt := 1; attempt < 10; attempt++ {
		candidate, _ := next(attempt)
		p, err := folder.Join(candidate)
		if err != nil {
			return ""
		}
		if _, err := t.View.Stat(ctx, p); errors.Is(err, dav.ErrNotFound) {
			return candidate
		}
	}
	return ""
}
