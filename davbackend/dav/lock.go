package dav

import (
	"fmt"
	"strings"
	"time"
)

const maxCoded = 4096 // bytes between < and >

// A LockToken names a WebDAV lock: an absolute URI by RFC 4918 6.5, or whatever the
// server calls one (x/net/webdav sends bare numbers). It is a secret of a kind: who
// knows it and may write can write past the lock.
type LockToken string

// ParseLockToken reads a token as it stands in lockdiscovery, or with < > as in a
// Lock-Token header. What cannot be put between < and > again is [ErrSyntax].
func ParseLockToken(s string) (LockToken, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") && len(s) >= 2 {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	if err := checkCoded(s); err != nil {
		return "", err
	}
	return LockToken(s), nil
}

// checkCoded says whether s can stand between < and > in a header.
func checkCoded(s string) error {
	if s == "" || len(s) > maxCoded {
		return fmt.Errorf("%w: URI of %d bytes between < and >", ErrSyntax, len(s))
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '<' || c == '>' {
			return fmt.Errorf("%w: URI between < and > has a byte %#x", ErrSyntax, c)
		}
	}
	return nil
}

// An ActiveLock is one entry of lockdiscovery, or the answer to LOCK.
type ActiveLock struct {
	Token     LockToken // "" where the server does not tell
	Owner     string    // as plain text, trimmed
	Exclusive bool
	Infinite  bool          // depth infinity
	Timeout   time.Duration // granted; 0 unknown (assume 600 s)
	Root      string        // lockroot's href as sent, "" none
}

// ParseLockAnswer reads the body of an answer to LOCK: a DAV:prop with the
// lockdiscovery of the resource. A body without one is [ErrSyntax].
func ParseLockAnswer(body Element) ([]ActiveLock, error) {
	if body.Name == (PropName{"DAV:", "prop"}) {
		if discovery, ok := body.Child("DAV:", "lockdiscovery"); ok {
			return activeLocks(discovery), nil
		}
	}
	return nil, fmt.Errorf("%w: answer to LOCK without lockdiscovery", ErrSyntax)
}

// activeLocks reads a lockdiscovery. Entries with a token that cannot be sent back
// keep everything but the token: that something is locked is worth knowing.
func activeLocks(discovery Element) []ActiveLock {
	locks := make([]ActiveLock, 0, len(discovery.Children))
	for _, e := range discovery.Children {
		if e.Name != (PropName{"DAV:", "activelock"}) {
			continue
		}
		locks = append(locks, activeLock(e))
	}
	return locks
}

func activeLock(e Element) ActiveLock {
	l := ActiveLock{Exclusive: true}
	if scope, ok := e.Child("DAV:", "lockscope"); ok {
		_, shared := scope.Child("DAV:", "shared")
		l.Exclusive = !shared
	}
	if depth, ok := e.Child("DAV:", "depth"); ok {
		d, err := ParseDepth(depth.AllText())
		l.Infinite = err == nil && d == DepthInfinity
	}
	if owner, ok := e.Child("DAV:", "owner"); ok {
		l.Owner = owner.AllText()
	}
	if timeout, ok := e.Child("DAV:", "timeout"); ok {
		l.Timeout = ParseTimeout(timeout.AllText())
	}
	if token, ok := e.Child("DAV:", "locktoken"); ok {
		l.Token, _ = ParseLockToken(token.AllText())
	}
	if root, ok := e.Child("DAV:", "lockroot"); ok {
		l.Root = root.AllText()
	}
	return l
}
