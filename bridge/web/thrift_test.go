package web

import (
	"runtime/debug"
	"testing"
)

func TestThrift(t *testing.T) {
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	for _, usual := range []int{100, 20, -1} {
		debug.SetGCPercent(usual)
		wanted := usual
		if usual > thriftPercent {
			wanted = thriftPercent
		}
		var s thrift
		for step, c := range []struct {
			do     func()
			wanted int
		}{{s.begin, wanted}, {s.begin, wanted}, {s.end, wanted}, {s.end, usual}} {
			if c.do(); percent() != c.wanted {
				t.Errorf("usual %d, step %d: %d instead of %d", usual, step, percent(), c.wanted)
			}
		}
	}
}
