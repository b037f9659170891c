package oauth

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/idp"
)

const backHere = "https://files.example.test/signin/callback"

// signInAt is browser sign-in at p, on db.
func signInAt(t testing.TB, p *idp.Provider, db *sqldb.DB) *OIDC {
	t.Helper()
	o := &OIDC{Provider: ourSide(p), ClientID: "davwopi", ClientSecret: "s3cret", Scopes: []string{"profile", "openid"}, Redirect: backHere}
	if err := o.Open(t.Context(), db, testSealer(t)); err != nil {
		t.Fatal(err)
	}
	return o
}

// begin is a sign-in that has begun, with the cookies of its browser and what comes back from the provider.
func begin(t testing.TB, p *idp.Provider, o *OIDC) (url.Values, func(string) string) {
	t.Helper()
	flow, err := o.Begin(t.Context(), "/edit/x", "de", "")
	if err != nil {
		t.Fatal(err)
	}
	back := p.Authorize(t, flow.URL)
	return back, func(name string) string {
		if name == flow.Cookie {
			return flow.Secret
		}
		return ""
	}
}

func TestSignInAtAProvider(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		p := idp.New(t, c.Now)
		o := signInAt(t, p, db)
		flow, err := o.Begin(t.Context(), "/edit/x", "de en", "")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(flow.URL)
		if err != nil || u.Query().Get("scope") != "openid profile" || u.Query().Get("ui_locales") != "de en" || u.Query().Get("redirect_uri") != backHere {
			t.Errorf("%s, %v", flow.URL, err)
		}
		back, cookie := begin(t, p, o)
		got, err := o.Finish(t.Context(), back, cookie)
		if err != nil {
			t.Fatal(err)
		}
		want := Principal{Issuer: p.URL, Subject: "248289761001", Name: "Mira Holt", SignIn: "mira@example.test", Groups: []string{"staff"}}
		if got.Principal.Key() != want.Key() || got.Principal.Name != want.Name || got.Principal.SignInName() != want.SignIn ||
			len(got.Principal.Groups) != 1 || got.Principal.Login != "" || got.Next != "/edit/x" {
			t.Errorf("%+v", got.Principal)
		}
		if got.Tokens.Access == "" || got.Tokens.Refresh == "" || got.Tokens.ID == "" {
			t.Error("tokens are missing")
		}
		mustHide(t, got.Tokens, got.Tokens.Access, got.Tokens.Refresh, got.Tokens.ID)
		if _, err := o.Finish(t.Context(), back, cookie); !errors.Is(err, ErrFlow) {
			t.Errorf("used again: %v", err)
		}
	})
}

