package docsapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/saves"
	"davwopi/idmap"
)

// The uses of tokens for bytes that hang on no document key.
const (
	aboutBytes   = "bytes"
	aboutVersion = "version " // and the journal's entry
)

// idOf is the file that an address names, by its ID or by a document key.
func idOf(r *http.Request) idmap.FileID {
	if key := mux.Vars(r)["key"]; key != "" {
		id, _ := fileOf(key) // "" for what is none of ours
		return id
	}
	return idmap.FileID(mux.Vars(r)["id"])
}

// giving serves addresses of bytes. give answers, and says as whom and how.
func (d *Docs) giving(what string, give func(http.ResponseWriter, *http.Request) (access.Grant, int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		g, status, err := give(w, r)
		d.hear(r, what, begun, g, idOf(r), status, err)
		if errors.Is(err, errBroken) {
			panic(http.ErrAbortHandler) // or half a file would look like a whole one
		}
	}
}

// checkGet demands the token of a document server's GET: it must name the very address
// that we have given out.
func (s *Server) checkGet(r *http.Request, address string) error {
	claims, err := s.Secret.Open(s.bearer(r), s.now())
	if err != nil {
		return err
	}
	var of struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal(unwrap(claims), &of); err != nil || of.URL != address {
		return fmt.Errorf("%w: it is for another address", ErrToken)
	}
	return nil
}

// download is GET /docsapi/download/{key}: the bytes behind a document key.
func (d *Docs) download(w http.ResponseWriter, r *http.Request) (g access.Grant, status int, err error) {
	ctx, key, token := r.Context(), mux.Vars(r)["key"], r.URL.Query().Get("t")
	refuse := func(err error) (access.Grant, int, error) { return g, refuseGet(w, err), err }
	s, err := d.session(ctx, key)
	if err != nil {
		return refuse(err)
	}
	server, err := d.server(s.editor)
	if err != nil {
		return refuse(err)
	}
	if err := d.CheckNetwork(s.editor, r.RemoteAddr); err != nil {
		return refuse(err)
	}
	if err := server.checkGet(r, d.address(token, "download", key)); err != nil {
		return refuse(err)
	}
	if g, err = d.Tokens.OpenDocs(ctx, token, access.DocsDownload, s.file, key); err != nil {
		return refuse(err)
	}
	q, err := d.reach(ctx, g, looking)
	if err != nil {
		return refuse(err)
	}
	content, err := d.Contents(ctx, q)
	if err != nil {
		return refuse(err)
	}
	defer content.Close()
	file := content.Target.File
	ok, err := d.loadedAs(ctx, s, file.Revision.Number)
	if err == nil && !ok {
		err = fmt.Errorf("docsapi: the file has changed since its key was made: %w", idmap.ErrNotFound)
	}
	if err == nil && q.Rights >= access.Edit {
		err = d.Locks.Read(ctx, s.file, q.Actor, file.Revision.Number)
	}
	if err != nil {
		return refuse(err)
	}
	status, err = pour(w, r, content, content.Size, file.Name)
	return g, status, err
}

// bytes is GET /docsapi/bytes/{id}: a file that is converted, or put into a document.
func (d *Docs) bytes(w http.ResponseWriter, r *http.Request) (g access.Grant, status int, err error) {
	ctx, id := r.Context(), idOf(r)
	refuse := func(err error) (access.Grant, int, error) { return g, refuseGet(w, err), err }
	if g, err = d.openGet(r, aboutBytes, id, "bytes", string(id)); err != nil {
		return refuse(err)
	}
	q, err := d.reach(ctx, g, looking)
	if err != nil {
		return refuse(err)
	}
	content, err := d.Contents(ctx, q)
	if err != nil {
		return refuse(err)
	}
	defer content.Close()
	status, err = pour(w, r, content, content.Size, content.Target.File.Name)
	return g, status, err
}

