package davbackend

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"davwopi/davbackend/dav"
)

// ErrWatchLimit: the system watches no more folders for us (fs.inotify.max_user_watches).
var ErrWatchLimit = errors.New("davbackend: the system watches no more folders")

// watchSettle is how long a watch gathers what happens before it tells of it.
const watchSettle = 500 * time.Millisecond

// A LocalWatch hears from the system in which folders of a disk names come and go. What
// it hears is a reason to look there, never the truth: events come late, are lost, and
// two of them need not be one rename.
//
// Only [WatchLocal] makes one. Methods may be called concurrently.
type LocalWatch struct {
	root   string
	ignore func(name string) bool
	w      *fsnotify.Watcher

	mu      sync.Mutex
	watched map[string]dav.Path // by the path on the disk; guarded by mu
}

// WatchLocal watches folders below root; none before [LocalWatch.Folders]. Names that
// ignore returns true for are nobody's business: those of our own temporary files.
func WatchLocal(root string, ignore func(name string) bool) (*LocalWatch, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("davbackend: watching %s: %w", root, err)
	}
	return &LocalWatch{root: root, ignore: ignore, w: w, watched: map[string]dav.Path{}}, nil
}

// Close ends the watch, and [LocalWatch.Run].
func (l *LocalWatch) Close() error { return l.w.Close() }

// Folders makes these the folders that are watched; one that is not there is passed
// over. It returns those that were not watched before: what happened in them until now
// nobody has heard. The error is one wrapping [ErrWatchLimit] if the system does not watch all of
// them: the first ones are watched then.
func (l *LocalWatch) Folders(folders []dav.Path) (added []dav.Path, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := make(map[string]dav.Path, len(folders))
	for _, p := range folders {
		wanted[filepath.Join(l.root, filepath.FromSlash(string(p)))] = p
	}
	alive := map[string]bool{}
	for _, at := range l.w.WatchList() {
		alive[at] = true // one whose folder is gone has ended by itself
	}
	for at := range l.watched {
		if _, ok := wanted[at]; !ok || !alive[at] {
			_ = l.w.Remove(at) // it may be gone already
			delete(l.watched, at)
		}
	}
	for _, p := range folders {
		at := filepath.Join(l.root, filepath.FromSlash(string(p)))
		if _, ok := l.watched[at]; ok {
			continue
		}
		err := l.w.Add(at)
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) {
			return added, fmt.Errorf("%w: %d of %d: %w", ErrWatchLimit, len(l.watched), len(folders), err)
		}
		if err == nil {
			l.watched[at] = p
			added = append(added, p)
		}
	}
	return added, nil
}

// Run calls heard, until ctx ends or the watch is closed, with folders in which names
// have come or gone; all: so much has happened that nobody knows where.
func (l *LocalWatch) Run(ctx context.Context, heard func(folders []dav.Path, all bool)) {
	met, all := map[dav.Path]bool{}, false
	settle := time.NewTimer(watchSettle)
	settle.Stop()
	defer settle.Stop()
	note := func() {
		if len(met) == 0 && !all {
			settle.Reset(watchSettle)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-l.w.Events:
			if !ok {
				return
			}
			if p, ok := l.about(e); ok {
				note()
				met[p] = true
			}
		case _, ok := <-l.w.Errors:
			if !ok {
				return
			}
			note()
			all = true // fsnotify.ErrEventOverflow, and what else makes it deaf
		case <-settle.C:
			folders := make([]dav.Path, 0, len(met))
			for p := range met {
				folders = append(folders, p)
			}
			heard(folders, all)
			clear(met)
			all = false
		}
	}
}

// about is the folder that an event is about, if it is of interest.
func (l *LocalWatch) about(e fsnotify.Event) (dav.Path, bool) {
	if !e.Has(fsnotify.Create) && !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Rename) {
		return "", false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.watched[strings.TrimSuffix(e.Name, "/")]; ok && !p.IsRoot() {
		return p.Parent(), true // the folder itself
	}
	if l.ignore(filepath.Base(e.Name)) {
		return "", false
	}
	p, ok := l.watched[filepath.Dir(e.Name)]
	return p, ok
}
