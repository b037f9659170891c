package web

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"davwopi/bridge/endpoint"
	"davwopi/idmap"
	"davwopi/oauth"
)

// serveDownload is GET /download/{id}: the bytes, as an attachment whatever they
// are. They are streamed; a body that breaks off on the upstream breaks off here,
// short of its Content-Length, so that browsers see that it is not whole.
func (s *site) serveDownload(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	if err == nil && at.Entry.Kind != idmap.File {
		err = idmap.ErrNotFound
	}
	if err != nil {
		s.failDownload(w, r, session.Principal, err)
		return
	}
	content, err := at.View.Get(r.Context(), at.Entry.Path, 0, -1)
	if err != nil {
		s.failDownload(w, r, session.Principal, &placeError{at.Upstream, at.Entry.Name, err})
		return
	}
	defer content.Close()
	endpoint.FileBytes(w.Header(), at.Entry.Name)
	if content.Size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(content.Size, 10))
	}
	if !content.Modified.IsZero() {
		w.Header().Set("Last-Modified", content.Modified.UTC().Format(http.TimeFormat))
	}
	w.WriteHeader(http.StatusOK)
	if n, err := io.Copy(w, content); err != nil && r.Context().Err() == nil {
		s.Log(r, fmt.Errorf("web: download broke off after %d bytes: %w", n, err))
		panic(http.ErrAbortHandler) // the way of net/http to break off an answer
	}
}

// failDownload is fail without the page that looks again: it would fetch the file to
// see whether it is there, and then stay, because a download leads nowhere.
func (s *site) failDownload(w http.ResponseWriter, r *http.Request, who oauth.Principal, err error) {
	t := s.trouble(err)
	t.Again = ""
	s.answer(w, r, who, t, err)
}
