//go:build !unix

package sqldbtest

import "errors"

var errAbsent = errors.New("sqldbtest: no PostgreSQL")

type server struct{}

func (s *server) url() string { return "" }

func start() (*server, error) { return nil, errAbsent }
