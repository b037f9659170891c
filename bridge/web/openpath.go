package web

import (
	"net/http"
	"net/url"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// openWords are the parts of /open's query that lead to a document.
var openWords = []string{"path", "mode", "upstream"}

// openQuery is what of a query leads to a document, "" nothing.
func openQuery(q url.Values) string {
	if !q.Has("path") {
		return ""
	}
	out := url.Values{}
	for _, name := range openWords {
		if v := q.Get(name); v != "" {
			out.Set(name, v)
		}
	}
	return out.Encode()
}

// serveOpenPath is GET /open?path=: where another program's Edit button leads, which
// knows a file by its path on the upstream. mode is "edit", which is what is done
// without it, or "view"; upstream is the name of one, else the first.
func (s *site) serveOpenPath(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	q := r.URL.Query()
	path, err := dav.ParsePath(q.Get("path"))
	mode := q.Get("mode")
	if err != nil || mode != "" && mode != "edit" && mode != "view" || len(s.Upstreams.List) == 0 {
		s.answer(w, r, session.Principal, trouble{Status: http.StatusBadRequest, Title: words.Say("openpath.title"),
			Words: []words.Text{words.Say("openpath.words")}, Actions: []step{{words.Say("step.files"), s.path()}}}, ErrRequest)
		return
	}
	up := s.Upstreams.List[0]
	if name := q.Get("upstream"); name != "" {
		if up, err = s.Upstreams.Get(name); err != nil {
			s.fail(w, r, session.Principal, idmap.ErrNotFound)
			return
		}
	}
	at, err := s.at(r.Context(), session.Principal, up, path)
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	page := "edit"
	switch {
	case at.Entry.Kind == idmap.Container:
		page = "folder"
	case mode == "view" || at.Rights < access.Edit:
		page = "view"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.path(page, string(at.Entry.ID)), http.StatusSeeOther)
}
