package davbackend_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

var ann = davbackend.Credential{Kind: "password", User: "ann", Secret: "pass: wörd"}

func TestCredentialHidesItsSecret(t *testing.T) {
	for _, c := range []davbackend.Credential{ann, {Kind: "bearer", Secret: "pass: wörd"}, {}} {
		for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%s %v", c, []davbackend.Credential{c})} {
			if strings.Contains(s, "wörd") {
				t.Errorf("secret in %q", s)
			}
		}
	}
}

// basic lets ann in, and says Basic to the others.
func basic(w http.ResponseWriter, r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	if ok && user == ann.User && password == ann.Secret {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Negotiate, Basic realm="a, \"b\"", charset="UTF-8"`)
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

func TestBasic(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if basic(w, r) {
			multi(w, file("/base/a", ""))
		}
	})
	first := w.As(ann)
	for range 3 {
		if _, err := first.Stat(t.Context(), "/a"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.requests()); n != 4 {
		t.Errorf("the challenge must be learned once: %d requests", n)
	}
	if got := w.seen[0].Header.Get("Authorization"); got != "" {
		t.Error("a password was sent before anybody asked for Basic")
	}
	wrong := davbackend.Credential{Kind: "password", User: "ann", Secret: "x"}
	if _, err := w.As(wrong).Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrUnauthorized) || strings.Contains(err.Error(), "\"x\"") {
		t.Errorf("wrong password: %v", err)
	}
	if n := len(w.requests()); n != 5 {
		t.Errorf("a refused password must not be sent again: %v", w.requests())
	}
}

func TestBodyIsNotSentBeforeTheChallengeIsKnown(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if basic(w, r) {
			w.WriteHeader(204)
		}
	})
	for range 2 {
		if err := w.As(ann).Put(t.Context(), "/a", body("hello"), davbackend.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	var puts int
	for _, s := range w.seen {
		if s.Method == "PUT" {
			puts++
		}
	}
	if puts != 2 {
		t.Errorf("bodies were sent %d times: %v", puts, w.requests())
	}
}

// Reading needs no password, writing does: the body is opened anew.
func TestPutIsRepeatedAfterAChallenge(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if r.Method == "PROPFIND" {
			multi(w, file("/base/", isCollection))
		} else if basic(w, r) {
			w.WriteHeader(204)
		}
	})
	if err := w.As(ann).Put(t.Context(), "/a", body("hello"), davbackend.Condition{}); err != nil {
		t.Fatal(err)
	}
	if s := w.last(t, "PUT"); s.Body != "hello" || s.Length != 5 {
		t.Errorf("%+v", s)
	}
}

func TestBearer(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if r.Header.Get("Authorization") != "Bearer abc.def" {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", Basic realm="x"`)
			w.WriteHeader(401)
			return
		}
		multi(w, file("/base/a", ""))
	})
	if _, err := w.As(davbackend.Credential{Kind: "bearer", Secret: "abc.def"}).Stat(t.Context(), "/a"); err != nil || len(w.requests()) != 1 {
		t.Errorf("%v, %v", err, w.requests())
	}
	if _, err := w.As(davbackend.Credential{Kind: "bearer", Secret: "old"}).Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrUnauthorized) || len(w.requests()) != 2 {
		t.Errorf("a refused token must not be shown again, nor as Basic: %v, %v", err, w.requests())
	}
}

