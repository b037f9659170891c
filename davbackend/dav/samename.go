package dav

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// SameName reports whether two names are one for people, and for servers that do not
// tell upper case from lower, or the composed form of a letter from the decomposed one:
// they differ in nothing else.
func SameName(a, b string) bool {
	if a == b || !utf8.ValidString(a) || !utf8.ValidString(b) {
		return a == b
	}
	return strings.EqualFold(norm.NFC.String(a), norm.NFC.String(b))
}
