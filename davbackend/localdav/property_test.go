//go:build linux

package localdav

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func setProperty(space, local, value string) string {
	return `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x:` + local + ` xmlns:x="` + space + `">` + value +
		`</x:` + local + `></D:prop></D:set></D:propertyupdate>`
}

// property is the value of the dead property {n}name, "" if there is none.
func (h *house) property(path, name string) string {
	h.t.Helper()
	a := h.want(207, "PROPFIND", path, `<propfind xmlns="DAV:"><prop><`+name+` xmlns="n"/></prop></propfind>`, "Depth: 0")
	m := regexp.MustCompile(`(?s)<x:` + name + ` xmlns:x="n">(.*?)</x:` + name + `>`).FindStringSubmatch(a.body)
	if m == nil {
		if !strings.Contains(a.body, "404 Not Found") {
			h.t.Fatal(a.body)
		}
		return ""
	}
	return m[1]
}

func TestDeadProperties(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "PUT", "/f", "x")
		etag, id := h.etag("/f"), h.id("/f")
		h.want(207, "PROPPATCH", "/f", setProperty("n", "p", "a &lt; b"))
		if h.property("/f", "p") != "a &lt; b" || h.etag("/f") != etag || h.id("/f") != id {
			t.Error("set")
		}
		a := h.want(207, "PROPFIND", "/f", "", "Depth: 0")
		if !strings.Contains(a.body, `<x:p xmlns:x="n">a &lt; b</x:p>`) || strings.Contains(a.body, "quota") {
			t.Error("allprop has dead properties, and none of other documents", a.body)
		}
		a = h.want(207, "PROPFIND", "/f", `<propfind xmlns="DAV:"><propname/></propfind>`, "Depth: 0")
		if !strings.Contains(a.body, `<x:p xmlns:x="n"/>`) || !strings.Contains(a.body, `<D:resource-id/>`) {
			t.Error("propname", a.body)
		}
		t.Run("they live and die with the file", func(t *testing.T) {
			h.want(204, "PUT", "/f", "y")
			h.want(201, "MOVE", "/f", "", "Destination: URL/g")
			h.want(201, "COPY", "/g", "", "Destination: URL/h")
			if h.property("/g", "p") == "" || h.property("/h", "p") == "" {
				t.Error("PUT, MOVE or COPY lost it")
			}
			h.want(207, "PROPPATCH", "/h", setProperty("n", "p", "own"))
			if h.property("/g", "p") != "a &lt; b" {
				t.Error("the copy's is the original's")
			}
			h.want(201, "PUT", "/i", "z")
			h.want(207, "PROPPATCH", "/i", setProperty("n", "old", "z"))
			h.want(204, "COPY", "/g", "", "Destination: URL/i")
			if h.property("/i", "p") == "" || h.property("/i", "old") != "" {
				t.Error("COPY onto a file leaves the source's")
			}
			h.want(204, "DELETE", "/g", "")
			h.want(201, "PUT", "/g", "new")
			if h.property("/g", "p") != "" {
				t.Error("a new file has the old one's")
			}
		})
		t.Run("folders", func(t *testing.T) {
			h.want(201, "MKCOL", "/d", "")
			h.want(201, "PUT", "/d/f", "x")
			h.write("d/outside", "x")
			for _, p := range []string{"/d", "/d/f", "/d/outside"} {
				h.want(207, "PROPPATCH", p, setProperty("n", "p", "v"))
			}
			h.want(201, "COPY", "/d", "", "Destination: URL/e")
			h.want(201, "COPY", "/d", "", "Destination: URL/e0", "Depth: 0")
			for _, p := range []string{"/d", "/d/f", "/d/outside", "/e", "/e/f", "/e/outside", "/e0"} {
				if h.property(p, "p") != "v" {
					t.Error(p)
				}
			}
			h.want(404, "GET", "/e0/f", "")
		})
	})
}

