package web

import (
	"net/url"
	"strings"
	"testing"
)

// minutes is the document of the reference's sample.
var minutes = launch{
	Scheme: "ms-word", Edit: true, Address: "https://bridge.example.test/wopi/files/f_Min",
	Provider: "TPDavbridge", User: "u-71c0", Name: "Minutes.docx", From: "App",
}

// changed is minutes, changed.
func changed(f func(*launch)) launch {
	l := minutes
	f(&l)
	return l
}

// TestLaunchLinks are vectors: the sample of reference 15.6, and each part by itself.
func TestLaunchLinks(t *testing.T) {
	const phone = `|d|TPDavbridge|e|u-71c0|n|Minutes.docx|a|App`
	const file = `|u|https://bridge.example.test/wopi/files/f_Min`
	for _, c := range []struct {
		what, want string
		link       launch
	}{
		{"the sample", "ms-word:ofe" + file + phone, minutes},
		{"to read, on the web", "ms-excel:ofv" + file + "|d|TPDavbridge|e|u-71c0|n|Q4%20%2B%205-.xlsx|a|Web", changed(func(l *launch) {
			l.Scheme, l.Edit, l.Name, l.From = "ms-excel", false, "Q4 + 5%.xlsx", "Web"
		})},
		{"going back", "ms-word:ofe" + file + phone + "|p|my-nas", changed(func(l *launch) { l.Passback = "my-nas" })},
		{"going back with a context", "ms-word:ofe" + file + phone + "|p|my-nas|c|folder%3D1%7C2", changed(func(l *launch) { l.Passback, l.Context = "my-nas", "folder=1|2" })},
		{"a name with bars", "ms-word:ofe" + file + "|d|TPDavbridge|e|u-71c0|n|a-p-evil.docx|a|App", changed(func(l *launch) { l.Name = "a|p|evil.docx" })},
		{"a name with everything else", "ms-word:ofe" + file + "|d|TPDavbridge|e|u-71c0|n|-b-%27%26%0D%0A%E2%80%AE%C3%A9--.docx|a|App", changed(func(l *launch) { l.Name = "<b>'&\r\n\u202eé#%.docx" })},
		{"WebDAV", "ms-word:ofe|u|https://docs.example.test/dav/A%20%26%20B/%C3%A9%23%25%27%22.docx", launch{
			Scheme: "ms-word", Edit: true, Address: "https://docs.example.test/dav/A%20&%20B/é%23%25%27%22.docx",
		}},
		{"an encoded slash stays one", "ms-visio:ofv|u|http://[::1]:8/a%2Fb.vsdx", launch{Scheme: "ms-visio", Address: "http://[::1]:8/a%2fb.vsdx"}},
		{"a bar in an address", "ms-word:ofv|u|https://x/a%7Cp%7Cevil.docx", launch{Scheme: "ms-word", Address: "https://x/a|p|evil.docx"}},
	} {
		if got := c.link.String(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}

// TestNoLaunchLink: what cannot be told to Office has no link, rather than another meaning.
func TestNoLaunchLink(t *testing.T) {
	for what, l := range map[string]launch{
		"no app":               changed(func(l *launch) { l.Scheme = "" }),
		"a scheme of script's": changed(func(l *launch) { l.Scheme = "javascript" }),
		"a share":              changed(func(l *launch) { l.Address = "file:///etc/passwd" }),
		"no host":              changed(func(l *launch) { l.Address = "https:///wopi" }),
		"a token":              changed(func(l *launch) { l.Address += "?access_token=x" }),
		"a question mark":      changed(func(l *launch) { l.Address += "?" }),
		"a fragment":           changed(func(l *launch) { l.Address += "#x" }),
		"a password":           changed(func(l *launch) { l.Address = "https://a:b@x/y.docx" }),
		"a bar for a host":     changed(func(l *launch) { l.Address = "https://x|p|evil/y.docx" }),
		"nobody":               changed(func(l *launch) { l.User = "" }),
		"from nowhere":         changed(func(l *launch) { l.From = "web|p|evil" }),
		"a long passback":      changed(func(l *launch) { l.Passback = strings.Repeat("a", 65) }),
		"a bar in a passback":  changed(func(l *launch) { l.Passback = "a|c|b" }),
		"a colon in one":       changed(func(l *launch) { l.Passback = "a:" }),
		"only a context":       changed(func(l *launch) { l.Context = "x" }),
		"a long context":       changed(func(l *launch) { l.Passback, l.Context = "a", strings.Repeat("a", 513) }),
	} {
		if got := l.String(); got != "" {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// FuzzLaunchLink: whatever a document is called, its link has the parts that it should have, and each says what it should.
func FuzzLaunchLink(f *testing.F) {
	for _, s := range []string{"a.docx", "a|p|evil", "%7C", "é\u202e", "\x00\r\n", "a b+c", "..", `"><script>`, "\xff"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, context string) {
		l := changed(func(l *launch) {
			l.Name, l.Context, l.Passback = name, context, "nas"
			l.Address = "https://x/dav" + unslashed("/"+name)
		})
		got := l.String()
		if len(context) > maxContext {
			return
		}
		parts := strings.Split(got, "|")
		wanted := 13
		if context != "" {
			wanted = 15
		}
		if len(parts) != wanted || strings.ContainsAny(got, "\"'<> \r\n\x00") {
			t.Fatalf("%d parts: %q", len(parts), got)
		}
		plain, err := url.PathUnescape(parts[2])
		if err != nil || plain != "https://x/dav/"+name {
			t.Errorf("address %q, %v", plain, err)
		}
		if context != "" {
			if plain, err := url.PathUnescape(parts[14]); err != nil || plain != context {
				t.Errorf("context %q, %v", plain, err)
			}
		}
	})
}

// TestLaunchApps: every file type of reference 15.9, on a phone; on a computer those of further apps, too.
func TestLaunchApps(t *testing.T) {
	for app, lists := range map[string][2]string{
		"Excel": {"xlsx xltx xlsb xlsm", "xls csv ods"}, "PowerPoint": {"pptx ppsx potm potx ppsm pptm thmx", "ppt pps pot odp"},
		"Word": {"docx docm dotm dotx", "doc dot odt"},
	} {
		for i, list := range lists {
			for _, ext := range strings.Fields(list) {
				want := []opens{opensEdit, opensView}[i]
				if got, phone, desktop := launchApp(ext); got.Name != app || phone != want || desktop != opensEdit {
					t.Errorf("%s: %s, %d, %d", ext, got.Name, phone, desktop)
				}
			}
		}
	}
	if app, phone, desktop := launchApp("vsdx"); app.Scheme != "ms-visio" || phone != opensNot || desktop != opensEdit {
		t.Errorf("vsdx: %+v, %d, %d", app, phone, desktop)
	}
	for _, ext := range []string{"", "txt", "pdf", "doc docm", "DOCX", "exe"} {
		if app, phone, desktop := launchApp(ext); app.Name != "" || phone != opensNot || desktop != opensNot {
			t.Errorf("%q: %+v", ext, app)
		}
	}
}

func TestForWindows(t *testing.T) {
	const base = "https://docs.example.test/dav"
	for path, want := range map[string]bool{
		"/a.docx": true, "/é/b c.docx": true, "/a|b.docx": false, "/a:b.docx": false, "/folder./b.docx": false, "/folder /b.docx": false,
		"/a\x01.docx": false, "/" + strings.Repeat("é", 224) + ".docx": true, "/" + strings.Repeat("é", 225) + ".docx": false,
	} {
		if got := forWindows("ms-word", base, path); got != want {
			t.Errorf("%.20q: %v", path, got)
		}
	}
	if forWindows("ms-excel", base, "/"+strings.Repeat("a", 200)+".xlsx") {
		t.Error("Excel opens no address of more than 218 characters")
	}
}
