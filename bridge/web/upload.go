package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// What is done with a file that comes under a name which is taken.
const (
	askFirst = "ask"     // say so, and do nothing
	keepBoth = "both"    // the new one gets a name near to it
	replace  = "replace" // the old one gets the new contents, and keeps its ID
	skip     = "skip"
)

const (
	maxFormFiles = 1000     // of one form
	maxFormField = 16 << 10 // bytes of what is no file in it
)

// maxUpload is the size of the largest file that can be uploaded, in bytes.
func (s *site) maxUpload() int64 {
	if s.Saves == nil {
		return 0
	}
	return s.Saves.MaxBytes
}

// An uploaded is what became of one file.
type uploaded struct {
	Name     string // as it is called now, or as it came
	Old      string // as it came, if that is another name
	Href     string // "" it is not there
	Replaced bool
	Skipped  bool
	Error    words.Text // nil: none
	id       idmap.FileID
}

// A takenError says that something has the name already.
type takenError struct {
	name string
	at   dav.Resource
}

func (e *takenError) Error() string { return "web: the name is taken" }
func (e *takenError) Unwrap() error { return dav.ErrExists }

// receive makes a file of a body in folder. choice says what happens if the name is
// taken; the error is a *takenError if it is askFirst, and if replace meets a folder.
func (s *site) receive(ctx context.Context, who oauth.Principal, folder place, name, choice string, body io.Reader, size int64) (uploaded, error) {
	out := uploaded{Name: name}
	path, err := folder.Entry.Path.Join(name)
	if err != nil {
		return out, err
	}
	if !s.mayName(who, folder, name) {
		return out, &placeError{folder.Upstream, name, dav.ErrDenied}
	}
	if choice != keepBoth {
		there, err := folder.View.Stat(ctx, path)
		switch {
		case errors.Is(err, dav.ErrNotFound):
		case err != nil:
			return out, &placeError{folder.Upstream, name, err}
		case choice == skip:
			out.Skipped = true
			return out, nil
		case choice == replace && !there.Collection:
			return s.replaceWith(ctx, who, folder, there, body, size)
		default:
			return out, &takenError{name, there}
		}
	}
	var made idmap.Entry
	// A name that was taken this moment is nobody's fault: both are kept then.
	err = s.making(ctx, who, folder, func() (err error) {
		made, err = s.Saves.Create(ctx, s.into(who, folder), s.free(who, folder, name), body, size)
		return err
	})
	if err != nil {
		return out, err
	}
	if made.Name != name {
		out.Name, out.Old = made.Name, name
	}
	out.id, out.Href = made.ID, s.hrefOf(ctx, made)
	return out, nil
}

// replaceWith gives a file that nobody has open new contents.
func (s *site) replaceWith(ctx context.Context, who oauth.Principal, folder place, there dav.Resource, body io.Reader, size int64) (uploaded, error) {
	out := uploaded{Name: there.Path.Base(), Replaced: true}
	entry, err := s.IDs.See(ctx, folder.Entry.Space, there, folder.View)
	if err != nil {
		return out, err
	}
	at := place{folder.Upstream, folder.View, entry, there, allowed(folder.View, there, s.allows(who, folder.Upstream.Name, string(there.Path)))}
	if at.Rights < access.Edit {
		return out, &placeError{folder.Upstream, entry.Name, dav.ErrDenied}
	}
	// A document that somebody has open, be it on a desktop, is not replaced under their hands.
	id, err := s.Locks.Get(ctx, s.target(who, at), actor(who))
	if err == nil && id != "" {
		state, stateErr := s.Locks.State(ctx, entry.ID)
		err = errors.Join(stateErr, &locks.MismatchError{Current: id, Holder: state.Holder.Name, Reason: "the file is being edited"})
	}
	if err != nil {
		return out, err
	}
	out.id, out.Href = entry.ID, s.hrefOf(ctx, entry)
	_, err = s.Saves.Overwrite(ctx, s.target(who, at), actor(who), body, size)
	return out, err
}

// hrefOf is where a file opens.
func (s *site) hrefOf(ctx context.Context, e idmap.Entry) string {
	s.ownEditor(ctx)
	return s.row(e, &member{text: e.Name, size: e.Revision.Size}, access.Edit).Href
}

// uploadBody is the page on which files are chosen without script.
type uploadBody struct {
	Folder string
	Limit  int64
	Action string
	Files  []uploaded // what became of those that were sent
	Error  words.Text
	Back   step
}

