package textedit_test

import (
	"encoding/json"
	"encoding/xml"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"davwopi/bridge/discovery"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/textedit"
	"davwopi/bridge/wopi"
)

const (
	fileID = "abcdefghijklmnopqrstuvwxyz"
	token  = "wbw_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
)

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mounted(t *testing.T, public, server string) http.Handler {
	t.Helper()
	r := mux.NewRouter()
	textedit.Editor{URLs: endpoint.URLs{Public: parse(t, public), WOPI: parse(t, server)}}.Mount(r)
	return r
}

func open(h http.Handler, query string, form url.Values) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "/textedit/frame?"+query, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func good() url.Values {
	return url.Values{"access_token": {token}, "access_token_ttl": {"1785621600000"}}
}

var dataPattern = regexp.MustCompile(`(?s)<script type="application/json" id="data" nonce="[^"]+">(.*?)</script>`)

func TestTheFrameKnowsItsFile(t *testing.T) {
	for name, c := range map[string]struct{ public, server, src, file string }{
		"one address":            {"http://127.0.0.1:8880", "http://127.0.0.1:8880", "http://127.0.0.1:8880/wopi/files/" + fileID, "/wopi/files/" + fileID},
		"wopi_url differs":       {"https://nas.example/office", "http://bridge:8880", "http://bridge:8880/wopi/files/" + fileID, "/office/wopi/files/" + fileID},
		"the public one is ours": {"https://nas.example/office", "http://bridge:8880", "https://nas.example/office/wopi/files/" + fileID, "/office/wopi/files/" + fileID},
	} {
		t.Run(name, func(t *testing.T) {
			form := good()
			form.Set("davwopi_holder", `Eve </script><script>alert(1)</script>`)
			res := open(mounted(t, c.public, c.server), "mode=edit&WOPISrc="+url.QueryEscape(c.src), form)
			page := body(t, res)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", res.StatusCode, page)
			}
			m := dataPattern.FindStringSubmatch(page)
			if m == nil {
				t.Fatal(page)
			}
			var data struct {
				File, Token, Key, Holder, Download string
				Expires, MaxBytes                  int64
				Edit                               bool
			}
			if err := json.Unmarshal([]byte(m[1]), &data); err != nil {
				t.Fatal(err)
			}
			if data.File != c.file || data.Token != token || data.Expires != 1785621600000 || data.Key != fileID || !data.Edit ||
				data.MaxBytes != textedit.MaxBytes || data.Holder != form.Get("davwopi_holder") || !strings.HasSuffix(data.Download, "/download/"+fileID) {
				t.Errorf("data %+v", data)
			}
			if rest := strings.Replace(page, m[1], "", 1); strings.Contains(rest, token) || strings.Contains(rest, "alert(1)") {
				t.Errorf("outside of the data:\n%s", rest)
			}
		})
	}
}

func TestTheFrameIsForOwnFilesOnly(t *testing.T) {
	h := mounted(t, "https://nas.example", "https://nas.example")
	own := "https://nas.example/wopi/files/" + fileID
	without := func(name string) url.Values { f := good(); f.Del(name); return f }
	with := func(name, value string) url.Values { f := good(); f.Set(name, value); return f }
	for name, c := range map[string]struct {
		query string
		form  url.Values
	}{
		"no WOPISrc":               {"", good()},
		"another host":             {"WOPISrc=" + url.QueryEscape("https://evil.example/wopi/files/"+fileID), good()},
		"another port":             {"WOPISrc=" + url.QueryEscape("https://nas.example:444/wopi/files/"+fileID), good()},
		"user information":         {"WOPISrc=" + url.QueryEscape("https://nas.example@evil.example/wopi/files/"+fileID), good()},
		"another scheme":           {"WOPISrc=" + url.QueryEscape("http://nas.example/wopi/files/"+fileID), good()},
		"another path":             {"WOPISrc=" + url.QueryEscape("https://nas.example/edit/"+fileID), good()},
		"a query":                  {"WOPISrc=" + url.QueryEscape(own+"?x=/"+fileID), good()},
		"not a file ID":            {"WOPISrc=" + url.QueryEscape("https://nas.example/wopi/files/../../x"), good()},
		"no token":                 {"WOPISrc=" + url.QueryEscape(own), without("access_token")},
		"a token with other signs": {"WOPISrc=" + url.QueryEscape(own), with("access_token", "wbw_&x=<>")},
		"a token without an end":   {"WOPISrc=" + url.QueryEscape(own), with("access_token", strings.Repeat("a", 5000))},
		"a body without an end":    {"WOPISrc=" + url.QueryEscape(own), with("x", strings.Repeat("a", 20<<10))},
		"the token in the address": {"access_token=" + token + "&WOPISrc=" + url.QueryEscape(own), without("access_token")},
	} {
		t.Run(name, func(t *testing.T) {
			res := open(h, c.query, c.form)
			if page := body(t, res); res.StatusCode != http.StatusBadRequest || strings.Contains(page, "<") || strings.Contains(page, token) {
				t.Errorf("%d %s", res.StatusCode, page)
			}
		})
	}
}

