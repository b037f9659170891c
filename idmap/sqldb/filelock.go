//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package sqldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A fileLock keeps a second daemon out. The kernel frees it when the process
// ends, however it ends; the file stays, because removing it would let two
// processes lock two files of one name.
type fileLock struct{ f *os.File }

func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w%s (%s)", ErrInUse, holder(f), path)
		}
		return nil, fmt.Errorf("sqldb: locking %s: %w", path, err)
	}
	// What is written is for people only; failing to write it harms nobody.
	if f.Truncate(0) == nil {
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &fileLock{f}, nil
}

// holder is ", PID n" if the lock file says who holds it.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(", PID %d", pid)
}

func (l *fileLock) release() error { return l.f.Close() }
