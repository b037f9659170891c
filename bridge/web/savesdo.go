package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/history"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// What can be done about an entry on the page of saves. Each handler asks anew whose the
// entry is, and what its person may do.

// serveSaved is GET /saves/{entry}/download: the bytes of an entry.
func (s *site) serveSaved(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	ctx, who, id := r.Context(), session.Principal, mux.Vars(r)["entry"]
	e, err := s.ownEntry(ctx, who, id)
	if err == nil && e.State == "preimage" || errors.Is(err, saves.ErrNoEntry) {
		e, _, err = s.earlier(ctx, who, id)
	}
	if err != nil {
		s.failDownload(w, r, who, err)
		return
	}
	body, e, err := s.Saves.Open(ctx, id)
	if err != nil {
		s.failDownload(w, r, who, err)
		return
	}
	s.send(w, r, bytesOf{body, e.Name, e.Size, e.At})
}

// serveRestore is POST /saves/{entry}/restore: the bytes become a document beside their
// own.
func (s *site) serveRestore(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	ctx, who := r.Context(), session.Principal
	e, err := s.ownEntry(ctx, who, mux.Vars(r)["entry"])
	var to saves.Place
	if err == nil {
		to, err = s.besides(ctx, who, e)
	}
	if err == nil {
		_, err = s.Saves.Restore(ctx, e.ID, to)
	}
	if err != nil {
		up, _ := s.Upstreams.Get(to.Upstream) // nil before it is known
		s.failSave(w, r, who, place{Upstream: up}, err)
		return
	}
	s.deed(r, Deed{What: "restore", Who: who, File: e.File, ID: e.ID, Name: e.Name})
	if e.File != "" {
		s.happened(r, who, e.File, history.Restored, "")
	}
	s.done(w, r, "saves", "restored")
}

// besides is the folder of an entry's document, as this person reaches it; where that is
// gone the folder in which it was, or the highest one that they may write.
func (s *site) besides(ctx context.Context, who oauth.Principal, e saves.Entry) (saves.Place, error) {
	up, err := s.Upstreams.Get(e.Upstream)
	if err != nil {
		return saves.Place{}, err
	}
	space, err := s.Upstreams.Space(ctx, up.Name, who)
	if err != nil {
		return saves.Place{}, err
	}
	folder, err := s.Saves.FolderOf(ctx, e, space)
	if err != nil {
		return saves.Place{}, err
	}
	for _, path := range append([]dav.Path{folder}, s.Rules.Entrances(who, up.Name)...) {
		at, err := s.at(ctx, who, up, path)
		if errors.Is(err, dav.ErrNotFound) || errors.Is(err, idmap.ErrNotFound) || err == nil && at.Rights < access.Edit {
			continue
		}
		if err != nil {
			return saves.Place{}, err
		}
		return saves.Place{
			Space: space, Upstream: up.Name, View: at.View, Folder: path, Pin: s.pin(up.Name, who),
			Writer: personName(who), User: who.UserID(),
		}, nil
	}
	return saves.Place{}, &placeError{up, e.Name, dav.ErrDenied}
}

func (s *site) pin(upstream string, who oauth.Principal) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) { return s.Upstreams.Pin(ctx, upstream, who) }
}

// target is a place as what saves write to. Nothing is written where the rules say no,
// also if the document is moved meanwhile.
func (s *site) target(who oauth.Principal, at place) locks.Target {
	return locks.Target{
		File: at.Entry, Seen: at.Seen, Upstream: at.Upstream.Name, View: at.View, Pin: s.pin(at.Upstream.Name, who),
		May: func(_ context.Context, e idmap.Entry) error {
			if s.Rules.Allows(who, at.Upstream.Name, string(e.Path)) < access.Edit {
				return fmt.Errorf("web: the file was moved to where this person may not write: %w", dav.ErrDenied)
			}
			return nil
		},
	}
}

// serveDrop is GET /saves/{entry}/drop, which asks whether it is meant, and POST, which
// does it.
func (s *site) serveDrop(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	ctx, who := r.Context(), session.Principal
	e, err := s.ownEntry(ctx, who, mux.Vars(r)["entry"])
	if err == nil && r.Method == http.MethodPost {
		if err = s.Saves.Drop(ctx, e.ID); err == nil {
			s.deed(r, Deed{What: "drop", Who: who, File: e.File, ID: e.ID, Name: e.Name})
			s.done(w, r, "saves", "dropped")
			return
		}
	}
	if err != nil {
		s.failSave(w, r, who, place{}, err)
		return
	}
	told := []words.Text{words.Say("drop.words", "at", e.At)}
	if e.State == "waiting" {
		told = append(told, words.Say("drop.stays", "name", s.upstreamName(e.Upstream)))
	}
	s.confirm(w, r, who, confirmBody{
		Title: words.Say("drop.title", "name", e.Name), Words: told, Danger: true,
		Action: s.entryPath(e, "drop"), Button: words.Say("drop.do"), Back: step{words.Say("step.keep_it"), s.path("saves")},
	})
}

