package facade_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	mira = oauth.Principal{Issuer: "https://id.example.test", Subject: "2482", Name: "Mira"}
	ben  = oauth.Principal{Issuer: "https://id.example.test", Subject: "99", Name: "Ben"}
)

const stop = "https://localhost"

// A rig is a facade with a clock, and a program that talks to it.
type rig struct {
	*facade.Facade
	t    *testing.T
	db   *sqldb.DB
	mu   sync.Mutex
	now  time.Time
	gone error // what Alive says
	peer string

	groups []string // of everybody, says Alive
}

func (r *rig) clock() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }
func (r *rig) later(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func newRig(t *testing.T, db *sqldb.DB, change func(*facade.Facade)) *rig {
	t.Helper()
	r := &rig{t: t, db: db, now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), peer: "192.0.2.1:5"}
	db.SetClock(r.clock)
	r.Facade = r.replica(change)
	return r
}

// replica is another facade on the same tables.
func (r *rig) replica(change func(*facade.Facade)) *facade.Facade {
	r.t.Helper()
	sealer, err := oauth.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		r.t.Fatal(err)
	}
	base, err := url.Parse("https://docs.example.test")
	if err != nil {
		r.t.Fatal(err)
	}
	f := facade.Facade{
		Base: base,
		Clients: []facade.Client{
			{ID: "office", Secrets: [][32]byte{facade.SecretHash("old one"), facade.SecretHash("0ffice")}, Redirects: []string{stop, "ms-word-tp:"}},
			{ID: "other", Secrets: [][32]byte{facade.SecretHash("0ther")}, Redirects: []string{"https://other.example/cb?x=1"}},
		},
		Alive: func(_ context.Context, p oauth.Principal) (oauth.Principal, error) {
			p.Groups = r.groups
			return p, r.gone
		},
	}
	if change != nil {
		change(&f)
	}
	made, err := facade.New(r.t.Context(), r.db, sealer, f)
	if err != nil {
		r.t.Fatal(err)
	}
	return made
}

// request is what Office asks for, with changes in pairs.
func request(change ...string) url.Values {
	q := url.Values{"client_id": {"office"}, "redirect_uri": {stop}, "response_type": {"code"}, "scope": {""}, "rs": {"de-DE"}, "build": {"16.0"}, "platform": {"iOS"}}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return q
}

// allow is a whole authorization: the query of the redirect.
func (r *rig) allow(q url.Values, p oauth.Principal) url.Values {
	r.t.Helper()
	_, sealed, err := r.Begin(r.t.Context(), q.Encode())
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := r.Open(r.t.Context(), sealed)
	if err != nil {
		r.t.Fatal(err)
	}
	to, err := r.Allow(r.t.Context(), p, req)
	if err != nil {
		r.t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, q.Get("redirect_uri")) {
		r.t.Fatalf("%s, %v", to, err)
	}
	if u.Opaque != "" {
		back, err := url.ParseQuery(u.Opaque)
		if err != nil {
			r.t.Fatal(err)
		}
		return back
	}
	return u.Query()
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Expires any    `json:"expires_in"`
	Error   string `json:"error"`
}

