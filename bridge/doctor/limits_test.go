package doctor

import (
	"context"
	"davwopi/bridge/words"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/mux"
)

// TestNothingHangsAnExamination: a check that hears nothing, its context included, is
// left behind when the time is over; the others' findings are there.
func TestNothingHangsAnExamination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), totalLimit)
		defer cancel()
		release := make(chan struct{})
		defer close(release)
		begin := time.Now()
		got := all(ctx, []check{
			{"deaf", "x", func(context.Context) []Finding { <-release; return nil }},
			{"quick", "y", func(context.Context) []Finding { return []Finding{finding(OK, "quick", "y", words.Plain("fine"))} }},
		})
		if took := time.Since(begin); took != totalLimit {
			t.Errorf("took %s", took)
		}
		if len(got) != 2 || got[0].Check != "deaf" || got[0].Severity != Error || got[1].Check != "quick" {
			t.Errorf("%+v", got)
		}
	})
}

// TestOneExaminationAtATime: the second one waits, and gives up with its context.
func TestOneExaminationAtATime(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 1 {
			close(begun)
		}
		<-release
	}))
	defer server.Close()
	public, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := &Doctor{Public: public, WOPI: public, Running: true, State: t.TempDir()}
	done := make(chan error, 1)
	go func() { _, err := d.Examine(t.Context()); done <- err }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Examine(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the second: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := d.Examine(t.Context()); err != nil {
		t.Errorf("the third: %v", err)
	}
}

// TestAnswersAreBounded: a body without end, and headers with anything in them.
func TestAnswersAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "javascript:alert(1)")
		w.WriteHeader(http.StatusFound)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	a, err := new(Doctor).ask(t.Context(), http.MethodGet, server.URL, "", nil, 1000)
	if err != nil || len(a.body) != 1000 || a.location != nil {
		t.Errorf("%d bytes, %v, %v", len(a.body), a.location, err)
	}
}

// TestHello: only a number that is expected right now is answered, and what came with
// it is noted.
func TestHello(t *testing.T) {
	d := new(Doctor)
	r := mux.NewRouter()
	d.Mount(r)
	say := func(method, number, body string) int {
		q := httptest.NewRequest(method, "http://docs.example/doctor/hello/"+number, strings.NewReader(body))
		q.RemoteAddr = "[::ffff:192.0.2.1]:5000"
		q.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		return w.Code
	}
	if status := say("GET", "GUESS", ""); status != http.StatusNotFound {
		t.Errorf("a number that was not given: %d", status)
	}
	number, forget := d.hello.expect()
	if _, ok := d.hello.arrived(number); ok {
		t.Error("arrived before it left")
	}
	if status := say("POST", number, "12345"); status != http.StatusOK {
		t.Errorf("the number: %d", status)
	}
	want := arrival{host: "docs.example", proto: "https", peer: netip.MustParseAddr("192.0.2.1"), size: 5}
	if got, ok := d.hello.arrived(number); !ok || got != want {
		t.Errorf("%+v", got)
	}
	if status := say("POST", number, strings.Repeat("x", maxHello+1)); status != http.StatusBadRequest {
		t.Errorf("too much: %d", status)
	}
	forget()
	if status := say("GET", number, ""); status != http.StatusNotFound || len(d.hello.waiting) != 0 {
		t.Errorf("afterwards: %d", status)
	}
}

// TestAFindingIsOneLine: whatever its words were made of.
func TestAFindingIsOneLine(t *testing.T) {
	if got := finding(Error, "x", "", words.Plain("a \x1b[2J\r\nERROR \u009b1m\u2028\tc b")).Text; got != "a [2J ERROR 1m c b" {
		t.Errorf("%q", got)
	}
	if got := clean(strings.Repeat("ä", 100)); len(got) != 100 || strings.ToValidUTF8(got, "?") != got {
		t.Errorf("%q", got)
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		off   time.Duration
		signs bool
		want  Severity
	}{
		{0, true, OK}, {-5 * time.Second, true, OK}, {30 * time.Second, true, Hint}, {2 * time.Minute, false, Warning},
		{6 * time.Minute, true, Error}, {-6 * time.Minute, true, Warning}, {-21 * time.Minute, true, Error}, {-48 * time.Hour, false, Warning},
	} {
		if got := clock("x", now.Add(tt.off), now, tt.signs); len(got) != 1 || got[0].Severity != tt.want {
			t.Errorf("%s: %+v", tt.off, got)
		}
	}
	if got := clock("x", time.Time{}, now, true); got != nil {
		t.Errorf("no time: %+v", got)
	}
}
