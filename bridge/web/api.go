package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// maxAPI bounds the body of an API request.
const maxAPI = 64 << 10

// serveOpen is POST /api/v1/open: {path, user, mode, editor, upstream, passback, context} with an API
// key in Authorization: Bearer, answered with [Opened].
func (s *site) serveOpen(w http.ResponseWriter, r *http.Request) {
	if s.Keys == nil {
		s.refuseJSON(w, r, access.ErrToken)
		return
	}
	scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		presented = ""
	}
	key, err := s.Keys.Check(r.Context(), strings.TrimSpace(presented))
	if err != nil {
		s.refusedDeed(r, Deed{What: "api_key", API: true, Err: err}, access.ErrToken)
		s.refuseJSON(w, r, err)
		return
	}
	var q struct {
		Path     string `json:"path"`
		User     string `json:"user"`
		Mode     string `json:"mode"`
		Editor   string `json:"editor"`
		Upstream string `json:"upstream"`
		Passback string `json:"passback"`
		Context  string `json:"context"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAPI))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		s.refuseJSON(w, r, fmt.Errorf("%w: the body must be a JSON object with path, user, mode, editor, upstream, passback, context: %w", ErrRequest, err))
		return
	}
	out, err := s.Open(r.Context(), OpenRequest{
		Path: q.Path, User: q.User, Mode: q.Mode, Editor: q.Editor, Upstream: q.Upstream, Passback: q.Passback, Context: q.Context, Key: &key,
	})
	s.deed(r, Deed{What: "api_key", API: true, ID: key.Name, Tried: q.User, Name: q.Path, Err: err})
	if err != nil {
		s.refuseJSON(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, out)
}

// refusals is the table from errors to what programs are told: the first that the
// error wraps decides. own sends the error's text too, which such errors are made
// for.
var refusals = []struct {
	err     error
	status  int
	code    string
	message string
	own     bool
}{
	{ErrRequest, http.StatusBadRequest, "bad_request", "", true},
	{access.ErrNotAllowed, http.StatusForbidden, "not_allowed", "", true},
	{access.ErrToken, http.StatusUnauthorized, "bad_key", "the API key is missing or unknown", false},
	{access.ErrShareOver, http.StatusGone, "link_over", "the link has ended", false},
	{access.ErrShare, http.StatusGone, "link_over", "the link has ended", false},
	{errGuest, http.StatusGone, "link_over", "this browser has not opened the link", false},
	{oauth.ErrNoSession, http.StatusUnauthorized, "signed_out", "sign in again", false},
	{errOther, http.StatusForbidden, "other_person", "somebody else is signed in now", false},
	{access.ErrNeedsSignIn, http.StatusConflict, "needs_sign_in", "the upstream wants this person's own password, and none is kept: the person has to sign in once", false},
	{access.ErrUpstream, http.StatusNotFound, "no_upstream", "there is no upstream of that name", false},
	{idmap.ErrNotFound, http.StatusNotFound, "not_found", "there is no such file for this person", false},
	{idmap.ErrMissing, http.StatusNotFound, "not_found", "there is no such file for this person", false},
	{dav.ErrNotFound, http.StatusNotFound, "not_found", "there is no such file for this person", false},
	{dav.ErrDenied, http.StatusForbidden, "denied", "the upstream denies access", false},
	{dav.ErrUnauthorized, http.StatusBadGateway, "upstream_refused", "the upstream refused the credential", false},
	{dav.ErrUnavailable, http.StatusServiceUnavailable, "upstream_down", "the upstream does not answer", false},
	{discovery.ErrDown, http.StatusServiceUnavailable, "editor_down", "the editor does not answer", false},
	{discovery.ErrNoEditor, http.StatusConflict, "no_editor", "that editor cannot open this kind of file", false},
}

// refuseJSON answers a script or a program with {"error", "message"}.
func (s *site) refuseJSON(w http.ResponseWriter, r *http.Request, err error) {
	status, code, message := http.StatusInternalServerError, "internal", "something went wrong; the log says more"
	for _, row := range refusals {
		if errors.Is(err, row.err) {
			status, code, message = row.status, row.code, row.message
			if row.own {
				_, message, _ = strings.Cut(err.Error(), ": ") // without the room's name
			}
			break
		}
	}
	s.note(r, status, err)
	if status == http.StatusUnauthorized && code == "bad_key" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="davwopi"`)
	}
	answerJSON(w, status, map[string]string{"error": code, "message": message})
}

// answerJSON writes v, which always can be JSON.
func answerJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the status is out; a broken connection has nobody to tell
}
