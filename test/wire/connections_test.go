package wire

import (
	"bytes"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// TestOneConnectionOnEveryPreset: where upstream.connections is 1 no operation holds an answer open while
// it asks for something else.
func TestOneConnectionOnEveryPreset(t *testing.T) {
	all := newOffices(t)
	for i, preset := range upstream.Presets() {
		t.Run(preset.Name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, davbackend.Unknown, func(h *house) { h.connections, h.idle = 1, 5*time.Second })
			defer h.complain(t)
			h.server.Quirks.Set(preset.Set)
			h.measure()
			large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			h.server.Write(t, "large.odt", string(large))
			c := h.open(h.at("/large.odt"), wopi.Collabora, anna)
			a, err := c.GetFile(t.Context(), -1)
			h.must(err)
			if a.Status != 200 || !bytes.Equal(a.Body, large) {
				t.Errorf("GetFile: %d with %d bytes", a.Status, len(a.Body))
			}
			e := playWhole(t, h, allManners[i%len(allManners)])
			h.settle()
			e.check()
		})
	}
}
