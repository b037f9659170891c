package dav

import "testing"

func TestSameName(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.txt", "a.txt", true},
		{"README.txt", "readme.TXT", true},
		{"Z\u00fcrich", "Zu\u0308rich", true},
		{"Z\u00dcRICH", "zu\u0308rich", true},
		{"Zurich", "Z\u00fcrich", false},
		{"a", "a ", false},
		{"", "a", false},
		{"\xff", "\xfe", false},
	} {
		if got := SameName(c.a, c.b); got != c.want || SameName(c.b, c.a) != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
