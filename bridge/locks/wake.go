package locks

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"davwopi/idmap"
)

// wakes tells waiters in this process that a row or lease of their file has
// changed, so that they need not wait for the next poll. Other processes poll.
type wakes struct {
	mu    sync.Mutex
	files map[idmap.FileID]*bell // guarded by mu; only files somebody waits for
}

type bell struct {
	rung    chan struct{}
	waiters int
}

// ring wakes everybody who waits for file.
func (w *wakes) ring(file idmap.FileID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.files[file]; b != nil {
		close(b.rung)
		delete(w.files, file)
	}
}

// wait returns when file was rung, after at most about limit, or with ctx's error.
func (w *wakes) wait(ctx context.Context, file idmap.FileID, limit time.Duration) error {
	w.mu.Lock()
	b := w.files[file]
	if b == nil {
		b = &bell{rung: make(chan struct{})}
		if w.files == nil {
			w.files = make(map[idmap.FileID]*bell)
		}
		w.files[file] = b
	}
	b.waiters++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if b.waiters--; b.waiters == 0 && w.files[file] == b {
			delete(w.files, file)
		}
	}()
	timer := time.NewTimer(limit/2 + rand.N(limit/2+1)) // jitter: rivals must not march in step
	defer timer.Stop()
	select {
	case <-b.rung:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
