package web

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"davwopi/bridge/words"
)

// kinds maps extensions to what a file is for people; the name of a kind is that
// of its icon.
var kinds = map[string]string{
	"doc":     "doc docx docm dot dotx odt ott fodt rtf pages wpd",
	"sheet":   "xls xlsx xlsm xlsb xlt xltx ods ots fods numbers",
	"slides":  "ppt pptx pptm pot potx pps ppsx odp otp fodp key",
	"pdf":     "pdf djvu xps oxps epub",
	"image":   "png jpg jpeg gif webp avif heic heif bmp tif tiff svg ico raw cr2 nef odg vsd vsdx psd",
	"audio":   "mp3 m4a aac flac ogg oga opus wav wma mid",
	"video":   "mp4 m4v mkv webm mov avi wmv mpg mpeg 3gp",
	"archive": "zip 7z rar tar gz tgz bz2 xz zst iso dmg deb rpm",
	"text":    "txt text md markdown log rst adoc org tex csv tsv ini conf cfg nfo srt vtt",
	"code":    "json yaml yml toml xml html htm css js mjs ts py go rb php java c h cc cpp hpp rs sh sql lua pl",
}

// kindName is a kind as screen readers say it.
func kindName(kind string) words.Text { return words.Say("kind." + kind) }

// extension is that of a name, in lower case and without its dot. A dot in front
// begins a name, not an extension.
func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return ""
	}
	return strings.ToLower(name[i+1:])
}

// kindOf is the kind of the file with that extension.
func kindOf(ext string) string {
	if ext == "" {
		return "file"
	}
	for kind, list := range kinds {
		for len(list) > 0 {
			var e string
			if e, list, _ = strings.Cut(list, " "); e == ext {
				return kind
			}
		}
	}
	return "file"
}

// office says whether files of that kind want Collabora, ONLYOFFICE or
// Microsoft Office, so that opening one without is worth an explanation.
func office(kind string) bool { return kind == "doc" || kind == "sheet" || kind == "slides" }

// lockFile says whether a name is that of a desktop program's lock file or of an
// upload of ours on its way.
func lockFile(name string) bool {
	return strings.HasPrefix(name, ".~lock.") || strings.HasPrefix(name, "~$") || strings.HasPrefix(name, ".davwopi-")
}

// naturally compares names as people sort them: without regard to case and marks on
// letters, so that Äpfel come before Birnen, and numbers by their value, so that "page 9"
// comes before "page 10". Equal only for equal names.
func naturally(a, b string) int {
	x, y := unmarked(a), unmarked(b)
	for x != "" && y != "" {
		if digit(x[0]) && digit(y[0]) {
			var m, n string
			m, x = digits(x)
			n, y = digits(y)
			if c := byValue(m, n); c != 0 {
				return c
			}
			x, y = unmarked(x), unmarked(y)
			continue
		}
		r, i := letter(x)
		q, j := letter(y)
		if c := int(r) - int(q); c != 0 {
			return c
		}
		x, y = unmarked(x[i:]), unmarked(y[j:])
	}
	if c := len(x) - len(y); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// letter is the first letter of s as it is sorted, and its length in s.
func letter(s string) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	if r >= utf8.RuneSelf {
		if base := norm.NFD.PropertiesString(s).Decomposition(); len(base) > 0 {
			r, _ = utf8.DecodeRune(base)
		}
	}
	r = unicode.ToLower(r)
	if base, ok := bases[r]; ok {
		r = base
	}
	return r, n
}

// bases are letters that stand with another one, though Unicode knows no mark to take off.
var bases = map[rune]rune{'ß': 's', 'æ': 'a', 'ø': 'o', 'œ': 'o', 'ł': 'l', 'đ': 'd'}

// unmarked is s without the marks at its beginning: they belong to what came before.
func unmarked(s string) string {
	for s != "" && s[0] >= utf8.RuneSelf {
		r, n := utf8.DecodeRuneInString(s)
		if !unicode.Is(unicode.Mn, r) {
			break
		}
		s = s[n:]
	}
	return s
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// digits splits s behind its leading digits.
func digits(s string) (number, rest string) {
	i := 0
	for i < len(s) && digit(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func byValue(m, n string) int {
	m, n = strings.TrimLeft(m, "0"), strings.TrimLeft(n, "0")
	if len(m) != len(n) {
		return len(m) - len(n)
	}
	return strings.Compare(m, n)
}
