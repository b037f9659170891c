package oauth

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestTries(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	tries := NewTries(3, time.Minute)
	wrong := func(name, peer string) error {
		t.Helper()
		_, err := tries.Take(name, peer, now)
		return err
	}
	for i := range 3 {
		if err := wrong("a", fmt.Sprintf("192.0.2.%d:1", i)); err != nil {
			t.Fatal(err)
		}
	}
	var many *TooManyError
	if err := wrong("a", "192.0.2.9:1"); !errors.As(err, &many) || many.RetryAfter != time.Minute {
		t.Errorf("the fourth: %v", err)
	}
	if err := wrong("b", "192.0.2.9:1"); err != nil {
		t.Errorf("another name: %v", err)
	}
	now = now.Add(time.Minute)
	if err := wrong("a", "192.0.2.9:1"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if err := wrong("a", "192.0.2.9:1"); !errors.Is(err, ErrTooMany) {
		t.Errorf("and once more: %v", err)
	}
}

func TestRightGuessesDoNotCount(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	tries := NewTries(2, time.Minute)
	for i := range 100 {
		right, err := tries.Take("a", "192.0.2.1:1", now)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		right()
	}
}

func TestOnePeerRunsOutOfTries(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	tries := NewTries(2, time.Minute)
	for i := range peerBurst {
		if err := tries.Peer("[2001:db8::1]:7", now); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if err := tries.Peer("[2001:db8::2]:8", now); !errors.Is(err, ErrTooMany) {
		t.Errorf("a neighbour in the same /64: %v", err)
	}
	if _, err := tries.Take("a", "[2001:db8::3]:8", now); !errors.Is(err, ErrTooMany) {
		t.Errorf("with a name: %v", err)
	}
	for range 2 { // which were not used up by the peer that was not heard
		if _, err := tries.Take("a", "192.0.2.1:1", now); err != nil {
			t.Error(err)
		}
	}
}
