package web

import (
	"runtime/debug"
	"sync"
)

// thriftPercent is how much garbage there may be while a big folder is listed, in percent
// of what is in use. Each entry leaves behind ten times of what is kept of it, and the
// memory that was once taken for that comes back slowly.
const thriftPercent = 40

// A thrift makes the garbage collector run sooner while anybody needs that. It is the
// whole program's.
type thrift struct {
	mu    sync.Mutex
	needs int // how many do; guarded by mu
	usual int // what it was before; guarded by mu
}

func (t *thrift) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.needs++; t.needs == 1 {
		if t.usual = debug.SetGCPercent(thriftPercent); t.usual < thriftPercent { // or -1, switched off
			debug.SetGCPercent(t.usual)
		}
	}
}

func (t *thrift) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.needs--; t.needs == 0 {
		debug.SetGCPercent(t.usual)
	}
}
