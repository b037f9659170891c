package endpoint

import (
	"context"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
)

// The values of X-WOPI-UrlType.
const (
	shareReadOnly  = "ReadOnly"
	shareReadWrite = "ReadWrite"
)

// ShareTypes are the SupportedShareUrlTypes of q's file or container; nil where links
// are not offered.
func (e *Endpoint) ShareTypes(q *Request) []string {
	switch {
	case e.Share == nil || q.top || q.Grant.Guest():
		return nil
	case q.Rights >= access.Edit:
		return []string{shareReadOnly, shareReadWrite}
	}
	return []string{shareReadOnly}
}

// ShareURL answers GetShareUrl for files and containers.
func (e *Endpoint) ShareURL(ctx context.Context, q *Request) (wopi.Response, error) {
	if e.Share == nil {
		return wopi.Response{}, NotOffered("GetShareUrl")
	}
	if !q.top {
		if _, err := e.Seen(ctx, q); err != nil {
			return wopi.Response{}, err
		}
	}
	for _, kind := range e.ShareTypes(q) {
		if kind == q.Headers.URLType {
			link, err := e.Share(ctx, q, kind == shareReadWrite)
			return wopi.Response{JSON: wopi.ShareURL{ShareUrl: link}}, err
		}
	}
	return wopi.Response{}, &wopi.Error{Status: http.StatusNotImplemented, Reason: "no such X-WOPI-UrlType here"}
}

// SharingURL is the page on which q's person shares its file or container; "" where
// they cannot.
func (e *Endpoint) SharingURL(q *Request) string {
	if e.ShareTypes(q) == nil {
		return ""
	}
	return e.URLs.Sharing(q.File)
}

// NotOffered refuses an operation that is switched off, to a person who may see what
// it is about.
func NotOffered(operation string) error {
	return &wopi.Error{Status: http.StatusNotImplemented, Reason: operation + " is not offered"}
}
