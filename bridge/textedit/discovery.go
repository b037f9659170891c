package textedit

import (
	"bytes"
	"encoding/xml"
	"net/url"
	"strings"

	"davwopi/bridge/discovery"
)

// ID is the editor's identity in the bridge, in the place of a configured URL.
const ID = discovery.TextEditor

// Name is what people see.
const Name = "Text editor"

// extensions are the kinds of files that are text, without the dot, in lower
// case. Markup that a browser would run is opened as its source.
const extensions = "txt text md markdown csv tsv log json jsonl yaml yml toml ini conf cfg cnf env properties " +
	"xml xsd xsl xslt html htm xhtml css scss less js mjs cjs jsx ts tsx vue svelte " +
	"go mod sum py rb php pl pm lua rs c h cc cpp cxx hpp hh cs java kt kts swift scala dart r jl hs clj ex exs erl " +
	"sh bash zsh fish ps1 bat cmd sql graphql proto tex bib rst adoc asciidoc org wiki diff patch " +
	"ics vcf srt vtt sub nfo m3u m3u8 cue url desktop service gitignore dockerfile makefile mk cmake gradle tf nix"

// Extensions returns the extensions, without dots, that the editor opens.
func Extensions() []string { return strings.Fields(extensions) }

type xmlAction struct {
	Name     string `xml:"name,attr"`
	Ext      string `xml:"ext,attr"`
	Default  string `xml:"default,attr,omitempty"`
	Requires string `xml:"requires,attr,omitempty"`
	URLSrc   string `xml:"urlsrc,attr"`
}

type xmlApp struct {
	Name    string      `xml:"name,attr"`
	Icon    string      `xml:"favIconUrl,attr"`
	Actions []xmlAction `xml:"action"`
}

type xmlZone struct {
	Name string `xml:"name,attr"`
	App  xmlApp `xml:"app"`
}

type xmlDiscovery struct {
	XMLName xml.Name `xml:"wopi-discovery"`
	Zone    xmlZone  `xml:"net-zone"`
}

// Discovery returns the editor's discovery document (WOPI discovery): the
// actions view, edit and editnew for every text extension, at the address that
// browsers use. It has no proof keys: the requests come from the page.
func Discovery(public *url.URL) []byte {
	frame := public.JoinPath("textedit", "frame").String()
	app := xmlApp{Name: "Text", Icon: public.JoinPath("textedit", "icon.svg").String()}
	for _, ext := range Extensions() {
		app.Actions = append(app.Actions,
			xmlAction{Name: "view", Ext: ext, URLSrc: frame + "?mode=view&<ui=UI_LLCC&>"},
			xmlAction{Name: "edit", Ext: ext, Default: "true", Requires: "locks,update", URLSrc: frame + "?mode=edit&<ui=UI_LLCC&>"},
			xmlAction{Name: "editnew", Ext: ext, Requires: "locks,update", URLSrc: frame + "?mode=edit&<ui=UI_LLCC&>"},
		)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	// Encoding plain strings into a buffer has no way to fail.
	_ = xml.NewEncoder(&b).Encode(xmlDiscovery{Zone: xmlZone{Name: "external-" + public.Scheme, App: app}})
	return b.Bytes()
}
