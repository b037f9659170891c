package davbackend_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

func active(token, owner, timeout string) string {
	href := ""
	if token != "" {
		href = "<d:locktoken><d:href>" + token + "</d:href></d:locktoken>"
	}
	return "<d:activelock><d:lockscope><d:exclusive/></d:lockscope><d:depth>0</d:depth><d:owner>" + owner + "</d:owner><d:timeout>" + timeout + "</d:timeout>" + href + "</d:activelock>"
}

func lockAnswer(locks ...string) string {
	return `<?xml version="1.0"?><d:prop xmlns:d="DAV:"><d:lockdiscovery>` + strings.Join(locks, "") + "</d:lockdiscovery></d:prop>"
}

func TestLockRequest(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.Header().Set("Lock-Token", "<t:1>")
		fmt.Fprint(w, lockAnswer(active("t:1", "Jane &amp; co", "Second-600")))
	})
	l, created, err := w.view().Lock(t.Context(), "/a", davbackend.LockRequest{Owner: "Jane & <co>", Timeout: 30 * time.Minute})
	if err != nil || created || l.Token != "t:1" || l.Timeout != 10*time.Minute || !l.Exclusive {
		t.Errorf("%+v, %v, %v", l, created, err)
	}
	s := w.last(t, "LOCK")
	if s.Header.Get("Timeout") != "Second-1800" || s.Header.Get("Depth") != "0" || !strings.HasPrefix(s.Header.Get("Content-Type"), "application/xml") ||
		!strings.Contains(s.Body, "Jane &amp; &lt;co&gt;") || !strings.Contains(s.Body, "exclusive") || s.Header.Get("If") != "" {
		t.Errorf("%+v", s)
	}
}

func TestLockAnswers(t *testing.T) {
	for _, c := range []struct {
		name, header, body string
		code               int
		token              dav.LockToken // "" refused
		timeout            time.Duration
		created            bool
		err                error
	}{
		{"header and body", "<t:1>", lockAnswer(active("t:1", "me", "Second-60")), 200, "t:1", time.Minute, false, nil},
		{"201 made a file", "<t:1>", lockAnswer(active("t:1", "me", "Second-60")), 201, "t:1", time.Minute, true, nil},
		{"no header", "", lockAnswer(active("t:1", "me", "Infinite")), 200, "t:1", 0, false, nil},
		{"no header, several locks: ours by owner", "", lockAnswer(active("t:0", "you", "Second-9"), active("t:1", "me", "Second-60")), 200, "t:1", time.Minute, false, nil},
		{"the token of the header counts", "<t:1>", lockAnswer(active("t:0", "you", "Second-9"), active("t:1", "x", "Second-60")), 200, "t:1", time.Minute, false, nil},
		{"body without locks", "<t:1>", lockAnswer(), 200, "t:1", 0, false, nil},
		{"body that cannot be read must not lose the token", "<t:1>", "<html><br>", 200, "t:1", 0, false, nil},
		{"empty body", "<t:1>", "", 200, "t:1", 0, false, nil},
		{"undeclared prefix in the owner (OpenCloud)", "<t:1>", strings.Replace(lockAnswer(active("t:1", "<D:href>me</D:href>", "Second-60")), "?>", "?><!-- -->", 1), 200, "t:1", time.Minute, false, nil},
		{"a bare number (x/net)", "<1795194497>", lockAnswer(active("1795194497", "", "Second-0")), 201, "1795194497", 0, true, nil},
		{"no token anywhere", "", lockAnswer(active("", "me", "Second-60")), 200, "", 0, false, dav.ErrUnavailable},
		{"a token that cannot be shown", "<a b>", lockAnswer(active("a b", "me", "Second-60")), 200, "", 0, false, dav.ErrUnavailable},
		{"no locks here (nginx without a zone)", "", "", 405, "", 0, false, dav.ErrUnsupported},
		{"class 1 (Nextcloud)", "", "", 501, "", 0, false, dav.ErrUnsupported},
		{"204 is no lock", "", "", 204, "", 0, false, dav.ErrUnsupported},
		{"RFC 4918 9.10.8: 207 with 423", "", `<multistatus xmlns="DAV:"><response><href>/base/a</href><status>HTTP/1.1 423 Locked</status></response></multistatus>`, 207, "", 0, false, dav.ErrLocked},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			if r.Method == "PROPFIND" {
				w.WriteHeader(404)
				return
			}
			if c.header != "" {
				w.Header().Set("Lock-Token", c.header)
			}
			w.WriteHeader(c.code)
			fmt.Fprint(w, c.body)
		})
		l, created, err := w.view().Lock(t.Context(), "/a", davbackend.LockRequest{Owner: "me", Timeout: time.Minute})
		if !errors.Is(err, c.err) || c.err == nil && err != nil || l.Token != c.token || l.Timeout != c.timeout || created != c.created {
			t.Errorf("%s: %+v, %v, %v", c.name, l, created, err)
		}
	}
}

func TestLockNamesTheHolder(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if r.Method == "PROPFIND" {
			multi(w, file("/base/a", "<d:lockdiscovery>"+active("t:1", "Jane", "Second-60")+"</d:lockdiscovery>"))
			return
		}
		w.WriteHeader(423)
	})
	_, _, err := w.view().Lock(t.Context(), "/a", davbackend.LockRequest{Owner: "me"})
	var locked *davbackend.LockedError
	if !errors.As(err, &locked) || locked.Holder != "Jane" {
		t.Error(err)
	}
}

