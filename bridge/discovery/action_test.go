package discovery_test

import (
	"errors"
	"strings"
	"testing"

	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

func TestActionOfEachOffice(t *testing.T) {
	for _, tt := range []struct {
		name     string
		office   wopi.Office
		exts     string
		ext      string
		mode     discovery.Mode
		size     int64
		want     discovery.Mode
		contains string // in URLSrc
	}{
		{"Collabora edits", wopi.Collabora, "odt", "odt", discovery.ModeEdit, 1, discovery.ModeEdit, "/cool.html?"},
		{"Collabora lists only edit, which views too", wopi.Collabora, "odt", "odt", discovery.ModeView, 1, discovery.ModeView, "/cool.html?"},
		{"Collabora views what can be commented on", wopi.Collabora, "pdf", "pdf", discovery.ModeView, 1, discovery.ModeView, "/cool.html?"},
		{"Collabora cannot edit that, so it views", wopi.Collabora, "pdf", "pdf", discovery.ModeEdit, 1, discovery.ModeView, "/cool.html?"},
		{"Collabora has no editnew, so it edits an empty file", wopi.Collabora, "odt", "odt", discovery.ModeEdit, 0, discovery.ModeEdit, "/cool.html?"},
		{"an app named by MIME type serves its extension", wopi.Collabora, "docx", "odt", discovery.ModeEdit, 1, discovery.ModeEdit, "/cool.html?"},
		{"ONLYOFFICE edits", wopi.OnlyOffice, "docx", "docx", discovery.ModeEdit, 1, discovery.ModeEdit, "/hosting/wopi/word/edit?"},
		{"ONLYOFFICE views", wopi.OnlyOffice, "docx", "docx", discovery.ModeView, 1, discovery.ModeView, "/hosting/wopi/word/view?"},
		{"an empty file that may be edited is editnew", wopi.OnlyOffice, "docx", "docx", discovery.ModeEdit, 0, discovery.ModeEditNew, "/hosting/wopi/word/edit?"},
		{"an empty file that is viewed is viewed", wopi.OnlyOffice, "docx", "docx", discovery.ModeView, 0, discovery.ModeView, "/hosting/wopi/word/view?"},
		{"editnew for whoever asks for it", wopi.OnlyOffice, "docx", "docx", discovery.ModeEditNew, 1, discovery.ModeEditNew, "/edit?"},
		{"a legacy format is converted", wopi.OnlyOffice, "doc", "doc", discovery.ModeEdit, 1, discovery.ModeConvert, "/convert-and-edit/doc/docx?"},
		{"embedding", wopi.OnlyOffice, "docx", "docx", discovery.ModeEmbedView, 1, discovery.ModeEmbedView, "/view?embed=1&"},
		{"Microsoft edits", wopi.Microsoft, "xlsx", "xlsx", discovery.ModeEdit, 1, discovery.ModeEdit, "/xlviewerinternal.aspx?edit=1&<ui"},
		{"Microsoft has an address of its own for an empty file", wopi.Microsoft, "pptx", "pptx", discovery.ModeEdit, 0, discovery.ModeEditNew, "PowerPointView=EditView&New=1&"},
		{"and views it where it may not be edited", wopi.Microsoft, "docx", "docx", discovery.ModeView, 0, discovery.ModeView, "/wv/wordviewerframe.aspx?"},
		{"Microsoft converts Word's old format", wopi.Microsoft, "doc", "doc", discovery.ModeEdit, 1, discovery.ModeConvert, "/we/WordConvertAndEdit.aspx?"},
		{"Microsoft converts Excel's", wopi.Microsoft, "xls", "xls", discovery.ModeEdit, 1, discovery.ModeConvert, "/ExcelConvertAndEdit.aspx?"},
		{"Microsoft converts PowerPoint's", wopi.Microsoft, "ppt", "ppt", discovery.ModeEdit, 1, discovery.ModeConvert, "/PptConvertAndEdit.aspx?"},
		{"an empty file of an old format is converted too", wopi.Microsoft, "doc", "doc", discovery.ModeEdit, 0, discovery.ModeConvert, "/we/WordConvertAndEdit.aspx?"},
		{"to view is not to convert", wopi.Microsoft, "doc", "doc", discovery.ModeView, 1, discovery.ModeView, "/wv/"},
		{"Microsoft shows a PDF to whoever would edit it", wopi.Microsoft, "pdf", "pdf", discovery.ModeEdit, 1, discovery.ModeView, "/wv/"},
		{"ONLYOFFICE converts Excel's old format", wopi.OnlyOffice, "xls", "xls", discovery.ModeEdit, 1, discovery.ModeConvert, "/convert-and-edit/xls/xlsx?"},
		{"ONLYOFFICE fills an empty file at the address of edit", wopi.OnlyOffice, "xlsx", "xlsx", discovery.ModeEdit, 0, discovery.ModeEditNew, "/hosting/wopi/cell/edit?"},
		{"Collabora edits old formats as they are", wopi.Collabora, "doc", "doc", discovery.ModeEdit, 1, discovery.ModeEdit, "/cool.html?"},
		{"embedding where only viewing is offered", wopi.Microsoft, "docx", "docx", discovery.ModeEmbedView, 1, discovery.ModeView, "/wv/"},
		{"extensions have no case", wopi.Microsoft, "docx", ".DOCX", discovery.ModeEdit, 1, discovery.ModeEdit, "/we/wordeditorframe.aspx?"},
		{"the validator edits at the address of its view", wopi.Microsoft, "", "wopitest", discovery.ModeEdit, 0, discovery.ModeEdit, "/hosting/WopiTestFrame.aspx?"},
		{"the validator where it lists edit", wopi.Microsoft, "", "wopitestx", discovery.ModeEdit, 1, discovery.ModeEdit, "/hosting/WopiTestFrame.aspx?"},
		{"any mode by its name", wopi.Microsoft, "", "wopitest", "getinfo", 1, "getinfo", "/hosting/GetWopiTestInfo.ashx?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &discovery.Editors{List: []discovery.Editor{{URL: "https://office.test", Builtin: func() []byte {
				return office.Discovery(tt.office, "https://office.test", office.Keys{}, strings.Fields(tt.exts)...)
			}}}}
			a, err := e.Action(t.Context(), tt.ext, tt.mode, tt.size, "")
			if err != nil {
				t.Fatal(err)
			}
			if a.Mode != tt.want || a.Office != tt.office || !strings.Contains(a.URLSrc, tt.contains) {
				t.Errorf("%s %s %s", a.Mode, a.Office, a.URLSrc)
			}
			if a.Origin() != "https://office.test" || a.Ext != strings.ToLower(strings.TrimPrefix(tt.ext, ".")) {
				t.Errorf("origin %q, ext %q", a.Origin(), a.Ext)
			}
			if want := map[bool]string{true: a.Ext + "x"}[tt.want == discovery.ModeConvert]; a.Target != want {
				t.Errorf("target %q, want %q", a.Target, want)
			}
			if a.Validates() != strings.HasPrefix(a.Ext, "wopitest") {
				t.Errorf("the validator: %v", a.Validates())
			}
		})
	}
}

