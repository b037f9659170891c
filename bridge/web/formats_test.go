package web_test

import (
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/oauth"
)

// An old format is shown, and whoever may edit is offered a copy; only the page that
// was asked to edit converts.
func TestOldFormatsAreConvertedWhenAsked(t *testing.T) {
	for name, c := range map[string]struct {
		kind              wopi.Office
		file              string
		viewing, convert  string // in the addresses
		offers, nextToDoc bool
	}{
		"Microsoft, Word":                {wopi.Microsoft, "a.doc", "/wv/wordviewerframe.aspx", "/we/WordConvertAndEdit.aspx", true, true},
		"Microsoft, Excel":               {wopi.Microsoft, "a.xls", "/x/_layouts/xlviewerinternal.aspx", "/x/_layouts/ExcelConvertAndEdit.aspx", true, true},
		"Microsoft, PowerPoint":          {wopi.Microsoft, "a.ppt", "/p/PowerPointFrame.aspx", "/p/PptConvertAndEdit.aspx", true, true},
		"ONLYOFFICE":                     {wopi.OnlyOffice, "a.doc", "/hosting/wopi/word/view", "/hosting/wopi/convert-and-edit/doc/docx", true, true},
		"PutRelativeFile is off":         {wopi.OnlyOffice, "a.doc", "/hosting/wopi/word/view", "/hosting/wopi/word/view", false, true},
		"the folder is only for reading": {wopi.OnlyOffice, "a.doc", "/hosting/wopi/word/view", "/hosting/wopi/word/view", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(h *house) {
				h.withEditor(c.kind, "doc", "xls", "ppt", "docx")
				h.Offers.WriteRelative = c.offers
				if !c.nextToDoc {
					h.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.View}, {Who: []string{"*"}, Path: "/" + c.file, Rights: access.Edit}}
				}
			})
			h.up.Write(t, c.file, "old")
			b := h.person("anna")
			b.get("/") // discovery is fetched
			if _, err := h.Editors.Action(t.Context(), "docx", "edit", 1, ""); err != nil {
				t.Fatal(err)
			}
			list := b.get("/")
			id := list.id(t, c.file)
			contains(t, list.body, `href="/view/`+id+`"><svg`)

			offer := `<a class="button" href="/edit/` + id + `">Edit a copy as .` + strings.TrimPrefix(c.file, "a.") + "x</a>"
			view := b.get("/view/" + id)
			if g := h.grant(view.token(t), id); view.action(t).Path != c.viewing || g.Rights != access.View {
				t.Errorf("to view: %s with %v", view.action(t), g.Rights)
			}
			if got := strings.Contains(view.body, offer); got != (c.offers && c.nextToDoc) {
				t.Errorf("a copy is offered: %v", got)
			}
			edit, want := b.get("/edit/"+id), access.View
			if c.convert != c.viewing {
				want = access.Edit
			}
			if g := h.grant(edit.token(t), id); edit.action(t).Path != c.convert || g.Rights != want {
				t.Errorf("to edit: %s with %v", edit.action(t), g.Rights)
			}
			if got := wopiSrcOf(edit.action(t).Query()); got != h.URLs.WOPISrc(h.grantFile(id)) {
				t.Errorf("WOPISrc %q", got)
			}
			if want == access.View {
				contains(t, edit.body, "can show this kind of file, but not edit it.")
			}
		})
	}
}

func wopiSrcOf(q map[string][]string) string {
	for name, values := range q {
		if strings.EqualFold(name, "wopisrc") {
			return values[0]
		}
	}
	return ""
}

// A ticket's page shows an old format: afterwards the converter would lead to a page
// that wants a session.
func TestATicketConvertsNothing(t *testing.T) {
	h := newHouse(t, func(h *house) { h.withEditor(wopi.OnlyOffice, "doc") })
	h.up.Write(t, "a.doc", "old")
	out, err := h.Open(t.Context(), web.OpenRequest{Path: "/a.doc", Principal: oauth.Principal{Issuer: "link", Subject: "owner", Name: "Owner"}})
	if err != nil || !strings.Contains(out.ActionURL, "/word/view?") {
		t.Fatalf("%s, %v", out.ActionURL, err)
	}
	page := h.browser().get(strings.TrimPrefix(out.HostURL, h.server.URL))
	if got := page.action(t).Path; got != "/hosting/wopi/word/view" || strings.Contains(page.body, "Edit a copy") {
		t.Errorf("the ticket's page: %s", got)
	}
}

