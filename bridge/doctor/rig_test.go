package doctor_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/doctor"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/profile"
	"davwopi/test/office"
)

// A rig is a house at home: the real front of the bridge with a doctor in it, and names
// that lead where a test says.
type rig struct {
	*doctor.Doctor
	t      testing.TB
	bridge *bridge.Bridge
	daemon *httptest.Server

	mu    sync.Mutex
	names map[string]string // host:port -> address that answers; guarded by mu
}

// newRig is a house in which all is well: the embedded server, one Collabora that signs
// and lets us in, everything on this machine.
func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, names: map[string]string{}}
	r.daemon = httptest.NewUnstartedServer(nil)
	public := &url.URL{Scheme: "http", Host: r.daemon.Listener.Addr().String()}
	state := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	r.Doctor = &doctor.Doctor{
		Public: public, WOPI: public, Listen: public.Host, Running: true, Version: "v1", State: state, Folder: t.TempDir(),
		Habits: doctor.Habits{Announce: true, Respect: true},
		HTTP: &http.Transport{
			DialContext: r.dial, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // names of tests have no certificates
		},
		Upstreams: []*access.Upstream{{
			Name: "main", DisplayName: "Documents", Service: &davbackend.Credential{},
			Client: &davbackend.Client{Base: &url.URL{Scheme: "http", Host: "embedded.invalid", Path: "/"}, Assumed: davbackend.Embedded},
		}},
		Facts: func(context.Context, string) (profile.Facts, bool, error) { return profile.Embedded(), true, nil },
	}
	r.bridge = &bridge.Bridge{
		Rooms: []bridge.Mounter{r.Doctor}, Hosts: []string{public.Hostname()},
		Healthy: func() error { return nil }, Version: "v1", Log: zerolog.New(io.Discard),
	}
	t.Cleanup(r.daemon.Close)
	return r
}

func (r *rig) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r.mu.Lock()
	if to := r.names[address]; to != "" {
		address = to
	}
	r.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, address)
}

// lead lets a name and port lead to a server.
func (r *rig) lead(hostport string, s *httptest.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[hostport] = s.Listener.Addr().String()
}

// at says that people and editors come by that address.
func (r *rig) at(address string) *url.URL {
	r.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Public, r.WOPI = u, u
	r.bridge.Hosts = append(r.bridge.Hosts, u.Hostname())
	return u
}

// behind puts a reverse proxy at address, with https if it says so. change is what it
// makes of requests.
func (r *rig) behind(address string, change func(*httputil.ProxyRequest)) {
	r.t.Helper()
	u := r.at(address)
	to := &url.URL{Scheme: "http", Host: r.daemon.Listener.Addr().String()}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host
		p.SetXForwarded()
		if change != nil {
			change(p)
		}
	}}
	r.serve(u, proxy)
}

// serve answers at an address, with https if it says so.
func (r *rig) serve(u *url.URL, h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	port := u.Port()
	if u.Scheme == "https" {
		s.StartTLS()
		if port == "" {
			port = "443"
		}
	} else {
		s.Start()
		if port == "" {
			port = "80"
		}
	}
	r.t.Cleanup(s.Close)
	r.lead(net.JoinHostPort(u.Hostname(), port), s)
	return s
}

