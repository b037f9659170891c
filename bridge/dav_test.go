package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/oauth"
)

// door is one that lets "right" in and says what came through.
func door(rules ...access.Rule) *DAVDoor {
	return &DAVDoor{
		Server: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }),
		Prefix: "/office/dav",
		Check: func(_ context.Context, user, password string) (oauth.AppPassword, error) {
			switch password {
			case "right":
				return oauth.AppPassword{Principal: oauth.Principal{Issuer: "link", Subject: "owner"}}, nil
			case "broken":
				return oauth.AppPassword{}, errors.New("disk gone")
			}
			return oauth.AppPassword{}, fmt.Errorf("no: %w", oauth.ErrAppPassword)
		},
		Rules: rules, Upstream: "main", Fault: func(*http.Request, error) {},
	}
}

func TestDAVAsksForAnAppPassword(t *testing.T) {
	for _, c := range []struct {
		password string
		status   int
	}{{"", 401}, {"wrong", 401}, {strings.Repeat("x", 300), 401}, {"broken", 500}, {"right", 200}} {
		for _, method := range []string{"GET", "OPTIONS", "PROPFIND", "PUT"} {
			r := httptest.NewRequest(method, "/dav/a/b.html", nil)
			if c.password != "" {
				r.SetBasicAuth("me", c.password)
			}
			w := httptest.NewRecorder()
			door().ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("%s %.9q: %d", method, c.password, w.Code)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %.9q: may be sniffed", method, c.password)
			}
			if c.status == 200 && method == "GET" && (w.Body.String() != "/a/b.html" || w.Header().Get("Content-Disposition") == "" ||
				w.Header().Get("Content-Security-Policy") != "sandbox; default-src 'none'") {
				t.Errorf("%s %v", w.Body, w.Header())
			}
		}
	}
}

func TestDAVKeepsTheRules(t *testing.T) {
	all := []string{"*"}
	d := door(
		access.Rule{Who: all, Path: "/read", Rights: access.View},
		access.Rule{Who: all, Path: "/read/mine", Rights: access.Edit},
		access.Rule{Who: all, Path: "/mixed/hidden"},
		access.Rule{Who: all, Path: "/mixed/hidden/shown", Rights: access.View},
	)
	for _, c := range []struct {
		method, path, depth, to string
		want                    int
	}{
		{"GET", "/free/a", "", "", 200}, {"PUT", "/free/a", "", "", 200}, {"DELETE", "/free", "", "", 200},
		{"GET", "/read/a", "", "", 200}, {"PUT", "/read/a", "", "", 403}, {"LOCK", "/read/a", "", "", 403},
		{"PROPPATCH", "/read/a", "", "", 403}, {"MKCOL", "/read/a/", "", "", 403}, {"DELETE", "/read/a", "", "", 403},
		{"UNLOCK", "/read/a", "", "", 403}, {"POST", "/read/a", "", "", 403}, {"BREW", "/read/a", "", "", 403},
		{"PUT", "/read/mine/a", "", "", 200}, {"DELETE", "/read/mine", "", "", 200}, {"DELETE", "/read", "", "", 403},
		{"GET", "/mixed/hidden/a", "", "", 404}, {"PUT", "/mixed/hidden/a", "", "", 404}, {"PROPFIND", "/mixed/hidden", "0", "", 404},
		{"GET", "/mixed/hidden/shown", "", "", 200}, {"PROPFIND", "/mixed/hidden/shown", "1", "", 200},
		{"PROPFIND", "/", "1", "", 200}, {"PROPFIND", "/mixed/", "0", "", 200},
		{"PROPFIND", "/mixed/", "1", "", 403}, {"PROPFIND", "/mixed/", "", "", 403}, {"PROPFIND", "/mixed/", "00", "", 403},
		{"DELETE", "/mixed", "", "", 403}, {"LOCK", "/mixed", "infinity", "", 403}, {"PUT", "/mixed/a", "", "", 200},
		{"COPY", "/read/a", "", "/office/dav/free/a", 200}, {"MOVE", "/read/a", "", "/office/dav/free/a", 403},
		{"COPY", "/mixed", "", "/office/dav/free/m", 403}, {"COPY", "/mixed/hidden/a", "", "/office/dav/free/a", 404},
		{"COPY", "/free/a", "", "/office/dav/read/a", 403}, {"MOVE", "/free/a", "", "http://docs.example/office/dav/read/a", 403},
		{"MOVE", "/free/a", "", "/office/dav/mixed/hidden/a", 403}, {"MOVE", "/free/a", "", "/office/dav/mixed", 403},
		{"MOVE", "/free/a", "", "/office/dav/mi%78ed/hidden/a", 403}, {"MOVE", "/free/a", "", "/office/dav/free/../read/a", 400},
		{"MOVE", "/free/a", "", "/office/dav//read/a", 403}, {"MOVE", "/free/a", "", "/read/a", 502}, {"MOVE", "/free/a", "", "%zz", 400},
		{"MOVE", "/free/a", "", "/office/dav/free/b", 200}, {"OPTIONS", "/mixed/hidden", "", "", 200},
	} {
		r := httptest.NewRequest(c.method, "/dav"+c.path, nil)
		r.SetBasicAuth("me", "right")
		if c.depth != "" {
			r.Header.Set("Depth", c.depth)
		}
		if c.to != "" {
			r.Header.Set("Destination", c.to)
		}
		w := httptest.NewRecorder()
		if d.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%s %s depth %q to %q: %d, want %d", c.method, c.path, c.depth, c.to, w.Code, c.want)
		}
	}
}
