package oauth

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	l := newLimiter(10*time.Second, 3, 100)
	for i := range 3 {
		if wait := l.take("a", now); wait != 0 {
			t.Fatalf("attempt %d of the burst waits %v", i+1, wait)
		}
	}
	for range 5 { // a refused attempt costs nothing, or the wait would grow
		if wait := l.take("a", now); wait != 10*time.Second {
			t.Fatalf("waits %v", wait)
		}
	}
	if wait := l.take("b", now); wait != 0 {
		t.Errorf("another key waits %v", wait)
	}
	now = now.Add(10 * time.Second)
	if wait := l.take("a", now); wait != 0 {
		t.Errorf("after the interval: waits %v", wait)
	}
	if wait := l.take("a", now); wait == 0 {
		t.Error("one interval gave two attempts")
	}
}

func TestLimiterIsBounded(t *testing.T) {
	now := time.Now()
	l := newLimiter(time.Hour, 1, 10)
	l.take("kept", now)
	for i := range 1000 {
		l.take(fmt.Sprint(i), now)
		l.take("kept", now) // the latest used are the last to be forgotten
		if len(l.byKey) > 10 || l.order.Len() != len(l.byKey) {
			t.Fatalf("%d keys, %d in order", len(l.byKey), l.order.Len())
		}
	}
	if l.take("kept", now) == 0 {
		t.Error("a key in use was forgotten")
	}
	if l.take("0", now) != 0 {
		t.Error("the oldest key was not forgotten")
	}
}
