package files

import (
	"context"
	"fmt"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
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
	// The look says where this file is now: others may have moved it, or deleted it.
	t, err := f.Seen(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	if err := f.mayCreate(q, t); err != nil {
		return wopi.Response{}, err
	}
	made, err := f.Make(ctx, q, endpoint.NewFile{
		Target: t, Folder: t.File.Path.Parent(), Source: t.File.Name, Body: q.Body, Length: q.Length,
	})
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.PutRelativeFileInfo{
		Name:             f.NameOf(q, made),
		Url:              f.Source(q, made),
		HostViewUrl:      f.URLs.Through(q.Grant.Share).HostView(made.ID),
		HostEditUrl:      f.URLs.Through(q.Grant.Share).HostEdit(made.ID),
		LastModifiedTime: made.Revision.LastModified,
	}}, nil
}

// mayCreate asks our own rules about the folder, and the grant about its scope: a
// grant for a single file cannot see what would be made beside it.
func (f *Files) mayCreate(q *endpoint.Request, t locks.Target) error {
	folder := t.File.Path.Parent()
	if f.Rules.AllowsGrant(q.Grant, string(folder)) < access.Edit || q.Grant.Scope == q.File {
		return &wopi.Error{Status: http.StatusNotImplemented, Reason: "this person may not create files here"}
	}
	return nil
}
