package upstream

import (
	"net"
	"sync"
	"sync/atomic"

	"davwopi/davbackend/dav"
)

// A memory is what the quirks remember from one request to the next.
type memory struct {
	mu      sync.Mutex                      // guards all but hangs
	outside map[dav.LockToken]dav.LockToken // the server's own tokens -> what is shown
	inside  map[dav.LockToken]dav.LockToken // the other way round
	says    map[dav.LockToken]string        // own token -> reported timeout
	tags    map[dav.ETag]dav.ETag           // own tag of a copy -> shown tag of its source
	ids     map[string]string               // resource-id -> native ID
	nulls   map[dav.Path]bool               // locked, and without contents
	puts    map[dav.Path]*keptBody          // under way over a file
	open    map[net.Conn]bool
	most    int // connections at once
	turned  int // connections that were too many
	hangs   atomic.Int32
}

func newMemory() *memory {
	return &memory{
		outside: map[dav.LockToken]dav.LockToken{}, inside: map[dav.LockToken]dav.LockToken{}, says: map[dav.LockToken]string{},
		tags: map[dav.ETag]dav.ETag{}, ids: map[string]string{}, nulls: map[dav.Path]bool{}, puts: map[dav.Path]*keptBody{},
		open: map[net.Conn]bool{},
	}
}

// setWriting says that a PUT over the file at p is under way; nil: not any more.
func (s *Server) setWriting(p dav.Path, body *keptBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if body == nil {
		delete(s.puts, p)
	} else {
		s.puts[p] = body
	}
}

func (s *Server) writing(p dav.Path) *keptBody {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts[p]
}

func (s *Server) setNull(p dav.Path, null bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if null {
		s.nulls[p] = true
	} else {
		delete(s.nulls, p)
	}
}

func (s *Server) isNull(p dav.Path) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nulls[p]
}

// setCopied makes tag, which the server behind gave to a copy, stand for as.
func (s *Server) setCopied(tag, as dav.ETag) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tags[tag] = as
}

func (s *Server) copied(tag dav.ETag) dav.ETag {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tags[tag]
}

// giveID makes the resource behind have another native ID outside.
func (s *Server) giveID(own, as string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[own] = as
}

// nativeID is the native ID of a resource.
func (s *Server) nativeID(own string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if as := s.ids[own]; as != "" {
		return as
	}
	return own
}

// sayTimeout is what is reported of a lock; now is what LOCK has just to say of it.
func (s *Server) sayTimeout(q Quirks, own dav.LockToken, now, truth string) string {
	if q.LockSays != "" {
		return q.LockSays
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now != "" {
		s.says[own] = now
	}
	if said := s.says[own]; said != "" {
		return said
	}
	return truth
}

// Hangs counts the requests that would have made lighttpd hang for ever.
func (s *Server) Hangs() int { return int(s.hangs.Load()) }