// serveUpload is GET /folder/{id}/upload, which asks for files, and POST, which takes a
// form with any number of them, one after the other as they come.
func (s *site) serveUpload(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who := session.Principal
	folder, err := s.folderHere(r, who)
	if err == nil && s.Saves == nil {
		err = idmap.ErrNotFound
	}
	if err != nil {
		s.fail(w, r, who, err)
		return
	}
	body := uploadBody{
		Folder: s.folderName(folder), Limit: s.maxUpload(), Action: s.path("folder", string(folder.Entry.ID), "upload"),
		Back: step{words.Say("step.folder"), s.path("folder", string(folder.Entry.ID))},
	}
	title := words.Say("upload.title")
	if r.Method != http.MethodPost {
		s.show(w, r, http.StatusOK, "upload", title, who, policy{}, body)
		return
	}
	if body.Files, err = s.formFiles(r, who, folder); err != nil {
		s.failBadForm(w, r, err)
		return
	}
	done := change{user: who.UserID(), kind: didUpload, upstream: folder.Upstream.Name, space: folder.Entry.Space}
	whole := true
	for _, f := range body.Files {
		if whole = whole && f.Error == nil && !f.Skipped && f.Old == ""; f.Error == nil && !f.Skipped {
			done.count, done.file, done.name = done.count+1, f.id, f.Name
		}
	}
	switch {
	case len(body.Files) == 0:
		body.Error = words.Say("upload.none")
		s.show(w, r, http.StatusUnprocessableEntity, "upload", title, who, policy{}, body)
	case whole:
		s.did(w, r, folder.Entry.ID, done)
	default: // each has a line of its own
		s.show(w, r, http.StatusOK, "upload", title, who, policy{}, body)
	}
}

// formFiles takes the files of a form. Its fields come in the form's order, so that the
// choice is known before the first file.
func (s *site) formFiles(r *http.Request, who oauth.Principal, folder place) ([]uploaded, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, fmt.Errorf("web: a form that is none: %w", errors.Join(err, ErrRequest))
	}
	form, err := r.MultipartReader()
	if err != nil {
		return nil, fmt.Errorf("web: form: %w", err)
	}
	var out []uploaded
	choice := keepBoth
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("web: form: %w", err)
		}
		switch part.FormName() {
		case "taken":
			b, err := io.ReadAll(io.LimitReader(part, maxFormField))
			if err != nil {
				return out, fmt.Errorf("web: form: %w", err)
			}
			if c := string(b); c == replace || c == skip {
				choice = c
			}
		case "files":
			if part.FileName() == "" {
				continue // nothing was chosen
			}
			if len(out) == maxFormFiles {
				return out, fmt.Errorf("web: more than %d files: %w", maxFormFiles, ErrRequest)
			}
			out = append(out, s.formFile(r, who, folder, choice, part))
		}
	}
}

// formFile takes one.
func (s *site) formFile(r *http.Request, who oauth.Principal, folder place, choice string, part *multipart.Part) uploaded {
	came := part.FileName() // without folders, says mime/multipart
	name := repaired(came)
	out, err := s.receive(r.Context(), who, folder, name, choice, part, -1)
	if err != nil {
		at := folder
		at.Entry.Name, at.Entry.Kind = name, idmap.File
		s.Log(r, err)
		out.Error = s.uploadFault(r.Context(), at, err)
		return out
	}
	if name != came && out.Old == "" {
		out.Old = came
	}
	return out
}

// uploadFault says in one sentence why a file was not taken.
func (s *site) uploadFault(ctx context.Context, at place, err error) words.Text {
	var taken *takenError
	var mismatch *locks.MismatchError
	switch {
	case errors.As(err, &taken):
		return words.Say("upload.folder_there")
	case errors.As(err, &mismatch):
		holder := strings.TrimSuffix(mismatch.Holder, " via davwopi")
		if holder == "" {
			return words.Say("upload.held_somehow")
		}
		return words.Say("upload.held", "name", holder)
	case errors.Is(err, dav.ErrIncomplete):
		return words.Say("upload.broken")
	}
	t := s.changeTrouble(ctx, at, "make", err)
	if t.Title == nil {
		return words.Say("part.sign_in")
	}
	return words.Say("part.why", "title", t.Title)
}
