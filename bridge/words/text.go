package words

import (
	"html/template"
	"strings"
	"time"

	"golang.org/x/text/unicode/bidi"
)

// A Text is something to say, in no language yet: a key, and pairs of names and values. It
// is made by [Say] or [Plain]. An empty one says nothing and is false in a view.
type Text []any

// Say is the Text of a key with arguments, as pairs of names and values.
func Say(key string, args ...any) Text { return append(Text{key}, args...) }

// Plain is a Text that is the same in every language: somebody's name for something. ""
// says nothing.
func Plain(s string) Text {
	if s == "" {
		return nil
	}
	return Text{"", s}
}

// Say is the string of a key with arguments, as pairs of names and values.
func (l *Language) Say(key string, args ...any) string { return l.Text(Say(key, args...)) }

// Text is what t says.
func (l *Language) Text(t Text) string {
	if len(t) == 0 {
		return ""
	}
	key, _ := t[0].(string) // Say and Plain make it one
	if key == "" {
		return l.plain(t[1])
	}
	var b strings.Builder
	for i, part := range l.wording(key, t[1:]) {
		if i%2 == 0 {
			b.WriteString(part)
		} else {
			b.WriteString(l.plain(argument(t[1:], part)))
		}
	}
	return b.String()
}

// HTML is what t says as a part of a page, with the marks of its string. Arguments are
// escaped; a time gets its element, so that the page's script can put it in the person's
// own zone.
func (l *Language) HTML(t Text) template.HTML {
	if len(t) == 0 {
		return ""
	}
	key, _ := t[0].(string) // Say and Plain make it one
	if key == "" {
		return l.marked(t[1])
	}
	var b strings.Builder
	w := l.wording(key, t[1:])
	for i, part := range w {
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case strings.HasSuffix(w[i-1], `="`):
			b.WriteString(template.HTMLEscapeString(address(argument(t[1:], part))))
		default:
			b.WriteString(string(l.marked(argument(t[1:], part))))
		}
	}
	return template.HTML(b.String())
}

// address is a way to a page: ours, or one on the web. Anything else leads nowhere.
func address(v any) string {
	s, _ := v.(string) // then it is ""
	for _, begin := range []string{"/", "?", "http://", "https://"} {
		if strings.HasPrefix(s, begin) {
			return s
		}
	}
	return "#"
}

// plain is an argument as text.
func (l *Language) plain(v any) string {
	switch v := v.(type) {
	case string:
		return isolate(v)
	case Text:
		return l.Text(v)
	case time.Time:
		return l.When(v)
	case time.Duration:
		return l.Wait(v)
	case Size:
		return l.Size(int64(v))
	case Date:
		return l.date(v)
	case float64:
		return l.decimal(v)
	case []string:
		return l.Names(v)
	case []Text:
		names := make([]string, len(v))
		for i, t := range v {
			names[i] = l.Text(t)
		}
		return l.list(names)
	case English:
		return isolate(string(v))
	}
	if n, ok := whole(v); ok {
		return l.Number(n)
	}
	return ""
}

// marked is an argument as HTML.
func (l *Language) marked(v any) template.HTML {
	switch v := v.(type) {
	case Text:
		return l.HTML(v)
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return template.HTML(`<time datetime="` + stamp(v) + `">` + template.HTMLEscapeString(l.When(v)) + `</time>`)
	case string:
		return template.HTML(`<bdi>` + template.HTMLEscapeString(v) + `</bdi>`)
	case []string:
		parts := make([]string, len(v))
		for i, name := range v {
			parts[i] = string(l.marked(name))
		}
		return template.HTML(l.list(parts))
	case []Text:
		parts := make([]string, len(v))
		for i, t := range v {
			parts[i] = string(l.HTML(t))
		}
		return template.HTML(l.list(parts))
	case English:
		return template.HTML(`<bdi lang="en">` + template.HTMLEscapeString(string(v)) + `</bdi>`)
	}
	return template.HTML(template.HTMLEscapeString(l.plain(v)))
}

// English is an argument that a program has said, in English, whatever the language
// around it: screen readers are told so.
type English string

// isolate keeps a name that is written from right to left, or that has signs for the
// direction in it, from turning what stands beside it (Unicode UAX 9, 2.4 and 6.3).
func isolate(s string) string {
	for _, r := range s {
		if r < 0x80 {
			continue
		}
		p, _ := bidi.LookupRune(r)
		switch p.Class() {
		case bidi.R, bidi.AL, bidi.AN, bidi.Control, bidi.RLE, bidi.RLO, bidi.LRE, bidi.LRO, bidi.PDF, bidi.LRI, bidi.RLI, bidi.FSI, bidi.PDI:
			return "\u2068" + strings.ReplaceAll(s, "\u2069", "") + "\u2069"
		}
	}
	return s
}
