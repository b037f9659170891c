package web

import (
	"errors"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/history"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// maxFolders is how many folders are shown to choose from.
const maxFolders = 500

// moveBody is the page on which a folder is picked.
type moveBody struct {
	Name, Kind string
	Here       string  // name of the folder that is shown
	Crumbs     []crumb // above it
	Folders    []crumb // in it
	Cut        bool    // there are more
	Action     string
	To         string     // ID of the folder that is shown
	Why        words.Text // why it cannot go here; nil: it can
	Tried      bool       // somebody has tried to
	Back       step
}

// serveMove is GET /move/{id}?to=FOLDER, which shows a folder to choose from, and POST,
// which moves.
func (s *site) serveMove(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who, ctx := session.Principal, r.Context()
	at, err := s.changeable(r, who)
	if err != nil {
		s.fail(w, r, who, err)
		return
	}
	if r.Method == http.MethodPost && !s.formOf(w, r) {
		return
	}
	from := s.folderOf(ctx, at)
	wanted := r.Form.Get("to")
	if r.Method != http.MethodPost {
		wanted = r.URL.Query().Get("to")
	}
	if wanted == "" {
		wanted = string(from)
	}
	id, err := idmap.ParseFileID(wanted)
	if err != nil {
		s.fail(w, r, who, idmap.ErrNotFound)
		return
	}
	folder, err := s.locate(ctx, who, id)
	if err == nil && (folder.Entry.Kind != idmap.Container || folder.Entry.Space != at.Entry.Space) {
		err = idmap.ErrNotFound
	}
	if err != nil {
		s.fail(w, r, who, err)
		return
	}
	why := s.notHere(at, folder)
	if r.Method != http.MethodPost || why != nil {
		s.pickFolder(w, r, who, at, folder, why)
		return
	}
	moved, err := s.move(ctx, who, at, folder.Entry.Path, at.Entry.Name)
	switch {
	case errors.Is(err, dav.ErrExists):
		s.pickFolder(w, r, who, at, folder, words.Say("move.taken", "name", at.Entry.Name))
	case err != nil:
		s.failChange(w, r, who, at, "move", err)
	default:
		s.happened(r, who, at.Entry.ID, history.Moved, "")
		s.did(w, r, folder.Entry.ID, change{
			user: who.UserID(), kind: didMove, upstream: at.Upstream.Name, space: at.Entry.Space, file: at.Entry.ID,
			name: moved.Name, old: s.folderName(folder), from: at.Entry.Path, to: moved.Path,
		})
	}
}

// notHere says why a thing cannot be moved into folder; nil if it can.
func (s *site) notHere(at, folder place) words.Text {
	switch {
	case folder.Entry.Path == at.Entry.Path.Parent():
		return words.Say("move.is_here")
	case folder.Entry.Path == at.Entry.Path, at.Entry.Kind == idmap.Container && at.Entry.Path.Contains(folder.Entry.Path):
		return words.Say("move.into_itself")
	case folder.Rights < access.Edit:
		return words.Say("move.may_not")
	}
	return nil
}

func (s *site) pickFolder(w http.ResponseWriter, r *http.Request, who oauth.Principal, at, folder place, why words.Text) {
	body, err := s.folders(r, who, at, folder)
	if err != nil {
		s.fail(w, r, who, err)
		return
	}
	status := http.StatusOK
	if body.Why = why; why != nil && r.Method == http.MethodPost {
		status, body.Tried = http.StatusConflict, true
	}
	s.show(w, r, status, "move", words.Say("move.title", "name", at.Entry.Name), who, policy{}, body)
}

// folders makes the page of one folder to choose from.
func (s *site) folders(r *http.Request, who oauth.Principal, at, folder place) (moveBody, error) {
	ctx := r.Context()
	here := s.path("move", string(at.Entry.ID))
	body := moveBody{
		Name: at.Entry.Name, Kind: "folder", Here: s.folderName(folder), Action: here, To: string(folder.Entry.ID),
		Back: step{words.Say("step.leave_it"), s.path("folder", string(s.folderOf(ctx, at)))},
	}
	if at.Entry.Kind == idmap.File {
		body.Kind = kindOf(extension(at.Entry.Name))
	}
	above, err := s.IDs.Ancestors(ctx, folder.Entry.Space, folder.Entry.ID)
	if err != nil {
		return body, err
	}
	for _, e := range above {
		if s.Rules.Allows(who, folder.Upstream.Name, string(e.Path)) < access.View {
			continue
		}
		name := e.Name
		if e.Path.IsRoot() {
			name = s.upstreamName(folder.Upstream.Name)
		}
		body.Crumbs = append(body.Crumbs, crumb{name, here + "?to=" + string(e.ID)})
	}
	l, release, err := s.list(ctx, folder)
	defer release()
	if err != nil {
		return body, &placeError{folder.Upstream, folder.Entry.Name, err}
	}
	var below []*member
	for _, m := range s.visible(who, folder, l, false, new(folderBody)) {
		if p, err := folder.Entry.Path.Join(m.name()); m.folder && err == nil && p != at.Entry.Path {
			below = append(below, m)
		}
	}
	order(below, "name", false)
	if body.Cut = !l.whole || len(below) > maxFolders; len(below) > maxFolders {
		below = below[:maxFolders]
	}
	entries, err := s.identify(ctx, folder, l, below)
	for _, e := range entries {
		body.Folders = append(body.Folders, crumb{e.Name, here + "?to=" + string(e.ID)})
	}
	return body, err
}