func TestEmptyDocumentsAreNew(t *testing.T) {
	for name, c := range map[string]struct {
		kind wopi.Office
		want string // in the address
	}{
		"Microsoft":  {wopi.Microsoft, "/we/wordeditorframe.aspx?new=1&"},
		"ONLYOFFICE": {wopi.OnlyOffice, "/hosting/wopi/word/edit?"},
		"Collabora":  {wopi.Collabora, "/cool.html?"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(h *house) { h.withEditor(c.kind, "docx") })
			h.up.Write(t, "new.docx", "")
			h.up.Write(t, "old.docx", "something")
			b := h.person("anna")
			if _, err := h.Editors.Action(t.Context(), "docx", "edit", 1, ""); err != nil {
				t.Fatal(err)
			}
			list := b.get("/")
			page := b.get("/edit/" + list.id(t, "new.docx"))
			if got := page.action(t).String(); !strings.Contains(got, c.want) {
				t.Errorf("%s", got)
			}
			if got := b.get("/edit/" + list.id(t, "old.docx")).action(t).Query(); got.Has("new") {
				t.Errorf("a document that is not empty: %v", got)
			}
			if g := h.grant(page.token(t), list.id(t, "new.docx")); g.Rights != access.Edit {
				t.Errorf("rights %v", g.Rights)
			}
			if strings.Contains(list.body, `data-view="/view/`+list.id(t, "new.docx")) || !strings.Contains(list.body, `data-view="/view/`+list.id(t, "old.docx")) {
				t.Error("an empty document is offered to be viewed, or another one is not")
			}
		})
	}
}

// A file of the WOPI validator is opened once it is said which tests to play.
func TestTheValidatorIsToldWhatToPlay(t *testing.T) {
	h := newHouse(t, func(h *house) { h.withEditor(wopi.Microsoft, "docx") })
	h.up.Write(t, "a.wopitest", "")
	b := h.person("anna")
	if _, err := h.Editors.Action(t.Context(), "docx", "edit", 1, ""); err != nil {
		t.Fatal(err)
	}
	list := b.get("/")
	id := list.id(t, "a.wopitest")
	contains(t, list.body, `href="/edit/`+id+`"><svg`)
	for _, query := range []string{"", "?category=", "?category=all", "?category=<x>"} {
		page := b.get("/edit/" + id + query)
		contains(t, page.body, `href="?category=All"`, `href="?category=OfficeOnline"`, `href="?category=OfficeNativeClient"`, "will be lost", `href="/folder/`)
		if anyToken.MatchString(page.body) {
			t.Errorf("%s: a token before anything is chosen", query)
		}
	}
	if view := b.get("/view/" + id); strings.Contains(view.body, "will be lost") || !strings.Contains(view.body, "without the tests that write") {
		t.Error("to view, the page warns of writing")
	}
	for _, chosen := range []string{"All", "OfficeOnline", "OfficeNativeClient"} {
		page := b.get("/edit/" + id + "?category=" + chosen)
		u := page.action(t)
		if u.Path != "/hosting/WopiTestFrame.aspx" || u.Query().Get("testcategory") != chosen || u.Query().Get("wopisrc") != h.URLs.WOPISrc(h.grantFile(id)) {
			t.Errorf("%s: %s", chosen, u)
		}
		if g := h.grant(page.token(t), id); g.Rights != access.Edit {
			t.Errorf("%s: rights %v", chosen, g.Rights)
		}
		view := b.get("/view/" + id + "?category=" + chosen)
		if g := h.grant(view.token(t), id); g.Rights != access.View || view.action(t).Query().Get("testcategory") != chosen {
			t.Errorf("%s: to view: %s with %v", chosen, view.action(t), g.Rights)
		}
	}
	who := oauth.Principal{Issuer: "link", Subject: "owner", Name: "Owner"}
	for query, want := range map[string]string{"": "", "?category=OfficeOnline": "OfficeOnline"} {
		out, err := h.Open(t.Context(), web.OpenRequest{Path: "/a.wopitest", Principal: who})
		if err != nil {
			t.Fatal(err)
		}
		if got := h.browser().get(strings.TrimPrefix(out.HostURL, h.server.URL) + query).action(t).Query(); got.Get("testcategory") != want {
			t.Errorf("by a ticket %q: %v", query, got)
		}
	}
}

// A business user is told to the editor wherever its address has a place for it, to
// view too.
func TestBusinessUsersInAddresses(t *testing.T) {
	for _, business := range []bool{true, false} {
		h := newHouse(t, func(h *house) {
			h.withEditor(wopi.Microsoft, "docx")
			h.Offers.BusinessUsers = business
		})
		h.up.Write(t, "a.docx", "x")
		b := h.person("anna")
		id := b.get("/").id(t, "a.docx")
		out, err := h.Open(t.Context(), web.OpenRequest{Path: "/a.docx", Principal: oauth.Principal{Issuer: "link", Subject: "owner", Name: "Owner"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{b.get("/edit/" + id).action(t).String(), b.get("/view/" + id).action(t).String(), out.ActionURL} {
			if got := strings.Contains(address, "IsLicensedUser=1&"); got != business {
				t.Errorf("business %v: %s", business, address)
			}
		}
	}
}
