package docsapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/docsapi"
	"davwopi/test/docserver"
	"davwopi/test/rooms"
)

// ask asks as a page does. It returns the status and the answer.
func (r *rig) ask(p docsapi.Page, what, token string, asked any) (int, map[string]any) {
	r.t.Helper()
	return r.post(r.Base+p.Ask+"/"+what, token, asked)
}

func (r *rig) post(address, token string, asked any) (int, map[string]any) {
	r.t.Helper()
	body, err := json.Marshal(asked)
	r.Must(err)
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	r.Must(err)
	if token != "" {
		req.Header.Set(docsapi.HeaderPage, token)
	}
	res, err := http.DefaultClient.Do(req)
	r.Must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	r.Must(err)
	var out map[string]any
	_ = json.Unmarshal(text, &out) // nothing, for what is no JSON
	return res.StatusCode, out
}

func TestPagesThatMayNot(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	r.write("/Other.docx", "other")
	page := r.page(doc, rooms.Anna, true)
	other := r.page("/Other.docx", rooms.Anna, true)
	reader := r.grant(r.At(doc), rooms.Ben, access.View)
	every := []string{"rename", "saveas", "image", "users", "history", "version", "restore"}
	asked := map[string]any{"name": "Stolen", "url": r.DS.Result([]byte("x"), "docx"), "type": "png", "version": 1}
	for name, token := range map[string]string{
		"no token":             "",
		"another page's":       other.Token,
		"a download's":         downloadToken(t, page.Config.Document.URL),
		"a callback's":         downloadToken(t, page.Config.Editor.CallbackURL),
		"changed":              page.Token[:len(page.Token)-2] + string(page.Token[len(page.Token)-2]^1) + page.Token[len(page.Token)-1:],
		"that of a conversion": r.Docs.ConvertToken(r.grant(r.At(doc), rooms.Anna, access.Edit)),
	} {
		for _, what := range every {
			if status, out := r.ask(page, what, token, asked); status != http.StatusUnauthorized || out["error"] != "signed_out" {
				t.Errorf("%s, %s: %d %v", name, what, status, out)
			}
		}
	}
	token := r.Tokens.DeriveDocs(reader, access.DocsPage, page.Key)
	for _, what := range every {
		if status, out := r.ask(page, what, token, asked); what != "users" && (status != http.StatusForbidden || out["error"] != "denied") {
			t.Errorf("a reader, %s: %d %v", what, status, out)
		}
	}
	if status, _ := r.ask(page, "destroy", page.Token, asked); status != http.StatusNotFound {
		t.Errorf("a question that there is not: %d", status)
	}
	r.Must(r.Tokens.RevokePrincipal(t.Context(), rooms.Anna.Key()))
	for _, what := range every {
		if status, out := r.ask(page, what, page.Token, asked); status != http.StatusUnauthorized {
			t.Errorf("revoked, %s: %d %v", what, status, out)
		}
	}
	if r.read(doc) != "one" || len(r.names()) != 2 {
		t.Errorf("something happened: %v", r.names())
	}
}

func TestAPageFetchesOnlyFromTheDocumentServer(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	page := r.page(doc, rooms.Anna, true)
	for _, address := range []string{"http://169.254.169.254/x", "file:///etc/passwd", r.Base + "/healthz", "", "http://127.0.0.1:1/x", "//x"} {
		if status, out := r.ask(page, "saveas", page.Token, map[string]any{"name": "Copy.docx", "url": address}); status != http.StatusBadRequest || out["error"] != "asked" {
			t.Errorf("%s: %d %v", address, status, out)
		}
		// Nor does it sign an address that it has not given out.
		if status, out := r.ask(page, "image", page.Token, map[string]any{"url": address, "type": "png"}); status != http.StatusBadRequest || out["token"] != nil {
			t.Errorf("image %s: %d %v", address, status, out)
		}
	}
	if len(r.names()) != 1 {
		t.Errorf("%v", r.names())
	}
	if status, out := r.ask(page, "saveas", page.Token, map[string]any{"name": "../../Copy.docx", "url": r.DS.Result([]byte("copy"), "docx")}); status != http.StatusOK || strings.ContainsAny(out["name"].(string), "/\\") {
		t.Errorf("%d %v", status, out)
	}
	if n := r.names(); len(n) != 2 {
		t.Errorf("%v", n)
	}
}

