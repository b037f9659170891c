package dav

import (
	"errors"
	"testing"
	"time"
)

func TestParseTimeout(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"Second-1800":                 30 * time.Minute,
		"second-1":                    time.Second,
		" Second-600 ":                10 * time.Minute,
		"Second-4294967295":           maxTimeout,
		"Second-99999999999999":       maxTimeout,
		"Infinite, Second-4100000000": 4100000000 * time.Second,
		"Infinite":                    0,
		"Infinity":                    0,
		"Second-0":                    0,
		"Second-":                     0,
		"Second--1":                   0,
		"Second-1.5":                  0,
		"Extend-5":                    0,
		"1800":                        0,
		"":                            0,
	} {
		if got := ParseTimeout(in); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

func TestFormatTimeout(t *testing.T) {
	for in, want := range map[time.Duration]string{
		30 * time.Minute:        "Second-1800",
		1500 * time.Millisecond: "Second-2",
		time.Nanosecond:         "Second-1",
		0:                       "Second-1",
		-time.Hour:              "Second-1",
		1<<63 - 1:               "Second-4294967295",
	} {
		got := FormatTimeout(in)
		if got != want {
			t.Errorf("%v: got %q, want %q", in, got, want)
		}
		if back := ParseTimeout(got); back < in && back != maxTimeout {
			t.Errorf("%v: reads back as %v", in, back)
		}
	}
}

func TestDepth(t *testing.T) {
	for in, want := range map[string]Depth{"0": Depth0, "1": Depth1, "infinity": DepthInfinity, "Infinity": DepthInfinity, " 1 ": Depth1} {
		got, err := ParseDepth(in)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
		if again, err := ParseDepth(got.String()); err != nil || again != got {
			t.Errorf("%q: prints as %q", in, got)
		}
	}
	for _, in := range []string{"", "2", "-1", "1,noroot", "infinityy"} {
		if _, err := ParseDepth(in); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestParseLockToken(t *testing.T) {
	for in, want := range map[string]LockToken{
		"<opaquelocktoken:a-b>": "opaquelocktoken:a-b",
		" urn:uuid:1 ":          "urn:uuid:1",
		"1795194497":            "1795194497",
		"files_lock/abc":        "files_lock/abc",
	} {
		if got, err := ParseLockToken(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "<>", "a b", "a>b", "<a", "a\r\nX: y", "é", "a\x7f"} {
		if got, err := ParseLockToken(in); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: got %q, %v; want ErrSyntax", in, got, err)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for in, want := range map[string]int{
		"HTTP/1.1 200 OK": 200, "HTTP/2 404": 404, "HTTP/1.1 423": 423, "423 Locked": 423,
		"": 0, "HTTP/1.1": 0, "HTTP/1.1 OK": 0, "HTTP/1.1 99 x": 0, "HTTP/1.1 1000 x": 0,
	} {
		if got := ParseStatus(in); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
	}
}
