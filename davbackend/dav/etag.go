package dav

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxETag = 1024 // bytes

// An ETag is an entity tag (RFC 9110 8.8.3) with its quotes and, if it is weak, W/.
// "" is "unknown".
type ETag string

// ParseETag reads an entity tag. Missing quotes are added (WsgiDAV's PROPFIND),
// quotes inside are dropped. Empty, over-long, not UTF-8 and control characters are
// [ErrSyntax].
func ParseETag(s string) (ETag, error) {
	s = strings.TrimSpace(s)
	prefix := ""
	if rest, ok := cutWeak(s); ok {
		prefix, s = "W/", rest
	}
	if s == "" {
		return "", fmt.Errorf("%w: empty entity tag", ErrSyntax)
	}
	opaque := strings.TrimSpace(strings.ReplaceAll(s, `"`, ""))
	if len(opaque) > maxETag {
		return "", fmt.Errorf("%w: entity tag longer than %d bytes", ErrSyntax, maxETag)
	}
	if !utf8.ValidString(opaque) || strings.ContainsFunc(opaque, unicode.IsControl) {
		return "", fmt.Errorf("%w: entity tag with characters that cannot be sent", ErrSyntax)
	}
	return ETag(prefix + `"` + opaque + `"`), nil
}

func cutWeak(s string) (string, bool) {
	if rest, ok := strings.CutPrefix(s, "W/"); ok {
		return rest, true
	}
	return strings.CutPrefix(s, `w/`)
}

// Weak reports whether e only promises equal meaning, not equal bytes.
func (e ETag) Weak() bool { return strings.HasPrefix(string(e), "W/") }

// Strong returns e without W/.
func (e ETag) Strong() ETag { return ETag(strings.TrimPrefix(string(e), "W/")) }

// Same is the weak comparison of RFC 9110 8.8.3.2, false if either is unknown.
// Apache's tags are weak for two seconds after a write and then become strong.
func (e ETag) Same(o ETag) bool { return e != "" && o != "" && e.Strong() == o.Strong() }
