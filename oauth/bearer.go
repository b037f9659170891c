package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/patrickmn/go-cache"
	"golang.org/x/sync/singleflight"
)

// The ways of [Bearer.Method].
const (
	BearerAuto       = "auto"
	BearerJWT        = "jwt"
	BearerIntrospect = "introspect"
	BearerUserInfo   = "userinfo"
)

// The bounds of bearer checks.
const (
	maxBearer       = 8 << 10 // bytes
	bearerRemember  = time.Minute
	bearerForget    = 10 * time.Second // of a refusal
	maxRemembered   = 10_000           // decisions of each kind
	clockLeeway     = 30 * time.Second // for exp
	maxFuture       = 5 * time.Minute  // of iat
	askBurst        = 60               // questions to the provider from one peer at once
	askEvery        = 500 * time.Millisecond
	maxBearerExpiry = 24 * time.Hour // of a token whose end nobody told
)

// A Bearer checks access tokens that others got from an OpenID Connect provider. The fields are set before first use;
// then it is safe for concurrent use. It must not be copied.
//
// The way, Method, is
//   - jwt: the token is a signed one (RFC 9068 or like it) and is checked here;
//   - introspect: the provider is asked (RFC 7662);
//   - userinfo: the provider is asked who it is. It then says nothing of the audience: any token of any
//     program that uses this provider passes. So it is never taken by itself;
//   - auto: jwt for tokens that are signed by the issuer, else introspect. A token that was refused one way
//     is never tried in another.
type Bearer struct {
	Provider *Provider
	Claims   Claims
	Method   string // "" auto
	// RFC9068 demands the type at+jwt. Without it, ID and logout tokens are told from access tokens by what
	// is in them.
	RFC9068        bool
	Audiences      []string // one of them must be in aud; none: only AllowedClients counts, and not for jwt
	AllowedClients []string // azp or client_id must be one of them; none: any
	Scopes         []string // all must be in scope

	// Introspection is the address, "" the one that the provider names; ClientID and ClientSecret are ours there.
	Introspection          string
	ClientID, ClientSecret string

	// Observe hears of every token that is checked, whether what was found earlier is still remembered. Nil:
	// nobody listens.
	Observe func(remembered bool)

	once      sync.Once
	accepted  *cache.Cache // by the token's SHA-256: checked
	refused   *cache.Cache
	questions *limiter
	flight    singleflight.Group
}

// checked is what a token was found to be.
type checked struct {
	person  Principal
	expires time.Time
}

func (b *Bearer) prepare() {
	b.once.Do(func() {
		b.Provider.prepare()
		// No janitor: its goroutine would never end.
		b.accepted, b.refused = cache.New(bearerRemember, 0), cache.New(bearerForget, 0)
		b.questions = newLimiter(askEvery, askBurst, maxKeys)
	})
}

// ParseBearer returns the token of a request's Authorization header. It takes "Bearer x" and, as Microsoft's
// documents have it, "Bearer: x", in any case. Anything else, two headers, or a token of more than 8 KiB is
// [ErrBearer].
func ParseBearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", because(ErrBearer, "%d Authorization headers", len(values))
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(strings.TrimSuffix(scheme, ":"), "bearer") || token == "" || len(token) > maxBearer {
		return "", because(ErrBearer, "not a bearer token")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", because(ErrBearer, "characters that no token has (RFC 6750 section 2.1)")
	}
	return token, nil
}

