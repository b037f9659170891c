package oauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var errDown = errors.New("dial tcp: connection refused")

// nas accepts one user and password.
func nas(asked *atomic.Int64) func(context.Context, string, string) error {
	return func(_ context.Context, user, password string) error {
		asked.Add(1)
		switch {
		case user == "down":
			return errDown
		case user != "anna":
			return fmt.Errorf("no such user %s: %w", user, ErrRefused)
		case password != "hunter2":
			return ErrRefused
		}
		return nil
	}
}

func newSignIn() (*PasswordSignIn, *clock, *atomic.Int64) {
	c, asked := &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}, new(atomic.Int64)
	return &PasswordSignIn{Check: nas(asked), Upstream: "main", Now: c.Now}, c, asked
}

func TestSignIn(t *testing.T) {
	s, _, _ := newSignIn()
	p, err := s.SignIn(t.Context(), "anna", "hunter2", "192.0.2.1:4711")
	if err != nil || p.Issuer != "upstream:main" || p.Subject != "anna" || p.Name != "anna" || p.Check() != nil {
		t.Errorf("%+v, %v", p, err)
	}
	_, wrong := s.SignIn(t.Context(), "anna", "hunter3", "192.0.2.1:4711")
	_, unknown := s.SignIn(t.Context(), "bert", "hunter2", "192.0.2.1:4711")
	if wrong != ErrRefused || unknown != wrong {
		t.Errorf("an unknown name can be told from a wrong password: %v, %v", unknown, wrong)
	}
	_, down := s.SignIn(t.Context(), "down", "hunter2", "192.0.2.1:4711")
	if !errors.Is(down, errDown) || errors.Is(down, ErrRefused) || strings.Contains(down.Error(), "hunter2") {
		t.Errorf("an outage: %v", down)
	}
}

func TestSignInDoesNotAsk(t *testing.T) {
	for what, c := range map[string][2]string{
		"no name":                            {"", "x"},
		"no password, an anonymous bind":     {"anna", ""},
		"RFC 7617 section 2, a colon":        {"an:na", "x"},
		"a line break":                       {"an\r\nna", "x"},
		"a NUL in the password":              {"anna", "hunter2\x00"},
		"not UTF-8":                          {"anna\xff", "x"},
		"a long name":                        {strings.Repeat("a", maxUserName+1), "x"},
		"a long password, work for the hash": {"anna", strings.Repeat("a", maxPassword+1)},
	} {
		s, _, asked := newSignIn()
		if _, err := s.SignIn(t.Context(), c[0], c[1], "192.0.2.1"); err != ErrRefused || asked.Load() != 0 {
			t.Errorf("%s: %v, asked %d times", what, err, asked.Load())
		}
	}
}

func TestSignInLimitsAUserName(t *testing.T) {
	s, c, asked := newSignIn()
	for i := range userBurst {
		// Other spellings are the same person to many servers.
		if _, err := s.SignIn(t.Context(), []string{"bert", "Bert", "BERT "}[i%3], "x", fmt.Sprintf("192.0.2.%d", i)); err != ErrRefused {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
	_, err := s.SignIn(t.Context(), "bert", "x", "198.51.100.1")
	var many *TooManyError
	if !errors.As(err, &many) || !errors.Is(err, ErrTooMany) || many.RetryAfter != userEvery {
		t.Fatalf("%v", err)
	}
	if asked.Load() != userBurst {
		t.Errorf("the upstream was asked %d times", asked.Load())
	}
	if _, err := s.SignIn(t.Context(), "anna", "hunter2", "198.51.100.1"); err != nil {
		t.Errorf("another person: %v", err)
	}
	c.add(userEvery - time.Millisecond)
	if _, err := s.SignIn(t.Context(), "bert", "x", "198.51.100.1"); !errors.As(err, &many) || many.RetryAfter != time.Second {
		t.Errorf("just before: %v", err)
	}
	c.add(time.Millisecond)
	if _, err := s.SignIn(t.Context(), "bert", "x", "198.51.100.1"); err != ErrRefused {
		t.Errorf("after RetryAfter: %v", err)
	}
}

func TestSignInLimitsAPeer(t *testing.T) {
	for what, peer := range map[string]func(i int) string{
		"IPv4":                 func(i int) string { return fmt.Sprintf("192.0.2.1:%d", 1000+i) },
		"IPv4 in IPv6":         func(i int) string { return []string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2] },
		"an IPv6 /64":          func(i int) string { return fmt.Sprintf("[2001:db8:0:1::%x]:443", i+1) },
		"addresses unreadable": func(i int) string { return strings.Repeat("?", i%7) },
	} {
		s, _, asked := newSignIn()
		for i := range peerBurst {
			if _, err := s.SignIn(t.Context(), fmt.Sprintf("user%d", i), "x", peer(i)); err != ErrRefused {
				t.Fatalf("%s: attempt %d: %v", what, i+1, err)
			}
		}
		for i := range 3 * userBurst {
			if _, err := s.SignIn(t.Context(), "anna", "x", peer(peerBurst+i)); !errors.Is(err, ErrTooMany) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if asked.Load() != peerBurst {
			t.Errorf("%s: the upstream was asked %d times", what, asked.Load())
		}
		if _, err := s.SignIn(t.Context(), "anna", "hunter2", "2001:db8:0:2::1"); err != nil {
			t.Errorf("%s: a peer over its limit keeps anna out: %v", what, err)
		}
	}
}

func TestSignInAtOnce(t *testing.T) {
	s, _, asked := newSignIn()
	var wait sync.WaitGroup
	for i := range 8 * userBurst {
		wait.Go(func() { _, _ = s.SignIn(context.Background(), "anna", "x", fmt.Sprintf("192.0.2.%d", i)) })
	}
	wait.Wait()
	if asked.Load() != userBurst {
		t.Errorf("the upstream was asked %d times at once", asked.Load())
	}
}
