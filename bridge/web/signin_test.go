package web_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/oauth"
	"davwopi/test/upstream"
)

func TestWhoIsNotSignedInIsSentToSignInAndBack(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	id := strings.Repeat("a", 26)
	for _, path := range []string{"/", "/folder/" + id, "/edit/" + id, "/view/" + id, "/download/" + id} {
		got := b.get(path)
		want := "/signin"
		if path != "/" {
			want += "?next=" + url.QueryEscape(path)
		}
		if got.status != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", path, got.status, got.header.Get("Location"), want)
		}
	}
}

func TestSignInGoesOnlyToPagesOfOurs(t *testing.T) {
	h := newHouse(t, nil)
	b := h.person("anna")
	id := strings.Repeat("a", 26)
	for next, want := range map[string]string{
		"/edit/" + id: "/edit/" + id, "/document/" + id: "/document/" + id, "": "/", "//evil.example/edit/x": "/", "/\\evil.example": "/", "https://evil.example/": "/",
		"/folder//evil": "/folder/evil", "javascript:alert(1)": "/", "/api/v1/open": "/", "/edit/x\r\nSet-Cookie: a": "/", "/signout": "/",
	} {
		got := b.get("/signin?next=" + url.QueryEscape(next))
		if got.status != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("next %q: %d to %q, want %q", next, got.status, got.header.Get("Location"), want)
		}
	}
}

func TestALinkWorksOnceAndNotByLooking(t *testing.T) {
	h := newHouse(t, nil)
	secret, err := h.Links.Make(t.Context(), oauth.Principal{Subject: "owner", Name: "Owner"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	for range 3 { // programs that preview links
		if got := b.get("/link/" + secret); got.status != http.StatusOK || !strings.Contains(got.body, `<form method="post" data-send`) {
			t.Fatalf("GET: %d\n%s", got.status, got.body)
		} else if strings.Contains(got.body, secret) {
			t.Error("the page repeats the secret")
		}
	}
	if got := b.post("/link/"+secret, nil); got.status != http.StatusSeeOther {
		t.Fatalf("POST: %d", got.status)
	}
	contains(t, b.get("/").body, "Home NAS", "Owner", "Sign out")
	again := h.browser().post("/link/"+secret, nil)
	if again.status != http.StatusGone {
		t.Errorf("second POST: %d", again.status)
	}
	contains(t, again.body, "This link no longer works", "davwopi invite")
}

func TestTheCookie(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := newHouse(t, func(h *house) { h.Secure = secure })
		secret, err := h.Links.Make(t.Context(), oauth.Principal{Subject: "owner", Name: "Owner"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got := h.browser().post("/link/"+secret, nil).header.Get("Set-Cookie")
		want := regexp.MustCompile(`^davwopi=[\w-]{43}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax$`)
		if secure {
			want = regexp.MustCompile(`^__Host-davwopi=[\w-]{43}; Path=/; Max-Age=\d+; HttpOnly; Secure; SameSite=Lax$`)
		}
		if !want.MatchString(got) {
			t.Errorf("secure %v: %q", secure, got)
		}
	}
}

func TestSignOutEndsTheSessionAndItsTokens(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.txt")
	token := b.get("/edit/" + id).token(t)
	got := b.post("/signout", nil)
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/signin?why=bye" {
		t.Fatalf("%d to %q", got.status, got.header.Get("Location"))
	}
	contains(t, b.get("/signin?why=bye").body, "You are signed out.")
	if got := b.get("/"); got.status != http.StatusSeeOther {
		t.Errorf("the list after sign-out: %d", got.status)
	}
	if _, err := h.Tokens.Open(t.Context(), token, "aaaa"); err == nil {
		t.Error("token for another file opened")
	}
	if g, err := h.Tokens.Open(t.Context(), token, h.grantFile(id)); err == nil {
		t.Errorf("the token outlived its session: %+v", g)
	}
	if got := h.browser().post("/signout", nil); got.status != http.StatusSeeOther {
		t.Errorf("sign-out of nobody: %d", got.status)
	}
}

func TestSigningInOverSomebodyElseSignsThemOut(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.txt")
	token := b.get("/edit/" + id).token(t)
	secret, err := h.Links.Make(t.Context(), oauth.Principal{Subject: "ben", Name: "Ben"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b.post("/link/"+secret, nil)
	contains(t, b.get("/").body, ">Ben<")
	if _, err := h.Tokens.Open(t.Context(), token, h.grantFile(id)); err == nil {
		t.Error("the first person's token still opens")
	}
}

func TestPasswordSignInKeepsTheCredentialForTheUpstream(t *testing.T) {
	h := newHouse(t, (*house).userMode)
	h.up.Write(t, "a.txt", "hello")
	b := h.browser()
	contains(t, b.get("/signin").body, "Home NAS", `autocomplete="current-password"`, `name="user"`)
	wrong := b.post("/signin", url.Values{"user": {h.up.User}, "password": {"wrong"}})
	if wrong.status != http.StatusForbidden {
		t.Errorf("wrong password: %d", wrong.status)
	}
	contains(t, wrong.body, "were not accepted", `value="`+h.up.User+`"`)
	if strings.Contains(wrong.body, "wrong\"") {
		t.Error("the page repeats the password")
	}
	id := strings.Repeat("a", 26)
	got := b.post("/signin", url.Values{"user": {h.up.User}, "password": {h.up.Password}, "next": {"/view/" + id}})
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/view/"+id {
		t.Fatalf("%d to %q", got.status, got.header.Get("Location"))
	}
	b.get("/").id(t, "a.txt")

	// The NAS's password is changed: the next page wants the new one.
	h.up.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Status: http.StatusUnauthorized})
	got = b.get("/")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/signin?why=refused" {
		t.Errorf("refused credential: %d to %q", got.status, got.header.Get("Location"))
	}
	contains(t, b.get("/signin?why=refused").body, "no longer accepts the password")
}

