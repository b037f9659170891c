package davbackend_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestRetryAfter: RFC 9110 10.2.3, seconds or a date, and never longer than half a
// minute.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		status int
		said   string
		want   time.Duration
	}{
		{429, "7", 7 * time.Second},
		{503, " 2 ", 2 * time.Second},
		{503, "120", 30 * time.Second},
		{503, "99999999999999999", 30 * time.Second},
		{503, "Sat, 28 Nov 2026 12:00:10 GMT", 10 * time.Second},
		{503, "Sat, 28 Nov 2036 12:00:10 GMT", 30 * time.Second},
		{503, "Sat, 28 Nov 2026 11:00:00 GMT", 0},
		{503, "-5", 0},
		{503, "soon", 0},
		{503, "", 0},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			w.Header().Set("Date", "Sat, 28 Nov 2026 12:00:00 GMT")
			if c.said != "" {
				w.Header().Set("Retry-After", c.said)
			}
			w.WriteHeader(c.status)
		})
		_, err := w.view().Stat(t.Context(), "/a")
		var u *davbackend.UnavailableError
		if !errors.As(err, &u) || !errors.Is(err, dav.ErrUnavailable) || u.RetryAfter != c.want {
			t.Errorf("%d %q: %v waits %v, want %v", c.status, c.said, err, u.RetryAfter, c.want)
		}
	}
}

// TestBriefWait: whoever opens a document waits out a short 429, and is told of a long
// one at once.
func TestBriefWait(t *testing.T) {
	for _, c := range []struct {
		retryAfter string
		times      int
		ok         bool
		trips      int
	}{
		{"0", 1, true, 2},
		{"", 2, true, 3},
		{"1", 1, true, 2},
		{"", 3, false, 3},
		{"7", 1, false, 1},
	} {
		s := upstream.Strict(t)
		v := s.View(t)
		if _, err := v.Stat(t.Context(), dav.Root); err != nil {
			t.Fatal(err)
		}
		s.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Times: c.times, Status: 429, RetryAfter: c.retryAfter})
		ctx, trips := davbackend.CountTrips(t.Context())
		_, err := v.Stat(ctx, dav.Root)
		if (err == nil) != c.ok || trips() != c.trips {
			t.Errorf("Retry-After %q, %d times: %v after %d trips, want success %v after %d", c.retryAfter, c.times, err, trips(), c.ok, c.trips)
		}
		if err != nil && !errors.Is(err, dav.ErrUnavailable) {
			t.Errorf("Retry-After %q: %v", c.retryAfter, err)
		}
	}
}
