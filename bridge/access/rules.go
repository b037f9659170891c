package access

import (
	"fmt"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
	"davwopi/oauth"
)

// A Rule is one entry of access: in the configuration. It gives the people of Who at most Rights to the subtree
// of Path.
type Rule struct {
	Who      []string // principal keys, subjects (the sign-in name), logins, display names, or "group:NAME"; "*" all
	Path     string   // subtree, "" or "/" all
	Upstream string   // "" all
	Rights   Rights   // View: read only; Edit: all; 0: nothing
}

// Rules are the operator's access: rules, asked on every request; a grant is only a ceiling beside them.
//
// Of the rules that speak of the person, the upstream and the path, those with the longest Path count; of these, those
// that name the person or a group of theirs go before those for "*"; of what is left, the one that gives least. Their
// order does not matter. Where no rule speaks, everything is allowed: rules take away, and a longer Path or a
// name gives back.
//
// A display name, which people often choose themselves, only ever takes away: a rule that names somebody by it is
// heard where that leaves less, never where it would leave more. So does the name of a person in another spelling of
// upper and lower case or with spaces around it, since many upstreams take those for the same account. Names of files are compared segment by segment, byte
// by byte; an upstream that takes "a" and "A" for one file needs rules for whole folders whose name it tells itself.
type Rules []Rule

// Check returns an error that wraps [ErrConfig] and says which rule is bad, for the start of the program. Rules that
// were not checked are safe: a bad one lets nobody do anything.
func (r Rules) Check() error {
	for i, rule := range r {
		if _, ok := segments(rule.Path); !ok {
			return fmt.Errorf("%w: rule %d: path is not clean", ErrConfig, i+1)
		}
		if rule.Rights < 0 || rule.Rights > Edit {
			return fmt.Errorf("%w: rule %d: unknown rights", ErrConfig, i+1)
		}
		if len(rule.Who) == 0 || slices.Contains(rule.Who, "") || slices.Contains(rule.Who, "group:") {
			return fmt.Errorf("%w: rule %d: nobody is named", ErrConfig, i+1)
		}
	}
	return nil
}

// Allows returns what p may do at most to path, which is a [dav.Path] of the upstream. Without rules: [Edit].
func (r Rules) Allows(p oauth.Principal, upstream, path string) Rights {
	if len(r) == 0 {
		return Edit
	}
	at, ok := segments(path)
	if !ok || r.Check() != nil {
		return 0
	}
	sure := r.judge(upstream, at, func(who string) bool { return isSurely(p, who) })
	loose := r.judge(upstream, at, func(who string) bool { return isSurely(p, who) || who != "*" && isPerhaps(p, who) })
	return min(sure, loose)
}

// AllowsBelow returns the least of what p may do to path and to anything below it: what an operation on a whole
// collection needs.
func (r Rules) AllowsBelow(p oauth.Principal, upstream, path string) Rights {
	least := r.Allows(p, upstream, path)
	at, ok := segments(path)
	if !ok {
		return 0
	}
	for _, rule := range r {
		// Rights change nowhere but at the path of a rule.
		if below, ok := segments(rule.Path); ok && within(at, below) {
			least = min(least, r.Allows(p, upstream, rule.Path))
		}
	}
	return least
}

// AllowsChildren returns the least of what p may do to path and to what lies directly in it: what a listing needs.
func (r Rules) AllowsChildren(p oauth.Principal, upstream, path string) Rights {
	least := r.Allows(p, upstream, path)
	at, ok := segments(path)
	if !ok {
		return 0
	}
	for _, rule := range r {
		if below, ok := segments(rule.Path); ok && len(below) == len(at)+1 && within(at, below) {
			least = min(least, r.Allows(p, upstream, rule.Path))
		}
	}
	return least
}

// AllowsGrant is [Rules.Allows] for the person of g, and for a guest never more than whoever made their link may.
func (r Rules) AllowsGrant(g Grant, path string) Rights { return r.least(g, path, Rules.Allows) }

// AllowsGrantBelow is the same of [Rules.AllowsBelow].
func (r Rules) AllowsGrantBelow(g Grant, path string) Rights {
	return r.least(g, path, Rules.AllowsBelow)
}

func (r Rules) least(g Grant, path string, allows func(Rules, oauth.Principal, string, string) Rights) Rights {
	rights := allows(r, g.Principal, g.Upstream, path)
	if g.Guest() {
		rights = min(rights, allows(r, g.Behind, g.Upstream, path))
	}
	return rights
}

// judge returns what the nearest rules give at least, names telling which of them name the person.
func (r Rules) judge(upstream string, at []string, names func(who string) bool) Rights {
	nearest, rights := -1, Edit
	for _, rule := range r {
		below, _ := segments(rule.Path)
		if rule.Upstream != "" && rule.Upstream != upstream || !within(below, at) {
			continue
		}
		near := 2 * len(below) // a longer path outweighs a name
		switch {
		case slices.ContainsFunc(rule.Who, names):
			near++
		case !slices.Contains(rule.Who, "*"):
			continue
		}
		switch {
		case near > nearest:
			nearest, rights = near, rule.Rights
		case near == nearest:
			rights = min(rights, rule.Rights)
		}
	}
	return rights
}

// isSurely reports whether who is p by what the issuer vouches for. "*" is nobody here.
func isSurely(p oauth.Principal, who string) bool {
	if who == "*" {
		return false
	}
	if group, ok := strings.CutPrefix(who, "group:"); ok {
		return slices.Contains(p.Groups, group) // and nobody who is called like a group
	}
	return who == p.Subject || who == p.Key() || who == p.Login && who != ""
}

// isPerhaps reports whether who may mean p: by display name, or by a sign-in name that the upstream may take for
// the same.
func isPerhaps(p oauth.Principal, who string) bool {
	same := func(name string) bool {
		return name != "" && strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(who))
	}
	return same(p.Name) || same(p.Subject) || same(p.Key()) || same(p.Login) || same(p.SignIn)
}

// segments splits a path; false if it is not clean. "" is the root, as in configurations.
func segments(path string) ([]string, bool) {
	if path == "" || path == "/" {
		return nil, true
	}
	p, err := dav.ParsePath(path)
	if err != nil {
		return nil, false
	}
	return p.Segments(), true
}

// within reports whether at is below or lies under it.
func within(below, at []string) bool {
	return len(below) <= len(at) && slices.Equal(below, at[:len(below)])
}
