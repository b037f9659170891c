package saves

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A disk is the file operations that the spool's promise rests on, so that a test
// can put a file system behind them that forgets what was not fsynced.
type disk struct {
	create  func(path string) (spoolFile, error) // new, mode 0600; an existing file is an error
	rename  func(from, to string) error
	remove  func(path string) error
	syncDir func(dir string) error
	room    func(dir string) (room, error)

	// What follows switches one protection off each. A test sets them to prove
	// that it would notice.
	noFileSync bool
	noDirSync  bool
}

// A room is what is known of the file system of a directory.
type room struct {
	fleeting    bool   // it may be gone after a restart
	free, total uint64 // bytes
}

// nearlyFull reports whether so little is free that nothing may wait here: others write to
// the disk too. A twentieth of a NAS is more than all the saves of a day.
func (r room) nearlyFull() bool {
	return r.free < leastFree || r.free < min(r.total/leastPart, enoughFree)
}

type spoolFile struct {
	io.Writer
	sync  func() error
	close func() error
}

// osDisk is the real one.
func osDisk() disk {
	return disk{
		create: func(path string) (spoolFile, error) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return spoolFile{}, err
			}
			return spoolFile{Writer: f, sync: f.Sync, close: f.Close}, nil
		},
		rename: os.Rename,
		room:   roomOf,
		remove: func(path string) error {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
		syncDir: func(dir string) error {
			d, err := os.Open(dir)
			if err != nil {
				return err
			}
			return errors.Join(d.Sync(), d.Close())
		},
	}
}

// makeDir makes a folder under one that is there, with a name that a power cut leaves:
// what is fsynced in a folder that is forgotten is lost. One that is there already may
// have been made by a process that came no further.
func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return osDisk().syncDir(filepath.Dir(path))
}
