//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package sqldb

import (
	"errors"
	"fmt"
)

type fileLock struct{}

// lockFile refuses: without a lock that the system frees by itself a second
// daemon could not be kept out.
func lockFile(string) (*fileLock, error) {
	return nil, fmt.Errorf("sqldb: SQLite state needs flock, which this system lacks: %w", errors.ErrUnsupported)
}

func (l *fileLock) release() error { return nil }
