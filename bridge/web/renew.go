package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/idmap"
	"davwopi/oauth"
)

// What the host page's script asks for while it is open.

// serveHolder is GET /view/{id}/holder: who has the file open now, for the script
// of the host page.
func (s *site) serveHolder(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	var name string
	var since time.Time
	if err == nil {
		name, since, _, err = s.holder(r.Context(), at.Entry.ID)
	}
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, map[string]string{"name": name, "since": humanTime(since)})
}

// serveWaiting is GET /view/{id}/waiting: the name of the upstream that a save of the
// file waits for, "" if none does, for the script of the host page. The upstream, which
// may be away, is not asked.
func (s *site) serveWaiting(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	name := ""
	if s.Waits != nil {
		upstream, err := s.Waits(r.Context(), idmap.FileID(mux.Vars(r)["id"]), session.Principal.UserID())
		if err != nil {
			s.refuseJSON(w, r, err)
			return
		}
		if upstream != "" {
			name = s.upstreamName(upstream)
		}
	}
	answerJSON(w, http.StatusOK, map[string]string{"for": name})
}

// serveRenew is POST /{edit|view}/{id}/token: a new access token for the host page
// that is open, made for the same editor and the same person: whoever signs in to the
// browser meanwhile does not go on with what another one typed. It takes a session:
// a token alone is never renewed.
func (s *site) serveRenew(w http.ResponseWriter, r *http.Request) {
	session, err := s.session(r)
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	s.renew(w, r, session)
}

func (s *site) renew(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var asked struct {
		Editor string `json:"editor"`
		User   string `json:"user"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || !s.configured(asked.Editor) {
		s.refuseJSON(w, r, fmt.Errorf("%w: editor", ErrRequest))
		return
	}
	if asked.User != session.Principal.UserID() {
		s.refuseJSON(w, r, errOther)
		return
	}
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	if err == nil && at.Entry.Kind != idmap.File {
		err = idmap.ErrNotFound
	}
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	rights := access.View
	if mux.Vars(r)["mode"] == "edit" {
		rights = at.Rights
	}
	token, g, err := s.grant(r.Context(), s.bound(opening{Place: at, Who: session.Principal, Session: session.ID}), rights, asked.Editor)
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"access_token": token, "access_token_ttl": g.Expires.UnixMilli()})
}

var errOther = errors.New("web: somebody else is signed in now")

func (p *Pages) configured(editor string) bool {
	for _, e := range p.Editors.List {
		if e.URL == editor && editor != "" {
			return true
		}
	}
	return false
}
