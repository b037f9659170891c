package web

import (
	"net/http"
	"slices"
	"strings"

	"davwopi/oauth"
)

// A Proxy is sign-in by a reverse proxy, which tells in headers who somebody is. The bridge has removed these headers
// from requests of everybody else, judged by the address that the connection comes from.
type Proxy struct {
	User, Name, Groups string // names of headers; Name and Groups may be ""
	Logout             string // where sign-out goes, "" to our own page
}

// IssuerProxy is the issuer of the people whom a proxy has signed in.
const IssuerProxy = "proxy"

// principal is whom the proxy names; false if it names nobody, or if a header is there twice: one of them may be the
// visitor's own.
func (p *Proxy) principal(r *http.Request) (oauth.Principal, bool) {
	user := strings.TrimSpace(r.Header.Get(p.User))
	who := oauth.Principal{Issuer: IssuerProxy, Subject: user, Name: user}
	if p.Name != "" {
		if name := strings.TrimSpace(r.Header.Get(p.Name)); name != "" {
			who.Name = name
		}
	}
	if p.Groups != "" {
		for _, group := range strings.FieldsFunc(r.Header.Get(p.Groups), func(c rune) bool { return c == ',' || c == '|' || c == ';' }) {
			if group = strings.TrimSpace(group); group != "" {
				who.Groups = append(who.Groups, group)
			}
		}
	}
	for _, name := range []string{p.User, p.Name, p.Groups} {
		if name != "" && len(r.Header.Values(name)) > 1 {
			return who, false
		}
	}
	return who, user != "" && who.Check() == nil
}

// same reports whether a session is still that of whom the proxy names, with the groups of now.
func (p *Proxy) same(r *http.Request, session oauth.Session) bool {
	now, ok := p.principal(r)
	return ok && now.Key() == session.Principal.Key() && slices.Equal(now.Groups, session.Principal.Groups)
}
