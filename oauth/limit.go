package oauth

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A limiter allows each key burst attempts at once and one more per interval. It remembers the
// latest max keys; a key that was forgotten begins anew. Safe for concurrent use.
type limiter struct {
	every time.Duration
	burst int
	max   int

	mu    sync.Mutex
	order *list.List               // of *bucket, the latest used in front; guarded by mu
	byKey map[string]*list.Element // guarded by mu
}

type bucket struct {
	key  string
	rate *rate.Limiter
}

func newLimiter(every time.Duration, burst, maxKeys int) *limiter {
	return &limiter{every: every, burst: burst, max: maxKeys, order: list.New(), byKey: make(map[string]*list.Element)}
}

// take uses up one attempt of key and returns zero, or uses up nothing and returns after how long
// there will be one.
func (l *limiter) take(key string, now time.Time) time.Duration {
	wait, _ := l.reserve(key, now)
	return wait
}

// reserve is take; giveBack undoes it.
func (l *limiter) reserve(key string, now time.Time) (wait time.Duration, giveBack func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	element, ok := l.byKey[key]
	if ok {
		l.order.MoveToFront(element)
	} else {
		element = l.order.PushFront(&bucket{key: key, rate: rate.NewLimiter(rate.Every(l.every), l.burst)})
		l.byKey[key] = element
		if oldest := l.order.Back(); l.order.Len() > l.max {
			delete(l.byKey, l.order.Remove(oldest).(*bucket).key)
		}
	}
	reservation := element.Value.(*bucket).rate.ReserveN(now, 1)
	giveBack = func() { reservation.CancelAt(now) } // of the very moment: a reservation that is over stays used up
	if wait = reservation.DelayFrom(now); wait > 0 {
		giveBack()
	}
	return wait, giveBack
}
