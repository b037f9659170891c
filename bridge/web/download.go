package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/saves"
	"davwopi/idmap"
	"davwopi/oauth"
)

// bytesOf are the bytes of a file on their way to a browser.
type bytesOf struct {
	io.ReadCloser
	name     string
	size     int64 // -1 unknown
	modified time.Time
}

// serveDownload is GET /download/{id}: the bytes, as an attachment whatever they
// are; those of a save that waits for the upstream, if one does. They are streamed; a
// body that breaks off on the upstream breaks off here, short of its Content-Length, so
// that browsers see that it is not whole.
func (s *site) serveDownload(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	from, err := s.openBytes(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	if err != nil {
		s.failDownload(w, r, session.Principal, err)
		return
	}
	s.send(w, r, from)
}

// send answers with the bytes, and closes them.
func (s *site) send(w http.ResponseWriter, r *http.Request, from bytesOf) {
	defer from.Close()
	endpoint.FileBytes(w.Header(), from.name)
	if from.size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(from.size, 10))
	}
	if !from.modified.IsZero() {
		w.Header().Set("Last-Modified", from.modified.UTC().Format(http.TimeFormat))
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if n, err := io.Copy(w, from); err != nil && r.Context().Err() == nil {
		s.Log(r, fmt.Errorf("web: download broke off after %d bytes: %w", n, err))
		panic(http.ErrAbortHandler) // the way of net/http to break off an answer
	}
}

// openBytes opens what a file is for this person now.
func (s *site) openBytes(ctx context.Context, who oauth.Principal, id idmap.FileID) (bytesOf, error) {
	at, err := s.locate(ctx, who, id)
	if err == nil && at.Entry.Kind != idmap.File {
		err = idmap.ErrNotFound
	}
	var waiting *saves.Waiting
	switch {
	case err != nil:
		var showErr error
		if waiting, at, showErr = s.shownWaiting(ctx, who, id, err); showErr != nil || waiting == nil {
			return bytesOf{}, errors.Join(err, showErr)
		}
	case s.Saves != nil:
		s.Saves.Saw(id, who.UserID())
		if waiting, err = s.Saves.Waiting(ctx, id); err != nil {
			return bytesOf{}, err
		}
	}
	if waiting != nil {
		body, err := s.Saves.OpenWaiting(ctx, waiting)
		if err == nil {
			return bytesOf{body, at.Entry.Name, waiting.Revision.Size, savedAt(waiting)}, nil
		}
		if !errors.Is(err, saves.ErrNoEntry) || at.View == nil {
			return bytesOf{}, err
		}
		// It has arrived just now.
	}
	content, err := at.View.Get(ctx, at.Entry.Path, 0, -1)
	if err != nil {
		return bytesOf{}, &placeError{at.Upstream, at.Entry.Name, err}
	}
	return bytesOf{content, at.Entry.Name, content.Size, content.Modified}, nil
}

// failDownload is fail without the page that looks again: it would fetch the file to
// see whether it is there, and then stay, because a download leads nowhere.
func (s *site) failDownload(w http.ResponseWriter, r *http.Request, who oauth.Principal, err error) {
	t := s.trouble(err)
	t.Again = nil
	s.answer(w, r, who, t, err)
}
