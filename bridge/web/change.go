package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// mountChanges adds the routes by which files are made, renamed, moved and deleted.
func (s *site) mountChanges(r *mux.Router, get, post func(string, http.HandlerFunc), id string) {
	for path, handler := range map[string]personal{
		"/folder/" + id + "/new": s.serveNew, "/folder/" + id + "/upload": s.serveUpload,
		"/rename/" + id: s.serveRename, "/move/" + id: s.serveMove, "/delete/" + id: s.serveDelete,
	} {
		get(path, s.signedIn(handler))
		post(path, s.signedIn(handler))
	}
	if s.Shares != nil {
		s.mountVisitors(r, id)
	}
	post("/undo/{change:[a-z2-7]{16}}", s.signedIn(s.serveTakeBack))
	r.Methods(http.MethodGet).Path("/open").Queries("path", "{path}").Handler(s.signedIn(s.serveOpenPath))
	const upload = "/upload/{upload:[a-z2-7]{16}}"
	post("/folder/"+id+"/uploads", s.signedInScript(s.serveBegin))
	post("/folder/"+id+"/folders", s.signedInScript(s.serveMakeFolder))
	get(upload, s.signedInScript(s.serveUploading))
	post(upload, s.signedInScript(s.serveFinish))
	r.Methods(http.MethodPatch).Path(upload).Handler(s.signedInScript(s.servePiece))
	r.Methods(http.MethodDelete).Path(upload).Handler(s.signedInScript(s.serveCancel))
}

// mountVisitors adds what of that people can do who came by a link: they make files, and
// change none but in an editor.
func (s *site) mountVisitors(r *mux.Router, id string) {
	const upload = "/upload/{upload:[a-z2-7]{16}}"
	for _, route := range []struct {
		path    string
		handler func(*site, http.ResponseWriter, *http.Request, oauth.Session)
		methods []string
	}{
		{"/folder/" + id + "/new", (*site).serveNew, []string{http.MethodGet, http.MethodPost}},
		{"/folder/" + id + "/upload", (*site).serveUpload, []string{http.MethodGet, http.MethodPost}},
		{"/folder/" + id + "/uploads", (*site).serveBegin, []string{http.MethodPost}},
		{"/folder/" + id + "/folders", (*site).serveMakeFolder, []string{http.MethodPost}},
		{upload, (*site).serveUploading, []string{http.MethodGet}},
		{upload, (*site).serveFinish, []string{http.MethodPost}},
		{upload, (*site).servePiece, []string{http.MethodPatch}},
		{upload, (*site).serveCancel, []string{http.MethodDelete}},
	} {
		r.Methods(route.methods...).Path("/shared/{share:[a-z2-7]{26}}" + route.path).Handler(s.visiting(route.handler))
	}
}

// uploads tells the addresses that the script of uploads asks, which no page helps.
func uploads(address string) bool {
	return strings.HasSuffix(address, "/uploads") || strings.HasSuffix(address, "/folders") || strings.Contains(address, "/upload/")
}

// actor is who changes files on these pages: a person, in no editor.
func actor(who oauth.Principal) locks.Actor {
	return locks.Actor{UserID: who.UserID(), Name: personName(who)}
}

// changeable is the file or folder that the address names, if this person may rename,
// move or delete it: no root, and nothing in it that the rules keep from them.
func (s *site) changeable(r *http.Request, who oauth.Principal) (place, error) {
	at, err := s.locate(r.Context(), who, idmap.FileID(mux.Vars(r)["id"]))
	if err != nil {
		return at, err
	}
	if at.Rights < access.Edit || !s.mayChange(who, at.Upstream.Name, at.Entry) {
		return at, &placeError{at.Upstream, at.Entry.Name, dav.ErrDenied}
	}
	return at, nil
}

// mayChange asks our own rules.
func (s *site) mayChange(who oauth.Principal, upstream string, e idmap.Entry) bool {
	return s.visit == nil && !e.Path.IsRoot() && s.Rules.AllowsBelow(who, upstream, string(e.Path)) >= access.Edit
}

// folderHere is the folder that the address names, if this person may make something
// in it.
func (s *site) folderHere(r *http.Request, who oauth.Principal) (place, error) {
	at, err := s.locate(r.Context(), who, idmap.FileID(mux.Vars(r)["id"]))
	switch {
	case err != nil:
		return at, err
	case at.Entry.Kind != idmap.Container:
		return at, idmap.ErrNotFound
	case at.Rights < access.Edit:
		return at, &placeError{at.Upstream, at.Entry.Name, dav.ErrDenied}
	}
	return at, nil
}

