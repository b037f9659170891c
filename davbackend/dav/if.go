package dav

import (
	"fmt"
	"strings"
)

const (
	maxIf           = 16 << 10 // bytes of an If header
	maxIfLists      = 64
	maxIfConditions = 64 // in one list
)

// noLock is the token that no resource ever has (RFC 4918 10.4.8).
const noLock LockToken = "DAV:no-lock"

// An If is the value of an If header (RFC 4918 10.4): it holds if one of its lists
// does. Either every list has a Tag or none has.
type If []IfList

// An IfList holds if all of its Conditions do.
type IfList struct {
	Tag        string // the resource it is about: absolute URL or path; "" the one requested
	Conditions []Condition
}

// A Condition is one term of a list: a lock token or an entity tag, one of the two.
type Condition struct {
	Not   bool
	Token LockToken
	ETag  ETag
}

// String prints i as RFC 4918 10.4.2 has it; consecutive lists with one Tag share it.
// A list or a condition with nothing in it prints as one that never holds, so that a
// condition lost on the way refuses a write.
func (i If) String() string {
	var b strings.Builder
	for n, list := range i {
		if n > 0 {
			b.WriteByte(' ')
		}
		if list.Tag != "" && (n == 0 || i[n-1].Tag != list.Tag) {
			b.WriteString("<" + list.Tag + "> ")
		}
		b.WriteByte('(')
		if len(list.Conditions) == 0 {
			b.WriteString("<" + string(noLock) + ">")
		}
		for k, c := range list.Conditions {
			if k > 0 {
				b.WriteByte(' ')
			}
			c.print(&b)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func (c Condition) print(b *strings.Builder) {
	not := ""
	if c.Not {
		not = "Not "
	}
	if c.Token == "" && c.ETag == "" {
		b.WriteString("<" + string(noLock) + ">")
		return
	}
	if c.Token != "" {
		b.WriteString(not + "<" + string(c.Token) + ">")
	}
	if c.ETag != "" {
		if c.Token != "" {
			b.WriteByte(' ')
		}
		b.WriteString(not + "[" + string(c.ETag) + "]")
	}
}

// ParseIf reads the value of an If header. Anything that RFC 4918 10.4.2 does not
// allow is [ErrSyntax]; so are a header over 16 KiB and more than 64 lists or 64
// conditions in a list.
func ParseIf(s string) (If, error) {
	if len(s) > maxIf {
		return nil, fmt.Errorf("%w: If longer than %d bytes", ErrSyntax, maxIf)
	}
	p := ifParser{rest: s}
	var out If
	tag, fresh := "", false // fresh: a tag that no list has followed yet
	for p.skip(); p.rest != ""; p.skip() {
		switch p.rest[0] {
		case '<':
			if fresh || tag == "" && len(out) > 0 {
				return nil, fmt.Errorf("%w: If has a tag where a list should be", ErrSyntax)
			}
			uri, err := p.coded()
			if err != nil {
				return nil, err
			}
			tag, fresh = uri, true
		case '(':
			conditions, err := p.list()
			if err != nil {
				return nil, err
			}
			out, fresh = append(out, IfList{Tag: tag, Conditions: conditions}), false
			if len(out) > maxIfLists {
				return nil, fmt.Errorf("%w: If has more than %d lists", ErrSyntax, maxIfLists)
			}
		default:
			return nil, fmt.Errorf("%w: If has neither tag nor list", ErrSyntax)
		}
	}
	if len(out) == 0 || fresh {
		return nil, fmt.Errorf("%w: If without a list", ErrSyntax)
	}
	return out, nil
}

type ifParser struct{ rest string }

func (p *ifParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// coded reads <uri>.
func (p *ifParser) coded() (string, error) {
	uri, rest, ok := strings.Cut(p.rest[1:], ">")
	if !ok {
		return "", fmt.Errorf("%w: If has an unclosed <", ErrSyntax)
	}
	if err := checkCoded(uri); err != nil {
		return "", err
	}
	p.rest = rest
	return uri, nil
}

func (p *ifParser) list() ([]Condition, error) {
	p.rest = p.rest[1:]
	var out []Condition
	for {
		p.skip()
		if strings.HasPrefix(p.rest, ")") {
			p.rest = p.rest[1:]
			if len(out) == 0 {
				return nil, fmt.Errorf("%w: If has an empty list", ErrSyntax)
			}
			return out, nil
		}
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		if out = append(out, c); len(out) > maxIfConditions {
			return nil, fmt.Errorf("%w: If has more than %d conditions in a list", ErrSyntax, maxIfConditions)
		}
	}
}

func (p *ifParser) condition() (Condition, error) {
	var c Condition
	if len(p.rest) >= 3 && strings.EqualFold(p.rest[:3], "not") {
		c.Not = true
		p.rest = p.rest[3:]
		p.skip()
	}
	switch {
	case strings.HasPrefix(p.rest, "<"):
		uri, err := p.coded()
		if err != nil {
			return Condition{}, err
		}
		c.Token = LockToken(uri)
		return c, nil
	case strings.HasPrefix(p.rest, "["):
		tag, err := p.etag()
		c.ETag = tag
		return c, err
	}
	return Condition{}, fmt.Errorf("%w: If has a condition that is neither token nor entity tag", ErrSyntax)
}

// etag reads [W/"..."]; a ] inside the quotes belongs to the tag.
func (p *ifParser) etag() (ETag, error) {
	rest := strings.TrimLeft(p.rest[1:], " \t")
	prefix := ""
	if r, ok := cutWeak(rest); ok {
		prefix, rest = "W/", r
	}
	if !strings.HasPrefix(rest, `"`) {
		return "", fmt.Errorf("%w: If has an entity tag without quotes", ErrSyntax)
	}
	opaque, rest, ok := strings.Cut(rest[1:], `"`)
	if !ok {
		return "", fmt.Errorf("%w: If has an unclosed quote", ErrSyntax)
	}
	rest = strings.TrimLeft(rest, " \t")
	if !strings.HasPrefix(rest, "]") {
		return "", fmt.Errorf("%w: If has an unclosed [", ErrSyntax)
	}
	p.rest = rest[1:]
	return ParseETag(prefix + `"` + opaque + `"`)
}