func TestTheFrameIsLockedDown(t *testing.T) {
	h := mounted(t, "https://nas.example", "https://nas.example")
	query := "mode=view&wopisrc=" + url.QueryEscape("https://nas.example/wopi/files/"+fileID)
	nonces := make(map[string]bool)
	for range 3 {
		res := open(h, query, good())
		page := body(t, res)
		csp := res.Header.Get("Content-Security-Policy")
		m := regexp.MustCompile(`^default-src 'none'; script-src 'nonce-([^']{24})'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'$`).FindStringSubmatch(csp)
		if m == nil || nonces[m[1]] {
			t.Fatalf("policy %q", csp)
		}
		nonces[m[1]] = true
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8"} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %q", header, got)
			}
		}
		for _, tag := range regexp.MustCompile(`<script[^>]*>`).FindAllString(page, -1) {
			if !strings.Contains(html.UnescapeString(tag), `nonce="`+m[1]+`"`) {
				t.Errorf("script without the nonce: %s", tag)
			}
		}
		if inline := regexp.MustCompile(`(?i)\son[a-z]+=|\sstyle=|<style`).FindString(page); inline != "" {
			t.Errorf("inline %q", inline)
		}
		for _, ref := range regexp.MustCompile(`(?:src|href)="(/textedit/[^"]+)"`).FindAllStringSubmatch(page, -1) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, ref[1], nil))
			if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d %v", ref[1], w.Code, w.Header())
			}
			small, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, ref[1], nil)
			req.Header.Set("Accept-Encoding", "gzip, br")
			h.ServeHTTP(small, req)
			if small.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Content-Encoding") != "" || small.Body.Len() >= w.Body.Len() {
				t.Errorf("%s: %d bytes, compressed %d %v", ref[1], w.Body.Len(), small.Body.Len(), small.Header())
			}
		}
		if strings.Contains(page, `"edit":true`) {
			t.Error("the action view became edit")
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/textedit/frame?"+query, nil))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Errorf("typed into the address line: %d to %q", w.Code, w.Header().Get("Location"))
	}
}

func TestDiscoveryIsWhatOfficesPublish(t *testing.T) {
	public := parse(t, "https://nas.example/office")
	text := textedit.Discovery(public)
	var d struct {
		Zone struct {
			Name string `xml:"name,attr"`
		} `xml:"net-zone"`
		Proof *struct{} `xml:"proof-key"`
	}
	if err := xml.Unmarshal(text, &d); err != nil || d.Zone.Name != "external-https" || d.Proof != nil {
		t.Errorf("%v %+v", err, d)
	}
	editors := &discovery.Editors{List: []discovery.Editor{{URL: textedit.ID, Builtin: func() []byte { return textedit.Discovery(public) }}}}
	src := "https://nas.example/office/wopi/files/" + fileID
	for _, c := range []struct {
		mode discovery.Mode
		size int64
		want discovery.Mode
		url  string
	}{
		{discovery.ModeView, 1, discovery.ModeView, "mode=view"},
		{discovery.ModeEdit, 1, discovery.ModeEdit, "mode=edit"},
		{discovery.ModeEdit, 0, discovery.ModeEditNew, "mode=edit"},
	} {
		for _, ext := range []string{"txt", "MD", "html", "yaml"} {
			a, err := editors.Action(t.Context(), ext, c.mode, c.size, "")
			if err != nil {
				t.Fatal(err)
			}
			u := parse(t, a.URL(discovery.Params{WOPISrc: src, UI: "de-DE"}))
			if a.Mode != c.want || a.Office != wopi.TextEditor || u.Path != "/office/textedit/frame" || !strings.Contains(u.RawQuery, c.url) ||
				u.Query().Get("ui") != "de-DE" || u.Query().Get("WOPISrc") != src {
				t.Errorf("%s %s of %d bytes: %+v %s", c.mode, ext, c.size, a, u)
			}
		}
	}
	if _, signed, err := editors.Keys(t.Context(), textedit.ID); err != nil || signed {
		t.Errorf("signed %v, %v", signed, err)
	}
	seen := make(map[string]bool)
	for _, ext := range textedit.Extensions() {
		if seen[ext] || ext != strings.ToLower(ext) || strings.HasPrefix(ext, ".") {
			t.Errorf("extension %q", ext)
		}
		seen[ext] = true
	}
	if slices.ContainsFunc([]string{"docx", "odt", "pdf", "rtf", "png", "svg"}, func(e string) bool { return seen[e] }) {
		t.Error("the text editor claims a format that is not plain text")
	}
}

// TestFrameAncestors: what frames the host page frames this one, too.
func TestFrameAncestors(t *testing.T) {
	r := mux.NewRouter()
	here := parse(t, "http://127.0.0.1:8880")
	textedit.Editor{URLs: endpoint.URLs{Public: here, WOPI: here}, Ancestors: []string{"https://portal.example"}}.Mount(r)
	res := open(r, "mode=edit&WOPISrc="+url.QueryEscape("http://127.0.0.1:8880/wopi/files/"+fileID), url.Values{"access_token": {token}})
	if got := res.Header.Get("Content-Security-Policy"); res.StatusCode != http.StatusOK || !strings.HasSuffix(got, "frame-ancestors 'self' https://portal.example") {
		t.Errorf("%d %s", res.StatusCode, got)
	}
}

// TestFrameSpeaksGerman, or whatever somebody reads.
func TestFrameSpeaksGerman(t *testing.T) {
	h := mounted(t, "http://127.0.0.1:8880", "http://127.0.0.1:8880")
	r := httptest.NewRequest(http.MethodPost, "/textedit/frame?mode=edit&WOPISrc="+url.QueryEscape("http://127.0.0.1:8880/wopi/files/"+fileID), strings.NewReader("access_token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "de-AT,de;q=0.9")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for _, want := range []string{`<html lang="de">`, ">Schließen</button>", `"edit.all_saved":"Alles gespeichert"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%.3000s", want, w.Body.String())
		}
	}
}
