package web

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"davwopi/bridge/words"
)

func TestNamesAreSortedAsPeopleSortThem(t *testing.T) {
	want := []string{
		"a", "A1", "a2", "a02b", "a10", "Äpfel.txt", "arzt", "B", "e\u0301cole", "Eder", "file 9.txt", "file 10.txt",
		"\u00d6l", "o\u0308l 2", "Ort", "stra\u00dfe", "Strauch", "Ünder", "zebra",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, naturally)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNaturalOrderIsAnOrder(t *testing.T) {
	name := rapid.StringOfN(rapid.RuneFrom([]rune("aAbB019.éÉ\u0301ß \xff")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := name.Draw(t, "a"), name.Draw(t, "b"), name.Draw(t, "c")
		sign := func(n int) int { return max(-1, min(1, n)) }
		if (naturally(a, b) == 0) != (a == b) {
			t.Fatalf("%q and %q: equal only if the same", a, b)
		}
		if sign(naturally(a, b)) != -sign(naturally(b, a)) {
			t.Fatalf("%q and %q: not symmetric", a, b)
		}
		if naturally(a, b) <= 0 && naturally(b, c) <= 0 && naturally(a, c) > 0 {
			t.Fatalf("%q, %q, %q: not transitive", a, b, c)
		}
	})
}

func TestKinds(t *testing.T) {
	for name, want := range map[string]string{
		"a.DOCX": "doc", "b.ods": "sheet", "c.odp": "slides", "d.pdf": "pdf", "e.txt": "text", "f.go": "code", "g.jpeg": "image",
		"h.mp3": "audio", "i.mkv": "video", "j.tar.gz": "archive", "k": "file", ".profile": "file", "l.unknown": "file", "m.": "file",
	} {
		if got := kindOf(extension(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for kind := range kinds {
		if strings.HasPrefix(words.All()[0].Text(kindName(kind)), "kind.") {
			t.Errorf("kind %s has no name for screen readers", kind)
		}
	}
}

func TestLanguageAndOrigins(t *testing.T) {
	for in, want := range map[string]string{"https://a.example:8443/x?y": "https://a.example:8443", "ftp://a": "", "javascript:x": "", "/x": "", "": ""} {
		if got := originOf(in); got != want {
			t.Errorf("origin of %q: %q", in, got)
		}
	}
}
