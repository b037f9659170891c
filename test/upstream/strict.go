package upstream

import (
	"bytes"
	"context"
	"crypto/subtle"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/localdav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// prefix is the URL path of Strict.
const prefix = "/dav"

// Strict is the embedded server behind HTTP with Basic authentication and switches.
func Strict(t testing.TB) *Server {
	t.Helper()
	s, local := strict(t, prefix)
	s.inner = http.StripPrefix(s.prefix, local)
	web := httptest.NewUnstartedServer(http.HandlerFunc(s.handle))
	web.Config.ConnState = s.connection
	web.Start()
	t.Cleanup(func() { close(s.stopped); web.Close() })
	s.URL = web.URL + s.prefix + "/"
	return s
}

// connection counts the open connections, and closes those that are too many.
func (s *Server) connection(c net.Conn, state http.ConnState) {
	most := s.Quirks.now().AtOnce
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.open[c] = true
		if s.most = max(s.most, len(s.open)); most > 0 && len(s.open) > most {
			s.turned++
			_ = c.Close() // that is the answer
		}
	case http.StateClosed, http.StateHijacked:
		delete(s.open, c)
	}
}

// Connections returns how many connections were open at once at most, and how many
// were closed for being too many.
func (s *Server) Connections() (most, turned int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most, s.turned
}

// strict is a Server below at, a decoded path, without its inner handler and its URL.
func strict(t testing.TB, at string) (*Server, *localdav.Server) {
	t.Helper()
	s, local := embedded(t)
	s.Name, s.User, s.Password, s.prefix = "strict", userName, userPassword, at
	s.Quirks, s.stopped = &Quirks{mu: new(sync.Mutex)}, make(chan struct{})
	s.memory = newMemory()
	local.Prefix = at
	return s, local
}

// Embedded is the embedded server in process, as the product runs it when no upstream
// is configured: no socket, no authentication, no switches.
func Embedded(t testing.TB) *Server {
	t.Helper()
	s, local := embedded(t)
	s.Name, s.URL, s.transport = "embedded", "http://embedded/", local.RoundTripper()
	return s
}

func embedded(t testing.TB) (*Server, *localdav.Server) {
	t.Helper()
	dir := t.TempDir()
	db := sqldbtest.Prepared(t, "localdav", func(db *sqldb.DB) error {
		_, err := localdav.OpenIdentities(context.Background(), db)
		return err
	})
	local, err := localdav.Open(dir, db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := local.Close(); err != nil {
			t.Errorf("close the embedded server: %v", err)
		}
	})
	return &Server{Dir: dir, Profile: davbackend.Embedded, SetClock: db.SetClock}, local
}

// handle logs, authenticates and lets quirks and faults happen.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	entry := Request{Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, s.prefix), Header: r.Header.Clone(), Chunks: r.ContentLength < 0}
	body := &countedBody{ReadCloser: r.Body}
	r.Body = body
	seen := &statusWriter{ResponseWriter: w}
	defer func() {
		entry.Bytes, entry.Status = body.n, seen.status
		s.log.add(entry)
	}()
	q := s.Quirks.now()
	if !allowed(q, r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="dav", charset="UTF-8"`)
		refuse(q, seen, http.StatusUnauthorized)
		return
	}
	if q.Answer != nil {
		if h := q.Answer(r); h != nil {
			h.ServeHTTP(seen, r)
			return
		}
	}
	if f := s.Quirks.take(r.Method, path.Base(r.URL.Path)); f != nil {
		s.happen(f, q, seen, r)
		return
	}
	s.serve(q, seen, r)
}

func allowed(q Quirks, r *http.Request) bool {
	name, given, ok := r.BasicAuth()
	want, known := q.users[name]
	if name == userName {
		want, known = userPassword, true
	}
	return ok && known && subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

// look asks the server without quirks about a resource.
func (s *Server) look(p dav.Path) seen {
	r := s.plain("PROPFIND", p)
	r.Header.Set("Depth", "0")
	body := dav.PropfindBody([]dav.PropName{dav.PropResourceType, dav.PropContentLength, dav.PropETag, dav.PropLastModified,
		dav.PropLockDiscovery, dav.PropResourceID})
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	s.inner.ServeHTTP(rec, r)
	var out seen
	_ = dav.DecodeMultistatus(rec.Body, dav.Limits{}, func(resp dav.Response) error { // an error is "not found"
		res, err := resp.Resource(s.base())
		if err == nil && resp.Status < 300 {
			out = seen{found: true, Resource: res}
		}
		return nil
	})
	return out
}

// seen is what look found.
type seen struct {
	dav.Resource
	found bool
}

// plain returns a request to the server behind the quirks.
func (s *Server) plain(method string, p dav.Path) *http.Request {
	r := httptest.NewRequest(method, (&url.URL{Path: s.prefix}).EscapedPath()+p.Escaped(), nil)
	if u, err := url.Parse(s.URL); err == nil {
		r.Host = u.Host
	}
	return r
}

func (s *Server) pathOf(urlPath string) dav.Path {
	p, err := dav.ParsePath(strings.TrimPrefix(urlPath, s.prefix))
	if err != nil {
		return dav.Root // the server will refuse it
	}
	return p
}

// destination returns where MOVE and COPY go.
func (s *Server) destination(r *http.Request) (dav.Path, bool) {
	p, err := dav.ParseHref(r.Header.Get("Destination"), s.base())
	return p, err == nil
}

// DropLocks releases every lock on the file at p, as a restart of a server with its
// locks in memory does.
func (s *Server) DropLocks(t testing.TB, p dav.Path) {
	t.Helper()
	for _, l := range s.look(p).Locks {
		s.release(p, l.Token)
	}
	if left := s.look(p).Locks; len(left) > 0 {
		t.Fatalf("locks stay on %s: %v", p, left)
	}
}

func (s *Server) release(p dav.Path, token dav.LockToken) {
	r := s.plain("UNLOCK", p)
	r.Header.Set("Lock-Token", "<"+string(token)+">")
	s.inner.ServeHTTP(httptest.NewRecorder(), r)
}

type countedBody struct {
	io.ReadCloser
	n int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
