package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"davwopi/test/idp"
)

// A steady clock for a provider and for us.
func steady() (*clock, func() time.Time) {
	c := &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	return c, c.Now
}

// ourSide is what we know of a provider.
func ourSide(p *idp.Provider) *Provider {
	return &Provider{Issuer: p.URL, Transport: p.Client().Transport, Now: p.Now}
}

func bearerOf(p *idp.Provider) *Bearer {
	return &Bearer{Provider: ourSide(p), Audiences: []string{"files"}, ClientID: "davwopi", ClientSecret: "s3cret"}
}

// access are the claims of an access token that is good.
func accessClaims(p *idp.Provider, more map[string]any) map[string]any {
	claims := map[string]any{"iss": p.URL, "aud": "files", "sub": "248289761001", "name": "Mira Holt", "scope": "openid files",
		"client_id": "office", "iat": p.Now().Unix(), "exp": p.Now().Add(time.Hour).Unix()}
	for k, v := range more {
		if v == nil {
			delete(claims, k)
			continue
		}
		claims[k] = v
	}
	return claims
}

func TestParseBearer(t *testing.T) {
	for in, want := range map[string]string{
		"Bearer abc": "abc", "Bearer: abc": "abc", "bearer   abc": "abc", "BEARER: a.b-c_d~e+f/g==": "a.b-c_d~e+f/g==", " Bearer abc ": "abc",
	} {
		if got, err := ParseBearer(http.Header{"Authorization": {in}}); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for name, in := range map[string][]string{
		"nothing": nil, "empty": {""}, "no token": {"Bearer"}, "blank token": {"Bearer  "}, "Basic": {"Basic YTpi"}, "two": {"Bearer a", "Bearer b"},
		"two tokens": {"Bearer a b"}, "line break": {"Bearer a\r\nX: y"}, "not ASCII": {"Bearer ä"}, "too long": {"Bearer " + strings.Repeat("a", maxBearer+1)},
		"the colon first": {":Bearer a"},
	} {
		if got, err := ParseBearer(http.Header{"Authorization": in}); !errors.Is(err, ErrBearer) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestBearerTokens: what is accepted and what is not, signed by the provider's own key.
func TestBearerTokens(t *testing.T) {
	c, now := steady()
	p := idp.New(t, now)
	later, earlier := c.Now().Add(time.Minute), c.Now().Add(-time.Minute)
	for name, tt := range map[string]struct {
		typ    string
		claims map[string]any
		change func(*Bearer)
		want   string // "" accepted, else a part of the reason
	}{
		"as it should be":            {"at+jwt", nil, nil, ""},
		"with the long type":         {"application/at+jwt", nil, nil, ""},
		"of the plain type":          {"JWT", nil, nil, ""},
		"without a type":             {"", nil, nil, ""},
		"audience in a list":         {"at+jwt", map[string]any{"aud": []string{"x", "files"}}, nil, ""},
		"scope in a list":            {"at+jwt", map[string]any{"scope": nil, "scp": []string{"wopi"}}, func(b *Bearer) { b.Scopes = []string{"wopi"} }, ""},
		"expired a moment ago":       {"at+jwt", map[string]any{"exp": c.Now().Add(-20 * time.Second).Unix()}, nil, ""},
		"a clock a minute ahead":     {"at+jwt", map[string]any{"iat": later.Unix(), "nbf": later.Unix()}, nil, ""},
		"a minute over":              {"at+jwt", map[string]any{"exp": earlier.Unix()}, nil, "expired"},
		"no end":                     {"at+jwt", map[string]any{"exp": nil}, nil, "expired"},
		"from tomorrow":              {"at+jwt", map[string]any{"iat": c.Now().Add(24 * time.Hour).Unix()}, nil, "future"},
		"not yet":                    {"at+jwt", map[string]any{"nbf": c.Now().Add(time.Hour).Unix()}, nil, "nbf"},
		"another audience":           {"at+jwt", map[string]any{"aud": "mail"}, nil, "audience"},
		"no audience":                {"at+jwt", map[string]any{"aud": nil}, nil, "audience"},
		"a part of the audience":     {"at+jwt", map[string]any{"aud": "filesystem"}, nil, "audience"},
		"another issuer":             {"at+jwt", map[string]any{"iss": "https://elsewhere.example"}, nil, "different provider"},
		"the issuer with a slash":    {"at+jwt", map[string]any{"iss": p.URL + "/"}, nil, "different provider"},
		"nobody's":                   {"at+jwt", map[string]any{"sub": nil}, nil, "subject"},
		"a subject that is a number": {"at+jwt", map[string]any{"sub": 5}, nil, "sub"},
		"without the scope":          {"at+jwt", nil, func(b *Bearer) { b.Scopes = []string{"wopi"} }, "scope"},
		"another program":            {"at+jwt", nil, func(b *Bearer) { b.AllowedClients = []string{"other"} }, "not allowed"},
		"an allowed program":         {"at+jwt", nil, func(b *Bearer) { b.AllowedClients = []string{"office"} }, ""},
		"allowed program elsewhere":  {"at+jwt", map[string]any{"aud": "mail"}, func(b *Bearer) { b.AllowedClients = []string{"office"} }, "audience"},
		"plain type, strict":         {"JWT", nil, func(b *Bearer) { b.RFC9068 = true }, "at+jwt"},
		"strict":                     {"at+jwt", nil, func(b *Bearer) { b.RFC9068 = true }, ""},
		"an ID token":                {"JWT", map[string]any{"nonce": "n"}, nil, "no access token"},
		"an ID token of a refresh":   {"JWT", map[string]any{"at_hash": "x"}, nil, "no access token"},
		"a hybrid ID token":          {"", map[string]any{"c_hash": "x"}, nil, "no access token"},
		"a logout token":             {"logout+jwt", map[string]any{"events": map[string]any{}}, nil, "of type"},
		"an old logout token":        {"JWT", map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}, nil, "no access token"},
		"Keycloak's ID token":        {"JWT", map[string]any{"typ": "ID"}, nil, "no access token"},
		"Keycloak's refresh token":   {"JWT", map[string]any{"typ": "Refresh"}, nil, "no access token"},
		"Keycloak's access token":    {"JWT", map[string]any{"typ": "Bearer"}, nil, ""},
		"Cognito's ID token":         {"JWT", map[string]any{"token_use": "id"}, nil, "no access token"},
	} {
		b := bearerOf(p)
		if tt.change != nil {
			tt.change(b)
		}
		who, end, err := b.Check(t.Context(), p.Sign(tt.typ, accessClaims(p, tt.claims)), "192.0.2.1")
		switch {
		case tt.want == "":
			if err != nil || who.Issuer != p.URL || who.Subject != "248289761001" || who.Name != "Mira Holt" || !end.After(c.Now()) {
				t.Errorf("%s: %+v until %v, %v", name, who, end, err)
			}
		case !errors.Is(err, ErrBearer) || !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s: %v, want something about %q", name, err, tt.want)
		}
	}
}

// TestForgedTokens: signatures that are none, and those made with what everybody knows.
func TestForgedTokens(t *testing.T) {
	_, now := steady()
	p := idp.New(t, now)
	b := bearerOf(p)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := p.Sign("at+jwt", accessClaims(p, nil))
	parts := strings.Split(good, ".")
	enc := base64.RawURLEncoding.EncodeToString
	payload := func(sub string) string {
		return enc([]byte(fmt.Sprintf(`{"iss":%q,"aud":"files","sub":%q,"exp":9999999999}`, p.URL, sub)))
	}
	for name, token := range map[string]string{
		"alg none":              enc([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + payload("root") + ".",
		"alg None":              enc([]byte(`{"alg":"None"}`)) + "." + payload("root") + ".x",
		"other claims":          parts[0] + "." + payload("root") + "." + parts[2],
		"a stranger's key":      idp.SignWith(jose.ES256, stranger, "k1", "at+jwt", accessClaims(p, nil)),
		"unknown key":           idp.SignWith(jose.ES256, stranger, "k9", "at+jwt", accessClaims(p, nil)),
		"HS256, public key":     idp.SignWith(jose.HS256, []byte(fmt.Sprint(p.Public())), "k1", "at+jwt", accessClaims(p, nil)),
		"HS256, client secret":  idp.SignWith(jose.HS256, []byte("s3crets3crets3crets3crets3crets3"), "k1", "at+jwt", accessClaims(p, nil)),
		"cut off":               good[:len(good)-4],
		"one part more":         good + ".x",
		"its own key in it":     embedded(stranger, accessClaims(p, nil)),
		"JSON":                  `{"payload":"x","signature":"y"}`,
		"nothing between":       "..",
		"signature of no bytes": parts[0] + "." + parts[1] + ".",
	} {
		b.Method = BearerJWT
		if who, _, err := b.Check(t.Context(), token, "192.0.2.1"); !errors.Is(err, ErrBearer) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if _, _, err := b.Check(t.Context(), good, "192.0.2.1"); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// embedded is a token that brings the key along with which to check it.
func embedded(key *ecdsa.PrivateKey, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign([]byte(fmt.Sprintf(`{"iss":%q,"aud":"files","sub":"x","exp":9999999999}`, claims["iss"])))
	if err != nil {
		panic(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// TestTenThousandForgedTokensAreOneFetch, whatever key they name.
func TestTenThousandForgedTokensAreOneFetch(t *testing.T) {
	c, now := steady()
	p := idp.New(t, now)
	b := bearerOf(p)
	good := p.Sign("at+jwt", accessClaims(p, nil))
	parts := strings.Split(good, ".")
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 1250 {
				head := base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"alg":"ES256","kid":"k%d"}`, i%3)))
				token := head + "." + base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"n":"%d/%d"}`, worker, i))) + "." + parts[2]
				if _, _, err := b.Check(t.Context(), token, "192.0.2.1"); !errors.Is(err, ErrBearer) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := p.Count("/keys"); n != 1 {
		t.Errorf("%d fetches", n)
	}
	if n := b.refused.ItemCount(); n > maxRemembered {
		t.Errorf("%d refusals are remembered", n)
	}
	// A key that is really new is found after the cooldown.
	p.Rotate(t, "k2")
	fresh := p.Sign("at+jwt", accessClaims(p, nil))
	c.add(keysCooldown)
	if _, _, err := b.Check(t.Context(), fresh, "192.0.2.1"); err != nil {
		t.Errorf("after rotation: %v", err)
	}
}

// TestRetiredKeysEnd: a key that the provider no longer publishes is refused after a quarter of an hour, and when it
// publishes another key under the same name, too. While the provider is down, what is known counts for a day.
func TestRetiredKeysEnd(t *testing.T) {
	c, now := steady()
	p := idp.New(t, now)
	b := bearerOf(p)
	check := func(n int) error {
		_, _, err := b.Check(t.Context(), p.Sign("at+jwt", accessClaims(p, map[string]any{"jti": n, "exp": now().Add(time.Hour).Unix()})), "192.0.2.1")
		return err
	}
	old := func(n int) string {
		return p.Sign("at+jwt", accessClaims(p, map[string]any{"jti": n, "exp": now().Add(100 * time.Hour).Unix()}))
	}
	if err := check(1); err != nil {
		t.Fatal(err)
	}
	leaked := []string{old(2), old(3), old(4)}
	p.Rotate(t, "k1")
	if _, _, err := b.Check(t.Context(), leaked[0], "192.0.2.1"); err != nil {
		t.Errorf("just after the rotation, which nobody can know of: %v", err)
	}
	c.add(keysFresh)
	if _, _, err := b.Check(t.Context(), leaked[1], "192.0.2.1"); !errors.Is(err, ErrBearer) {
		t.Errorf("a retired key: %v", err)
	}
	if err := check(5); err != nil {
		t.Errorf("the new one: %v", err)
	}
	p.Set(func() { p.Down = true })
	c.add(time.Hour)
	if err := check(6); err != nil {
		t.Errorf("the provider is down for an hour: %v", err)
	}
	c.add(keysStale)
	if err := check(7); !errors.Is(err, ErrProvider) || errors.Is(err, ErrBearer) {
		t.Errorf("down for more than a day: %v", err)
	}
	p.Set(func() { p.Down = false })
	c.add(time.Minute)
	if err := check(8); err != nil {
		t.Errorf("it is back: %v", err)
	}
}

// TestIntrospection asks the provider, remembers for a minute, and tells its faults from the token's.
func TestIntrospection(t *testing.T) {
	c, now := steady()
	p := idp.New(t, now)
	b := bearerOf(p)
	put := func(token string, said map[string]any) {
		p.Set(func() { p.Tokens[token] = said })
	}
	exp := c.Now().Add(time.Hour).Unix()
	put("good", map[string]any{"active": true, "sub": "7", "aud": "files", "exp": exp, "username": "mira"})
	put("of a client", map[string]any{"active": true, "sub": "7", "client_id": "office", "exp": exp})
	put("text", map[string]any{"active": "true", "sub": "7", "aud": "files", "exp": exp})
	put("elsewhere", map[string]any{"active": true, "sub": "7", "aud": "mail", "exp": exp})
	put("over", map[string]any{"active": true, "sub": "7", "aud": "files", "exp": c.Now().Add(-time.Minute).Unix()})
	put("refresh", map[string]any{"active": true, "sub": "7", "aud": "files", "exp": exp, "token_use": "refresh_token"})
	put("foreign", map[string]any{"active": true, "sub": "7", "aud": "files", "exp": exp, "iss": "https://elsewhere.example"})
	put("machine", map[string]any{"active": true, "aud": "files", "exp": exp})
	for token, good := range map[string]bool{"good": true, "of a client": false, "text": false, "elsewhere": false, "over": false,
		"refresh": false, "foreign": false, "machine": false, "unknown": false} {
		who, _, err := b.Check(t.Context(), token, "192.0.2.1")
		if good != (err == nil) || err != nil && !errors.Is(err, ErrBearer) {
			t.Errorf("%s: %+v, %v", token, who, err)
		}
	}
	asked := p.Count("/introspect")
	for range 50 {
		if _, _, err := b.Check(t.Context(), "good", "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Check(t.Context(), "unknown", "192.0.2.1"); !errors.Is(err, ErrBearer) {
			t.Fatal(err)
		}
	}
	if n := p.Count("/introspect"); n != asked {
		t.Errorf("asked %d times more", n-asked)
	}
	other := bearerOf(p)
	other.Audiences, other.AllowedClients = nil, []string{"office"}
	if _, _, err := other.Check(t.Context(), "of a client", "192.0.2.1"); err != nil {
		t.Errorf("of an allowed program: %v", err)
	}
	other = bearerOf(p)
	other.ClientSecret = "wrong"
	if _, _, err := other.Check(t.Context(), "good", "192.0.2.1"); !errors.Is(err, ErrProvider) || errors.Is(err, ErrBearer) {
		t.Errorf("our own secret is wrong: %v", err)
	}
	p.Set(func() { p.Down = true })
	if _, _, err := b.Check(t.Context(), "unseen", "192.0.2.1"); !errors.Is(err, ErrProvider) {
		t.Errorf("the provider is down: %v", err)
	}
	p.Set(func() { p.Down = false })
	if _, _, err := b.Check(t.Context(), "unseen", "192.0.2.1"); !errors.Is(err, ErrBearer) {
		t.Errorf("an outage was remembered: %v", err)
	}
}

// TestADisabledAccountStops within the minute for which a decision is remembered.
func TestADisabledAccountStops(t *testing.T) {
	_, now := steady()
	p := idp.New(t, now)
	b := bearerOf(p)
	p.Set(func() {
		p.Tokens["t"] = map[string]any{"active": true, "sub": "7", "aud": "files", "exp": now().Add(2 * time.Second).Unix()}
	})
	if _, _, err := b.Check(t.Context(), "t", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	p.Set(func() { delete(p.Tokens, "t") })
	b.accepted.Flush() // its minute is over
	if _, _, err := b.Check(t.Context(), "t", "192.0.2.1"); !errors.Is(err, ErrBearer) {
		t.Error(err)
	}
}

// TestUserInfoIsOptIn: without being told so, nothing falls back to it.
func TestUserInfoIsOptIn(t *testing.T) {
	_, now := steady()
	p := idp.New(t, now)
	p.Set(func() { p.Tokens["t"] = map[string]any{"active": false} })
	b := bearerOf(p)
	if _, _, err := b.Check(t.Context(), "t", "192.0.2.1"); !errors.Is(err, ErrBearer) || p.Count("/userinfo") != 0 {
		t.Errorf("%v, userinfo asked %d times", err, p.Count("/userinfo"))
	}
	b = bearerOf(p)
	b.Method = BearerUserInfo
	if who, _, err := b.Check(t.Context(), "t", "192.0.2.1"); err != nil || who.Name != "Mira Holt" || who.SignInName() != "mira@example.test" {
		t.Errorf("%+v, %v", who, err)
	}
	if _, _, err := b.Check(t.Context(), "bad", "192.0.2.1"); !errors.Is(err, ErrBearer) {
		t.Error(err)
	}
}

// TestAPeerThatAsksTooMuch is told to wait; others are not.
func TestAPeerThatAsksTooMuch(t *testing.T) {
	c, now := steady()
	p := idp.New(t, now)
	b := bearerOf(p)
	var many *TooManyError
	for i := range askBurst {
		if _, _, err := b.Check(t.Context(), fmt.Sprint("forged", i), "192.0.2.1"); errors.As(err, &many) {
			t.Fatalf("after %d", i)
		}
	}
	if _, _, err := b.Check(t.Context(), "another", "192.0.2.1:55"); !errors.As(err, &many) {
		t.Error(err)
	}
	if _, _, err := b.Check(t.Context(), "another one", "192.0.2.2"); !errors.Is(err, ErrBearer) {
		t.Error(err)
	}
	c.add(askEvery)
	if _, _, err := b.Check(t.Context(), "another", "192.0.2.1"); !errors.Is(err, ErrBearer) {
		t.Error(err)
	}
}

// TestTheProviderMisbehaves: it is slow, down, endless, or redirects; nobody waits for ever, and no secret follows.
func TestTheProviderMisbehaves(t *testing.T) {
	_, now := steady()
	stolen := idp.New(t, now)
	for name, answer := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stolen.URL+"/introspect", http.StatusTemporaryRedirect)
		},
		"not JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"a list":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[]")) },
	} {
		for _, path := range []string{"/introspect", "/keys", "/.well-known/openid-configuration"} {
			p := idp.New(t, now)
			b := bearerOf(p)
			p.Set(func() { p.Answer[path] = answer })
			token := "opaque"
			if path == "/keys" {
				token = p.Sign("at+jwt", accessClaims(p, nil))
			}
			if _, _, err := b.Check(t.Context(), token, "192.0.2.1"); !errors.Is(err, ErrProvider) {
				t.Errorf("%s at %s: %v", name, path, err)
			} else if len(err.Error()) > 400 {
				t.Errorf("%s: a long story: %d bytes", name, len(err.Error()))
			}
		}
	}
	if stolen.Count("/introspect") != 0 {
		t.Error("the secret went elsewhere")
	}
	p := idp.New(t, now)
	hang := make(chan struct{})
	defer close(hang)
	p.Set(func() { p.Answer["/introspect"] = func(http.ResponseWriter, *http.Request) { <-hang } })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := bearerOf(p).Check(ctx, "opaque", "192.0.2.1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a provider that hangs: %v", err)
	}
}
