package saves

import (
	"fmt"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/upstream"
)

// TestCutAtEveryOffset: the connection breaks before the first byte of a body, within it,
// at the borders of what is copied at a time, before its last byte and after it; once,
// and then the save arrives whole, and is there once.
func TestCutAtEveryOffset(t *testing.T) {
	body := letters(2*chunk + 10)
	for _, after := range []int64{0, 1, chunk - 1, chunk, chunk + 1, int64(len(body)) - 1, int64(len(body))} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Times: 1, Cut: true, After: after})
			if _, err := o.put(body); err != nil {
				t.Fatalf("cut after %d bytes: %v", after, err)
			}
			if got, _ := g.on("a.txt"); got != body {
				t.Errorf("cut after %d bytes: %d of %d bytes are there", after, len(got), len(body))
			}
			if n := g.names(); len(n) != 1 {
				t.Errorf("cut after %d bytes: the folder holds %v", after, n)
			}
			o.mustPut(fmt.Sprint("after it ", after)) // no false alarm
		})
	}
}
