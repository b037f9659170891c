package bridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/rs/zerolog"

	"davwopi/bridge/endpoint"
)

// TestReadyTellsOfEveryPart, and only what is vital makes the bridge unready.
func TestReadyTellsOfEveryPart(t *testing.T) {
	b := testBridge(io.Discard)
	parts := []Part{{Name: "state", Vital: true}, {Name: "upstreams"}}
	b.Ready = func(context.Context) []Part { return parts }
	for _, c := range []struct {
		state, upstreams string
		status           int
		text             string
	}{
		{"", "", 200, "ready\nstate: ok\nupstreams: ok\n"},
		{"", "1 of 1 did not answer", 200, "ready\nstate: ok\nupstreams: 1 of 1 did not answer\n"},
		{"gone", "", 503, "not ready\nstate: gone\nupstreams: ok\n"},
	} {
		parts[0].Wrong, parts[1].Wrong = c.state, c.upstreams
		w := do(b, http.MethodGet, "/readyz", func(r *http.Request) { r.Host = "10.9.9.9" })
		if w.Code != c.status || w.Body.String() != c.text || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: %d %q", c, w.Code, w.Body)
		}
	}
}

// TestRequestsAreCountedByPart: also those that break off, and never by what a stranger types.
func TestRequestsAreCountedByPart(t *testing.T) {
	b := testBridge(io.Discard)
	b.Rooms = []Mounter{room(func(m *mux.Router) {
		m.HandleFunc("/wopi/files/x", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) })
		m.HandleFunc("/api/v1/open", func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		})
		m.HandleFunc("/panics", func(http.ResponseWriter, *http.Request) { panic("a bug") })
		m.HandleFunc("/breaks", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			panic(http.ErrAbortHandler)
		})
	})}
	b.Prefix = "/office"
	type seen struct {
		part   string
		status int
	}
	var got seen
	b.Observe = func(_ *http.Request, part string, status int, took time.Duration) {
		if took < 0 {
			t.Error(took)
		}
		got = seen{part, status}
	}
	for path, want := range map[string]seen{
		"/wopi/files/x": {"wopi", 409}, "/office/wopi/files/x": {"wopi", 409}, "/api/v1/open": {"api", 200},
		"/typed-by-a-stranger": {"page", 404}, "/panics": {"page", 500}, "/a//b": {"page", 400}, "/healthz": {"health", 200},
	} {
		do(b, http.MethodGet, path, nil)
		if got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	func() {
		defer func() {
			if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
				t.Error("it does not break off")
			}
		}()
		do(b, http.MethodGet, "/breaks", nil)
	}()
	if got != (seen{"page", 202}) {
		t.Errorf("broken off: %v", got)
	}
}

// TestTheLevelCanBeChanged while the daemon runs: what it hides is hidden in what is named, too.
func TestTheLevelCanBeChanged(t *testing.T) {
	var out bytes.Buffer
	loud := &Threshold{}
	loud.Set(zerolog.InfoLevel)
	j := &Journalist{Log: zerolog.New(&out).Level(zerolog.DebugLevel).Hook(loud), Threshold: loud}
	good := endpoint.Line{Operation: "GetFile", Status: 200}
	bad := endpoint.Line{Operation: "GetFile", Status: 500, Err: errors.Join(io.ErrUnexpectedEOF, errors.New("of Secret.docx"))}
	wrapped := endpoint.Line{Operation: "GetFile", Status: 500, Err: &named{io.ErrUnexpectedEOF}}
	j.WOPI(t.Context(), good)
	if out.Len() > 0 {
		t.Errorf("debug is written at info: %s", &out)
	}
	j.WOPI(t.Context(), wrapped)
	if strings.Contains(out.String(), "Secret") || !strings.Contains(out.String(), "unexpected EOF") {
		t.Error(out.String())
	}
	loud.Set(zerolog.DebugLevel)
	out.Reset()
	j.WOPI(t.Context(), good)
	j.WOPI(t.Context(), wrapped)
	if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "Secret") {
		t.Errorf("%d lines: %s", n, &out)
	}
	loud.Set(zerolog.FatalLevel)
	out.Reset()
	j.WOPI(t.Context(), bad)
	if out.Len() > 0 {
		t.Error(out.String())
	}
}

// named is an error whose text names a document.
type named struct{ cause error }

func (n *named) Error() string { return "Secret.docx: " + n.cause.Error() }
func (n *named) Unwrap() error { return n.cause }

// TestEveryRequestIsLoggedIfWanted: at info, and pages without their addresses.
func TestEveryRequestIsLoggedIfWanted(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		var out bytes.Buffer
		j := &Journalist{Log: zerolog.New(&out).Level(zerolog.InfoLevel), Requests: wanted}
		j.WOPI(t.Context(), endpoint.Line{Operation: "GetFile", File: "abc", UserID: "u", Status: 200, Trips: 1, Correlation: "c", Session: "s"})
		j.Request(t.Context(), http.MethodGet, "page", 200, time.Second)
		j.Request(t.Context(), http.MethodGet, "wopi", 200, time.Second) // has a line of its own
		text := out.String()
		if n := strings.Count(text, "\n"); wanted && n != 2 || !wanted && n != 0 {
			t.Errorf("wanted %t: %s", wanted, text)
		}
		for _, want := range []string{`"level":"info"`, `"operation":"GetFile"`, `"file":"abc"`, `"user":"u"`, `"trips":1`, `"correlation":"c"`, `"session":"s"`, `"part":"page"`, `"ms":1000`} {
			if wanted && !strings.Contains(text, want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
	}
}
