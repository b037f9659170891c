package web

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// hostSeen is how long a person's own look at a file lets its host page ask about it
// without a new one: a page that is open asks every few seconds. What the upstream takes
// away is noticed within five minutes (DESIGN 8).
const hostSeen = 5 * time.Minute

// hostState is what the script of a host page is told of its document. Times are ms since
// 1970, 0 none.
type hostState struct {
	Name     string        `json:"name"`               // of the file by now
	Save     string        `json:"save"`               // how the saves stand: "" as it should be, busy, waits, aside, signin
	For      string        `json:"for"`                // the upstream that a save waits for, "" none does
	Saved    int64         `json:"saved"`              // when the last save arrived
	Lost     bool          `json:"lost"`               // the upstream's own lock is gone
	Holder   string        `json:"holder"`             // who else has the file, "" nobody
	Since    int64         `json:"since"`              // and since when
	With     string        `json:"with"`               // identity of their editor, "" a program of their own
	Program  string        `json:"program"`            // which, "" not known
	Conflict *hostConflict `json:"conflict,omitempty"` // others have changed the file under the editing
}

// hostConflict are the two versions of a document that others have changed.
type hostConflict struct {
	Key    string      `json:"key"` // changes with every further conflict
	Theirs hostVersion `json:"theirs"`
	Mine   hostVersion `json:"mine"`
	Goes   bool        `json:"goes"` // later saves of the editing go into the copy, too
}

// hostVersion is one of them.
type hostVersion struct {
	Who  string `json:"who"`  // "you", "other", "outside", or what is "here" in the editor
	Name string `json:"name"` // of the person, or of the upstream at which it was changed; "" not known
	When int64  `json:"when"`
	Size int64  `json:"size"` // -1 not known
	File string `json:"file"` // name of the file that holds it
	Open string `json:"open"` // where it can be looked at, "" nowhere
	Kept bool   `json:"kept"` // no copy could be made of it: the bytes lie here
}

// scripted is signedIn for what the script of a host page asks, which has no use for the
// sign-in page.
func (s *site) scripted(next personal) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, err := s.session(r)
		if err != nil {
			s.refuseJSON(w, r, err)
			return
		}
		next(w, r, session)
	}
}

// forScript tells the addresses that the script of a host page asks.
func forScript(address string) bool {
	return slices.Contains([]string{"token", "state", "beside", "pictures", "picture", "name"}, path.Base(address))
}

// serveState is GET /view/{id}/state, for the script of the host page. The upstream, which
// may be away, is asked only where this person has not seen the file lately.
func (s *site) serveState(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.hostSight(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	var state hostState
	if err == nil {
		state, err = s.hostState(r.Context(), words.For(r), session.Principal, at)
	}
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, state)
}

// hostSight is a file as this person has seen it lately, or sees it now; in an outage as
// the journal may show it to them.
func (s *site) hostSight(ctx context.Context, who oauth.Principal, id idmap.FileID) (place, error) {
	if s.Saves != nil && s.Saves.HasSeen(id, who.UserID(), hostSeen) {
		return s.recall(ctx, who, id)
	}
	at, err := s.locate(ctx, who, id)
	switch {
	case err == nil && at.Entry.Kind != idmap.File:
		return at, idmap.ErrNotFound
	case err == nil && s.Saves != nil:
		s.Saves.Saw(id, who.UserID())
	case away(err):
		if w, known, err2 := s.shownWaiting(ctx, who, id, err); err2 != nil || w != nil {
			return known, err2
		}
	}
	return at, err
}

