package wopi_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"davwopi/bridge/wopi"
	"pgregory.net/rapid"
)

var utf7Vectors = []struct{ name, encoded string }{
	{"Budget 2026.xlsx", "Budget 2026.xlsx"},
	{"Größe.docx", "Gr+APYA3w-e.docx"},
	{"報告.pptx", "+WDFUSg-.pptx"},
	{"отчёт.docx", "+BD4EQgRHBFEEQg-.docx"},
	{"日本語 2.docx", "+ZeVnLIqe- 2.docx"},
	{"A+B & C.docx", "A+-B +ACY- C.docx"},
	{"name_v2 (final).docx", "name+AF8-v2 (final).docx"},
	{"a~b.xlsx", "a+AH4-b.xlsx"},
	{"\U0001F600.docx", "+2D3eAA-.docx"},
	{".docx", ".docx"},
}

func TestUTF7Vectors(t *testing.T) {
	for _, v := range utf7Vectors {
		t.Run(v.name, func(t *testing.T) {
			if got := wopi.EncodeUTF7(v.name); got != v.encoded {
				t.Errorf("encoded %q, want %q", got, v.encoded)
			}
			if got, err := wopi.DecodeUTF7(v.encoded); err != nil || got != v.name {
				t.Errorf("decoded %q, %v; want %q", got, err, v.name)
			}
		})
	}
}

func TestDecodeUTF7(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a run ends with any character outside the alphabet, which is kept", "Gr+APY.docx", "Grö.docx"},
		{"a run may end with the value", "Gr+APY", "Grö"},
		{"the closing - is swallowed", "a+APY--b", "aö-b"},
		{"+- is a plus", "1+-1", "1+1"},
		{"a run after a run", "+APY-+APY-", "öö"},
		{"characters of set O may stand unencoded", "name_v2 & ~#{x}.docx", "name_v2 & ~#{x}.docx"},
		{"ASCII may be encoded too", "+AGEAYg-.txt", "ab.txt"},
		{"bytes above 0x7f are UTF-8", "Größe+APY-.docx", "Größe+APY-.docx"},
		{"empty", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := wopi.DecodeUTF7(tt.in); err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestDecodeUTF7Refuses(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"a run cut in the middle of a character", "Gr+AP"},
		{"a run cut in the middle of the second character", "Gr+APYA"},
		{"a run with six left-over bits", "+AGEA-"},
		{"left-over bits that are not zero", "+AGF-"},
		{"a plus before the end", "a+"},
		{"a plus before a character that is not base64", "a+ b"},
		{"a high surrogate alone", "+2D0-"},
		{"a high surrogate before something else", "+2D0AYQ-"},
		{"a low surrogate alone", "+3gA-"},
		{"an encoded NUL", "a+AAA-b"},
		{"an encoded line break", "a+AAo-b"},
		{"a plain tab", "a\tb"},
		{"DEL", "a\x7f"},
		{"a C1 control character", "a+AIU-"},
		{"bytes that are neither UTF-7 nor UTF-8", "Gr\xf6\xdfe"},
		{"more than 16 KiB", strings.Repeat("a", 16<<10+1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := wopi.DecodeUTF7(tt.in); !errors.Is(err, wopi.ErrMalformed) || got != "" {
				t.Errorf("got %q, %v; want ErrMalformed", got, err)
			}
		})
	}
}

func TestEncodeUTF7KeepsOuterSpaces(t *testing.T) {
	if got := wopi.EncodeUTF7(" a "); got != "+ACA-a+ACA-" {
		t.Errorf("got %q", got)
	}
	if got := wopi.EncodeUTF7("a\r\nb"); strings.ContainsAny(got, "\r\n") {
		t.Errorf("a line break in a header: %q", got)
	}
}

func TestUTF7ComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[^\pC]*`).Draw(t, "name")
		if got, err := wopi.DecodeUTF7(wopi.EncodeUTF7(name)); err != nil || got != name {
			t.Fatalf("%q came back as %q, %v", name, got, err)
		}
	})
}

// Whatever decodes is a clean name that survives another round.
func FuzzUTF7(f *testing.F) {
	for _, v := range utf7Vectors {
		f.Add(v.encoded)
		f.Add(v.name)
	}
	for _, s := range []string{"+", "+-", "+AP", "+2D0-", "+AAA-", "\xff", "a+ b", "+APY+APY-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := wopi.DecodeUTF7(s)
		if err != nil {
			if !errors.Is(err, wopi.ErrMalformed) || name != "" {
				t.Fatalf("%q, %v", name, err)
			}
			return
		}
		if !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\r\n\x7f") {
			t.Fatalf("%q decodes to %q", s, name)
		}
		encoded := wopi.EncodeUTF7(name)
		if len(encoded) > 16<<10 {
			return
		}
		if again, err := wopi.DecodeUTF7(encoded); err != nil || again != name {
			t.Fatalf("%q -> %q -> %q, %v", s, name, again, err)
		}
	})
}
