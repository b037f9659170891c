package rehearse

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// A breaking is a connection that breaks once, at the first request that carries a
// save.
type breaking struct {
	afterwards bool // the request arrives, its answer does not; else the upload breaks off

	inner http.RoundTripper
	done  atomic.Bool
}

// over is for [davbackend.View.Through].
func (b *breaking) over(inner http.RoundTripper) http.RoundTripper {
	b.inner = inner
	return b
}

func (b *breaking) happened() bool { return b.done.Load() }

var errBroken = errors.New("rehearse: the connection breaks, as it was meant to")

// RoundTrip breaks the first PUT that has a body.
func (b *breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || r.ContentLength <= 0 || !b.done.CompareAndSwap(false, true) {
		return b.inner.RoundTrip(r)
	}
	if b.afterwards {
		answer, err := b.inner.RoundTrip(r)
		if err == nil {
			_ = answer.Body.Close() // nobody is to see it
		}
		return nil, errBroken
	}
	half := r.Clone(r.Context())
	half.Body = &halfBody{body: r.Body, left: r.ContentLength / 2}
	half.GetBody = nil
	answer, err := b.inner.RoundTrip(half)
	if err == nil {
		_ = answer.Body.Close() // the server was content with half of it
	}
	return nil, errBroken
}

// A halfBody breaks off in the middle.
type halfBody struct {
	body io.ReadCloser
	left int64
}

func (h *halfBody) Read(p []byte) (int, error) {
	if h.left <= 0 {
		return 0, errBroken
	}
	n, err := h.body.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

func (h *halfBody) Close() error { return h.body.Close() }
