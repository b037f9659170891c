package bridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/rs/zerolog"

	"davwopi/bridge/endpoint"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

type room func(*mux.Router)

func (r room) Mount(m *mux.Router) { r(m) }

// testBridge is a bridge with one room that says what it saw.
func testBridge(log io.Writer) *Bridge {
	return &Bridge{
		Rooms: []Mounter{room(func(m *mux.Router) {
			m.HandleFunc("/see", func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s %s", r.RemoteAddr, r.Header.Get("X-Forwarded-Proto"))
			})
			m.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("at the disco") })
		})},
		Hosts:          []string{"docs.example"},
		Loopback:       true,
		Origins:        []string{"https://docs.example"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Healthy:        func() error { return nil },
		Version:        "test",
		Log:            zerolog.New(log),
	}
}

func do(b *Bridge, method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "docs.example"
	r.RemoteAddr = "192.0.2.1:1234"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w
}

func TestUnknownHostIs421(t *testing.T) {
	b := testBridge(io.Discard)
	for host, want := range map[string]int{
		"docs.example": 200, "DOCS.example:443": 200, "localhost:8880": 200, "127.0.0.1:8880": 200, "[::1]:8880": 200,
		"evil.example": 421, "docs.example.evil.example": 421, "": 421, "192.0.2.7": 421,
	} {
		if w := do(b, "GET", "/see", func(r *http.Request) { r.Host = host }); w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
	b.Loopback = false
	if w := do(b, "GET", "/see", func(r *http.Request) { r.Host = "localhost" }); w.Code != 421 {
		t.Errorf("localhost on a public address: %d", w.Code)
	}
	if w := do(b, "GET", "/healthz", func(r *http.Request) { r.Host = "10.1.2.3" }); w.Code != 200 {
		t.Errorf("/healthz: %d", w.Code)
	}
}

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	b := testBridge(io.Discard)
	for _, c := range []struct{ name, peer, forwarded, proto, want string }{
		{"a stranger", "192.0.2.1:1", "1.1.1.1", "https", "192.0.2.1:1 http"},
		{"a trusted proxy", "10.0.0.1:1", "1.1.1.1", "https", "1.1.1.1:0 https"},
		{"what the peer wrote itself stands before", "10.0.0.1:1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "http", "1.1.1.1:0 http"},
		{"with a port, as some write it", "10.0.0.1:1", "6.6.6.6:5, 1.1.1.1:40312, [::ffff:10.0.0.2]:7", "http", "1.1.1.1:0 http"},
		{"in brackets", "10.0.0.1:1", "[2001:db8::1]:9", "http", "[2001:db8::1]:0 http"},
		{"nonsense", "10.0.0.1:1", "x", "gopher", "10.0.0.1:1 http"},
	} {
		w := do(b, "GET", "/see", func(r *http.Request) {
			r.RemoteAddr = c.peer
			r.Header.Set("X-Forwarded-For", c.forwarded)
			r.Header.Set("X-Forwarded-Proto", c.proto)
		})
		if w.Body.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, w.Body, c.want)
		}
	}
	if w := do(b, "GET", "/see", func(r *http.Request) { r.TLS = new(tls.ConnectionState) }); w.Body.String() != "192.0.2.1:1234 https" {
		t.Errorf("own TLS: %s", w.Body)
	}
}

func TestPanicIs500AndSaysNothing(t *testing.T) {
	var log bytes.Buffer
	w := do(testBridge(&log), "GET", "/panic", nil)
	if w.Code != 500 || strings.Contains(w.Body.String(), "disco") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "disco") || !strings.Contains(log.String(), w.Header().Get("X-Request-Id")) {
		t.Errorf("log: %s", &log)
	}
}

func TestCrossOriginWritesAreRefused(t *testing.T) {
	b := testBridge(io.Discard)
	for site, want := range map[string]int{"same-origin": 200, "none": 200, "cross-site": 403, "same-site": 403, "": 200} {
		w := do(b, "POST", "/see", func(r *http.Request) {
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
		})
		if w.Code != want {
			t.Errorf("Sec-Fetch-Site %q: %d, want %d", site, w.Code, want)
		}
	}
}

