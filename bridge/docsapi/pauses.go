package docsapi

import (
	"sync"
	"time"
)

// pauses put off forgotten saves that could not be taken over: each try may leave the
// bytes in the journal once more. They double up to a day, and end with the process.
type pauses struct {
	mu sync.Mutex
	of map[string]pause // by document key; guarded by mu
}

type pause struct {
	failed int
	until  time.Time
}

const (
	longestPause = 24 * time.Hour
	mostPauses   = 10_000 // then all of them end
)

// due reports whether a key may be tried at now.
func (p *pauses) due(key string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !now.Before(p.of[key].until)
}

// note says how a try at now has ended.
func (p *pauses) note(key string, now time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		delete(p.of, key)
		return
	}
	if p.of == nil || len(p.of) >= mostPauses {
		p.of = make(map[string]pause)
	}
	one := p.of[key]
	one.until = now.Add(min(forgetEvery<<min(one.failed, 10), longestPause))
	one.failed++
	p.of[key] = one
}
