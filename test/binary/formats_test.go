package binary

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
)

var (
	formAction = regexp.MustCompile(`<form id="go" method="post" action="([^"]+)"`)
	formToken  = regexp.MustCompile(`name="access_token" value="([^"]+)"`)
)

// onHostPage is the editor as a host page opens it, and where the page sends it.
func onHostPage(t *testing.T, c *http.Client, e *office.Editor, address string) (*office.Client, string) {
	t.Helper()
	page := get(t, c, address, 200)
	action, token := formAction.FindStringSubmatch(page), formToken.FindStringSubmatch(page)
	if action == nil || token == nil {
		t.Fatalf("%s is no host page: %.2000s", address, page)
	}
	u, err := url.Parse(html.UnescapeString(action[1]))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range u.Query() {
		if strings.EqualFold(name, "wopisrc") {
			return e.Client(values[0], token[1]), u.String()
		}
	}
	t.Fatalf("no WOPISrc in %s", u)
	return nil, ""
}

// TestAnOldFormatIsConvertedAndOpens is what Microsoft's editors and ONLYOFFICE do with
// a .doc: from the page that shows it to the one that converts, and from there to that
// of the copy, which is edited; the original stays.
func TestAnOldFormatIsConvertedAndOpens(t *testing.T) {
	needDaemon(t)
	for kind, where := range map[wopi.Office][2]string{
		wopi.Microsoft:  {"/we/WordConvertAndEdit.aspx?", "/we/wordeditorframe.aspx?"},
		wopi.OnlyOffice: {"/hosting/wopi/convert-and-edit/doc/docx?", "/hosting/wopi/word/edit?"},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			e := office.NewEditor(t, kind, true, "doc", "docx")
			d := daemon.StartEmpty(t, fmt.Sprintf("editors: [%q]\n", e.URL))
			d.Write("old/Letter.doc", "an old letter")
			o := d.Open("/old/Letter.doc")
			browser := d.Browser(d.Link)
			id := o.WOPISrc[strings.LastIndexByte(o.WOPISrc, '/')+1:]

			viewer := get(t, browser, d.URL+"/view/"+id, 200)
			if !strings.Contains(viewer, `href="/edit/`+id+`">Edit a copy as .docx`) {
				t.Errorf("the viewer's page offers no copy: %.3000s", viewer)
			}
			converter, at := onHostPage(t, browser, e, d.URL+"/edit/"+id)
			if !strings.Contains(at, where[0]) {
				t.Errorf("to convert: %s", at)
			}
			var info wopi.CheckFileInfo
			if err := must2(t)(converter.CheckFileInfo(t.Context())).JSON(&info); err != nil {
				t.Fatal(err)
			}
			if !info.UserCanWrite || info.UserCanNotWriteRelative || info.HostEditUrl != d.URL+"/edit/"+id || info.FileExtension != ".doc" {
				t.Errorf("the converter is told %+v", info)
			}
			old := must2(t)(converter.GetFile(t.Context(), -1))
			var made wopi.PutRelativeFileInfo
			header := map[string]string{wopi.HeaderSuggestedTarget: ".docx", wopi.HeaderFileConversion: "true", wopi.HeaderSize: "9"}
			if err := must2(t)(converter.PutRelativeFile(t.Context(), header, []byte("converted"))).JSON(&made); err != nil {
				t.Fatal(err)
			}
			copyOf, err := converter.At(made.Url)
			if err != nil {
				t.Fatal(err)
			}
			if made.Name != "Letter.docx" || made.HostEditUrl == "" || made.HostEditUrl != strings.Replace(made.HostViewUrl, "/view/", "/edit/", 1) ||
				!strings.HasSuffix(made.HostEditUrl, copyOf.WOPISrc[strings.LastIndexByte(copyOf.WOPISrc, '/'):]) {
				t.Fatalf("%+v", made)
			}

			editor, at := onHostPage(t, browser, e, made.HostEditUrl)
			if !strings.Contains(at, where[1]) {
				t.Errorf("the copy is opened at %s", at)
			}
			s, err := editor.Open(t.Context())
			if err != nil || s.ReadOnly || string(s.Contents) != "converted" {
				t.Fatalf("the copy opens as %+v, %v", s, err)
			}
			must2(t)(s.Save(t.Context(), []byte("and edited"), true))
			if _, err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := d.Read("old/Letter.docx"); got != "and edited" {
				t.Errorf("the copy holds %q", got)
			}
			if got := d.Read("old/Letter.doc"); got != "an old letter" || string(old.Body) != got {
				t.Errorf("the original holds %q", got)
			}
			if list, err := filepath.Glob(filepath.Join(d.Dir, "old", "*")); err != nil || len(list) != 2 {
				t.Errorf("beside them: %v, %v", list, err)
			}
		})
	}
}

// TestBusinessUsers: one option sets all that Microsoft's editors need to check for a
// licence: the mark in the address, the property, and the way back to edit.
func TestBusinessUsers(t *testing.T) {
	needDaemon(t)
	for _, on := range []bool{true, false} {
		e := office.NewEditor(t, wopi.Microsoft, true, "docx")
		d := daemon.StartEmpty(t, fmt.Sprintf("editors: [%q]\nwopi: {business_users: %v}\n", e.URL, on))
		d.Write("a.docx", "x")
		o := d.Open("/a.docx")
		c, at := onHostPage(t, d.Browser(d.Link), e, d.URL+"/edit/"+o.WOPISrc[strings.LastIndexByte(o.WOPISrc, '/')+1:])
		for _, address := range []string{o.ActionURL, at} {
			if strings.Contains(address, "IsLicensedUser=1") != on {
				t.Errorf("business users %v: %s", on, address)
			}
		}
		var info wopi.CheckFileInfo
		if err := must2(t)(c.CheckFileInfo(t.Context())).JSON(&info); err != nil {
			t.Fatal(err)
		}
		if info.LicenseCheckForEditIsEnabled != on || info.HostEditUrl == "" || !info.SupportsUserInfo {
			t.Errorf("business users %v: %+v", on, info)
		}
		must2(t)(c.PutUserInfo(t.Context(), "licence"))
		if err := must2(t)(c.CheckFileInfo(t.Context())).JSON(&info); err != nil || info.UserInfo != "licence" {
			t.Errorf("UserInfo %q, %v", info.UserInfo, err)
		}
	}
}
