package endpoint

import (
	"runtime/debug"
	"sync"
)

// BigFolder is how many entries a folder has that is listed with [Thrift].
const BigFolder = 2000

// thriftPercent is how much garbage there may be while a big folder is listed, in percent
// of what is in use. Each entry leaves behind ten times of what is kept of it, and the
// memory that was once taken for that comes back slowly.
const thriftPercent = 40

// The collector's percentage is the whole program's, and so is this.
var thrift struct {
	mu    sync.Mutex
	needs int // how many want it; guarded by mu
	usual int // what it was before; guarded by mu
}

// Thrift makes the garbage collector run sooner until end is called, which does something
// once only: for as long as a big folder is listed. It may be called concurrently.
func Thrift() (end func()) {
	thrift.mu.Lock()
	defer thrift.mu.Unlock()
	if thrift.needs++; thrift.needs == 1 {
		if thrift.usual = debug.SetGCPercent(thriftPercent); thrift.usual < thriftPercent { // or -1, switched off
			debug.SetGCPercent(thrift.usual)
		}
	}
	return sync.OnceFunc(func() {
		thrift.mu.Lock()
		defer thrift.mu.Unlock()
		if thrift.needs--; thrift.needs == 0 {
			debug.SetGCPercent(thrift.usual)
		}
	})
}