const (
	viewsOdt  = `<app name="Viewer"><action name="view" ext="odt" urlsrc="https://viewer.test/view?"/></app>`
	editsOdt  = `<app name="A"><action name="edit" ext="odt" urlsrc="https://a.test/edit?"/><action name="editnew" ext="odt" urlsrc="https://a.test/new?"/></app>`
	editsOdt2 = `<app name="B"><action name="edit" ext="odt" urlsrc="https://b.test/edit?"/></app>`
)

func TestActionChoosesAmongEditors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		docs   []string
		prefer string
		editor string
		mode   discovery.Mode
		size   int64
		want   string // address begins with it
	}{
		{"the first that can edit wins", []string{viewsOdt, editsOdt, editsOdt2}, "", "", discovery.ModeEdit, 1, "https://a.test/edit"},
		{"the first that can edit wins over one with editnew", []string{editsOdt2, editsOdt}, "", "", discovery.ModeEdit, 0, "https://b.test/edit"},
		{"prefer wins over the order", []string{viewsOdt, editsOdt, editsOdt2}, "https://ed2.test", "", discovery.ModeEdit, 1, "https://b.test"},
		{"a preferred one that cannot gives way", []string{viewsOdt, editsOdt}, "https://ed0.test", "", discovery.ModeEdit, 1, "https://a.test"},
		{"a named one is the only one", []string{editsOdt, editsOdt2}, "", "https://ed1.test", discovery.ModeEdit, 1, "https://b.test"},
		{"a name for people works too", []string{editsOdt, editsOdt2}, "", "editor (ed1.test)", discovery.ModeEdit, 1, "https://b.test"},
		{"a named one does what it can", []string{editsOdt, viewsOdt}, "", "https://ed1.test", discovery.ModeEdit, 1, "https://viewer.test"},
		{"viewing takes the first that can view or edit", []string{editsOdt, viewsOdt}, "", "", discovery.ModeView, 1, "https://a.test/edit"},
		{"among two apps the default wins", []string{`<app name="A"><action name="edit" ext="odt" urlsrc="https://a.test/"/></app><app name="B"><action name="edit" ext="odt" default="true" urlsrc="https://b.test/"/></app>`}, "", "", discovery.ModeEdit, 1, "https://b.test"},
		{"without a default the first app wins", []string{`<app name="A"><action name="edit" ext="odt" urlsrc="https://a.test/"/></app><app name="B"><action name="edit" ext="odt" urlsrc="https://b.test/"/></app>`}, "", "", discovery.ModeEdit, 1, "https://a.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.docs {
				tt.docs[i] = doc(tt.docs[i])
			}
			e := of(tt.docs...)
			e.Prefer = map[string]string{"odt": tt.prefer}
			e.Warm(t.Context())
			a, err := e.Action(t.Context(), "odt", tt.mode, tt.size, tt.editor)
			if err != nil || !strings.HasPrefix(a.URLSrc, tt.want) {
				t.Errorf("%s, %v", a.URLSrc, err)
			}
		})
	}
}

