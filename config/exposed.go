package config

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
)

// Exposed tells whether everybody on this machine may read a file of that mode. What
// container engines mount below /run/secrets is for the container alone, whatever its
// mode, which few can choose. Windows has no such modes.
func Exposed(file string, mode fs.FileMode) bool {
	if runtime.GOOS == "windows" || mode.Perm()&0o004 == 0 {
		return false
	}
	whole, err := filepath.Abs(file)
	return err != nil || !strings.HasPrefix(whole, "/run/secrets/")
}
