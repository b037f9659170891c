package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"davwopi/bridge/history"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// maxEvents bounds what is shown of a document's history.
const maxEvents = 50

// An eventRow is one thing that happened to a document, in words.
type eventRow struct {
	What words.Text
	At   time.Time // the last time
	Kind string
}

// timeline is what happened to a file, the latest first. It is for people with an account
// who can see the file, which the caller has asked; not on the pages of a link, whose
// visitors see what was shared and not who works on it.
func (s *site) timeline(ctx context.Context, id idmap.FileID) ([]eventRow, error) {
	if s.History == nil || s.visit != nil {
		return nil, nil
	}
	all, err := s.History.Of(ctx, id, maxEvents)
	rows := make([]eventRow, 0, len(all))
	for _, e := range all {
		rows = append(rows, eventRow{happening(e), e.Last, string(e.Kind)})
	}
	return rows, err
}

// happening is an event in words.
func happening(e history.Event) words.Text {
	name := words.Plain(e.Name)
	if name == nil {
		name = words.Say("person.somebody_first")
	}
	switch {
	case e.Kind == history.Saved:
		return words.Say("event.saved", "name", name, "n", e.Times)
	case e.Kind == history.Renamed && e.Detail != "":
		return words.Say("event.renamed_to", "name", name, "to", e.Detail)
	}
	return words.Say("event."+string(e.Kind), "name", name)
}

// happened notes what somebody did to a file on a page. A fault is the log's: it is done.
func (s *site) happened(r *http.Request, who oauth.Principal, id idmap.FileID, kind history.Kind, detail string) {
	if s.History == nil {
		return
	}
	ctx := context.WithoutCancel(r.Context())
	err := s.History.Add(ctx, history.Event{File: id, Kind: kind, UserID: who.UserID(), Name: personName(who), Detail: detail})
	if err != nil {
		s.Log(r, fmt.Errorf("web: what happened to a document could not be noted: %w", err))
	}
}