// post sends a form to an endpoint.
func post(t *testing.T, handler http.HandlerFunc, peer string, form url.Values, header ...string) (*httptest.ResponseRecorder, tokens) {
	t.Helper()
	q := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.RemoteAddr = peer
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler(w, q)
	var got tokens
	if w.Body.Len() > 0 && json.Unmarshal(w.Body.Bytes(), &got) != nil {
		t.Errorf("no JSON: %s", w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
	return w, got
}

// form is a grant of Office, with its secret and changes in pairs.
func form(change ...string) url.Values {
	q := url.Values{"client_id": {"office"}, "client_secret": {"0ffice"}}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return q
}

func code(c string, change ...string) url.Values {
	return form(append([]string{"grant_type", "authorization_code", "code", c, "redirect_uri", stop}, change...)...)
}

func refresh(token string, change ...string) url.Values {
	return form(append([]string{"grant_type", "refresh_token", "refresh_token", token}, change...)...)
}

// redeem is a grant that succeeds.
func (r *rig) redeem(f url.Values) tokens {
	r.t.Helper()
	w, got := post(r.t, r.ServeToken, r.peer, f)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || got.Type != "Bearer" {
		r.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return got
}

// refused is a grant that does not succeed.
func (r *rig) refused(what string, f url.Values, want string, header ...string) {
	r.t.Helper()
	status := http.StatusBadRequest
	if want == "invalid_client" {
		status = http.StatusUnauthorized
	}
	w, got := post(r.t, r.ServeToken, r.peer, f, header...)
	if w.Code != status || got.Error != want || got.Access != "" {
		r.t.Errorf("%s: %d %s, want %s", what, w.Code, w.Body, want)
	}
}

// good reports whose access token it is; "" nobody's.
func (r *rig) good(token string) string {
	r.t.Helper()
	p, _, err := r.Check(r.t.Context(), token, "")
	if err != nil && !errors.Is(err, oauth.ErrBearer) {
		r.t.Fatal(err)
	}
	return p.Subject
}

func TestTheWholeFlow(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		back := r.allow(request(), mira)
		got := r.redeem(code(back.Get("code")))
		if n, ok := got.Expires.(float64); !ok || n != 3600 {
			t.Errorf("expires_in %v", got.Expires)
		}
		if r.good(got.Access) != "2482" {
			t.Error("the access token is not good")
		}
		next := r.redeem(refresh(got.Refresh))
		if r.good(next.Access) != "2482" || next.Refresh == got.Refresh || r.good(got.Access) != "2482" {
			t.Error("after a refresh")
		}
		r.later(time.Hour)
		if r.good(next.Access) != "" {
			t.Error("good for ever")
		}
		if last := r.redeem(refresh(next.Refresh)); r.good(last.Access) != "2482" {
			t.Error("after an hour")
		}
		for _, other := range []string{got.Refresh, back.Get("code"), "wbw_" + got.Access[4:], strings.ToUpper(got.Access), ""} {
			if r.good(other) != "" {
				t.Errorf("%.8s is good as an access token", other)
			}
		}
		if err := r.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBegin: an unknown program or a redirect URI that is wrong by one character is never sent anywhere.
func TestBegin(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	for name, q := range map[string]url.Values{
		"unknown program":     request("client_id", "offices"),
		"no program":          request("client_id", ""),
		"a slash more":        request("redirect_uri", stop+"/"),
		"another port":        request("redirect_uri", stop+":444"),
		"upper case":          request("redirect_uri", "https://LOCALHOST"),
		"a query more":        request("redirect_uri", stop+"?a=b"),
		"another program's":   request("redirect_uri", "https://other.example/cb?x=1"),
		"no redirect":         request("redirect_uri", ""),
		"a user in it":        request("redirect_uri", "https://localhost@evil.example"),
		"an unlisted scheme":  request("redirect_uri", "ms-excel-tp:"),
		"twice":               {"client_id": {"office", "office"}, "redirect_uri": {stop}, "response_type": {"code"}},
		"twice, by case":      {"client_id": {"office"}, "Client_ID": {"other"}, "redirect_uri": {stop}, "response_type": {"code"}},
		"a very long one":     request("build", strings.Repeat("x", 600)),
		"a very long state":   request("state", strings.Repeat("x", 2000)),
		"redirect URI: blank": request("redirect_uri", " "+stop),
	} {
		req, sealed, err := r.Begin(t.Context(), q.Encode())
		if err == nil || req.Redirect != "" || sealed != "" || !errors.Is(err, facade.ErrClient) && !errors.Is(err, facade.ErrRequest) {
			t.Errorf("%s: %+v, %v", name, req, err)
		}
	}
	for name, q := range map[string]url.Values{
		"a token at once": request("response_type", "token"), "plain PKCE": request("code_challenge", strings.Repeat("a", 43), "code_challenge_method", "plain"),
		"a short challenge": request("code_challenge", "a", "code_challenge_method", "S256"), "a method only": request("code_challenge_method", "S256"),
	} {
		req, _, err := r.Begin(t.Context(), q.Encode())
		if !errors.Is(err, facade.ErrRequest) || req.Redirect != stop || req.Fail("invalid_request") != stop+"?error=invalid_request" {
			t.Errorf("%s: %+v, %v", name, req, err)
		}
	}
	// As samples have them, and what nobody knows.
	q := url.Values{"Client_Id": {"office"}, "Redirect_URI": {stop}, "Response_Type": {"code"}, "Rs": {"enUS"}, "Build": {"16"}, "Platform": {"Android"}, "unheard": {"of"}}
	if req, _, err := r.Begin(t.Context(), q.Encode()); err != nil || req.Language != "en-US" || req.Platform != "Android" {
		t.Errorf("%+v, %v", req, err)
	}
	if req, _, err := r.Begin(t.Context(), request("platform", "<b>", "rs", "de\r\nX: y").Encode()); err != nil || req.Platform != "" || req.Language != "" {
		t.Errorf("%+v, %v", req, err)
	}
}

// TestRedirects: what is given back, in the form that each kind of redirect URI wants.
func TestRedirects(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), func(f *facade.Facade) { f.TokenHint = true })
	back := r.allow(request("redirect_uri", "ms-word-tp:", "action", "{A-1}&x=y", "state", "s&t"), mira)
	if back.Get("action") != "{A-1}&x=y" || back.Get("state") != "s&t" || back.Get("tk") != "https://docs.example.test/oauth2/token" || back.Get("sc") == "" {
		t.Errorf("%v", back)
	}
	other := url.Values{"client_id": {"other"}, "redirect_uri": {"https://other.example/cb?x=1"}, "response_type": {"code"}}
	if back := r.allow(other, mira); back.Get("x") != "1" || back.Get("code") == "" {
		t.Errorf("%v", back)
	}
	req, _, err := r.Begin(t.Context(), request("state", "s").Encode())
	if err != nil || req.Deny() != stop+"?error=access_denied&state=s" {
		t.Errorf("%s, %v", req.Deny(), err)
	}
}

// TestAppToApp: Office asks another app, which asks here, without a redirect URI; the answer goes back to the Office app
// that asked, with its action as it came, and Office's server redeems the code with or without a redirect URI of its own.
func TestAppToApp(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), func(f *facade.Facade) { f.TokenHint = true })
	asked := func(query string) string {
		t.Helper()
		_, sealed, err := r.Begin(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		req, err := r.Open(t.Context(), sealed)
		if err != nil {
			t.Fatal(err)
		}
		to, err := r.Allow(t.Context(), mira, req)
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	const from = "client_id=office&response_type=code&scope=&rs=de-DE&build=16.0&platform=iOS&app=Word&junk=%zz&"
	for _, action := range []string{"{5A-1}", "%7B5A-1%7d", "5a%2B1%26x", "a+b", ""} {
		to := asked(from + "action=" + action)
		end := "&action=" + action
		if action == "" {
			end = ""
		}
		if !regexp.MustCompile(`^ms-word-tp:code=wbc_[^&]+&tk=https%3A%2F%2Fdocs\.example\.test%2Foauth2%2Ftoken&sc=[^&]+` + regexp.QuoteMeta(end) + `$`).MatchString(to) {
			t.Errorf("%q: %s", action, to)
		}
	}
	for name, told := range map[string]string{"none": "", "that of its server": stop, "the app's": "ms-word-tp:"} {
		to := strings.TrimPrefix(asked(from), "ms-word-tp:code=")
		c, _, _ := strings.Cut(to, "&")
		q := code(c, "redirect_uri", told)
		if told == "" {
			q.Del("redirect_uri")
		}
		if w, _ := post(t, r.ServeToken, r.peer, q); w.Code != http.StatusOK {
			t.Errorf("redirect URI %s: %d %s", name, w.Code, w.Body)
		}
	}
	c, _, _ := strings.Cut(strings.TrimPrefix(asked(from), "ms-word-tp:code="), "&")
	r.refused("a redirect URI of nobody's", code(c, "redirect_uri", "https://evil.example"), "invalid_grant")
	for _, query := range []string{"client_id=office&response_type=code", "client_id=office&response_type=code&app=visio", "client_id=office&response_type=code&app=word:javascript", from + "&redirect_uri=", "client_id=other&response_type=code&app=word"} {
		if req, _, err := r.Begin(t.Context(), query); !errors.Is(err, facade.ErrClient) || req.Redirect != "" {
			t.Errorf("%s: %+v, %v", query, req, err)
		}
	}
}

// TestARequestIsOver after ten minutes, when it was changed, and when the program is no longer configured.
func TestARequestIsOver(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	_, sealed, err := r.Begin(t.Context(), request().Encode())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", sealed[:len(sealed)-2], sealed + "AA", "!" + sealed} {
		if _, err := r.Open(t.Context(), bad); !errors.Is(err, facade.ErrOver) {
			t.Errorf("%.10s: %v", bad, err)
		}
	}
	without := r.replica(func(f *facade.Facade) { f.Clients = f.Clients[1:] })
	if _, err := without.Open(t.Context(), sealed); !errors.Is(err, facade.ErrClient) {
		t.Error(err)
	}
	r.later(10 * time.Minute)
	if _, err := r.Open(t.Context(), sealed); !errors.Is(err, facade.ErrOver) {
		t.Error(err)
	}
}

// TestConsent is remembered for one person, program and kind of phone.
func TestConsent(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		asked := func(p oauth.Principal, q url.Values) bool {
			t.Helper()
			req, _, err := r.Begin(t.Context(), q.Encode())
			if err != nil {
				t.Fatal(err)
			}
			given, err := r.Consented(t.Context(), p, req)
			if err != nil {
				t.Fatal(err)
			}
			return !given
		}
		if !asked(mira, request()) {
			t.Error("silent at first")
		}
		r.allow(request(), mira)
		if asked(mira, request()) {
			t.Error("asked again")
		}
		if !asked(ben, request()) || !asked(mira, request("platform", "Android")) ||
			!asked(mira, url.Values{"client_id": {"other"}, "redirect_uri": {"https://other.example/cb?x=1"}, "response_type": {"code"}, "platform": {"iOS"}}) {
			t.Error("silent for another person, phone or program")
		}
		if err := r.RevokeAll(t.Context(), mira.Key()); err != nil {
			t.Fatal(err)
		}
		if !asked(mira, request()) {
			t.Error("silent after everything was revoked")
		}
		req, _, err := r.Begin(t.Context(), request().Encode())
		if err != nil {
			t.Fatal(err)
		}
		if to, err := r.Rehearse(t.Context(), mira, req); err != nil || !strings.HasPrefix(to, stop+"?code=wbc_") || !asked(mira, request()) {
			t.Errorf("a rehearsal: %s, %v, or it is remembered as a yes", to, err)
		}
	})
}