// serveUndo is GET /saves/{entry}/undo, which asks whether it is meant, and POST, which
// puts the earlier version back.
func (s *site) serveUndo(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	ctx, who := r.Context(), session.Principal
	e, at, err := s.earlier(ctx, who, mux.Vars(r)["entry"])
	if err == nil && at.Rights < access.Edit {
		err = &placeError{at.Upstream, at.Entry.Name, dav.ErrDenied}
	}
	if err == nil && r.Method == http.MethodPost {
		actor := locks.Actor{UserID: who.UserID(), Name: personName(who)}
		if _, err = s.Saves.Undo(ctx, s.target(who, at), actor, e.ID); err == nil {
			s.deed(r, Deed{What: "undo", Who: who, File: e.File, ID: e.ID, Name: string(at.Entry.Path)})
			s.happened(r, who, at.Entry.ID, history.Undone, "")
			s.done(w, r, "saves", "undone")
			return
		}
	}
	if err != nil {
		s.failSave(w, r, who, at, err)
		return
	}
	s.confirm(w, r, who, confirmBody{
		Title: words.Say("undo.title", "name", at.Entry.Name),
		Words: []words.Text{
			words.Say("undo.words", "before", words.Size(e.Size), "now", words.Size(at.Seen.Size)), words.Say("undo.safe"),
		},
		Action: s.entryPath(e, "undo"), Button: words.Say("undo.do"), Back: step{words.Say("step.leave_it"), s.path("saves")},
	})
}

// serveDeliver is POST /saves/{entry}/deliver: a save whose sign-in was refused goes on
// with this person's, who may write the document.
func (s *site) serveDeliver(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	ctx, who := r.Context(), session.Principal
	err := saves.ErrNoEntry
	var e saves.Entry
	if s.Saves != nil {
		e, err = s.Saves.Entry(ctx, mux.Vars(r)["entry"])
	}
	if err == nil && !e.SignIn {
		err = saves.ErrNoEntry
	}
	var at place
	if err == nil {
		if at, err = s.locate(ctx, who, e.File); errors.Is(err, idmap.ErrNotFound) {
			err = saves.ErrNoEntry // not one that this person knows of
		}
	}
	if err == nil && at.Rights < access.Edit {
		err = saves.ErrNoEntry
	}
	if err == nil {
		err = s.Saves.LendTo(ctx, e.ID, s.target(who, at))
	}
	if err != nil {
		s.failSave(w, r, who, at, err)
		return
	}
	s.deed(r, Deed{What: "deliver", Who: who, File: e.File, ID: e.ID, Name: e.Name})
	s.done(w, r, "saves", "delivered")
}

// failSave is fail for what was to be done with an entry. at is where its document is, or
// of it at least the upstream; zero not known.
func (s *site) failSave(w http.ResponseWriter, r *http.Request, who oauth.Principal, at place, err error) {
	back := step{words.Say("step.back_to_saves"), s.path("saves")}
	var mismatch *locks.MismatchError
	switch {
	case errors.As(err, &mismatch):
		_, told := s.heldWords(r.Context(), at, mismatch, "make")
		told[len(told)-1] = words.Say("save_open.words")
		s.answer(w, r, who, trouble{Status: http.StatusConflict, Title: words.Say("save_open.title"),
			Words: told, Actions: []step{back, {words.Say("step.see_who"), s.path("open")}}}, err)
	case errors.Is(err, dav.ErrChanged):
		s.answer(w, r, who, trouble{Status: http.StatusConflict, Title: words.Say("save_changed.title"),
			Words: []words.Text{words.Say("save_changed.words")}, Actions: []step{back}}, err)
	case errors.Is(err, dav.ErrFull), errors.Is(err, saves.ErrNoRoom):
		s.answer(w, r, who, trouble{Status: http.StatusInsufficientStorage, Title: words.Say("save_full.title"),
			Words: append(s.room(r.Context(), who, at, err), words.Say("save_full.words")), Actions: []step{back}}, err)
	default:
		s.fail(w, r, who, err)
	}
}

// room says how much is free where something did not fit, as far as the server there tells.
func (s *site) room(ctx context.Context, who oauth.Principal, at place, err error) []words.Text {
	if at.Upstream == nil || !errors.Is(err, dav.ErrFull) {
		return nil
	}
	view, err := s.Upstreams.View(ctx, at.Upstream.Name, who)
	if err != nil {
		return nil // one sentence less
	}
	root, err := view.Stat(ctx, dav.Root)
	if err != nil || root.QuotaAvailable < 0 {
		return nil
	}
	return []words.Text{words.Say("full.free", "name", s.upstreamName(at.Upstream.Name), "free", words.Size(root.QuotaAvailable))}
}
