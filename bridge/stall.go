package bridge

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// defaultStall is the progress limit where none is set.
const defaultStall = time.Minute

// leastProgress is how many bytes of a body must come within the limit: a client
// that sends one byte a minute holds us up like one that sends none.
const leastProgress = 512

// progress ends requests on which nothing moves: a body that does not come, an
// answer that is not taken. Each would hold a connection, a spool file or a request
// to the upstream for ever. There is no limit on the whole: a large file over a
// slow line is none the worse for it.
func (b *Bridge) progress(next http.Handler) http.Handler {
	limit := b.Stall
	if limit <= 0 {
		limit = defaultStall
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			body := &movingBody{from: r.Body, control: control, limit: limit}
			body.extend() // also for what net/http drains when nobody has read it
			r.Body = body
		}
		next.ServeHTTP(&movingWriter{ResponseWriter: w, control: control, limit: limit}, r)
	})
}

// movingBody puts the read deadline off as bytes come.
type movingBody struct {
	from    io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	came    int // bytes since the deadline was set
}

// A server that cannot set deadlines is one of a test: nothing is limited then.
func (b *movingBody) extend() {
	b.came = 0
	_ = b.control.SetReadDeadline(time.Now().Add(b.limit))
}

// Read reads from the client.
func (b *movingBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.came += n
	switch {
	case errors.Is(err, io.EOF):
		// From here on net/http reads only to learn that the client went away; a
		// deadline would look just like that.
		_ = b.control.SetReadDeadline(time.Time{})
	case err == nil && b.came >= leastProgress:
		b.extend()
	}
	return n, err
}

// Close closes the body.
func (b *movingBody) Close() error { return b.from.Close() }

// movingWriter puts the write deadline off with each piece of an answer.
type movingWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	set     time.Time // when the deadline was last put off
}

// Write writes to the client.
func (w *movingWriter) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(w.set) > w.limit/8 {
		w.set = now
		_ = w.control.SetWriteDeadline(now.Add(w.limit))
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *movingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
