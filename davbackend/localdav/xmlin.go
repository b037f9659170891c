package localdav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"davwopi/davbackend/dav"
)

// Bounds of the XML in a request.
const (
	maxXML         = 2 << 20 // bytes
	maxXMLDepth    = 64
	maxXMLElements = 20_000
)

var errXML = errors.New("localdav: body is not the XML that the method takes")

func badXML(err error) error {
	return refusal(http.StatusBadRequest, fmt.Errorf("%w: %w", errXML, err))
}

// readXML reads r's body, checked: 413 if it is too long, 400 if it is not well-formed or deeper
// or richer than any honest request. No body is nil.
func readXML(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxXML+1))
	if err != nil {
		return nil, refusal(http.StatusBadRequest, fmt.Errorf("localdav: reading the body: %w", err))
	}
	if len(data) > maxXML {
		return nil, refusal(http.StatusRequestEntityTooLarge, errXML)
	}
	if len(data) == 0 {
		return nil, nil
	}
	if err := checkXML(data); err != nil {
		return nil, badXML(err)
	}
	return data, nil
}

// checkXML refuses what encoding/xml lets pass: document types, prefixes that are
// not declared or declared as nothing (Namespaces in XML 1.0, section 5), a second root.
func checkXML(data []byte) error {
	if err := checkPrefixes(data); err != nil {
		return err
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	depth, elements, roots := 0, 0, 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			elements++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.Trim(t, "\ufeff \t\r\n")) > 0 {
				return errors.New("text outside of the root")
			}
		}
		if depth > maxXMLDepth || elements > maxXMLElements {
			return errors.New("too deep or too many elements")
		}
	}
	if roots != 1 {
		return errors.New("not one root")
	}
	return nil
}

func checkPrefixes(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	var declared [][]string // per open element
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.Directive:
			return errors.New("document type")
		case xml.StartElement:
			if len(declared) > maxXMLDepth {
				return errors.New("too deep")
			}
			var own []string
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" {
					continue
				}
				if a.Value == "" {
					return errors.New("prefix declared as nothing")
				}
				own = append(own, a.Name.Local)
			}
			declared = append(declared, own)
			if !isDeclared(declared, t.Name.Space) {
				return errors.New("prefix not declared")
			}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && !isDeclared(declared, a.Name.Space) {
					return errors.New("prefix not declared")
				}
			}
		case xml.EndElement:
			if len(declared) == 0 {
				return errors.New("end without a start")
			}
			declared = declared[:len(declared)-1]
		}
	}
}

func isDeclared(declared [][]string, prefix string) bool {
	if prefix == "" || prefix == "xml" {
		return true
	}
	for _, own := range declared {
		for _, p := range own {
			if p == prefix {
				return true
			}
		}
	}
	return false
}

// A wanted is what a PROPFIND asks for (RFC 4918 14.20).
type wanted struct {
	all   bool       // allprop, with names for include
	names bool       // propname
	props []xml.Name // prop, or include
}

// parsePropfind reads the body of a PROPFIND; none is allprop.
func parsePropfind(data []byte) (wanted, error) {
	if len(data) == 0 {
		return wanted{all: true}, nil
	}
	var w wanted
	kinds := 0
	err := eachChild(data, "propfind", func(d *xml.Decoder, start xml.StartElement) error {
		switch start.Name {
		case xml.Name{Space: "DAV:", Local: "allprop"}:
			w.all = true
			kinds++
		case xml.Name{Space: "DAV:", Local: "propname"}:
			w.names = true
			kinds++
		case xml.Name{Space: "DAV:", Local: "prop"}:
			kinds++
			return names(d, &w.props)
		case xml.Name{Space: "DAV:", Local: "include"}:
			return names(d, &w.props)
		}
		return d.Skip()
	})
	if err != nil {
		return wanted{}, badXML(err)
	}
	if kinds != 1 {
		return wanted{}, badXML(errors.New("not one of allprop, propname and prop"))
	}
	return w, nil
}

// names reads the names of the children of the element that was just opened.
func names(d *xml.Decoder, out *[]xml.Name) error {
	have := map[xml.Name]bool{}
	for _, n := range *out {
		have[n] = true
	}
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if !have[t.Name] {
				have[t.Name] = true
				*out = append(*out, t.Name)
			}
			if err := d.Skip(); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// eachChild calls f for the children of a root DAV:name. f reads its child to the end.
func eachChild(data []byte, name string, f func(*xml.Decoder, xml.StartElement) error) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	inside := false
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if inside {
			if err := f(d, start); err != nil {
				return err
			}
			continue
		}
		if start.Name != (xml.Name{Space: "DAV:", Local: name}) {
			return fmt.Errorf("root is not %s", name)
		}
		inside = true
	}
}

// A lockInfo is the body of a LOCK (RFC 4918 14.11).
type lockInfo struct {
	shared bool
	owner  string // XML
}

func parseLockInfo(data []byte) (lockInfo, error) {
	var l lockInfo
	scope, write := "", false
	err := eachChild(data, "lockinfo", func(d *xml.Decoder, start xml.StartElement) error {
		var inner []xml.Name
		switch start.Name {
		case xml.Name{Space: "DAV:", Local: "owner"}:
			var err error
			l.owner, err = innerXML(d)
			return err
		case xml.Name{Space: "DAV:", Local: "lockscope"}:
			if err := names(d, &inner); err != nil {
				return err
			}
			if len(inner) == 1 && inner[0].Space == "DAV:" {
				scope = inner[0].Local
			}
			return nil
		case xml.Name{Space: "DAV:", Local: "locktype"}:
			if err := names(d, &inner); err != nil {
				return err
			}
			write = len(inner) == 1 && inner[0] == xml.Name{Space: "DAV:", Local: "write"}
			return nil
		}
		return d.Skip()
	})
	if err == nil && (!write || scope != "exclusive" && scope != "shared") {
		err = errors.New("neither an exclusive nor a shared write lock")
	}
	if err == nil && len(l.owner) > maxOwner {
		err = fmt.Errorf("%w: owner", dav.ErrBound)
	}
	if err != nil {
		return lockInfo{}, badXML(err)
	}
	l.shared = scope == "shared"
	return l, nil
}

// innerXML is what stands in the element that was just opened, with every namespace
// declared where it is used, so that it means the same wherever it is sent again.
// Attributes in a namespace are dropped.
func innerXML(d *xml.Decoder) (string, error) {
	var b strings.Builder
	depth := 0
	var open []string
	for {
		t, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			name := t.Name.Local
			b.WriteString("<" + name + ` xmlns="` + escape(t.Name.Space) + `"`)
			for _, a := range t.Attr {
				if a.Name.Space == "" && a.Name.Local != "xmlns" {
					b.WriteString(" " + a.Name.Local + `="` + escape(a.Value) + `"`)
				}
			}
			b.WriteString(">")
			open = append(open, name)
			depth++
		case xml.EndElement:
			if depth == 0 {
				return strings.TrimSpace(b.String()), nil
			}
			depth--
			b.WriteString("</" + open[depth] + ">")
			open = open[:depth]
		case xml.CharData:
			b.WriteString(escape(string(t)))
		}
	}
}
