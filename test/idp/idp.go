// Package idp is an OpenID Connect provider that does what a test wants: a double on the wire. It checks what real
// ones check: redirect, secret, PKCE, that a code and a refresh token are used once. Below it lie real ones, each a
// module or package of its own.
package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Provider is such a double. Its fields but Now are changed within [Provider.Set] only.
type Provider struct {
	*httptest.Server
	Now func() time.Time // its clock

	mu    sync.Mutex
	keys  []signingKey
	codes map[string]url.Values // the authorization request
	asked map[string]int        // by path

	Down      bool                        // it answers 503 to everything
	Person    map[string]any              // whom it signs in: the claims of userinfo
	Lifetime  time.Duration               // of access tokens
	Tokens    map[string]map[string]any   // access tokens, and what introspection says of each
	Refreshes map[string]bool             // refresh tokens that are good
	Metadata  func(map[string]any)        // changes what it says of itself; nil: nothing
	Bend      func(claims map[string]any) // changes an ID token before it is signed; nil: nothing
	Answer    map[string]http.HandlerFunc // answers a path instead
}

type signingKey struct {
	id  string
	key *ecdsa.PrivateKey
}

// New starts a provider whose clock is now; its one client is davwopi with the secret s3cret.
func New(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	p := &Provider{Now: now, codes: map[string]url.Values{}, Refreshes: map[string]bool{}, Tokens: map[string]map[string]any{},
		asked: map[string]int{}, Answer: map[string]http.HandlerFunc{}, Lifetime: 5 * time.Minute,
		Person: map[string]any{"sub": "248289761001", "name": "Mira Holt", "email": "mira@example.test", "groups": []any{"staff"}}}
	p.Rotate(t, "k1")
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// Rotate makes id the only key.
func (p *Provider) Rotate(t testing.TB, id string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = []signingKey{{id, key}}
}

// Set changes the double while nobody is being served.
func (p *Provider) Set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// Count is how often path was asked for.
func (p *Provider) Count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Sign makes a signed token with the present key.
func (p *Provider) Sign(typ string, claims map[string]any) string {
	p.mu.Lock()
	k := p.keys[0]
	p.mu.Unlock()
	return SignWith(jose.ES256, k.key, k.id, typ, claims)
}

// SignWith makes a signed token with any key.
func SignWith(alg jose.SignatureAlgorithm, key any, id, typ string, claims map[string]any) string {
	options := (&jose.SignerOptions{}).WithHeader("kid", id)
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	down, instead := p.Down, p.Answer[r.URL.Path]
	p.mu.Unlock()
	switch {
	case down:
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
	case instead != nil:
		instead(w, r)
	case r.URL.Path == "/.well-known/openid-configuration":
		p.describe(w)
	case r.URL.Path == "/keys":
		p.serveKeys(w)
	case r.URL.Path == "/token":
		p.serveToken(w, r)
	case r.URL.Path == "/userinfo":
		p.serveUserInfo(w, r)
	case r.URL.Path == "/introspect":
		p.serveIntrospection(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) describe(w http.ResponseWriter) {
	said := map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/userinfo", "introspection_endpoint": p.URL + "/introspect",
		"end_session_endpoint": p.URL + "/logout", "id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	}
	p.mu.Lock()
	if p.Metadata != nil {
		p.Metadata(said)
	}
	p.mu.Unlock()
	reply(w, http.StatusOK, said)
}

func (p *Provider) serveKeys(w http.ResponseWriter) {
	p.mu.Lock()
	set := jose.JSONWebKeySet{}
	for _, k := range p.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key.Public(), KeyID: k.id, Algorithm: "ES256", Use: "sig"})
	}
	p.mu.Unlock()
	reply(w, http.StatusOK, set)
}

// Authorize is what the person's browser does at the provider: the query of the redirect.
func (p *Provider) Authorize(t testing.TB, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Path != "/authorize" {
		t.Fatalf("%s: %v", address, err)
	}
	q := u.Query()
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("nonce")) < 20 || len(q.Get("state")) < 20 {
		t.Errorf("the request lacks what it needs: %v", q)
	}
	code := rand.Text() + rand.Text()
	p.Set(func() { p.codes[code] = q })
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	p.mu.Lock()
	defer p.mu.Unlock()
	if id != "davwopi" || secret != "s3cret" {
		reply(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	var nonce string
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		code := r.PostFormValue("code")
		q := p.codes[code]
		delete(p.codes, code)
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if q == nil || q.Get("redirect_uri") != r.PostFormValue("redirect_uri") ||
			q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
			reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return
		}
		nonce = q.Get("nonce")
	case "refresh_token":
		old := r.PostFormValue("refresh_token")
		if !p.Refreshes[old] {
			reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return
		}
		delete(p.Refreshes, old) // rotated: whoever shows it again is refused
	}
	access, refresh := rand.Text()+rand.Text(), rand.Text()+rand.Text()
	p.Refreshes[refresh] = true
	p.Tokens[access] = map[string]any{"active": true, "sub": p.Person["sub"], "exp": p.Now().Add(p.Lifetime).Unix(), "aud": "files"}
	claims := map[string]any{"iss": p.URL, "aud": "davwopi", "exp": p.Now().Add(time.Hour).Unix(), "iat": p.Now().Unix(), "sub": p.Person["sub"], "nonce": nonce}
	if p.Bend != nil {
		p.Bend(claims)
	}
	reply(w, http.StatusOK, map[string]any{
		"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": int(p.Lifetime.Seconds()),
		"id_token": SignWith(jose.ES256, p.keys[0].key, p.keys[0].id, "JWT", claims),
	})
}

func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Tokens[token] == nil {
		reply(w, http.StatusForbidden, map[string]string{"error": "access_denied"}) // as Dex has it
		return
	}
	reply(w, http.StatusOK, p.Person)
}

func (p *Provider) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != "davwopi" || secret != "s3cret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.Tokens[r.PostFormValue("token")]
	if said == nil {
		said = map[string]any{"active": false}
	}
	reply(w, http.StatusOK, said)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(fmt.Sprint("idp: ", err))
	}
}

// Public is the key with which p signs, as everybody can fetch it.
func (p *Provider) Public() crypto.PublicKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0].key.Public()
}
