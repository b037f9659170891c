package endpoint

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
		wanted := min(usual, thriftPercent)
		var first, second func()
		for step, c := range []struct {
			do     func()
			wanted int
		}{
			{func() { first = Thrift() }, wanted}, {func() { second = Thrift() }, wanted},
			{func() { first(); first() }, wanted}, {func() { second() }, usual},
		} {
			if c.do(); percent() != c.wanted {
				t.Errorf("usual %d, step %d: %d instead of %d", usual, step, percent(), c.wanted)
			}
		}
	}
}
