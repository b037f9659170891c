//go:build !linux

package localdav

import (
	"errors"
	"os"
	"syscall"
)

// Other systems have neither statx nor renameat2. Open fails there at the first look at
// the folder, so that nothing else is ever called.

const (
	errNotFolder = syscall.ENOTDIR
	openNonblock = 0
)

func statAt(*os.File, string) (info, error) { return info{}, errors.ErrUnsupported }
func statFile(*os.File) (info, error)       { return info{}, errors.ErrUnsupported }

func renameNoReplace(*os.File, string, *os.File, string) error { return errors.ErrUnsupported }
func renameExchange(*os.File, string, *os.File, string) error  { return errors.ErrUnsupported }
func unsupported(err error) bool                               { return errors.Is(err, errors.ErrUnsupported) }

func (t *tree) space(string) (available, used int64, err error) { return 0, 0, errors.ErrUnsupported }

func fsync(f *os.File) error        { return f.Sync() }
func inherit(_, _ *os.File, _ info) {}
