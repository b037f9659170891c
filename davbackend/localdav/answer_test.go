//go:build linux

package localdav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"davwopi/davbackend/dav"
)

// What goes wrong on the disk has a status of its own.
func TestRefusedBy(t *testing.T) {
	on := func(e syscall.Errno) error { return fmt.Errorf("x: %w", &fs.PathError{Op: "write", Path: "p", Err: e}) }
	for _, c := range []struct {
		err       error
		status    int
		condition string
	}{
		{on(syscall.ENOSPC), 507, "sufficient-disk-space"},
		{on(syscall.EDQUOT), 507, "quota-not-exceeded"},
		{on(syscall.EFBIG), 413, ""},
		{&http.MaxBytesError{}, 413, ""},
		{on(syscall.ENAMETOOLONG), 414, ""},
		{on(syscall.EILSEQ), 400, ""},
		{dav.ErrBadPath, 400, ""},
		{io.ErrUnexpectedEOF, 400, ""},
		{on(syscall.ENOENT), 404, ""},
		{on(syscall.ENOTDIR), 404, ""},
		{noParent(on(syscall.ENOENT)), 409, ""},
		{on(syscall.EACCES), 403, ""},
		{on(syscall.EPERM), 403, ""},
		{on(syscall.EROFS), 403, ""},
		{on(syscall.ELOOP), 403, ""},
		{on(syscall.EXDEV), 403, ""},
		{errEscape, 403, ""},
		{errChanged, 412, ""},
		{context.Canceled, 503, ""},
		{fs.ErrClosed, 503, ""},
		{on(syscall.EIO), 500, ""},
		{errors.New("anything"), 500, ""},
	} {
		if got := refusedBy(c.err); got.status != c.status || got.condition != c.condition {
			t.Errorf("%v: %d %s", c.err, got.status, got.condition)
		}
	}
}

// os.Root's own refusal, when a link changes between our look and its use.
func TestEscapeOfRoot(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("../x", dir+"/out"))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	if _, err = root.Open("out"); !escapes(err) {
		t.Error(err)
	}
}

// No reason of ours, no path of the disk goes out.
func TestRefusalSaysNothing(t *testing.T) {
	h := newHouse(t)
	w := httptest.NewRecorder()
	h.s.refuse(w, httptest.NewRequest("GET", "/f", nil), fmt.Errorf("secret of %s", h.dir))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") || w.Body.String() != "Internal Server Error\n" {
		t.Error(w.Code, w.Body)
	}
}

func TestOpenRefuses(t *testing.T) {
	h := newHouse(t)
	if _, err := Open(h.dir+"/none", h.db); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	h.write("file", "x")
	if _, err := Open(h.dir+"/file", h.db); err == nil {
		t.Error("a file was opened as a folder")
	}
}
