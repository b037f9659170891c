package davbackend

import (
	"context"
	"fmt"
	"io"
	"net/http/httptrace"
	"sync"
	"time"

	"davwopi/davbackend/dav"
)

// A watch cancels a request when the upstream moves no byte for too long. It runs
// only while we wait for the upstream, not while a slow reader of ours has the turn.
type watch struct {
	idle   time.Duration
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer // guarded by mu; nil when ended
	cause error       // guarded by mu; of the end of the timer
	sent  bool        // guarded by mu: the answer's header is here, the body's sender has no say any more
}

func newWatch(ctx context.Context, idle time.Duration) (context.Context, *watch) {
	inner, cancel := context.WithCancelCause(ctx)
	w := &watch{idle: idle, cancel: cancel, cause: errIdle}
	w.timer = time.AfterFunc(idle, w.over)
	w.timer.Stop()
	return inner, w
}

func (w *watch) over() {
	w.mu.Lock()
	cause := w.cause
	w.mu.Unlock()
	w.cancel(cause)
}

func (w *watch) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(w.idle)
	}
}

func (w *watch) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// queueFor is for how many limits a request waits for one of a few connections.
const queueFor = 10

// traced is ctx for the transport: as long as a request only waits for one of the
// connections that it may have, nothing is expected of the upstream. It is bounded all the
// same: who has them may be waiting for more.
func (w *watch) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { w.queueing(queueFor*w.idle, errNoConnection) },
		DNSStart:     func(httptrace.DNSStartInfo) { w.queueing(w.idle, errIdle) },
		ConnectStart: func(string, string) { w.queueing(w.idle, errIdle) },
		GotConn:      func(httptrace.GotConnInfo) { w.queueing(w.idle, errIdle) },
	})
}

func (w *watch) queueing(limit time.Duration, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil && !w.sent {
		w.cause = cause
		w.timer.Reset(limit)
	}
}

// sending is run and pause until there is an answer: for the side that sends a body.
func (w *watch) sending(waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.timer == nil || w.sent:
	case waiting:
		w.timer.Reset(w.idle)
	default:
		w.timer.Stop()
	}
}

func (w *watch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// end frees the request; it may be called more than once.
func (w *watch) end() {
	w.mu.Lock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	w.mu.Unlock()
	w.cancel(nil)
}

// watchedBody is an answer's body.
type watchedBody struct {
	body  io.ReadCloser
	watch *watch
	fault func(error) error
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.run()
	n, err := b.body.Read(p)
	b.watch.pause()
	if err != nil {
		err = b.fault(err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.body.Close()
	b.watch.end()
	return err
}

// sizedBody is a request's body. It gives out exactly size bytes or an error before
// the last one, so that the upstream never sees a whole request with the wrong bytes.
type sizedBody struct {
	size  int64
	watch *watch

	mu  sync.Mutex
	err error // guarded by mu: what was wrong on our side
}

func (s *sizedBody) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *sizedBody) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	return err
}

func (s *sizedBody) begin(r io.ReadCloser) io.ReadCloser {
	return &sizedReader{from: r, left: s.size, body: s}
}

// sizedReader is one reading of a sizedBody.
type sizedReader struct {
	from io.ReadCloser
	left int64
	body *sizedBody
}

func (r *sizedReader) Read(p []byte) (int, error) {
	r.body.watch.sending(false)
	defer r.body.watch.sending(true)
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.from.Read(p)
	if int64(n) > r.left {
		return 0, r.body.fail(fmt.Errorf("davbackend: %w: body is longer than its announced size", dav.ErrIncomplete))
	}
	r.left -= int64(n)
	if r.left == 0 {
		return r.last(n)
	}
	switch {
	case err == io.EOF:
		return 0, r.body.fail(fmt.Errorf("davbackend: %w: body ends %d bytes before its announced size", dav.ErrIncomplete, r.left))
	case err != nil:
		return 0, r.body.fail(fmt.Errorf("davbackend: read body: %w", err))
	}
	return n, nil
}

// last hands out the final n bytes once it is sure that none follow.
func (r *sizedReader) last(n int) (int, error) {
	var more [1]byte
	for {
		k, err := r.from.Read(more[:])
		switch {
		case k > 0:
			return 0, r.body.fail(fmt.Errorf("davbackend: %w: body is longer than its announced size", dav.ErrIncomplete))
		case err == io.EOF:
			return n, io.EOF
		case err != nil:
			return 0, r.body.fail(fmt.Errorf("davbackend: read body: %w", err))
		}
	}
}

func (r *sizedReader) Close() error { return r.from.Close() }
