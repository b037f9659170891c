package docsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// The statuses of a callback (reference/wopi.md 16.4).
const (
	statusNotFound       = 0
	statusEditing        = 1
	statusMustSave       = 2
	statusCorrupted      = 3
	statusClosed         = 4
	statusMailMerge      = 5
	statusForceSave      = 6
	statusCorruptedForce = 7
)

// maxCallback bounds the body of a callback, in bytes: twice a history of changes.
const maxCallback = 8 << 20

// A told is what a callback says, out of its token.
type told struct {
	Key         string      `json:"key"`
	Status      *int        `json:"status"`
	URL         string      `json:"url"`
	FileType    string      `json:"filetype"`
	Users       []string    `json:"users"`
	LastSave    string      `json:"lastsave"`
	NotModified bool        `json:"notmodified"`
	Issued      json.Number `json:"iat"`
	Token       string      `json:"token"`
}

var errDisagree = fmt.Errorf("%w: what is said beside the token is something else", ErrToken)

// hearTold reads a callback: out of the token in the body, or else in the header. Each
// that is there must be good, and all that is said must be the same, or it is believed
// in nothing.
func (s *Server) hearTold(r *http.Request) (told, error) {
	var plain told
	if err := readJSON(r, maxCallback, &plain); err != nil {
		return told{}, err
	}
	var heard []told
	for _, token := range []string{plain.Token, s.bearer(r)} {
		if token == "" {
			continue
		}
		claims, err := s.Secret.Open(token, s.now())
		if err != nil {
			return told{}, err
		}
		var t told
		if err := json.Unmarshal(unwrap(claims), &t); err != nil {
			return told{}, fmt.Errorf("%w: its claims are no callback", ErrToken)
		}
		var outer told
		if t.Issued == "" && json.Unmarshal(claims, &outer) == nil {
			t.Issued = outer.Issued // a header's is beside the payload
		}
		heard = append(heard, t)
	}
	if len(heard) == 0 {
		return told{}, fmt.Errorf("%w: there is none", ErrToken)
	}
	for _, other := range append(heard[1:], plain) {
		if !heard[0].agrees(other) {
			return told{}, errDisagree
		}
	}
	if heard[0].Status == nil {
		return told{}, fmt.Errorf("%w: no status", ErrToken)
	}
	return heard[0], nil
}

// agrees reports whether other says the same of what anything depends on. What other does not say
// it does not contradict: a document server cuts long tokens.
func (t told) agrees(other told) bool {
	same := func(a, b string) bool { return b == "" || a == b }
	return same(t.Key, other.Key) && same(t.URL, other.URL) && same(t.FileType, other.FileType) && same(t.LastSave, other.LastSave) &&
		(other.Status == nil || t.Status != nil && *t.Status == *other.Status)
}

// when is the time of the last change, in ms, by which saves of one key are told apart; 0
// it is not said.
func (t told) when() int64 {
	if at, err := time.Parse(time.RFC3339Nano, t.LastSave); err == nil {
		return at.UnixMilli()
	}
	return 0
}

// serveCallback is POST /docsapi/callback/{key}: what a document server tells.
func (d *Docs) serveCallback(w http.ResponseWriter, r *http.Request) {
	begun, key := time.Now(), mux.Vars(r)["key"]
	what, g, err := d.callback(r, key)
	id, _ := fileOf(key) // "" for what is none of ours
	status, number := http.StatusOK, 0
	if err != nil {
		status, number = callbackStatus(err), 1
	}
	writeJSON(w, status, map[string]int{"error": number})
	d.hear(r, "Callback"+what, begun, g, id, status, err)
}

