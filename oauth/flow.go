package oauth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"davwopi/idmap/sqldb"
)

// flowLifetime is how long somebody may take at the provider.
const flowLifetime = 10 * time.Minute

// FlowCookiePrefix begins the names of the cookies of [OIDC.Begin], one for each sign-in that is under way, so
// that two tabs do not disturb each other.
const FlowCookiePrefix = "davwopi-flow-"

// OIDC is browser sign-in at an OpenID Connect provider: authorization code with PKCE (RFC 7636), state and
// nonce. The fields are set before first use; then it is safe for concurrent use, on all replicas.
type OIDC struct {
	Provider     *Provider
	Claims       Claims
	ClientID     string
	ClientSecret string // "" for a public one
	Scopes       []string
	Redirect     string // our address to which the provider sends people back

	db     *sqldb.DB
	sealer *Sealer
}

// A Flow is a sign-in that has begun.
type Flow struct {
	URL    string // where the browser goes
	Cookie string // name of a cookie that the browser must bring back
	Secret string // its value
	MaxAge time.Duration
}

// An Arrival is a sign-in that has succeeded.
type Arrival struct {
	Principal Principal
	Next      string // what was given to [OIDC.Begin]
	Cookie    string // the flow's, to be removed
	Tokens    Tokens
}

// Tokens are what the provider gave us for a person. Secret; printing hides them.
type Tokens struct {
	Access  string
	Refresh string    // "" none
	ID      string    // the ID token, as a hint at sign-out
	Expires time.Time // of Access; zero: not told
}

// Format prints the name of the type, whatever the verb.
func (t Tokens) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "oauth.Tokens{hidden}") }

// begun is what the cookie of a flow holds, sealed.
type begun struct {
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Next     string `json:"x"`
	Expires  int64  `json:"e"` // ms since epoch
}

// Open brings the table up to date. It must be called before first use.
func (o *OIDC) Open(ctx context.Context, db *sqldb.DB, s *Sealer) error {
	o.db, o.sealer = db, s
	err := db.Migrate(ctx, "oauth_flows", []string{
		`CREATE TABLE oauth_flow (
			state {{blob}} PRIMARY KEY,
			expires BIGINT NOT NULL)`,
	})
	if err != nil {
		return fmt.Errorf("oauth: flows: %w", err)
	}
	return nil
}

// Begin prepares a sign-in. next is kept for the end; languages and prompt, "" none, go to the provider as ui_locales and
// prompt. Nothing is written: the browser keeps what has to be kept. The error wraps [ErrProvider] if the provider cannot be
// asked who it is.
func (o *OIDC) Begin(ctx context.Context, next, languages, prompt string) (Flow, error) {
	said, err := o.Provider.metadata(ctx)
	if err != nil {
		return Flow{}, err
	}
	now, err := o.db.Now(ctx)
	if err != nil {
		return Flow{}, fmt.Errorf("oauth: begin sign-in: %w", err)
	}
	state := NewOpaque("")
	b := begun{Nonce: NewOpaque(""), Verifier: oauth2.GenerateVerifier(), Next: next, Expires: sqldb.Millis(now.Add(flowLifetime))}
	plain, err := json.Marshal(b)
	if err != nil {
		return Flow{}, fmt.Errorf("oauth: begin sign-in: %w", err)
	}
	sealed, err := o.sealer.Seal(flowAAD(state), plain)
	if err != nil {
		return Flow{}, fmt.Errorf("oauth: begin sign-in: %w", err)
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)}
	for name, value := range map[string]string{"ui_locales": languages, "prompt": prompt} {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	config := said.config(o.ClientID, o.ClientSecret, o.Redirect, o.scopes())
	return Flow{
		URL: config.AuthCodeURL(state, options...), Cookie: flowCookie(state),
		Secret: base64.RawURLEncoding.EncodeToString(sealed), MaxAge: flowLifetime,
	}, nil
}

func flowAAD(state string) string { return RowKey("flow", string(Hash(state))) }

// flowCookie names a flow's cookie. A part of the state's hash tells nothing of the state.
func flowCookie(state string) string { return FlowCookiePrefix + base32Lower(Hash(state)[:5]) }

