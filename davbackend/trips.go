package davbackend

import (
	"context"
	"sync/atomic"
)

type tripsKey struct{}

type trips struct {
	n     atomic.Int64
	outer *trips
}

// CountTrips returns a context whose upstream requests are counted, and a function
// that tells how many there have been, repeats after a challenge included. A counter
// inside a counter counts for both.
func CountTrips(ctx context.Context) (context.Context, func() int) {
	outer, _ := ctx.Value(tripsKey{}).(*trips)
	t := &trips{outer: outer}
	return context.WithValue(ctx, tripsKey{}, t), func() int { return int(t.n.Load()) }
}

func countTrip(ctx context.Context) {
	t, _ := ctx.Value(tripsKey{}).(*trips)
	for ; t != nil; t = t.outer {
		t.n.Add(1)
	}
}
