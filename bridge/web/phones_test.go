package web_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"davwopi/oauth"
	"davwopi/oauth/facade"
	"davwopi/test/idp"
)

func withPhones(t *testing.T) *house {
	t.Helper()
	return newHouse(t, addPhones)
}

// addPhones lets phones sign in at a house.
func addPhones(h *house) {
	t := h.t
	sealer, err := oauth.NewSealer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	h.Privacy = "https://docs.example.test/privacy"
	h.Phones, err = facade.New(t.Context(), h.db, sealer, facade.Facade{Base: h.URLs.Public, Clients: []facade.Client{
		{ID: "office", Secrets: [][32]byte{facade.SecretHash("0ffice")}, Redirects: []string{"https://localhost", "ms-word-tp:"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func asks(change ...string) string {
	q := url.Values{"client_id": {"office"}, "redirect_uri": {"https://localhost"}, "response_type": {"code"}, "platform": {"iOS"}}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return "/oauth2/authorize?" + q.Encode()
}

// TestAPhoneIsLetIn: sign-in, the question, the code; the second time without the question; and somebody who says no.
func TestAPhoneIsLetIn(t *testing.T) {
	h := withPhones(t)
	stranger := h.browser()
	got := stranger.get(asks("rs", "de-DE"))
	to, err := url.Parse(got.header.Get("Location"))
	if err != nil || got.status != http.StatusSeeOther || to.Path != "/signin" || to.Query().Get("ui_locales") != "de-DE" || !strings.HasPrefix(to.Query().Get("next"), "/oauth2/continue/") {
		t.Fatalf("%d to %q", got.status, got.header.Get("Location"))
	}
	anna := h.person("anna")
	if got := anna.get("/signin?" + to.RawQuery); got.header.Get("Location") != to.Query().Get("next") {
		t.Errorf("after sign-in to %q", got.header.Get("Location"))
	}
	ask := anna.get(to.Query().Get("next"))
	contains(t, ask.body, "Microsoft Office möchte herein", "anna", "Datenschutzerklärung", "Ich bin jemand anderes") // the app speaks German
	policy := ask.header.Get("Content-Security-Policy")
	for _, want := range []string{"form-action 'self' https://localhost", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if ask.header.Get("Cache-Control") == "" || ask.header.Get("X-Frame-Options") != "DENY" || strings.Contains(ask.body, "wbc_") {
		t.Error("the page may be kept, or has a code")
	}
	// Looking is not saying yes.
	if got := anna.get(asks()); got.status != http.StatusSeeOther {
		t.Fatalf("%d", got.status)
	} else if got = anna.get(got.header.Get("Location")); got.status != http.StatusOK {
		t.Errorf("silent: %d to %q", got.status, got.header.Get("Location"))
	} else {
		contains(t, got.body, "Microsoft Office wants to come in", "anna", "Privacy statement", "I am somebody else")
	}
	no := anna.post(to.Query().Get("next"), url.Values{"answer": {"no"}})
	if no.status != http.StatusFound || no.header.Get("Location") != "https://localhost?error=access_denied" {
		t.Errorf("no: %d to %q", no.status, no.header.Get("Location"))
	}
	yes := anna.post(to.Query().Get("next"), url.Values{"answer": {"yes"}})
	if yes.status != http.StatusFound || !strings.HasPrefix(yes.header.Get("Location"), "https://localhost?code=wbc_") {
		t.Fatalf("yes: %d to %q", yes.status, yes.header.Get("Location"))
	}
	if got := anna.get(anna.get(asks()).header.Get("Location")); got.status != http.StatusFound || !strings.Contains(got.header.Get("Location"), "code=") {
		t.Errorf("the second time: %d to %q", got.status, got.header.Get("Location"))
	}
	if got := anna.get(anna.get(asks("redirect_uri", "ms-word-tp:", "platform", "Android", "action", "{a}")).header.Get("Location")); !strings.Contains(got.header.Get("Content-Security-Policy"), "form-action 'self' ms-word-tp:") {
		t.Errorf("an app's own scheme: %s", got.header.Get("Content-Security-Policy"))
	}
	// An app that has somebody else in mind is asked about, also after a yes.
	for user, want := range map[string]int{"usomebodyelse": http.StatusOK, (oauth.Principal{Issuer: "link", Subject: "guest:anna"}).UserID(): http.StatusFound} {
		if got := anna.get(anna.get(asks("UserId", user)).header.Get("Location")); got.status != want {
			t.Errorf("for %s: %d", user, got.status)
		}
	}
	other := anna.post(to.Query().Get("next"), url.Values{"answer": {"other"}})
	if other.status != http.StatusSeeOther || !strings.HasPrefix(other.header.Get("Location"), "/signin?") || !strings.Contains(other.header.Get("Location"), "why=other") {
		t.Errorf("somebody else: %d to %q", other.status, other.header.Get("Location"))
	}
	if got := anna.get("/"); got.status != http.StatusSeeOther {
		t.Error("still signed in")
	}
}

// TestNoSilentConsent: another site cannot say yes for a person.
func TestNoSilentConsent(t *testing.T) {
	h := withPhones(t)
	anna := h.person("anna")
	next := anna.get(asks()).header.Get("Location")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+next, strings.NewReader("answer=yes"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.Header.Set("Origin", "https://evil.example")
	if got := anna.do(req); got.status != http.StatusForbidden {
		t.Errorf("%d to %q", got.status, got.header.Get("Location"))
	}
}

// TestAPhoneAsksWrongly: a page of ours, or an error for the program, but never a redirect to an address that is not its own.
func TestAPhoneAsksWrongly(t *testing.T) {
	h := withPhones(t)
	anna := h.person("anna")
	for name, address := range map[string]string{
		"unknown program": asks("client_id", "x"), "wrong redirect": asks("redirect_uri", "https://localhost.evil.example"), "nothing": "/oauth2/authorize",
	} {
		got := anna.get(address)
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", name, got.status, got.header.Get("Location"))
		}
		contains(t, got.body, "This sign-in cannot go on", "oauth.clients")
	}
	if got := anna.get(asks("response_type", "token")); got.status != http.StatusFound || got.header.Get("Location") != "https://localhost?error=unsupported_response_type" {
		t.Errorf("%d to %q", got.status, got.header.Get("Location"))
	}
	if got := anna.get("/oauth2/continue/nonsense"); got.status != http.StatusBadRequest {
		t.Errorf("%d", got.status)
	} else {
		contains(t, got.body, "longer than ten minutes")
	}
	if got := h.browser().get("/oauth2/continue/nonsense"); got.status != http.StatusSeeOther {
		t.Errorf("nobody: %d", got.status)
	}
	if got := newHouse(t, nil).browser().get("/oauth2/authorize"); got.status != http.StatusNotFound {
		t.Errorf("where phones do not sign in: %d", got.status)
	}
}

// TestAPhoneAtAProviderThatSaysNo: Office is told in a word of OAuth's, whatever the provider's words are.
func TestAPhoneAtAProviderThatSaysNo(t *testing.T) {
	p := idp.New(t, time.Now)
	h := withProviderAnd(t, p, false, addPhones)
	for said, want := range map[string]string{
		"access_denied": "access_denied", "login_required": "access_denied", "<b>x</b>": "access_denied",
		"server_error": "server_error", "temporarily_unavailable": "server_error",
	} {
		b := h.browser()
		ask := b.get(asks("state", "s&1")).header.Get("Location")
		got := b.get(back(t, p, b.get(ask)) + "&error=" + url.QueryEscape(said) + "&error_description=evil")
		if got.status != http.StatusFound || got.header.Get("Location") != "https://localhost?error="+want+"&state=s%261" {
			t.Errorf("%s: %d to %q", said, got.status, got.header.Get("Location"))
		}
	}
	b := h.browser()
	ask := b.get(asks()).header.Get("Location")
	if got := b.get(back(t, p, b.get(ask))); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/oauth2/continue/") {
		t.Errorf("a sign-in: %d to %q", got.status, got.header.Get("Location"))
	}
	// The longest request that is taken still fits into the way through the provider.
	b = h.browser()
	long := asks("state", strings.Repeat("<", 1024), "action", strings.Repeat("%", 500))
	if got := b.get(long); got.status != http.StatusFound || !strings.HasPrefix(got.header.Get("Location"), "https://localhost?error=invalid_request") {
		t.Errorf("too long: %d to %q", got.status, got.header.Get("Location"))
	}
	long = asks("state", strings.Repeat("s", 700), "action", strings.Repeat("a", 100))
	if got := b.get(back(t, p, b.get(b.get(long).header.Get("Location")))); !strings.HasPrefix(got.header.Get("Location"), "/oauth2/continue/") {
		t.Errorf("a long one: %d to %q", got.status, got.header.Get("Location"))
	}
}