// TestCodes: each is good once, for a minute, for its program, redirect URI and verifier; used twice it revokes its family.
func TestCodes(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		fresh := func() string { return r.allow(request(), mira).Get("code") }
		r.refused("unknown", code("wbc_"+strings.Repeat("a", 43)), "invalid_grant")
		r.refused("none", code(""), "invalid_grant")
		r.refused("wrong redirect by one character", code(fresh(), "redirect_uri", stop+"/"), "invalid_grant")
		stolen := fresh()
		r.refused("another program's", code(stolen, "client_id", "other", "client_secret", "0ther"), "invalid_grant")
		first := r.redeem(code(stolen)) // the thief has not used it up
		r.refused("replayed", code(stolen), "invalid_grant")
		if r.good(first.Access) != "" {
			t.Error("a replayed code leaves its tokens good")
		}
		r.refused("the refresh token of a replayed code", refresh(first.Refresh), "invalid_grant")
		old := fresh()
		r.later(time.Minute)
		r.refused("a minute old", code(old), "invalid_grant")
		without := code(fresh())
		without.Del("redirect_uri")
		r.redeem(without) // older builds of Office

		verifier := strings.Repeat("v", 50)
		sum := sha256.Sum256([]byte(verifier))
		challenge := []string{"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256"}
		r.refused("stripped PKCE", code(r.allow(request(challenge...), mira).Get("code")), "invalid_grant")
		r.refused("another verifier", code(r.allow(request(challenge...), mira).Get("code"), "code_verifier", verifier+"x"), "invalid_grant")
		r.refused("a verifier out of nothing", code(fresh(), "code_verifier", verifier), "invalid_grant")
		if got := r.redeem(code(r.allow(request(challenge...), mira).Get("code"), "code_verifier", verifier)); r.good(got.Access) != "2482" {
			t.Error("with PKCE")
		}
	})
}

