package davbackend_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// Apache, 2.4.71: a file that is locked and moved on the disk leaves its name behind in
// PROPFIND, with the lock and nothing else. It is not there, and the lock can be given
// back.
func TestALockedNameWithoutAFileIsNotThere(t *testing.T) {
	s := upstream.Apache(t)
	s.Write(t, "d/a.txt", "hello")
	v := s.View(t)
	lock, _, err := v.Lock(t.Context(), "/d/a.txt", davbackend.LockRequest{Owner: "us", Timeout: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(s.Dir, "d/a.txt"), filepath.Join(s.Dir, "d/b.txt")); err != nil {
		t.Fatal(err)
	}
	res, err := v.Stat(t.Context(), "/d/a.txt")
	if !errors.Is(err, dav.ErrNotFound) || len(res.Locks) != 1 || res.Locks[0].Token != lock.Token {
		t.Errorf("%v, %+v", err, res)
	}
	err = v.List(t.Context(), "/d", func(res dav.Resource) error {
		if res.Path != "/d/b.txt" {
			t.Errorf("listed: %+v", res)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := v.Unlock(t.Context(), "/d/a.txt", lock.Token); err != nil {
		t.Errorf("Unlock: %v", err)
	}
	if res, err := v.Stat(t.Context(), "/d/a.txt"); !errors.Is(err, dav.ErrNotFound) || len(res.Locks) != 0 {
		t.Errorf("then: %v, %+v", err, res)
	}
}
