package dav

import (
	"errors"
	"strings"
	"testing"
)

func TestParseETag(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     ETag // "" refused
	}{
		{"RFC 9110 8.8.3: strong", `"xyzzy"`, `"xyzzy"`},
		{"RFC 9110 8.8.3: weak", `W/"xyzzy"`, `W/"xyzzy"`},
		{"RFC 9110 8.8.3: empty opaque-tag", `""`, `""`},
		{"WsgiDAV leaves the quotes out", `1234-99-5`, `"1234-99-5"`},
		{"weak without quotes", `W/abc`, `W/"abc"`},
		{"lower-case w", `w/"abc"`, `W/"abc"`},
		{"quotes in quotes", `"&"x"&"`, `"&x&"`},
		{"spaces around", " \"a\"\n", `"a"`},
		{"nothing", "", ""},
		{"only W/", "W/", ""},
		{"header injection", "\"a\r\nIf: x\"", ""},
		{"not UTF-8", "\"\xff\"", ""},
		{"endless", strings.Repeat("x", 2000), ""},
	} {
		got, err := ParseETag(c.in)
		if c.want == "" != errors.Is(err, ErrSyntax) || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestETagComparison(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b ETag
		want bool
	}{
		{"Apache's weak tag becomes strong", `W/"a"`, `"a"`, true},
		{"equal", `"a"`, `"a"`, true},
		{"different", `"a"`, `"b"`, false},
		{"unknown is not even itself", "", "", false},
		{"unknown and known", "", `"a"`, false},
	} {
		if c.a.Same(c.b) != c.want || c.b.Same(c.a) != c.want {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
	if !ETag(`W/"a"`).Weak() || ETag(`"W/a"`).Weak() || ETag(`W/"a"`).Strong() != `"a"` {
		t.Error("Weak or Strong")
	}
}

func FuzzParseETag(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a"`, `a`, `W/`, `""`, `"a"b"`, "W/W/x", `W/ "a"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseETag(s)
		if err != nil {
			return
		}
		if again, err := ParseETag(string(e)); err != nil || again != e {
			t.Fatalf("not idempotent: %q -> %q -> %q, %v", s, e, again, err)
		}
		value := If{{Conditions: []Condition{{ETag: e}}}}.String()
		if back, err := ParseIf(value); err != nil || back[0].Conditions[0].ETag != e {
			t.Fatalf("%q does not stand in an If: %v, %v", e, back, err)
		}
	})
}
