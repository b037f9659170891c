package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"davwopi/bridge/wopi"
)

// The ways to speak to an editor.
const (
	APIAuto = "auto" // WOPI where the editor offers it, else the Docs API; "" is the same
	APIWOPI = "wopi"
	APIDocs = "docs" // ONLYOFFICE's Docs API
)

// docsScript is where a document server of ONLYOFFICE has the script that makes editors.
const docsScript = "/web-apps/apps/api/documents/api.js"

// maxScript bounds how much of it is read, in bytes.
const maxScript = 1 << 20

// What document servers do, by extension. Their own list is in no document: it is in
// their manual (document formats), of which these are the formats that people have. What
// is converted becomes the OOXML of its kind, as a copy beside the file.
const (
	docsEdits = "docm docx dotm dotx xlsm xlsx xltm xltx potm potx ppsm ppsx pptm pptx csv txt"
	docsViews = "pdf djvu xps oxps epub fb2"
)

var docsConverts = map[string]string{
	"docx": "doc dot odt ott fodt rtf html htm mht wps sxw",
	"xlsx": "xls xlt xlsb ods ots fods et sxc",
	"pptx": "ppt pps pot odp otp fodp dps sxi",
}

// docsDocument is what a document server does, as if its discovery said so.
func docsDocument(script string) *document {
	doc := &document{office: wopi.OnlyOffice}
	add := func(name Mode, exts, target string) {
		for _, ext := range strings.Fields(exts) {
			doc.actions = append(doc.actions, rawAction{app: "Docs", name: string(name), ext: ext, urlsrc: script, target: target, docs: true})
		}
	}
	add(ModeEdit, docsEdits, "")
	add(ModeView, docsEdits+" "+docsViews, "")
	for target, exts := range docsConverts {
		add(ModeConvert, exts, target)
		add(ModeView, exts, "")
	}
	return doc
}

// errNoScript says that no document server is there either.
var errNoScript = errors.New("discovery: no document server of ONLYOFFICE")

// fetchDocs looks for a document server.
func fetchDocs(ctx context.Context, client *http.Client, d Editor) (*document, error) {
	script := strings.TrimRight(d.Base(), "/") + docsScript
	if _, ok := origin(script); !ok {
		return nil, errNoScript
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, script, nil)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s answers %d", errNoScript, req.URL.Redacted(), res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxScript))
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if !bytes.Contains(text, []byte("DocsAPI")) {
		return nil, fmt.Errorf("%w: %s is another script", errNoScript, req.URL.Redacted())
	}
	if !d.Secret {
		return nil, fmt.Errorf("discovery: %s is ONLYOFFICE Docs with WOPI switched off: give its jwt_secret_file, or switch wopi.enable on", d.Base())
	}
	return docsDocument(script), nil
}

// Base is the editor's address, also where that of its discovery document is configured.
func (d Editor) Base() string {
	u, err := url.Parse(d.URL)
	if err != nil || address(d.URL) != d.URL {
		return d.URL
	}
	u.Path, u.RawPath = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/discovery"), "/hosting"), ""
	return u.String()
}
