package web_test

import (
	"errors"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap/sqldb"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// TestTheWayBackFromWhatIsGone leads to the folder in which it was, for whoever may see that.
func TestTheWayBackFromWhatIsGone(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/a.txt", "hello")
	anna := h.person("anna")
	team := anna.get("/").id(t, "team")
	file := anna.get("/folder/"+team).id(t, "a.txt")
	if err := os.Remove(filepath.Join(h.up.Dir, "team", "a.txt")); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"/edit/", "/document/", "/rename/", "/download/"} {
		got := anna.get(page + file)
		if got.status != http.StatusNotFound {
			t.Errorf("%s: status %d", page, got.status)
		}
		contains(t, got.body, `href="/folder/`+team+`">Back to the folder`)
	}
	h.Rules = access.Rules{
		{Who: []string{"*"}, Path: "/", Rights: 0},
		{Who: []string{"*"}, Path: "/team/a.txt", Rights: access.View},
	}
	if got := anna.get("/edit/" + file).body; strings.Contains(got, team) {
		t.Errorf("the rules hide the folder, and its ID is on the page:\n%s", got)
	}
}

func TestEveryTroubleSaysWhatHappenedAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*house)
		fault  *upstream.Fault
		path   func(id string) string
		delete bool
		status int
		words  []string
	}{
		{"the upstream is switched off", nil, &upstream.Fault{Status: 503}, func(string) string { return "/" }, false, 503, []string{"Home NAS does not answer", "No answer since", "Try again", "not affected"}},
		{"the upstream hangs up", nil, &upstream.Fault{Cut: true}, func(id string) string { return "/edit/" + id }, false, 503, []string{"Home NAS does not answer", "http://127.0.0.1"}},
		{"the service account is refused", nil, &upstream.Fault{Status: 401}, func(id string) string { return "/view/" + id }, false, 502, []string{"refuses our password", "upstream.password", "Nothing is wrong with your own"}},
		{"no access", nil, &upstream.Fault{Status: 403}, func(id string) string { return "/download/" + id }, false, 403, []string{"no access", "Home NAS", "Back to the files"}},
		{"the file is gone", nil, nil, func(id string) string { return "/edit/" + id }, true, 404, []string{"“a.txt” is not here any more", "deleted, or moved", "Back to the files"}},
		{"an ID that never was", nil, nil, func(string) string { return "/edit/" + strings.Repeat("q", 26) }, false, 404, []string{"not here any more"}},
		{"no such page", nil, nil, func(string) string { return "/nothing" }, false, 404, []string{"There is no page here", "Go to the files"}},
		{"a ticket that is none", nil, nil, func(string) string { return "/ticket/wbt_x" }, false, 410, []string{"used already", "open the document again"}},
		{"the state database is away", func(h *house) {
			h.db.SetFault(func() error { return sqldb.ErrUnavailable })
		}, nil, func(id string) string { return "/edit/" + id }, false, 503, []string{"One moment please", "not affected", "data-again"}},
		{"the upstream does not speak TLS", func(h *house) {
			u := *h.Upstreams.List[0].Client.Base
			u.Scheme = "https"
			h.Upstreams.List[0].Client = &davbackend.Client{Base: &u}
		}, nil, func(string) string { return "/" }, false, 503, []string{"does not answer", "TLS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.up.Write(t, "a.txt", "hello")
			b := h.person("anna")
			id := b.get("/").id(t, "a.txt")
			if c.change != nil {
				c.change(h)
			}
			if c.delete {
				if err := os.Remove(filepath.Join(h.up.Dir, "a.txt")); err != nil {
					t.Fatal(err)
				}
			}
			if c.fault != nil {
				h.up.Quirks.Fail(*c.fault)
			}
			got := b.get(c.path(id))
			if got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			contains(t, got.body, c.words...)
			if strings.Contains(got.body, "dav:") || strings.Contains(got.body, "idmap:") || strings.Contains(got.body, "access:") {
				t.Errorf("an error's own text is shown:\n%s", got.body)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			var logged *wopi.Error
			if c.name != "no such page" && (len(h.log) == 0 || !errors.As(h.log[len(h.log)-1], &logged) || logged.Status != c.status) {
				t.Errorf("logged %v", h.log)
			}
			if got.status == 503 && got.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	}
}

func TestAnEditorThatIsDownIsNamedAndComesBack(t *testing.T) {
	var e *office.Editor
	h := newHouse(t, func(h *house) {
		e = h.withEditor(wopi.Collabora, "docx")
		e.Down(true)
	})
	h.up.Write(t, "team/a.docx", "hello")
	h.up.Write(t, "team/b.txt", "hello")
	b := h.person("anna")
	folder := "/folder/" + b.get("/").id(t, "team")
	list := b.get(folder)
	page := "/edit/" + list.id(t, "a.docx")
	got := b.get(page)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	contains(t, got.body, "The editor at "+strings.TrimPrefix(e.URL, "http://")+" does not answer", "“a.docx”", e.URL, "not affected",
		`href="?again">Try again`, `href="/download/`+list.id(t, "a.docx")+`"`, `href="`+folder+`">Back to the folder`, "nothing has to be restarted", "data-again")
	if got := b.get("/edit/" + list.id(t, "b.txt")); got.status != http.StatusOK {
		t.Errorf("text files must still open: %d", got.status)
	}
	if got := b.get(page + "?again"); got.status != http.StatusServiceUnavailable {
		t.Errorf("still down: %d", got.status)
	}
	e.Down(false)
	h.clock.Add(int64(time.Minute)) // so often one who presses Try again is heard
	if got := b.get(page + "?again"); got.status != http.StatusOK || got.token(t) == "" {
		t.Errorf("the editor is back, and the page says %d", got.status)
	}
}

func TestSeveralEditorsThatAreDownAreAllNamed(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.withEditor(wopi.Collabora, "docx").Down(true)
		h.withEditor(wopi.Collabora, "odt").Down(true)
		h.Editors.List[1].Name = "Office <2>"
	})
	h.up.Write(t, "a.docx", "hello")
	b := h.person("anna")
	got := b.get("/edit/" + b.get("/").id(t, "a.docx"))
	contains(t, got.body, "The editors do not answer", h.Editors.List[0].URL, h.Editors.List[1].URL, "Office &lt;2&gt;")
}

