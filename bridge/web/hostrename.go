package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"davwopi/bridge/history"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// serveHostRename is POST /edit/{id}/name: another name for the document that is open in an
// editor of others. Its lock stays and is on the new name when this is answered, so that the
// editor saves on; it hears of the name when it loads the document anew. It takes what
// [site.serveRenew] takes, and the name.
func (s *site) serveHostRename(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	var asked struct {
		hostAsks
		Name string `json:"name"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := json.NewDecoder(r.Body).Decode(&asked)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrRequest, err)
	} else {
		err = s.check(asked.hostAsks, session)
	}
	var at place
	if err == nil {
		at, err = s.changeable(r, session.Principal)
	}
	if err == nil && at.Entry.Kind != idmap.File {
		err = idmap.ErrNotFound
	}
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	name := strings.TrimSpace(asked.Name)
	if fault := nameFault(name); fault != nil {
		s.refuseName(w, r, http.StatusUnprocessableEntity, fault, errors.New("web: not a name"))
		return
	}
	moved, err := s.renameOpen(r.Context(), session.Principal, at, asked.Editor, wopi.RenamedName(name, at.Entry.Name))
	switch {
	case errors.Is(err, dav.ErrExists):
		s.refuseName(w, r, http.StatusConflict, words.Say("name.taken"), err)
	case err != nil:
		t := s.changeTrouble(r.Context(), at, "rename", err)
		said := words.Say("part.sign_in")
		if t.Title != nil {
			said = words.Say("part.why", "title", t.Title)
		}
		s.refuseName(w, r, max(t.Status, http.StatusConflict), said, err)
	default:
		if moved.Name != at.Entry.Name {
			s.happened(r, session.Principal, at.Entry.ID, history.Renamed, moved.Name)
		}
		answerJSON(w, http.StatusOK, map[string]string{"name": moved.Name})
	}
}

// refuseName tells the script of a host page why a name was not given, in the words of its
// person.
func (s *site) refuseName(w http.ResponseWriter, r *http.Request, status int, said words.Text, err error) {
	s.note(r, status, err)
	answerJSON(w, status, map[string]string{"error": "name", "message": words.For(r).Text(said)})
}

// renameOpen renames a file under the lock that an editor holds for it, which is shown on
// its behalf: whoever may edit the file in that editor renames it there, too. An editor may
// change its lock ID meanwhile; then the new one is shown.
func (s *site) renameOpen(ctx context.Context, who oauth.Principal, at place, editor, name string) (idmap.Entry, error) {
	to, err := at.Entry.Path.Parent().Join(name)
	if err != nil {
		return idmap.Entry{}, err
	}
	target := at.Entry
	if target.Path = to; !s.mayChange(who, at.Upstream.Name, target) {
		return idmap.Entry{}, &placeError{at.Upstream, at.Entry.Name, dav.ErrDenied}
	}
	as := actor(who)
	as.Editor = editor
	var moved idmap.Entry
	for range 2 {
		var lock *wopi.LockID
		if lock, err = s.lockOf(ctx, at.Entry.ID, editor); err != nil {
			return idmap.Entry{}, err
		}
		moved, err = s.Locks.Move(ctx, s.target(who, at), as, lock, to)
		var mismatch *locks.MismatchError
		if !errors.As(err, &mismatch) || mismatch.Foreign {
			break
		}
	}
	return moved, err
}

// lockOf is the lock ID that an editor holds for a file, nil if it holds none.
func (s *site) lockOf(ctx context.Context, id idmap.FileID, editor string) (*wopi.LockID, error) {
	state, err := s.Locks.State(ctx, id)
	if err != nil || state.Lock.ID == "" || state.Holder.Editor != editor {
		return nil, err
	}
	return &state.Lock.ID, nil
}
