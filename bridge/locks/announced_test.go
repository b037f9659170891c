package locks

import (
	"testing"
	"time"

	"davwopi/test/upstream"
)

// TestOwnLockFileLeftBehindLocksNobodyOut: the server refused to let our lock file
// go, and its row is gone. The next Lock knows it again and removes it.
func TestOwnLockFileLeftBehindLocksNobodyOut(t *testing.T) {
	h := newHouse(t)
	h.Announce, h.Respect = true, true
	f := h.file("a.docx", "hello")
	const name = ".~lock.a.docx#"
	ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
	h.server.Quirks.Fail(upstream.Fault{Method: "DELETE", Times: 1, Status: 403})
	ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
	h.clock.forward(time.Minute)
	h.tend()
	if _, there := h.server.Read(t, name); !there || h.row(f) != nil {
		t.Fatal("nothing was left behind: the test proves nothing")
	}
	ok(t, h.Lock(t.Context(), h.target(f), ben, "B"))
	ok(t, h.Unlock(t.Context(), h.target(f), ben, "B"))
	if got, there := h.server.Read(t, name); there {
		t.Errorf("the lock file stays: %q", got)
	}
}