func TestRenaming(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	r.write("/Taken.docx", "other")
	e := r.open(doc, rooms.Anna)
	page := r.page(doc, rooms.Ben, true)
	for name, want := range map[string]string{"": "name", "a/b": "name", "~$x": "name", ".davwopi-x": "name"} {
		if status, out := r.ask(page, "rename", page.Token, map[string]any{"name": name}); status != http.StatusBadRequest || out["error"] != want {
			t.Errorf("%q: %d %v", name, status, out)
		}
	}
	if status, out := r.ask(page, "rename", page.Token, map[string]any{"name": "Taken"}); status != http.StatusOK || out["name"] != "Taken (1).docx" {
		t.Errorf("%d %v", status, out)
	}
	until(t, "the new title", func() bool { return r.DS.Title(e.Key) == "Taken (1).docx" })
	e.Type("two")
	r.good(e.Close())
	if r.read("/Taken (1).docx") != "two" || r.read("/Taken.docx") != "other" {
		t.Errorf("%v", r.names())
	}
}

func TestAnOldVersionIsNotPutBackUnderAnOpenEditor(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	r.good(e.Close())
	open := r.open(doc, rooms.Ben)
	page := r.page(doc, rooms.Anna, true)
	if status, out := r.ask(page, "history", page.Token, map[string]any{}); status != http.StatusOK || out["currentVersion"] != 2.0 {
		t.Fatalf("%d %v", status, out)
	}
	if status, out := r.ask(page, "restore", page.Token, map[string]any{"version": 1}); status != http.StatusConflict || out["error"] != "open" {
		t.Errorf("%d %v", status, out)
	}
	if r.read(doc) != "two" || r.locked(file) != open.Key {
		t.Errorf("%q", r.read(doc))
	}
	r.good(open.Close())
	for _, version := range []int{0, -1, 3} {
		if status, out := r.ask(page, "restore", page.Token, map[string]any{"version": version}); status != http.StatusNotFound {
			t.Errorf("version %d: %d %v", version, status, out)
		}
	}
	if status, out := r.ask(page, "restore", page.Token, map[string]any{"version": 1}); status != http.StatusOK {
		t.Errorf("%d %v", status, out)
	}
	if r.read(doc) != "one" {
		t.Errorf("%q", r.read(doc))
	}
	// What was there is a version now, and whoever opens it has another key.
	if status, out := r.ask(page, "history", page.Token, map[string]any{}); status != http.StatusOK || out["currentVersion"] != 3.0 {
		t.Errorf("%d %v", status, out)
	}
	if next := r.page(doc, rooms.Ben, true); next.Key == page.Key {
		t.Error("other contents have the same key")
	}
}

func TestOldVersionsAreForWhoeverSeesTheFile(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	r.write("/Other.docx", "other")
	for name, next := range map[string]string{doc: "two", "/Other.docx": "another"} {
		e := r.open(name, rooms.Anna)
		e.Type(next)
		r.good(e.Close())
	}
	page := r.page(doc, rooms.Anna, true)
	_, out := r.ask(page, "version", page.Token, map[string]any{"version": 1})
	address, _ := out["url"].(string)
	if got, err := r.DS.Download(address); err != nil || got != "one" {
		t.Fatalf("%q, %v", got, err)
	}
	other := r.page("/Other.docx", rooms.Anna, true)
	_, out = r.ask(other, "version", other.Token, map[string]any{"version": 1})
	foreign, err := url.Parse(out["url"].(string))
	r.Must(err)
	u, err := url.Parse(address)
	r.Must(err)
	// Somebody else's entry, with the token of one's own, and the other way round.
	mixed := *u
	mixed.Path = u.Path[:strings.LastIndexByte(u.Path, '/')] + foreign.Path[strings.LastIndexByte(foreign.Path, '/'):]
	for _, of := range []string{mixed.String(), u.Scheme + "://" + u.Host + u.Path + "?" + foreign.RawQuery, u.Scheme + "://" + u.Host + foreign.Path + "?" + u.RawQuery} {
		if got, err := r.DS.Download(of); err == nil {
			t.Errorf("%s gave %q", of, got)
		}
	}
}