// TestRefreshTokens rotate; within a minute the same one gives the same successor; later, or after its successor was used,
// it revokes the family.
func TestRefreshTokens(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		first := r.redeem(code(r.allow(request(), mira).Get("code")))
		a, b := r.redeem(refresh(first.Refresh)), r.redeem(refresh(first.Refresh))
		if a.Refresh != b.Refresh || a.Access == b.Access {
			t.Error("after a lost answer there is another successor, or the same access token")
		}
		c := r.redeem(refresh(a.Refresh))
		r.refused("after its successor was used", refresh(first.Refresh), "invalid_grant")
		if r.good(c.Access) != "" {
			t.Error("the family lives on")
		}
		r.refused("the last of a revoked family", refresh(c.Refresh), "invalid_grant")

		second := r.redeem(code(r.allow(request(), mira).Get("code")))
		thief := r.redeem(refresh(second.Refresh))
		r.later(time.Minute)
		r.refused("stolen and used, then by its owner", refresh(second.Refresh), "invalid_grant")
		if r.good(thief.Access) != "" {
			t.Error("the thief's token is good")
		}
		r.refused("the thief's", refresh(thief.Refresh), "invalid_grant")

		third := r.redeem(code(r.allow(request(), mira).Get("code")))
		r.refused("another program's", refresh(third.Refresh, "client_id", "other", "client_secret", "0ther"), "invalid_grant")
		r.refused("an access token", refresh(third.Access), "invalid_grant")
		r.later(30 * 24 * time.Hour)
		r.refused("unused for a month", refresh(third.Refresh), "invalid_grant")

		fourth := r.redeem(code(r.allow(request(), mira).Get("code")))
		for range 6 {
			r.later(15 * 24 * time.Hour)
			if w, got := post(t, r.ServeToken, r.peer, refresh(fourth.Refresh)); w.Code == http.StatusOK {
				fourth = got
				continue
			}
			break
		}
		r.refused("after ninety days", refresh(fourth.Refresh), "invalid_grant")
	})
}

