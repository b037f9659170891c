package dav

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName = 255  // bytes, of one segment
	maxPath = 4096 // bytes, of a whole decoded path
)

// A Path is the clean, absolute, decoded path of a resource on the upstream,
// relative to the collection that was configured as its root. It has no trailing
// slash, except for the root "/". [ParsePath], [ParseHref] and [Path.Join] are the
// only ways in, so a Path in hand needs no further checking. Names are bytes: no
// Unicode normalisation takes place.
type Path string

// Root is the configured collection itself.
const Root Path = "/"

// ParsePath reads a decoded absolute path. A trailing slash is dropped and doubled
// slashes count once. "." and ".." segments, backslashes, control characters,
// invalid UTF-8, names over 255 bytes and paths over 4,096 bytes are refused with
// [ErrBadPath].
func ParsePath(s string) (Path, error) {
	if !strings.HasPrefix(s, "/") {
		return "", fmt.Errorf("%w: not absolute", ErrBadPath)
	}
	var segments []string
	for name := range strings.SplitSeq(s, "/") {
		if name == "" {
			continue
		}
		if err := CheckName(name); err != nil {
			return "", err
		}
		segments = append(segments, name)
	}
	return fromSegments(segments)
}

func fromSegments(segments []string) (Path, error) {
	p := "/" + strings.Join(segments, "/")
	if len(p) > maxPath {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrBadPath, maxPath)
	}
	return Path(p), nil
}

// ParseHref reads an href of a multistatus: an absolute URL or an absolute path,
// percent-encoded in whatever way the server likes. The result is relative to
// base's path; base nil is "/". An href that does not lie at or below base is
// refused with [ErrBadPath], as is everything that ParsePath refuses and a segment
// with an encoded slash. Scheme, host and query are not looked at. Base's own
// segments may differ in case, since some servers spell their mount point anew.
func ParseHref(href string, base *url.URL) (Path, error) {
	segments, err := hrefSegments(href)
	if err != nil {
		return "", err
	}
	var prefix []string
	if base != nil {
		if prefix, err = decodeSegments(base.EscapedPath()); err != nil {
			return "", err
		}
	}
	if len(segments) < len(prefix) {
		return "", fmt.Errorf("%w: href is not below the configured URL", ErrBadPath)
	}
	for i, name := range prefix {
		if segments[i] != name && !strings.EqualFold(segments[i], name) {
			return "", fmt.Errorf("%w: href is not below the configured URL", ErrBadPath)
		}
	}
	below := segments[len(prefix):]
	for _, name := range below {
		if err := CheckName(name); err != nil {
			return "", err
		}
	}
	return fromSegments(below)
}

func hrefSegments(href string) ([]string, error) {
	href = strings.TrimSpace(href)
	if len(href) > 4*maxPath {
		return nil, fmt.Errorf("%w: href longer than %d bytes", ErrBadPath, 4*maxPath)
	}
	if scheme, rest, ok := strings.Cut(href, "://"); ok && !strings.Contains(scheme, "/") {
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return nil, fmt.Errorf("%w: href has a scheme that is not http", ErrBadPath)
		}
		at := strings.IndexByte(rest, '/')
		if at < 0 {
			return nil, nil
		}
		href = rest[at:]
	}
	// "//x/y" is not a host here: some servers double the slash after the mount point.
	if !strings.HasPrefix(href, "/") {
		return nil, fmt.Errorf("%w: href is neither absolute URL nor absolute path", ErrBadPath)
	}
	href, _, _ = strings.Cut(href, "?")
	return decodeSegments(href)
}

// decodeSegments splits first and decodes then, so that %2F never makes a segment.
func decodeSegments(escaped string) ([]string, error) {
	var segments []string
	for raw := range strings.SplitSeq(escaped, "/") {
		if raw == "" {
			continue
		}
		name, err := url.PathUnescape(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: bad percent-encoding", ErrBadPath)
		}
		segments = append(segments, name)
	}
	return segments, nil
}

// CheckName says whether name can be one segment of a Path: not empty, not "." or
// "..", valid UTF-8 of at most 255 bytes without slash, backslash and control
// characters. Its errors wrap [ErrBadPath].
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: empty name", ErrBadPath)
	case name == "." || name == "..":
		return fmt.Errorf("%w: name is %q", ErrBadPath, name)
	case len(name) > maxName:
		return fmt.Errorf("%w: name longer than %d bytes", ErrBadPath, maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: name is not UTF-8", ErrBadPath)
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("%w: name contains a slash or backslash", ErrBadPath)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: name contains a control character", ErrBadPath)
	}
	return nil
}

// Join returns the path of the child called name. Its errors wrap [ErrBadPath].
func (p Path) Join(name string) (Path, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	return fromSegments(append(p.Segments(), name))
}

// Parent returns the collection that p is in; the root's parent is the root.
func (p Path) Parent() Path {
	at := strings.LastIndexByte(string(p), '/')
	if at <= 0 {
		return Root
	}
	return p[:at]
}

// Base returns p's last segment, "" for the root.
func (p Path) Base() string {
	return string(p[strings.LastIndexByte(string(p), '/')+1:])
}

// IsRoot reports whether p is the configured collection itself.
func (p Path) IsRoot() bool { return p == Root }

// Segments returns the decoded names from the root down; none for the root.
func (p Path) Segments() []string {
	trimmed := strings.Trim(string(p), "/")
	if trimmed == "" {
		return nil
	}
	return strings.Split(trimmed, "/")
}

// Escaped returns p percent-encoded for a URL: everything but slashes and RFC 3986
// unreserved characters is encoded, in upper-case hex.
func (p Path) Escaped() string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(p) + 16)
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '/' || unreserved(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// Contains reports whether q is p or lies below it.
func (p Path) Contains(q Path) bool {
	return p == q || p == Root || strings.HasPrefix(string(q), string(p)+"/")
}