// into is a folder as the journal makes files in it.
func (s *site) into(who oauth.Principal, folder place) saves.Place {
	return saves.Place{
		Space: folder.Entry.Space, Upstream: folder.Upstream.Name, View: folder.View, Folder: folder.Entry.Path,
		Pin: s.pin(folder.Upstream.Name, who), Writer: personName(who), User: who.UserID(),
	}
}

// making runs do while the folder stays where it is.
func (s *site) making(ctx context.Context, who oauth.Principal, folder place, do func() error) error {
	return s.Locks.Making(ctx, s.target(who, folder), s.patience(), do)
}

// free are the names near name that this person may give in folder.
func (s *site) free(who oauth.Principal, folder place, name string) func(int) (string, bool) {
	next, skipped := endpoint.Numbered(name), 0
	return func(attempt int) (string, bool) {
		for {
			candidate, ok := next(attempt + skipped)
			if !ok || s.mayName(who, folder, candidate) {
				return candidate, ok
			}
			skipped++
		}
	}
}

func (s *site) mayName(who oauth.Principal, folder place, name string) bool {
	p, err := folder.Entry.Path.Join(name)
	return err == nil && s.allows(who, folder.Upstream.Name, string(p)) >= access.Edit
}

// turning are the characters that turn the direction of what stands beside them: a name
// with one can look like another.
func turning(r rune) bool {
	return unicode.Is(unicode.Bidi_Control, r)
}

// Turned tells that a name is shown in another order than it is written in: "gpj.exe" can
// look like "exe.jpg" by it. Others may give such names, and files had them before.
func (r row) Turned() bool {
	return strings.ContainsFunc(r.Name, func(c rune) bool { return c >= '\u202a' && c <= '\u202e' })
}

// nameFault is what people are told about a name that they cannot give; nil if they can.
// What ends with a dot or a space cannot be opened on Windows.
func nameFault(name string) words.Text {
	if strings.TrimSpace(name) == "" {
		name = ""
	}
	switch fault := endpoint.NameFault(name); {
	case fault != nil:
		return fault
	case strings.ContainsFunc(name, turning):
		return words.Say("name.turning")
	case strings.TrimRight(name, ". ") != name, strings.TrimLeft(name, " ") != name:
		return words.Say("name.end")
	}
	return nil
}

// repaired is name made one that every file system can hold: for files that come with
// a name of their own.
func repaired(name string) string {
	return endpoint.RepairName(strings.Map(func(r rune) rune {
		if turning(r) {
			return -1
		}
		return r
	}, name))
}

// typed is a name as somebody wrote it into a form: blanks around it are not meant.
func typed(r *http.Request, field string) string { return strings.TrimSpace(r.PostForm.Get(field)) }

// formOf reads a form of a page; false if it was answered already.
func (s *site) formOf(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.failBadForm(w, r, err)
		return false
	}
	return true
}