// TestADisabledAccount ends at the next refresh after ten minutes; a provider that cannot be asked ends nothing.
func TestADisabledAccount(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	got := r.redeem(code(r.allow(request(), mira).Get("code")))
	r.gone = errors.New("the provider is down")
	got = r.redeem(refresh(got.Refresh))
	r.later(10 * time.Minute)
	if w, body := post(t, r.ServeToken, r.peer, refresh(got.Refresh)); w.Code != http.StatusServiceUnavailable || body.Error != "temporarily_unavailable" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r.gone = nil
	got = r.redeem(refresh(got.Refresh))
	r.gone = fmt.Errorf("x: %w", facade.ErrGone)
	got = r.redeem(refresh(got.Refresh))
	r.later(10 * time.Minute)
	r.refused("the account is gone", refresh(got.Refresh), "invalid_grant")
	if r.good(got.Access) != "" {
		t.Error("the access token is good")
	}
}

// TestEnded: whatever revokes a family says so first, so that what came of its tokens ends with it.
func TestEnded(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var ended []string
		var fails error
		r := newRig(t, db, func(f *facade.Facade) {
			f.Ended = func(_ context.Context, family string) error { ended = append(ended, family); return fails }
		})
		for what, end := range map[string]func(c string, first tokens){
			"a code for the second time": func(c string, _ tokens) { r.refused("code", code(c), "invalid_grant") },
			"a stolen refresh token": func(_ string, first tokens) {
				r.redeem(refresh(first.Refresh))
				r.later(time.Minute)
				r.refused("refresh", refresh(first.Refresh), "invalid_grant")
			},
			"an account that is gone": func(_ string, first tokens) {
				r.gone = facade.ErrGone
				r.later(10 * time.Minute)
				r.refused("refresh", refresh(first.Refresh), "invalid_grant")
				r.gone = nil
			},
			"the revocation endpoint": func(_ string, first tokens) { post(t, r.ServeRevoke, r.peer, form("token", first.Access)) },
			"whoever runs the server": func(string, tokens) {
				if err := r.RevokeAll(t.Context(), mira.Key()); err != nil {
					t.Error(err)
				}
			},
		} {
			c := r.allow(request(), mira).Get("code")
			first := r.redeem(code(c))
			_, family, err := r.Check(t.Context(), first.Access, "")
			if err != nil || family == "" {
				t.Fatal(family, err)
			}
			ended = nil
			end(c, first)
			if !slices.Equal(ended, []string{family}) {
				t.Errorf("%s: ended %q, want %q", what, ended, family)
			}
			if r.good(first.Access) != "" {
				t.Errorf("%s: the access token is good", what)
			}
		}
		// What cannot be ended is not taken for revoked, so that trying again ends it.
		first := r.redeem(code(r.allow(request(), mira).Get("code")))
		fails = errors.New("the database")
		if err := r.RevokeAll(t.Context(), mira.Key()); err == nil {
			t.Error("no error")
		}
		fails, ended = nil, nil
		if err := r.RevokeAll(t.Context(), mira.Key()); err != nil || len(ended) != 1 || r.good(first.Access) != "" {
			t.Errorf("%v, %q", err, ended)
		}
	})
}

// TestGroupsOfNow: a phone has the groups that its person has, not those of the day on which it was let in.
func TestGroupsOfNow(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	staff := mira
	staff.Groups = []string{"staff"}
	got := r.redeem(code(r.allow(request(), staff).Get("code")))
	for _, groups := range [][]string{{"guests", "staff"}, nil} {
		r.groups = groups
		r.later(10 * time.Minute)
		got = r.redeem(refresh(got.Refresh))
		if p, _, err := r.Check(t.Context(), got.Access, ""); err != nil || !slices.Equal(p.Groups, groups) || p.Key() != mira.Key() {
			t.Errorf("%v, %v, not %v", p.Groups, err, groups)
		}
	}
}

