package binary

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"davwopi/test/daemon"
	"davwopi/test/idp"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// A tokenGate lets requests through to a WebDAV server if the provider says whose token they show.
type tokenGate struct {
	userInfo string
	next     http.Handler

	mu    sync.Mutex
	ended map[string]bool // tokens that count no longer
	seen  []string        // tokens, each once, in order
}

func (g *tokenGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !g.good(r, token) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.Header.Del("Authorization")
	g.next.ServeHTTP(w, r)
}

func (g *tokenGate) good(r *http.Request, token string) bool {
	g.mu.Lock()
	known, ended := slices.Contains(g.seen, token), g.ended[token]
	g.mu.Unlock()
	if ended || known {
		return !ended
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, g.userInfo, nil)
	if err != nil {
		return false
	}
	ask.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = append(g.seen, token)
	return true
}

// end makes every token that was seen count no longer; it returns how many there were.
func (g *tokenGate) end() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, token := range g.seen {
		g.ended[token] = true
	}
	return len(g.seen)
}

// TestTheUpstreamSeesEachPersonsToken, renewed when it ends in the middle of an editing, also after a restart.
func TestTheUpstreamSeesEachPersonsToken(t *testing.T) {
	needDaemon(t)
	listen := freeAddress(t)
	p := idp.Panva(t, idp.Options{Redirect: "http://" + listen + "/signin/callback", Office: "https://localhost", Gone: "http://" + listen + "/signedout", API: "x"})
	s := upstream.Apache(t)
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		r.Out.SetBasicAuth(s.User, s.Password)
	}}
	gate := &tokenGate{userInfo: p.Issuer + "/me", next: pass, ended: map[string]bool{}}
	proxy := httptest.NewServer(gate)
	t.Cleanup(proxy.Close)
	put(t, s.Dir, "Report.txt", "first")
	d := daemon.StartAt(t, fmt.Sprintf(`upstream: {url: %q, auth: bearer, roots: shared}
sign_in: {oidc: {issuer: %q, client_id: davwopi, client_secret: s3cret}}
`, proxy.URL+target.Path, p.Issuer), listen)
	v := idp.NewVisitor(t, p.User, p.Password, "")
	list := v.Go(d.URL + "/")
	m := editLink.FindStringSubmatch(list.Body)
	if m == nil {
		t.Fatalf("after sign-in: %s", list)
	}
	edit := v.Go(d.URL + m[1])
	token, source := pageToken.FindStringSubmatch(edit.Body), wopiSource.FindStringSubmatch(edit.Body)
	if token == nil || source == nil {
		t.Fatalf("no host page: %s", edit)
	}
	src, err := url.QueryUnescape(source[1])
	if err != nil {
		t.Fatal(err)
	}
	c := &office.Client{WOPISrc: src, AccessToken: token[1]}
	must2(t)(c.Lock(t.Context(), "L"))
	for i, text := range []string{"second", "third"} {
		before := gate.end()
		must2(t)(c.PutFile(t.Context(), "L", []byte(text), nil))
		if got := read(t, s.Dir, "Report.txt"); got != text {
			t.Errorf("on disk: %q", got)
		}
		if after := gate.end(); after == before {
			t.Errorf("save %d was let in with an old token", i)
		}
		d.Kill()
		d.Restart()
	}
	must2(t)(c.Unlock(t.Context(), "L"))
	for _, token := range gate.seen {
		if strings.Contains(d.Log(), token) {
			t.Error("the log has a token")
		}
	}
}
