package doctor_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/doctor"
	"davwopi/bridge/wopi"
)

const (
	docs      = "https://docs.home.example"
	theOffice = "https://office.home.example"
)

// expected is one finding that is not ok: check, severity, a part of its text and of
// what is to be pasted.
type expected struct {
	check, severity, text string
	paste                 []string
}

// hideNothing is a proxy that does all that it should, and is trusted.
func hideNothing(r *rig) {
	r.behind(docs, nil)
	r.trust()
}

func (r *rig) trust() {
	n := netip.MustParsePrefix("127.0.0.1/32")
	r.TrustedProxies, r.bridge.TrustedProxies = []netip.Prefix{n}, []netip.Prefix{n}
}

// TestSetups: each house gives exactly these findings besides the good ones.
func TestSetups(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(t *testing.T, r *rig)
		want  []expected
	}{
		{"all on this machine", func(t *testing.T, r *rig) { r.connect("http://127.0.0.1:9980", wopi.Collabora) }, nil},
		{"all behind one good proxy", func(t *testing.T, r *rig) {
			hideNothing(r)
			e := r.connect(theOffice, wopi.Collabora)
			e.page.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors docs.home.example:* office.home.example:*")
		}, nil},
		{"below a path of a name that others share", func(t *testing.T, r *rig) {
			r.behind("https://home.example/docs", nil)
			r.bridge.Prefix = "/docs"
			r.trust()
			r.connect(theOffice, wopi.Collabora)
		}, nil},
		{"a proxy that does not find us below a path", func(t *testing.T, r *rig) {
			r.at("https://home.example/docs")
			r.serve(parse(t, "https://home.example"), page(502, ""))
		}, []expected{{"public_url", "error", "does not find davwopi", []string{"ProxyPass /docs/ http://127.0.0.1:", "\treverse_proxy /docs/* 127.0.0.1:"}}, {"editors", "hint", "", nil}}},
		{"no editor", func(*testing.T, *rig) {}, []expected{{"editors", "hint", "only text files can be edited", []string{"editors:\n  - https://office.example.org"}}}},

		{"Collabora does not know us", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora).refuses = "WopiHostNotAllowed"
		},
			[]expected{{"wopi_access", "error", "Unauthorized WOPI host", []string{
				"-e aliasgroup1=https://docs.home.example:443",
				`<alias_groups mode="groups"><group><host allow="true">https://docs.home.example:443</host></group></alias_groups>`}}}},
		{"Collabora cannot resolve our name", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora).refuses = "HostNotFound"
		},
			[]expected{{"wopi_access", "error", "cannot resolve the name", []string{"extra_hosts:\n  - \"docs.home.example:host-gateway\"", "wopi_url: http://"}}}},
		{"Collabora does not trust our certificate", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora).refuses = "SelfSignedCertificate"
		}, []expected{{"wopi_access", "error", "is signed by nobody but itself", []string{`-e extra_params="--o:ssl.ssl_verification=false"`}}}},
		{"Collabora is kept off by a firewall", func(t *testing.T, r *rig) { hideNothing(r); r.connect(theOffice, wopi.Collabora).refuses = "Timeout" },
			[]expected{{"wopi_access", "error", "cannot connect", []string{"wopi_url: http://"}}}},
		{"Collabora ends up at another server", func(t *testing.T, r *rig) {
			hideNothing(r)
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(other.Close)
			r.connect(theOffice, wopi.Collabora).http = toEverything(other)
		}, []expected{{"wopi_access", "error", "it reached another server", []string{"wopi_url: http://"}}}},
		{"Collabora says what nobody knows", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora).refuses = "\x1b[2JHacked"
		},
			[]expected{{"wopi_access", "warning", "not understood", nil}}},
		{"an old Collabora", func(t *testing.T, r *rig) { hideNothing(r); r.connect(theOffice, wopi.Collabora).old = true },
			[]expected{{"wopi_access", "hint", "cannot be asked", []string{"-e aliasgroup1=https://docs.home.example:443"}}}},
		{"Collabora without keys", func(t *testing.T, r *rig) { hideNothing(r); r.connect(theOffice, wopi.Collabora).signs = false },
			[]expected{{"proof_keys", "hint", "does not sign", []string{"coolconfig generate-proof-key"}}}},
		{"Collabora that has lost its keys", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora).signs = false
			r.Signed = func() []string { return []string{theOffice} }
		}, []expected{{"proof_keys", "error", "everything it sends is refused", []string{"coolconfig generate-proof-key", "editors:\n  - url: https://office.home.example\n    unsigned: true"}}}},

		{"the editor is off", func(t *testing.T, r *rig) {
			r.connect("http://127.0.0.1:9980", wopi.Collabora)
			r.names = map[string]string{}
		},
			[]expected{{"editor", "error", "nothing listens there", nil}}},
		{"the editor never answers", func(t *testing.T, r *rig) { r.connect("http://127.0.0.1:9980", wopi.Collabora).wait = time.Minute },
			[]expected{{"editor", "error", "no answer within 5s", nil}}},
		{"only the editor's proxy answers", func(t *testing.T, r *rig) { hideNothing(r); r.connect(theOffice, wopi.Collabora).status = 502 },
			[]expected{{"editor", "error", "the editor itself does not run", nil}}},
		{"ONLYOFFICE with WOPI off", func(t *testing.T, r *rig) { hideNothing(r); r.connect(theOffice, wopi.OnlyOffice).status = 404 },
			[]expected{{"editor", "error", "WOPI is switched off", []string{`{"wopi": {"enable": true}}`, "-e WOPI_ENABLED=true"}}}},
		{"ONLYOFFICE and an address at home", func(t *testing.T, r *rig) { r.connect("http://127.0.0.1:9981", wopi.OnlyOffice) },
			[]expected{{"wopi_access", "hint", "is an address at home", []string{"-e ALLOW_PRIVATE_IP_ADDRESS=true", `{"services": {"CoAuthoring": {"request-filtering-agent": {"allowPrivateIPAddress": true}}}}`}}}},
		{"no editor at its address", func(t *testing.T, r *rig) { hideNothing(r); r.connect(theOffice, wopi.Collabora).status = 404 },
			[]expected{{"editor", "error", "answers 404 where the discovery document should be", []string{"editors:\n  - https://office.example.org"}}}},
		{"a welcome page at the editor's address", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora)
			r.serve(parse(t, theOffice), page(200, "<html>It works!"))
		}, []expected{{"editor", "error", "not with an editor's discovery document", []string{"editors:\n  - https://office.example.org"}}}},
		{"an editor that has moved to https", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect("http://office.home.example", wopi.Collabora)
			r.serve(parse(t, "http://office.home.example"), http.RedirectHandler(theOffice+"/hosting/discovery", http.StatusMovedPermanently))
		}, []expected{{"editor", "warning", "sends us on to https://office.home.example", []string{"editors:\n  - https://office.home.example"}}}},
		{"a sign-in page in front of the editor", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora)
			r.serve(parse(t, theOffice), http.RedirectHandler("https://login.home.example/?rd=x", http.StatusFound))
		}, []expected{{"editor", "error", "sends us on to https://login.home.example. If that is a sign-in page", nil}}},

		{"an https page with an http editor", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect("http://office.home.example:9980", wopi.Collabora)
		},
			[]expected{{"mixed_content", "error", "Browsers block that", []string{"editors:\n  - https://office.home.example",
				`-e server_name=office.home.example -e extra_params="--o:ssl.enable=false --o:ssl.termination=true"`, "<termination>true</termination>"}}}},
		{"Collabora does not know that its proxy speaks https", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.Collabora).base = "http://office.home.example"
		}, []expected{
			{"mixed_content", "error", "documents would open at http://office.home.example", []string{`-e server_name=office.home.example -e extra_params="--o:ssl.enable=false --o:ssl.termination=true"`}},
			{"frame", "hint", "not the configured address", nil}}},
		{"ONLYOFFICE does not know that its proxy speaks https", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect("https://192.0.2.7", wopi.OnlyOffice).base = "http://192.0.2.7"
			r.WOPI = parse(t, "https://192.0.2.8")
			r.behind("https://192.0.2.8", nil)
			r.Public = parse(t, docs)
		}, []expected{
			{"mixed_content", "error", "Browsers block that", []string{"proxy_set_header X-Forwarded-Proto $scheme;"}},
			{"frame", "hint", "not the configured address", nil}}},
		{"a name that only containers know", func(t *testing.T, r *rig) {
			r.behind("http://docs.home.example", nil)
			r.connect("http://collabora:9980", wopi.Collabora)
		}, []expected{
			{"cookie", "warning", "unencrypted", []string{"public_url: https://docs.home.example"}},
			{"editor_page", "warning", "a name inside a container network", []string{"-e server_name=office.example.org"}}}},
		{"an editor for everybody on everybody's own machine", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect("https://127.0.0.1:9980", wopi.Collabora)
		}, []expected{{"editor_page", "error", "everybody's own machine", []string{"editors:\n  - https://office.example.org"}}}},
		{"an editor elsewhere that is told to come to itself", func(t *testing.T, r *rig) { r.connect("http://office.home.example:9980", wopi.Collabora) },
			[]expected{{"wopi_access", "error", "that is its own machine", []string{"listen: 0.0.0.0:"}}}},

		{"X-Frame-Options", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.connect(theOffice, wopi.OnlyOffice).page.Set("X-Frame-Options", "SAMEORIGIN")
		},
			[]expected{{"frame", "error", "forbids (X-Frame-Options) to be shown inside https://docs.home.example", []string{"proxy_hide_header X-Frame-Options;", "header -X-Frame-Options", "Header always unset X-Frame-Options"}},
				{"wopi_access", "hint", "cannot be asked", nil}}},
		{"Collabora knows us by another name than browsers", func(t *testing.T, r *rig) {
			hideNothing(r)
			e := r.connect(theOffice, wopi.Collabora)
			e.page.Set("Content-Security-Policy", "frame-ancestors davwopi:* office.home.example:*")
		}, []expected{{"frame", "error", "frame-ancestors", []string{"<frame_ancestors>https://docs.home.example</frame_ancestors>", `-e extra_params="--o:net.frame_ancestors=https://docs.home.example"`}}}},

		{"an editor whose clock is an hour behind", func(t *testing.T, r *rig) { r.connect("http://127.0.0.1:9980", wopi.Collabora).ahead = -time.Hour },
			[]expected{{"clock", "error", "60 minutes behind ours: its requests look forged", []string{"timedatectl set-ntp true"}}}},
		{"an editor whose clock is some minutes ahead", func(t *testing.T, r *rig) {
			r.connect("http://127.0.0.1:9980", wopi.Collabora).ahead = 3*time.Minute + time.Second/2
		},
			[]expected{{"clock", "warning", "minutes ahead of ours", []string{"timedatectl set-ntp true"}}}},

		{"a proxy that hides the host name", func(t *testing.T, r *rig) {
			r.behind(docs, func(p *httputil.ProxyRequest) { p.Out.Host = "127.0.0.7:8880" })
			r.connect("https://127.0.0.1:9980", wopi.Collabora).refuses = "NotHttpSuccess"
		}, []expected{
			{"editor_page", "error", "own machine", nil},
			{"wopi_access", "error", "does not find us", nil},
			{"public_url", "error", "passes another host name on", []string{"proxy_set_header Host $http_host;", "ProxyPreserveHost On", "docs.home.example {\n\treverse_proxy "}}}},
		{"a proxy that is not trusted", func(t *testing.T, r *rig) { r.behind(docs, nil); r.connect(theOffice, wopi.Collabora) },
			[]expected{{"proxy", "warning", "The reverse proxy at 127.0.0.1 is not trusted", []string{"trusted_proxies: [127.0.0.1]", "proxy_set_header X-Forwarded-For"}}}},
		{"a proxy that does not tell of https", func(t *testing.T, r *rig) {
			r.behind(docs, func(p *httputil.ProxyRequest) { p.Out.Header.Del("X-Forwarded-Proto") })
			r.trust()
			r.connect(theOffice, wopi.Collabora)
		}, []expected{{"proxy", "hint", "does not say that people come by https", []string{"proxy_set_header X-Forwarded-Proto $scheme;", "RequestHeader set X-Forwarded-Proto"}}}},
		{"a proxy with nginx's limit on bodies", func(t *testing.T, r *rig) {
			hideNothing(r)
			inner := "http://" + r.daemon.Listener.Addr().String()
			to := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(parse(t, inner))
				p.Out.Host = p.In.Host
				p.SetXForwarded()
			}}
			r.serve(parse(t, docs), http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				if q.ContentLength > 1<<20 {
					_, _ = io.Copy(io.Discard, q.Body)
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				}
				to.ServeHTTP(w, q)
			}))
			r.connect(theOffice, wopi.Collabora)
		}, []expected{{"body_size", "error", "cannot be saved", []string{"client_max_body_size 0;", "LimitRequestBody 0"}}}},
		{"a proxy that does not find us", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.serve(parse(t, docs), page(502, "Bad Gateway"))
			r.connect(theOffice, wopi.Collabora)
		}, []expected{
			{"wopi_access", "error", "reverse proxy that does not find us", nil},
			{"public_url", "error", "does not find davwopi behind it (502)", []string{"proxy_pass http://127.0.0.1:"}}}},
		{"another server at our address", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.serve(parse(t, docs), page(200, "<h1>Welcome to my NAS"))
			r.connect(theOffice, wopi.Collabora)
		}, []expected{
			{"wopi_access", "error", "it reached another server", nil},
			{"public_url", "error", "Another server answers", []string{"proxy_pass http://127.0.0.1:"}}}},
		{"a proxy that sends everybody to https", func(t *testing.T, r *rig) {
			r.behind("http://docs.home.example", nil)
			r.serve(parse(t, "http://docs.home.example"), http.RedirectHandler("https://docs.home.example/", http.StatusMovedPermanently))
		}, []expected{
			{"cookie", "warning", "unencrypted", nil},
			{"public_url", "error", "is sent on to https", []string{"public_url: https://docs.home.example"}},
			{"editors", "hint", "", nil}}},
		{"a sign-in page in front of us", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.serve(parse(t, docs), http.RedirectHandler("https://login.home.example/", http.StatusFound))
			r.connect(theOffice, wopi.Collabora)
		}, []expected{
			{"wopi_access", "error", "", nil},
			{"public_url", "error", "let requests below /wopi/ and /doctor/hello/ pass without", nil}}},
		{"a name that leads nowhere", func(t *testing.T, r *rig) {
			r.at("https://docs.invalid")
			r.connect(theOffice, wopi.Collabora).refuses = "HostNotFound"
		}, []expected{
			{"wopi_access", "error", "", nil},
			{"public_url", "error", "cannot be resolved", nil}}},
		{"a name that only Collabora knows", func(t *testing.T, r *rig) {
			hideNothing(r)
			r.WOPI = parse(t, "http://davwopi.invalid:8880")
			r.bridge.Hosts = append(r.bridge.Hosts, "davwopi.invalid")
			e := r.connect(theOffice, wopi.Collabora)
			e.http = toEverything(r.daemon)
			e.page.Set("Content-Security-Policy", "frame-ancestors https://docs.home.example")
		}, []expected{{"wopi_url", "warning", "If the editors do", nil}}},
		{"davwopi does not run", func(t *testing.T, r *rig) { hideNothing(r); r.Running = false; r.connect(theOffice, wopi.Collabora) },
			[]expected{{"daemon", "error", "does not run on this state directory", []string{"davwopi serve"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tt.build(t, r)
			compare(t, r.examine(), tt.want)
		})
	}
}