// Check returns whose token it is and until when it is good. peer is the address of whoever sent it. Errors wrap
//   - [ErrBearer]: it is not good here; the answer is 401;
//   - [ErrProvider]: the provider could not be asked; this says nothing about the token, and the answer is 503;
//   - [ErrTooMany]: this peer made us ask too much.
//
// What was found is remembered for a minute at most.
func (b *Bearer) Check(ctx context.Context, token, peer string) (Principal, time.Time, error) {
	b.prepare()
	if token == "" || len(token) > maxBearer {
		return Principal{}, time.Time{}, because(ErrBearer, "empty or too long")
	}
	key := hex.EncodeToString(Hash(token))
	now := b.Provider.Now()
	known, ok := b.accepted.Get(key)
	ok = ok && now.Before(known.(checked).expires)
	cause, no := b.refused.Get(key)
	if b.Observe != nil {
		b.Observe(ok || no)
	}
	if ok {
		return known.(checked).person, known.(checked).expires, nil
	}
	if no {
		return Principal{}, time.Time{}, cause.(error)
	}
	done := b.flight.DoChan(key, func() (any, error) {
		// It belongs to all who wait, not to the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*providerTimeout)
		defer cancel()
		return b.find(ctx, token, key, peer)
	})
	select {
	case <-ctx.Done():
		return Principal{}, time.Time{}, fmt.Errorf("oauth: bearer: %w", ctx.Err())
	case found := <-done:
		if found.Err != nil {
			return Principal{}, time.Time{}, found.Err
		}
		c := found.Val.(checked)
		return c.person, c.expires, nil
	}
}

// find checks a token of which nothing is known, and remembers.
func (b *Bearer) find(ctx context.Context, token, key, peer string) (any, error) {
	c, err := b.look(ctx, token, peer)
	now := b.Provider.Now()
	switch {
	case err == nil && !now.Before(c.expires):
		err = because(ErrBearer, "expired")
	case err == nil:
		remember(b.accepted, key, c, min(bearerRemember, c.expires.Sub(now)))
		return c, nil
	}
	if errors.Is(err, ErrBearer) && !errors.Is(err, ErrProvider) {
		remember(b.refused, key, err, bearerForget)
	}
	return checked{}, err
}

// remember keeps a decision if there is room: forgetting costs a question, no more.
func remember(c *cache.Cache, key string, decision any, d time.Duration) {
	if c.ItemCount() >= maxRemembered {
		c.DeleteExpired()
	}
	if c.ItemCount() < maxRemembered {
		c.Set(key, decision, d)
	}
}

// look decides by the way that is configured.
func (b *Bearer) look(ctx context.Context, token, peer string) (checked, error) {
	method := b.Method
	if method == "" || method == BearerAuto {
		method = BearerIntrospect
		if isSigned(token) {
			method = BearerJWT
		}
	}
	if method == BearerJWT {
		return b.verify(ctx, token)
	}
	if wait := b.questions.take(peerKey(peer), b.Provider.Now()); wait > 0 {
		return checked{}, tooMany(wait)
	}
	if method == BearerUserInfo {
		return b.askUserInfo(ctx, token)
	}
	return b.introspect(ctx, token)
}

// admits decides by what the token or the provider says, however it was learnt.
func (b *Bearer) admits(said map[string]any) error {
	audience := texts(said["aud"])
	forUs := hasAny(audience, b.Audiences)
	program := first(text(said, "azp"), text(said, "client_id"))
	switch {
	case len(b.AllowedClients) > 0 && !hasAny([]string{program}, b.AllowedClients):
		return because(ErrBearer, "of the program %q, which is not allowed", clip(program))
	case len(b.Audiences) > 0 && len(audience) > 0 && !forUs,
		len(b.AllowedClients) == 0 && !forUs:
		return because(ErrBearer, "for another audience: %s", clip(strings.Join(audience, " ")))
	}
	scopes := words(said["scope"])
	if len(scopes) == 0 {
		scopes = words(said["scp"])
	}
	for _, scope := range b.Scopes {
		if !hasAny(scopes, []string{scope}) {
			return because(ErrBearer, "without the scope %q", scope)
		}
	}
	return nil
}

func hasAny(list, wanted []string) bool {
	for _, s := range list {
		for _, w := range wanted {
			if s == w && s != "" {
				return true
			}
		}
	}
	return false
}
