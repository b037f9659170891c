package wopi_test

import (
	"errors"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"pgregory.net/rapid"
)

func TestCheckName(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		ok       bool
	}{
		{"an ordinary name", "Budget 2026.xlsx", true},
		{"what Windows dislikes", `a:b*?"<>|#%.docx`, true},
		{"a hidden file", ".profile", true},
		{"three dots", "...", true},
		{"255 bytes", strings.Repeat("a", 255), true},
		{"256 bytes", strings.Repeat("a", 256), false},
		{"128 characters of two bytes", strings.Repeat("ö", 128), false},
		{"empty", "", false},
		{"one dot", ".", false},
		{"two dots", "..", false},
		{"a slash", "a/b", false},
		{"a backslash", `a\b`, false},
		{"NUL", "a\x00", false},
		{"a control character", "a\x1b", false},
		{"a C1 control character", "a\u0085", false},
		{"not UTF-8", "a\xff", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := wopi.CheckName(tt.in); (got == "") != tt.ok || got != wopi.HeaderText(got) {
				t.Errorf("reason %q", got)
			}
		})
	}
}

func TestRepairName(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a good name stays", "Größe 2 (final).docx", "Größe 2 (final).docx"},
		{"characters that cannot be", "a/b\\c\x00d.docx", "a_b_c_d.docx"},
		{"characters that Windows dislikes", `a:b*?"<>|.docx`, "a_b______.docx"},
		{"spaces at the ends and dots at the end", "  a.docx. . ", "a.docx"},
		{"nothing left", " .. ", "document"},
		{"empty", "", "document"},
		{"dots before an extension", "...docx", "document.docx"},
		{"too long, the extension stays", strings.Repeat("a", 530) + ".wopitestx", strings.Repeat("a", 245) + ".wopitestx"},
		{"never cut inside a character", strings.Repeat("ö", 200) + ".txt", strings.Repeat("ö", 125) + ".txt"},
		{"not UTF-8", "a\xffb", "a_b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := wopi.RepairName(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRepairedAndNumberedNamesPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a. /\\ö]{0,600}`)).Draw(t, "name")
		n := rapid.IntRange(1, 100000).Draw(t, "n")
		name := wopi.RepairName(in)
		if reason := wopi.CheckName(name); reason != "" {
			t.Fatalf("RepairName(%q) = %q: %s", in, name, reason)
		}
		numbered := wopi.NumberedName(name, n)
		if reason := wopi.CheckName(numbered); reason != "" {
			t.Fatalf("NumberedName(%q) = %q: %s", name, numbered, reason)
		}
		if numbered == name {
			t.Fatalf("NumberedName(%q) is the same", name)
		}
	})
}

func TestSplitExt(t *testing.T) {
	for _, tt := range []struct{ name, stem, ext string }{
		{"a.docx", "a", ".docx"},
		{"a.tar.GZ", "a.tar", ".GZ"},
		{"a", "a", ""},
		{".docx", ".docx", ""},
		{"a.", "a.", ""},
		{"..a", ".", ".a"},
	} {
		if stem, ext := wopi.SplitExt(tt.name); stem != tt.stem || ext != tt.ext {
			t.Errorf("%q: %q %q", tt.name, stem, ext)
		}
	}
}

func TestTargetNames(t *testing.T) {
	for _, tt := range []struct{ name, got, want string }{
		{"an extension takes the stem of the source", wopi.SuggestedName(".docx", "old.doc"), "old.docx"},
		{"an extension of a source without a name", wopi.SuggestedName(".docx", ""), "document.docx"},
		{"a full name is taken", wopi.SuggestedName("copy.docx", "old.doc"), "copy.docx"},
		{"a suggested name is repaired", wopi.SuggestedName("a/b.docx", "old.doc"), "a_b.docx"},
		{"a taken name gets a number", wopi.NumberedName("Größe.docx", 2), "Größe (2).docx"},
		{"a taken name without extension", wopi.NumberedName("Makefile", 1), "Makefile (1)"},
		{"a long taken name stays within bounds", wopi.NumberedName(strings.Repeat("a", 250)+".docx", 7), strings.Repeat("a", 246) + " (7).docx"},
		{"a rename keeps the extension", wopi.RenamedName("Budget_final", "Budget.xlsx"), "Budget_final.xlsx"},
		{"a rename to a stem with a dot", wopi.RenamedName("Report v1.2", "r.docx"), "Report v1.2.docx"},
		{"a rename with the extension sent along", wopi.RenamedName("a.DOCX", "r.docx"), "a.docx"},
		{"a rename to the extension alone", wopi.RenamedName(".docx", "r.docx"), ".docx.docx"},
		{"a rename of a file without extension", wopi.RenamedName("b", "a"), "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestSanitizeNative(t *testing.T) {
	if got := wopi.SanitizeNative("\\/:*?\"<>|#{}^[]`%a ö.docx"); got != strings.Repeat("-", 17)+"a ö.docx" {
		t.Errorf("got %q", got)
	}
}

func TestCheckUserInfo(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		ok         bool
	}{
		{"empty", "", true},
		{"1,024 ASCII characters", strings.Repeat("a", 1024), true},
		{"one more", strings.Repeat("a", 1025), false},
		{"lines", "a=1\r\n\tb=2", true},
		{"NUL", "a\x00", false},
		{"not ASCII", "ü", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wopi.CheckUserInfo([]byte(tt.body))
			if tt.ok && (err != nil || got != tt.body) {
				t.Errorf("got %q, %v", got, err)
			}
			if !tt.ok && !errors.Is(err, wopi.ErrMalformed) {
				t.Errorf("got %q, %v; want ErrMalformed", got, err)
			}
		})
	}
}
