package davbackend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"davwopi/davbackend/dav"
)

// A LockedError says that somebody else's lock is in the way. It unwraps to
// [dav.ErrLocked].
type LockedError struct {
	Holder string // the lock's owner text, "" unknown
}

// Error names the holder, if known.
func (e *LockedError) Error() string {
	if e.Holder == "" {
		return "davbackend: locked"
	}
	return fmt.Sprintf("davbackend: locked by %q", e.Holder)
}

// Unwrap returns dav.ErrLocked.
func (e *LockedError) Unwrap() error { return dav.ErrLocked }

// A StatusError is in the chain of every error that began as a status. It holds
// neither path nor credential, so that it can be logged.
type StatusError struct {
	Method string
	Status int
}

// Error names method and status.
func (e *StatusError) Error() string {
	text := http.StatusText(e.Status)
	if text == "" {
		text = "unknown status"
	}
	return fmt.Sprintf("%s answered %d %s", e.Method, e.Status, text)
}

// An UnavailableError says in words for people why the upstream could not be asked.
// It unwraps to [dav.ErrUnavailable] and to its cause.
type UnavailableError struct {
	Origin     string        // scheme and host of the upstream
	Reason     string        // "connection refused"
	RetryAfter time.Duration // what the upstream asks to wait, at most 30 s; 0: it does not
	Err        error         // cause, may be nil
}

// Error names the server and the reason.
func (e *UnavailableError) Error() string {
	return "davbackend: " + e.Origin + ": " + e.Reason
}

// Unwrap returns dav.ErrUnavailable and the cause.
func (e *UnavailableError) Unwrap() []error {
	if e.Err == nil {
		return []error{dav.ErrUnavailable}
	}
	return []error{dav.ErrUnavailable, e.Err}
}

// errIdle is the cause with which the progress limit cancels a request.
var errIdle = errors.New("davbackend: no byte moved within the progress limit")

// errNoConnection is that of the limit on waiting for one of a few connections.
var errNoConnection = errors.New("davbackend: no connection was free")

// unavailable explains an error of the transport.
func (c *Client) unavailable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &UnavailableError{Origin: c.Origin(), Reason: c.reason(err), Err: err}
}

func (c *Client) reason(err error) string {
	if r := certificateReason(err); r != "" {
		return r
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, errNoConnection):
		return "no connection was free for " + (queueFor * c.idle()).Round(time.Millisecond).String()
	case errors.Is(err, errIdle):
		return "no byte moved for " + c.idle().Round(time.Millisecond).String()
	case errors.Is(err, context.Canceled):
		return "request was cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &dns):
		return fmt.Sprintf("host name %q cannot be resolved", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "host cannot be reached"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no connection in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection was closed before the answer was complete"
	case strings.Contains(err.Error(), "malformed HTTP"):
		return "answer is not HTTP (https instead of http?)"
	}
	return "request failed"
}

func certificateReason(err error) string {
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &record):
		return "answer is not TLS (http instead of https?)"
	case errors.As(err, &authority):
		return "certificate is not signed by a known authority"
	case errors.As(err, &name):
		return "certificate is for another host name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate has expired or is not yet valid"
	case errors.As(err, &invalid):
		return "certificate is not valid"
	}
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return "certificate is not valid"
	}
	var alert tls.AlertError
	if errors.As(err, &alert) {
		return "TLS handshake failed"
	}
	return ""
}

// notDAV is the error for an answer with a good status and a body that is not what
// WebDAV says: a login page, a proxy's words.
func (c *Client) notDAV(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", dav.ErrIncomplete, err)
	case errors.Is(err, dav.ErrSyntax):
		return &UnavailableError{Origin: c.Origin(), Reason: "answer is not WebDAV: " + err.Error(), Err: err}
	}
	return err
}
