//go:build !linux

package doctor

import "errors"

// diskOf is for Linux only; elsewhere a disk is judged by writing to it alone.
func diskOf(string) (disk, error) { return disk{}, errors.ErrUnsupported }
