package web_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/idp"
)

// withProvider is a house where people sign in at p.
func withProvider(t *testing.T, p *idp.Provider, secure bool) *house {
	t.Helper()
	return withProviderAnd(t, p, secure, func(*house) {})
}

// withProviderAnd is withProvider with more.
func withProviderAnd(t *testing.T, p *idp.Provider, secure bool, more func(*house)) *house {
	t.Helper()
	return newHouse(t, func(h *house) {
		more(h)
		sealer, err := oauth.NewSealer(bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		o := &oauth.OIDC{
			Provider: &oauth.Provider{Issuer: p.URL, Transport: p.Client().Transport},
			ClientID: "davwopi", ClientSecret: "s3cret", Redirect: h.CallbackURL(),
		}
		if err := o.Open(t.Context(), h.db, sealer); err != nil {
			t.Fatal(err)
		}
		people, err := oauth.NewProviderTokens(t.Context(), h.db, sealer, o)
		if err != nil {
			t.Fatal(err)
		}
		h.Provider, h.Secure = &web.Provider{OIDC: o, People: people, Name: "Example ID"}, secure
	})
}

// back is the address to which the provider sends a browser that went to where.
func back(t *testing.T, p *idp.Provider, where answer) string {
	t.Helper()
	if where.status != http.StatusSeeOther || !strings.HasPrefix(where.header.Get("Location"), p.URL+"/authorize?") {
		t.Fatalf("not sent to the provider: %d to %q", where.status, where.header.Get("Location"))
	}
	return "/signin/callback?" + p.Authorize(t, where.header.Get("Location")).Encode()
}

func TestSignInAtAProvider(t *testing.T) {
	p := idp.New(t, time.Now)
	h := withProvider(t, p, false)
	h.up.Write(t, "a.txt", "hello")
	b := h.browser()
	first := b.get("/")
	if first.header.Get("Location") != "/signin" {
		t.Fatalf("to %q", first.header.Get("Location"))
	}
	in := b.get(back(t, p, b.get("/signin")))
	if in.status != http.StatusSeeOther || in.header.Get("Location") != "/" {
		t.Fatalf("%d to %q\n%s", in.status, in.header.Get("Location"), in.body)
	}
	list := b.get("/")
	contains(t, list.body, "Mira Holt", "a.txt", "Sign out")
	edit := "/edit/" + list.id(t, "a.txt")
	token := b.get(edit).token(t)

	// Somebody else, who wanted to see a document.
	other := h.browser()
	if got := other.get(back(t, p, other.get("/signin?next="+url.QueryEscape(edit)))); got.header.Get("Location") != edit {
		t.Errorf("to %q, want %q", got.header.Get("Location"), edit)
	}
	// Nobody gets sent elsewhere.
	evil := h.browser()
	if got := evil.get(back(t, p, evil.get("/signin?next="+url.QueryEscape("https://evil.example/")))); got.header.Get("Location") != "/" {
		t.Errorf("to %q", got.header.Get("Location"))
	}

	out := b.post("/signout", nil)
	contains(t, out.body, "You are signed out here", "Example ID", p.URL+"/logout?")
	refresh, err := url.Parse(strings.TrimPrefix(out.header.Get("Refresh"), "1; url="))
	if err != nil || refresh.Query().Get("id_token_hint") == "" || refresh.Query().Get("post_logout_redirect_uri") != h.GoneURL() {
		t.Errorf("goes on to %q", out.header.Get("Refresh"))
	}
	if got := b.get("/signedout"); got.header.Get("Location") != "/signin?why=bye" {
		t.Errorf("back to %q", got.header.Get("Location"))
	}
	contains(t, b.get("/signin?why=bye").body, "You are signed out.", "Sign in with Example ID")
	if _, err := h.Tokens.Open(t.Context(), token, h.grantFile(edit[len("/edit/"):])); err == nil {
		t.Error("the token outlived its session")
	}
}

// TestSignInAtAProviderGoesWrong: every refusal is a page that says what happened and how to go on.
func TestSignInAtAProviderGoesWrong(t *testing.T) {
	p := idp.New(t, time.Now)
	h := withProvider(t, p, false)
	mine, theirs := h.browser(), h.browser()
	started := back(t, p, mine.get("/signin"))
	for name, tt := range map[string]struct {
		got    func() answer
		status int
		says   string
	}{
		"another browser": {func() answer { return theirs.get(started) }, http.StatusBadRequest, "begun in another browser"},
		"no answer":       {func() answer { return theirs.get("/signin/callback") }, http.StatusBadRequest, "begun in another browser"},
		"said no": {func() answer {
			b := h.browser()
			return b.get(back(t, p, b.get("/signin")) + "&error=access_denied")
		}, http.StatusForbidden, "did not sign you in"},
	} {
		got := tt.got()
		if got.status != tt.status || got.header.Get("Set-Cookie") != "" && strings.HasPrefix(got.header.Get("Set-Cookie"), "davwopi=") {
			t.Errorf("%s: %d, %q", name, got.status, got.header.Get("Set-Cookie"))
		}
		contains(t, got.body, tt.says, "Sign in with Example ID")
	}
	if got := mine.get(started); got.status != http.StatusSeeOther {
		t.Errorf("the right browser: %d", got.status)
	}
	if got := mine.get(started); got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Errorf("the back button: %d to %q", got.status, got.header.Get("Location"))
	}
	p.Set(func() { p.Down = true })
	down := withProvider(t, p, false)
	got := down.browser().get("/signin")
	if got.status != http.StatusServiceUnavailable {
		t.Errorf("down: %d", got.status)
	}
	contains(t, got.body, "Example ID cannot be asked right now", "Sign in with Example ID")
}