func (o *OIDC) scopes() []string {
	list := []string{oidc.ScopeOpenID}
	for _, s := range o.Scopes {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// Finish ends a sign-in: query is that of the provider's redirect, cookie gives the value of a cookie of the same
// browser, "" none. Errors wrap
//   - [ErrFlow]: no such sign-in is under way in this browser: forged, used before, or older than ten minutes;
//   - [ErrSignIn]: the provider or the person said no, or what came is not what was asked for;
//   - [ErrProvider]: the provider could not be asked, or says that it is unwell.
//
// With an error, too, the arrival says where the person wanted to go, if a sign-in of this browser's was under way.
func (o *OIDC) Finish(ctx context.Context, query url.Values, cookie func(name string) string) (Arrival, error) {
	state := query.Get("state")
	if len(state) != OpaqueLen || len(query["state"]) != 1 || len(query["code"]) > 1 {
		return Arrival{}, ErrFlow
	}
	b, err := o.take(ctx, state, cookie(flowCookie(state)))
	if err != nil {
		return Arrival{}, err
	}
	arrival := Arrival{Next: b.Next, Cookie: flowCookie(state)}
	said, err := o.Provider.metadata(ctx)
	if err != nil {
		return arrival, err
	}
	// RFC 9207: another provider's answer must not be taken for this one's.
	if issuer := query.Get("iss"); issuer != "" && issuer != o.Provider.Issuer || said.IssuerInResponse && issuer == "" {
		return arrival, because(ErrSignIn, "the answer is another provider's")
	}
	switch refusal := query.Get("error"); refusal {
	case "":
	case "server_error", "temporarily_unavailable":
		return arrival, because(ErrProvider, "it answered %q", refusal)
	default:
		return arrival, because(ErrSignIn, "it answered %q", clip(refusal))
	}
	arrival.Principal, arrival.Tokens, err = o.redeem(ctx, said, query.Get("code"), b)
	return arrival, err
}

// take opens the cookie of a flow and notes that the flow is used: of two at once one gets it.
func (o *OIDC) take(ctx context.Context, state, cookie string) (begun, error) {
	var b begun
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		return begun{}, ErrFlow
	}
	plain, err := o.sealer.Open(flowAAD(state), sealed)
	if err != nil || json.Unmarshal(plain, &b) != nil {
		return begun{}, ErrFlow
	}
	now, err := o.db.Now(ctx)
	if err != nil {
		return begun{}, fmt.Errorf("oauth: finish sign-in: %w", err)
	}
	if sqldb.Millis(now) >= b.Expires {
		return begun{}, ErrFlow
	}
	var first bool
	err = o.db.Write(ctx, func(tx sqldb.Queryer) error {
		n, err := tx.Exec(ctx, `INSERT INTO oauth_flow (state, expires) VALUES (?, ?) ON CONFLICT (state) DO NOTHING`, Hash(state), b.Expires)
		first = n == 1
		return err
	})
	if err != nil {
		return begun{}, fmt.Errorf("oauth: finish sign-in: %w", err)
	}
	if !first {
		return begun{}, ErrFlow
	}
	return b, nil
}

// redeem gets the tokens for a code and looks whose they are.
func (o *OIDC) redeem(ctx context.Context, said *metadata, code string, b begun) (Principal, Tokens, error) {
	config := said.config(o.ClientID, o.ClientSecret, o.Redirect, o.scopes())
	token, err := said.exchange(config, func(c oauth2.Config) (*oauth2.Token, error) {
		return c.Exchange(o.Provider.context(ctx), code, oauth2.VerifierOption(b.Verifier))
	})
	if err != nil {
		return Principal{}, Tokens{}, tokenFault(ctx, err)
	}
	raw, _ := token.Extra("id_token").(string)
	claims, err := o.identify(ctx, said, raw, token.AccessToken, b.Nonce)
	if err != nil {
		return Principal{}, Tokens{}, err
	}
	if err := o.complete(ctx, said, token.AccessToken, claims); err != nil {
		return Principal{}, Tokens{}, err
	}
	p, err := o.Claims.principal(o.Provider.Issuer, claims)
	if err != nil {
		return Principal{}, Tokens{}, fmt.Errorf("%w: %w", ErrSignIn, err)
	}
	return p, Tokens{Access: token.AccessToken, Refresh: token.RefreshToken, ID: raw, Expires: token.Expiry}, nil
}

// tokenFault tells a refusal of the code or token that was shown (RFC 6749 section 5.2) from everything that is not
// about the person: a provider that cannot be asked, or that does not know us.
func tokenFault(ctx context.Context, err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		return providerFault(ctx, "tokens", err)
	}
	status := refused.Response.StatusCode
	err = fmt.Errorf("its token endpoint answered %d %q", status, clip(refused.ErrorCode))
	switch refused.ErrorCode {
	// Without a code it is not the provider's own word, but that of a proxy before it.
	case "", "invalid_client", "unauthorized_client", "temporarily_unavailable", "server_error":
		return providerFault(ctx, "tokens", err)
	}
	if status >= 500 || status == http.StatusTooManyRequests {
		return providerFault(ctx, "tokens", err)
	}
	return fmt.Errorf("%w: %w", ErrSignIn, err)
}