// TestSecrets: several at once, in the form or the header, never in both, never in the address.
func TestSecrets(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	fresh := func(change ...string) url.Values { return code(r.allow(request(), mira).Get("code"), change...) }
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("office:0ffice"))
	r.redeem(fresh("client_secret", "old one"))
	for name, secret := range map[string]string{"wrong": "x", "none": "", "the hash": strings.Repeat("0", 64), "the other's": "0ther", "in other case": "0FFICE"} {
		r.refused(name, fresh("client_secret", secret), "invalid_client")
	}
	r.refused("unknown program", fresh("client_id", "nobody"), "invalid_client")
	without := fresh()
	without.Del("client_secret")
	without.Del("client_id")
	if w, _ := post(t, r.ServeToken, r.peer, without, "Authorization", basic); w.Code != http.StatusOK {
		t.Errorf("in the header: %d %s", w.Code, w.Body)
	}
	r.refused("in both", fresh(), "invalid_request", "Authorization", basic)
	mixed := fresh("client_id", "other")
	mixed.Del("client_secret")
	r.refused("mixed programs", mixed, "invalid_client", "Authorization", basic)
}

// TestTheTokenEndpointIsStrict.
func TestTheTokenEndpointIsStrict(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	fresh := func() url.Values { return code(r.allow(request(), mira).Get("code")) }
	twice := fresh()
	twice.Add("code", "x")
	r.refused("repeated parameter", twice, "invalid_request")
	long := fresh()
	long.Set("junk", strings.Repeat("x", 17<<10))
	r.refused("oversized form", long, "invalid_request")
	r.refused("no grant", form(), "invalid_request")
	r.refused("another grant", form("grant_type", "client_credentials"), "unsupported_grant_type")
	for name, q := range map[string]*http.Request{
		"GET":            httptest.NewRequest("GET", "/oauth2/token?"+fresh().Encode(), nil),
		"in the address": httptest.NewRequest("POST", "/oauth2/token?client_secret=0ffice", strings.NewReader(fresh().Encode())),
		"JSON":           httptest.NewRequest("POST", "/oauth2/token", strings.NewReader("{}")),
	} {
		if name == "in the address" {
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		r.ServeToken(w, q)
		if w.Code != http.StatusBadRequest && w.Code != http.StatusMethodNotAllowed || strings.Contains(w.Body.String(), "access_token") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestBruteForce: after some wrong secrets a peer is told to wait, and others are not kept out by an address of their own.
func TestBruteForce(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	good := r.allow(request(), mira).Get("code")
	var w *httptest.ResponseRecorder
	tries := 0
	for ; tries < 100; tries++ {
		if w, _ = post(t, r.ServeToken, "192.0.2.66:1", code(good, "client_secret", fmt.Sprint(tries))); w.Code != http.StatusUnauthorized {
			break
		}
	}
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || tries > 40 {
		t.Errorf("after %d: %d", tries, w.Code)
	}
	if w, _ := post(t, r.ServeToken, "192.0.2.66:1", code(good)); w.Code != http.StatusTooManyRequests {
		t.Errorf("the right one after many wrong ones: %d %s", w.Code, w.Body)
	}
	r.later(10 * time.Second)
	if w, _ := post(t, r.ServeToken, "192.0.2.1:1", code(good)); w.Code != http.StatusOK {
		t.Errorf("somebody else: %d %s", w.Code, w.Body)
	}
}

// TestPhonesOfOthersKeepNobodyOut: everybody's codes and tokens come from Microsoft's server, also those that a stranger
// has put into an app, and all that a restore has made worthless.
func TestPhonesOfOthersKeepNobodyOut(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	for i := range 200 {
		r.refused("made up", code(fmt.Sprintf("wbc_%043d", i)), "invalid_grant")
		r.refused("of a time before", refresh(fmt.Sprintf("wbr_%043d", i)), "invalid_grant")
	}
	r.redeem(code(r.allow(request(), mira).Get("code")))
}

// TestAudit: one line for each answer, with the program that has shown its secret, and with no secret in it.
func TestAudit(t *testing.T) {
	var lines []string
	r := newRig(t, sqldbtest.New(t), func(f *facade.Facade) {
		f.Audit = func(_ context.Context, client, grant string, err error) {
			lines = append(lines, fmt.Sprintf("%s|%s|%v", client, grant, err))
		}
	})
	back := r.allow(request(), mira)
	got := r.redeem(code(back.Get("code")))
	next := r.redeem(refresh(got.Refresh))
	r.refused("replayed", code(back.Get("code")), "invalid_grant")
	r.refused("a wrong secret", code("c0de", "client_secret", "wr0ng"), "invalid_client")
	r.refused("a grant of nobody's", form("grant_type", "s3cret grant"), "unsupported_grant_type")
	post(t, r.ServeRevoke, r.peer, form("token", next.Refresh))
	for i, want := range []string{"office|authorization_code|<nil>", "office|refresh_token|<nil>", "office|authorization_code|facade: invalid_grant: a code that was used",
		"|authorization_code|facade: invalid_client", "office||facade: unsupported_grant_type", "office||<nil>"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d: %q, want %q", i, lines, want)
		}
	}
	for _, secret := range []string{back.Get("code"), got.Access, got.Refresh, next.Refresh, "0ffice", "wr0ng", "c0de", "s3cret"} {
		if strings.Contains(strings.Join(lines, " "), secret) {
			t.Errorf("%q is in %q", secret, lines)
		}
	}
}

// TestStrangersKeepNobodyOut: whoever knows a program's ID, as every browser does, and guesses at its secret for an
// hour from many addresses, does not keep the program out; nor do the tokens of people who may no longer come in.
func TestStrangersKeepNobodyOut(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	for i := range 720 {
		r.later(5 * time.Second)
		post(t, r.ServeToken, fmt.Sprintf("198.51.100.%d:1", i%40), code("x", "client_secret", "guess"))
	}
	good := r.allow(request(), mira).Get("code")
	if w, _ := post(t, r.ServeToken, "192.0.2.1:1", code(good)); w.Code != http.StatusOK {
		t.Errorf("guessed at from elsewhere: %d %s", w.Code, w.Body)
	}
	for i := range 60 {
		post(t, r.ServeToken, fmt.Sprintf("192.0.2.%d:1", 100+i%10), refresh(fmt.Sprintf("wbr_%043d", i)))
	}
	good = r.allow(request(), mira).Get("code")
	if w, _ := post(t, r.ServeToken, "192.0.2.1:1", code(good)); w.Code != http.StatusOK {
		t.Errorf("with old tokens of others: %d %s", w.Code, w.Body)
	}
}

// TestSessionContext must agree with the row where it is given, and opens nothing.
func TestSessionContext(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	back := r.allow(request(), mira)
	w, got := post(t, r.ServeToken, r.peer, code(back.Get("code")), facade.HeaderSessionContext, back.Get("sc"))
	if w.Code != http.StatusOK || w.Header().Get(facade.HeaderSessionContext) != back.Get("sc") {
		t.Errorf("%d %q", w.Code, w.Header().Get(facade.HeaderSessionContext))
	}
	other := r.allow(request(), ben)
	r.refused("another's context", code(other.Get("code")), "invalid_grant", facade.HeaderSessionContext, back.Get("sc"))
	r.refused("a forged context", refresh(got.Refresh), "invalid_grant", facade.HeaderSessionContext, strings.Split(back.Get("sc"), ".")[0]+".AAAAAAAAAAAAAAAA")
	if r.good(back.Get("sc")) != "" {
		t.Error("the context opens something")
	}
	for sc, want := range map[string]bool{"": true, back.Get("sc"): true, other.Get("sc"): false, "x": false} {
		if _, _, err := r.Check(t.Context(), got.Access, sc); (err == nil) != want || err != nil && !errors.Is(err, oauth.ErrBearer) {
			t.Errorf("an access token with context %q: %v", sc, err)
		}
	}
}

// TestRevoke ends a family; what is not there, or another's, is answered alike and changes nothing.
func TestRevoke(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		got := r.redeem(code(r.allow(request(), mira).Get("code")))
		for name, f := range map[string]url.Values{
			"unknown": form("token", "wbr_x"), "another program": form("token", got.Refresh, "client_id", "other", "client_secret", "0ther"),
		} {
			if w, _ := post(t, r.ServeRevoke, r.peer, f); w.Code != http.StatusOK || r.good(got.Access) != "2482" {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
		if w, _ := post(t, r.ServeRevoke, r.peer, form("token", got.Access, "client_secret", "x")); w.Code != http.StatusUnauthorized {
			t.Errorf("with a wrong secret: %d", w.Code)
		}
		if w, _ := post(t, r.ServeRevoke, r.peer, form("token", got.Refresh)); w.Code != http.StatusOK || r.good(got.Access) != "" {
			t.Errorf("%d, and the access token is good for %q", w.Code, r.good(got.Access))
		}
		r.refused("a revoked one", refresh(got.Refresh), "invalid_grant")
	})
}

// TestClean: what nobody redeems does not stay for ninety days; what is in use does.
func TestClean(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		rows := func(table string) (n int) {
			t.Helper()
			if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		c := r.allow(request(), mira).Get("code")
		got := r.redeem(code(c))
		for range 5 {
			r.allow(request(), ben)
		}
		for _, step := range []struct {
			after                 time.Duration
			families, codes, good int
		}{{0, 6, 6, 1}, {2 * time.Minute, 1, 1, 1}, {time.Hour, 1, 1, 0}} {
			r.later(step.after)
			if err := r.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
			if f, c, a := rows("facade_family"), rows("facade_code"), rows("facade_access"); f != step.families || c != step.codes || a != step.good {
				t.Errorf("after %v: %d families, %d codes, %d access tokens", step.after, f, c, a)
			}
		}
		next := r.redeem(refresh(got.Refresh))
		r.refused("replayed after cleaning", code(c), "invalid_grant")
		if r.good(next.Access) != "" {
			t.Error("a replayed code is no longer noticed")
		}
		r.later(facade.RefreshLife)
		if err := r.Clean(t.Context()); err != nil || rows("facade_family")+rows("facade_code")+rows("facade_refresh")+rows("facade_access") != 0 {
			t.Errorf("%v, or something stays for ever", err)
		}
	})
}

// TestRestored: what was revoked, and which tokens were used, since a backup was made, is not known; so nothing of it is good.
func TestRestored(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		got := r.redeem(code(r.allow(request(), mira).Get("code")))
		unused := r.allow(request(), ben).Get("code")
		if err := facade.Restored(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Check(t.Context(), got.Access, ""); !errors.Is(err, oauth.ErrBearer) {
			t.Errorf("an access token: %v", err)
		}
		r.refused("a refresh token", refresh(got.Refresh), "invalid_grant")
		r.refused("a code", code(unused), "invalid_grant")
		req, _, err := r.Begin(t.Context(), request().Encode())
		if err != nil {
			t.Fatal(err)
		}
		if given, err := r.Consented(t.Context(), mira, req); given || err != nil {
			t.Errorf("still consented: %v", err)
		}
	})
}

