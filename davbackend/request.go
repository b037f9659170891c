package davbackend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"davwopi/davbackend/dav"
)

// A call is one request before it is sent; it can be sent again.
type call struct {
	method   string
	path     dav.Path
	slash    bool // address as a collection
	header   http.Header
	body     *Body
	inMemory []byte   // the whole of body, if it is in memory
	hadETag  bool     // a condition names contents
	at       *url.URL // goes here instead, on the same origin; nil: to path
}

// newCall returns a call with an empty header.
func newCall(method string, p dav.Path) call {
	return call{method: method, path: p, slash: p.IsRoot(), header: make(http.Header)}
}

// xml gives the call an XML body.
func (c call) xml(body []byte) call {
	c.inMemory = body
	c.body = &Body{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
		Size: int64(len(body)),
		Type: "application/xml; charset=utf-8", // lighttpd answers 415 without it
	}
	return c
}

// An answer is a response whose body keeps the progress limit.
type answer struct {
	resp  *http.Response
	watch *watch
}

func (a *answer) status() int { return a.resp.StatusCode }

// close gives the connection back if little is left to read, and ends the request.
func (a *answer) close() {
	_, _ = io.CopyN(io.Discard, a.resp.Body, maxErrorBody) // best effort: the answer is already known
	_ = a.resp.Body.Close()
	a.watch.end()
}

// send sends c with v's credential, answers challenges, and returns whatever status
// came. Its errors wrap dav.ErrUnavailable, dav.ErrUnauthorized (a credential that
// cannot be sent), dav.ErrIncomplete, or are Body.Open's.
func (v *View) send(ctx context.Context, c call) (*answer, error) {
	if err := v.locate(ctx); err != nil {
		return nil, err
	}
	return v.transmit(ctx, c)
}

// transmit is send once it is known where v's files are.
func (v *View) transmit(ctx context.Context, c call) (*answer, error) {
	if err := v.credential.check(); err != nil {
		return nil, err
	}
	if err := v.prepare(ctx, c); err != nil {
		return nil, err
	}
	var last proof
	waited, renewed := 0, false
	for attempt := 0; ; attempt++ {
		shown, err := v.prove(c, last)
		if err != nil {
			return nil, err
		}
		a, err := v.once(ctx, c, shown.header)
		if err != nil {
			return nil, err
		}
		if a.status() == http.StatusExpectationFailed && c.header.Get("Expect") != "" {
			a.close()
			c.header = c.header.Clone()
			c.header.Del("Expect")
			continue
		}
		if waited < 2 && c.smallEnough() && briefly(ctx, a) {
			waited++
			continue
		}
		if a.status() != http.StatusUnauthorized {
			v.client.auth.next(shown, a.resp.Header)
			return a, nil
		}
		if sent, bearer := strings.CutPrefix(shown.header, "Bearer "); bearer && !renewed && v.another(ctx, sent) {
			renewed = true
			a.close()
			continue
		}
		next, again := v.client.auth.learn(v.credential, shown, a.resp.Header.Values("WWW-Authenticate"))
		if !again || attempt >= 3 {
			return a, nil
		}
		a.close()
		last = next
	}
}

// maxBrief is the wait that a 429 may ask of whoever opens a document: for more they
// are told.
const maxBrief = 2 * time.Second

// briefly waits if a is a 429 that asks for no more than a moment, which says that
// nothing was done. It reports whether to send the request again; a is closed then.
func briefly(ctx context.Context, a *answer) bool {
	wait := retryAfter(a.resp.Header)
	if a.status() != http.StatusTooManyRequests || wait > maxBrief {
		return false
	}
	t := time.NewTimer(max(wait, maxBrief/8))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	}
	a.close()
	return true
}

// smallEnough reports whether sending c again costs little.
func (c call) smallEnough() bool { return c.body == nil || c.body.Size < expectFrom }

// prepare learns the challenge before a body is sent: by a PROPFIND without a
// credential, once for each Client.
func (v *View) prepare(ctx context.Context, c call) error {
	if c.body == nil || c.method != "PUT" || c.body.Size == 0 || v.credential.Kind != "password" || v.client.auth.known() {
		return nil
	}
	probe := newCall("PROPFIND", dav.Root).xml(dav.PropfindBody([]dav.PropName{dav.PropResourceType}))
	probe.header.Set("Depth", dav.Depth0.String())
	a, err := v.send(ctx, probe)
	if err != nil {
		return err
	}
	a.close()
	v.client.auth.asked()
	return nil
}

// once sends c one time.
func (v *View) once(ctx context.Context, c call, authorization string) (*answer, error) {
	inner, w := newWatch(ctx, v.client.idle())
	req, source, err := v.request(w.traced(inner), c, w)
	if err != nil {
		w.end()
		return nil, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	countTrip(ctx)
	if c.method != http.MethodOptions {
		v.client.used.Store(time.Now().UnixNano())
	}
	w.run()
	began := time.Now()
	resp, err := v.client.transport().RoundTrip(req)
	w.answered()
	if changes(c.method) {
		v.client.writes.Add(1)
	}
	v.client.observed(ctx, c.method, resp, time.Since(began))
	if err != nil {
		err = v.sendError(inner, source, err)
		w.end()
		return nil, err
	}
	resp.Body = &watchedBody{body: resp.Body, watch: w, fault: func(err error) error { return v.client.readError(inner, err) }}
	return &answer{resp: resp, watch: w}, nil
}

// sendError tells a fault of our own body from one of the upstream.
func (v *View) sendError(ctx context.Context, source *sizedBody, err error) error {
	if source != nil {
		if own := source.fault(); own != nil {
			return own
		}
	}
	return v.client.unavailable(ctx, err)
}

// readError explains an error while an answer's body is read.
func (c *Client) readError(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if context.Cause(ctx) == nil && errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("davbackend: %w: %w", dav.ErrIncomplete, err)
	}
	return c.unavailable(ctx, err)
}

func (v *View) request(ctx context.Context, c call, w *watch) (*http.Request, *sizedBody, error) {
	u := v.address(c)
	req := &http.Request{Method: c.method, URL: u, Host: u.Host, Header: c.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	req.Header.Set("User-Agent", "davwopi")
	req.Header.Set("Accept-Encoding", "identity") // compressed answers have other ETags and no ranges
	if c.method == "PROPFIND" {
		// Tells net/http that a request on a connection that just died may be repeated; never sent.
		req.Header["X-Idempotency-Key"] = []string{}
	}
	req = req.WithContext(ctx)
	if c.body == nil {
		return req, nil, nil
	}
	contentType := c.body.Type
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	req.Header.Set("Content-Type", contentType)
	req.ContentLength = c.body.Size
	if c.body.Size == 0 {
		req.Body = http.NoBody
		return req, nil, nil
	}
	if c.inMemory != nil {
		// net/http sends it with the header; what it does not know to be in memory comes in a
		// packet of its own, for which the upstream has to wake up once more.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.inMemory)), nil }
		req.Body, _ = req.GetBody()
		return req, nil, nil
	}
	source := &sizedBody{size: c.body.Size, watch: w}
	open := func() (io.ReadCloser, error) {
		r, err := c.body.Open()
		if err != nil {
			return nil, fmt.Errorf("davbackend: open body: %w", err)
		}
		return source.begin(r), nil
	}
	body, err := open()
	if err != nil {
		return nil, nil, err
	}
	req.Body, req.GetBody = body, open
	return req, source, nil
}
