package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/discovery"
	"davwopi/bridge/history"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

const (
	maxOpen   = 60 // documents on the page
	maxPeople = 8  // that are named at each
	opensTurn = 15 // seconds after which the page is asked for again
)

// openBody is the page of what is open now.
type openBody struct {
	Opens  []openRow
	More   bool       // there may be more that this person could see
	Unseen []string   // upstreams that did not answer: what is open there is not known
	Said   words.Text // what was just done, nil nothing
}

// openRow is one document.
type openRow struct {
	Name, Kind, Href string
	KindName         words.Text
	Folder           step
	People           []words.Text // the holder of the lock first
	Others           int          // that are not named
	Editor           words.Text   // nil not known
	Since            time.Time
	Saved            time.Time  // the last save of this editing, zero none yet
	Until            time.Time  // of the lock, zero: it lasts until the save has arrived
	State            words.Text // how the save stands, nil as it should be
	Mark             string     // the kind of its mark
	Lost             bool       // the upstream's own lock is gone
	Release          string     // where it is released, "" not by this person
}

// serveOpens is GET /open: the documents that are open now, of those that this person
// can see.
func (s *site) serveOpens(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	body, err := s.opens(r.Context(), session.Principal)
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	body.Said = said[r.URL.Query().Get("said")]
	s.showLive(w, r, "opens", words.Say("opens.title"), session.Principal, body, opensTurn)
}

// opens makes the page. The upstream is asked about every document that this person has
// not seen in the last minute, a few at a time.
func (s *site) opens(ctx context.Context, who oauth.Principal) (openBody, error) {
	var body openBody
	all, err := s.Locks.List(ctx)
	if err != nil {
		return body, err
	}
	all = slices.DeleteFunc(all, func(r locks.Row) bool { return r.Lock.ID == "" && r.Phase != locks.HeldByJournal })
	slices.SortStableFunc(all, func(a, b locks.Row) int {
		mine := func(r locks.Row) int { return map[bool]int{true: 0, false: 1}[r.Holder.UserID == who.UserID()] }
		return cmp.Or(mine(a)-mine(b), b.Since.Compare(a.Since))
	})
	files := make([]idmap.FileID, len(all))
	for i, r := range all {
		files[i] = r.File
	}
	seen, err := s.sightsOf(ctx, who, files, maxOpen)
	if err != nil {
		return body, err
	}
	body.More, body.Unseen = seen.more, seen.unseen
	all = slices.DeleteFunc(all, func(r locks.Row) bool { _, ok := seen.places[r.File]; return !ok })
	if body.Opens, err = s.openRows(ctx, who, all, seen.places); err != nil {
		return body, err
	}
	return body, nil
}

// openRows describes locked files from the database.
func (s *site) openRows(ctx context.Context, who oauth.Principal, all []locks.Row, places map[idmap.FileID]place) ([]openRow, error) {
	files, editings := make([]idmap.FileID, 0, len(all)), make([]int64, 0, len(all))
	for _, r := range all {
		files = append(files, r.File)
		if r.Editing != nil {
			editings = append(editings, r.Editing.ID)
		}
	}
	standings := map[idmap.FileID]saves.Standing{}
	if s.Saves != nil {
		var err error
		if standings, err = s.Saves.Standings(ctx, files); err != nil {
			return nil, err
		}
	}
	members, err := s.Locks.MembersOf(ctx, editings)
	if err != nil {
		return nil, err
	}
	people, err := s.Tokens.People(ctx, slices.Concat(slices.Collect(maps.Values(members))...))
	if err != nil {
		return nil, err
	}
	names := s.editorNames()
	out := make([]openRow, 0, len(all))
	for _, r := range all {
		row, err := s.openRow(ctx, who, r, places[r.File])
		if err != nil {
			return nil, err
		}
		row.Editor = names[r.Holder.Editor]
		row.stand(r, standings[r.File], s.upstreamName(r.Upstream))
		if r.Editing != nil {
			row.name(members[r.Editing.ID], people)
		}
		out = append(out, row)
	}
	return out, nil
}

