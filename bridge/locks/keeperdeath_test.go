package locks

import (
	"context"
	"testing"
	"time"
)

// TestADeadKeeperIsWaitedForTwentySeconds: what a keeper was at when it died is another's
// after 20 s, on either database, and not before.
func TestADeadKeeperIsWaitedForTwentySeconds(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		f := h.file("a.docx", "hello")
		ctx := context.Background()
		ok(t, h.Lock(ctx, h.target(f), anna, "A"))
		h.clock.forward(16 * time.Minute) // the refresh is due
		now := h.clock.read()
		if mine, err := h.claim(ctx, f, now.Add(keeperFor), now); err != nil || !mine {
			t.Fatal(mine, err)
		}
		other := h.restart()
		h.server.Forget()
		h.clock.forward(19 * time.Second)
		ok(t, other.Tend(ctx))
		if n := h.server.Count("LOCK"); n != 0 {
			t.Errorf("%d refreshes by another one while the claim holds", n)
		}
		// The one that lives renews its claim, and keeps it for as long as it works.
		now = h.clock.read()
		if mine, err := h.claim(ctx, f, now.Add(keeperFor), now); err != nil || !mine {
			t.Fatal(mine, err)
		}
		h.clock.forward(19 * time.Second)
		ok(t, other.Tend(ctx))
		if n := h.server.Count("LOCK"); n != 0 {
			t.Errorf("%d refreshes by another one after the claim was renewed", n)
		}
		h.clock.forward(time.Second)
		ok(t, other.Tend(ctx))
		if n := h.server.Count("LOCK"); n != 1 {
			t.Errorf("%d refreshes by another one 20 s after the death", n)
		}
		now = h.clock.read()
		if mine, err := h.claim(ctx, f, now.Add(keeperFor), now); err != nil || !mine {
			t.Errorf("the claim of the other is over: %v %v", mine, err)
		}
	})
}
