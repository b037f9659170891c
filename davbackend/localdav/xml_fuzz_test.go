package localdav

import (
	"encoding/xml"
	"testing"
)

// FuzzPropfind: a body that was let in is read without end or panic, and asks for one thing.
func FuzzPropfind(f *testing.F) {
	for _, s := range []string{
		`<propfind xmlns="DAV:"><allprop/><include><getetag/></include></propfind>`,
		`<D:propfind xmlns:D="DAV:"><D:prop><x xmlns="urn:y"/></D:prop></D:propfind>`,
		`<propfind xmlns="DAV:"><propname/></propfind>`, `<a/>`, ``,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if checkXML([]byte(body)) != nil {
			return
		}
		w, err := parsePropfind([]byte(body))
		if err != nil {
			return
		}
		if w.all && w.names || len(w.props) > maxXMLElements {
			t.Fatalf("%q: %+v", body, w)
		}
		for _, name := range w.props {
			if name.Local == "" {
				t.Fatalf("%q: a property without a name", body)
			}
			if _, err := xml.Marshal(struct{ XMLName xml.Name }{name}); err != nil {
				t.Fatalf("%q: %v cannot be answered: %v", body, name, err)
			}
		}
	})
}
