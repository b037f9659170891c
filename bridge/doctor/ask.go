package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

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
func why(err error) string {
	var up *davbackend.UnavailableError
	var dns *net.DNSError
	var timeout net.Error
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &up):
		return up.Reason
	case isCertificate(err) != "":
		return isCertificate(err)
	case errors.As(err, &record):
		return "no https is spoken there (http instead?)"
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %q cannot be resolved", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there (connection refused)"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "that machine cannot be reached"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer within %s", stepLimit)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was closed before the answer was complete"
	case strings.Contains(err.Error(), "malformed HTTP"), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "what is spoken there is not what the address says (http and https mixed up?)"
	}
	return "the request failed"
}

// isCertificate says what is wrong with a certificate; "" it is not that.
func isCertificate(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &authority):
		return "its certificate is not signed by an authority that this machine knows"
	case errors.As(err, &name):
		return "its certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet"
	case errors.As(err, &invalid), errors.As(err, &other):
		return "its certificate is not valid"
	}
	return ""
}
