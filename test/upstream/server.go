package upstream

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"davwopi/davbackend"
)

// Who may use the servers.
const (
	userName     = "ann"
	userPassword = "se cret%1"
)

// A Server is a running WebDAV server over Dir; t.Cleanup stops it.
type Server struct {
	Name     string
	URL      string // of the collection that is Dir, with a trailing slash
	User     string // "" no authentication
	Password string
	Dir      string // the folder behind it, for changes behind the bridge's back
	Profile  davbackend.Profile
	Quirks   *Quirks  // of Strict only
	Program  *Program // of real servers only

	// SetClock gives Strict and Embedded another clock, after which their locks
	// expire.
	SetClock func(func() time.Time)

	transport http.RoundTripper // of Embedded

	owner func(path string) // gives a file made by the test to the server's user
	users string            // file of passwords, of Apache
	log   requestLog
	// Of Strict:
	discover bool          // its clients look for the account's root themselves
	prefix   string        // decoded URL path of the collection, no slash at its end
	inner    http.Handler  // the server without quirks and authentication
	stopped  chan struct{} // closed when the test ends
	*memory
}

// Client returns a client with the server's profile. Its connections are closed when
// the test ends.
func (s *Server) Client(t testing.TB) *davbackend.Client {
	t.Helper()
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &davbackend.Client{Base: base, Assumed: s.Profile, Discover: s.discover, Transport: s.transport}
	t.Cleanup(c.CloseIdle)
	return c
}

// View returns a client's view as User.
func (s *Server) View(t testing.TB) *davbackend.View {
	t.Helper()
	return s.Client(t).As(s.Credential())
}

// Credential is User's.
func (s *Server) Credential() davbackend.Credential {
	if s.User == "" {
		return davbackend.Credential{}
	}
	return davbackend.Credential{Kind: "password", User: s.User, Secret: s.Password}
}

// Write makes or replaces a file behind the server's back, with the folders it is in.
// name is relative to Dir.
func (s *Server) Write(t testing.TB, name, content string) {
	t.Helper()
	path := filepath.Join(s.Dir, filepath.FromSlash(name))
	for dir := filepath.Dir(path); len(dir) > len(s.Dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		defer s.own(dir)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	s.own(path)
}

func (s *Server) own(path string) {
	if s.owner != nil {
		s.owner(path)
	}
}

// Read returns the contents of a file on the disk; false if it is not there.
func (s *Server) Read(t testing.TB, name string) (string, bool) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, filepath.FromSlash(name)))
	if os.IsNotExist(err) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b), true
}

// A Request is one line of Strict's log.
type Request struct {
	Method string
	Path   string // decoded, below the server's root
	Header http.Header
	Chunks bool  // the body came without a length
	Bytes  int64 // of the body that were read
	Status int   // 0: the connection was cut
}

type requestLog struct {
	mu   sync.Mutex
	list []Request // guarded by mu
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, r)
}

// Requests returns what has come since the start or since Forget, 401s included.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return append([]Request(nil), s.log.list...)
}

// Forget empties the log.
func (s *Server) Forget() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.list = nil
}

// Count says how often a method has come.
func (s *Server) Count(method string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Method == method {
			n++
		}
	}
	return n
}
