package wopi

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxName is the length of the longest name of a file or folder, in bytes of
// UTF-8, that the usual file systems hold.
const MaxName = 255

// CheckName says why name cannot be the name of a file or container, or "" if
// it can. It refuses only what no server can hold: the empty name, "." and
// "..", slashes, backslashes, NUL and other control characters, bytes that are
// not UTF-8, and more than [MaxName] bytes. The reason is printable ASCII, fit
// for X-WOPI-InvalidFileNameError.
func CheckName(name string) (reason string) {
	switch {
	case name == "":
		return "the name is empty"
	case name == "." || name == "..":
		return "the name is only dots"
	case len(name) > MaxName:
		return fmt.Sprintf("the name has %d bytes, more than %d", len(name), MaxName)
	case !utf8.ValidString(name):
		return "the name is not UTF-8"
	}
	for _, r := range name {
		if r == '/' || r == '\\' {
			return "character not allowed: " + string(r)
		}
		if isControl(r) {
			return fmt.Sprintf("control character not allowed: %U", r)
		}
	}
	return ""
}

// RepairName returns a name near to name that passes [CheckName], for targets
// that an office only suggests and that may never be refused. It also removes
// what Windows and SMB cannot show: spaces at the ends, dots at the end, and
// the characters : * ? " < > |.
func RepairName(name string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(name, "_") {
		if isControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			r = '_'
		}
		b.WriteRune(r)
	}
	name = strings.TrimRight(strings.TrimSpace(b.String()), " .")
	stem, ext := SplitExt(name)
	if strings.Trim(stem, ". ") == "" {
		stem = "document"
	}
	return fit(stem, "", ext)
}

// SplitExt splits a name into stem and extension. The extension has its dot; it
// is "" if the only dot is the first or the last character.
func SplitExt(name string) (stem, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || i == len(name)-1 {
		return name, ""
	}
	return name[:i], name[i:]
}

// SuggestedName returns the name that X-WOPI-SuggestedTarget asks for, repaired.
// If suggested begins with a dot it is only an extension, which takes the stem
// of source, the name of the file that the request is about.
func SuggestedName(suggested, source string) string {
	if strings.HasPrefix(suggested, ".") {
		stem, _ := SplitExt(source)
		if stem == "" {
			stem = "document"
		}
		suggested = stem + suggested
	}
	return RepairName(suggested)
}

// NumberedName returns the n-th other name for a name that is taken, with the
// same extension: "a (1).docx". It never exceeds [MaxName].
func NumberedName(name string, n int) string {
	stem, ext := SplitExt(name)
	return fit(stem, fmt.Sprintf(" (%d)", n), ext)
}

// RenamedName returns the name that X-WOPI-RequestedName asks for: the
// extension of the file called current is kept. An office that sent it along
// does not get it twice.
func RenamedName(requested, current string) string {
	_, ext := SplitExt(current)
	if ext == "" {
		return requested
	}
	cut := len(requested) - len(ext)
	if cut > 0 && strings.EqualFold(requested[cut:], ext) {
		requested = requested[:cut]
	}
	return requested + ext
}

// fit cuts the stem, never in the middle of a character, until the whole name
// has at most MaxName bytes. An extension that would fill the name is cut too.
func fit(stem, number, ext string) string {
	ext = cutString(ext, MaxName/2)
	room := MaxName - len(number) - len(ext)
	if short := cutString(stem, room); short != stem {
		stem = strings.TrimRight(short, " .")
	}
	return stem + number + ext
}

func cutString(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// SanitizeNative replaces each character that makes Office on iOS fail by "-".
// It is for BaseFileName, UserId, OwnerId and a container's Name in answers to
// native apps. Nothing may be looked up by the result.
func SanitizeNative(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\\/:*?\"<>|#{}^[]`%", r) {
			return '-'
		}
		return r
	}, s)
}

// MaxUserInfo is the size of the largest body of PutUserInfo, in bytes.
const MaxUserInfo = 1024

// CheckUserInfo takes the body of PutUserInfo, which is an opaque string of at
// most [MaxUserInfo] bytes of ASCII. The error wraps [ErrMalformed].
func CheckUserInfo(body []byte) (string, error) {
	if len(body) > MaxUserInfo {
		return "", fmt.Errorf("%w: UserInfo has more than %d bytes", ErrMalformed, MaxUserInfo)
	}
	for i, c := range body {
		if c > 0x7e || c < 0x20 && c != '\t' && c != '\r' && c != '\n' {
			return "", fmt.Errorf("%w: UserInfo has a byte that is not ASCII text at %d", ErrMalformed, i)
		}
	}
	return string(body), nil
}