// TestForgedSignIns: login CSRF, mixed-up providers, replayed and old answers, ID tokens that are not ours.
func TestForgedSignIns(t *testing.T) {
	db := sqldbtest.New(t)
	c := setClock(db)
	p := idp.New(t, c.Now)
	o := signInAt(t, p, db)
	none := func(string) string { return "" }
	for name, tt := range map[string]struct {
		change func(back url.Values, cookie func(string) string) (url.Values, func(string) string)
		bend   func(map[string]any)
		meta   func(map[string]any)
		want   error
	}{
		"another browser": {change: func(back url.Values, _ func(string) string) (url.Values, func(string) string) { return back, none }, want: ErrFlow},
		"another browser's cookie": {change: func(back url.Values, _ func(string) string) (url.Values, func(string) string) {
			return back, func(string) string { return NewOpaque("") }
		}, want: ErrFlow},
		"forged state": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			back.Set("state", NewOpaque(""))
			return back, cookie
		}, want: ErrFlow},
		"no state": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			back.Del("state")
			return back, cookie
		}, want: ErrFlow},
		"two states": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			back.Add("state", "x")
			return back, cookie
		}, want: ErrFlow},
		"too late": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			c.add(flowLifetime)
			return back, cookie
		}, want: ErrFlow},
		"an attacker's code": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			theirs, _ := begin(t, p, o)
			back.Set("code", theirs.Get("code"))
			return back, cookie
		}, want: ErrSignIn},
		"no code": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			back.Del("code")
			return back, cookie
		}, want: ErrSignIn},
		"another provider's answer": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			back.Set("iss", "https://evil.example")
			return back, cookie
		}, want: ErrSignIn},
		"iss announced but not sent": {meta: func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true }, want: ErrSignIn},
		"the person said no": {change: func(back url.Values, cookie func(string) string) (url.Values, func(string) string) {
			back.Set("error", "access_denied")
			return back, cookie
		}, want: ErrSignIn},
		"another nonce":        {bend: func(m map[string]any) { m["nonce"] = "x" }, want: ErrSignIn},
		"no nonce":             {bend: func(m map[string]any) { delete(m, "nonce") }, want: ErrSignIn},
		"for another program":  {bend: func(m map[string]any) { m["aud"] = "other" }, want: ErrSignIn},
		"for two, without azp": {bend: func(m map[string]any) { m["aud"] = []string{"davwopi", "other"} }, want: ErrSignIn},
		"for two, azp another": {bend: func(m map[string]any) { m["aud"], m["azp"] = []string{"davwopi", "other"}, "other" }, want: ErrSignIn},
		"of another issuer":    {bend: func(m map[string]any) { m["iss"] = "https://evil.example" }, want: ErrSignIn},
		"over":                 {bend: func(m map[string]any) { m["exp"] = c.Now().Add(-time.Minute).Unix() }, want: ErrSignIn},
		"from the future":      {bend: func(m map[string]any) { m["iat"] = c.Now().Add(time.Hour).Unix() }, want: ErrSignIn},
		"another access token": {bend: func(m map[string]any) { m["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, want: ErrSignIn},
		"nobody":               {bend: func(m map[string]any) { m["sub"] = "" }, want: ErrSignIn},
		"a clock a minute off": {bend: func(m map[string]any) { m["iat"] = c.Now().Add(time.Minute).Unix() }},
		"for two, azp us":      {bend: func(m map[string]any) { m["aud"], m["azp"] = []string{"davwopi", "other"}, "davwopi" }},
	} {
		t.Run(name, func(t *testing.T) {
			o := signInAt(t, p, db)
			p.Set(func() { p.Bend, p.Metadata = tt.bend, tt.meta })
			back, cookie := begin(t, p, o)
			if tt.change != nil {
				back, cookie = tt.change(back, cookie)
			}
			got, err := o.Finish(t.Context(), back, cookie)
			if !errors.Is(err, tt.want) || tt.want == nil && got.Principal.Subject == "" {
				t.Errorf("%+v, %v, want %v", got.Principal, err, tt.want)
			}
			if err != nil && got.Tokens != (Tokens{}) {
				t.Error("tokens with an error")
			}
		})
	}
}

// TestAForeignBrowserUsesNothingUp: whoever learns a state cannot keep its owner from signing in.
func TestAForeignBrowserUsesNothingUp(t *testing.T) {
	db := sqldbtest.New(t)
	p := idp.New(t, setClock(db).Now)
	o := signInAt(t, p, db)
	back, cookie := begin(t, p, o)
	if _, err := o.Finish(t.Context(), back, func(string) string { return NewOpaque("") }); !errors.Is(err, ErrFlow) {
		t.Fatal(err)
	}
	if _, err := o.Finish(t.Context(), back, cookie); err != nil {
		t.Error(err)
	}
}

// TestOfTwoAtOnceOneSignsIn.
func TestOfTwoAtOnceOneSignsIn(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		p := idp.New(t, setClock(db).Now)
		o := signInAt(t, p, db)
		back, cookie := begin(t, p, o)
		var in atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := o.Finish(t.Context(), back, cookie); err == nil {
					in.Add(1)
				} else if !errors.Is(err, ErrFlow) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in.Load() != 1 {
			t.Errorf("%d are in", in.Load())
		}
	})
}

