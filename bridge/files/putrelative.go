package files

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// putRelativeFile is WOPI's PutRelativeFile: a new file beside this one, whose own
// lock does not matter.
func (f *Files) putRelativeFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	h := q.Headers
	if !f.Offers.WriteRelative {
		return wopi.Response{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "PutRelativeFile is switched off"}
	}
	if (h.SuggestedTarget == nil) == (h.RelativeTarget == nil) {
		return wopi.Response{}, &wopi.Error{Status: http.StatusBadRequest, Reason: "exactly one of X-WOPI-SuggestedTarget and X-WOPI-RelativeTarget is wanted"}
	}
	if h.Size >= 0 && q.Length >= 0 && h.Size != q.Length {
		return wopi.Response{}, &wopi.Error{
			Status: http.StatusBadRequest, Reason: fmt.Sprintf("X-WOPI-Size is %d, the body has %d bytes", h.Size, q.Length),
		}
	}
	t, err := f.Known(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	if err := f.mayCreate(q, t); err != nil {
		return wopi.Response{}, err
	}
	var made idmap.Entry
	if h.SuggestedTarget != nil {
		names := numbered(repairName(wopi.SuggestedName(*h.SuggestedTarget, t.File.Name)))
		made, err = f.Saves.Create(ctx, f.Beside(t), f.allowed(q, t.File.Path.Parent(), names), q.Body, q.Length)
	} else {
		made, err = f.createExactly(ctx, q, t, *h.RelativeTarget)
	}
	if errors.Is(err, dav.ErrDenied) {
		return wopi.Response{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not create files here", Err: err}
	}
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.PutRelativeFileInfo{
		Name:             made.Name,
		Url:              f.Source(q, made),
		HostViewUrl:      f.URLs.HostView(made.ID),
		HostEditUrl:      f.URLs.HostEdit(made.ID),
		LastModifiedTime: made.Revision.LastModified,
	}}, nil
}

// mayCreate asks our own rules about the folder, and the grant about its scope: a
// grant for a single file cannot see what would be made beside it.
func (f *Files) mayCreate(q *endpoint.Request, t locks.Target) error {
	folder := t.File.Path.Parent()
	if f.Rules.Allows(q.Grant.Principal, q.Grant.Upstream, string(folder)) < access.Edit || q.Grant.Scope == q.File {
		return &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not create files here"}
	}
	return nil
}

// createExactly is specific mode: this name or none.
func (f *Files) createExactly(ctx context.Context, q *endpoint.Request, t locks.Target, name string) (idmap.Entry, error) {
	if reason := checkName(name); reason != "" {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusBadRequest, Reason: reason, ValidTarget: repairName(name)}
	}
	if !f.mayName(q, t.File.Path.Parent(), name) {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not create that file"}
	}
	if q.Headers.Overwrite {
		target, err := f.Lookup(ctx, q, t.File.Path.Parent(), name)
		if err == nil {
			return f.overwrite(ctx, q, target)
		}
		if !errors.Is(err, dav.ErrNotFound) {
			return idmap.Entry{}, err
		}
	}
	once := func(attempt int) (string, bool) { return name, attempt == 0 }
	made, err := f.Saves.Create(ctx, f.Beside(t), once, q.Body, q.Length)
	if !errors.Is(err, dav.ErrExists) {
		return made, err
	}
	refusal := &wopi.Error{Status: http.StatusConflict, Reason: "a file of that name exists", ValidTarget: f.freeName(ctx, t, name), Err: err}
	if taken, err := f.Lookup(ctx, q, t.File.Path.Parent(), name); err == nil {
		if state, err := f.Locks.State(ctx, taken.File.ID); err == nil {
			refusal.Lock = &state.Lock.ID
		}
	}
	return made, refusal
}

func (f *Files) overwrite(ctx context.Context, q *endpoint.Request, target locks.Target) (idmap.Entry, error) {
	if target.File.Kind != idmap.File {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusConflict, Reason: "a folder of that name exists"}
	}
	if f.Rules.Allows(q.Grant.Principal, q.Grant.Upstream, string(target.File.Path)) < access.Edit {
		return idmap.Entry{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not overwrite that file"}
	}
	return f.Saves.Overwrite(ctx, target, q.Actor, q.Body, q.Length)
}

// freeName is what the editor may try instead; "" if nothing near is free.
func (f *Files) freeName(ctx context.Context, t locks.Target, name string) string {
	next := numbered(name)
	for attempt := 1; attempt < 10; attempt++ {
		candidate, _ := next(attempt)
		p, err := t.File.Path.Parent().Join(candidate)
		if err != nil {
			return ""
		}
		if _, err := t.View.Stat(ctx, p); errors.Is(err, dav.ErrNotFound) {
			return candidate
		}
	}
	return ""
}

// maxCandidates ends the search for a free name.
const maxCandidates = 1000

// numbered yields name, then "stem (1).ext", "stem (2).ext"...
func numbered(name string) func(int) (string, bool) {
	return func(attempt int) (string, bool) {
		if attempt == 0 {
			return name, true
		}
		return wopi.NumberedName(name, attempt), attempt < maxCandidates
	}
}