func TestUncleanPathsAreRefused(t *testing.T) {
	b := testBridge(io.Discard)
	for _, path := range []string{"/a/../see", "/a/%2e%2e/see", "//see", "/a//b", "/see%00", "/a%5cb", "/./see", "/a/.."} {
		if w := do(b, "GET", path, nil); w.Code != 400 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestPrefixIsTakenOff(t *testing.T) {
	b := testBridge(io.Discard)
	b.Prefix = "/office"
	for _, path := range []string{"/office/see", "/see"} {
		if w := do(b, "GET", path, nil); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestHealthSaysWhichPart(t *testing.T) {
	b := testBridge(io.Discard)
	b.Healthy = func() error { return errors.New("disk gone") }
	if w := do(b, "GET", "/healthz", nil); w.Code != 503 || !strings.Contains(w.Body.String(), "state database") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLogNamesNoDocument(t *testing.T) {
	var out bytes.Buffer
	j := &Journalist{Log: zerolog.New(&out).Level(zerolog.InfoLevel)}
	err := fmt.Errorf("saves: /Private/Divorce.docx: %w", errors.Join(dav.ErrDenied, fmt.Errorf("PUT /Private/Divorce.docx: %w", io.ErrUnexpectedEOF)))
	j.WOPI(context.Background(), endpoint.Line{Operation: "PutFile", File: "abc", Status: 500, Err: err})
	text := out.String()
	if strings.Contains(text, "Divorce") || !strings.Contains(text, "unexpected EOF") || !strings.Contains(text, "access denied") {
		t.Error(text)
	}
	out.Reset()
	j.Log = zerolog.New(&out).Level(zerolog.DebugLevel)
	j.WOPI(context.Background(), endpoint.Line{Status: 500, Err: err})
	if !strings.Contains(out.String(), "Divorce") {
		t.Errorf("debug lacks the whole error: %s", &out)
	}
}

func TestAnOutageIsLoggedOnceAndCounted(t *testing.T) {
	var out bytes.Buffer
	j := &Journalist{Log: zerolog.New(&out).Level(zerolog.InfoLevel)}
	down := &davbackend.UnavailableError{Origin: "https://nas", Reason: "connection refused"}
	for range 5 {
		j.WOPI(context.Background(), endpoint.Line{Status: 500, Upstream: "https://nas", Err: fmt.Errorf("x: %w", down)})
		j.WOPI(context.Background(), endpoint.Line{Status: 200, Upstream: "https://other", Trips: 1})
	}
	j.WOPI(context.Background(), endpoint.Line{Status: 404, Upstream: "https://nas", Err: dav.ErrNotFound})
	j.WOPI(context.Background(), endpoint.Line{Status: 200, Upstream: "https://nas", Trips: 1})
	j.WOPI(context.Background(), endpoint.Line{Status: 200, Upstream: "https://nas", Trips: 1})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"upstream":"https://nas","reason":"connection refused"`) || !strings.Contains(lines[2], `"failed":5`) {
		t.Error(out.String())
	}
}

func TestCommands(t *testing.T) {
	b := testBridge(io.Discard)
	b.Commands = map[string]Command{
		"echo": func(_ context.Context, in json.RawMessage) (any, error) { return in, nil },
		"fail": func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("no such thing") },
	}
	socket := filepath.Join(t.TempDir(), "s")
	var out map[string]int
	if err := Ask(t.Context(), socket, "echo", 1, &out); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("without a daemon: %v", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: b.Admin()}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })

	if err := Ask(t.Context(), socket, "echo", map[string]int{"a": 1}, &out); err != nil || out["a"] != 1 {
		t.Errorf("%v %v", out, err)
	}
	if err := Ask(t.Context(), socket, "fail", 1, &out); err == nil || err.Error() != "no such thing" {
		t.Errorf("%v", err)
	}
	if err := Ask(t.Context(), socket, "nothing", 1, &out); err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("%v", err)
	}
}

// TestOnlyATrustedProxySaysWhoSomebodyIs, judged by the address of the connection: what it forwards, and what others
// claim to have been forwarded, makes nobody trusted.
func TestOnlyATrustedProxySaysWhoSomebodyIs(t *testing.T) {
	var seen string
	b := testBridge(io.Discard)
	b.Rooms = []Mounter{room(func(m *mux.Router) {
		m.HandleFunc("/who", func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Remote-User") })
	})}
	b.Identity = []string{"Remote-User", "Remote-Groups", ""}
	for peer, want := range map[string]string{"10.0.0.9:1": "anna", "[::ffff:10.0.0.9]:1": "anna", "192.0.2.1:1": "", "127.0.0.1:1": "", "nonsense": ""} {
		for _, forwarded := range []string{"", "10.0.0.9", "192.0.2.1"} {
			seen = "?"
			do(b, http.MethodGet, "/who", func(r *http.Request) {
				r.RemoteAddr = peer
				r.Header.Set("remote-user", "anna")
				if forwarded != "" {
					r.Header.Set("X-Forwarded-For", forwarded)
				}
			})
			if seen != want {
				t.Errorf("from %s, forwarded for %q: %q, want %q", peer, forwarded, seen, want)
			}
		}
	}
}