// callbackStatus is what a document server is answered with besides {"error":1}. It tries
// again after a 503; everything else is the end of its trying.
func callbackStatus(err error) int {
	var mismatch *locks.MismatchError
	var kept *saves.KeptError
	switch {
	case errors.Is(err, ErrToken), errors.Is(err, ErrForeign), errors.Is(err, endpoint.ErrNetwork):
		return http.StatusForbidden
	case errors.Is(err, access.ErrToken), errors.Is(err, access.ErrExpired):
		return http.StatusUnauthorized
	case errors.Is(err, wopi.ErrMalformed):
		return http.StatusBadRequest
	case errors.As(err, &mismatch), errors.Is(err, dav.ErrFull), errors.Is(err, dav.ErrTooLarge), errors.Is(err, dav.ErrDenied):
		return http.StatusOK
	case errors.As(err, &kept), errors.Is(err, ErrDown), errors.Is(err, saves.ErrNoRoom):
		return http.StatusServiceUnavailable
	}
	refusal := endpoint.Refusal(err)
	if refusal.Status == http.StatusInternalServerError {
		return http.StatusServiceUnavailable
	}
	return refusal.Status
}

func (d *Docs) callback(r *http.Request, key string) (what string, g access.Grant, err error) {
	ctx := r.Context()
	s, err := d.session(ctx, key)
	if err != nil {
		return "", g, err
	}
	server, err := d.server(s.editor)
	if err != nil {
		return "", g, err
	}
	if err := d.CheckNetwork(s.editor, r.RemoteAddr); err != nil {
		return "", g, err
	}
	t, err := server.hearTold(r)
	if err != nil {
		return "", g, err
	}
	if t.Key != key {
		return "", g, fmt.Errorf("%w: it is about another key", ErrToken)
	}
	what = strconv.Itoa(*t.Status)
	g, err = d.Tokens.OpenDocs(ctx, r.URL.Query().Get("t"), access.DocsCallback, s.file, key)
	if err != nil {
		return what, g, err
	}
	// From here on it is carried out, whether anybody still waits for the answer or not:
	// half a save is of no use to anybody.
	ctx = context.WithoutCancel(ctx)
	end, err := d.turns.take(ctx, key)
	if err != nil {
		return what, g, err
	}
	defer end()
	if s, err = d.session(ctx, key); err != nil { // it may have changed while we waited
		return what, g, err
	}
	return what, g, d.carryOut(ctx, server, s, g, t)
}

// carryOut does what the status of a callback wants.
func (d *Docs) carryOut(ctx context.Context, server *Server, s *session, g access.Grant, t told) error {
	switch *t.Status {
	case statusEditing, statusClosed, statusMustSave, statusCorrupted, statusForceSave:
	case statusCorruptedForce:
		d.OnError("docs: a forced save failed on the document server", errCorrupted)
		return nil
	default: // 0 not found, 5 mail merge, and what comes after us
		return nil
	}
	q, err := d.reach(ctx, g, editing)
	if err != nil && *t.Status != statusClosed {
		return err
	}
	switch *t.Status {
	case statusEditing:
		return d.presence(ctx, server, s, q, t.Users)
	case statusClosed:
		return d.left(ctx, s, q)
	case statusCorrupted:
		return d.recovered(ctx, server, s, q, t)
	}
	return d.save(ctx, server, s, q, source{
		url: t.URL, fileType: t.FileType, at: t.when(), final: *t.Status == statusMustSave,
	})
}

var errCorrupted = errors.New("docsapi: the document server could not make a document of what was typed")

// presence is status 1: somebody has come or gone, or we have asked.
func (d *Docs) presence(ctx context.Context, server *Server, s *session, q *endpoint.Request, users []string) error {
	if len(users) == 0 {
		return nil // an answer about a document that nobody has open
	}
	if s.state == closed {
		d.drop(server, s.key)
		return fmt.Errorf("docsapi: the session of this key is over: %w", errOver)
	}
	if err := d.hold(ctx, s, q); err != nil {
		var mismatch *locks.MismatchError
		if errors.As(err, &mismatch) {
			d.drop(server, s.key, q.Grant.Principal.UserID())
		}
		return err
	}
	text, err := json.Marshal(bounded(users))
	if err != nil {
		return fmt.Errorf("docsapi: users: %w", err)
	}
	if err := d.set(ctx, s, live, `users = ?`, string(text)); err != nil {
		return err
	}
	return d.remember(ctx, s, q)
}

