package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"davwopi/oauth"
)

// cookieName is that of the session's cookie. The prefix makes browsers insist on
// https, the whole host and path / (RFC 6265bis 4.1.3.2); over plain http, which
// is loopback's, they would refuse it.
func (p *Pages) cookieName() string { return p.hostPrefix() + "davwopi" }

func (p *Pages) hostPrefix() string {
	if p.Secure {
		return "__Host-"
	}
	return ""
}

// setCookie hands the browser a session; "" takes it away. Lax keeps it out of
// requests that other sites make, but lets links from elsewhere arrive signed in.
func (p *Pages) setCookie(w http.ResponseWriter, value string) {
	age := int(p.Sessions.Lifetime.Seconds())
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: p.cookieName(), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: p.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// cookieSession returns whose cookie it is, or [oauth.ErrNoSession].
func (p *Pages) cookieSession(r *http.Request) (oauth.Session, error) {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return oauth.Session{}, oauth.ErrNoSession
	}
	return p.Sessions.Get(r.Context(), c.Value)
}

// session returns whose request it is, or [oauth.ErrNoSession].
func (p *Pages) session(r *http.Request) (oauth.Session, error) {
	session, err := p.cookieSession(r)
	if err == nil && p.Proxy != nil && !p.Proxy.same(r, session) {
		return oauth.Session{}, oauth.ErrNoSession // the proxy names somebody else by now, or nobody
	}
	return session, err
}

// A personal handler answers a request of somebody who is signed in.
type personal func(http.ResponseWriter, *http.Request, oauth.Session)

// signedIn sends everybody else to the sign-in page, and from there back.
func (s *site) signedIn(next personal) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, err := s.session(r)
		switch {
		case errors.Is(err, oauth.ErrNoSession):
			s.toSignIn(w, r, "")
		case err != nil:
			s.fail(w, r, oauth.Principal{}, err)
		default:
			next(w, r, session)
		}
	}
}

// toSignIn redirects to the sign-in page. why is a word that it explains.
func (s *site) toSignIn(w http.ResponseWriter, r *http.Request, why string) {
	q := url.Values{}
	here := r.URL.EscapedPath()
	if query := openQuery(r.URL.Query()); query != "" && strings.HasSuffix(here, "/open") {
		here += "?" + query
	}
	if s.base != "" && !strings.HasPrefix(here, s.base+"/") {
		here = s.base + here // a proxy cut the prefix off
	}
	if r.Method == http.MethodGet && s.localPath(here) == here && here != s.path() {
		q.Set("next", here)
	}
	if why != "" {
		q.Set("why", why)
	}
	to := s.top("signin")
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// localPath returns next if it is the address of a page of ours on this origin,
// else the list of files. Browsers take "//x" and "/\x" for other hosts.
func (s *site) localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || len(next) > 2048 ||
		!strings.HasPrefix(next, s.base+"/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\t\r\n") {
		return s.path()
	}
	rest := strings.TrimPrefix(u.EscapedPath(), s.base)
	if q := openQuery(u.Query()); rest == "/open" && q != "" {
		return u.EscapedPath() + "?" + q
	}
	if isPhonePage(rest) {
		return u.EscapedPath()
	}
	for _, page := range []string{"/folder/", "/edit/", "/view/", "/download/", "/document/", "/rename/", "/move/", "/delete/", "/open", "/saves", "/doctor", "/server", "/share/", "/links", "/s/", "/shared/"} {
		if strings.HasPrefix(rest, page) {
			return u.EscapedPath()
		}
	}
	return s.path()
}
