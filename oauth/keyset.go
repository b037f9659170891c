package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

// The times of a provider's keys.
const (
	keysFresh    = 15 * time.Minute // after that they are fetched again, so that retired keys end
	keysCooldown = 20 * time.Second // between two fetches, whatever comes in
	keysStale    = 24 * time.Hour   // how long the old ones do while the provider cannot be asked
	keysTimeout  = 5 * time.Second
	maxKeysTried = 8 // for a token that names no key
)

// signingAlgorithms are those whose keys the provider publishes. Never HS256: whoever knows a client's
// secret could sign; never none.
var signingAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// A keySet is a provider's signing keys (RFC 7517). go-oidc's own asks the provider once for every forged
// token and keeps keys that were retired; this one asks at most every 20 seconds, and forgets after
// 15 minutes. Safe for concurrent use.
type keySet struct {
	client *http.Client
	url    string
	now    func() time.Time

	flight singleflight.Group
	mu     sync.Mutex
	keys   []jose.JSONWebKey
	got    time.Time // of the last fetch that succeeded
	tried  time.Time // of the last fetch
	fault  error     // of the last fetch
}

// errSignature is a signature that no key of the provider explains.
var errSignature = errors.New("no key of the provider has signed this")

// VerifySignature implements oidc.KeySet. An error that wraps [ErrProvider] says nothing about the token.
func (s *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(jwt, signingAlgorithms)
	if err != nil {
		return nil, fmt.Errorf("not a signed token: %w", err)
	}
	if len(jws.Signatures) != 1 {
		return nil, errSignature
	}
	head := jws.Signatures[0].Header
	keys, err := s.current(ctx, false)
	if err != nil {
		return nil, err
	}
	fitting := fits(keys, head)
	if len(fitting) == 0 {
		if keys, err = s.current(ctx, true); err != nil {
			return nil, err
		}
		fitting = fits(keys, head)
	}
	for _, key := range fitting {
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errSignature
}

// fits are the keys that may have signed.
func fits(keys []jose.JSONWebKey, head jose.Header) (list []jose.JSONWebKey) {
	for _, key := range keys {
		if (head.KeyID == "" || key.KeyID == head.KeyID) && (key.Algorithm == "" || key.Algorithm == head.Algorithm) && len(list) < maxKeysTried {
			list = append(list, key)
		}
	}
	return list
}

// current returns the keys, fetched if they are old, or if unknown asks for one that is not among them and
// the last fetch was not just now.
func (s *keySet) current(ctx context.Context, unknown bool) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	now := s.now()
	keys, fault := s.keys, s.fault
	age := now.Sub(s.got)
	due := (unknown || keys == nil || age >= keysFresh) && (s.tried.IsZero() || now.Sub(s.tried) >= keysCooldown)
	s.mu.Unlock()
	switch {
	case due:
	case keys == nil, age >= keysStale:
		return nil, fault
	default:
		return keys, nil
	}
	done := s.flight.DoChan("", func() (any, error) { s.fetch(); return nil, nil })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("oauth: keys of the provider: %w", ctx.Err())
	case <-done:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || s.now().Sub(s.got) >= keysStale {
		return nil, s.fault
	}
	return s.keys, nil
}

// fetch asks once. It belongs to nobody's request: whoever came first may hang up.
func (s *keySet) fetch() {
	s.mu.Lock()
	justNow := !s.tried.IsZero() && s.now().Sub(s.tried) < keysCooldown
	s.mu.Unlock()
	if justNow {
		return // another one has come between
	}
	ctx, cancel := context.WithTimeout(context.Background(), keysTimeout)
	defer cancel()
	keys, err := s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.fault = s.now(), err
	if err == nil {
		s.keys, s.got = keys, s.tried
	}
}

func (s *keySet) ask(ctx context.Context) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, providerFault(context.Background(), "its keys", err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, providerFault(context.Background(), "its keys", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, providerFault(ctx, "its keys", fmt.Errorf("status %d", resp.StatusCode))
	}
	// One key that we do not understand must not cost all others.
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return nil, providerFault(context.Background(), "its keys", err)
	}
	keys := make([]jose.JSONWebKey, 0, len(set.Keys))
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.Use != "enc" && key.IsPublic() && isAsymmetric(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// isAsymmetric reports whether key is of a kind that only its owner can sign with.
func isAsymmetric(key jose.JSONWebKey) bool {
	_, symmetric := key.Key.([]byte)
	return !symmetric && key.Valid() && (key.Algorithm == "" || slices.Contains(signingAlgorithms, jose.SignatureAlgorithm(key.Algorithm)))
}