// did notes a change and goes to the page of the folder, which says so.
func (s *site) did(w http.ResponseWriter, r *http.Request, folder idmap.FileID, done change) {
	to := s.path("folder", string(folder))
	if s.Changes != nil {
		id, err := s.Changes.add(context.WithoutCancel(r.Context()), done)
		if err == nil {
			to += "?" + url.Values{"done": {id}}.Encode()
		} else {
			s.Log(r, err) // it is done all the same
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// failChange is fail for what was to be done with name. do is the key of what that was,
// for the words that say when it can be done.
func (s *site) failChange(w http.ResponseWriter, r *http.Request, who oauth.Principal, at place, do string, err error) {
	t := s.changeTrouble(r.Context(), at, do, err)
	if t.Status == http.StatusInsufficientStorage {
		t.Words = append(s.room(r.Context(), who, at, err), t.Words...)
	}
	s.answer(w, r, who, t, err)
}

// changeTrouble is the table from errors of a change to what people are told.
func (s *site) changeTrouble(ctx context.Context, at place, do string, err error) trouble {
	if at.Upstream == nil {
		return s.trouble(err) // the place was not found, or could not be looked at
	}
	name := at.Entry.Name
	back := step{words.Say("step.folder"), s.path("folder", string(s.folderOf(ctx, at)))}
	t := trouble{Status: http.StatusConflict, Actions: []step{back}}
	var mismatch *locks.MismatchError
	var kept *saves.KeptError
	switch {
	case errors.As(err, &mismatch):
		t.Title, t.Words = s.heldWords(ctx, at, mismatch, do)
		if at.Entry.Kind == idmap.File {
			t.Actions = append(t.Actions, step{words.Say("step.read"), s.path("view", string(at.Entry.ID))})
		}
		t.Actions = append(t.Actions, step{words.Say("step.see_who"), s.path("open")})
	case errors.Is(err, dav.ErrExists):
		t.Title, t.Words = words.Say("taken.title"), []words.Text{words.Say("taken.words")}
	case errors.Is(err, locks.ErrBusy), errors.Is(err, saves.ErrInUse):
		t.Title, t.Words = words.Say("busy.title"), []words.Text{words.Say("busy.words")}
	case errors.Is(err, locks.ErrNotEmpty):
		t.Title, t.Words = words.Say("not_empty.title", "name", name), []words.Text{words.Say("not_empty.words")}
	case errors.Is(err, dav.ErrDenied):
		t.Status, t.Title = http.StatusForbidden, words.Say("may_not.title")
		t.Words = []words.Text{words.Say("may_not.words", "name", s.upstreamName(at.Upstream.Name))}
	case errors.Is(err, dav.ErrFull), errors.Is(err, saves.ErrNoRoom):
		t.Status, t.Title, t.Words = http.StatusInsufficientStorage, words.Say("full.title"), []words.Text{words.Say("full.words")}
	case errors.Is(err, dav.ErrTooLarge):
		t.Status, t.Title, t.Words = http.StatusRequestEntityTooLarge, words.Say("file_large.title"), []words.Text{words.Say("file_large.words", "limit", words.Size(s.maxUpload()))}
	case errors.Is(err, dav.ErrBadName), errors.Is(err, dav.ErrBadPath):
		t.Status, t.Title = http.StatusUnprocessableEntity, words.Say("bad_name.title")
		t.Words = []words.Text{words.Say("bad_name.words", "name", s.upstreamName(at.Upstream.Name))}
	default:
		var placed *placeError
		if at.Upstream != nil && !errors.As(err, &placed) {
			err = &placeError{at.Upstream, name, err}
		}
		return s.trouble(err)
	}
	if errors.As(err, &kept) {
		t.Words = append(t.Words, words.Say("kept.words"))
		t.Actions = append(t.Actions, step{words.Say("step.saves"), s.path("saves")})
	}
	return t
}

// heldWords say who has a document open, how and since when, as far as this person may
// know.
func (s *site) heldWords(ctx context.Context, at place, m *locks.MismatchError, do string) (title words.Text, list []words.Text) {
	name, who := at.Entry.Name, holder{Program: m.Program}
	if m.Holder != "" {
		who.Name = holderName(m.Holder)
	}
	editor := words.Text(nil)
	if m.File != "" {
		name = m.File
	} else if at.Entry.Kind == idmap.File {
		if held, state, err := s.holder(ctx, at.Entry.ID); err == nil && held.Name != nil {
			who, editor = held, s.editorNames()[state.Holder.Editor]
		}
	}
	if m.Reason == locks.ErrWaiting().Reason {
		return words.Say("waits.title", "name", name), []words.Text{words.Say("waits.words", "name", s.upstreamName(at.Upstream.Name))}
	}
	title = words.Say("held.title", "name", name)
	if at.Entry.Kind == idmap.Container && m.File == "" {
		title = words.Say("held.below", "name", at.Entry.Name) // who may not see it is not told its name
	}
	if who.Program != "" {
		editor = words.Plain(who.Program)
	}
	switch {
	case who.Name == nil:
	case who.Since.IsZero():
		list = append(list, words.Say("held.by", "name", who.Name))
	case editor == nil:
		list = append(list, words.Say("held.since", "name", who.Name, "at", who.Since))
	default:
		list = append(list, words.Say("held.in", "name", who.Name, "editor", editor, "at", who.Since))
	}
	return title, append(list, words.Say("held."+do))
}

// folderOf is the folder that a thing lies in, or itself if it has none that is known.
func (s *site) folderOf(ctx context.Context, at place) idmap.FileID {
	if at.Entry.Path.IsRoot() {
		return at.Entry.ID
	}
	folder, err := s.IDs.KnownAt(ctx, at.Entry.Space, at.Entry.Path.Parent())
	if err != nil {
		return at.Entry.ID
	}
	return folder.ID
}

// patience is how long a change waits for what else is going on.
func (s *site) patience() time.Duration {
	if s.Saves == nil {
		return 20 * time.Second
	}
	return s.Saves.Patience
}
