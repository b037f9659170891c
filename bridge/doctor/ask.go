package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"davwopi/bridge/words"
	"davwopi/davbackend"
)

// An answer is what a server said, bounded.
type answer struct {
	status   int
	header   http.Header
	body     []byte   // at most what was asked for
	location *url.URL // of a redirect, absolute; nil: none
	date     time.Time
	asked    time.Time // in the middle of the request, by our clock
}

// ask sends one request within [stepLimit] and reads at most limit bytes. Redirects are
// not followed. The request has no credential and no cookie.
func (d *Doctor) ask(ctx context.Context, method, address, contentType string, body []byte, limit int64) (answer, error) {
	ctx, cancel := step(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("doctor: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	before := d.now()
	res, err := d.client().Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("doctor: %w", err)
	}
	defer res.Body.Close()
	a := answerOf(res, before, d.now())
	a.body, err = io.ReadAll(io.LimitReader(res.Body, limit))
	if err != nil {
		return a, fmt.Errorf("doctor: %w", err)
	}
	return a, nil
}

func answerOf(res *http.Response, before, after time.Time) answer {
	a := answer{status: res.StatusCode, header: res.Header, asked: before.Add(after.Sub(before) / 2)}
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		if to, err := res.Location(); err == nil && to.Host != "" {
			a.location = to
		}
	}
	a.date, _ = http.ParseTime(res.Header.Get("Date")) // the zero time is "not said"
	return a
}

// client asks others' servers. It keeps no connection to them.
func (d *Doctor) client() *http.Client {
	return &http.Client{Transport: d.transport(), CheckRedirect: neverFollow}
}

func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (d *Doctor) transport() http.RoundTripper {
	if d.HTTP != nil {
		return d.HTTP
	}
	return http.DefaultTransport
}

// A witness notes the first and the last answer that pass through it.
type witness struct {
	next http.RoundTripper
	now  func() time.Time

	mu          sync.Mutex
	began, seen answer // guarded by mu; status 0: nothing came
}

// RoundTrip is next's.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	before := w.now()
	res, err := w.next.RoundTrip(r)
	if err == nil {
		res.Request = r // a redirect is resolved against it
		a := answerOf(res, before, w.now())
		w.mu.Lock()
		if w.seen.status == 0 {
			w.began = a
		}
		w.seen = a
		w.mu.Unlock()
	}
	return res, err
}

// first is the answer to the first request: of an editor, that of its discovery, whatever
// is looked for after it.
func (w *witness) first() answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.began
}

func (w *witness) last() answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// why is the cause of an error in words for people, without any of the peer's.
func why(err error) any {
	var status *davbackend.StatusError
	var up *davbackend.UnavailableError
	known := words.Failure(err)
	switch {
	case errors.As(err, &status):
		return words.Say("why.status", "method", status.Method, "status", status.Status)
	case errors.As(err, &up) && known == nil:
		return words.English(up.Reason)
	case known == nil:
		return words.Say("why.failed")
	case up == nil && words.TimedOut(err):
		return words.Say("why.within", "seconds", int(stepLimit.Seconds()))
	}
	return known
}
