package localdav

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Errors of the in-process transport, beside the context's own.
var (
	errPanic   = errors.New("localdav: the handler panicked")
	errAborted = errors.New("localdav: the answer was broken off")
	errLength  = errors.New("localdav: body and Content-Length differ")
)

// RoundTripper serves requests in process: no socket, bodies stream both ways, the
// request's context ends both. Every host is this server. A handler that panics is an error of
// RoundTrip or, when the answer has begun, of reading its body. It may be used concurrently.
// URLs carry [Server.Prefix], which must be set before, as they do over a socket.
func (s *Server) RoundTripper() http.RoundTripper {
	return inProcess{http.StripPrefix(s.Prefix, s)}
}

type inProcess struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper]. The answer's body must be closed.
func (t inProcess) RoundTrip(out *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(out.Context())
	in, body, err := serverRequest(ctx, out)
	if err != nil {
		cancel()
		if out.Body != nil {
			out.Body.Close()
		}
		return nil, err
	}
	w := newAnswer(out, cancel)
	// A handler that waits for the body or for the reader must not outlive its request.
	stop := context.AfterFunc(ctx, func() {
		w.fail(ctx.Err())
		body.Close()
	})
	go func() {
		defer cancel()
		defer stop()
		defer body.Close()
		w.finish(t.run(w, in))
	}()
	select {
	case <-w.ready:
	case <-out.Context().Done():
	}
	// Whoever has given up gets no answer, not even one that says so.
	if err := out.Context().Err(); err != nil {
		cancel()
		return nil, err
	}
	if w.early != nil {
		return nil, w.early
	}
	return w.response, nil
}

// run turns a panic into an error: it must not take down the process that it is in.
func (t inProcess) run(w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler:
			err = errAborted
		default:
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	t.handler.ServeHTTP(w, r)
	return nil
}

// serverRequest is out as a server would have read it.
func serverRequest(ctx context.Context, out *http.Request) (*http.Request, *requestBody, error) {
	target := out.URL.RequestURI()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, nil, fmt.Errorf("localdav: request URL: %w", err)
	}
	in := out.Clone(ctx)
	in.URL, in.RequestURI = u, target
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RemoteAddr, in.Response, in.TLS, in.Close = "in-process", nil, nil, false
	if in.Header == nil {
		in.Header = http.Header{}
	}
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	if in.Host == "" {
		in.Host = out.URL.Host
	}
	if u := out.URL.User; u != nil && in.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		in.SetBasicAuth(u.Username(), password)
	}
	body := &requestBody{ctx: ctx, from: out.Body, left: out.ContentLength}
	switch {
	case out.Body == nil || out.Body == http.NoBody:
		in.ContentLength, body.left, body.from = 0, 0, http.NoBody
	case out.ContentLength <= 0:
		in.ContentLength, body.left = -1, -1
		in.TransferEncoding = []string{"chunked"}
	}
	in.Body = body
	return in, body, nil
}

// A requestBody holds the body to its announced length, as a server does.
type requestBody struct {
	ctx   context.Context
	from  io.ReadCloser
	left  int64 // -1 unknown
	close sync.Once
	err   error // of closing
}

func (b *requestBody) Read(p []byte) (int, error) {
	// Not every body notices that it was closed.
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	if b.left < 0 {
		return n, err
	}
	b.left -= int64(n)
	switch {
	case b.left < 0:
		b.left = 0
		return 0, errLength
	case errors.Is(err, io.EOF) && b.left > 0:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *requestBody) Close() error {
	b.close.Do(func() { b.err = b.from.Close() })
	return b.err
}

// maxWhole is how much of an answer is kept before the first byte goes out, so that short
// ones have a length.
const maxWhole = 4 << 10

// An answer is the http.ResponseWriter of an in-process request. ServeHTTP uses it from one
// goroutine; fail may be called from another.
type answer struct {
	request *http.Request
	header  http.Header
	ready   chan struct{} // closed when response or early is set
	cancel  func()

	reader *io.PipeReader
	writer *io.PipeWriter

	status   int
	sent     http.Header // as WriteHeader found it
	kept     []byte      // not yet sent
	flushed  bool
	left     int64 // of the announced length, -1 unknown
	response *http.Response
	early    error
}

func newAnswer(r *http.Request, cancel func()) *answer {
	a := &answer{request: r, header: http.Header{}, ready: make(chan struct{}), cancel: cancel, left: -1}
	a.reader, a.writer = io.Pipe()
	return a
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < 200 { // informational ones have no reader here
		return
	}
	a.status, a.sent = status, a.header.Clone()
	if n, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		a.left = n
	}
}

// bodiless reports whether the answer has none, whatever is written (RFC 9110 6.4.1).
func (a *answer) bodiless() bool {
	return a.request.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.bodiless() {
		return len(p), nil
	}
	if a.left >= 0 {
		if int64(len(p)) > a.left {
			return 0, http.ErrContentLength
		}
		a.left -= int64(len(p))
	}
	if !a.flushed && len(a.kept)+len(p) <= maxWhole {
		a.kept = append(a.kept, p...)
		return len(p), nil
	}
	if err := a.FlushError(); err != nil {
		return 0, err
	}
	return a.writer.Write(p)
}

// Flush implements [http.Flusher].
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError sends what is kept, for [http.ResponseController].
func (a *answer) FlushError() error {
	a.WriteHeader(http.StatusOK)
	if !a.flushed {
		a.flushed = true
		a.begin(a.length(), &answerBody{a.reader, a.cancel})
	}
	kept := a.kept
	a.kept = nil
	if len(kept) == 0 {
		return nil
	}
	_, err := a.writer.Write(kept)
	return err
}

func (a *answer) length() int64 {
	n, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// begin hands the answer to RoundTrip.
func (a *answer) begin(length int64, body io.ReadCloser) {
	if a.sent.Get("Date") == "" {
		a.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	a.response = &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.sent,
		ContentLength: length,
		Body:          body,
		Request:       a.request,
	}
	if a.bodiless() {
		a.response.Body = http.NoBody
	}
	close(a.ready)
}

// finish ends the answer after the handler has returned.
func (a *answer) finish(err error) {
	if err != nil && !a.flushed {
		a.flushed, a.early = true, err
		close(a.ready)
		return
	}
	if !a.flushed {
		a.WriteHeader(http.StatusOK)
		a.flushed = true
		length := a.length()
		if length < 0 && !a.bodiless() {
			length = int64(len(a.kept))
			a.sent.Set("Content-Length", strconv.FormatInt(length, 10))
		}
		// A whole answer needs nobody to write it any more.
		a.begin(length, io.NopCloser(io.MultiReader(bytes.NewReader(a.kept), ending{a.missing()})))
		return
	}
	if err == nil {
		err = a.missing()
	}
	a.writer.CloseWithError(err)
}

// missing is an error if less was written than announced.
func (a *answer) missing() error {
	if a.left > 0 && !a.bodiless() {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// An ending is the end of a body.
type ending struct{ err error }

func (e ending) Read([]byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	return 0, io.EOF
}

// fail ends the body for reader and writer.
func (a *answer) fail(err error) { a.writer.CloseWithError(err) }

// An answerBody ends the handler when it is closed early.
type answerBody struct {
	*io.PipeReader
	cancel func()
}

func (b *answerBody) Close() error {
	err := b.PipeReader.Close()
	b.cancel()
	return err
}
