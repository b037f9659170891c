package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"davwopi/bridge/words"
)

// languageLasts is how long a browser keeps the language that somebody has chosen, in
// seconds.
const languageLasts = 365 * 24 * 3600

// serveLanguage is POST /language: somebody chooses the language of the pages. It needs
// no session, and nobody else is told.
func (s *site) serveLanguage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.failBadForm(w, r, err)
		return
	}
	if l, ok := words.Named(r.PostForm.Get("language")); ok {
		http.SetCookie(w, &http.Cookie{
			Name: words.Cookie, Value: l.Tag(), Path: s.base + "/", MaxAge: languageLasts,
			HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode,
		})
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.backTo(r), http.StatusSeeOther)
}

// speaking is r with a language that was asked for earlier on the way, "" none. What the
// person has chosen counts more.
func speaking(r *http.Request, language string) *http.Request {
	if language == "" || r.URL.Query().Has("ui_locales") {
		return r
	}
	out := r.Clone(r.Context())
	q := out.URL.Query()
	q.Set("ui_locales", language)
	out.URL.RawQuery = q.Encode()
	return out
}

// backTo is the page on which a language was chosen, as the browser names it. It stands in
// no form, because the addresses of some pages are secrets.
func (s *site) backTo(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return s.top()
	}
	here := u.EscapedPath()
	if local := s.localPath(here); local == here {
		return local
	}
	known := slices.ContainsFunc([]string{"signin", "signedout", "closed"}, func(page string) bool { return here == s.top(page) })
	if known || strings.HasPrefix(here, s.top("link")+"/") && !strings.ContainsAny(here, "\\\t\r\n") {
		return here
	}
	return s.top()
}