func TestRefresh(t *testing.T) {
	for _, c := range []struct {
		name, body string
		code       int
		want       time.Duration
		err        error
	}{
		{"granted", lockAnswer(active("t:1", "me", "Second-600")), 200, 10 * time.Minute, nil},
		{"among others", lockAnswer(active("t:0", "you", "Second-9"), active("t:1", "me", "Second-600")), 200, 10 * time.Minute, nil},
		{"infinite (OpenCloud)", lockAnswer(active("t:1", "me", "Infinity")), 200, 0, nil},
		{"no token told (x/net)", lockAnswer(active("", "me", "Second-600")), 200, 0, nil},
		{"unreadable", "<html><br>", 200, 0, nil},
		{"another lock is there (lighttpd accepts any token)", lockAnswer(active("t:0", "you", "Second-9")), 200, 0, dav.ErrChanged},
		{"412: gone", "", 412, 0, dav.ErrChanged},
		{"423: gone", "", 423, 0, dav.ErrLocked},
		{"404: the file is gone", "", 404, 0, dav.ErrNotFound},
		{"201 made something new", "", 201, 0, dav.ErrChanged},
		{"503 says nothing", "", 503, 0, dav.ErrUnavailable},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			w.WriteHeader(c.code)
			fmt.Fprint(w, c.body)
		})
		got, err := w.view().RefreshLock(t.Context(), "/a", "t:1", 30*time.Minute)
		if got != c.want || !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
		s := w.last(t, "LOCK")
		if s.Header.Get("If") != "(<t:1>)" || s.Header.Get("Timeout") != "Second-1800" || s.Body != "" || s.Header.Get("Content-Type") != "" {
			t.Errorf("%s: RFC 4918 9.10.2: %+v", c.name, s)
		}
	}
}

// nginx makes a new lock when it does not know the old one.
func TestRefreshThatMadeALockReleasesIt(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if r.Method == "UNLOCK" {
			w.WriteHeader(204)
			return
		}
		w.Header().Set("Lock-Token", "<t:new>")
		fmt.Fprint(w, lockAnswer(active("t:new", "", "Second-60")))
	})
	if _, err := w.view().RefreshLock(t.Context(), "/a", "t:1", time.Minute); !errors.Is(err, dav.ErrChanged) {
		t.Error(err)
	}
	if s := w.last(t, "UNLOCK"); s.Header.Get("Lock-Token") != "<t:new>" {
		t.Errorf("released %v", s.Header)
	}
}

func TestUnlock(t *testing.T) {
	for code, want := range map[int]error{204: nil, 200: nil, 409: dav.ErrChanged, 400: dav.ErrChanged, 412: dav.ErrChanged, 423: dav.ErrLocked, 404: dav.ErrNotFound, 500: dav.ErrUnavailable} {
		w := serve(t, status(code))
		err := w.view().Unlock(t.Context(), "/a", "t:1")
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%d: %v", code, err)
		}
		if s := w.last(t, "UNLOCK"); s.Header.Get("Lock-Token") != "<t:1>" || s.Header.Get("If") != "" {
			t.Errorf("%d: %v", code, s.Header)
		}
	}
}

func TestSetProps(t *testing.T) {
	name := dav.PropName{Space: "urn:x", Local: "stamp"}
	there := `<n:stamp xmlns:n="urn:x">1</n:stamp>`
	for _, c := range []struct {
		name   string
		code   int
		body   string
		after  string // properties found afterwards
		stored bool
		err    error
	}{
		{"stored", 207, file("/base/a", `<n:stamp xmlns:n="urn:x"/>`), there, true, nil},
		{"204 without a body (lighttpd)", 204, "", there, true, nil},
		{"200 and nothing stored (rclone)", 200, "", "", false, nil},
		{"refused for each (x/net)", 207, strings.Replace(file("/base/a", `<n:stamp xmlns:n="urn:x"/>`), "200 OK", "403 Forbidden", 1), "", false, nil},
		{"405 (nginx)", 405, "", "", false, nil},
		{"403 (SFTPGo)", 403, "", "", false, nil},
		{"locked", 423, "", "", false, dav.ErrLocked},
		{"locked, inside", 207, strings.Replace(file("/base/a", `<n:stamp xmlns:n="urn:x"/>`), "200 OK", "423 Locked", 1), "", false, dav.ErrLocked},
		{"full", 507, "", "", false, dav.ErrFull},
		{"gone", 404, "", "", false, dav.ErrNotFound},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			switch {
			case r.Method == "PROPFIND":
				multi(w, file("/base/a", c.after))
			case c.code == 207:
				multi(w, c.body)
			default:
				w.WriteHeader(c.code)
			}
		})
		got, err := w.view().SetProps(t.Context(), "/a", map[dav.PropName]string{name: "1"}, davbackend.Condition{Token: "t:1"})
		if !errors.Is(err, c.err) || c.err == nil && err != nil || (got[name] == "1") != c.stored {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
		if s := w.last(t, "PROPPATCH"); !strings.Contains(s.Header.Get("If"), "<t:1>") {
			t.Errorf("%s: lock not shown", c.name)
		}
	}
	w := serve(t, status(500))
	if got, err := w.view().SetProps(t.Context(), "/a", nil, davbackend.Condition{}); err != nil || len(got) != 0 || len(w.requests()) != 0 {
		t.Errorf("nothing to set: %v, %v, %v", got, err, w.requests())
	}
}