// hostState describes a document from the database.
func (s *site) hostState(ctx context.Context, l *words.Language, who oauth.Principal, at place) (hostState, error) {
	id := at.Entry.ID
	out := hostState{Name: at.Entry.Name}
	held, lock, err := s.holder(ctx, id)
	if err != nil {
		return out, err
	}
	if held.Name != nil && lock.Holder.UserID != who.UserID() {
		out.Holder, out.Since, out.With, out.Program = l.Text(held.Name), millis(held.Since), lock.Holder.Editor, held.Program
	}
	if s.Saves == nil {
		return out, nil
	}
	standings, err := s.Saves.Standings(ctx, []idmap.FileID{id})
	if err != nil {
		return out, err
	}
	st := standings[id]
	out.Saved, out.Lost = millis(st.Last), lock.Shadow.Lost
	switch {
	case st.SignIn:
		out.Save = "signin"
	case st.Waits:
		out.Save = "waits"
	case st.Aside:
		out.Save = "aside"
	case st.Busy:
		out.Save = "busy"
	}
	if st.Waits || st.Aside {
		out.For = s.upstreamName(at.Upstream.Name)
	}
	if ed := lock.Editing; ed != nil && (ed.Reported != 0 || ed.Diverted != "") {
		out.Conflict, err = s.hostConflict(ctx, who, at, ed)
	}
	return out, err
}

// hostConflict names the versions of a document that others have changed under an editing.
func (s *site) hostConflict(ctx context.Context, who oauth.Principal, at place, ed *locks.Editing) (*hostConflict, error) {
	id := at.Entry.ID
	known, err := s.IDs.Known(ctx, at.Entry.Space, id)
	if err != nil {
		return nil, err
	}
	c := &hostConflict{Key: known.Revision.Version, Goes: ed.Diverted != ""}
	c.Theirs = hostVersion{Who: "outside", Name: s.upstreamName(at.Upstream.Name), File: known.Name, Size: known.Revision.Size,
		When: millis(modifiedAt(known.Revision)), Open: s.path("view", string(id))}
	user, made, err := s.Saves.WriterOf(ctx, id, known.Revision.Number)
	if err != nil {
		return nil, err
	}
	if user != "" {
		c.Theirs.Who, c.Theirs.When = "other", millis(made)
		if c.Theirs.Name, err = s.nameOf(ctx, user); err != nil {
			return nil, err
		}
	}
	if user == who.UserID() {
		c.Theirs.Who = "you"
	}
	own, err := s.Saves.OwnOf(ctx, who.UserID())
	if err != nil {
		return nil, err
	}
	c.Mine, err = s.hostMine(ctx, who, at, ed, own)
	c.Key += " " + c.Mine.File + " " + c.Mine.Open
	return c, err
}

// hostMine is where the editing's own version is: in a copy beside the file, or here.
func (s *site) hostMine(ctx context.Context, who oauth.Principal, at place, ed *locks.Editing, own saves.Own) (hostVersion, error) {
	mine := hostVersion{Who: "here", Size: -1}
	copied := ed.Diverted
	for _, c := range own.Copies {
		if c.File == at.Entry.ID && !c.At.Before(ed.Started) && (copied == "" || copied == c.Copy) {
			copied, mine.Who, mine.When = c.Copy, "you", millis(c.At)
			break
		}
	}
	if copied == "" {
		for _, e := range own.Kept {
			if e.File == at.Entry.ID && !e.At.Before(ed.Started) {
				mine.Who, mine.When, mine.Size, mine.File, mine.Kept = "you", millis(e.At), e.Size, e.Name, true
				if s.visit == nil {
					mine.Open = s.entryPath(e, "download")
				}
				break
			}
		}
		return mine, nil
	}
	beside, err := s.recall(ctx, who, copied)
	if errors.Is(err, idmap.ErrNotFound) || errors.Is(err, idmap.ErrMissing) {
		return mine, nil // out of this person's sight
	}
	if err != nil {
		return mine, err
	}
	mine.File, mine.Size, mine.Open = beside.Entry.Name, beside.Entry.Revision.Size, s.path("view", string(copied))
	if mine.When == 0 {
		mine.When = millis(modifiedAt(beside.Entry.Revision))
	}
	return mine, nil
}

// nameOf is the name of somebody who is signed in, by their UserID; "" not known.
func (s *site) nameOf(ctx context.Context, user string) (string, error) {
	people, err := s.Sessions.People(ctx)
	for _, p := range people {
		if p.UserID() == user {
			return personName(p), nil
		}
	}
	return "", err
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