func TestATicketsPageOffersNothingThatCannotWork(t *testing.T) {
	for name, fault := range map[string]func(h *house, e *office.Editor){
		"the editor is down":   func(_ *house, e *office.Editor) { e.Down(true) },
		"the upstream is down": func(h *house, _ *office.Editor) { h.up.Quirks.Fail(upstream.Fault{Status: 503}) },
	} {
		t.Run(name, func(t *testing.T) {
			var e *office.Editor
			h := newHouse(t, func(h *house) { e = h.withEditor(wopi.Collabora, "docx") })
			h.up.Write(t, "team/a.docx", "hello")
			b := h.browser()
			ticket := mustJSON[web.Opened](t, b.postJSON("/api/v1/open", `{"path":"/team/a.docx","user":"anna","editor":"none"}`, "Authorization", "Bearer "+apiKey).body)
			fault(h, e)
			got := b.get(strings.TrimPrefix(ticket.HostURL, h.server.URL))
			if got.status != http.StatusServiceUnavailable {
				t.Errorf("status %d", got.status)
			}
			contains(t, got.body, "does not answer", "open the document again from where you came")
			if strings.Contains(got.body, "Try again") || strings.Contains(got.body, "data-again") {
				t.Errorf("a used ticket cannot be tried again:\n%s", got.body)
			}
		})
	}
}

func TestOnlyAPageThatIsAPageLooksAgainByItself(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.txt")
	h.up.Quirks.Fail(upstream.Fault{Status: 503})
	contains(t, b.get("/").body, "does not answer", "data-again")
	contains(t, b.get("/edit/"+id).body, "does not answer", "data-again")
	download := b.get("/download/" + id).body
	contains(t, download, "does not answer", "Try again")
	if strings.Contains(download, "data-again") {
		t.Error("a download would be fetched again and again")
	}
}

