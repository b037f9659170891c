package saves

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"davwopi/davbackend/dav"
)

var noon = time.Date(2026, 11, 20, 12, 4, 5, 0, time.UTC)

func TestCopyNames(t *testing.T) {
	for _, c := range []struct {
		what            string
		name, word, who string
		attempt         int
		want            string
	}{
		{"a conflict copy says who and when", "Report.odt", "conflict", "Ann", 0, "Report (conflict Ann 2026-11-20 12.04.05).odt"},
		{"the second says so", "Report.odt", "conflict", "Ann", 1, "Report (conflict Ann 2026-11-20 12.04.05 2).odt"},
		{"the outside version has no writer", "Report.odt", "outside", "", 0, "Report (outside 2026-11-20 12.04.05).odt"},
		{"what we call ourselves upstream is not in it", "a.docx", "recovered", "Ann Lee via davwopi", 0, "a (recovered Ann Lee 2026-11-20 12.04.05).docx"},
		{"a name without extension", "README", "conflict", "Bo", 0, "README (conflict Bo 2026-11-20 12.04.05)"},
		{"a hidden file has none either", ".profile", "conflict", "Bo", 0, ".profile (conflict Bo 2026-11-20 12.04.05)"},
		{"only the last dot counts", "a.tar.gz", "conflict", "Bo", 0, "a.tar (conflict Bo 2026-11-20 12.04.05).gz"},
		{"separators, brackets and controls go", "a.b", "conflict", "../e\\v:i\x00l (x)\u202e", 0, "a (conflict ..evil x 2026-11-20 12.04.05).b"},
		{"blanks are one", "a.b", "conflict", " A \t B ", 0, "a (conflict A B 2026-11-20 12.04.05).b"},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, ok := copyNames(c.name, c.word, c.who, noon)(c.attempt)
			if !ok || got != c.want {
				t.Errorf("got %q (%v), want %q", got, ok, c.want)
			}
		})
	}
}

func TestCopyNamesEnd(t *testing.T) {
	names := copyNames("a.b", "conflict", "Ann", noon)
	if _, ok := names(maxTries); ok {
		t.Error("names go on for ever")
	}
	if _, ok := names(-1); ok {
		t.Error("a negative attempt has a name")
	}
}

func FuzzCopyNames(f *testing.F) {
	f.Add("Report.odt", "Ann", 0)
	f.Add(strings.Repeat("ü", 127)+".docx", strings.Repeat("名", 60), 99)
	f.Add(".x", "", 3)
	f.Add("a."+strings.Repeat("e", 200), "\xff\xfe", 1)
	f.Fuzz(func(t *testing.T, name, who string, attempt int) {
		if dav.CheckName(name) != nil {
			t.Skip("not the name of a file")
		}
		names := copyNames(name, "conflict", who, noon)
		got, ok := names(attempt)
		if attempt >= 0 && attempt < maxTries != ok {
			t.Fatalf("attempt %d of %q by %q: %v", attempt, name, who, ok)
		}
		if !ok {
			return
		}
		if err := dav.CheckName(got); err != nil || len(got) > maxCopyName || !utf8.ValidString(got) {
			t.Errorf("%q by %q makes %q (%d bytes): %v", name, who, got, len(got), err)
		}
		if _, ext := splitExt(name); !strings.HasSuffix(got, ext) {
			t.Errorf("%q lost the extension %q", got, ext)
		}
		if next, ok := names(attempt + 1); ok && next == got {
			t.Errorf("two attempts are both %q", got)
		}
	})
}

func TestSpoolNames(t *testing.T) {
	for _, file := range []string{"", "abcdefghijklmnopqrstuvwxyz"} {
		id := newID()
		name := spoolName(id, "")
		if file != "" {
			name = id + "." + file + spoolSuffix
		}
		gotID, gotFile, ok := parseSpoolName(name)
		if !ok || gotID != id || string(gotFile) != file {
			t.Errorf("%q reads as %q, %q, %v", name, gotID, gotFile, ok)
		}
	}
	if _, _, ok := parseSpoolName("store"); ok {
		t.Error("the store's name passes for a spool")
	}
}