func TestActionThatNobodyHas(t *testing.T) {
	for _, tt := range []struct{ name, text, ext, editor string }{
		{"no editors", "", "odt", ""},
		{"another extension", doc(editsOdt), "xyz", ""},
		{"no extension", doc(`<app name="A"><action name="edit" ext="" urlsrc="https://a.test/"/></app>`), "", ""},
		{"an editor that is not configured", doc(editsOdt), "odt", "https://elsewhere.test"},
		{"an action for a program ID", doc(`<app name="A"><action name="edit" ext="odt" progid="X" urlsrc="https://a.test/"/></app>`), "odt", ""},
		{"an action for the folder", doc(`<app name="A"><action name="edit" ext="odt" useParent="true" urlsrc="https://a.test/"/></app>`), "odt", ""},
		{"an action that needs cobalt", doc(`<app name="A"><action name="edit" ext="odt" requires="update,cobalt" urlsrc="https://a.test/"/></app>`), "odt", ""},
		{"an unknown name of an action", doc(`<app name="A"><action name="dance" ext="odt" urlsrc="https://a.test/"/></app>`), "odt", ""},
		{"an address that runs a script", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="javascript:alert(1)//"/></app>`), "odt", ""},
		{"an address of a file", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="file:///etc/passwd"/></app>`), "odt", ""},
		{"an address without a host", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="/edit"/></app>`), "odt", ""},
		{"an address with a user", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="https://a@b.test/"/></app>`), "odt", ""},
		{"an address with a fragment", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="https://b.test/#x"/></app>`), "odt", ""},
		{"an address with a line break", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="https://b.test/&#10;x"/></app>`), "odt", ""},
		{"an address with a bracket inside a bracket", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="https://b.test/?&lt;a&lt;ui=UI_LLCC&gt;"/></app>`), "odt", ""},
		{"an address with a bracket that is never closed", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="https://b.test/?&lt;ui=UI_LLCC"/></app>`), "odt", ""},
		{"an address with a stray bracket", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="https://b.test/?x&gt;"/></app>`), "odt", ""},
		{"an address that adds to a policy", doc(`<app name="A"><action name="edit" ext="odt" urlsrc="https://b.test;script-src/"/></app>`), "odt", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := of()
			if tt.text != "" {
				e = of(tt.text)
			}
			if a, err := e.Action(t.Context(), tt.ext, discovery.ModeEdit, 1, tt.editor); !errors.Is(err, discovery.ErrNoEditor) {
				t.Errorf("%+v, %v; want ErrNoEditor", a, err)
			}
		})
	}
}

func TestCanAnswersFromTheCache(t *testing.T) {
	e := of(doc(viewsOdt), doc(`<app name="B"><action name="edit" ext="ods" urlsrc="https://b.test/"/><action name="editnew" ext="new" urlsrc="https://b.test/"/><action name="convert" ext="doc" urlsrc="https://b.test/"/></app>`))
	e.Can("odt") // starts to fetch
	eventually(t, "documents in the cache", func() bool {
		odt, _ := e.Can("odt")
		_, ods := e.Can("ods")
		return odt && ods
	})
	for _, tt := range []struct {
		ext        string
		view, edit bool
	}{
		{"odt", true, false}, {"ODS", true, true}, {".ods", true, true}, {"new", false, true}, {"doc", false, false}, {"xyz", false, false}, {"", false, false},
	} {
		if view, edit := e.Can(tt.ext); view != tt.view || edit != tt.edit {
			t.Errorf("%q: view %v, edit %v", tt.ext, view, edit)
		}
	}
}

func TestNetZones(t *testing.T) {
	zone := func(name, host string) string {
		return `<net-zone name="` + name + `"><app name="A"><action name="edit" ext="odt" urlsrc="https://` + host + `.test/"/></app></net-zone>`
	}
	for _, tt := range []struct{ name, zones, want string }{
		{"the zone of the scheme that the document came by", zone("external-http", "a") + zone("external-https", "b"), "https://b.test"},
		{"external before internal", zone("internal-https", "a") + zone("external-https", "b"), "https://b.test"},
		{"the scheme counts more", zone("external-http", "a") + zone("internal-https", "b"), "https://b.test"},
		{"any zone if there is no other", zone("external-http", "a"), "https://a.test"},
		{"a zone without a usable action does not count", `<net-zone name="external-https"><app name="A"/></net-zone>` + zone("internal-http", "a"), "https://a.test"},
		{"a zone with a name of its own", zone("dmz", "a"), "https://a.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := of(`<wopi-discovery>`+tt.zones+`</wopi-discovery>`).Action(t.Context(), "odt", discovery.ModeEdit, 1, "")
			if err != nil || a.Origin() != tt.want {
				t.Errorf("%s, %v", a.Origin(), err)
			}
		})
	}
}
