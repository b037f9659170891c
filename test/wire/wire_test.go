package wire

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// A wire carries the bridge's requests to the upstream. It can lose an answer, or
// put another in its place, after the upstream has acted: what a gateway before it
// does. (What happens before the upstream acts is upstream.Fault's.)
type wire struct {
	inner http.RoundTripper
	noIDs bool // DAV:resource-id is taken out, which no real server but ours has

	mu     sync.Mutex
	method string // guarded by mu, as all below
	status int    // 0: nothing is changed
	times  int
}

// after makes the next answers to method have that status, although the upstream
// has acted.
func (w *wire) after(method string, status, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.method, w.status, w.times = method, status, times
}

func (w *wire) take(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.times == 0 || method != w.method {
		return 0
	}
	w.times--
	return w.status
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	status := w.take(r.Method)
	if status == 0 {
		return resp, w.forgetIDs(r, resp)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // the gateway has it; nobody else will
	resp.Body.Close()
	resp.StatusCode, resp.Status = status, http.StatusText(status)
	resp.Header = http.Header{"Content-Type": {"text/plain"}}
	if status == http.StatusUnauthorized {
		resp.Header.Set("WWW-Authenticate", `Basic realm="dav"`)
	}
	text := http.StatusText(status)
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, nil
}

var (
	resourceID = regexp.MustCompile(`(?s)<([A-Za-z]*:)?resource-id[ >].*?</([A-Za-z]*:)?resource-id>`)
	emptyID    = regexp.MustCompile(`<([A-Za-z]*:)?resource-id[^>]*/>`)
)

func (w *wire) forgetIDs(r *http.Request, resp *http.Response) error {
	if !w.noIDs || r.Method != "PROPFIND" {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return err
	}
	body = emptyID.ReplaceAll(resourceID.ReplaceAll(body, nil), nil)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return nil
}
