package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// What lies beside a document, for the script of its host page: a copy that was just made
// of it, and pictures to put into it.

const (
	maxPictures = 500 // folders and pictures that are shown of one folder
	pictureLife = access.FileURLLife
)

// pictures are the kinds that every editor takes.
var pictures = []string{"png", "jpg", "jpeg", "gif", "bmp", "svg", "webp"}

// errBeside: there is no such file beside the document for this person.
var errBeside = fmt.Errorf("web: nothing of that name lies there: %w", idmap.ErrNotFound)

// serveBeside is GET /edit/{id}/beside?name=NAME: the host page of a file beside the
// document, to which an editor went on after saving under another name.
func (s *site) serveBeside(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	var to dav.Path
	if err == nil {
		if to, err = at.Entry.Path.Parent().Join(r.URL.Query().Get("name")); err != nil {
			err = fmt.Errorf("%w: name: %w", ErrRequest, err)
		}
	}
	if err == nil && s.allows(session.Principal, at.Upstream.Name, string(to)) < access.View {
		err = errBeside
	}
	var beside place
	if err == nil {
		beside, err = s.at(r.Context(), session.Principal, at.Upstream, to)
	}
	if err == nil && beside.Entry.Kind != idmap.File {
		err = errBeside
	}
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, map[string]string{"page": s.path("edit", string(beside.Entry.ID))})
}

// pictureFolder is a folder as the picker of pictures shows it.
type pictureFolder struct {
	Name     string        `json:"name"`
	Up       string        `json:"up"` // ID of the folder above, "" not shown
	Folders  []pictureItem `json:"folders"`
	Pictures []pictureItem `json:"pictures"`
	Cut      bool          `json:"cut"` // there are more
}

type pictureItem struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// servePictures is GET /edit/{id}/pictures?in=FOLDER: what there is to put into the
// document, first from its own folder.
func (s *site) servePictures(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	out, err := s.pictures(r, session.Principal)
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, out)
}

func (s *site) pictures(r *http.Request, who oauth.Principal) (pictureFolder, error) {
	ctx := r.Context()
	out := pictureFolder{Folders: []pictureItem{}, Pictures: []pictureItem{}}
	folder, err := s.pictureFolder(r, who)
	if err != nil {
		return out, err
	}
	if out.Name = folder.Entry.Name; folder.Entry.Path.IsRoot() {
		out.Name = s.upstreamName(folder.Upstream.Name)
	} else if s.allows(who, folder.Upstream.Name, string(folder.Entry.Path.Parent())) >= access.View {
		above, err := s.IDs.KnownAt(ctx, folder.Entry.Space, folder.Entry.Path.Parent())
		if err == nil {
			out.Up = string(above.ID)
		} else if !errors.Is(err, idmap.ErrNotFound) && !errors.Is(err, idmap.ErrMissing) {
			return out, err
		}
	}
	l, release, err := s.list(ctx, folder)
	defer release()
	if err != nil {
		return out, &placeError{folder.Upstream, folder.Entry.Name, err}
	}
	var some []*member
	for i := range l.members {
		m := &l.members[i]
		if !strings.HasPrefix(m.name(), ".") && (m.folder || slices.Contains(pictures, extension(m.name()))) {
			some = append(some, m)
		}
	}
	order(some, "name", false)
	if out.Cut = !l.whole || len(some) > maxPictures; len(some) > maxPictures {
		some = some[:maxPictures]
	}
	entries, err := s.identify(ctx, folder, l, some)
	if err != nil {
		return out, err
	}
	for i, e := range entries {
		item := pictureItem{string(e.ID), e.Name, some[i].size}
		switch {
		case s.allows(who, folder.Upstream.Name, string(e.Path)) < access.View:
		case some[i].folder:
			out.Folders = append(out.Folders, item)
		default:
			out.Pictures = append(out.Pictures, item)
		}
	}
	return out, nil
}

// pictureFolder is the folder that was asked for, or that of the document.
func (s *site) pictureFolder(r *http.Request, who oauth.Principal) (place, error) {
	ctx := r.Context()
	id := idmap.FileID(r.URL.Query().Get("in"))
	if id == "" {
		at, err := s.locate(ctx, who, idmap.FileID(mux.Vars(r)["id"]))
		if err != nil {
			return place{}, err
		}
		parent := at.Entry.Path.Parent()
		if s.allows(who, at.Upstream.Name, string(parent)) < access.View {
			return place{}, errBeside
		}
		folder, err := s.at(ctx, who, at.Upstream, parent)
		return folder, err
	}
	id, err := idmap.ParseFileID(string(id))
	if err != nil {
		return place{}, fmt.Errorf("%w: in: %w", ErrRequest, err)
	}
	folder, err := s.locate(ctx, who, id)
	if err == nil && folder.Entry.Kind != idmap.Container {
		err = errBeside
	}
	return folder, err
}

// servePicture is POST /edit/{id}/picture: an address at which the editor's server fetches
// a picture, for a few minutes. It takes what [site.serveRenew] takes, and the picture.
func (s *site) servePicture(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	address, err := s.picture(w, r, session)
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, map[string]string{"url": address})
}

func (s *site) picture(w http.ResponseWriter, r *http.Request, session oauth.Session) (string, error) {
	var asked struct {
		hostAsks
		Picture string `json:"picture"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return "", fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if err := s.check(asked.hostAsks, session); err != nil {
		return "", err
	}
	id, err := idmap.ParseFileID(asked.Picture)
	if err != nil {
		return "", fmt.Errorf("%w: picture: %w", ErrRequest, err)
	}
	at, err := s.locate(r.Context(), session.Principal, id)
	if err != nil {
		return "", err
	}
	if at.Entry.Kind != idmap.File || !slices.Contains(pictures, extension(at.Entry.Name)) {
		return "", errBeside
	}
	o := s.bound(opening{Place: at, Who: session.Principal, Session: session.ID})
	if end := time.Now().Add(pictureLife); o.Until.IsZero() || end.Before(o.Until) {
		o.Until = end
	}
	_, g, err := s.grant(r.Context(), o, access.View, asked.Editor)
	if err != nil {
		return "", err
	}
	token, err := s.Tokens.DeriveFileURL(r.Context(), g, at.Entry.Revision.Number)
	if err != nil {
		return "", err
	}
	return endpoint.WithToken(s.URLs.FileURL(id), token), nil
}
