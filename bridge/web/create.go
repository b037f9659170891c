package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// maxTemplates is how many of a folder of templates are offered.
const maxTemplates = 100

// newFolder is the kind of a new folder, beside the extensions of blankFormats.
const newFolder = "folder"

// A blankKind is something new that can be made.
type blankKind struct {
	Value    string // of the form's field "kind"
	Kind     string // icon
	Name     words.Text
	Ext      string // "" a folder
	Editable bool   // an editor is there for it
	Template bool   // one of the people's own
}

// newBody is the page on which something new is made.
type newBody struct {
	Folder string
	Kinds  []blankKind
	Own    []blankKind // templates of the upstream
	Chosen string
	Name   string
	Error  words.Text
	Action string
	Back   step
}

// newKinds are what can be made: what an editor is there for, or all if none is, since
// files can be made for programs too.
func (s *site) newKinds(ctx context.Context) []blankKind {
	s.ownEditor(ctx)
	kinds := []blankKind{{Value: newFolder, Kind: "folder", Name: words.Say("kind.folder"), Editable: true}}
	office := false
	for _, ext := range blankFormats {
		_, edit := s.Editors.Can(ext)
		kinds = append(kinds, blankKind{Value: ext, Kind: kindOf(ext), Name: words.Say("new." + ext), Ext: ext, Editable: edit})
		office = office || edit && ext != "txt"
	}
	if !office {
		return kinds
	}
	return slices.DeleteFunc(kinds, func(k blankKind) bool { return !k.Editable })
}

// templates are the files in the upstream's folder of templates, as this person sees them.
// What cannot be listed is not offered.
func (s *site) templates(ctx context.Context, who oauth.Principal, folder place) []blankKind {
	from, l, err := s.templatesOf(ctx, who, folder)
	if err != nil {
		return nil
	}
	var out []blankKind
	var all []*member
	for _, m := range s.visible(who, from, l, false, new(folderBody)) {
		if !m.folder {
			all = append(all, m)
		}
	}
	order(all, "name", false)
	for _, m := range all[:min(len(all), maxTemplates)] {
		ext := extension(m.name())
		_, edit := s.Editors.Can(ext)
		out = append(out, blankKind{Value: "/" + m.name(), Kind: kindOf(ext), Name: words.Plain(m.name()), Ext: ext, Editable: edit, Template: true})
	}
	return out
}

func (s *site) templatesOf(ctx context.Context, who oauth.Principal, folder place) (place, listing, error) {
	if folder.Upstream.Templates == "" || s.visit != nil {
		return place{}, listing{}, idmap.ErrNotFound
	}
	from, err := s.Pages.at(ctx, who, folder.Upstream, folder.Upstream.Templates)
	if err != nil || from.Entry.Kind != idmap.Container {
		return from, listing{}, errors.Join(err, idmap.ErrNotFound)
	}
	l, err := read(ctx, from, func() error { return errTurn }) // a big one holds no templates
	return from, l, err
}

// serveNew is GET /folder/{id}/new, which asks what to make, and POST, which makes it.
func (s *site) serveNew(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who, ctx := session.Principal, r.Context()
	folder, err := s.folderHere(r, who)
	if err != nil {
		s.fail(w, r, who, err)
		return
	}
	body := newBody{
		Folder: s.folderName(folder), Kinds: s.newKinds(ctx), Own: s.templates(ctx, who, folder), Chosen: r.URL.Query().Get("kind"),
		Action: s.path("folder", string(folder.Entry.ID), "new"), Back: step{words.Say("step.folder"), s.path("folder", string(folder.Entry.ID))},
	}
	if r.Method == http.MethodPost {
		if !s.formOf(w, r) {
			return
		}
		body.Chosen, body.Name = r.PostForm.Get("kind"), typed(r, "name")
	}
	kinds := slices.Concat(body.Kinds, body.Own)
	at := slices.IndexFunc(kinds, func(k blankKind) bool { return k.Value == body.Chosen })
	if at < 0 {
		at, body.Chosen = min(1, len(kinds)-1), kinds[min(1, len(kinds)-1)].Value
	}
	if r.Method != http.MethodPost {
		s.show(w, r, http.StatusOK, "new", words.Say("new.title"), who, policy{}, body)
		return
	}
	s.make(w, r, session, folder, kinds[at], body)
}

