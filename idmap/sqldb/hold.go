package sqldb

import (
	"fmt"
	"path/filepath"
)

// Hold takes the lock of path that [Open] takes for a SQLite file, without opening
// anything: what lies there may be replaced until release. The directory must exist.
// It returns an error wrapping [ErrInUse] if a daemon, or somebody else's Hold, has it.
func Hold(path string) (release func() error, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	l, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	return l.release, nil
}