// TestARefusedBearerTokenIsRenewedOnce: the request is sent again with its whole body, later ones begin with the
// new token, and a token that is refused again stays refused.
func TestARefusedBearerTokenIsRenewedOnce(t *testing.T) {
	good := "new"
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if r.Header.Get("Authorization") != "Bearer "+good {
			w.WriteHeader(401)
			return
		}
		w.WriteHeader(201)
	})
	asked := 0
	v := w.As(davbackend.Credential{Kind: "bearer", Secret: "old"}).Renewing(func(_ context.Context, refused string) (string, error) {
		if asked++; refused != "old" && refused != "new" {
			t.Errorf("told that %q was refused", refused)
		}
		return "new", nil
	})
	for range 2 {
		if err := v.Put(t.Context(), "/a", body("hello"), davbackend.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.last(t, "PUT"); s.Body != "hello" || len(w.requests()) != 3 || asked != 1 {
		t.Errorf("%+v, %d requests, asked %d times", s, len(w.requests()), asked)
	}
	good = "another"
	if err := v.Put(t.Context(), "/a", body("hello"), davbackend.Condition{}); !errors.Is(err, dav.ErrUnauthorized) || len(w.requests()) != 4 {
		t.Errorf("%v after %d requests", err, len(w.requests()))
	}
}

func TestCredentialsThatCannotBeSent(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) { basic(w, r) })
	for name, c := range map[string]davbackend.Credential{
		"line break in a bearer token": {Kind: "bearer", Secret: "a\r\nX: y"},
		"empty bearer token":           {Kind: "bearer"},
		"control character":            {Kind: "password", User: "a\x00", Secret: "b"},
		"unknown kind":                 {Kind: "kerberos", Secret: "b"},
	} {
		_, err := w.As(c).Stat(t.Context(), "/a")
		if !errors.Is(err, dav.ErrUnauthorized) || len(w.requests()) != 0 {
			t.Errorf("%s: %v, %v", name, err, w.requests())
		}
	}
	if _, err := w.As(davbackend.Credential{Kind: "password", User: "a:b", Secret: "c"}).Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrUnauthorized) || len(w.requests()) != 1 {
		t.Errorf("colon in the user name: %v, %v", err, w.requests())
	}
	if _, err := w.As(davbackend.Credential{}).Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrUnauthorized) {
		t.Errorf("none: %v", err)
	}
}

// No redirect carries a credential to another place, whatever the method.
func TestCredentialsStayHome(t *testing.T) {
	stranger := serve(t, status(200))
	w := serve(t, func(w http.ResponseWriter, r *http.Request, s seen) {
		if basic(w, r) {
			w.Header().Set("Location", strings.Replace(stranger.Base.String(), "/base/", s.URI+"/", 1))
			w.WriteHeader(307)
		}
	})
	for _, call := range every(t.Context(), w.As(ann), "/a") {
		if err := call(); !errors.Is(err, dav.ErrUnavailable) {
			t.Errorf("redirect: %v", err)
		}
	}
	if got := stranger.requests(); len(got) != 0 {
		t.Errorf("the stranger was asked: %v", got)
	}
}

// A digestServer checks Digest as RFC 7616 3.4 says.
type digestServer struct {
	algorithm string // "" is MD5 and is not sent
	qop       string // "" RFC 2069
	hash      func() hash.Hash
	info      bool // sends nextnonce

	mu    sync.Mutex
	nonce string         // guarded by mu
	last  map[string]int // guarded by mu: highest nc of each nonce
	asked int            // guarded by mu: 401s
	stale bool           // guarded by mu: next challenge says stale
}

