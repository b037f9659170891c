package discovery

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
)

// Bounds of a document, besides its length.
const (
	maxDepth     = 8
	maxElements  = 20000
	maxAttribute = 8 << 10
)

// A document is what one discovery says.
type document struct {
	office  wopi.Office
	actions []rawAction
	keys    proof.Keys
	signs   bool // keys has one at least
}

// A rawAction is one action element together with its app.
type rawAction struct {
	app, icon           string
	name, ext           string
	urlsrc, target, req string
	isDefault           bool
	docs                bool // spoken to by the Docs API
}

// A reader goes through a document, element by element.
type reader struct {
	doc      document
	zones    map[string][]rawAction // by name of net-zone
	order    []string               // names of zones as they come
	zone     string
	app      map[string]string // attributes
	elements int
}

// parse reads a document of editor d within bounds.
func parse(body io.Reader, d Editor) (*document, error) {
	r := &reader{zones: map[string][]rawAction{}}
	if err := r.read(xml.NewDecoder(body)); err != nil {
		return nil, fmt.Errorf("discovery: document of %s: %w", d.URL, err)
	}
	r.doc.actions = r.zones[r.choose(scheme(d.URL))]
	r.doc.office = kind(d, r.doc.actions)
	return &r.doc, nil
}

func (r *reader) read(dec *xml.Decoder) error {
	var path []string
	for {
		token, err := dec.Token()
		if err == io.EOF && r.elements > 0 {
			return nil
		}
		if err == io.EOF {
			return errors.New("empty")
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Directive:
			return errors.New("has a DOCTYPE")
		case xml.StartElement:
			path = append(path, t.Name.Local)
			if r.elements++; r.elements > maxElements || len(path) > maxDepth {
				return errors.New("too many elements")
			}
			if path[0] != "wopi-discovery" {
				return fmt.Errorf("begins with <%.40s>, not <wopi-discovery>", path[0])
			}
			if err := r.element(strings.Join(path[1:], "/"), t.Attr); err != nil {
				return err
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

func (r *reader) element(path string, list []xml.Attr) error {
	attrs := make(map[string]string, len(list))
	for _, a := range list {
		if len(a.Value) > maxAttribute {
			return fmt.Errorf("attribute %.40s has %d bytes", a.Name.Local, len(a.Value))
		}
		attrs[a.Name.Local] = a.Value
	}
	switch path {
	case "net-zone":
		r.zone = attrs["name"]
		if _, ok := r.zones[r.zone]; !ok {
			r.order = append(r.order, r.zone)
			r.zones[r.zone] = nil
		}
	case "net-zone/app":
		r.app = attrs
	case "net-zone/app/action":
		if a, ok := r.action(attrs); ok {
			r.zones[r.zone] = append(r.zones[r.zone], a)
		}
	case "proof-key":
		return r.proofKey(attrs)
	}
	return nil
}

// action takes an action that we can use: it has a sound address, is for files
// and not for program IDs or folders, and needs nothing of OneNote's.
func (r *reader) action(attrs map[string]string) (rawAction, bool) {
	a := rawAction{
		app:       r.app["name"],
		icon:      r.app["favIconUrl"],
		name:      attrs["name"],
		ext:       strings.ToLower(strings.TrimPrefix(attrs["ext"], ".")),
		urlsrc:    attrs["urlsrc"],
		target:    strings.ToLower(strings.TrimPrefix(attrs["targetext"], ".")),
		req:       strings.ToLower(attrs["requires"]),
		isDefault: strings.EqualFold(attrs["default"], "true"),
	}
	folder := strings.EqualFold(attrs["useParent"], "true") || strings.EqualFold(attrs["useparent"], "true")
	legacy := strings.Contains(a.req, "cobalt") || strings.Contains(a.req, "containers")
	if _, ok := origin(a.urlsrc); !ok || folder || legacy || attrs["progid"] != "" {
		return rawAction{}, false
	}
	if u, err := url.Parse(a.icon); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		a.icon = ""
	}
	return a, true
}

// proofKey reads the keys. A current key that cannot be read fails the whole
// document: it would look like one without keys.
func (r *reader) proofKey(attrs map[string]string) error {
	current, err := proof.ParseKey(attrs["modulus"], attrs["exponent"], attrs["value"])
	if err != nil {
		return err
	}
	old, err := proof.ParseKey(attrs["oldmodulus"], attrs["oldexponent"], attrs["oldvalue"])
	if err != nil {
		old = nil
	}
	r.doc.keys = proof.Keys{Current: current, Old: old}
	r.doc.signs = current != nil || old != nil
	return nil
}

// choose returns the net-zone to use: of the scheme by which the document was
// fetched and external if there is one, else the best of the rest.
func (r *reader) choose(scheme string) string {
	best, bestRank := "", -1
	for _, name := range r.order {
		rank := 0
		if len(r.zones[name]) > 0 {
			rank += 4
		}
		if strings.HasSuffix(name, "-"+scheme) {
			rank += 2
		}
		if strings.HasPrefix(name, "external-") {
			rank++
		}
		if rank > bestRank {
			best, bestRank = name, rank
		}
	}
	return best
}
