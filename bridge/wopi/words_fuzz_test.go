package wopi

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzNames: what is made of a suggested name is a name, near to it, with its extension.
func FuzzNames(f *testing.F) {
	f.Add(".docx", "Letter.odt", 1)
	f.Add("a/b\\c:d", "", 99)
	f.Add("...", ".x", 0)
	f.Add(strings.Repeat("é", 200)+".docx", "n.docx", 12345)
	f.Add("\xff\x00", "\n", -1)
	f.Fuzz(func(t *testing.T, suggested, source string, n int) {
		name := SuggestedName(suggested, source)
		if reason := CheckName(name); reason != "" {
			t.Fatalf("%q for %q: %q: %s", suggested, source, name, reason)
		}
		if again := RepairName(name); again != name {
			t.Fatalf("%q is repaired to %q and then to %q", suggested, name, again)
		}
		numbered := NumberedName(name, n)
		if reason := CheckName(numbered); reason != "" {
			t.Fatalf("%q, number %d: %q: %s", name, n, numbered, reason)
		}
		_, before := SplitExt(name)
		if _, after := SplitExt(numbered); !strings.EqualFold(after, before) {
			t.Fatalf("%q, number %d: %q has another extension", name, n, numbered)
		}
		if reason := CheckName(suggested); reason == "" && !utf8.ValidString(suggested) {
			t.Fatalf("%q is taken for a name", suggested)
		}
		if clean := SanitizeNative(suggested); strings.ContainsAny(clean, "\\/:*?\"<>|#{}^[]`%") {
			t.Fatalf("%q: %q", suggested, clean)
		}
	})
}

// FuzzOperation: whatever the headers say, a request is one operation, one that its endpoint can
// have or none.
func FuzzOperation(f *testing.F) {
	f.Add("POST", "", "LOCK", "A", "B")
	f.Add("POST", "contents", "PUT", "", "")
	f.Add("GET", "ancestry", "", "", "")
	f.Add("POST", "", "READ_SECURE_STORE", "", "")
	f.Fuzz(func(t *testing.T, method, suffix, override, lock, old string) {
		h := http.Header{}
		for name, value := range map[string]string{HeaderOverride: override, HeaderLock: lock, HeaderOldLock: old} {
			if value != "" {
				h.Set(name, value)
			}
		}
		for _, op := range []Operation{ReadOperation(method, suffix, h), ReadContainerOperation(method, suffix, h), ReadEcosystemOperation(method, suffix, h)} {
			if op == "" || strings.ContainsFunc(string(op), func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }) {
				t.Fatalf("%s %q %q: %q", method, suffix, override, op)
			}
		}
		if method != http.MethodGet && method != http.MethodPost && ReadOperation(method, suffix, h) != OpUnsupported {
			t.Fatalf("%s is %s", method, ReadOperation(method, suffix, h))
		}
	})
}

// FuzzHeaderValues: sizes are bounded, filters let through what they name, texts can be sent.
func FuzzHeaderValues(f *testing.F) {
	for _, s := range []string{"2147483647", "-1", ".docx, .XLSX,", "a\r\nSet-Cookie: x", "9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n := ParseMaxExpectedSize(s); n < 0 {
			t.Fatalf("%q: %d", s, n)
		}
		for ext := range ParseExtensionFilter(s) {
			if !strings.HasPrefix(ext, ".") || ext != strings.ToLower(ext) {
				t.Fatalf("%q lets %q through", s, ext)
			}
		}
		text := HeaderText(s)
		for i := range len(text) {
			if text[i] < ' ' || text[i] > '~' {
				t.Fatalf("%q is sent as %q", s, text)
			}
		}
		h := http.Header{}
		h.Set(HeaderLock, s)
		if id, err := ReadLock(h, HeaderLock); err == nil && (id == nil) != (s == "") || id != nil && (len(s) > MaxLockID || string(*id) != s) {
			t.Fatalf("a lock ID of %d bytes is read as %v, %v", len(s), id, err)
		}
	})
}
