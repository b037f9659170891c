package davbackend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"davwopi/davbackend/dav"
)

// maxRawBody bounds the body of an answer to [View.Raw], in bytes.
const maxRawBody = 4 << 20

// A Raw is a request in the caller's own words: for measuring an upstream, which
// needs forms that nobody else may send.
type Raw struct {
	Method string
	Path   dav.Path
	Slash  bool        // address it as a collection
	Header http.Header // besides those that every request has; may be nil
	XML    []byte      // body of type application/xml
	Body   *Body       // or any other; nil none
}

// A RawAnswer is whatever came back.
type RawAnswer struct {
	Status int
	Header http.Header
	Body   []byte // whole, unless it is longer than 4 MiB
}

// OK reports whether the status is a success.
func (a RawAnswer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// Raw sends r with v's credential and returns the answer, whatever its status. It
// follows no redirect. Errors wrap [dav.ErrUnavailable], [dav.ErrIncomplete],
// [dav.ErrUnauthorized] (a credential that cannot be sent), or are those of
// r.Body.Open.
func (v *View) Raw(ctx context.Context, r Raw) (RawAnswer, error) {
	c := newCall(r.Method, r.Path)
	c.slash = c.slash || r.Slash
	for name, values := range r.Header {
		c.header[name] = values
	}
	switch {
	case r.XML != nil:
		c = c.xml(r.XML)
	case r.Body != nil:
		c.body = r.Body
	}
	a, err := v.send(ctx, c)
	if err != nil {
		return RawAnswer{}, err
	}
	defer a.close()
	body, err := io.ReadAll(io.LimitReader(a.resp.Body, maxRawBody))
	if err != nil {
		return RawAnswer{}, fmt.Errorf("davbackend: answer to %s: %w", r.Method, err)
	}
	return RawAnswer{Status: a.status(), Header: a.resp.Header, Body: body}, nil
}

// Resource reads the answer to a PROPFIND of Depth 0 as that about p, with the text
// of getetag as it was sent. ok is false if it is none.
func (a RawAnswer) Resource(p dav.Path) (res dav.Resource, etag string, ok bool) {
	if a.Status != http.StatusMultiStatus && a.Status != http.StatusOK {
		return res, "", false
	}
	err := dav.DecodeMultistatus(bytes.NewReader(a.Body), smallLimits, func(r dav.Response) error {
		if ok || r.Status >= 300 {
			return nil
		}
		res, ok = r.At(p), true
		for _, ps := range r.Propstats {
			for _, e := range ps.Props {
				if ps.Status == http.StatusOK && e.Name == dav.PropETag {
					etag = e.AllText()
				}
			}
		}
		return nil
	})
	return res, etag, ok && err == nil
}

// URL is the absolute URL under which v addresses p; as a collection, with a slash.
func (v *View) URL(p dav.Path, slash bool) string { return v.url(p, slash).String() }

// Through is the same account of the same upstream over another transport, which over
// makes from the present one: for trying what happens when connections break.
func (v *View) Through(over func(http.RoundTripper) http.RoundTripper) *View {
	c := v.client
	other := &Client{Base: c.Base, Transport: over(c.transport()), Idle: c.Idle, Discover: c.Discover, Assumed: c.Profile()}
	w := other.As(v.credential).Renewing(v.renew)
	w.account.Store(v.account.Load())
	return w
}
