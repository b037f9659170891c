package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/oauth"
)

// Bounds of the page about the server.
const maxSessions = 500

// serverBody is what whoever runs the server sees of it, besides the check-up.
type serverBody struct {
	Said      words.Text
	Upstreams []upstreamRow
	Editors   []editorRow
	Sessions  []sessionRow
	Cut       bool // there are more sessions
	Links     int  // -1: nobody shares here
	MoreLinks bool
	Waiting   int64 // saves on their way
	Kept      int64 // that did not get through
	Oldest    time.Duration
}

type upstreamRow struct {
	Name   string
	Origin words.Text
	As     words.Text // whose account it sees
	Down   time.Time  // since when it has not answered, zero: it has
}

type editorRow struct {
	Name    words.Text
	URL     string    // "" it is in this program
	Fetched time.Time // when its discovery was last read, zero never
	Failed  bool      // the last time it could not be
}

type sessionRow struct {
	Name, Account string
	Started, Used time.Time
	Own           bool   // the one in which the page is looked at
	End           string // where it is ended
}

// onlyAdmin answers with a page for administrators; for others there is none.
func (s *site) onlyAdmin(next func(http.ResponseWriter, *http.Request, oauth.Session)) http.HandlerFunc {
	return s.signedIn(func(w http.ResponseWriter, r *http.Request, session oauth.Session) {
		if !s.isAdmin(session.Principal) {
			s.serveUnknown(w, r)
			return
		}
		next(w, r, session)
	})
}

// serveServer is GET /server.
func (s *site) serveServer(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	body, err := s.server(r.Context(), session)
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	body.Said = said[r.URL.Query().Get("said")]
	s.show(w, r, http.StatusOK, "server", words.Say("server.title"), session.Principal, policy{}, body)
}

func (s *site) server(ctx context.Context, own oauth.Session) (serverBody, error) {
	body := serverBody{Links: -1}
	for _, up := range s.Upstreams.List {
		row := upstreamRow{Name: s.upstreamName(up.Name), Origin: originWords(up.Client.Origin()), Down: s.outages.when(up.Name), As: words.Say("server.as_own")}
		switch {
		case up.Service != nil:
			row.As = words.Say("server.as_one")
		case up.Bearer:
			row.As = words.Say("server.as_token")
		}
		body.Upstreams = append(body.Upstreams, row)
	}
	for _, status := range s.Editors.Status() {
		row := editorRow{Name: words.Plain(status.Editor.Name), URL: status.Editor.URL, Fetched: status.Fetched, Failed: status.Err != nil}
		if status.Editor.Builtin != nil {
			row = editorRow{Name: words.Say("editor.text")}
		}
		body.Editors = append(body.Editors, row)
	}
	if err := s.journalFigures(ctx, &body); err != nil {
		return body, err
	}
	list, err := s.Sessions.List(ctx, maxSessions+1)
	if err != nil {
		return body, err
	}
	if body.Cut = len(list) > maxSessions; body.Cut {
		list = list[:maxSessions]
	}
	for _, l := range list {
		row := sessionRow{Name: personName(l.Principal), Account: l.Principal.SignInName(), Started: l.Started, Used: l.Used, Own: l.ID == own.ID}
		row.End = s.path("server", "sessions", l.ID, "end")
		body.Sessions = append(body.Sessions, row)
	}
	return body, nil
}

// originWords is an origin; the embedded upstream has none that anybody could reach.
func originWords(origin string) words.Text {
	if strings.HasSuffix(origin, ".invalid") {
		return words.Say("server.builtin")
	}
	return words.Plain(origin)
}

// journalFigures counts links, and saves that are not where they belong.
func (s *site) journalFigures(ctx context.Context, body *serverBody) error {
	if s.Shares != nil {
		list, err := s.Shares.List(ctx, access.ShareList{Limit: maxLinks})
		if err != nil {
			return err
		}
		body.Links, body.MoreLinks = len(list), len(list) == maxLinks
	}
	if s.Saves == nil {
		return nil
	}
	stats, err := s.Saves.Stats(ctx)
	if err != nil {
		return err
	}
	body.Oldest = stats.Oldest
	for state, n := range stats.Entries {
		switch state {
		case "waiting", "aside":
			body.Waiting += n.Entries
		case "preimage":
		default:
			body.Kept += n.Entries
		}
	}
	return nil
}

// serveEndSession is GET /server/sessions/{session}/end, which asks whether it is meant,
// and POST, which does it. What an administrator ends is over at once (DESIGN 8).
func (s *site) serveEndSession(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	ctx, id := r.Context(), mux.Vars(r)["session"]
	theirs, err := s.Sessions.Listed(ctx, id)
	if errors.Is(err, oauth.ErrNoSession) {
		s.done(w, r, "server", "session_over")
		return
	}
	if err == nil && r.Method == http.MethodPost {
		if err = s.Sessions.End(ctx, id); err == nil {
			err = s.Tokens.SignedOut(ctx, id, nil)
		}
		if err == nil {
			s.deed(r, Deed{What: "end_session", Who: session.Principal, Tried: theirs.Principal.SignInName()})
			s.done(w, r, "server", "session_over")
			return
		}
	}
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.confirm(w, r, session.Principal, confirmBody{
		Title:  words.Say("end_session.title", "name", personName(theirs.Principal)),
		Words:  []words.Text{words.Say("end_session.words"), words.Say("end_session.lost")},
		Action: s.path("server", "sessions", id, "end"), Button: words.Say("end_session.do"), Danger: true,
		Back: step{words.Say("step.leave_it"), s.path("server")},
	})
}
