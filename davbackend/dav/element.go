package dav

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A PropName names a property, or any XML element. DAV's own space is "DAV:".
type PropName struct{ Space, Local string }

// String prints n as {space}local.
func (n PropName) String() string { return "{" + n.Space + "}" + n.Local }

// An Element is a bounded piece of XML: comments, processing instructions and
// attributes are dropped.
type Element struct {
	Name     PropName
	Text     string // character data directly inside, in order
	Children []Element
}

// Child returns the first child of that name.
func (e Element) Child(space, local string) (Element, bool) {
	for _, c := range e.Children {
		if c.Name == (PropName{space, local}) {
			return c, true
		}
	}
	return Element{}, false
}

// AllText returns all character data below e, trimmed.
func (e Element) AllText() string {
	var b strings.Builder
	e.gather(&b)
	return strings.TrimSpace(b.String())
}

func (e Element) gather(b *strings.Builder) {
	b.WriteString(e.Text)
	for _, c := range e.Children {
		c.gather(b)
	}
}

// Limits bound what a document may cost. A field that is 0 has the value of
// [DefaultLimits].
type Limits struct {
	Bytes     int64 // of the whole document
	Token     int   // bytes of one tag with its attributes, or one run of text
	Depth     int   // of nesting inside one response
	Elements  int   // inside one response
	Responses int   // in one multistatus
}

// DefaultLimits admit a listing of some hundred thousand entries and a property of
// several hundred kilobytes.
func DefaultLimits() Limits {
	return Limits{Bytes: 512 << 20, Token: 512 << 10, Depth: 32, Elements: 4096, Responses: 500_000}
}

func (l Limits) filled() Limits {
	d := DefaultLimits()
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	if l.Token <= 0 {
		l.Token = d.Token
	}
	if l.Depth <= 0 {
		l.Depth = d.Depth
	}
	if l.Elements <= 0 {
		l.Elements = d.Elements
	}
	if l.Responses <= 0 {
		l.Responses = d.Responses
	}
	return l
}

// DecodeElement reads a whole small document: an answer to LOCK or a DAV:error.
// What is not XML, declares a document type or passes a limit is [ErrSyntax]
// (limits also [ErrBound]); an error of r is returned as it is.
func DecodeElement(r io.Reader, l Limits) (Element, error) {
	x := newXMLReader(r, l)
	defer x.meter.end()
	start, err := x.root()
	if err != nil {
		return Element{}, err
	}
	return x.tree(start)
}

// xmlReader is encoding/xml with a purse: it refuses document types, so entities
// cannot be declared, and counts bytes, depth and elements.
type xmlReader struct {
	limits  Limits
	meter   *meter
	decoder *xml.Decoder
}

func newXMLReader(r io.Reader, l Limits) *xmlReader {
	l = l.filled()
	m := newMeter(r, l)
	d := xml.NewDecoder(m)
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "utf8", "us-ascii", "ascii":
			return in, nil
		}
		return nil, fmt.Errorf("charset %q", charset)
	}
	return &xmlReader{limits: l, meter: m, decoder: d}
}

// token returns the next start, end or text.
func (x *xmlReader) token() (xml.Token, error) {
	for {
		x.meter.refill()
		t, err := x.decoder.Token()
		if err != nil {
			return nil, x.wrap(err)
		}
		switch t.(type) {
		case xml.StartElement, xml.EndElement, xml.CharData:
			return t, nil
		case xml.Directive:
			return nil, fmt.Errorf("%w: XML with a document type", ErrSyntax)
		}
	}
}

func (x *xmlReader) wrap(err error) error {
	if x.meter.err != nil && x.meter.err != io.EOF {
		return x.meter.err // the reader's own fault or a limit, not the document's
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: XML ends early", ErrSyntax)
	}
	return fmt.Errorf("%w: %s", ErrSyntax, clip(err.Error()))
}

// clip keeps what a server wrote from filling a log.
func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

// root returns the start of the document element.
func (x *xmlReader) root() (xml.StartElement, error) {
	for {
		t, err := x.token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, nil
		case xml.CharData:
			if s := strings.Trim(string(t), "\ufeff \t\r\n"); s != "" {
				return xml.StartElement{}, fmt.Errorf("%w: not XML", ErrSyntax)
			}
		}
	}
}

// tree reads the element that start opens, to its end.
func (x *xmlReader) tree(start xml.StartElement) (Element, error) {
	root := Element{Name: PropName(start.Name)}
	open := []*Element{&root} // pointers stay good: a parent's Children grow only while no child is open
	texts := []*strings.Builder{new(strings.Builder)}
	count, size := 1, 0
	for len(open) > 0 {
		t, err := x.token()
		if err != nil {
			return Element{}, err
		}
		top := open[len(open)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if count++; count > x.limits.Elements || len(open) >= x.limits.Depth {
				return Element{}, fmt.Errorf("%w: %w: elements", ErrSyntax, ErrBound)
			}
			top.Children = append(top.Children, Element{Name: PropName(t.Name)})
			open = append(open, &top.Children[len(top.Children)-1])
			texts = append(texts, new(strings.Builder))
		case xml.EndElement:
			top.Text = texts[len(texts)-1].String()
			open, texts = open[:len(open)-1], texts[:len(texts)-1]
		case xml.CharData:
			if size += len(t); size > 2*x.limits.Token {
				return Element{}, fmt.Errorf("%w: %w: text", ErrSyntax, ErrBound)
			}
			texts[len(texts)-1].Write(t)
		}
	}
	return root, nil
}
