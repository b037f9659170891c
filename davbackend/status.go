package davbackend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"davwopi/davbackend/dav"
)

// maxErrorBody is how much of a refusal's body is looked at.
const maxErrorBody = 64 << 10

// smallLimits bound the answers to everything but PROPFIND.
var smallLimits = dav.Limits{Bytes: 4 << 20, Responses: 10_000}

// kindOf is the table from statuses to what they mean. hadETag: the request named
// contents that had to be there.
func kindOf(method string, status int, hadETag bool) error {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return dav.ErrNotFound
	case http.StatusConflict:
		return conflictKind(method, hadETag)
	case http.StatusPreconditionFailed:
		return dav.ErrChanged
	case http.StatusLocked, http.StatusFailedDependency:
		return dav.ErrLocked // 424: Apache, for a locked member
	case http.StatusUnauthorized:
		return dav.ErrUnauthorized
	case http.StatusForbidden:
		return dav.ErrDenied
	case http.StatusInsufficientStorage:
		return dav.ErrFull
	case http.StatusRequestEntityTooLarge:
		return dav.ErrTooLarge
	case http.StatusRequestURITooLong:
		return dav.ErrBadName
	case http.StatusBadRequest:
		if method == "UNLOCK" || method == "LOCK" {
			return dav.ErrChanged // Apache, for a token that it does not know
		}
		return dav.ErrBadName
	case http.StatusMethodNotAllowed:
		if method == "MKCOL" {
			return dav.ErrExists
		}
		return dav.ErrUnsupported
	case http.StatusNotImplemented:
		return dav.ErrUnsupported
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusProxyAuthRequired:
		return dav.ErrUnavailable
	}
	if status >= 400 && status < 500 {
		return dav.ErrUnsupported
	}
	return dav.ErrUnavailable
}

// conflictKind: RFC 4918 has 409 for a missing parent; OpenCloud for a wrong
// If-Match; UNLOCK's means that the lock is not there.
func conflictKind(method string, hadETag bool) error {
	switch method {
	case "PUT", "MKCOL", "MOVE", "COPY", "LOCK":
		if !hadETag {
			return dav.ErrNotFound
		}
	}
	return dav.ErrChanged
}

// refused turns an answer that is not a success into an error and closes it.
func (v *View) refused(c call, a *answer) error {
	defer a.close()
	status := &StatusError{Method: c.method, Status: a.status()}
	if a.status() >= 300 && a.status() < 400 {
		return &UnavailableError{Origin: v.client.Origin(), Reason: "answers with a redirect" + target(a), Err: status}
	}
	kind := kindOf(c.method, a.status(), c.hadETag)
	if slices.Contains(conditions(a.resp.Body), dav.PropName{Space: "DAV:", Local: "quota-not-exceeded"}) {
		kind = dav.ErrFull // RFC 4331 4: some answer 403 or 409
	}
	if kind == dav.ErrUnavailable {
		return &UnavailableError{Origin: v.client.Origin(), Reason: status.Error(), RetryAfter: retryAfter(a.resp.Header), Err: status}
	}
	return fmt.Errorf("davbackend: %w: %w", kind, status)
}

// maxRetryAfter is the longest wait that an upstream is believed: nobody sits in front of
// an editor for longer, and what waits in the journal comes back by itself.
const maxRetryAfter = 30 * time.Second

// retryAfter reads Retry-After (RFC 9110 10.2.3): seconds, or a date, which is compared
// with the answer's own.
func retryAfter(h http.Header) time.Duration {
	said := strings.TrimSpace(h.Get("Retry-After"))
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(said, 10, 64); err == nil {
		wait = time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(said); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// target names where a redirect leads: origin only, a path may be a secret's place.
func target(a *answer) string {
	u, err := url.Parse(a.resp.Header.Get("Location"))
	if err != nil || u.Host == "" {
		return ""
	}
	return " to " + u.Scheme + "://" + u.Host
}

// conditions reads the names inside a DAV:error. Most bodies are HTML or empty: then
// there are none.
func conditions(body io.Reader) []dav.PropName {
	b, err := io.ReadAll(io.LimitReader(body, maxErrorBody))
	if err != nil || !bytes.Contains(b, []byte("DAV:")) {
		return nil
	}
	e, err := dav.DecodeElement(bytes.NewReader(b), smallLimits)
	if err != nil || e.Name != (dav.PropName{Space: "DAV:", Local: "error"}) {
		return nil
	}
	var names []dav.PropName
	for _, child := range e.Children {
		names = append(names, child.Name)
	}
	return names
}

// done reads the answer to a method that is done or not: any 2xx is success but 207,
// in which the first failure counts (Apache answers so to a PUT that is refused).
func (v *View) done(c call, a *answer) error {
	if a.status() == http.StatusMultiStatus {
		return v.multi(c, a)
	}
	if a.status() < 200 || a.status() > 299 {
		return v.refused(c, a)
	}
	a.close()
	return nil
}

func (v *View) multi(c call, a *answer) error {
	defer a.close()
	worst := 0
	err := dav.DecodeMultistatus(a.resp.Body, smallLimits, func(r dav.Response) error {
		for _, status := range append([]int{r.Status}, statuses(r.Propstats)...) {
			// 424 only says that something else failed.
			if status >= 300 && (worst == 0 || worst == http.StatusFailedDependency) {
				worst = status
			}
		}
		return nil
	})
	if err != nil {
		return v.client.notDAV(err)
	}
	if worst == 0 {
		return nil
	}
	status := &StatusError{Method: c.method, Status: worst}
	kind := kindOf(c.method, worst, c.hadETag)
	if kind == dav.ErrUnavailable {
		return &UnavailableError{Origin: v.client.Origin(), Reason: status.Error(), Err: status}
	}
	return fmt.Errorf("davbackend: %w: %w", kind, status)
}

func statuses(all []dav.Propstat) []int {
	out := make([]int, 0, len(all))
	for _, ps := range all {
		out = append(out, ps.Status)
	}
	return out
}

// statusOf returns the status in err's chain, 0 if there is none.
func statusOf(err error) int {
	var s *StatusError
	if errors.As(err, &s) {
		return s.Status
	}
	return 0
}

// named adds the holder to a refusal for a lock, by one PROPFIND; own is the token
// that the caller showed.
func (v *View) named(ctx context.Context, err error, own dav.LockToken, paths ...dav.Path) error {
	if !errors.Is(err, dav.ErrLocked) {
		return err
	}
	locked := &LockedError{}
	for _, p := range paths {
		res, statErr := v.Stat(ctx, p)
		if statErr != nil && !errors.Is(statErr, dav.ErrNotFound) { // the name may be locked all the same
			continue
		}
		for _, l := range res.Locks {
			if (own == "" || l.Token != own) && locked.Holder == "" {
				locked.Holder = l.Owner
			}
		}
	}
	return fmt.Errorf("%w: %w", locked, &StatusError{Method: methodOf(err), Status: statusOf(err)})
}

func methodOf(err error) string {
	var s *StatusError
	if errors.As(err, &s) {
		return s.Method
	}
	return ""
}
