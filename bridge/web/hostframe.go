package web

import (
	"net/http"
	"strings"
)

// framed reports whether a page of that view may be framed where a host page may: what is
// said in a host page's place would be an empty frame otherwise. Signing in, and whatever
// else asks something of a person, never is.
func (s *site) framed(r *http.Request, view string) bool {
	if view == "host" {
		return true
	}
	if view != "trouble" && view != "connect" || len(s.Ancestors) == 0 {
		return false
	}
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, s.base), s.within)
	for _, page := range []string{"/edit/", "/view/", "/ticket/"} {
		if strings.HasPrefix(path, page) {
			return true
		}
	}
	return path == "/closed"
}