// openGet opens the grant of an address for bytes and demands its editor's token.
func (d *Docs) openGet(r *http.Request, about string, id idmap.FileID, parts ...string) (access.Grant, error) {
	token := r.URL.Query().Get("t")
	g, err := d.Tokens.OpenDocs(r.Context(), token, access.DocsDownload, id, about)
	if err != nil {
		return g, err
	}
	if err := d.CheckNetwork(g.Editor, r.RemoteAddr); err != nil {
		return g, err
	}
	server, err := d.server(g.Editor)
	if err != nil {
		return g, err
	}
	return g, server.checkGet(r, d.address(token, parts...))
}

// version is GET /docsapi/version/{id}/{entry}: what a save has replaced.
func (d *Docs) version(w http.ResponseWriter, r *http.Request) (g access.Grant, status int, err error) {
	ctx, id, entry := r.Context(), idOf(r), mux.Vars(r)["entry"]
	refuse := func(err error) (access.Grant, int, error) { return g, refuseGet(w, err), err }
	if g, err = d.openGet(r, aboutVersion+entry, id, "version", string(id), entry); err != nil {
		return refuse(err)
	}
	q, err := d.reach(ctx, g, looking)
	if err != nil {
		return refuse(err)
	}
	if _, err := d.Seen(ctx, q); err != nil { // its own look: who sees the file may see what it was
		return refuse(err)
	}
	of, err := d.Saves.Entry(ctx, entry)
	if err == nil && (of.File != id || of.State != "preimage") {
		err = saves.ErrNoEntry
	}
	if err != nil {
		return refuse(err)
	}
	body, of, err := d.Saves.Open(ctx, entry)
	if err != nil {
		return refuse(err)
	}
	defer body.Close()
	status, err = pour(w, r, body, of.Size, of.Name)
	return g, status, err
}

var errBroken = errors.New("docsapi: answer broken off")

// refuseGet answers a GET that is refused, and returns its status.
func refuseGet(w http.ResponseWriter, err error) int {
	status := endpoint.Refusal(err).Status
	switch {
	case errors.Is(err, ErrToken), errors.Is(err, endpoint.ErrNetwork):
		status = http.StatusForbidden
	case errors.Is(err, saves.ErrNoEntry):
		status = http.StatusNotFound
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
	return status
}

// pour sends bytes that users wrote, or the one range of them that is asked for. Several
// ranges, and those that make no sense, are answered with the whole (RFC 9110, section 14.2).
func pour(w http.ResponseWriter, r *http.Request, body io.Reader, size int64, name string) (int, error) {
	h := w.Header()
	endpoint.FileBytes(h, name)
	h.Set("Accept-Ranges", "bytes")
	from, to, some := rangeOf(r.Header.Get("Range"), size)
	status, length := http.StatusOK, size
	switch {
	case some && from >= size:
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return http.StatusRequestedRangeNotSatisfiable, nil
	case some:
		status, length = http.StatusPartialContent, to-from+1
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	}
	if length >= 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return status, nil
	}
	if some {
		if _, err := io.CopyN(io.Discard, body, from); err != nil {
			h.Del("Content-Range")
			h.Del("Content-Length")
			return refuseGet(w, err), err
		}
		body = io.LimitReader(body, length)
	}
	w.WriteHeader(status)
	if n, err := io.Copy(w, body); err != nil {
		return status, fmt.Errorf("%w after %d bytes: %w", errBroken, n, err)
	}
	return status, nil
}

// rangeOf reads a Range header with one range of bytes; from is size or more for one that
// lies beyond the end.
func rangeOf(header string, size int64) (from, to int64, ok bool) {
	set, found := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(set), "-")
	if !found || !dash || size < 0 || strings.Contains(set, ",") {
		return 0, 0, false
	}
	if first == "" { // the last so many
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return 0, 0, false
		}
		if n == 0 || size == 0 {
			return size, size, true
		}
		return max(size-n, 0), size - 1, true
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return 0, 0, false
	}
	to = size - 1
	if last != "" {
		end, err := strconv.ParseInt(last, 10, 64)
		if err != nil || end < from {
			return 0, 0, false
		}
		to = min(end, size-1)
	}
	return from, to, true
}
