package davbackend

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"unicode"

	"davwopi/davbackend/dav"
)

// A proof is an Authorization header and where it came from.
type proof struct {
	header    string
	challenge *challenge // nil: none was known
	fresh     bool       // the challenge was sent in answer to this very call
}

// check refuses credentials that cannot be put into a header. Its errors wrap
// dav.ErrUnauthorized.
func (c Credential) check() error {
	bad := func(why string) error {
		return fmt.Errorf("davbackend: %w: %s", dav.ErrUnauthorized, why)
	}
	switch c.Kind {
	case "":
		return nil
	case "password":
		if strings.ContainsFunc(c.User, unicode.IsControl) || strings.ContainsFunc(c.Secret, unicode.IsControl) {
			return bad("user name or password with a control character")
		}
		return nil
	case "bearer":
		if c.Secret == "" || strings.ContainsFunc(c.Secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return bad("bearer token with characters that cannot be sent")
		}
		return nil
	}
	return bad("unknown kind of credential")
}

// prove returns the header with which c goes out; last is the proof that a challenge
// to this call has just made possible, if any.
func (v *View) prove(c call, last proof) (proof, error) {
	switch v.credential.Kind {
	case "bearer":
		return proof{header: "Bearer " + v.bearer()}, nil
	case "password":
	default:
		return proof{}, nil
	}
	p := last
	if p.challenge == nil {
		p = proof{challenge: v.client.auth.now()}
	}
	if p.challenge == nil {
		return proof{}, nil
	}
	var err error
	if p.challenge.digest() {
		uri := v.address(c).RequestURI()
		p.header, err = p.challenge.authorize(v.credential, c.method, uri)
		return p, err
	}
	if strings.Contains(v.credential.User, ":") {
		return proof{}, fmt.Errorf("davbackend: %w: user name with a colon cannot be sent as Basic", dav.ErrUnauthorized)
	}
	pair := v.credential.User + ":" + v.credential.Secret
	p.header = "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	return p, nil
}

// bearer is the token that goes out.
func (v *View) bearer() string {
	if t := v.renewed.Load(); t != nil {
		return *t
	}
	return v.credential.Secret
}

// another reports whether there is another bearer token than the refused one, and takes it.
func (v *View) another(ctx context.Context, refused string) bool {
	if v.credential.Kind != "bearer" || v.renew == nil {
		return false
	}
	next, err := v.renew(ctx, refused)
	if err != nil || next == refused || (Credential{Kind: "bearer", Secret: next}).check() != nil {
		return false
	}
	v.renewed.Store(&next)
	return true
}

// authState is what one Client has learned of how its upstream wants passwords. It
// holds no credential.
type authState struct {
	mu      sync.Mutex
	current *challenge // guarded by mu
	probed  bool       // guarded by mu: asked, and reading needs no credential
}

func (s *authState) now() *challenge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *authState) known() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil || s.probed
}

func (s *authState) asked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probed = true
}

// learn takes the challenges of a 401 to a request that showed shown. It returns the
// challenge to answer, and whether there is a point in answering: a password that was
// refused under a challenge of this very call is wrong.
func (s *authState) learn(cred Credential, shown proof, headers []string) (proof, bool) {
	if cred.Kind != "password" {
		return proof{}, false
	}
	best := strongest(parseChallenges(headers))
	if best == nil {
		return proof{}, false
	}
	s.mu.Lock()
	s.current = best
	s.mu.Unlock()
	next := proof{challenge: best, fresh: true}
	was := shown.challenge
	switch {
	case was == nil:
		return next, true
	case best.digest() != was.digest():
		return next, true
	case !best.digest():
		return proof{}, false // the same Basic once more
	}
	// A cached nonce may be from before the server's restart, whatever stale says.
	return next, best.stale || !shown.fresh
}

// next takes the nonce that an Authentication-Info offers for the following request.
func (s *authState) next(shown proof, h http.Header) {
	info := h.Get("Authentication-Info")
	if info == "" || shown.challenge == nil || !shown.challenge.digest() {
		return
	}
	nonce := parseParams(info)["nextnonce"]
	if nonce == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == shown.challenge {
		s.current = shown.challenge.withNonce(nonce)
	}
}