func (s *site) openRow(ctx context.Context, who oauth.Principal, r locks.Row, at place) (openRow, error) {
	seen := memberOf(at.Seen)
	file := s.row(at.Entry, &seen, at.Rights)
	row := openRow{Name: file.Name, Kind: file.Kind, KindName: file.KindName, Href: file.Href, Since: r.Since}
	var err error
	if row.Folder, err = s.backFrom(ctx, opening{Place: at, Who: who}); err != nil {
		return row, err
	}
	if row.Folder.Name = words.Say("folder.files"); at.Entry.Path != "" && !at.Entry.Path.Parent().IsRoot() {
		row.Folder.Name = words.Plain(at.Entry.Path.Parent().Base())
	}
	if r.Lock.ID != "" {
		row.Until, row.Lost = r.Lock.Expires, r.Shadow.Lost
		row.People = []words.Text{holderName(r.Holder.Name)}
	}
	if s.mayRelease(who, r.State) {
		row.Release = s.path("open", string(r.File), "release")
	}
	return row, nil
}

// name adds the people of the editing to who has the lock.
func (row *openRow) name(members []string, people map[string]oauth.Principal) {
	for _, m := range members {
		p, ok := people[m]
		name := words.Plain(personName(p))
		if !ok || slices.ContainsFunc(row.People, func(t words.Text) bool { return slices.Equal(t, name) }) {
			continue
		}
		if len(row.People) == maxPeople {
			row.Others++
			continue
		}
		row.People = append(row.People, name)
	}
}

// stand says how the saves stand.
func (row *openRow) stand(r locks.Row, st saves.Standing, upstream string) {
	if r.Editing != nil && !st.Last.Before(r.Editing.Started) {
		row.Saved = st.Last
	}
	switch {
	case st.SignIn:
		row.State, row.Mark = words.Say("state.sign_in", "name", upstream), "warn"
	case st.Waits:
		row.State, row.Mark = words.Say("state.waits", "name", upstream), "warn"
	case st.Aside:
		row.State, row.Mark = words.Say("state.aside", "name", upstream), "warn"
	case r.Editing != nil && (r.Editing.Diverted != "" || r.Editing.Reported != 0):
		row.State, row.Mark = words.Say("state.both"), "warn"
	case st.Kept:
		row.State, row.Mark = words.Say("state.kept"), "bad"
	}
}

// editorNames are those that people see, by URL.
func (s *site) editorNames() map[string]words.Text {
	names := map[string]words.Text{discovery.TextEditor: words.Say("editor.text")}
	for _, e := range s.Editors.Status() {
		if e.Editor.Builtin == nil {
			names[e.Editor.URL] = words.Plain(e.Editor.Name)
		}
	}
	return names
}

// holderName is who took a lock, for people: at the beginning of a sentence, or alone.
func holderName(name string) words.Text {
	if name = strings.TrimSuffix(name, " via davwopi"); name != "" {
		return words.Plain(name)
	}
	return words.Say("person.somebody_first")
}

// mayRelease reports whether this person may release a lock: it is theirs, or they run
// the server.
func (s *site) mayRelease(who oauth.Principal, st locks.State) bool {
	return st.Holder.UserID != "" && st.Holder.UserID == who.UserID() || s.Admin != nil && s.Admin(who)
}

// serveRelease is GET /open/{id}/release, which asks whether it is meant, and POST,
// which does it.
func (s *site) serveRelease(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	ctx, who, id := r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"])
	seen, err := s.sightsOf(ctx, who, []idmap.FileID{id}, 1)
	at, ok := seen.places[id]
	var state locks.State
	if err == nil {
		state, err = s.Locks.State(ctx, id)
	}
	switch {
	case err != nil:
		s.fail(w, r, who, err)
		return
	case !ok && seen.failed != nil:
		s.fail(w, r, who, seen.failed)
		return
	case !ok, !s.mayRelease(who, state):
		s.fail(w, r, who, idmap.ErrNotFound)
		return
	}
	if r.Method == http.MethodPost {
		if err := s.Locks.Release(ctx, id); err != nil {
			s.fail(w, r, who, err)
			return
		}
		s.deed(r, Deed{What: "release", Who: who, File: id, Name: string(at.Entry.Path)})
		s.happened(r, who, id, history.Released, "")
		s.done(w, r, "open", "released")
		return
	}
	s.confirm(w, r, who, confirmBody{
		Title:  words.Say("release.title", "name", at.Entry.Name),
		Words:  []words.Text{words.Say("release.who", "name", holderName(state.Holder.Name)), words.Say("release.safe")},
		Action: s.path("open", string(id), "release"), Button: words.Say("release.do"), Back: step{words.Say("step.leave_it"), s.path("open")},
	})
}
