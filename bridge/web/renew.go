package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/idmap"
	"davwopi/oauth"
)

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

// hostAsks is what a host page says of itself where it asks for something that its editor
// gets.
type hostAsks struct {
	Editor string `json:"editor"`
	User   string `json:"user"` // UserID of the person for whom the page was made
}

// check refuses what no page of this person could ask.
func (s *site) check(asked hostAsks, session oauth.Session) error {
	switch {
	case !s.configured(asked.Editor):
		return fmt.Errorf("%w: editor", ErrRequest)
	case asked.User != session.Principal.UserID():
		return errOther
	}
	return nil
}

func (s *site) renew(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var asked hostAsks
	err := json.NewDecoder(r.Body).Decode(&asked)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrRequest, err)
	} else {
		err = s.check(asked, session)
	}
	if err != nil {
		s.refuseJSON(w, r, err)
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