var errOver = &locks.MismatchError{Reason: "this version of the document has been saved and closed; open it again"}

// bounded keeps a list of user IDs within reason.
func bounded(users []string) []string {
	const most, longest = 500, 128
	out := make([]string, 0, min(len(users), most))
	for _, u := range users {
		if len(out) < most && len(u) <= longest {
			out = append(out, u)
		}
	}
	return out
}

// remember notes q's person, as whom a save that comes late is delivered.
func (d *Docs) remember(ctx context.Context, s *session, q *endpoint.Request) error {
	pinned, err := d.Upstreams.Pin(ctx, q.Grant.Upstream, q.Grant.Principal)
	if err != nil {
		d.OnError("docs: sealing a credential", err) // only what comes late suffers
	}
	return d.joined(ctx, s, q.Grant, pinned)
}

// left is status 4: the last one has gone and changed nothing. The key stays good for
// the same contents.
func (d *Docs) left(ctx context.Context, s *session, q *endpoint.Request) error {
	if err := d.release(ctx, s, q); err != nil {
		return err
	}
	return d.set(ctx, s, issued, `users = '[]'`)
}

// drop turns users of a key into viewers, after the answer that is just being made.
func (d *Docs) drop(server *Server, key string, users ...string) {
	d.working.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askFor)
		defer cancel()
		if err := server.Drop(ctx, key, users...); err != nil {
			d.OnError("docs: turning somebody into a viewer", err)
		}
	})
}

// hold sees to it that the file is locked with the session's key.
func (d *Docs) hold(ctx context.Context, s *session, q *endpoint.Request) error {
	id := wopi.LockID(s.key)
	t, err := d.Known(ctx, q)
	if err != nil {
		return err
	}
	now, err := d.DB.Now(ctx)
	if err != nil {
		return err
	}
	state, err := d.Locks.State(ctx, s.file)
	if err != nil {
		return err
	}
	if state.Lock.Held(now) && state.Lock.ID == id {
		return d.Locks.Refresh(ctx, t, q.Actor, id)
	}
	return d.takeLock(ctx, s, q)
}

// takeLock locks the file for the session. What it was delivered is the base of the
// editing that begins, however long ago that was.
func (d *Docs) takeLock(ctx context.Context, s *session, q *endpoint.Request) error {
	const tries = 3
	for n := 1; ; n++ {
		t, _, err := d.SeenOrWaiting(ctx, q)
		if err != nil {
			return err
		}
		if err := d.Locks.Read(ctx, s.file, q.Actor, s.base); err != nil {
			return err
		}
		err = d.Locks.Lock(ctx, t, q.Actor, wopi.LockID(s.key))
		if !errors.Is(err, dav.ErrNotFound) || n == tries {
			return err
		}
	}
}

// release gives the lock of the session back, if it has it. q is nil for nobody in
// particular.
func (d *Docs) release(ctx context.Context, s *session, q *endpoint.Request) error {
	state, err := d.Locks.State(ctx, s.file)
	if err != nil {
		return err
	}
	if state.Lock.ID != wopi.LockID(s.key) {
		return nil
	}
	if q == nil || q.Known.ID == "" {
		return d.Locks.Release(ctx, s.file)
	}
	t, err := d.Known(ctx, q)
	if err != nil {
		return d.Locks.Release(ctx, s.file)
	}
	err = d.Locks.Unlock(ctx, t, q.Actor, wopi.LockID(s.key))
	var mismatch *locks.MismatchError
	if errors.As(err, &mismatch) {
		return nil // it has just run out, or gone to somebody else
	}
	return err
}
