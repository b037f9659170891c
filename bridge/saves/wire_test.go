package saves

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"

	"davwopi/davbackend"
)

// A wire lets a test change what the upstream answers to PROPFIND.
type wire struct {
	*http.Transport
	mu     sync.Mutex
	change func(body []byte) []byte  // guarded by mu; nil: nothing
	before func(method string) error // guarded by mu; asked before a request is sent; nil: nobody
	writes int                       // guarded by mu; PUTs and MOVEs
}

func newWire() *wire { return &wire{Transport: davbackend.NewTransport()} }

func (w *wire) set(change func([]byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.change = change
}

func (w *wire) written() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	before := w.before
	w.mu.Unlock()
	if before != nil {
		if err := before(r.Method); err != nil {
			return nil, err
		}
	}
	resp, err := w.Transport.RoundTrip(r)
	w.mu.Lock()
	change := w.change
	if r.Method == http.MethodPut || r.Method == "MOVE" {
		w.writes++
	}
	w.mu.Unlock()
	if err != nil || change == nil || r.Method != "PROPFIND" {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	body = change(body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp, nil
}

var quota = regexp.MustCompile(`(<[A-Za-z]*:?quota-available-bytes[^/>]*>)[0-9]+<`)

// quotaOf makes the upstream say how much room there is; -1: nothing sensible.
func quotaOf(g *rig, bytes int64) {
	g.wire.set(func(b []byte) []byte { return quota.ReplaceAll(b, fmt.Appendf(nil, "${1}%d<", bytes)) })
}
