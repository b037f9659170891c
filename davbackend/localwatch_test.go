package davbackend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

func TestLocalWatch(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"a/deep", "b", "unwatched"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := davbackend.WatchLocal(root, func(name string) bool { return strings.HasPrefix(name, ".davwopi-") })
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var heard []dav.Path // guarded by mu
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx, func(folders []dav.Path, _ bool) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, folders...)
		})
	}()
	if added, err := l.Folders([]dav.Path{"/", "/a", "/a/deep", "/b", "/absent"}); err != nil || len(added) != 4 {
		t.Fatal(added, err)
	}
	expect := func(what string, do func() error, want ...dav.Path) {
		t.Helper()
		mu.Lock()
		heard = nil
		mu.Unlock()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			mu.Lock()
			got := slices.Clone(heard)
			mu.Unlock()
			if !slices.ContainsFunc(want, func(p dav.Path) bool { return !slices.Contains(got, p) }) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: heard of %v, want %v", what, got, want)
			}
		}
	}
	write := func(name string) func() error {
		return func() error { return os.WriteFile(filepath.Join(root, name), []byte("x"), 0o600) }
	}
	rename := func(from, to string) func() error {
		return func() error { return os.Rename(filepath.Join(root, from), filepath.Join(root, to)) }
	}
	expect("a new file", write("a/x.txt"), "/a")
	expect("a rename", rename("a/x.txt", "a/y.txt"), "/a")
	expect("a move", rename("a/y.txt", "b/y.txt"), "/a", "/b")
	expect("a folder", rename("a/deep", "b/deep"), "/a", "/b")
	if added, err := l.Folders([]dav.Path{"/", "/b", "/b/deep"}); err != nil || !slices.Equal(added, []dav.Path{"/b/deep"}) {
		t.Fatal(added, err)
	}
	expect("in the folder that was moved", write("b/deep/x.txt"), "/b/deep")
	expect("what is ours, and then what is not", func() error {
		return errors.Join(write("b/.davwopi-temp")(), write("unwatched/x.txt")(), write("c.txt")())
	}, "/")
	mu.Lock()
	if slices.Contains(heard, "/b") || slices.Contains(heard, "/unwatched") {
		t.Errorf("heard of %v", heard)
	}
	mu.Unlock()
	cancel()
	<-ended
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Where more happens than the system keeps, it says so.
func TestLocalWatchOverflows(t *testing.T) {
	root := t.TempDir()
	l, err := davbackend.WatchLocal(root, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Folders([]dav.Path{"/"}); err != nil {
		t.Fatal(err)
	}
	limit := 16384
	if text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events"); err == nil {
		if _, err := fmt.Sscan(string(text), &limit); err != nil || limit > 100_000 {
			t.Skipf("the system keeps %s events", text)
		}
	}
	file := filepath.Join(root, "x")
	for range limit/2 + 2000 { // nobody reads yet
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Remove(file)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	over := false
	l.Run(ctx, func(_ []dav.Path, all bool) {
		if all {
			over = true
			cancel()
		}
	})
	if !over {
		t.Error("nothing was said of what was lost")
	}
}