func TestConvertingKeepsToWhatMayBeDone(t *testing.T) {
	r := newRig(t, func(s *docserver.Server) { s.Slow = 1 })
	file := r.write("/Alt.doc", "old")
	token := r.Docs.ConvertToken(r.grant(file, rooms.Anna, access.Edit))
	address := r.Base + "/docsapi/convert/" + string(file.ID)
	if status, out := r.post(address, token, map[string]any{"to": "docx", "keep": true}); status != http.StatusOK || out["percent"] != 0.0 {
		t.Fatalf("%d %v", status, out)
	}
	status, out := r.post(address, token, map[string]any{"to": "docx", "keep": true})
	if status != http.StatusOK || out["name"] != "Alt.docx" || r.read("/Alt.docx") != "doc as docx: old" || r.read("/Alt.doc") != "old" {
		t.Fatalf("%d %v, %v", status, out, r.names())
	}
	reader := r.Docs.ConvertToken(r.grant(file, rooms.Ben, access.View))
	for name, c := range map[string]struct {
		token, to string
		keep      bool
		status    int
	}{
		"a reader keeps nothing":    {reader, "docx", true, http.StatusForbidden},
		"no token":                  {"", "pdf", false, http.StatusUnauthorized},
		"a page's token":            {r.page("/Alt.docx", rooms.Anna, true).Token, "pdf", false, http.StatusUnauthorized},
		"a format that is not one":  {token, "exe", false, http.StatusUnprocessableEntity},
		"its own":                   {token, "doc", false, http.StatusUnprocessableEntity},
		"kept as what nobody edits": {token, "pdf", true, http.StatusUnprocessableEntity},
	} {
		if status, out := r.post(address, c.token, map[string]any{"to": c.to, "keep": c.keep}); status != c.status {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	if len(r.names()) != 2 {
		t.Errorf("%v", r.names())
	}
	// A reader may download what it sees, in another format.
	form := func(token, to string) (int, string, http.Header) {
		res, err := http.PostForm(r.Base+"/docsapi/converted/"+string(file.ID)+"/"+to, url.Values{"token": {token}})
		r.Must(err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		r.Must(err)
		return res.StatusCode, string(text), res.Header
	}
	if status, text, h := form(reader, "pdf"); status != http.StatusOK || text != "doc as pdf: old" || !strings.Contains(h.Get("Content-Disposition"), "Alt.pdf") {
		t.Errorf("%d %q %v", status, text, h)
	}
	if status, text, _ := form("", "pdf"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %q", status, text)
	}
	r.DS.ConvertError = -5
	if status, out := r.post(address, reader, map[string]any{"to": "odt"}); status != http.StatusUnprocessableEntity || out["error"] != "convert_password" {
		t.Errorf("%d %v", status, out)
	}
}

func TestOnlyFromTheNetworksOfEditors(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	page := r.page(doc, rooms.Anna, true)
	r.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	e.Type("two")
	told, err := e.Save()
	r.bad(told, err)
	if told.HTTP != http.StatusForbidden || r.read(doc) != "one" {
		t.Errorf("%+v, %q", told, r.read(doc))
	}
	if got, err := r.DS.Download(page.Config.Document.URL); err == nil {
		t.Errorf("a download from elsewhere: %q", got)
	}
}

func TestBothDirectionsAreTried(t *testing.T) {
	r := newRig(t, nil)
	if p := r.Docs.Probe(t.Context(), r.DS.URL); p.Err != nil || p.Version != docserver.Version || !p.Asked || !p.Came || p.Token != nil {
		t.Errorf("%+v", p)
	}
	res, err := http.Get(r.Base + "/docsapi/probe/" + strings.Repeat("a", 26))
	r.Must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("a number that is not expected: %d", res.StatusCode)
	}
	r.start("another-secret-0123456789abcdefgh")
	if p := r.Docs.Probe(t.Context(), r.DS.URL); p.Err == nil || p.Asked {
		t.Errorf("another secret: %+v", p)
	}
}