// TestANewPassword: whoever signs in with one ends what came in with the one before, browsers and phones; a second
// password that is good as well ends nothing.
func TestANewPassword(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.userMode()
		addPhones(h)
		h.Password.Check = func(context.Context, string, string) error { return nil } // the server itself knows one only
	})
	signIn := func(password string) *browser {
		t.Helper()
		b := h.browser()
		if got := b.post("/signin", url.Values{"user": {h.up.User}, "password": {password}}); got.status != http.StatusSeeOther {
			t.Fatalf("%d\n%s", got.status, got.body)
		}
		return b
	}
	phones := func() int {
		t.Helper()
		list, err := h.Phones.People(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	first := signIn(h.up.Password)
	first.post(first.get(asks()).header.Get("Location"), url.Values{"answer": {"yes"}})
	for _, password := range []string{h.up.Password, "one for an app"} {
		signIn(password)
		if got := first.get("/signin"); got.status != http.StatusSeeOther || phones() != 1 {
			t.Errorf("with %q: %d, %d phones", password, got.status, phones())
		}
	}
	last := signIn(h.up.Password) // the server does not know the one before
	if got := first.get("/signin"); got.status != http.StatusOK || phones() != 0 {
		t.Errorf("after a new password: %d, %d phones", got.status, phones())
	}
	if got := last.get("/"); got.status != http.StatusOK {
		t.Errorf("with the new password: %d", got.status)
	}
	h.up.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Status: http.StatusForbidden, Times: 1}) // as some answer a wrong password
	signIn("one more")
	if got := last.get("/signin"); got.status != http.StatusOK {
		t.Errorf("after a new password, at a server that says 403: %d", got.status)
	}
}

func TestPasswordSignInWithTheUpstreamDown(t *testing.T) {
	h := newHouse(t, (*house).userMode)
	h.up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	got := h.browser().post("/signin", url.Values{"user": {h.up.User}, "password": {h.up.Password}})
	if got.status != http.StatusServiceUnavailable {
		t.Errorf("status %d", got.status)
	}
	contains(t, got.body, "cannot be asked right now", "Nothing is wrong with your password")
}

func TestTooManyPasswordsSayWhen(t *testing.T) {
	h := newHouse(t, (*house).userMode)
	b := h.browser()
	var got answer
	for range 12 {
		got = b.post("/signin", url.Values{"user": {"ann"}, "password": {"x"}})
	}
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	contains(t, got.body, "too many tries")
}

func TestWithoutPasswordsTheFormIsNotThere(t *testing.T) {
	h := newHouse(t, nil)
	if got := h.browser().post("/signin", url.Values{"user": {"a"}, "password": {"b"}}); got.status != http.StatusNotFound {
		t.Errorf("status %d", got.status)
	}
	contains(t, h.browser().get("/signin").body, "You come in with a link", "davwopi invite")
}

func TestOtherSitesCannotSignOutOrIn(t *testing.T) {
	h := newHouse(t, nil)
	b := h.person("anna")
	req, err := http.NewRequest(http.MethodPost, h.server.URL+"/signout", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := b.do(req); got.status != http.StatusForbidden {
		t.Errorf("status %d", got.status)
	}
	if got := b.get("/"); got.status != http.StatusOK {
		t.Error("signed out by another site")
	}
}
