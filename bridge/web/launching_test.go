package web_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/oauth"
)

const (
	windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"
	mac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
	android = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Mobile"
	linux   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
)

// withApps is a house into which Office's apps come: phones by WOPI, computers of anna by /dav/.
func withApps(t *testing.T) *house {
	t.Helper()
	return newHouse(t, func(h *house) {
		dav, err := url.Parse("https://docs.example.test/dav/")
		if err != nil {
			t.Fatal(err)
		}
		h.URLs.Public = &url.URL{Scheme: "https", Host: "docs.example.test"}
		h.Launching = web.Launching{Provider: "TPExample", Desktop: map[string]web.Desktop{
			"main": {Root: dav, May: func(_ context.Context, who oauth.Principal) (bool, error) { return who.Name == "anna", nil }},
		}}
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/read", Rights: access.View}}
	})
}

// getFrom asks for a page from a machine.
func (b *browser) getFrom(agent, path string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.h.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("User-Agent", agent)
	return b.do(r)
}

var appLink = regexp.MustCompile(`<a class="(?:app|button)"( data-tablet hidden)? href="(ms-[^"]*)"[^>]*>(?:Open in (\w+)( on an iPad)?)?`)

// apps are the links to Office on a page; those of a tablet in brackets.
func (a answer) apps() (list []string) {
	for _, m := range appLink.FindAllStringSubmatch(a.body, -1) {
		link := html.UnescapeString(m[2])
		if m[1]+m[4] != "" {
			link = "(" + link + ")"
		}
		list = append(list, link)
	}
	return list
}

// TestOpenInOffice: each machine is shown the links that its apps can follow, in the list and on the document's page.
func TestOpenInOffice(t *testing.T) {
	h := withApps(t)
	h.up.Write(t, "A & B's/Plan|1.docx", "x")
	h.up.Write(t, "A & B's/Sum + é.xlsx", "x")
	h.up.Write(t, "A & B's/old.doc", "x")
	h.up.Write(t, "A & B's/map.vsdx", "x")
	h.up.Write(t, "A & B's/new.docx", "")
	h.up.Write(t, "A & B's/a.txt", "x")
	h.up.Write(t, "read/r.docx", "x")
	anna := h.person("anna")
	folder := "/folder/" + anna.get("/").id(t, "A &amp; B&#39;s")
	list := anna.get(folder)
	id := func(name string) string { return list.id(t, strings.ReplaceAll(name, "+", "&#43;")) }
	user := oauth.Principal{Issuer: "link", Subject: "guest:anna"}.UserID()
	phone := func(command, name, called string) string {
		return command + "|u|https://docs.example.test/wopi/files/" + id(name) + "|d|TPExample|e|" + user + "|n|" + called + "|a|Web"
	}
	const dav = "|u|https://docs.example.test/dav/A%20%26%20B%27s/"
	phones := []string{phone("ms-word:ofv", "old.doc", "old.doc"), phone("ms-word:ofe", "Plan|1.docx", "Plan-1.docx"), phone("ms-excel:ofe", "Sum + é.xlsx", "Sum%20%2B%20%C3%A9.xlsx")}
	computers := []string{"ms-visio:ofe" + dav + "map.vsdx", "ms-word:ofe" + dav + "old.doc", "ms-excel:ofe" + dav + "Sum%20%2B%20%C3%A9.xlsx"}
	macs := []string{computers[0], computers[1], "(" + phones[0] + ")", "(" + phones[1] + ")", computers[2], "(" + phones[2] + ")"}
	for agent, want := range map[string][]string{iPhone: phones, android: phones, windows: computers, mac: macs, linux: nil, "": nil} {
		if got := anna.getFrom(agent, folder).apps(); !slices.Equal(got, want) {
			t.Errorf("%.30s:\n got %q\nwant %q", agent, got, want)
		}
	}
	for agent, want := range map[string][]string{iPhone: phones[2:], windows: computers[2:], mac: macs[4:], linux: nil} {
		if got := anna.getFrom(agent, "/document/"+id("Sum + é.xlsx")).apps(); !slices.Equal(got, want) {
			t.Errorf("%.30s, the document's page:\n got %q\nwant %q", agent, got, want)
		}
	}
	read := anna.getFrom(iPhone, "/folder/"+anna.get("/").id(t, "read")).apps()
	if len(read) != 1 || !strings.HasPrefix(read[0], "ms-word:ofv|") {
		t.Errorf("only to read: %q", read)
	}
	// Who has no app password has nothing to open /dav/ with.
	if got := h.person("ben").getFrom(windows, folder).apps(); got != nil {
		t.Errorf("without an app password: %q", got)
	}
}

