package dav

import (
	"strings"
	"testing"
	"time"
)

func FuzzTimeout(f *testing.F) {
	for _, s := range []string{"Second-1800", "Infinite, Second-4100000000", "second-0", "Second-99999999999999999999", "Extend"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := ParseTimeout(s)
		if d < 0 || d > maxTimeout {
			t.Fatalf("%q: %v", s, d)
		}
		if d > 0 && ParseTimeout(FormatTimeout(d)) != d {
			t.Fatalf("%q: %v is printed as %s", s, d, FormatTimeout(d))
		}
	})
}

func FuzzFormatTimeout(f *testing.F) {
	f.Add(int64(time.Second))
	f.Add(int64(-1))
	f.Fuzz(func(t *testing.T, n int64) {
		// What is sent is understood, never shorter than what is meant, and one value only.
		text := FormatTimeout(time.Duration(n))
		got := ParseTimeout(text)
		if got == 0 || got < min(time.Duration(n), maxTimeout) || strings.Contains(text, ",") {
			t.Fatalf("%v: %s %v", time.Duration(n), text, got)
		}
	})
}

func FuzzLockToken(f *testing.F) {
	for _, s := range []string{"<opaquelocktoken:e71d4fae-5dec-22d6-fea5-00a0c91e6be4>", "1589", " < a> ", "<>", "<a\r\nb>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseLockToken(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(string(token), "<> \r\n\t") || token == "" {
			t.Fatalf("%q: %q cannot stand in a header", s, token)
		}
		for _, form := range []string{string(token), "<" + string(token) + ">"} {
			if again, err := ParseLockToken(form); err != nil || again != token {
				t.Fatalf("%q: %q, again %q %v", s, token, again, err)
			}
		}
	})
}

func FuzzDepth(f *testing.F) {
	for _, s := range []string{"0", "1", "infinity", "Infinite", "2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDepth(s)
		if err != nil {
			return
		}
		if again, err := ParseDepth(d.String()); err != nil || again != d {
			t.Fatalf("%q: %v, again %v %v", s, d, again, err)
		}
	})
}
