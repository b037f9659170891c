package web

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// stateHeader carries the token by which a host page without a session asks.
const stateHeader = "X-Davwopi-State"

// serveStateByToken is serveState for a page that was opened by a ticket: its token tells
// for whom, and is good for nothing else.
func (s *site) serveStateByToken(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get(stateHeader)
		if token == "" {
			next(w, r)
			return
		}
		id := idmap.FileID(mux.Vars(r)["id"])
		g, err := s.Tokens.OpenDocs(r.Context(), token, access.HostState, id, "")
		if err != nil {
			err = errors.Join(oauth.ErrNoSession, err)
		}
		var at place
		if err == nil {
			at, err = s.hostSight(r.Context(), g.Principal, id)
		}
		var state hostState
		if err == nil {
			state, err = s.hostState(r.Context(), words.For(r), g.Principal, at)
		}
		if err != nil {
			s.refuseJSON(w, r, err)
			return
		}
		if c := state.Conflict; c != nil {
			c.Theirs.Open, c.Mine.Open = "", "" // pages that want a session
		}
		answerJSON(w, http.StatusOK, state)
	}
}

// askedByToken lets the page of a ticket ask how its document stands.
func (s *site) askedByToken(g access.Grant, body *hostBody) {
	body.Script.State, body.Script.Ask = s.path("view", string(g.File), "state"), s.Tokens.DeriveDocs(g, access.HostState, "")
}
