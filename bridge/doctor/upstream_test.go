package doctor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/doctor"
	"davwopi/davbackend"
	"davwopi/davbackend/profile"
	"davwopi/test/upstream"
)

// over makes the house stand next to a WebDAV server.
func (r *rig) over(client *davbackend.Client, service *davbackend.Credential) *access.Upstream {
	u := &access.Upstream{Name: "main", DisplayName: "Home NAS", Client: client, Service: service}
	r.Folder, r.Upstreams = "", []*access.Upstream{u}
	r.Facts = func(context.Context, string) (profile.Facts, bool, error) { return profile.Facts{}, false, nil }
	return u
}

func TestUpstream(t *testing.T) {
	answers := func(h http.HandlerFunc) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			s := httptest.NewServer(h)
			t.Cleanup(s.Close)
			r.over(&davbackend.Client{Base: parse(t, s.URL+"/dav/")}, &davbackend.Credential{Kind: "password", User: "svc", Secret: "hunter2"})
		}
	}
	for _, tt := range []struct {
		name  string
		build func(*testing.T, *rig)
		want  []expected
	}{
		{"a good one, not measured yet", func(t *testing.T, r *rig) {
			s := upstream.Strict(t)
			c := s.Credential()
			r.over(s.Client(t), &c)
		}, []expected{{"profile", "hint", "was not measured yet", []string{"davwopi doctor -probe"}}}},
		{"a good one where everybody comes with the own password", func(t *testing.T, r *rig) { r.over(upstream.Strict(t).Client(t), nil) },
			[]expected{{"profile", "hint", "not measured", []string{"davwopi doctor -probe -user NAME"}}}},
		{"one that asks nobody for a password", func(t *testing.T, r *rig) {
			s := upstream.Strict(t)
			c := s.Client(t)
			inner := c.Transport
			if inner == nil {
				inner = davbackend.NewTransport()
			}
			c.Transport = roundTripper(func(q *http.Request) (*http.Response, error) {
				q.SetBasicAuth(s.User, s.Password)
				return inner.RoundTrip(q)
			})
			r.over(c, nil)
		}, []expected{{"upstream", "warning", "asks nobody for a password", nil}, {"profile", "hint", "", nil}}},
		{"a wrong password", func(t *testing.T, r *rig) {
			s := upstream.Strict(t)
			r.over(s.Client(t), &davbackend.Credential{Kind: "password", User: s.User, Secret: "hunter2"})
		}, []expected{{"upstream", "error", "refuses the account", []string{"  user: NAME\n  password_file: "}}, {"profile", "hint", "", nil}}},
		{"one that is off", func(t *testing.T, r *rig) {
			s := httptest.NewServer(http.NotFoundHandler())
			s.Close()
			r.over(&davbackend.Client{Base: parse(t, s.URL)}, &davbackend.Credential{})
		}, []expected{{"upstream", "error", "connection refused", nil}, {"profile", "hint", "", nil}}},
		{"a certificate of one's own", func(t *testing.T, r *rig) {
			s := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(s.Close)
			r.over(&davbackend.Client{Base: parse(t, s.URL)}, &davbackend.Credential{})
		}, []expected{{"upstream", "error", "not signed by a known authority", []string{"  ca_file: /path/to/ca.pem"}}, {"profile", "hint", "", nil}}},
		{"no such folder", answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }),
			[]expected{{"upstream", "error", "has no such folder: /dav/", []string{"/remote.php/dav/files/NAME/"}}, {"profile", "hint", "", nil}}},
		{"forbidden", answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }),
			[]expected{{"upstream", "error", "does not let it see this folder", nil}, {"profile", "hint", "", nil}}},
		{"a web page", answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>DSM")) }),
			[]expected{{"upstream", "error", "not as a WebDAV server", nil}, {"profile", "hint", "", nil}}},
		{"one that sends on", answers(func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, "https://nas.home.example:5006/dav/?a=b", http.StatusMovedPermanently)
		}), []expected{{"upstream", "error", "sends us on to https://nas.home.example:5006/dav/.", []string{"  url: https://nas.home.example:5006/dav/"}}, {"profile", "hint", "", nil}}},
		{"a clock that is a day behind", answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-25*time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(401)
		}), []expected{{"clock", "warning", "hours behind ours", []string{"timedatectl"}}, {"upstream", "error", "refuses", nil}, {"profile", "hint", "", nil}}},
		{"plain http through the house", func(t *testing.T, r *rig) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }))
			t.Cleanup(s.Close)
			r.over(&davbackend.Client{Base: parse(t, "http://nas.home.example/dav/"), Transport: toEverything(s)}, nil)
		}, []expected{{"encryption", "hint", "unencrypted", []string{"upstream:\n  url: https://nas.home.example/dav/"}}, {"profile", "hint", "", nil}}},
		{"one that never answers", answers(func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body); <-q.Context().Done() }),
			[]expected{{"upstream", "error", "no answer in time", nil}, {"profile", "hint", "", nil}}},
		{"a measured one, rehearsed never", func(t *testing.T, r *rig) {
			s := upstream.Strict(t)
			c := s.Credential()
			r.over(s.Client(t), &c).Client.Learn(facts(t, "nginx").Profile())
			r.Facts = func(context.Context, string) (profile.Facts, bool, error) { return facts(t, "nginx"), true, nil }
			r.Rehearsed = func(context.Context, string) (time.Time, int, error) { return time.Time{}, 0, nil }
		}, []expected{{"edits", "hint", "", nil}, {"ids", "hint", "", nil}, {"desktop", "warning", "", nil}, {"restart", "hint", "", nil}, {"rehearsal", "hint", "never played through", []string{"davwopi rehearse"}}}},
		{"facts that cannot be read", func(t *testing.T, r *rig) {
			s := upstream.Strict(t)
			c := s.Credential()
			r.over(s.Client(t), &c)
			r.Facts = func(context.Context, string) (profile.Facts, bool, error) {
				return profile.Facts{}, false, errors.New("database is locked; secret path")
			}
		}, []expected{{"profile", "warning", "could not be read", nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tt.build(t, r)
			report := r.examine()
			compare(t, report, append(tt.want, expected{"editors", "hint", "", nil}))
			for _, f := range report.Findings {
				if strings.Contains(f.Text+pasted(f), "hunter2") || strings.Contains(f.Text, "secret path") {
					t.Errorf("a secret: %+v", f)
				}
			}
		})
	}
}

func TestMeasuringThatFails(t *testing.T) {
	for err, want := range map[error]string{
		context.DeadlineExceeded: "no answer within",
		access.ErrNeedsSignIn:    "Say with whose",
	} {
		if got := doctor.Unmeasured("main", "Home NAS", err); got.Severity != doctor.Warning || !strings.Contains(got.Text, want) || got.About != "main" {
			t.Errorf("%+v", got)
		}
	}
}

func TestTheFolder(t *testing.T) {
	for _, tt := range []struct {
		name     string
		folder   func(t *testing.T) string
		severity doctor.Severity
		text     string
	}{
		{"there", func(t *testing.T) string { return t.TempDir() }, doctor.OK, "is served by davwopi itself"},
		{"not yet", func(t *testing.T) string { return filepath.Join(t.TempDir(), "x") }, doctor.Hint, "is not there yet"},
		{"a file", func(t *testing.T) string {
			name := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return name
		}, doctor.Error, "is no folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.Folder = tt.folder(t)
			got := has(r.examine(), "upstream")
			if len(got) != 1 || got[0].Severity != tt.severity || !strings.Contains(got[0].Text, tt.text) {
				t.Errorf("%+v", got)
			}
		})
	}
}