// compare wants exactly these findings, in any order of equals.
func compare(t *testing.T, report doctor.Report, want []expected) {
	t.Helper()
	got := unwell(report)
	for _, w := range want {
		found := false
		for i, g := range got {
			if g.Check != w.check || string(g.Severity) != w.severity || !strings.Contains(g.Text, w.text) {
				continue
			}
			found = true
			for _, p := range w.paste {
				if !strings.Contains(pasted(g), p) {
					t.Errorf("%s: nothing says %q:\n%s", g.Check, p, pasted(g))
				}
			}
			got = append(got[:i:i], got[i+1:]...)
			break
		}
		if !found {
			t.Errorf("missing: %s %s: %s", w.check, w.severity, w.text)
		}
	}
	for _, g := range got {
		t.Errorf("one more: %s %s about %q: %s", g.Check, g.Severity, g.About, g.Text)
	}
	for _, g := range report.Findings {
		if strings.ContainsAny(g.Text, "\n\r\x1b") || g.Text == "" || g.Check == "" {
			t.Errorf("not one line of words: %+v", g)
		}
	}
	for i := 1; i < len(report.Findings); i++ {
		if a, b := report.Findings[i-1].Severity, report.Findings[i].Severity; a == doctor.OK && b != doctor.OK || b == doctor.Error && a != doctor.Error {
			t.Errorf("%s stands before %s", a, b)
		}
	}
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func page(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// toEverything leads every name to one server.
func toEverything(s *httptest.Server) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", s.Listener.Addr().String()
		return http.DefaultTransport.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
