package davbackend_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A wire is a server whose answers a test writes, and what it was sent.
type wire struct {
	*davbackend.Client
	mu   sync.Mutex
	seen []seen // guarded by mu
}

// seen is one request as it came over the wire.
type seen struct {
	Method, URI string
	Header      http.Header
	Body        string
	Length      int64
	Chunked     bool
}

// serve starts a server below /base/ and a client for it.
func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, s seen)) *wire {
	t.Helper()
	w := &wire{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a body that breaks off is what came
		s := seen{r.Method, r.RequestURI, r.Header.Clone(), string(body), r.ContentLength, len(r.TransferEncoding) > 0}
		w.mu.Lock()
		w.seen = append(w.seen, s)
		w.mu.Unlock()
		answer(rw, r, s)
	}))
	t.Cleanup(server.Close)
	w.Client = &davbackend.Client{Base: parse(t, server.URL+"/base/"), Assumed: davbackend.Embedded}
	t.Cleanup(w.CloseIdle)
	return w
}

func parse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// view is the wire without a credential.
func (w *wire) view() *davbackend.View { return w.As(davbackend.Credential{}) }

// requests returns "METHOD URI" of everything that came.
func (w *wire) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, s := range w.seen {
		out = append(out, s.Method+" "+s.URI)
	}
	return out
}

// last returns the last request with that method.
func (w *wire) last(t *testing.T, method string) seen {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.seen) - 1; i >= 0; i-- {
		if w.seen[i].Method == method {
			return w.seen[i]
		}
	}
	t.Fatalf("no %s came", method)
	return seen{}
}

// status answers everything with one status and no body.
func status(code int) func(http.ResponseWriter, *http.Request, seen) {
	return func(w http.ResponseWriter, _ *http.Request, _ seen) { w.WriteHeader(code) }
}

// multi answers with a multistatus of these responses.
func multi(w http.ResponseWriter, responses ...string) {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(http.StatusMultiStatus)
	fmt.Fprintf(w, `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">%s</d:multistatus>`, strings.Join(responses, ""))
}

// file is a response about one resource with properties that were found.
func file(href, props string) string {
	return "<d:response><d:href>" + href + "</d:href><d:propstat><d:prop>" + props +
		"</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
}

const isCollection = "<d:resourcetype><d:collection/></d:resourcetype>"

// body is a Body of these bytes.
func body(s string) davbackend.Body {
	return davbackend.Body{Size: int64(len(s)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(s)), nil
	}}
}

func path(t testing.TB, s string) dav.Path {
	t.Helper()
	p, err := dav.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t testing.TB, c *davbackend.Content) (string, error) {
	t.Helper()
	defer c.Close()
	var b bytes.Buffer
	_, err := b.ReadFrom(c)
	return b.String(), err
}

// roundTripper is a transport that a test writes.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// every calls each method of a View once.
func every(ctx context.Context, v *davbackend.View, p dav.Path) map[string]func() error {
	return map[string]func() error{
		"PROPFIND":  func() error { _, err := v.Stat(ctx, p); return err },
		"LIST":      func() error { return v.List(ctx, p, func(dav.Resource) error { return nil }) },
		"GET":       func() error { c, err := v.Get(ctx, p, 0, -1); closeContent(c); return err },
		"PUT":       func() error { return v.Put(ctx, p, body("x"), davbackend.Condition{}) },
		"DELETE":    func() error { return v.Delete(ctx, p, davbackend.Condition{}) },
		"MKCOL":     func() error { return v.Mkcol(ctx, p) },
		"MOVE":      func() error { return v.Move(ctx, p, p+"2", true, davbackend.Condition{}, davbackend.Condition{}) },
		"COPY":      func() error { return v.Copy(ctx, p, p+"2", true, davbackend.Condition{}) },
		"PROPPATCH": func() error { _, err := v.SetProps(ctx, p, stamp, davbackend.Condition{}); return err },
		"LOCK":      func() error { _, _, err := v.Lock(ctx, p, davbackend.LockRequest{Owner: "o"}); return err },
		"REFRESH":   func() error { _, err := v.RefreshLock(ctx, p, "t:1", 1); return err },
		"UNLOCK":    func() error { return v.Unlock(ctx, p, "t:1") },
	}
}

var stamp = map[dav.PropName]string{{Space: "urn:x", Local: "stamp"}: "1"}

func closeContent(c *davbackend.Content) {
	if c != nil {
		c.Close()
	}
}

// raw is serve for handlers that read the body themselves.
func raw(t *testing.T, h http.HandlerFunc) *wire {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	w := &wire{Client: &davbackend.Client{Base: parse(t, server.URL+"/base/"), Assumed: davbackend.Embedded}}
	t.Cleanup(w.CloseIdle)
	return w
}
