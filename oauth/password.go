package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// The limits of password sign-in. A peer is an IPv4 address or an IPv6 /64, which is what one
// household or one attacker gets.
const (
	userBurst = 10
	userEvery = 30 * time.Second
	peerBurst = 30
	peerEvery = 5 * time.Second
	maxKeys   = 10_000 // remembered user names, and as many peers

	maxUserName = 256  // bytes
	maxPassword = 1024 // bytes
)

// A PasswordSignIn checks a user name and a password against an upstream. The fields are set before first
// use; then it is safe for concurrent use. It must not be copied. It keeps no password and logs nothing.
//
// Attempts are counted per user name and per peer in this process; replicas count each for itself.
type PasswordSignIn struct {
	// Check asks the upstream. nil: it accepted; [ErrRefused]: it refused; anything else: it could not be asked.
	Check    func(ctx context.Context, user, password string) error
	Upstream string           // its name; the issuer is "upstream:" and this
	Now      func() time.Time // nil: time.Now

	once         sync.Once
	users, peers *limiter
}

// SignIn returns the person that user is on the upstream, if password is theirs. peer is the address
// of the browser (with or without a port), as trusted proxies tell it. It returns
//   - [ErrRefused] if the upstream refused, or could not have been asked such a thing: nothing tells an
//     unknown name from a wrong password;
//   - a [*TooManyError] if there were too many attempts for this name or from this peer; the upstream was not asked;
//   - an error that wraps Check's if the upstream could not be asked.
//
// Every attempt that reaches the upstream counts, whatever comes of it. Attempts from a peer that is over
// its limit do not count against the name, so that one peer alone cannot keep a person out by hurrying.
func (p *PasswordSignIn) SignIn(ctx context.Context, user, password, peer string) (Principal, error) {
	p.once.Do(func() {
		p.users = newLimiter(userEvery, userBurst, maxKeys)
		p.peers = newLimiter(peerEvery, peerBurst, maxKeys)
	})
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	at := now()
	if wait := p.peers.take(peerKey(peer), at); wait > 0 {
		return Principal{}, tooMany(wait)
	}
	if !askable(user, password) {
		return Principal{}, ErrRefused
	}
	if wait := p.users.take(userKey(user), at); wait > 0 {
		return Principal{}, tooMany(wait)
	}
	switch err := p.Check(ctx, user, password); {
	case errors.Is(err, ErrRefused):
		return Principal{}, ErrRefused // alone: what the upstream said may tell names that exist
	case err != nil:
		return Principal{}, fmt.Errorf("oauth: the upstream could not be asked: %w", err)
	}
	return Principal{Issuer: "upstream:" + p.Upstream, Subject: user, Name: user}, nil
}

func tooMany(wait time.Duration) error {
	return &TooManyError{RetryAfter: (wait + time.Second - 1).Truncate(time.Second)}
}

// askable reports whether an upstream may be asked at all. An empty password is an anonymous success on
// servers that look it up in a directory; a colon cannot be in a user name (RFC 7617 section 2).
func askable(user, password string) bool {
	if user == "" || password == "" || len(user) > maxUserName || len(password) > maxPassword {
		return false
	}
	if !utf8.ValidString(user) || !utf8.ValidString(password) || strings.Contains(user, ":") {
		return false
	}
	return !strings.ContainsFunc(user, unicode.IsControl) && !strings.ContainsFunc(password, unicode.IsControl)
}

// userKey counts spellings together that many upstreams take for the same person.
func userKey(user string) string { return strings.ToLower(strings.TrimSpace(user)) }

func peerKey(peer string) string {
	addr, err := netip.ParseAddr(peer)
	if err != nil {
		port, err := netip.ParseAddrPort(peer)
		if err != nil {
			return "unknown" // all of them together: an address that cannot be read buys no attempts
		}
		addr = port.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}
