package docsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ErrToken is returned for a JWT that is none of ours: malformed, signed with another
// algorithm or secret, or outside of its time. It says which of these in its text, and
// nothing of the token.
var ErrToken = errors.New("docsapi: JWT refused")

const (
	// leeway is how far clocks may be apart (ONLYOFFICE's own clockTolerance).
	leeway = 60 * time.Second
	// signedFor is how long a JWT of ours is good for another server.
	signedFor = 5 * time.Minute
	// maxJWT bounds a token, in bytes. A callback's token holds the history of changes.
	maxJWT = 4 << 20
	// leastKey is the shortest key that HS256 may have (RFC 7518, section 3.2).
	leastKey = 32
)

// algorithms has the only one that is spoken. The header of a token chooses nothing.
var algorithms = []jose.SignatureAlgorithm{jose.HS256}

// A Secret is what a document server and we share. It is a key of any length: one that is
// shorter than RFC 7518 wants is filled up with zeros, as HMAC itself does, so that the
// signatures are those of the document server, which accepts short ones.
type Secret []byte

func (s Secret) key() []byte {
	if len(s) >= leastKey {
		return s
	}
	return append(append(make([]byte, 0, leastKey), s...), make([]byte, leastKey-len(s))...)
}

// Sign is the JWT whose claims are v, which encodes to a JSON object. Nothing is added.
func (s Secret) Sign(v any) (string, error) {
	if len(s) == 0 {
		return "", fmt.Errorf("%w: there is no secret", ErrToken)
	}
	claims, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("docsapi: claims: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: s.key()}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("docsapi: signer: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("docsapi: sign: %w", err)
	}
	return signed.CompactSerialize()
}

// signShort is Sign for something that is used at once: it ends after [signedFor].
func (s Secret) signShort(v any, now time.Time) (string, error) {
	claims, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("docsapi: claims: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(claims, &all); err != nil {
		return "", fmt.Errorf("docsapi: claims: %w", err)
	}
	all["iat"] = fmt.Appendf(nil, "%d", now.Unix())
	all["exp"] = fmt.Appendf(nil, "%d", now.Add(signedFor).Unix())
	return s.Sign(all)
}

// times are the registered claims that are looked at (RFC 7519, section 4.1).
type times struct {
	Expires   *json.Number `json:"exp"`
	NotBefore *json.Number `json:"nbf"`
	Issued    *json.Number `json:"iat"`
}

// Open checks a JWT and returns its claims, a JSON object. An end that is not said is
// none: the document server's own tokens always say one.
func (s Secret) Open(token string, now time.Time) ([]byte, error) {
	switch {
	case len(s) == 0:
		return nil, fmt.Errorf("%w: there is no secret", ErrToken)
	case token == "":
		return nil, fmt.Errorf("%w: there is none", ErrToken)
	case len(token) > maxJWT:
		return nil, fmt.Errorf("%w: %d bytes", ErrToken, len(token))
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, fmt.Errorf("%w: not an HS256 JWT", ErrToken)
	}
	claims, err := jws.Verify(s.key())
	if err != nil {
		return nil, fmt.Errorf("%w: not signed with the secret", ErrToken)
	}
	var at times
	if err := json.Unmarshal(claims, &at); err != nil {
		return nil, fmt.Errorf("%w: claims are not an object", ErrToken)
	}
	expires, errExpires := moment(at.Expires)
	begins, errBegins := moment(at.NotBefore)
	switch {
	case errExpires != nil || errBegins != nil:
		return nil, fmt.Errorf("%w: a time that is none", ErrToken)
	case !expires.IsZero() && !now.Before(expires.Add(leeway)):
		return nil, fmt.Errorf("%w: expired", ErrToken)
	case !begins.IsZero() && now.Add(leeway).Before(begins):
		return nil, fmt.Errorf("%w: not good yet", ErrToken)
	}
	return claims, nil
}

// moment reads a NumericDate; the zero time: not said.
func moment(n *json.Number) (time.Time, error) {
	if n == nil {
		return time.Time{}, nil
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1e11 {
		return time.Time{}, ErrToken
	}
	return time.UnixMilli(int64(f * 1000)), nil
}

// wrapped is how a header's token holds its claims.
type wrapped struct {
	Payload json.RawMessage `json:"payload"`
}

// unwrap returns the object in "payload", or the claims themselves where there is none.
func unwrap(claims []byte) []byte {
	var w wrapped
	if json.Unmarshal(claims, &w) == nil && bytes.HasPrefix(bytes.TrimSpace(w.Payload), []byte("{")) {
		return w.Payload
	}
	return claims
}