func (d *digestServer) h(s string) string {
	h := d.hash()
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

var digestParam = regexp.MustCompile(`(\w+)=("(?:[^"\\]|\\.)*"|[^", ]+)`)

func (d *digestServer) allow(w http.ResponseWriter, r *http.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := map[string]string{}
	for _, m := range digestParam.FindAllStringSubmatch(r.Header.Get("Authorization"), -1) {
		p[m[1]] = strings.ReplaceAll(strings.Trim(m[2], `"`), `\`, "")
	}
	a1 := d.h("ann:the \"realm\":" + ann.Secret)
	if strings.HasSuffix(d.algorithm, "-sess") {
		a1 = d.h(a1 + ":" + p["nonce"] + ":" + p["cnonce"])
	}
	a2 := d.h(r.Method + ":" + r.RequestURI)
	want := d.h(a1 + ":" + p["nonce"] + ":" + a2)
	if d.qop != "" {
		want = d.h(strings.Join([]string{a1, p["nonce"], p["nc"], p["cnonce"], "auth", a2}, ":"))
	}
	var count int
	fmt.Sscanf(p["nc"], "%x", &count)
	fresh := p["nonce"] == d.nonce && (d.qop == "" || count == d.last[d.nonce]+1)
	if p["response"] == want && p["uri"] == r.RequestURI && p["opaque"] == "o" && p["username"] == "ann" && fresh {
		d.last[d.nonce] = count
		if d.info {
			d.nonce += "+"
			w.Header().Set("Authentication-Info", fmt.Sprintf(`qop=auth, nextnonce="%s"`, d.nonce))
		}
		return true
	}
	d.asked++
	challenge := fmt.Sprintf(`Digest realm="the \"realm\"", nonce="%s", opaque="o"`, d.nonce)
	if d.qop != "" {
		challenge += fmt.Sprintf(`, qop="%s"`, d.qop)
	}
	if d.algorithm != "" {
		challenge += ", algorithm=" + d.algorithm
	}
	if d.stale {
		challenge += ", stale=TRUE"
	}
	w.Header().Add("WWW-Authenticate", `Basic realm="x"`)
	w.Header().Add("WWW-Authenticate", challenge)
	w.WriteHeader(401)
	return false
}

func (d *digestServer) renew(nonce string, stale bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nonce, d.stale = nonce, stale
}

func TestDigest(t *testing.T) {
	for _, d := range []*digestServer{
		{hash: md5.New},
		{hash: md5.New, qop: "auth,auth-int"},
		{hash: md5.New, algorithm: "MD5", qop: "auth"},
		{hash: md5.New, algorithm: "MD5-sess", qop: "auth"},
		{hash: sha256.New, algorithm: "SHA-256", qop: "auth"},
		{hash: sha256.New, algorithm: "SHA-256-sess", qop: "auth", info: true},
	} {
		name := fmt.Sprintf("%s, qop %q", d.algorithm, d.qop)
		d.last = map[string]int{}
		d.renew("n1", false)
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			if !d.allow(w, r) {
				return
			}
			if r.Method == "PROPFIND" {
				multi(w, file("/base/a%20b", ""))
				return
			}
			w.WriteHeader(204)
		})
		stat := func(cred davbackend.Credential) error {
			_, err := w.As(cred).Stat(t.Context(), "/a b")
			return err
		}
		put := func() error { return w.As(ann).Put(t.Context(), "/a b", body("x"), davbackend.Condition{}) }
		for i, f := range []func() error{put, put, func() error { return stat(ann) }} {
			if err := f(); err != nil {
				t.Errorf("%s, request %d: %v", name, i, err)
			}
		}
		if d.asked != 1 {
			t.Errorf("%s: challenged %d times, the nonce is not kept", name, d.asked)
		}
		d.renew("n2", true)
		if err := put(); err != nil || d.asked != 2 {
			t.Errorf("%s, stale nonce: %v after %d challenges", name, err, d.asked)
		}
		d.renew("n3", false)
		if err := put(); err != nil || d.asked != 3 {
			t.Errorf("%s, restart of the server: %v after %d challenges", name, err, d.asked)
		}
		wrong := davbackend.Credential{Kind: "password", User: "ann", Secret: "x"}
		before := d.asked
		if err := stat(wrong); !errors.Is(err, dav.ErrUnauthorized) || d.asked-before > 2 {
			t.Errorf("%s, wrong password: %v after %d challenges", name, err, d.asked-before)
		}
		for _, s := range w.seen {
			if strings.HasPrefix(s.Header.Get("Authorization"), "Basic") {
				t.Errorf("%s: the password went out as Basic although Digest was offered", name)
			}
		}
	}
}

// A server that calls every nonce stale must not be asked for ever.
func TestEndlessChallenges(t *testing.T) {
	n := 0
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
		n++
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest realm="x", nonce="%d", stale=true, qop="auth"`, n))
		w.WriteHeader(401)
	})
	if _, err := w.As(ann).Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrUnauthorized) || n > 5 {
		t.Errorf("%v after %d requests", err, n)
	}
}