// make makes what was asked for, and goes on to it.
func (s *site) make(w http.ResponseWriter, r *http.Request, session oauth.Session, folder place, kind blankKind, body newBody) {
	who, ctx := session.Principal, r.Context()
	name := body.Name
	if kind.Ext != "" && name != "" && !strings.EqualFold(extension(name), kind.Ext) {
		name += "." + kind.Ext
	}
	if body.Error = nameFault(name); body.Error == nil && !s.mayName(who, folder, name) {
		body.Error = words.Say("name.may_not")
	}
	status := http.StatusUnprocessableEntity
	var made idmap.Entry
	var err error
	if body.Error == nil {
		if kind.Value == newFolder {
			made, err = s.makeFolder(ctx, who, folder, name)
		} else {
			made, err = s.makeFile(ctx, who, folder, kind, name)
		}
		switch {
		case errors.Is(err, dav.ErrExists):
			status, body.Error = http.StatusConflict, words.Say("name.taken")
		case errors.Is(err, dav.ErrBadName), errors.Is(err, dav.ErrBadPath):
			body.Error = words.Say("bad_name.words", "name", s.upstreamName(folder.Upstream.Name))
		}
	}
	switch {
	case body.Error != nil:
		s.show(w, r, status, "new", words.Say("new.title"), who, policy{}, body)
	case err != nil:
		s.failChange(w, r, who, folder, "make", err)
	case kind.Value != newFolder && kind.Editable:
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, s.path("edit", string(made.ID)), http.StatusSeeOther)
	default:
		s.did(w, r, folder.Entry.ID, change{user: who.UserID(), kind: didMake, upstream: folder.Upstream.Name, space: made.Space, file: made.ID, name: made.Name})
	}
}

// makeFolder makes a folder in another, where nothing of that name is.
func (s *site) makeFolder(ctx context.Context, who oauth.Principal, folder place, name string) (idmap.Entry, error) {
	var made locks.Target
	err := s.making(ctx, who, folder, func() (err error) {
		made, err = s.Locks.Mkcol(ctx, s.target(who, folder), name)
		return err
	})
	return made.File, err
}

// makeFile makes a file from an empty document or a template of the upstream.
func (s *site) makeFile(ctx context.Context, who oauth.Principal, folder place, kind blankKind, name string) (idmap.Entry, error) {
	body, size, err := s.blankBody(ctx, who, folder, kind)
	if err != nil {
		return idmap.Entry{}, err
	}
	defer body.Close()
	once := func(attempt int) (string, bool) { return name, attempt == 0 }
	var made idmap.Entry
	err = s.making(ctx, who, folder, func() (err error) {
		made, err = s.Saves.Create(ctx, s.into(who, folder), once, body, size)
		return err
	})
	return made, err
}

func (s *site) blankBody(ctx context.Context, who oauth.Principal, folder place, kind blankKind) (io.ReadCloser, int64, error) {
	if !kind.Template {
		b, err := blank(kind.Ext)
		return io.NopCloser(bytes.NewReader(b)), int64(len(b)), err
	}
	from, err := folder.Upstream.Templates.Join(strings.TrimPrefix(kind.Value, "/"))
	if err != nil {
		return nil, 0, err
	}
	if s.Rules.Allows(who, folder.Upstream.Name, string(from)) < access.View {
		return nil, 0, idmap.ErrNotFound
	}
	content, err := folder.View.Get(ctx, from, 0, -1)
	if err != nil {
		return nil, 0, &placeError{folder.Upstream, kind.Value, err}
	}
	return content, content.Size, nil
}
