package docsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// defaultIdle is [Server.Idle] if nothing is said.
const defaultIdle = time.Minute

var errStalled = errors.New("docsapi: the document server stopped sending")

// A result is what a document server made, being read. Close must be called.
type result struct {
	io.Reader
	length int64 // -1 unknown
	close  func()
}

func (r *result) Close() error {
	r.close()
	return nil
}

// fetch opens a result of the document server. [ErrForeign] for an address that is not
// its own: nothing is asked then. [ErrDown] otherwise.
func (s *Server) fetch(ctx context.Context, address string) (*result, error) {
	u, err := s.owns(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("docsapi: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	res, err := s.client().Do(req)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("%w: fetching a result: %w", ErrDown, err)
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		cancel(nil)
		return nil, fmt.Errorf("%w: fetching a result: status %d", ErrDown, res.StatusCode)
	}
	idle := s.Idle
	if idle <= 0 {
		idle = defaultIdle
	}
	watch := time.AfterFunc(idle, func() { cancel(errStalled) })
	body := &moving{from: res.Body, watch: watch, idle: idle, ctx: ctx}
	return &result{Reader: body, length: res.ContentLength, close: func() {
		watch.Stop()
		res.Body.Close()
		cancel(nil)
	}}, nil
}

// moving puts the end of a reading off as bytes come.
type moving struct {
	from  io.Reader
	watch *time.Timer
	idle  time.Duration
	ctx   context.Context
}

// Read reads from the document server. Its errors wrap [ErrDown].
func (m *moving) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	if n > 0 {
		m.watch.Reset(m.idle)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: a result broke off: %w", ErrDown, errors.Join(err, context.Cause(m.ctx)))
	}
	return n, err
}