// examine starts the daemon and lets the doctor look.
func (r *rig) examine() doctor.Report {
	r.t.Helper()
	r.daemon.Config.Handler = r.bridge.Handler()
	r.daemon.Start()
	report, err := r.Examine(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	inEveryLanguage(r.t, report.Findings)
	return report
}

// inEveryLanguage: a finding is said in each, and is the same finding. (That all speak of
// the same things is test/house's to know.)
func inEveryLanguage(t testing.TB, findings []doctor.Finding) {
	t.Helper()
	same := doctor.Report{Findings: findings}.In(words.All()[0])
	for _, l := range words.All()[1:] {
		for i, f := range (doctor.Report{Findings: findings}).In(l).Findings {
			english := findings[i]
			if f.Text == english.Text || f.Text == "" || strings.Contains(f.Text, "found.") || strings.HasSuffix(f.Text, ":") {
				t.Errorf("%s: %q is %q", l.Tag(), english.Text, f.Text)
			}
			if same.Findings[i].Text != english.Text || f.Check != english.Check || f.Severity != english.Severity || len(f.Paste) != len(english.Paste) {
				t.Errorf("%s: another finding: %+v, %+v", l.Tag(), f, english)
			}
			for j, p := range f.Paste {
				if p.Where == "" || strings.Contains(p.Where, "paste.") || p.Text != english.Paste[j].Text {
					t.Errorf("%s: %q is %q", l.Tag(), english.Paste[j].Where, p.Where)
				}
			}
		}
	}
}

// An editor is a double of Collabora's or ONLYOFFICE's server. Its switches are set
// before it is asked.
type editor struct {
	kind    wopi.Office
	base    string // of the addresses in its discovery
	signs   bool
	status  int // of discovery; 0: 200
	page    http.Header
	old     bool          // cannot be asked whether it lets us in
	refuses string        // what it says then; "" it really goes and looks
	wait    time.Duration // before anything is answered
	ahead   time.Duration // its clock

	http http.RoundTripper
}

// connect puts an editor at an address and into the configuration.
func (r *rig) connect(address string, kind wopi.Office) *editor {
	r.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		r.t.Fatal(err)
	}
	e := &editor{kind: kind, base: address, signs: true, page: http.Header{}, http: r.HTTP}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hosting/discovery", e.discovery(r.t))
	mux.HandleFunc("GET /hosting/capabilities", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"productVersion": "25.04.9.4", "hasWopiAccessCheck": !e.old})
	})
	mux.HandleFunc("POST /hosting/wopiAccessCheck", e.accessCheck)
	if kind == wopi.OnlyOffice {
		mux.HandleFunc("GET /web-apps/apps/api/documents/api.js", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "window.DocsAPI={};DocsAPI.DocEditor.version = function() {\n return '9.3.0';\n };")
		})
	}
	mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range e.page {
			w.Header()[k] = v
		}
		_, _ = io.WriteString(w, "<!doctype html><title>editor</title>")
	})
	r.serve(u, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		select {
		case <-time.After(e.wait):
		case <-req.Context().Done():
			return
		}
		if e.ahead != 0 {
			w.Header().Set("Date", time.Now().Add(e.ahead).UTC().Format(http.TimeFormat))
		}
		mux.ServeHTTP(w, req)
	}))
	r.Editors = append(r.Editors, discovery.Editor{URL: address})
	return e
}

func (e *editor) discovery(t testing.TB) http.HandlerFunc {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		if e.status != 0 {
			w.WriteHeader(e.status)
			return
		}
		keys := office.Keys{}
		if e.signs {
			keys.Current = key
		}
		_, _ = w.Write(office.Discovery(e.kind, e.base, keys, "odt", "docx", "pdf"))
	}
}

// accessCheck does as coolwsd: it fetches the address that it is told, for two seconds.
func (e *editor) accessCheck(w http.ResponseWriter, r *http.Request) {
	var q struct {
		CallbackURL string `json:"callbackUrl"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&q); err != nil || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	said := e.refuses
	if said == "" {
		said = "Ok"
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.CallbackURL, nil)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		res, err := (&http.Client{Transport: e.http}).Do(req)
		switch {
		case err != nil:
			said = "UnspecifiedError"
		case res.StatusCode != http.StatusOK:
			said = "NotHttpSuccess"
		}
		if err == nil {
			res.Body.Close()
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"status": said})
}

// has finds the findings of a check.
func has(report doctor.Report, check string) (list []doctor.Finding) {
	for _, f := range report.Findings {
		if f.Check == check {
			list = append(list, f)
		}
	}
	return list
}

// unwell are the findings that are not ok, but for the disk of whoever runs the test.
func unwell(report doctor.Report) (list []doctor.Finding) {
	for _, f := range report.Findings {
		if f.Severity != doctor.OK && f.Check != "state" && f.Check != "state_space" && f.Check != "space" {
			list = append(list, f)
		}
	}
	return list
}

func pasted(f doctor.Finding) string {
	var b strings.Builder
	for _, p := range f.Paste {
		b.WriteString(p.Text + "\n---\n")
	}
	return b.String()
}
