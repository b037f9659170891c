package discovery

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/docserver"
)

func TestADocumentServerIsFoundByItself(t *testing.T) {
	ds := docserver.Start(t, nil)
	for name, d := range map[string]Editor{
		"nothing said":             {Secret: true},
		"auto":                     {Secret: true, API: APIAuto},
		"docs":                     {Secret: true, API: APIDocs},
		"address of its discovery": {Secret: true, URL: ds.URL + "/hosting/discovery"},
	} {
		if d.URL == "" {
			d.URL = ds.URL
		}
		e := &Editors{List: []Editor{d}}
		for ext, want := range map[string]struct {
			mode   Mode
			target string
		}{
			"docx": {ModeEdit, ""}, "XLSX": {ModeEdit, ""}, "pptx": {ModeEdit, ""}, "csv": {ModeEdit, ""},
			"doc": {ModeConvert, "docx"}, "odt": {ModeConvert, "docx"}, "xls": {ModeConvert, "xlsx"}, "ppt": {ModeConvert, "pptx"}, "rtf": {ModeConvert, "docx"},
			"pdf": {ModeView, ""},
		} {
			a, err := e.Action(t.Context(), ext, ModeEdit, 1, "")
			if err != nil || a.Mode != want.mode || a.Target != want.target || !a.Docs || a.Office != wopi.OnlyOffice {
				t.Errorf("%s, %s: %+v, %v", name, ext, a, err)
			}
			if !strings.HasPrefix(a.URLSrc, ds.URL+"/web-apps/") || a.Origin() != ds.URL {
				t.Errorf("%s: script at %s, origin %s", name, a.URLSrc, a.Origin())
			}
			if v, err := e.Action(t.Context(), ext, ModeView, 1, ""); err != nil || v.Mode != ModeView {
				t.Errorf("%s, %s to view: %+v, %v", name, ext, v, err)
			}
		}
		if _, err := e.Action(t.Context(), "zip", ModeEdit, 1, ""); !errors.Is(err, ErrNoEditor) {
			t.Errorf("%s: zip: %v", name, err)
		}
		if _, signed, err := e.Keys(t.Context(), d.URL); signed || err != nil {
			t.Errorf("%s: it signs %v, %v", name, signed, err)
		}
	}
}

func TestADocumentServerThatIsNotSpokenTo(t *testing.T) {
	ds := docserver.Start(t, nil)
	for name, c := range map[string]struct {
		editor Editor
		words  string
	}{
		"without its secret": {Editor{URL: ds.URL}, "jwt_secret_file"},
		"wopi is demanded":   {Editor{URL: ds.URL, Secret: true, API: APIWOPI}, "wopi.enable"},
	} {
		_, err := (&Editors{List: []Editor{c.editor}}).Action(t.Context(), "docx", ModeEdit, 1, "")
		if !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A proxy that does not find the editor says nothing of which language it speaks.
	ds.Down(true)
	_, err := (&Editors{List: []Editor{{URL: ds.URL, Secret: true}}}).Action(t.Context(), "docx", ModeEdit, 1, "")
	if !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "502") {
		t.Errorf("down: %v", err)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hosting/discovery" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("alert('hello')"))
	}))
	t.Cleanup(other.Close)
	if _, err := (&Editors{List: []Editor{{URL: other.URL, Secret: true}}}).Action(t.Context(), "docx", ModeEdit, 1, ""); !errors.Is(err, ErrDown) {
		t.Errorf("another script: %v", err)
	}
}