func TestProppatchRefuses(t *testing.T) {
	h := newHouse(t)
	h.want(201, "PUT", "/f", "x")
	h.want(207, "PROPPATCH", "/f", setProperty("n", "kept", "v"))
	for _, c := range []struct{ name, body, in string }{
		{"live property", setProperty("DAV:", "getetag", "x"), "403 Forbidden"},
		{"live property of another document", setProperty("DAV:", "resource-id", "x"), "403 Forbidden"},
		{"too long", setProperty("n", "kept", strings.Repeat("x", maxPropertyValue+1)), "507 Insufficient Storage"},
		{"long name", setProperty("n", strings.Repeat("x", maxPropertyName+1), "x"), "507 Insufficient Storage"},
		{"too many", manyProperties(maxProperties), "507 Insufficient Storage"},
		{
			"all or nothing", `<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><kept xmlns="n"/></D:prop></D:remove>` +
				`<D:set><D:prop><D:quota-used-bytes>1</D:quota-used-bytes></D:prop></D:set></D:propertyupdate>`,
			"424 Failed Dependency",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := h.want(207, "PROPPATCH", "/f", c.body); !strings.Contains(a.body, c.in) {
				t.Error(a.body)
			}
			if h.property("/f", "kept") != "v" {
				t.Error("changed")
			}
		})
	}
	for name, body := range map[string]string{
		"nothing":             "",
		"not XML":             "x",
		"unclosed":            "<D:propertyupdate xmlns:D='DAV:'>",
		"prefix for nothing":  `<D:propertyupdate xmlns:D="DAV:" xmlns:x=""/>`,
		"undeclared":          `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x:p/></D:prop></D:set></D:propertyupdate>`,
		"document type":       `<!DOCTYPE a [<!ENTITY b "c">]>` + setProperty("n", "p", "&b;"),
		"deep":                setProperty("n", "p", strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)),
		"two roots":           setProperty("n", "p", "1") + setProperty("n", "p", "1"),
		"many elements":       setProperty("n", "p", strings.Repeat("<a/>", maxXMLElements)),
		"another document":    `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`,
		"remove with a value": `<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><kept xmlns="n">x</kept></D:prop></D:remove></D:propertyupdate>`,
	} {
		t.Run(name, func(t *testing.T) { h.want(400, "PROPPATCH", "/f", body) })
	}
	h.want(413, "PROPPATCH", "/f", setProperty("n", "p", strings.Repeat("x", maxXML)))
	h.want(404, "PROPPATCH", "/none", setProperty("n", "p", "1"))
	token := h.take("/f")
	h.want(423, "PROPPATCH", "/f", setProperty("n", "p", "1"))
	h.want(207, "PROPPATCH", "/f", setProperty("n", "p", "1"), "If: (<"+token+">)")
	h.want(207, "PROPPATCH", "/f", setProperty("n", "p", "1"), "If: </none> (Not <"+token+">) </f> (<"+token+"> ["+h.etag("/f")+"])")
}

func manyProperties(n int) string {
	var b strings.Builder
	b.WriteString(`<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>`)
	for i := range n {
		fmt.Fprintf(&b, `<p%d xmlns="n">1</p%d>`, i, i)
	}
	b.WriteString(`</D:prop></D:set></D:propertyupdate>`)
	return b.String()
}

// Values with markup, in several namespaces and languages, mean the same when they come back.
func TestPropertyValuesStayWhole(t *testing.T) {
	h := newHouse(t)
	h.want(201, "MKCOL", "/d", "")
	h.want(207, "PROPPATCH", "/d", `<D:propertyupdate xmlns:D="DAV:" xmlns:q="urn:q"><D:set><D:prop>`+
		`<q:p xml:lang="de"><q:a b="c"/>t<D:href>/x</D:href></q:p><p xmlns="">none</p></D:prop></D:set></D:propertyupdate>`)
	a := h.want(207, "PROPFIND", "/d", `<propfind xmlns="DAV:"><prop><p xmlns="urn:q"/><p xmlns=""/></prop></propfind>`, "Depth: 0")
	for _, want := range []string{`xml:lang="de"`, `="urn:q"`, `b="c"`, `<p xmlns="">none</p>`} {
		if !strings.Contains(a.body, want) {
			t.Error(want, a.body)
		}
	}
	if err := checkXML([]byte(a.body)); err != nil {
		t.Error(err, a.body)
	}
}
