package wopi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
)

func TestParseLockID(t *testing.T) {
	for _, tt := range []struct {
		name, header string
		ok           bool
	}{
		{"a lock ID of 256 characters", strings.Repeat("a", 256), true},
		{"a lock ID of 1,024 characters", strings.Repeat("a", 1024), true},
		{"one more", strings.Repeat("a", 1025), false},
		{"a lock ID that looks like JSON", `{"S":"b1946ac9","F":4}`, true},
		{"spaces inside", "a b", true},
		{"empty", "", false},
		{"NUL", "a\x00b", false},
		{"a line break", "a\nb", false},
		{"DEL", "a\x7f", false},
		{"not ASCII", "ü", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := wopi.ParseLockID(tt.header)
			if tt.ok && (err != nil || string(id) != tt.header) {
				t.Errorf("got %q, %v", id, err)
			}
			if !tt.ok && (!errors.Is(err, wopi.ErrMalformed) || id != "") {
				t.Errorf("got %q, %v; want ErrMalformed", id, err)
			}
		})
	}
}

func TestReadLock(t *testing.T) {
	h := http.Header{}
	if id, err := wopi.ReadLock(h, wopi.HeaderLock); id != nil || err != nil {
		t.Errorf("missing header: %v, %v", id, err)
	}
	h.Set(wopi.HeaderLock, "")
	if id, err := wopi.ReadLock(h, wopi.HeaderLock); id != nil || err != nil {
		t.Errorf("empty header: %v, %v", id, err)
	}
	h.Set(wopi.HeaderLock, "A")
	if id, err := wopi.ReadLock(h, wopi.HeaderLock); err != nil || id == nil || *id != "A" {
		t.Errorf("one header: %v, %v", id, err)
	}
	h.Add(wopi.HeaderLock, "B")
	if id, err := wopi.ReadLock(h, wopi.HeaderLock); id != nil || !errors.Is(err, wopi.ErrMalformed) {
		t.Errorf("two headers: %v, %v", id, err)
	}
	h.Set(wopi.HeaderLock, "\x01")
	if id, err := wopi.ReadLock(h, wopi.HeaderLock); id != nil || !errors.Is(err, wopi.ErrMalformed) {
		t.Errorf("bad header: %v, %v", id, err)
	}
}

// What is a lock ID goes through a header and comes back the same.
func FuzzLockID(f *testing.F) {
	for _, s := range []string{"", "a", " a ", `{"S":"x"}`, "ü", "a\r\nX-Evil: 1", strings.Repeat("x", 1024), strings.Repeat("x", 1025)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := wopi.ParseLockID(s)
		if err != nil {
			if !errors.Is(err, wopi.ErrMalformed) || id != "" {
				t.Fatalf("%q, %v", id, err)
			}
			return
		}
		if string(id) != s || len(s) == 0 || len(s) > wopi.MaxLockID || wopi.HeaderText(s[:min(len(s), wopi.MaxHeaderText)]) != strings.TrimSpace(s[:min(len(s), wopi.MaxHeaderText)]) {
			t.Fatalf("accepted %q as %q", s, id)
		}
	})
}
