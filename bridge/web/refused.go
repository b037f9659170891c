package web

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"davwopi/bridge/words"
	"davwopi/oauth"
)

// Refuse answers a person whose request reaches no page: the house has refused it. why is
// host, path, foreign or broken. The log has been told.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	s := p.site()
	files := []step{{words.Say("step.to_files"), s.path()}}
	t := trouble{Status: status, Title: words.Say("broken.title"), Words: []words.Text{words.Say("broken.words")}, Actions: files}
	switch why {
	case "host": // nothing of ours is found under that name, the way to the files included
		t = trouble{Status: status, Title: words.Say("host_refused.title"), Words: []words.Text{words.Say("host_refused.words", "name", r.Host)}, Detail: words.Say("host_refused.detail")}
	case "path":
		t.Title, t.Words = words.Say("unknown.title"), []words.Text{words.Say("unknown.words")}
	case "foreign":
		t.Title, t.Words, t.Detail = words.Say("foreign.title"), []words.Text{words.Say("foreign.words")}, words.Say("foreign.detail")
	}
	s.tell(w, r, oauth.Principal{}, t)
}

// unmatched answers what no route takes: an address that names nothing, or one of ours that
// is asked for in a way that it does not have. The router's own word for which it is does not
// count: a route of another method further down makes it forget (gorilla/mux 1.8.1).
func (s *site) unmatched(routes *mux.Router) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			as := r.Clone(r.Context())
			as.Method = method
			var m mux.RouteMatch
			if routes.Match(as, &m) && m.MatchErr == nil {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			s.serveUnknown(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.tell(w, r, s.whoever(r), trouble{Status: http.StatusMethodNotAllowed, Title: words.Say("method.title"),
			Words: []words.Text{words.Say("method.words")}, Actions: []step{{words.Say("step.to_files"), s.path()}}})
	}
}
