package saves

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// TestRetryAfter: a save waits as long as the upstream asks, if its patience lasts for
// that, and not at all if it does not.
func TestRetryAfter(t *testing.T) {
	for said, want := range map[string]struct {
		pause time.Duration
		saved bool
	}{"3": {3 * time.Second, true}, "7": {0, false}} { // of a patience of 5 s
		t.Run(said, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Embedded)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Microsoft)
			var longest time.Duration
			inner := g.saves.pause
			g.saves.pause = func(ctx context.Context, d time.Duration) error {
				longest = max(longest, d)
				return inner(ctx, d)
			}
			refused := false
			g.server.Quirks.Set(func(q *upstream.Quirks) {
				q.Answer = func(r *http.Request) http.Handler {
					if refused || r.Method != http.MethodPut {
						return nil
					}
					refused = true
					return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Retry-After", said)
						w.WriteHeader(http.StatusTooManyRequests)
					})
				}
			})
			_, err := o.put("new")
			if longest != want.pause || (err == nil) != want.saved {
				t.Errorf("paused for %v: %v", longest, err)
			}
			var u *davbackend.UnavailableError
			if err != nil && (!errors.As(err, &u) || len(g.inJournal("new")) != 1) {
				t.Errorf("not kept: %v", err)
			}
		})
	}
}
