package words

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// Failure says why somebody could not be asked, as a part of a sentence: "{name} does not
// answer: {why}." It is nil for an error of which people know no name. Nothing of what the
// other side has said is in it, but the name that was looked up.
func Failure(err error) Text {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	switch certificate := Certificate(err); {
	case certificate != nil:
		return certificate
	case errors.As(err, &record):
		return Say("why.no_https")
	case errors.As(err, &dns):
		return Say("why.name", "name", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Say("why.refused")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Say("why.unreachable")
	case TimedOut(err):
		return Say("why.slow")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Say("why.closed")
	case err != nil && (strings.Contains(err.Error(), "malformed HTTP") || strings.Contains(err.Error(), "HTTP response to HTTPS client")):
		return Say("why.not_http")
	}
	return nil
}

// TimedOut tells that nobody answered within some limit.
func TimedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// Untrusted tells that a certificate comes from an authority that is not known here.
func Untrusted(err error) bool {
	var authority x509.UnknownAuthorityError
	return errors.As(err, &authority)
}

// Certificate is [Failure] for errors that have to do with a certificate; nil for others.
func Certificate(err error) Text {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case Untrusted(err):
		return Say("why.authority")
	case errors.As(err, &name):
		return Say("why.other_name")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Say("why.expired")
	case errors.As(err, &invalid), errors.As(err, &other):
		return Say("why.invalid")
	}
	return nil
}
