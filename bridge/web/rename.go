package web

import (
	"context"
	"errors"
	"net/http"

	"davwopi/bridge/history"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// nameBody asks for a name, on a page that needs no script.
type nameBody struct {
	Title  words.Text
	Kind   string // icon of what gets the name
	Action string // where the form is posted
	Name   string // as it is, or as it was typed
	Stem   int    // characters of Name that are marked at first: without the extension
	Error  words.Text
	Button words.Text
	Back   step
}

func (s *site) askName(w http.ResponseWriter, r *http.Request, who oauth.Principal, status int, b nameBody) {
	stem := b.Name
	if ext := extension(b.Name); ext != "" && b.Kind != "folder" {
		stem = b.Name[:len(b.Name)-len(ext)-1]
	}
	b.Stem = len(utf16s(stem))
	s.show(w, r, status, "name", b.Title, who, policy{}, b)
}

// utf16s counts as browsers do.
func utf16s(s string) (units []struct{}) {
	for _, r := range s {
		units = append(units, struct{}{})
		if r > 0xffff {
			units = append(units, struct{}{})
		}
	}
	return units
}

// serveRename is GET /rename/{id}, which asks for the new name, and POST, which gives it.
func (s *site) serveRename(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who := session.Principal
	at, err := s.changeable(r, who)
	if err != nil {
		s.fail(w, r, who, err)
		return
	}
	kind := "folder"
	if at.Entry.Kind == idmap.File {
		kind = kindOf(extension(at.Entry.Name))
	}
	folder := s.folderOf(r.Context(), at)
	body := nameBody{
		Title: words.Say("rename.title", "name", at.Entry.Name), Kind: kind, Name: at.Entry.Name,
		Action: s.path("rename", string(at.Entry.ID)), Button: words.Say("rename.do"),
		Back: step{words.Say("step.leave_it"), s.path("folder", string(folder))},
	}
	if r.Method != http.MethodPost {
		s.askName(w, r, who, http.StatusOK, body)
		return
	}
	if !s.formOf(w, r) {
		return
	}
	body.Name = typed(r, "name")
	if body.Error = nameFault(body.Name); body.Error != nil {
		s.askName(w, r, who, http.StatusUnprocessableEntity, body)
		return
	}
	moved, err := s.move(r.Context(), who, at, at.Entry.Path.Parent(), body.Name)
	switch {
	case errors.Is(err, dav.ErrExists):
		body.Error = words.Say("name.taken")
		s.askName(w, r, who, http.StatusConflict, body)
	case errors.Is(err, dav.ErrBadName), errors.Is(err, dav.ErrBadPath):
		body.Error = words.Say("bad_name.words", "name", s.upstreamName(at.Upstream.Name))
		s.askName(w, r, who, http.StatusUnprocessableEntity, body)
	case err != nil:
		s.failChange(w, r, who, at, "rename", err)
	default:
		s.happened(r, who, at.Entry.ID, history.Renamed, moved.Name)
		s.did(w, r, folder, change{
			user: who.UserID(), kind: didRename, upstream: at.Upstream.Name, space: at.Entry.Space, file: at.Entry.ID,
			name: moved.Name, old: at.Entry.Name, from: at.Entry.Path, to: moved.Path,
		})
	}
}

// move gives a file or folder another place, name or both, through the lock book as an
// editor's rename does: nothing that is there is replaced, and nothing that is open is moved.
func (s *site) move(ctx context.Context, who oauth.Principal, at place, folder dav.Path, name string) (idmap.Entry, error) {
	to, err := folder.Join(name)
	if err != nil {
		return idmap.Entry{}, err
	}
	target := at.Entry
	if target.Path = to; !s.mayChange(who, at.Upstream.Name, target) {
		return idmap.Entry{}, &placeError{at.Upstream, at.Entry.Name, dav.ErrDenied}
	}
	if at.Entry.Kind == idmap.Container {
		return s.Locks.MoveContainer(ctx, s.target(who, at), actor(who), to)
	}
	return s.Locks.Move(ctx, s.target(who, at), actor(who), nil, to)
}
