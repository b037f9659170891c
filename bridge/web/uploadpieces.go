package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// uploadPiece is how many bytes a browser sends in one request: what a broken connection
// costs at most, and what a reverse proxy has to let pass.
const uploadPiece = 8 << 20

// The protocol of the page's script. A file begins with POST /folder/{id}/uploads, comes
// by PATCH /upload/{upload}?at=BYTE, and is made by POST /upload/{upload}. GET tells how
// far it has come, DELETE ends it.

// uploadAnswer is what the script is told.
type uploadAnswer struct {
	Upload string `json:"upload,omitempty"` // ID
	At     int64  `json:"at"`               // bytes that are here
	Size   int64  `json:"size"`
	Piece  int64  `json:"piece,omitempty"` // bytes of one request
	Name   string `json:"name,omitempty"`  // as it is called, or is going to be
	Href   string `json:"href,omitempty"`  // of what was made
	ID     string `json:"id,omitempty"`
	Old    string `json:"old,omitempty"`     // another name that it came with
	Done   string `json:"done,omitempty"`    // "made", "replaced", "skipped"
	Taken  string `json:"taken,omitempty"`   // "file" or "folder": what has the name
	Error  string `json:"error,omitempty"`   // a word for the script
	Words  string `json:"message,omitempty"` // for the person
}

// signedInScript is signedIn for the page's script, which no sign-in page helps.
func (s *site) signedInScript(next personal) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, err := s.session(r)
		if err != nil {
			s.refuseJSON(w, r, err)
			return
		}
		next(w, r, session)
	}
}

// serveBegin is POST /folder/{id}/uploads: {"name", "size", "taken"}.
func (s *site) serveBegin(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who := session.Principal
	var asked struct {
		Name  string `json:"name"`
		Size  int64  `json:"size"`
		Taken string `json:"taken"` // what is done if the name is
	}
	folder, err := s.askedIn(w, r, who, &asked)
	if err != nil {
		s.refuseUpload(w, r, folder, err)
		return
	}
	name := repaired(asked.Name)
	path, err := folder.Entry.Path.Join(name)
	if err == nil && !s.mayName(who, folder, name) {
		err = &placeError{folder.Upstream, name, dav.ErrDenied}
	}
	if err == nil && asked.Taken != keepBoth {
		var there dav.Resource
		switch there, err = folder.View.Stat(r.Context(), path); {
		case errors.Is(err, dav.ErrNotFound):
			err = nil
		case err != nil:
			err = &placeError{folder.Upstream, name, err}
		case asked.Taken != replace || there.Collection:
			err = &takenError{name, there}
		}
	}
	var in saves.Incoming
	if err == nil {
		in, err = s.Saves.Begin(r.Context(), saves.Incoming{User: who.UserID(), Name: name, In: folder.Entry.ID, Size: asked.Size})
	}
	if err != nil {
		folder.Entry.Name, folder.Entry.Kind = name, idmap.File
		s.refuseUpload(w, r, folder, err)
		return
	}
	answerJSON(w, http.StatusCreated, uploadAnswer{Upload: in.ID, Size: in.Size, Piece: uploadPiece, Name: name})
}

// askedIn reads the JSON of a request about the folder in its address.
func (s *site) askedIn(w http.ResponseWriter, r *http.Request, who oauth.Principal, asked any) (place, error) {
	folder, err := s.folderHere(r, who)
	if err != nil {
		return folder, err
	}
	if s.Saves == nil {
		return folder, idmap.ErrNotFound
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm)).Decode(asked); err != nil {
		return folder, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return folder, nil
}

// serveMakeFolder is POST /folder/{id}/folders: {"name"}, for folders that are uploaded
// as a whole. One that is there already will do.
func (s *site) serveMakeFolder(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who, ctx := session.Principal, r.Context()
	var asked struct {
		Name string `json:"name"`
	}
	folder, err := s.askedIn(w, r, who, &asked)
	var made idmap.Entry
	if err == nil {
		name := repaired(asked.Name)
		if !s.mayName(who, folder, name) {
			err = &placeError{folder.Upstream, name, dav.ErrDenied}
		} else if made, err = s.makeFolder(ctx, who, folder, name); errors.Is(err, dav.ErrExists) {
			var at place
			path, joinErr := folder.Entry.Path.Join(name)
			if at, err = s.Pages.at(ctx, who, folder.Upstream, path); joinErr != nil || err == nil && at.Entry.Kind != idmap.Container {
				err = &takenError{name, at.Seen}
			}
			made = at.Entry
		}
	}
	if err != nil {
		s.refuseUpload(w, r, folder, err)
		return
	}
	answerJSON(w, http.StatusOK, uploadAnswer{ID: string(made.ID), Name: made.Name})
}

// serveUploading is GET /upload/{upload}: how far it has come.
func (s *site) serveUploading(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	in, err := s.incoming(r, session.Principal)
	if err != nil {
		s.refuseUpload(w, r, place{}, err)
		return
	}
	answerJSON(w, http.StatusOK, uploadAnswer{Upload: in.ID, At: in.Have, Size: in.Size, Piece: uploadPiece, Name: in.Name})
}