func TestATicketForAFileThatNothingOpensOffersNoWayIntoThePages(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/a.docx", "hello")
	b := h.browser()
	ticket := mustJSON[web.Opened](t, b.postJSON("/api/v1/open", `{"path":"/team/a.docx","user":"anna"}`, "Authorization", "Bearer "+apiKey).body)
	page := b.get(strings.TrimPrefix(ticket.HostURL, h.server.URL)).body
	contains(t, page, "a.docx", "has no editor for documents like this one yet. Whoever runs")
	if strings.Contains(page, "Back to") || strings.Contains(page, "Download") {
		t.Errorf("that would need a session:\n%s", page)
	}
}

func TestEveryPageIsLockedDown(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Exposed = true
		h.withEditor(wopi.Microsoft)
	})
	h.up.Write(t, "a.txt", "hello")
	h.up.Write(t, "b.docx", "hello")
	h.up.Write(t, "c.wopitest", "")
	b := h.person("anna")
	if _, err := h.Editors.Action(t.Context(), "wopitest", "edit", 1, ""); err != nil {
		t.Fatal(err)
	}
	list := b.get("/")
	signedOut := h.browser()
	nonces := make(map[string]bool)
	check := func(name string, got answer) { t.Run(name, func(t *testing.T) { lockedDown(t, nonces, got) }) }
	check("list", list)
	check("edit", b.get("/edit/"+list.id(t, "a.txt")))
	check("view", b.get("/view/"+list.id(t, "a.txt")))
	check("connect", b.get("/edit/"+list.id(t, "b.docx")))
	check("document", b.get("/document/"+list.id(t, "a.txt")))
	check("validator", b.get("/edit/"+list.id(t, "c.wopitest")))
	check("sign-in", signedOut.get("/signin"))
	check("link", signedOut.get("/link/x"))
	check("bad link", signedOut.post("/link/x", nil))
	check("ticket", signedOut.get("/ticket/x"))
	check("closed", signedOut.get("/closed"))
	check("unknown", b.get("/unknown"))
	h.up.Quirks.Fail(upstream.Fault{Status: 500})
	check("outage", b.get("/"))
}

// lockedDown checks what holds for every page; nonces are those of other pages.
func lockedDown(t *testing.T, nonces map[string]bool, got answer) {
	t.Helper()
	csp := got.header.Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`script-src 'nonce-([A-Za-z0-9+/]{24})';`).FindStringSubmatch(csp)
	if nonce == nil || nonces[nonce[1]] {
		t.Errorf("no fresh nonce in %q", csp)
		return
	}
	nonces[nonce[1]] = true
	contains(t, csp, "default-src 'none'", "base-uri 'none'", "frame-ancestors '", "form-action 'self'")
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		t.Errorf("%q", csp)
	}
	if strings.Contains(csp, "frame-ancestors 'self'") != strings.Contains(got.body, `class="host"`) {
		t.Errorf("frame-ancestors in %q", csp)
	}
	for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-cache, no-store"} {
		if got.header.Get(header) != want {
			t.Errorf("%s %q", header, got.header.Get(header))
		}
	}
	if m := regexp.MustCompile(`(?i)\son[a-z]+=|\sstyle=|<style|javascript:`).FindString(got.body); m != "" {
		t.Errorf("inline %q", m)
	}
	for _, tag := range regexp.MustCompile(`<script[^>]*>`).FindAllString(got.body, -1) {
		if !strings.Contains(html.UnescapeString(tag), `nonce="`+nonce[1]+`"`) {
			t.Errorf("script without the nonce: %s", tag)
		}
	}
	contains(t, got.body, "This page is not encrypted:", `<html lang="en">`, "<title>")
	if len(got.body) > 50<<10 {
		t.Errorf("%d bytes", len(got.body))
	}
	outside := strings.Replace(got.body, formToken.FindString(got.body), "", 1)
	if m := anyToken.FindString(outside); m != "" {
		t.Errorf("a token outside of the form: %s", m)
	}
}

func TestStaticFilesAreKeptByTheirStamp(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	page := b.get("/signin").body
	for _, m := range regexp.MustCompile(`"(/static/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		got := b.get(m[1])
		if got.status != http.StatusOK || !strings.Contains(got.header.Get("Cache-Control"), "immutable") || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", m[1], got.status, got.header)
		}
	}
	for _, path := range []string{"/static/nothing.js", "/static/..%2fdoc.go", "/static/%2e%2e"} {
		if got := b.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}
