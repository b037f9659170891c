package upstream

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
)

// The quirks of lock tokens: what they look like and in which header they count.

// base is what hrefs and tags are relative to.
func (s *Server) base() *url.URL { return &url.URL{Path: s.prefix} }

// never is the token of no lock.
const never dav.LockToken = "urn:of-no-lock"

// shownToken is how a token of the server behind looks outside.
func (s *Server) shownToken(q Quirks, own dav.LockToken) dav.LockToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	if shown, ok := s.outside[own]; ok {
		return shown
	}
	shown := own
	if q.TokenFormat != "" {
		uuid := strings.TrimPrefix(string(own), "opaquelocktoken:")
		shown = dav.LockToken(fmt.Sprintf(q.TokenFormat, uuid, crc32.ChecksumIEEE([]byte(own))))
	}
	s.outside[own], s.inside[shown] = shown, own
	return shown
}

// ownToken is the other way round.
func (s *Server) ownToken(shown dav.LockToken) dav.LockToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own, ok := s.inside[shown]; ok {
		return own
	}
	return shown
}

// follow makes a token that is known outside stand for another lock.
func (s *Server) follow(shown, own dav.LockToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outside[own], s.inside[shown] = shown, own
}

// tokens reads If and Lock-Token, and judges in which of them a token is shown.
func (x *exchange) tokens() int {
	q, h := x.q, x.r.Header
	shown, raw := h.Get("Lock-Token"), h.Get("If")
	forLock := x.r.Method == "LOCK" || x.r.Method == "UNLOCK"
	if !forLock && q.RefuseBoth && shown != "" && raw != "" {
		return http.StatusPreconditionFailed
	}
	if !forLock && q.RefuseTagPath && strings.Contains(raw, "</") {
		return http.StatusPreconditionFailed
	}
	x.cond, _ = dav.ParseIf(raw) // the server refuses what is none
	for i, l := range x.cond {
		p, err := dav.ParseHref(l.Tag, x.s.base())
		about := func(q dav.Path) bool { return err == nil && p == q }
		for k, c := range l.Conditions {
			if c.Token == "" {
				continue
			}
			x.cond[i].Conditions[k].Token = x.s.ownToken(c.Token)
			if q.TagNotDecoded && strings.Contains(l.Tag, "%") && about(x.path) {
				x.cond[i].Conditions[k].Token = never
			}
		}
		if err == nil && (q.NFDIsNFC || q.CaseIsSame) {
			x.cond[i].Tag = x.s.tag(x.r, x.s.spelled(q, p))
		}
	}
	token, err := dav.ParseLockToken(shown)
	if err == nil {
		token = x.s.ownToken(token)
	}
	switch {
	case x.r.Method == "UNLOCK" && err == nil:
		h.Set("Lock-Token", "<"+string(token)+">")
	case forLock:
	case q.OnlyLockToken:
		return x.lockTokenOnly(token, raw)
	case q.WrongToken423 && len(x.cond) > 0 && x.wrongToken():
		return http.StatusLocked
	}
	if x.cond != nil {
		h.Set("If", x.cond.String())
	}
	return 0
}

// lockTokenOnly makes an If of a Lock-Token, and refuses an If.
func (x *exchange) lockTokenOnly(token dav.LockToken, raw string) int {
	if raw != "" && len(x.before().Locks) > 0 {
		return http.StatusLocked
	}
	x.cond = nil
	x.r.Header.Del("If")
	if token == "" {
		return 0
	}
	one := []dav.Condition{{Token: token}}
	x.cond = dav.If{{Tag: x.s.tag(x.r, x.path), Conditions: one}}
	if x.to != "" {
		x.cond = append(x.cond, dav.IfList{Tag: x.s.tag(x.r, x.to), Conditions: one})
	}
	x.r.Header.Set("If", x.cond.String())
	return 0
}

// wrongToken reports whether the resource is locked and no token of its lock is shown.
func (x *exchange) wrongToken() bool {
	locks := x.before().Locks
	return len(locks) > 0 && !slices.ContainsFunc(locks, func(l dav.ActiveLock) bool { return x.shows(l.Token) })
}

// shows reports whether If names that token anywhere.
func (x *exchange) shows(token dav.LockToken) bool {
	return slices.ContainsFunc(x.cond, func(l dav.IfList) bool {
		return slices.ContainsFunc(l.Conditions, func(c dav.Condition) bool { return c.Token == token })
	})
}

// holds reports whether the resource of the request has that lock.
func (x *exchange) holds(token dav.LockToken) bool {
	return slices.ContainsFunc(x.before().Locks, func(l dav.ActiveLock) bool { return l.Token == token })
}