func (s *site) incoming(r *http.Request, who oauth.Principal) (saves.Incoming, error) {
	if s.Saves == nil {
		return saves.Incoming{}, saves.ErrNoEntry
	}
	return s.Saves.Incoming(r.Context(), mux.Vars(r)["upload"], who.UserID())
}

// servePiece is PATCH /upload/{upload}?at=BYTE: the next bytes.
func (s *site) servePiece(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	in, err := s.incoming(r, session.Principal)
	var at int64
	if err == nil {
		if at, err = strconv.ParseInt(r.URL.Query().Get("at"), 10, 64); err != nil {
			err = fmt.Errorf("%w: at: %w", ErrRequest, err)
		}
	}
	have := in.Have
	if err == nil {
		have, err = s.Saves.Append(r.Context(), in.ID, in.User, at, r.Body, r.ContentLength)
	}
	if errors.Is(err, dav.ErrChanged) {
		s.note(r, http.StatusConflict, err)
		answerJSON(w, http.StatusConflict, uploadAnswer{Upload: in.ID, At: have, Size: in.Size, Error: "elsewhere"})
		return
	}
	if err != nil {
		s.refuseUpload(w, r, place{}, err)
		return
	}
	answerJSON(w, http.StatusOK, uploadAnswer{Upload: in.ID, At: have, Size: in.Size})
}

// serveFinish is POST /upload/{upload}: {"taken"}. The file is made, in the folder for
// which it was begun.
func (s *site) serveFinish(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who, ctx := session.Principal, r.Context()
	var asked struct {
		Taken string `json:"taken"`
	}
	in, err := s.incoming(r, who)
	var folder place
	if err == nil {
		if err = json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm)).Decode(&asked); err != nil {
			err = fmt.Errorf("%w: %w", ErrRequest, err)
		}
	}
	if err == nil {
		folder, err = s.folderHere(mux.SetURLVars(r, map[string]string{"id": string(in.In)}), who)
	}
	var out uploaded
	if err == nil {
		out, err = s.finish(r, who, folder, in, asked.Taken)
	}
	if err != nil {
		folder.Entry.Name, folder.Entry.Kind = in.Name, idmap.File
		s.refuseUpload(w, r, folder, err)
		return
	}
	done := "made"
	if out.Skipped {
		done = "skipped"
		if err := s.Saves.Abandon(ctx, in.ID, in.User); err != nil {
			s.Log(r, err) // it ends by itself
		}
	} else if out.Replaced {
		done = "replaced"
	}
	answerJSON(w, http.StatusOK, uploadAnswer{Name: out.Name, Old: out.Old, Href: out.Href, ID: string(out.id), At: in.Size, Size: in.Size, Done: done})
}

func (s *site) finish(r *http.Request, who oauth.Principal, folder place, in saves.Incoming, choice string) (uploaded, error) {
	body, size, err := s.Saves.Whole(r.Context(), in.ID, in.User)
	if err != nil {
		return uploaded{}, err
	}
	defer body.Close()
	return s.receive(r.Context(), who, folder, in.Name, choice, body, size)
}

// serveCancel is DELETE /upload/{upload}.
func (s *site) serveCancel(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	in, err := s.incoming(r, session.Principal)
	if err == nil {
		err = s.Saves.Abandon(r.Context(), in.ID, in.User)
	}
	if err != nil {
		s.refuseUpload(w, r, place{}, err)
		return
	}
	answerJSON(w, http.StatusOK, uploadAnswer{Upload: in.ID})
}

// refuseUpload tells the script in a word, and the person in a sentence of theirs.
func (s *site) refuseUpload(w http.ResponseWriter, r *http.Request, at place, err error) {
	var taken *takenError
	var mismatch *locks.MismatchError
	answer := uploadAnswer{Error: "failed"}
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, &taken):
		status, answer.Error, answer.Name, answer.Taken = http.StatusConflict, "taken", taken.name, "file"
		if taken.at.Collection {
			answer.Taken = newFolder
		}
	case errors.As(err, &mismatch):
		status, answer.Error = http.StatusConflict, "held"
	case errors.Is(err, saves.ErrNoEntry):
		status, answer.Error = http.StatusNotFound, "over"
	case errors.Is(err, saves.ErrInUse), errors.Is(err, locks.ErrBusy):
		status, answer.Error = http.StatusConflict, "busy"
	case errors.Is(err, dav.ErrIncomplete):
		status, answer.Error = http.StatusBadRequest, "short"
	case errors.Is(err, ErrRequest), errors.Is(err, dav.ErrBadPath):
		status = http.StatusBadRequest
	default:
		if t := s.changeTrouble(r.Context(), at, "make", err); t.Status != 0 {
			status = t.Status
		} else if t.signIn != "" {
			status, answer.Error = http.StatusUnauthorized, "signed_out"
		}
	}
	s.note(r, status, err)
	answer.Words = words.For(r).Text(s.uploadFault(r.Context(), at, err))
	answerJSON(w, status, answer)
}
