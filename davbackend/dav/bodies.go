package dav

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

const xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// PropfindBody builds the body of a PROPFIND for exactly these properties. The names
// are the program's own words: Local must be an XML name.
func PropfindBody(props []PropName) []byte {
	p := newPrinter("propfind", props)
	p.b.WriteString("<D:prop>")
	for _, n := range props {
		p.b.WriteString("<" + p.name(n) + "/>")
	}
	p.b.WriteString("</D:prop></D:propfind>")
	return p.b.Bytes()
}

// SearchBody builds the body of a SEARCH (RFC 5323) for the resources below scope, a
// decoded path as the server's search sees it, of which the property is value.
func SearchBody(scope string, property PropName, value string, props []PropName) []byte {
	p := newPrinter("searchrequest", append([]PropName{property}, props...))
	p.b.WriteString("<D:basicsearch><D:select><D:prop>")
	for _, n := range props {
		p.b.WriteString("<" + p.name(n) + "/>")
	}
	p.b.WriteString("</D:prop></D:select><D:from><D:scope><D:href>")
	p.text(scope)
	p.b.WriteString("</D:href><D:depth>infinity</D:depth></D:scope></D:from>")
	p.b.WriteString("<D:where><D:eq><D:prop><" + p.name(property) + "/></D:prop><D:literal>")
	p.text(value)
	p.b.WriteString("</D:literal></D:eq></D:where><D:orderby/></D:basicsearch></D:searchrequest>")
	return p.b.Bytes()
}

// ProppatchBody builds the body of a PROPPATCH that sets properties to plain text
// and removes others, in the order of their names.
func ProppatchBody(set map[PropName]string, remove []PropName) []byte {
	names := make([]PropName, 0, len(set)+len(remove))
	for n := range set {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b PropName) int { return strings.Compare(a.String(), b.String()) })
	p := newPrinter("propertyupdate", append(names, remove...))
	if len(names) > 0 {
		p.b.WriteString("<D:set><D:prop>")
		for _, n := range names {
			p.b.WriteString("<" + p.name(n) + ">")
			p.text(set[n])
			p.b.WriteString("</" + p.name(n) + ">")
		}
		p.b.WriteString("</D:prop></D:set>")
	}
	if len(remove) > 0 {
		p.b.WriteString("<D:remove><D:prop>")
		for _, n := range remove {
			p.b.WriteString("<" + p.name(n) + "/>")
		}
		p.b.WriteString("</D:prop></D:remove>")
	}
	p.b.WriteString("</D:propertyupdate>")
	return p.b.Bytes()
}

// LockBody builds the body of a LOCK for an exclusive write lock. The owner is sent
// as plain text: OpenCloud echoes markup so that it no longer parses.
func LockBody(owner string) []byte {
	p := newPrinter("lockinfo", nil)
	p.b.WriteString("<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>")
	if owner != "" {
		p.b.WriteString("<D:owner>")
		p.text(owner)
		p.b.WriteString("</D:owner>")
	}
	p.b.WriteString("</D:lockinfo>")
	return p.b.Bytes()
}

// printer writes one document whose namespaces are all declared at its root, the one
// form that every server understands.
type printer struct {
	b      bytes.Buffer
	prefix map[string]string // namespace -> prefix with colon
}

func newPrinter(root string, props []PropName) *printer {
	p := &printer{prefix: map[string]string{"DAV:": "D:", "": ""}}
	p.b.WriteString(xmlHead + "<D:" + root + ` xmlns:D="DAV:"`)
	for _, n := range props {
		if _, ok := p.prefix[n.Space]; ok {
			continue
		}
		short := "n" + strconv.Itoa(len(p.prefix)-1)
		p.prefix[n.Space] = short + ":"
		p.b.WriteString(" xmlns:" + short + `="`)
		p.text(n.Space)
		p.b.WriteString(`"`)
	}
	p.b.WriteString(">")
	return p
}

func (p *printer) name(n PropName) string { return p.prefix[n.Space] + n.Local }

// text writes s escaped; what XML cannot hold becomes U+FFFD. A bytes.Buffer never fails.
func (p *printer) text(s string) { _ = xml.EscapeText(&p.b, []byte(s)) }
