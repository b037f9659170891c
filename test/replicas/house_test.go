package replicas

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// long reports whether the long versions are wanted.
func long() bool { return os.Getenv("DAVWOPI_TEST_REPLICAS") != "" }

// often is how often something is done: the first number in a short run.
func often(short, atLength int) int {
	if long() {
		return atLength
	}
	return short
}

// A house is bridges on one state behind the proxy.
type house struct {
	t        testing.TB
	upstream *upstream.Server
	database *sqldbtest.Server
	proxy    *daemon.RoundRobin
	office   *office.Editor
	config   string
	daemons  []*daemon.Daemon
	listens  map[*daemon.Daemon]string // where each really listens; its URL is the proxy's
}

// newHouse prepares bridges over s, as more says, and starts none.
func newHouse(t testing.TB, s *upstream.Server, kind wopi.Office, more string) *house {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	daemon.Program(t)
	h := &house{t: t, upstream: s, database: sqldbtest.NewServer(t, "max_connections=200"), proxy: daemon.NewRoundRobin(t), listens: map[*daemon.Daemon]string{}}
	h.office = office.NewEditor(t, kind, true, "docx", "odt", "txt", "wopitest", "wopitestx")
	dir := t.TempDir()
	for name, text := range map[string]string{"url": h.database.URL() + "\n", "key": strings.Repeat("0123456789abcdef", 4) + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.config = fmt.Sprintf("public_url: %s\ntrusted_proxies: [127.0.0.1/32]\nstate: {url_file: %q}\nsecret_key_file: %q\nreplicas: true\n"+
		"upstream: {url: %q, user: %q, password: %q}\nsign_in: {kind: link}\neditors: [%q]\n%s\n",
		h.proxy.URL, filepath.Join(dir, "url"), filepath.Join(dir, "key"), s.URL, s.User, s.Password, h.office.URL, more)
	return h
}

// start starts one more bridge, and lets the proxy know.
func (h *house) start(o daemon.Options) *daemon.Daemon {
	h.t.Helper()
	o.Listen = daemon.FreePort(h.t)
	d := daemon.StartWith(h.t, h.config, o)
	h.daemons, h.listens[d] = append(h.daemons, d), o.Listen
	h.over(h.daemons...)
	return d
}

// over lets the proxy know the bridges.
func (h *house) over(daemons ...*daemon.Daemon) {
	var listen []string
	for _, d := range daemons {
		listen = append(listen, h.listens[d])
	}
	h.proxy.Over(listen...)
}

// two starts two.
func (h *house) two() (one, two *daemon.Daemon) {
	h.t.Helper()
	return h.start(daemon.Options{}), h.start(daemon.Options{})
}

// open makes a document and an editor's client for it, whose requests go through the proxy.
func (h *house) open(name, contents string) *office.Client {
	h.t.Helper()
	h.upstream.Write(h.t, name, contents)
	o := h.daemons[0].Open("-editor", h.office.URL, "/"+name)
	return h.office.Client(o.WOPISrc, o.AccessToken)
}

// at is c with its requests going to one bridge, which takes them as if they had come
// through the proxy.
func (h *house) at(c *office.Client, d *daemon.Daemon) *office.Client {
	direct := *c
	direct.HTTP = &http.Client{Timeout: time.Minute, Transport: &toBridge{h.listens[d]}}
	return &direct
}

type toBridge struct{ host string }

// RoundTrip sends the request to the bridge, under the name of the proxy.
func (b *toBridge) RoundTrip(r *http.Request) (*http.Response, error) {
	r2 := r.Clone(r.Context())
	r2.Host, r2.URL.Host = r.URL.Host, b.host
	return http.DefaultTransport.RoundTrip(r2)
}

// until waits for what must come true.
func until(t testing.TB, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("%s: not within two minutes", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begin)
}

// get is the Date of a bridge's answer.
func (b *toBridge) get(t testing.TB, address string) (time.Time, error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return time.Time{}, err
	}
	a, err := b.RoundTrip(r)
	if err != nil {
		return time.Time{}, err
	}
	defer a.Body.Close()
	return http.ParseTime(a.Header.Get("Date"))
}