// identify checks an ID token (OpenID Connect Core 1.0 section 3.1.3.7). nonce "" is that of a refresh, which
// needs none.
func (o *OIDC) identify(ctx context.Context, said *metadata, raw, access, nonce string) (map[string]any, error) {
	if raw == "" {
		return nil, because(ErrSignIn, "it sent no ID token")
	}
	keys := &witness{keys: said.keys}
	verified, err := oidc.NewVerifier(o.Provider.Issuer, keys, &oidc.Config{
		ClientID: o.ClientID, SupportedSigningAlgs: algorithmNames(),
		Now: func() time.Time { return o.Provider.Now().Add(-clockLeeway) },
	}).Verify(ctx, raw)
	switch {
	case errors.Is(keys.fault, ErrProvider):
		return nil, keys.fault
	case err != nil:
		return nil, because(ErrSignIn, "its ID token: %s", clip(err.Error()))
	case nonce != "" && subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(nonce)) != 1:
		return nil, because(ErrSignIn, "its ID token is for another sign-in")
	case verified.IssuedAt.After(o.Provider.Now().Add(maxFuture)):
		return nil, because(ErrSignIn, "its ID token is from the future")
	case verified.AccessTokenHash != "" && verified.VerifyAccessToken(access) != nil:
		return nil, because(ErrSignIn, "its ID token belongs to another access token")
	}
	var payload json.RawMessage
	if err := verified.Claims(&payload); err != nil {
		return nil, because(ErrSignIn, "claims not readable")
	}
	claims, err := decodeClaims(payload)
	if err != nil {
		return nil, because(ErrSignIn, "claims not readable")
	}
	if party := text(claims, "azp"); party != "" && party != o.ClientID || party == "" && len(verified.Audience) > 1 {
		return nil, because(ErrSignIn, "its ID token is another program's")
	}
	return claims, nil
}

// complete adds what userinfo tells and the ID token does not: names and groups, at many providers. That it does
// not answer is no reason to refuse somebody, unless what counts is missing ([Claims]).
func (o *OIDC) complete(ctx context.Context, said *metadata, access string, claims map[string]any) error {
	if said.UserInfo == "" {
		return nil
	}
	b := &Bearer{Provider: o.Provider}
	more, err := b.userInfo(ctx, access)
	if err != nil && !errors.Is(err, ErrBearer) && o.Claims.untold(claims) {
		return err
	}
	if err != nil || text(more, "sub") != text(claims, "sub") {
		return nil
	}
	for name, value := range more {
		if _, has := claims[name]; !has && !strings.HasPrefix(name, "_") {
			claims[name] = value
		}
	}
	return nil
}

// Clean forgets the sign-ins that would be too old anyway.
func (o *OIDC) Clean(ctx context.Context) error {
	now, err := o.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("oauth: clean flows: %w", err)
	}
	err = o.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_flow WHERE expires <= ?`, sqldb.Millis(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: clean flows: %w", err)
	}
	return nil
}

// LogoutURL is where the browser goes to end the person's session at the provider too (OpenID Connect RP-Initiated
// Logout 1.0 section 2), and from there back to the address back; "" if the provider has no such place. hint is the
// ID token of the sign-in, "" none.
func (o *OIDC) LogoutURL(ctx context.Context, hint, back string) (string, error) {
	said, err := o.Provider.metadata(ctx)
	if err != nil || said.EndSession == "" {
		return "", err
	}
	u, err := url.Parse(said.EndSession)
	if err != nil {
		return "", providerFault(ctx, "its end_session_endpoint", err)
	}
	q := u.Query()
	q.Set("client_id", o.ClientID)
	q.Set("post_logout_redirect_uri", back)
	if hint != "" {
		q.Set("id_token_hint", hint)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
