package web

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
)

// parts opens a document and reads all of it; every part must be well-formed XML, but
// for ODF's mimetype.
func parts(t *testing.T, ext string) (order []string, all map[string][]byte) {
	t.Helper()
	b, err := blank(ext)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pack(ext)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("made twice, it is not the same: %v", err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	all = make(map[string][]byte)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[f.Name]; twice {
			t.Errorf("%s is there twice", f.Name)
		}
		order, all[f.Name] = append(order, f.Name), body
		if f.Name == "mimetype" {
			if f.Method != zip.Store || len(f.Extra) > 0 || f.Flags&8 != 0 {
				t.Errorf("mimetype is not plain: method %d, extra %d bytes, flags %x", f.Method, len(f.Extra), f.Flags)
			}
			continue
		}
		wellFormed(t, f.Name, body)
	}
	return order, all
}

func wellFormed(t *testing.T, name string, body []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// root is the name of the outermost element.
func root(t *testing.T, body []byte) xml.Name {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			return e.Name
		}
	}
}

const officeDocument = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"

// Empty Office documents keep the rules of OPC (ECMA-376 part 2): each part has a content
// type, each relationship leads to a part, each part is reached by one, and the main
// part is what its type says.
func TestEmptyOfficeDocuments(t *testing.T) {
	for ext, main := range map[string]struct{ part, kind, space, element string }{
		"docx": {"word/document.xml", "wordprocessingml.document.main", "http://schemas.openxmlformats.org/wordprocessingml/2006/main", "document"},
		"xlsx": {"xl/workbook.xml", "spreadsheetml.sheet.main", "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "workbook"},
		"pptx": {"ppt/presentation.xml", "presentationml.presentation.main", "http://schemas.openxmlformats.org/presentationml/2006/main", "presentation"},
	} {
		t.Run(ext, func(t *testing.T) {
			_, all := parts(t, ext)
			types := contentTypes(t, all)
			if got := types["/"+main.part]; got != "application/vnd.openxmlformats-officedocument."+main.kind+"+xml" {
				t.Errorf("type of the main part: %q", got)
			}
			if got := root(t, all[main.part]); got.Space != main.space || got.Local != main.element {
				t.Errorf("main element %v", got)
			}
			reached := map[string]bool{"[Content_Types].xml": true}
			for name := range all {
				if strings.HasSuffix(name, ".rels") {
					relationships(t, all, name, reached)
				}
			}
			if !reached[main.part] {
				t.Error("the main part is not reached")
			}
			for name := range all {
				if !reached[name] && !strings.HasSuffix(name, ".rels") {
					t.Errorf("%s is reached from nowhere", name)
				}
				if name != "[Content_Types].xml" && !strings.HasSuffix(name, ".rels") && types["/"+name] == "" {
					t.Errorf("%s has no content type", name)
				}
			}
		})
	}
}

func contentTypes(t *testing.T, all map[string][]byte) map[string]string {
	t.Helper()
	var list struct {
		XMLName  xml.Name `xml:"http://schemas.openxmlformats.org/package/2006/content-types Types"`
		Override []struct {
			PartName    string `xml:",attr"`
			ContentType string `xml:",attr"`
		}
	}
	if err := xml.Unmarshal(all["[Content_Types].xml"], &list); err != nil {
		t.Fatal(err)
	}
	types := make(map[string]string)
	for _, o := range list.Override {
		if all[strings.TrimPrefix(o.PartName, "/")] == nil {
			t.Errorf("a content type for %s, which is not there", o.PartName)
		}
		types[o.PartName] = o.ContentType
	}
	return types
}

// relationships checks that those of one part lead somewhere, and that their IDs, which
// the part names, are all there.
func relationships(t *testing.T, all map[string][]byte, name string, reached map[string]bool) {
	t.Helper()
	var list struct {
		XMLName      xml.Name `xml:"http://schemas.openxmlformats.org/package/2006/relationships Relationships"`
		Relationship []struct {
			ID     string `xml:"Id,attr"`
			Type   string `xml:",attr"`
			Target string `xml:",attr"`
		}
	}
	if err := xml.Unmarshal(all[name], &list); err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, r := range list.Relationship {
		target := path.Join(path.Dir(path.Dir(name)), r.Target)
		if all[target] == nil || !strings.HasPrefix(r.Type, officeDocument) {
			t.Errorf("%s: %s leads to %s", name, r.Type, target)
		}
		reached[target], ids[r.ID] = true, true
	}
	source := path.Join(path.Dir(path.Dir(name)), strings.TrimSuffix(path.Base(name), ".rels"))
	if name == "_rels/.rels" {
		return
	}
	d := xml.NewDecoder(bytes.NewReader(all[source]))
	for {
		token, err := d.Token()
		if err != nil {
			return
		}
		e, _ := token.(xml.StartElement)
		for _, a := range e.Attr {
			if a.Name.Space == strings.TrimSuffix(officeDocument, "/") && !ids[a.Value] {
				t.Errorf("%s names %s, which %s lacks", source, a.Value, name)
			}
		}
	}
}

// Empty OpenDocument files keep the rules of ODF 1.3 part 2, 3: the mimetype is first, the
// manifest lists every file and no other, content and styles are what they should be.
func TestEmptyOpenDocuments(t *testing.T) {
	const office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
	for ext, kind := range map[string]string{"odt": "text", "ods": "spreadsheet", "odp": "presentation"} {
		t.Run(ext, func(t *testing.T) {
			order, all := parts(t, ext)
			media := "application/vnd.oasis.opendocument." + kind
			if order[0] != "mimetype" || string(all["mimetype"]) != media {
				t.Errorf("first is %q, and mimetype %q", order[0], all["mimetype"])
			}
			b, _ := blank(ext)
			if got := string(b[30:38]); got != "mimetype" || string(b[38:38+len(media)]) != media {
				t.Errorf("the first bytes do not tell: %q", b[30:38+len(media)])
			}
			var manifest struct {
				XMLName xml.Name `xml:"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0 manifest"`
				Entry   []struct {
					Path string `xml:"full-path,attr"`
					Type string `xml:"media-type,attr"`
				} `xml:"file-entry"`
			}
			if err := xml.Unmarshal(all["META-INF/manifest.xml"], &manifest); err != nil {
				t.Fatal(err)
			}
			listed := make(map[string]string)
			for _, e := range manifest.Entry {
				listed[e.Path] = e.Type
			}
			if listed["/"] != media || len(listed) != len(all)-1 {
				t.Errorf("the manifest lists %v for %q", listed, order)
			}
			for name := range all {
				if name != "mimetype" && !strings.HasPrefix(name, "META-INF/") && listed[name] != "text/xml" {
					t.Errorf("the manifest says %q of %s", listed[name], name)
				}
			}
			for name, element := range map[string]string{"content.xml": "document-content", "styles.xml": "document-styles"} {
				if got := root(t, all[name]); got.Space != office || got.Local != element {
					t.Errorf("%s: %v", name, got)
				}
			}
			if !bytes.Contains(all["content.xml"], []byte("<office:"+kind+">")) {
				t.Errorf("content.xml has no %s", kind)
			}
		})
	}
}

// There is an empty document for all that people are offered, and for nothing else.
func TestEveryOfferedFormat(t *testing.T) {
	for _, ext := range blankFormats {
		b, err := blank(ext)
		if err != nil || ext != "txt" && len(b) == 0 || len(b) > 16<<10 {
			t.Errorf("%s: %d bytes, %v", ext, len(b), err)
		}
	}
	if _, err := blank("exe"); err == nil {
		t.Error("an empty exe")
	}
}
