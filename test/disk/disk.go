// Package disk is folders for tests of what waits: saves wait only where a restart of the
// machine would not lose them.
//
// It owns the choice of the place. What waits is decided by the journal.
package disk

import (
	"os"
	"syscall"
	"testing"
)

// Statfs names of file systems that a restart empties.
const (
	tmpfs   = 0x01021994
	overlay = 0x794c7630
)

// Folder makes a folder that is removed when the test ends, on a file system on which
// saves wait. It skips the test where /var/tmp is none.
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "davwopi-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if kind := uint32(st.Type); kind == tmpfs || kind == overlay || st.Bavail*uint64(st.Bsize) < 256<<20 || st.Bavail*uint64(st.Bsize) < min(st.Blocks/20*uint64(st.Bsize), 8<<30) {
		t.Skip("/var/tmp is a tmpfs or an overlay, or nearly full: no save would wait")
	}
	return dir
}
