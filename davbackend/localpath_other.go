//go:build !linux

package davbackend

import (
	"context"
	"errors"

	"davwopi/davbackend/dav"
)

// Other systems have no statx and no openat2. OpenLocal fails there.

type localFolder struct{ root localRoot }

func checkLocal(string) error                       { return errors.ErrUnsupported }
func (*localFolder) close()                         {}
func (*localFolder) look(string) (localFile, error) { return localFile{}, errors.ErrUnsupported }
func (*localFolder) names(int) ([]string, error)    { return nil, errors.ErrUnsupported }

func openLocalFolder(string, []string) (*localFolder, error) {
	return nil, errors.ErrUnsupported
}

func searchLocal(context.Context, string, localRoot, string) ([]dav.Path, error) {
	return nil, errors.ErrUnsupported
}
