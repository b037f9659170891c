package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// isSigned reports whether a token looks like a signed one (RFC 7515), without any cryptography.
func isSigned(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	return err == nil && json.Unmarshal(raw, &head) == nil && head.Algorithm != ""
}

// verify checks a signed token here: go-oidc looks at signature, issuer and times; the rest, which tells an
// access token for us from all other tokens of this issuer, is ours.
func (b *Bearer) verify(ctx context.Context, token string) (checked, error) {
	if !isSigned(token) {
		return checked{}, because(ErrBearer, "not a signed token")
	}
	said, err := b.Provider.metadata(ctx)
	if err != nil {
		return checked{}, err
	}
	keys := &witness{keys: said.keys}
	verified, err := oidc.NewVerifier(b.Provider.Issuer, keys, &oidc.Config{
		SkipClientIDCheck: true, SupportedSigningAlgs: algorithmNames(),
		Now: func() time.Time { return b.Provider.Now().Add(-clockLeeway) },
	}).Verify(ctx, token)
	switch {
	case errors.Is(keys.fault, ErrProvider), errors.Is(keys.fault, context.DeadlineExceeded), errors.Is(keys.fault, context.Canceled):
		return checked{}, keys.fault
	case err != nil:
		return checked{}, because(ErrBearer, "%s", clip(err.Error()))
	}
	var raw json.RawMessage
	if err := verified.Claims(&raw); err != nil {
		return checked{}, because(ErrBearer, "claims not readable")
	}
	claims, err := decodeClaims(raw)
	if err != nil {
		return checked{}, because(ErrBearer, "claims not readable")
	}
	if verified.IssuedAt.After(b.Provider.Now().Add(maxFuture)) {
		return checked{}, because(ErrBearer, "issued in the future")
	}
	if err := b.isAccessToken(token, claims); err != nil {
		return checked{}, err
	}
	if err := b.admits(claims); err != nil {
		return checked{}, err
	}
	person, err := b.person(ctx, token, claims)
	return checked{person: person, expires: verified.Expiry.Add(clockLeeway)}, err
}

// isAccessToken refuses the other tokens that a provider signs: ID tokens (OpenID Connect Core 1.0 section 2),
// logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.4), refresh tokens.
func (b *Bearer) isAccessToken(token string, claims map[string]any) error {
	jws, err := jose.ParseSignedCompact(token, signingAlgorithms)
	if err != nil {
		return because(ErrBearer, "not a signed token")
	}
	kind, _ := jws.Signatures[0].Protected.ExtraHeaders["typ"].(string)
	kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
	if b.RFC9068 && kind != "at+jwt" {
		return because(ErrBearer, "of type %q, not at+jwt", clip(kind))
	}
	if kind != "" && kind != "at+jwt" && kind != "jwt" {
		return because(ErrBearer, "of type %q", clip(kind))
	}
	for _, claim := range []string{"nonce", "c_hash", "at_hash", "events"} {
		if _, has := claims[claim]; has && kind != "at+jwt" {
			return because(ErrBearer, "no access token: it has the claim %s", claim)
		}
	}
	switch strings.ToLower(first(text(claims, "typ"), text(claims, "token_use"))) {
	case "", "bearer", "access", "at+jwt", "access_token":
		return nil
	}
	return because(ErrBearer, "no access token by its claims")
}

// person is the person of a token that is good. Access tokens often hold no name and no groups; then the provider is
// asked, and if it does not tell, the person is called by the subject. Where groups count, they have to be told: whoever
// asks for a token chooses its scope, and would ask for one that says nothing of theirs.
func (b *Bearer) person(ctx context.Context, token string, claims map[string]any) (Principal, error) {
	said, err := b.Provider.metadata(ctx)
	if err != nil {
		return Principal{}, err
	}
	if said.UserInfo != "" && (!b.named(claims) || b.Claims.untold(claims)) {
		more, err := b.userInfo(ctx, token)
		if err != nil && !errors.Is(err, ErrBearer) && b.Claims.untold(claims) {
			return Principal{}, err
		}
		if err == nil && text(more, "sub") == text(claims, "sub") {
			for name, value := range more {
				if _, has := claims[name]; !has {
					claims[name] = value
				}
			}
		}
	}
	return b.told(claims)
}

// told is the person of whom everything that counts is said.
func (b *Bearer) told(claims map[string]any) (Principal, error) {
	if b.Claims.untold(claims) {
		return Principal{}, because(ErrBearer, "neither it nor the provider tells the claim %s, of which rules speak", b.Claims.groups())
	}
	p, err := b.Claims.principal(b.Provider.Issuer, claims)
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrBearer, err)
	}
	return p, nil
}

func (b *Bearer) named(claims map[string]any) bool {
	for _, claim := range []string{"name", "preferred_username", "username", "email", b.Claims.Name} {
		if claim != "" && text(claims, claim) != "" {
			return true
		}
	}
	return false
}

// A witness remembers why a signature could not be checked: go-oidc tells only that.
type witness struct {
	keys  oidc.KeySet
	fault error
}

// VerifySignature implements oidc.KeySet.
func (w *witness) VerifySignature(ctx context.Context, jwt string) (payload []byte, err error) {
	payload, w.fault = w.keys.VerifySignature(ctx, jwt)
	return payload, w.fault
}

func algorithmNames() (names []string) {
	for _, a := range signingAlgorithms {
		names = append(names, string(a))
	}
	return names
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) > maxCause {
		s = strings.ToValidUTF8(s[:maxCause], "") + "..."
	}
	return s
}
