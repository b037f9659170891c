package daemon

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// A RoundRobin is a reverse proxy that gives each request to the next of several daemons,
// whose public_url is its URL.
type RoundRobin struct {
	*httptest.Server
	next atomic.Uint64

	mu   sync.Mutex
	over []string // where they listen; guarded by mu
}

// NewRoundRobin starts one over nobody. It ends with the test.
func NewRoundRobin(t testing.TB) *RoundRobin {
	t.Helper()
	p := &RoundRobin{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: p.choose()})
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:    &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	p.Server = httptest.NewServer(proxy)
	t.Cleanup(p.Close)
	return p
}

// choose is who is next, "" nobody: the request is answered 502.
func (p *RoundRobin) choose() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.over) == 0 {
		return ""
	}
	return p.over[p.next.Add(1)%uint64(len(p.over))]
}

// Over says where the daemons listen (host:port) to whom requests go from now on.
func (p *RoundRobin) Over(listen ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = listen
}

// FreePort is a loopback address that nobody listened on just now.
func FreePort(t testing.TB) string {
	t.Helper()
	l := httptest.NewUnstartedServer(nil).Listener
	defer l.Close()
	return l.Addr().String()
}
