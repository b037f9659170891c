package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

func TestHostPageOfTheTextEditor(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.txt")
	page := b.get("/edit/" + id)
	contains(t, page.body, `<form id="go" method="post" action="/textedit/frame?mode=edit`, "WOPISrc=", `target="editor"`, "<title>a.txt – davwopi</title>")
	g := h.grant(page.token(t), id)
	if g.Rights != access.Edit || g.Editor != discovery.TextEditor || g.Principal.Name != "anna" || g.Session == "" || g.Scope == "" || g.Scope == g.File {
		t.Errorf("grant %+v", g)
	}
	contains(t, page.body, fmt.Sprintf(`name="access_token_ttl" value="%d"`, g.Expires.UnixMilli()))
	view := b.get("/view/" + id)
	contains(t, view.body, `action="/textedit/frame?mode=view`)
	if g := h.grant(view.token(t), id); g.Rights != access.View {
		t.Errorf("view has rights %v", g.Rights)
	}
}

func TestHostPageOfAnOffice(t *testing.T) {
	var editorURL string
	h := newHouse(t, func(h *house) { editorURL = h.withEditor(wopi.Collabora, "docx", "odt").URL })
	h.up.Write(t, "a.docx", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.docx")
	page := b.get("/edit/" + id + "?wdOrigin=abc&other=1")
	g := h.grant(page.token(t), id)
	if g.Editor != editorURL || g.Rights != access.Edit {
		t.Errorf("grant %+v", g)
	}
	u := page.action(t)
	if got, want := u.Query().Get("WOPISrc"), h.URLs.WOPISrc(g.File); got != want {
		t.Errorf("WOPISrc %q, want %q", got, want)
	}
	if u.Query().Get("wdOrigin") != "abc" || u.Query().Has("other") {
		t.Errorf("wd parameters: %s", u.RawQuery)
	}
	origin := u.Scheme + "://" + u.Host
	contains(t, page.header.Get("Content-Security-Policy"), "frame-src "+origin, "form-action 'self' "+origin, "frame-ancestors 'self'", "default-src 'none'")
	contains(t, page.body, `"origin":"`+origin+`"`)
}

func TestAFileThatMayOnlyBeReadIsOpenedToRead(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.withEditor(wopi.Collabora, "docx")
		h.Rules = access.Rules{{Who: []string{"*"}, Rights: access.View}}
	})
	h.up.Write(t, "a.docx", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.docx")
	page := b.get("/edit/" + id)
	if g := h.grant(page.token(t), id); g.Rights != access.View {
		t.Errorf("rights %v", g.Rights)
	}
	contains(t, page.body, "You may read this document, but not change it.")
}

// What the upstream says of this person's rights counts as the rules do.
func TestAFileThatTheUpstreamKeepsIsOpenedToRead(t *testing.T) {
	h := newHouse(t, func(h *house) { h.withEditor(wopi.Collabora, "docx") })
	h.up.Write(t, "a.docx", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.docx")
	h.up.Quirks.Set(func(q *upstream.Quirks) { q.Privileges = func(string, dav.Path) []string { return []string{"read"} } })
	for privileges, want := range map[bool]access.Rights{false: access.Edit, true: access.View} {
		h.Upstreams.List[0].Client.Learn(davbackend.Profile{Privileges: privileges})
		page := b.get("/edit/" + id)
		if g := h.grant(page.token(t), id); g.Rights != want {
			t.Errorf("privileges %v: rights %v", privileges, g.Rights)
		}
		if got := strings.Contains(page.body, "You may read this document, but not change it."); got != privileges {
			t.Errorf("privileges %v: the page says so: %v", privileges, got)
		}
	}
}

func TestOfficeFilesWithoutAnEditorSayWhatToAdd(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.docx", "hello")
	h.up.Write(t, "b.xyz", "hello")
	b := h.person("anna")
	list := b.get("/")
	page := b.get("/edit/" + list.id(t, "a.docx"))
	if page.status != http.StatusOK {
		t.Errorf("status %d", page.status)
	}
	contains(t, page.body, "Collabora Online", "ONLYOFFICE", "editors:\n  - https://office.example.org", "aliasgroup1="+h.server.URL, "WOPI_ENABLED=true", "/download/", "only works on this very machine")
	contains(t, b.get("/edit/"+list.id(t, "b.xyz")).body, "No editor opens", ".xyz")
}

func TestWhoHasTheFile(t *testing.T) {
	var editorURL string
	h := newHouse(t, func(h *house) { editorURL = h.withEditor(wopi.Collabora, "docx").URL })
	h.up.Write(t, "a.txt", "hello")
	h.up.Write(t, "b.docx", "hello")
	b := h.person("anna")
	list := b.get("/")
	h.lock(list.id(t, "a.txt"), "Jürgen <x>", discovery.TextEditor)
	contains(t, b.get("/").body, `<bdi>Jürgen &lt;x&gt;</bdi>`)
	page := b.get("/edit/" + list.id(t, "a.txt"))
	contains(t, page.body, `name="davwopi_holder" value="Jürgen &lt;x&gt;"`)
	got := mustJSON[map[string]any](t, b.get("/view/"+list.id(t, "a.txt")+"/state").body)
	if got["holder"] != "Jürgen <x>" || got["with"] != discovery.TextEditor || got["since"].(float64) == 0 {
		t.Errorf("holder %v", got)
	}

	id := list.id(t, "b.docx")
	h.locked(id, locks.Actor{Member: "m", Editor: editorURL, Office: wopi.Collabora, UserID: "u-ben", Name: "Ben"})
	contains(t, b.get("/edit/"+id).body, "Ben has this document open too")
}

func TestTheTokenIsRenewedForTheSameEditorOnly(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.txt")
	ask := func(user string) string {
		return `{"editor":"davwopi:text","user":"` + oauth.Principal{Issuer: "link", Subject: "guest:" + user}.UserID() + `"}`
	}
	contains(t, b.get("/edit/"+id).body, `"user":"`+oauth.Principal{Issuer: "link", Subject: "guest:anna"}.UserID()+`"`)
	got := b.postJSON("/edit/"+id+"/token", ask("anna"))
	fresh := mustJSON[struct {
		Token string `json:"access_token"`
		TTL   int64  `json:"access_token_ttl"`
	}](t, got.body)
	g := h.grant(fresh.Token, id)
	if got.status != http.StatusOK || g.Rights != access.Edit || g.Editor != "davwopi:text" || g.Expires.UnixMilli() != fresh.TTL || g.Session == "" {
		t.Errorf("%d %+v", got.status, g)
	}
	view := mustJSON[map[string]any](t, b.postJSON("/view/"+id+"/token", ask("anna")).body)
	if g := h.grant(view["access_token"].(string), id); g.Rights != access.View {
		t.Errorf("view renewed to %v", g.Rights)
	}
	for body, want := range map[string]int{`{"editor":""}`: 400, `{"editor":"https://evil.example"}`: 400, `x`: 400} {
		if got := b.postJSON("/edit/"+id+"/token", body); got.status != want {
			t.Errorf("%s: %d", body, got.status)
		}
	}
	if got := h.person("ben").postJSON("/edit/"+id+"/token", ask("anna")); got.status != http.StatusForbidden {
		t.Errorf("as somebody else: %d %s", got.status, got.body)
	}
	if got := h.browser().postJSON("/edit/"+id+"/token", ask("anna")); got.status != http.StatusUnauthorized {
		t.Errorf("without a session: %d", got.status)
	}
}