// TestReplicas share one store: what one gave out the other takes, once.
func TestReplicas(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		other := r.replica(nil) // also: a restart between code and token
		c := r.allow(request(), mira).Get("code")
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 4 {
			wg.Go(func() {
				handler := r.ServeToken
				if i%2 == 1 {
					handler = other.ServeToken
				}
				if w, _ := post(t, handler, r.peer, code(c)); w.Code == http.StatusOK {
					mu.Lock()
					defer mu.Unlock()
					won++
				}
			})
		}
		wg.Wait()
		if won > 1 {
			t.Errorf("one code was good %d times", won)
		}
		got := r.redeem(code(r.allow(request(), mira).Get("code")))
		if p, _, err := other.Check(t.Context(), got.Access, ""); err != nil || p.Subject != "2482" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestExpiresAsText(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), func(f *facade.Facade) { f.ExpiresAsText = true })
	if got := r.redeem(code(r.allow(request(), mira).Get("code"))); got.Expires != "3600" {
		t.Errorf("%v", got.Expires)
	}
}

func TestMetadata(t *testing.T) {
	r := newRig(t, sqldbtest.New(t), nil)
	w := httptest.NewRecorder()
	r.ServeMetadata(w, httptest.NewRequest("GET", "/", nil))
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || m["issuer"] != "https://docs.example.test" || m["token_endpoint"] != "https://docs.example.test/oauth2/token" {
		t.Errorf("%v, %v", m, err)
	}
	if a, token, err := r.Where(t.Context()); err != nil || strings.ContainsAny(a+token, "=,?") {
		t.Errorf("%s %s %v", a, token, err)
	}
}

// TestNothingIsStoredReadable: neither codes nor tokens are in the database as they were given out.
func TestNothingIsStoredReadable(t *testing.T) {
	db := sqldbtest.New(t)
	r := newRig(t, db, nil)
	back := r.allow(request(), mira)
	got := r.redeem(code(back.Get("code")))
	for _, table := range []string{"facade_family", "facade_code", "facade_access", "facade_refresh", "facade_consent"} {
		rows, err := db.Read().Query(t.Context(), `SELECT * FROM `+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				text := fmt.Sprintf("%s", *v.(*any))
				for _, secret := range []string{back.Get("code"), got.Access, got.Refresh} {
					if strings.Contains(text, secret[4:]) {
						t.Errorf("%s holds %s", table, secret[:4])
					}
				}
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