// TestOpenInOfficeWhereItCannotWork: phones come by https only, and not at all to a host that Microsoft does not know.
func TestOpenInOfficeWhereItCannotWork(t *testing.T) {
	for name, change := range map[string]func(*house){
		"plain http":   func(h *house) { h.URLs.Public = &url.URL{Scheme: "http", Host: "docs.example.test"} },
		"not a member": func(h *house) { h.Launching.Provider = "" },
	} {
		t.Run(name, func(t *testing.T) {
			h := withApps(t)
			change(h)
			h.up.Write(t, "a.docx", "x")
			if got := h.person("anna").getFrom(iPhone, "/").apps(); got != nil {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestAppURL: a program asks by the API for a link that starts Office on a phone and comes back to its own app.
func TestAppURL(t *testing.T) {
	h := withApps(t)
	h.Launching.Backs = []string{"mynas"}
	h.up.Write(t, "team/plan.docx", "x")
	h.up.Write(t, "team/a.txt", "x")
	who := oauth.Principal{Issuer: "https://id.example.test", Subject: "7", Name: "anna"}
	q := web.OpenRequest{Path: "/team/plan.docx", Principal: who, Passback: "mynas", Context: "folder=1|2", Editor: web.NoEditor}
	got, err := h.Open(t.Context(), q)
	want := "ms-word:ofe|u|https://docs.example.test/wopi/files/" + path.Base(got.WOPISrc) + "|d|TPExample|e|" + who.UserID() + "|n|plan.docx|a|App|p|mynas|c|folder%3D1%7C2"
	if err != nil || got.AppURL != want {
		t.Errorf("%v\n got %s\nwant %s", err, got.AppURL, want)
	}
	q.Mode, q.Passback, q.Context = "view", "", ""
	if got, err := h.Open(t.Context(), q); err != nil || !strings.HasPrefix(got.AppURL, "ms-word:ofv|") || !strings.HasSuffix(got.AppURL, "|a|App") {
		t.Errorf("%v: %s", err, got.AppURL)
	}
	for what, change := range map[string]func(*web.OpenRequest){
		"another app's scheme": func(q *web.OpenRequest) { q.Passback = "evil" },
		"only a context":       func(q *web.OpenRequest) { q.Context = "x" },
		"a long context":       func(q *web.OpenRequest) { q.Passback, q.Context = "mynas", strings.Repeat("x", 513) },
		"no app for it":        func(q *web.OpenRequest) { q.Passback, q.Path = "mynas", "/team/a.txt" },
	} {
		bad := q
		change(&bad)
		if got, err := h.Open(t.Context(), bad); !errors.Is(err, web.ErrRequest) {
			t.Errorf("%s: %v, %s", what, err, got.AppURL)
		}
	}
	// Somebody whom only the key knows signs in nowhere.
	b := h.browser()
	if got := mustJSON[web.Opened](t, b.postJSON("/api/v1/open", `{"path":"/team/plan.docx","user":"anna"}`, "Authorization", bearer).body); got.AppURL != "" || got.WOPISrc == "" {
		t.Errorf("%+v", got)
	}
	if got := b.postJSON("/api/v1/open", `{"path":"/team/plan.docx","user":"anna","passback":"mynas"}`, "Authorization", bearer); got.status != http.StatusBadRequest {
		t.Errorf("%d %s", got.status, got.body)
	}
}
