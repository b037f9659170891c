package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

type pictureItem struct {
	ID, Name string
	Size     int64
}

type pictureFolder struct {
	Name, Up          string
	Folders, Pictures []pictureItem
}

func names(list []pictureItem) string {
	var all []string
	for _, p := range list {
		all = append(all, p.Name)
	}
	return strings.Join(all, " ")
}

// TestPictures lists what there is to put into a document, and hands out an address that
// opens that picture alone.
func TestPictures(t *testing.T) {
	var editorURL string
	h := newHouse(t, func(h *house) {
		editorURL = h.withEditor(wopi.Collabora, "docx").URL
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.Edit}, {Who: []string{"*"}, Path: "/team/secret", Rights: 0}}
	})
	for name, text := range map[string]string{
		"team/a.docx": "x", "team/Berg 10.PNG": "ten", "team/Berg 9.png": "nine", "team/note.txt": "x", "team/.hidden.png": "x",
		"team/sub/inner.svg": "x", "team/secret/s.png": "x", "top.jpg": "x",
	} {
		h.up.Write(t, name, text)
	}
	b := h.person("anna")
	id := b.get("/folder/"+b.get("/").id(t, "team")).id(t, "a.docx")
	pictures := "/edit/" + id + "/pictures"
	contains(t, b.get("/edit/"+id).body, `"pictures":"`+pictures+`"`)
	in := mustJSON[pictureFolder](t, b.get(pictures).body)
	if in.Name != "team" || in.Up == "" || names(in.Folders) != "sub" || names(in.Pictures) != "Berg 9.png Berg 10.PNG" || in.Pictures[0].Size != 4 {
		t.Errorf("%+v", in)
	}
	if sub := mustJSON[pictureFolder](t, b.get(pictures+"?in="+in.Folders[0].ID).body); names(sub.Pictures) != "inner.svg" || sub.Up == "" {
		t.Errorf("%+v", sub)
	}
	top := mustJSON[pictureFolder](t, b.get(pictures+"?in="+in.Up).body)
	if top.Name != "Home NAS" || top.Up != "" || names(top.Pictures) != "top.jpg" {
		t.Errorf("%+v", top)
	}
	for what, want := range map[string]int{"../x": 400, id: 404, strings.Repeat("q", 26): 404} {
		if got := b.get(pictures + "?in=" + url.QueryEscape(what)); got.status != want {
			t.Errorf("in %s: %d, want %d", what, got.status, want)
		}
	}

	ask := func(b *browser, editor, user, picture string) answer {
		return b.postJSON("/edit/"+id+"/picture", fmt.Sprintf(`{"editor":%q,"user":%q,"picture":%q}`, editor, guest(user).UserID(), picture))
	}
	got := ask(b, editorURL, "anna", in.Pictures[0].ID)
	made := mustJSON[struct{ URL string }](t, got.body)
	u, err := url.Parse(made.URL)
	if err != nil || got.status != http.StatusOK || u.Path != "/wopi/fileurl/"+in.Pictures[0].ID {
		t.Fatalf("%d %s, %v", got.status, got.body, err)
	}
	g, _, err := h.Tokens.OpenFileURL(t.Context(), u.Query().Get("access_token"), idmap.FileID(in.Pictures[0].ID))
	if err != nil || g.Rights != access.View || g.Editor != editorURL || g.Session == "" || g.Principal.Name != "anna" {
		t.Errorf("%+v, %v", g, err)
	}
	if _, _, err := h.Tokens.OpenFileURL(t.Context(), u.Query().Get("access_token"), idmap.FileID(id)); err == nil {
		t.Error("the address of a picture opens the document")
	}
	for _, c := range []struct {
		who                   *browser
		editor, user, picture string
		want                  int
	}{
		{b, editorURL, "anna", id, 404},
		{b, editorURL, "anna", "x", 400},
		{b, "https://evil.example", "anna", in.Pictures[0].ID, 400},
		{b, editorURL, "ben", in.Pictures[0].ID, 403},
		{h.browser(), editorURL, "anna", in.Pictures[0].ID, 401},
	} {
		if got := ask(c.who, c.editor, c.user, c.picture); got.status != c.want {
			t.Errorf("%+v: %d", c, got.status)
		}
	}
}

// TestFrameAncestors: who may frame which page.
func TestFrameAncestors(t *testing.T) {
	h := newHouse(t, func(h *house) { h.Ancestors = []string{"https://portal.example"} })
	h.up.Write(t, "a.txt", "hello")
	h.up.Write(t, "b.docx", "hello")
	b := h.person("anna")
	list := b.get("/")
	id, office := list.id(t, "a.txt"), list.id(t, "b.docx")
	const none, these = "frame-ancestors 'none'", "frame-ancestors 'self' https://portal.example"
	for address, want := range map[string]string{
		"/": none, "/links": none, "/open": none, "/nothing": none, "/document/" + id: none, "/view/" + id + "/state": none,
		"/edit/" + id: these, "/view/" + id: these, "/edit/" + office: these, "/edit/" + strings.Repeat("q", 26): these, "/ticket/used": these, "/closed": these,
	} {
		if got := b.get(address).header.Get("Content-Security-Policy"); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := h.browser().get("/signin").header.Get("Content-Security-Policy"); !strings.HasSuffix(got, none) {
		t.Errorf("the sign-in page: %s", got)
	}
	contains(t, b.get("/edit/"+id).body, `"ancestors":["https://portal.example"]`)
	if got := h.browser().get("/edit/" + id); got.status != http.StatusSeeOther || !strings.Contains(got.header.Get("Location"), "/signin") {
		t.Errorf("without a sign-in: %d", got.status)
	}
}

// TestTheHostPageLeadsToApps, and between reading and editing.
func TestTheHostPageLeadsToApps(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.withEditor(wopi.OnlyOffice, "docx")
		root, err := url.Parse("https://files.example/dav/")
		h.must(err)
		h.Launching.Desktop = map[string]web.Desktop{"main": {Root: root}}
	})
	h.up.Write(t, "a.docx", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.docx")
	contains(t, b.getFrom(windows, "/edit/"+id).body, `href="ms-word:ofe|u|https://files.example/dav/a.docx">Open in Word</a>`, `id="mode" href="/view/`+id+`">View only</a>`,
		`name="docs_api_config" value="{&#34;editorConfig&#34;:{&#34;customization&#34;:{&#34;forcesave&#34;:true}}}"`)
	view := b.get("/view/" + id).body
	contains(t, view, `id="mode" href="/edit/`+id+`">Edit</a>`)
	if strings.Contains(view, "docs_api_config") {
		t.Error("a page for reading has the configuration for saving")
	}
}
