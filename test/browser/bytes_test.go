package browser

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// thereAndBack does what opening and saving do, with a text area between.
const thereAndBack = `const f = text.decode(new Uint8Array(BYTES));
const box = document.createElement('textarea');
box.value = f.value;
return {Editable: f.editable, Mixed: Boolean(f.mixed), Value: box.value, Back: [...text.encode(box.value, f)]}`

func TestBytesSurviveExactly(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	d.Write("a.txt", "x")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("a.txt")
	open(w, "a.txt")
	w.Sees("All changes saved")
	for name, c := range map[string]struct {
		content         string
		editable, mixed bool
		shows           string
	}{
		"LF":                      {"a\nb\n", true, false, "a\nb\n"},
		"CRLF":                    {"a\r\nb", true, false, "a\nb"},
		"CR alone":                {"a\rb\r", true, false, "a\nb\n"},
		"mixed ends":              {"a\r\nb\n", true, true, "a\nb\n"},
		"empty":                   {"", true, false, ""},
		"BOM":                     {"\ufeffä", true, false, "ä"},
		"BOM and nothing":         {"\ufeff", true, false, ""},
		"two BOMs":                {"\ufeff\ufeffa", true, false, "\ufeffa"},
		"beyond the basic plane":  {"😀\u0301 \u202e", true, false, "😀\u0301 \u202e"},
		"line separator":          {"a\u2028b\u0085c\vd\fe", true, false, "a\u2028b\u0085c\vd\fe"},
		"noncharacter":            {"a\ufffeb", true, false, "a\ufffeb"},
		"replacement character":   {"a\ufffdb", true, false, "a\ufffdb"},
		"Latin-1":                 {"caf\xe9", false, false, "café"},
		"cut in a character":      {"a\xc3", false, false, "aÃ"},
		"overlong":                {"\xc0\xaf", false, false, "À¯"},
		"surrogate":               {"\xed\xa0\x80", false, false, "í\u00a0€"},
		"UTF-16 with BOM":         {"\xff\xfea\x00", false, false, "a"},
		"UTF-16 big end with BOM": {"\xfe\xff\x00a", false, false, "a"},
		"NUL":                     {"a\x00b", false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			numbers := make([]int, 0, len(c.content))
			for _, b := range []byte(c.content) {
				numbers = append(numbers, int(b))
			}
			list, err := json.Marshal(numbers)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Editable, Mixed bool
				Value           string
				Back            []int
			}
			w.Run(strings.Replace(thereAndBack, "BYTES", string(list), 1), &got)
			if got.Editable != c.editable || got.Mixed != c.mixed || got.Value != c.shows {
				t.Errorf("%+v", got)
			}
			if c.editable && !c.mixed && !slices.Equal(got.Back, numbers) {
				t.Errorf("%v came back as %v", numbers, got.Back)
			}
		})
	}
	w.t = t
}
