//go:build !unix

package sqldbtest

import (
	"errors"
	"testing"
)

var errAbsent = errors.New("sqldbtest: no PostgreSQL")

type server struct{}

func (s *server) url() string { return "" }

func start() (*server, error) { return nil, errAbsent }

// A Server is a PostgreSQL of one test.
type Server struct{}

// NewServer skips the test: there is no PostgreSQL to start here.
func NewServer(t testing.TB, _ ...string) *Server {
	t.Skip("PostgreSQL is not started here")
	return nil
}

// URL is "".
func (s *Server) URL() string { return "" }

// Start does nothing.
func (s *Server) Start() {}

// Crash does nothing.
func (s *Server) Crash() {}

// Pause does nothing.
func (s *Server) Pause() (resume func()) { return func() {} }

// Log is "".
func (s *Server) Log() string { return "" }
