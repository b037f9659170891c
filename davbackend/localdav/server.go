package localdav

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"davwopi/idmap/sqldb"
)

// A Server serves one folder. Its exported fields are set before the first request;
// after that everything may be called concurrently.
type Server struct {
	// Prefix is the URL path that http.StripPrefix takes away in front of the
	// server, "" for none. It has no trailing slash. Hrefs, Destination and If
	// contain it.
	Prefix string

	// MaxSize is the largest file in bytes that PUT accepts, more is 413; 0 no limit.
	MaxSize int64

	tree   *tree
	state  *state
	gate   gate
	temps  temps
	short  shortLocks
	stamp  atomic.Int64 // the last mtime given out, ns since 1970
	closed atomic.Bool
}

// Open serves the folder dir, which must exist. Locks, resource ids and dead
// properties are kept in db (migrations of room "localdav"), which the caller closes after
// the Server. What a crash has left half done is settled first: hidden files are
// removed, renames that happened are recorded.
func Open(dir string, db *sqldb.DB) (*Server, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("localdav: opening the folder: %w", err)
	}
	ctx := context.Background()
	s := &Server{gate: newGate()}
	s.short.names = map[string]string{}
	err = func() error {
		if s.tree, err = newTree(root); err != nil {
			return err
		}
		if s.state, err = openState(ctx, db, s.tree.self); err != nil {
			return err
		}
		if err := s.settleAll(ctx); err != nil {
			return err
		}
		return s.temps.open(ctx, s.tree, s.state)
	}()
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("localdav: opening the folder: %w", err)
	}
	return s, nil
}

// Close waits for a change that is being made and ends the server. Requests that
// come later are answered with 503.
func (s *Server) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	ctx := context.Background()
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	if err := s.tree.root.Close(); err != nil {
		return fmt.Errorf("localdav: closing the folder: %w", err)
	}
	return nil
}

// ServeHTTP serves WebDAV (RFC 4918 classes 1, 2 and 3) for paths below "/".
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.serve(w, r, nil); err != nil {
		s.refuse(w, r, err)
	}
}

func (s *Server) serve(w http.ResponseWriter, hr *http.Request, extra Extra) error {
	if s.closed.Load() {
		return refusal(http.StatusServiceUnavailable, errors.New("localdav: closed"))
	}
	if hr.Method == http.MethodOptions && hr.URL.Path == "*" {
		return s.options(w, nil)
	}
	r, err := s.read(hr)
	if err != nil {
		return err
	}
	switch r.Method {
	case http.MethodOptions:
		return s.options(w, r)
	case http.MethodGet, http.MethodHead:
		return s.get(w, r)
	case http.MethodPut:
		return s.put(w, r)
	case http.MethodDelete:
		return s.delete(w, r)
	case "MKCOL":
		return s.mkcol(w, r)
	case "COPY":
		return s.copy(w, r)
	case "MOVE":
		return s.move(w, r)
	case "LOCK":
		return s.lock(w, r)
	case "UNLOCK":
		return s.unlock(w, r)
	case "PROPFIND":
		return s.propfind(w, r, extra)
	case "PROPPATCH":
		return s.proppatch(w, r)
	}
	return refusal(http.StatusMethodNotAllowed, errors.New("localdav: method"))
}

// nextStamp is an mtime later than any that it gave before.
func (s *Server) nextStamp() time.Time {
	for {
		now, last := time.Now().UnixNano(), s.stamp.Load()
		if now <= last {
			now = last + 1
		}
		if s.stamp.CompareAndSwap(last, now) {
			return time.Unix(0, now)
		}
	}
}

// A gate lets one change in at a time. Unlike a mutex it can be given up waiting for.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) leave() { <-g }
