package docsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Docs is the Docs API of the house. The exported fields are set before [New] and not
// changed after; what New returns may be used concurrently.
type Docs struct {
	*endpoint.Endpoint
	DB      *sqldb.DB
	Servers map[string]*Server // by the editor's configured URL
	// Restored hears who has put an old version of a document back, and what came of it. Nil:
	// nobody does.
	Restored func(r *http.Request, g access.Grant, entry string, err error)
	// OnError hears what failed where nobody waits for an answer. Nil: nobody does.
	OnError func(what string, err error)

	turns   *turns
	working *sync.WaitGroup // what goes on after an answer
	poke    chan struct{}   // a save was forgotten just now: look soon
	probes  *probes
	pauses  *pauses
}

// New brings the tables up to date and returns a room that can be used.
func New(ctx context.Context, d Docs) (*Docs, error) {
	if d.Endpoint == nil || d.DB == nil {
		return nil, errors.New("docsapi: Endpoint and DB must be set")
	}
	if d.OnError == nil {
		d.OnError = func(string, error) {}
	}
	if err := d.DB.Migrate(ctx, "docs", migrations); err != nil {
		return nil, fmt.Errorf("docsapi: %w", err)
	}
	d.turns = &turns{held: make(map[string]chan struct{})}
	d.working = new(sync.WaitGroup)
	d.pauses = new(pauses)
	d.probes = &probes{waiting: make(map[string]*arrived)}
	d.poke = make(chan struct{}, 1)
	return &d, nil
}

// Mount adds the addresses of document servers and of pages to r.
func (d *Docs) Mount(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) {
		r.Methods(http.MethodGet, http.MethodHead).Path("/docsapi/" + path).Handler(h)
	}
	get("download/{key}", d.giving("Download", d.download))
	get("bytes/{id}", d.giving("Bytes", d.bytes))
	get("version/{id}/{entry}", d.giving("Version", d.version))
	get("probe/{number}", d.serveProbe)
	r.Methods(http.MethodPost).Path("/docsapi/callback/{key}").HandlerFunc(d.serveCallback)
	r.Methods(http.MethodPost).Path("/docsapi/page/{key}/{ask}").HandlerFunc(d.servePage)
	r.Methods(http.MethodPost).Path("/docsapi/convert/{id}").HandlerFunc(d.serveConvert)
	r.Methods(http.MethodPost).Path("/docsapi/converted/{id}/{to}").HandlerFunc(d.giving("Converted", d.converted))
}

// server is the document server of an editor; [ErrDown] if it is configured no more.
func (d *Docs) server(editor string) (*Server, error) {
	if s := d.Servers[editor]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w: it is not configured (any more)", ErrDown)
}

// address is one below /docsapi/ that document servers use, with its token.
func (d *Docs) address(token string, parts ...string) string {
	return d.URLs.WOPI.JoinPath(append([]string{"docsapi"}, parts...)...).String() + "?t=" + token
}

// editing and looking are what is demanded of those who come by a callback, and of others.
var (
	editing = endpoint.Entry{Edit: true, Denied: http.StatusForbidden, Sleeper: true}
	looking = endpoint.Entry{}
)

// reach is the request of g's person at the document, who works in ONLYOFFICE whether
// its server could be asked already or not.
func (d *Docs) reach(ctx context.Context, g access.Grant, as endpoint.Entry) (*endpoint.Request, error) {
	q, err := d.Reach(ctx, g, as)
	q.Actor.Office = wopi.OnlyOffice
	return q, err
}

// turns lets the callbacks of one key come one after the other.
type turns struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the turn is over; guarded by mu
}

// take waits for a turn and returns how to end it.
func (t *turns) take(ctx context.Context, key string) (end func(), err error) {
	for {
		t.mu.Lock()
		before := t.held[key]
		if before == nil {
			mine := make(chan struct{})
			t.held[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.held, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// bearer is the token in a request's header.
func (s *Server) bearer(r *http.Request) string {
	name := s.Header
	if name == "" {
		name = "Authorization"
	}
	value := strings.TrimSpace(r.Header.Get(name))
	if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest)
	}
	return value
}

// hear logs a request, once, as the files endpoint does.
func (d *Docs) hear(r *http.Request, what string, begun time.Time, g access.Grant, id idmap.FileID, status int, err error) {
	line := endpoint.Line{
		Operation: wopi.Operation("Docs" + what), File: id, Editor: g.Editor, Status: status, Duration: time.Since(begun), Err: err,
	}
	if g.ID != "" {
		line.UserID, line.Name = g.Principal.UserID(), g.Principal.Name
	}
	d.Log(r.Context(), line)
}

// readJSON reads a bounded body.
func readJSON(r *http.Request, most int64, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return fmt.Errorf("docsapi: %w: %w", wopi.ErrMalformed, err)
	}
	if int64(len(body)) > most {
		return fmt.Errorf("docsapi: %w: a body of more than %d bytes", wopi.ErrMalformed, most)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("docsapi: %w: not JSON", wopi.ErrMalformed)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":1}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text) // who went away needs no answer
}
