package dav

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Response is one DAV:response of a multistatus (RFC 4918 14.24): either Status or
// Propstats is set.
type Response struct {
	Hrefs       []string // as sent; the first one is the resource
	Status      int      // of the whole resource; 0 if Propstats tell
	Propstats   []Propstat
	Error       []PropName // children of DAV:error
	Description string     // for people
}

// A Propstat groups properties with one status.
type Propstat struct {
	Status int // 0 if none was sent
	Props  []Element
	Error  []PropName
}

// DecodeMultistatus reads a DAV:multistatus from r and calls each for every response
// as soon as it is complete; it holds one response at a time. An error from each
// ends the reading and is returned as it is. A document that is not a multistatus,
// is cut short, or passes a limit is [ErrSyntax]; each may have been called before.
func DecodeMultistatus(r io.Reader, l Limits, each func(Response) error) error {
	x := newXMLReader(r, l)
	defer x.meter.end()
	root, err := x.root()
	if err != nil {
		return err
	}
	if PropName(root.Name) != (PropName{"DAV:", "multistatus"}) {
		return fmt.Errorf("%w: document is <%s>, not DAV: multistatus", ErrSyntax, clip(root.Name.Local))
	}
	for n := 0; ; {
		t, err := x.token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			tree, err := x.tree(t)
			if err != nil {
				return err
			}
			if tree.Name != (PropName{"DAV:", "response"}) {
				continue // responsedescription, sync-token, extensions
			}
			if n++; n > x.limits.Responses {
				return fmt.Errorf("%w: %w: responses", ErrSyntax, ErrBound)
			}
			if err := each(response(tree)); err != nil {
				return err
			}
		}
	}
}

func response(e Element) Response {
	var r Response
	for _, c := range e.Children {
		if c.Name.Space != "DAV:" {
			continue
		}
		switch c.Name.Local {
		case "href":
			r.Hrefs = append(r.Hrefs, c.AllText())
		case "status":
			r.Status = ParseStatus(c.AllText())
		case "propstat":
			r.Propstats = append(r.Propstats, propstat(c))
		case "error":
			r.Error = names(c)
		case "responsedescription":
			r.Description = c.AllText()
		}
	}
	return r
}

func propstat(e Element) Propstat {
	var p Propstat
	if s, ok := e.Child("DAV:", "status"); ok {
		p.Status = ParseStatus(s.AllText())
	}
	for _, c := range e.Children {
		if c.Name == (PropName{"DAV:", "prop"}) {
			p.Props = append(p.Props, c.Children...)
		}
	}
	if c, ok := e.Child("DAV:", "error"); ok {
		p.Error = names(c)
	}
	return p
}

func names(e Element) []PropName {
	out := make([]PropName, 0, len(e.Children))
	for _, c := range e.Children {
		out = append(out, c.Name)
	}
	return out
}

// ParseStatus returns the code of a status line such as "HTTP/1.1 423 Locked", 0 if
// it has none between 100 and 999.
func ParseStatus(line string) int {
	for i, field := range strings.Fields(clip(line)) {
		if i == 0 && strings.HasPrefix(strings.ToUpper(field), "HTTP") {
			continue
		}
		code, err := strconv.Atoi(field)
		if err != nil || code < 100 || code > 999 {
			return 0
		}
		return code
	}
	return 0
}
