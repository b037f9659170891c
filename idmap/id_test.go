package idmap_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"davwopi/idmap"
)

func TestParseFileID(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"26 characters of the alphabet", "abcdefghijklmnopqrstuvwx27", true},
		{"empty", "", false},
		{"25 characters", strings.Repeat("a", 25), false},
		{"27 characters", strings.Repeat("a", 27), false},
		{"upper case", strings.Repeat("A", 26), false},
		{"0, 1, 8 and 9 are not of base32", strings.Repeat("a", 25) + "1", false},
		{"8", strings.Repeat("a", 25) + "8", false},
		{"a slash", strings.Repeat("a", 25) + "/", false},
		{"a newline", strings.Repeat("a", 25) + "\n", false},
		{"not ASCII", strings.Repeat("a", 24) + "ä", false},
	} {
		id, err := idmap.ParseFileID(c.in)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, idmap.ErrBadFileID) || c.ok && string(id) != c.in || !c.ok && id != "" {
			t.Errorf("%s: %q, %v", c.name, id, err)
		}
	}
}

func FuzzParseFileID(f *testing.F) {
	form := regexp.MustCompile(`\A[a-z2-7]{26}\z`)
	for _, s := range []string{"", "a", strings.Repeat("a", 26), strings.Repeat("7", 26), strings.Repeat("1", 26)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := idmap.ParseFileID(s)
		if (err == nil) != form.MatchString(s) || err == nil && string(id) != s {
			t.Fatalf("%q: %q, %v", s, id, err)
		}
	})
}

func TestKind(t *testing.T) {
	if idmap.File.String() != "file" || idmap.Container.String() != "container" || idmap.Kind(0).String() != "unknown" {
		t.Error("names of kinds")
	}
}
