package web

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// A Comment is one that somebody made in a document, as its editor told of it.
type Comment struct {
	Name    string // who wrote it
	Text    string
	At      time.Time
	Changed bool     // it had other words before
	Reply   bool     // to another one
	For     []string // who is mentioned
}

// Bounds of the comments on one page.
const (
	maxComments  = 200
	maxMentioned = 10
)

// documentBody is what a document's page shows.
type documentBody struct {
	row
	Kept     bool // comments are kept here at all
	Comments []Comment
	Cut      bool // there are more
	Timeline []eventRow
	Folder   bool
	Address  string // that leads to it for good, for people who may see it
	Rename   string // where it is renamed, "" not by this person; and so on
	Move     string
	Delete   string
	Trash    bool // what is deleted can be had back
	Back     step
}

// serveDocument is GET /document/{id}: what is known of a file or folder, what can be done
// with it, and the comments on it.
func (s *site) serveDocument(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.outages.over(at.Upstream.Name)
	body, err := s.document(r, session, at)
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.show(w, r, http.StatusOK, "document", words.Plain(body.Name), session.Principal, policy{}, body)
}

func (s *site) document(r *http.Request, session oauth.Session, at place) (documentBody, error) {
	ctx := r.Context()
	s.ownEditor(ctx)
	seen := memberOf(at.Seen)
	one := folderBody{Rows: []row{s.row(at.Entry, &seen, at.Rights)}}
	waits, err := s.waitings(ctx)
	if err == nil {
		err = s.fromJournal(ctx, session.Principal, at, &one, waits)
	}
	if err == nil {
		err = s.appsOf(r, session.Principal, at, &one, []idmap.Entry{at.Entry})
	}
	body := documentBody{row: one.Rows[0]}
	if err != nil {
		return body, err
	}
	s.offers(r, session.Principal, at, &body)
	if body.Back, err = s.backFrom(ctx, opening{Place: at, Who: session.Principal}); err != nil {
		return body, err
	}
	if at.Entry.Kind == idmap.Container {
		return body, nil
	}
	if body.Timeline, err = s.timeline(ctx, at.Entry.ID); err != nil {
		return body, err
	}
	held, _, err := s.holder(ctx, at.Entry.ID)
	body.Holder, body.Since = held.Name, held.Since
	if err != nil || s.Comments == nil {
		return body, err
	}
	body.Kept = true
	body.Comments, body.Cut, err = s.Comments(ctx, at.Entry.ID, maxComments)
	for i := range body.Comments {
		c := &body.Comments[i]
		c.For = c.For[:min(len(c.For), maxMentioned)]
	}
	return body, err
}

// offers fills in what this person can do with it.
func (s *site) offers(r *http.Request, who oauth.Principal, at place, body *documentBody) {
	id := string(at.Entry.ID)
	page := "edit"
	if body.Folder = at.Entry.Kind == idmap.Container; body.Folder {
		page = "folder"
		body.row = s.aboutFolder(at)
	}
	if s.visit != nil {
		return
	}
	body.Address = s.URLs.Public.JoinPath(page, id).String()
	if at.Rights < access.Edit || !s.mayChange(who, at.Upstream.Name, at.Entry) {
		return
	}
	body.Rename, body.Move, body.Delete = s.path("rename", id), s.path("move", id), s.path("delete", id)
	body.Trash = s.hasTrash(r.Context(), who, at)
}

// commented notes which rows have comments, and returns whether any of them has.
func (s *site) commented(ctx context.Context, rows []row) (some bool, err error) {
	if s.Commented == nil {
		return false, nil
	}
	found, err := s.Commented(ctx, fileIDs(rows))
	for i := range rows {
		if found[rows[i].ID] {
			rows[i].Comments, some = s.path("document", string(rows[i].ID)), true
		}
	}
	return some, err
}

// commentsOn is the way to the comments on o's file, the zero step if there are none or
// nobody is signed in.
func (s *site) commentsOn(ctx context.Context, o opening) (step, error) {
	rows := []row{{ID: o.Place.Entry.ID}}
	if o.Session == "" || min(o.Rights, o.Place.Rights) < access.View {
		return step{}, nil
	}
	_, err := s.commented(ctx, rows)
	return step{words.Say("step.comments"), rows[0].Comments}, err
}
