package localdav

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"davwopi/davbackend/dav"
)

// A claim is a place that a request is going to change.
type claim struct {
	key    string
	member bool // the name comes or goes, which changes the folder above
	tree   bool // everything below changes with it
}

// claims of one place, under both of its names if its last part is a link.
func claimsOf(pl place, member, tree bool) []claim {
	var out []claim
	for _, key := range pl.keys() {
		out = append(out, claim{key, member, tree})
	}
	return out
}

// check says whether r may change what it claims: its conditions hold for target, which
// is what the Request-URI shows (err says what is there if it is nothing), and every
// lock in the way is named. It is called before a body is read, and again under the gate.
func (s *Server) check(ctx context.Context, r *request, target seen, exists bool, claims ...claim) error {
	if err := preconditions(r.Header, target, exists); err != nil {
		return err
	}
	if len(r.cond) > 0 {
		ok, err := s.evaluate(ctx, r, target, exists)
		if err != nil {
			return err
		}
		if !ok {
			return refusal(http.StatusPreconditionFailed, errors.New("localdav: If does not hold"))
		}
	}
	return s.unlocked(ctx, r, claims)
}

// preconditions evaluates RFC 9110 13.1 for the Request-URI.
func preconditions(h http.Header, target seen, exists bool) error {
	failed := refusal(http.StatusPreconditionFailed, errors.New("localdav: precondition does not hold"))
	if v := h.Values("If-Match"); len(v) > 0 {
		if !exists || !etagAmong(v, target.etag, false) {
			return failed
		}
	} else if v := h.Get("If-Unmodified-Since"); v != "" {
		t, err := http.ParseTime(v)
		if err == nil && exists && target.modified().Unix() > t.Unix() {
			return failed
		}
	}
	if v := h.Values("If-None-Match"); len(v) > 0 && exists && etagAmong(v, target.etag, true) {
		return failed
	}
	return nil
}

// etagAmong reports whether lists, the values of an If-Match or If-None-Match, name
// etag. "*" is every one, also of what has none. weak is the comparison of RFC 9110 8.8.3.2.
func etagAmong(lists []string, etag string, weak bool) bool {
	for _, l := range lists {
		if strings.TrimSpace(l) == "*" {
			return true
		}
		for l != "" {
			var one string
			one, l = nextETag(l)
			if weak {
				one = strings.TrimPrefix(one, "W/")
			}
			if one != "" && one == etag {
				return true
			}
		}
	}
	return false
}

// nextETag cuts the first entity tag off a list; a comma may stand inside the quotes.
func nextETag(l string) (etag, rest string) {
	l = strings.TrimLeft(l, ", \t")
	open := strings.IndexByte(l, '"')
	if open < 0 {
		return "", ""
	}
	end := strings.IndexByte(l[open+1:], '"')
	if end < 0 {
		return "", ""
	}
	end += open + 2
	return l[:end], l[end:]
}

// evaluate is RFC 4918 10.4: one list must hold.
func (s *Server) evaluate(ctx context.Context, r *request, target seen, exists bool) (bool, error) {
	for _, l := range r.cond {
		about, there, keys := target, exists, target.keys()
		if l.Tag != "" {
			p, ok, err := s.ours(r, l.Tag)
			if err != nil && refusedBy(err).status != http.StatusBadRequest {
				return false, err
			}
			if err != nil || !ok {
				continue // nothing is known about resources elsewhere
			}
			if about, there, err = s.sightOrNone(ctx, p); err != nil {
				return false, err
			}
			keys = about.keys()
		}
		ok, err := s.holds(ctx, l.Conditions, about.etag, there, keys)
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// sightOrNone is sight that tells nothing (and what cannot be seen) from an error.
func (s *Server) sightOrNone(ctx context.Context, p dav.Path) (o seen, exists bool, err error) {
	o, err = s.sight(ctx, p)
	if err == nil {
		return o, true, nil
	}
	if nothing(err) {
		if o.real == "" { // the folder above is missing, too
			o.place = place{p, relative(p), relative(p)}
		}
		return o, false, nil
	}
	return o, false, err
}

// target is sight for what may be made: 409 if the folder above is missing.
func (s *Server) target(ctx context.Context, p dav.Path) (o seen, exists bool, err error) {
	o, err = s.sight(ctx, p)
	switch {
	case err == nil:
		return o, true, nil
	case nothing(err) && o.real == "":
		return o, false, refusal(http.StatusConflict, err)
	case nothing(err):
		return o, false, nil
	}
	return o, false, err
}

func nothing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (s *Server) holds(ctx context.Context, conditions []dav.Condition, etag string, exists bool, keys []string) (bool, error) {
	locks, err := s.state.locksAbout(ctx, keys, false)
	if err != nil {
		return false, err
	}
	for _, c := range conditions {
		var is bool
		if c.ETag != "" {
			is = exists && string(c.ETag) == etag
		} else {
			is = covered(locks, c.Token, keys)
		}
		if is == c.Not {
			return false, nil
		}
	}
	return true, nil
}

func covered(locks []lock, token dav.LockToken, keys []string) bool {
	for _, l := range locks {
		for _, key := range keys {
			if l.token == token && l.covers(key) {
				return true
			}
		}
	}
	return false
}

// submitted are the tokens that r names, wherever in its If (RFC 4918 6.4, 10.4.1).
func (r *request) submitted() map[dav.LockToken]bool {
	out := map[dav.LockToken]bool{}
	for _, l := range r.cond {
		for _, c := range l.Conditions {
			if c.Token != "" {
				out[c.Token] = true
			}
		}
	}
	return out
}

// unlocked says whether r names the token of every lock that protects its claims:
// 423 with the lock's root otherwise.
func (s *Server) unlocked(ctx context.Context, r *request, claims []claim) error {
	if len(claims) == 0 {
		return nil
	}
	var keys []string
	below := false
	for _, c := range claims {
		keys = append(keys, c.key)
		below = below || c.tree
	}
	locks, err := s.state.locksAbout(ctx, keys, below)
	if err != nil {
		return err
	}
	if l, ok := inTheWay(locks, r.submitted(), claims); ok {
		return &refused{
			status: http.StatusLocked, condition: "lock-token-submitted",
			hrefs: []string{s.href(l.root, false)}, err: errors.New("localdav: locked"),
		}
	}
	return nil
}

// inTheWay returns a lock that protects one of claims and whose token is not in tokens.
// Of shared locks on one resource one token is enough (RFC 4918 6.2).
func inTheWay(locks []lock, tokens map[dav.LockToken]bool, claims []claim) (lock, bool) {
	held := map[string]bool{} // roots of shared locks of which one token was named
	for _, l := range locks {
		if l.shared && tokens[l.token] {
			held[l.key] = true
		}
	}
	for _, l := range locks {
		if tokens[l.token] || l.shared && held[l.key] {
			continue
		}
		for _, c := range claims {
			if c.protectedBy(l) {
				return l, true
			}
		}
	}
	return lock{}, false
}

// protectedBy is RFC 4918 7.3 (resource), 7.4 (folder and its members), 9.6.1 (tree).
func (c claim) protectedBy(l lock) bool {
	return l.covers(c.key) ||
		c.member && c.key != "/" && l.key == parentKey(c.key) ||
		c.tree && within(c.key, l.key)
}