// TestTheProviderIsDown at the start and later.
func TestTheProviderIsDown(t *testing.T) {
	db := sqldbtest.New(t)
	c := setClock(db)
	p := idp.New(t, c.Now)
	p.Set(func() { p.Down = true })
	o := signInAt(t, p, db)
	for range 20 {
		if _, err := o.Begin(t.Context(), "", "", ""); !errors.Is(err, ErrProvider) || strings.Contains(err.Error(), "secret") {
			t.Fatal(err)
		}
	}
	if n := p.Count("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("asked %d times within a moment", n)
	}
	p.Set(func() { p.Down = false })
	c.add(firstRetry)
	back, cookie := begin(t, p, o)
	p.Set(func() { p.Down = true })
	if _, err := o.Finish(t.Context(), back, cookie); !errors.Is(err, ErrProvider) || errors.Is(err, ErrSignIn) {
		t.Errorf("down at the end: %v", err)
	}
	c.add(2 * metadataFresh)
	if _, err := o.Begin(t.Context(), "", "", ""); err != nil {
		t.Errorf("what it said before counts: %v", err)
	}
	if err := o.Provider.Reachable(t.Context()); err != nil {
		t.Errorf("%v", err)
	}
}

// TestAnotherIssuer: discovery of another issuer than the configured one is refused, to the slash.
func TestAnotherIssuer(t *testing.T) {
	_, now := steady()
	p := idp.New(t, now)
	for _, said := range []string{"https://evil.example", p.URL + "/", ""} {
		p.Set(func() { p.Metadata = func(m map[string]any) { m["issuer"] = said } })
		if err := ourSide(p).Reachable(t.Context()); !errors.Is(err, ErrProvider) {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// TestClaims: which claims make whom.
func TestClaims(t *testing.T) {
	for name, tt := range map[string]struct {
		claims Claims
		said   map[string]any
		want   Principal
	}{
		"everything": {Claims{}, map[string]any{"sub": "1", "name": "Mira", "email": "m@x", "groups": []any{"a", "b", "a", 5}},
			Principal{Name: "Mira", SignIn: "m@x", Groups: []string{"a", "b"}}},
		"a mail only":      {Claims{}, map[string]any{"sub": "1", "email": "mira@x"}, Principal{Name: "mira", SignIn: "mira@x"}},
		"nothing":          {Claims{}, map[string]any{"sub": "1"}, Principal{Name: "1", SignIn: "1"}},
		"own claims":       {Claims{Name: "nick", Groups: "roles"}, map[string]any{"sub": "1", "nick": "M", "roles": "a b"}, Principal{Name: "M", SignIn: "M", Groups: []string{"a", "b"}}},
		"a trusted login":  {Claims{Login: "preferred_username"}, map[string]any{"sub": "1", "preferred_username": "mira"}, Principal{Name: "mira", Login: "mira", SignIn: "mira"}},
		"verified mail":    {Claims{Login: "email"}, map[string]any{"sub": "1", "email": "m@x", "email_verified": true}, Principal{Name: "m", Login: "m@x", SignIn: "m@x"}},
		"unverified mail":  {Claims{Login: "email"}, map[string]any{"sub": "1", "email": "m@x", "email_verified": false}, Principal{Name: "m", SignIn: "m@x"}},
		"nobody says so":   {Claims{Login: "email"}, map[string]any{"sub": "1", "email": "m@x"}, Principal{Name: "m", SignIn: "m@x"}},
		"a name with tabs": {Claims{}, map[string]any{"sub": "1", "name": " a\r\nb\x00 "}, Principal{Name: "ab", SignIn: "ab"}},
	} {
		got, err := tt.claims.principal("https://i", tt.said)
		tt.want.Issuer, tt.want.Subject = "https://i", "1"
		if err != nil || got.Name != tt.want.Name || got.Login != tt.want.Login || got.SignIn != tt.want.SignIn ||
			strings.Join(got.Groups, ",") != strings.Join(tt.want.Groups, ",") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := (Claims{}).principal("https://i", map[string]any{"sub": "a\nb"}); !errors.Is(err, ErrPrincipal) {
		t.Error(err)
	}
}

func TestLogoutURL(t *testing.T) {
	db := sqldbtest.New(t)
	p := idp.New(t, setClock(db).Now)
	o := signInAt(t, p, db)
	got, err := o.LogoutURL(t.Context(), "hint", "https://files.example.test/signin?why=bye")
	u, parseErr := url.Parse(got)
	if err != nil || parseErr != nil || u.Path != "/logout" || u.Query().Get("id_token_hint") != "hint" || u.Query().Get("client_id") != "davwopi" {
		t.Errorf("%s, %v", got, err)
	}
	p.Set(func() { p.Metadata = func(m map[string]any) { delete(m, "end_session_endpoint") } })
	if got, err := signInAt(t, p, db).LogoutURL(t.Context(), "", "x"); got != "" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// TestTokensAreRenewedOnce by many at once, on two replicas; a refused one is replaced; what cannot be renewed
// asks for a new sign-in; a provider that is down is not taken for a refusal.
func TestTokensAreRenewedOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		p := idp.New(t, c.Now)
		o := signInAt(t, p, db)
		var replicas []*ProviderTokens
		for range 2 {
			kept, err := NewProviderTokens(t.Context(), db, testSealer(t), o)
			if err != nil {
				t.Fatal(err)
			}
			replicas = append(replicas, kept)
		}
		kept := replicas[0]
		if _, err := kept.Get(t.Context(), "mira", ""); !errors.Is(err, ErrNoCredential) {
			t.Fatal(err)
		}
		back, cookie := begin(t, p, o)
		in, err := o.Finish(t.Context(), back, cookie)
		if err != nil {
			t.Fatal(err)
		}
		in.Tokens.Expires = c.Now().Add(p.Lifetime)
		if err := kept.Put(t.Context(), "mira", in.Tokens); err != nil {
			t.Fatal(err)
		}
		get := func(refused string) string {
			t.Helper()
			token, err := kept.Get(t.Context(), "mira", refused)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		if got := get(""); got != in.Tokens.Access {
			t.Error("another token than that of the sign-in")
		}
		asked := p.Count("/token")
		c.add(p.Lifetime)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if token, err := replicas[i%2].Get(t.Context(), "mira", ""); err != nil || token == in.Tokens.Access {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := p.Count("/token") - asked; n != 1 {
			t.Errorf("%d refreshes", n)
		}
		now := get("")
		if got := get(now); got == now {
			t.Error("the refused one again")
		}
		p.Set(func() { p.Down = true })
		c.add(365 * 24 * time.Hour)
		if _, err := kept.Get(t.Context(), "mira", ""); !errors.Is(err, ErrProvider) || errors.Is(err, ErrNoCredential) {
			t.Errorf("down: %v", err)
		}
		p.Set(func() { p.Down = false })
		get("")
		p.Set(func() { clear(p.Refreshes) }) // the account was disabled
		c.add(365 * 24 * time.Hour)
		for range 2 {
			if _, err := kept.Get(t.Context(), "mira", ""); !errors.Is(err, ErrNoCredential) {
				t.Errorf("disabled: %v", err)
			}
			if err := kept.StillThere(t.Context(), "mira"); !errors.Is(err, ErrNoCredential) {
				t.Errorf("disabled: %v", err)
			}
		}
		if err := kept.StillThere(t.Context(), "ben"); err != nil {
			t.Errorf("nobody can know: %v", err)
		}
		in.Tokens.Expires = c.Now().Add(time.Hour)
		if err := kept.Put(t.Context(), "mira", in.Tokens); err != nil {
			t.Fatal(err)
		}
		if got := get(""); got != in.Tokens.Access {
			t.Error("signed in again, and another token")
		}
	})
}

func TestIDTokensOfSessions(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		setClock(db)
		sessions, err := NewSessions(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := NewProviderTokens(t.Context(), db, testSealer(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, id, err := sessions.Start(t.Context(), anna)
		if err != nil {
			t.Fatal(err)
		}
		for session, token := range map[string]string{id: "a.b.c", "gone": "d.e.f"} {
			if err := kept.PutIDToken(t.Context(), session, token); err != nil {
				t.Fatal(err)
			}
		}
		if err := kept.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		take := func(session string) string {
			got, err := kept.TakeIDToken(context.WithoutCancel(t.Context()), session)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := take("gone"); got != "" {
			t.Errorf("of a session that is over: %q", got)
		}
		if got := take(id); got != "a.b.c" {
			t.Errorf("%q", got)
		}
		if got := take(id); got != "" {
			t.Errorf("twice: %q", got)
		}
	})
}