// TestStrangersAtTheCallback do not make us write and ask the provider without end; people who sign in are not counted.
func TestStrangersAtTheCallback(t *testing.T) {
	p := idp.New(t, time.Now)
	h := withProvider(t, p, false)
	for i := range 40 {
		b := h.browser()
		if got := b.get(back(t, p, b.get("/signin"))); got.status != http.StatusSeeOther {
			t.Fatalf("the %dth person: %d", i, got.status)
		}
	}
	b := h.browser()
	for i := 0; ; i++ {
		u, err := url.Parse(b.get("/signin").header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		got := b.get("/signin/callback?code=x&state=" + u.Query().Get("state"))
		if got.status == http.StatusTooManyRequests {
			contains(t, got.body, "too many tries")
			if got.header.Get("Retry-After") == "" {
				t.Error("and nobody says for how long")
			}
			break
		}
		if got.status != http.StatusForbidden || i > 300 {
			t.Fatalf("the %dth forged code: %d", i, got.status)
		}
	}
}

func TestTheFlowCookie(t *testing.T) {
	p := idp.New(t, time.Now)
	h := withProvider(t, p, true)
	got := h.browser().get("/signin").header.Get("Set-Cookie")
	for _, want := range []string{"__Host-davwopi-flow-", "Path=/", "Max-Age=600", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	b := h.browser()
	b.get("/signin")
	if a, again := b.get("/signin").header.Get("Set-Cookie"), b.get("/signin").header.Get("Set-Cookie"); strings.Split(a, "=")[0] == strings.Split(again, "=")[0] {
		t.Error("two tabs have one cookie")
	}
}

// TestSignInByAProxy: whom the proxy names is in; another name is another person; no name is nobody.
func TestSignInByAProxy(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Proxy = &web.Proxy{User: "Remote-User", Name: "Remote-Name", Groups: "Remote-Groups", Logout: "https://proxy.example/logout"}
		withShares(h)
	})
	h.up.Write(t, "a.txt", "hello")
	b := h.browser()
	as := func(path string, header ...string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
		return b.do(req)
	}
	contains(t, as("/signin").body, "has not said who you are", "trusted_proxies")
	// A proxy that adds its headers to those that came leaves the first ones to whoever sent them.
	contains(t, as("/signin", "Remote-Groups", "admins", "Remote-User", "anna", "Remote-Groups", "staff").body, "has not said who you are")
	anna := []string{"Remote-User", "anna", "Remote-Name", "Anna <b>A.</b>", "Remote-Groups", "staff,it"}
	if got := as("/signin?next=", anna...); got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Fatalf("%d to %q", got.status, got.header.Get("Location"))
	}
	list := as("/", anna...)
	contains(t, list.body, "Anna &lt;b&gt;A.&lt;/b&gt;", "a.txt")
	edit := "/edit/" + list.id(t, "a.txt")
	_, link, err := h.Shares.Make(t.Context(), access.NewShare{
		Resource: idmap.FileID(list.id(t, "a.txt")), Space: 1, Upstream: "main", Rights: access.View,
		Maker: oauth.Principal{Issuer: web.IssuerProxy, Subject: "anna", Name: "Anna", Groups: []string{"board", "staff"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	as("/signin?why=again", anna...)
	if link, err = h.Shares.Get(t.Context(), link.ID); err != nil || strings.Join(link.Maker.Groups, ",") != "staff,it" {
		t.Errorf("her link has the groups of another time: %v, %v", link.Maker.Groups, err)
	}
	token := as(edit, anna...).token(t)
	for name, header := range map[string][]string{
		"nobody":       nil,
		"ben":          {"Remote-User", "ben"},
		"two people":   {"Remote-User", "anna", "Remote-User", "ben"},
		"other groups": {"Remote-User", "anna", "Remote-Groups", "staff"},
		"not a name":   {"Remote-User", strings.Repeat("a", 2000)},
	} {
		if got := as("/", header...); got.status != http.StatusSeeOther || got.header.Get("Location") != "/signin" {
			t.Errorf("%s with anna's cookie: %d to %q", name, got.status, got.header.Get("Location"))
		}
	}
	if got := as("/signin", "Remote-User", "ben"); got.status != http.StatusSeeOther {
		t.Errorf("ben: %d", got.status)
	}
	contains(t, as("/", "Remote-User", "ben").body, "Signed in as ben")
	if _, err := h.Tokens.Open(t.Context(), token, h.grantFile(edit[len("/edit/"):])); err == nil {
		t.Error("anna's token outlived her session")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/signout", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Remote-User", "ben")
	if got := b.do(req); got.header.Get("Refresh") != "1; url=https://proxy.example/logout" {
		t.Errorf("sign-out: %d, %q", got.status, got.header.Get("Refresh"))
	}
}
