package web

import (
	"context"
	"errors"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// savesBody is the page of a person's own saves: what waits, what did not get through,
// what went beside a document, and what can be put back.
type savesBody struct {
	Waiting []savedRow
	Kept    []savedRow
	Copies  []copyRow
	Undos   []undoRow
	Said    words.Text
	Nothing bool
}

// savedRow is an entry of the journal. The addresses are "" where there is no such way.
type savedRow struct {
	saves.Entry
	Kind                             string
	KindName                         words.Text
	Where                            string     // the upstream, for people
	Why                              words.Text // it is still here
	Theirs                           bool       // somebody else's, which only wants a sign-in
	Download, Restore, Drop, Deliver string
	Document                         string // the file's own page
}

// copyRow is a conflict copy beside its document.
type copyRow struct {
	saves.Copy
	Kind           string
	KindName       words.Text
	Mine, Document string // addresses of the two versions
}

// undoRow is a document that can be put back.
type undoRow struct {
	Of                          saves.Undo
	Kind                        string
	KindName                    words.Text
	PutBack, Download, Document string
}

const maxOthers = 20 // saves of others that want a sign-in

// serveSaves is GET /saves.
func (s *site) serveSaves(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	body, err := s.ownSaves(r.Context(), session.Principal)
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	body.Said = said[r.URL.Query().Get("said")]
	body.Nothing = len(body.Waiting)+len(body.Kept)+len(body.Copies)+len(body.Undos) == 0
	s.show(w, r, http.StatusOK, "saves", words.Say("saves.title"), session.Principal, policy{}, body)
}

func (s *site) ownSaves(ctx context.Context, who oauth.Principal) (savesBody, error) {
	var body savesBody
	if s.Saves == nil {
		return body, nil
	}
	own, err := s.Saves.OwnOf(ctx, who.UserID())
	if err != nil {
		return body, err
	}
	for _, e := range own.Waiting {
		body.Waiting = append(body.Waiting, s.savedRow(e))
	}
	for _, e := range own.Kept {
		body.Kept = append(body.Kept, s.savedRow(e))
	}
	for _, c := range own.Copies {
		if gone, err := s.ended(ctx, c.Copy); err != nil || gone {
			if err != nil {
				return body, err
			}
			continue // whoever has deleted the copy has chosen the other version
		}
		row := copyRow{Copy: c, Mine: s.path("view", string(c.Copy)), Document: s.path("view", string(c.File))}
		row.Kind = kindOf(extension(c.Name))
		row.KindName = kindName(row.Kind)
		body.Copies = append(body.Copies, row)
	}
	for _, u := range own.Undos {
		row := undoRow{
			Of: u, PutBack: s.entryPath(u.To, "undo"), Download: s.entryPath(u.To, "download"), Document: s.path("view", string(u.File)),
		}
		row.Kind = kindOf(extension(u.Name))
		row.KindName = kindName(row.Kind)
		body.Undos = append(body.Undos, row)
	}
	return body, s.othersNeed(ctx, who, &body)
}

// ended tells whether a file is known to be deleted, from the database alone: this page is
// for outages, too.
func (s *site) ended(ctx context.Context, id idmap.FileID) (bool, error) {
	known, err := s.IDs.Describe(ctx, string(id))
	if errors.Is(err, idmap.ErrNotFound) {
		return true, nil
	}
	return err == nil && known[0].State == "tombstone", err
}

// othersNeed adds the saves of others that want somebody's sign-in and whose document
// this person may write.
func (s *site) othersNeed(ctx context.Context, who oauth.Principal, body *savesBody) error {
	all, err := s.Saves.NeedSignIn(ctx)
	if err != nil {
		return err
	}
	byFile := make(map[idmap.FileID]saves.Entry)
	var files []idmap.FileID
	for _, e := range all {
		if e.User == who.UserID() {
			continue
		}
		if _, ok := byFile[e.File]; !ok {
			files = append(files, e.File)
		}
		byFile[e.File] = e
	}
	seen, err := s.sightsOf(ctx, who, files, maxOthers)
	if err != nil {
		return err
	}
	for _, file := range files {
		at, ok := seen.places[file]
		if !ok || at.Rights < access.Edit {
			continue
		}
		e := byFile[file]
		e.Name = at.Entry.Name // as this person sees it
		row := s.savedRow(e)
		row.Theirs, row.Download, row.Restore, row.Drop = true, "", "", ""
		body.Waiting = append(body.Waiting, row)
	}
	return nil
}

func (s *site) entryPath(e saves.Entry, action string) string { return s.path("saves", e.ID, action) }

func (s *site) savedRow(e saves.Entry) savedRow {
	row := savedRow{Entry: e, Where: s.upstreamName(e.Upstream), Kind: kindOf(extension(e.Name))}
	row.KindName = kindName(row.Kind)
	row.Download, row.Drop = s.entryPath(e, "download"), s.entryPath(e, "drop")
	if e.File != "" {
		row.Document = s.path("view", string(e.File))
	}
	waits := e.State == "waiting" || e.State == "aside"
	switch {
	case e.SignIn:
		row.Deliver, row.Why = s.entryPath(e, "deliver"), words.Say("saves.why_sign_in", "name", row.Where)
	case e.State == "aside":
		row.Why = words.Say("saves.why_aside")
	case e.State == "conflict":
		row.Why = words.Say("saves.why_conflict")
	case e.Why != saves.NotTaken && !waits:
		row.Why = whyKept(e.Why, row.Where)
	case e.State == "refused":
		row.Why = words.Say("saves.why_refused", "name", row.Where)
	case !waits:
		row.Why = words.Say("saves.why_not_taken", "name", row.Where)
	}
	if !waits || e.SignIn { // else it is on its way, or there is no way
		row.Restore = s.entryPath(e, "restore")
	}
	return row
}

// whyKept says what became of a save that nobody delivers any more.
func whyKept(why saves.Why, where string) words.Text {
	switch why {
	case saves.Stopped:
		return words.Say("saves.why_stopped")
	case saves.Replaced:
		return words.Say("saves.why_replaced", "name", where)
	case saves.Vanished:
		return words.Say("saves.why_vanished", "name", where)
	}
	return words.Say("saves.why_no_file")
}

// ownEntry is the entry of the address if it is this person's own; for everybody else
// there is none.
func (s *site) ownEntry(ctx context.Context, who oauth.Principal, id string) (saves.Entry, error) {
	if s.Saves == nil {
		return saves.Entry{}, saves.ErrNoEntry
	}
	e, err := s.Saves.Entry(ctx, id)
	if err == nil && (e.User == "" || e.User != who.UserID()) {
		err = saves.ErrNoEntry
	}
	return e, err
}

// earlier is a pre-image, and its document as this person sees it: what others have
// written is shown to nobody who cannot see the document itself.
func (s *site) earlier(ctx context.Context, who oauth.Principal, id string) (saves.Entry, place, error) {
	if s.Saves == nil {
		return saves.Entry{}, place{}, saves.ErrNoEntry
	}
	e, err := s.Saves.Entry(ctx, id)
	if err == nil && e.State != "preimage" {
		err = saves.ErrNoEntry
	}
	if err != nil {
		return e, place{}, err
	}
	at, err := s.locate(ctx, who, e.File)
	if errors.Is(err, idmap.ErrNotFound) {
		err = saves.ErrNoEntry
	}
	return e, at, err
}
