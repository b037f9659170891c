package profile

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// wire is what stands between a client and the server.
type wire func(next http.RoundTripper, r *http.Request) (*http.Response, error)

// over is s as seen through w.
func over(t *testing.T, s *upstream.Server, w wire) *davbackend.View {
	t.Helper()
	v := s.View(t).Through(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return w(next, r) })
	})
	t.Cleanup(v.Client().CloseIdle)
	return v
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAPassingRefusalProvesNothing: a server that ignores every condition says once
// that it is busy, just when a wrong tag is tried, or a write without the token.
func TestAPassingRefusalProvesNothing(t *testing.T) {
	for _, status := range []int{http.StatusLocked, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			s := upstream.Strict(t)
			s.Quirks.Set(func(q *upstream.Quirks) { q.IgnoreConditions = true })
			refused := false
			v := over(t, s, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
				if !refused && r.Method == http.MethodPut && strings.Contains(r.Header.Get("If"), wrongTag) {
					refused = true
					return answer(r, status), nil
				}
				return next.RoundTrip(r)
			})
			f, err := Measure(t.Context(), v, nil)
			if err != nil || !refused {
				t.Fatalf("%v, refused %v", err, refused)
			}
			if f.IfETag != "" || f.Profile().Conditions {
				t.Errorf("if_etag is %q", f.IfETag)
			}
		})
	}
}

func answer(r *http.Request, status int) *http.Response {
	_ = r.Body.Close()
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

// TestWhatIsNotHonouredIsLookedFor: MOVE with Overwrite: F, and PUT with
// If-None-Match: *, on servers that replace all the same.
func TestWhatIsNotHonouredIsLookedFor(t *testing.T) {
	for name, c := range map[string]struct {
		quirk func(*upstream.Quirks)
		wire  wire
		try   func(v *davbackend.View) error
	}{
		"Overwrite: F": {func(*upstream.Quirks) {}, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Header.Get("Overwrite") == "F" {
				r = r.Clone(r.Context())
				r.Header.Set("Overwrite", "T")
			}
			return next.RoundTrip(r)
		}, func(v *davbackend.View) error {
			return v.Move(t.Context(), "/mine.txt", "/theirs.txt", false, davbackend.Condition{}, davbackend.Condition{})
		}},
		"If-None-Match": {func(q *upstream.Quirks) { q.IgnoreIfNoneMatch = true }, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			return next.RoundTrip(r)
		}, func(v *davbackend.View) error {
			return v.Put(t.Context(), "/theirs.txt", *textBody("mine"), davbackend.Condition{Absent: true})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := upstream.Strict(t)
			s.Quirks.Set(c.quirk)
			v := over(t, s, c.wire)
			f, err := Measure(t.Context(), v, nil)
			if err != nil {
				t.Fatal(err)
			}
			v.Client().Learn(f.Profile())
			s.Write(t, "mine.txt", "mine")
			s.Write(t, "theirs.txt", "theirs")
			if err := c.try(v); !errors.Is(err, dav.ErrExists) {
				t.Errorf("got %v, want dav.ErrExists", err)
			}
			content, err := v.Get(t.Context(), "/theirs.txt", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer content.Close()
			if got, err := io.ReadAll(content); err != nil || string(got) != "theirs" {
				t.Errorf("there is %q now, %v", got, err)
			}
		})
	}
}

// TestAReaderIsCutOffDuringAnUpload: a server that notices on the way that the file
// grows, as rclone does, breaks the answer off. That is a reader who does not see the
// old contents, and no outage.
func TestAReaderIsCutOffDuringAnUpload(t *testing.T) {
	s := upstream.Strict(t)
	var uploading atomic.Bool
	cut := 0
	v := over(t, s, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut && r.ContentLength > 64<<10 {
			uploading.Store(true)
			defer uploading.Store(false)
		}
		during := uploading.Load()
		resp, err := next.RoundTrip(r)
		if err == nil && during && r.Method == http.MethodGet {
			cut++
			resp.Body = brokenOff{resp.Body}
		}
		return resp, err
	})
	f, err := Measure(t.Context(), v, nil)
	if err != nil || cut == 0 {
		t.Fatalf("%v, cut off %d times", err, cut)
	}
	if f.HalfWritten != "a piece" || f.Profile().InPlace {
		t.Errorf("a reader sees %q, in place %v", f.HalfWritten, f.Profile().InPlace)
	}
}

// A brokenOff is a body of which nothing arrives.
type brokenOff struct{ io.Closer }

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
