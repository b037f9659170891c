package web_test

import (
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/test/upstream"
)

func TestTheListShowsFoldersFirstInNaturalOrder(t *testing.T) {
	h := newHouse(t, nil)
	for _, name := range []string{"b 10.txt", "b 9.txt", "zoo/x.txt", "Alpha/x.txt", ".hidden", ".~lock.b 9.txt#", "~$b.docx", ".davwopi-123.tmp", "C.docx"} {
		h.up.Write(t, name, "hello")
	}
	b := h.person("anna")
	page := b.get("/").body
	order := regexp.MustCompile(`<bdi>([^<]+)</bdi></a></td>`).FindAllStringSubmatch(page, -1)
	var names []string
	for _, m := range order {
		names = append(names, m[1])
	}
	if got, want := strings.Join(names, "|"), "Alpha|zoo|b 9.txt|b 10.txt|C.docx"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	contains(t, page, "Show 1 hidden", `href="?all="`)
	contains(t, b.get("/?all").body, ".hidden", "Hide names that begin with a dot")
	if strings.Contains(b.get("/?all").body, "lock.b") {
		t.Error("a lock file is listed")
	}
	down := b.get("/?sort=name&dir=desc").body
	if strings.Index(down, "zoo") > strings.Index(down, "Alpha") || strings.Index(down, "Alpha") > strings.Index(down, "C.docx") {
		t.Error("descending: folders first, then down")
	}
	contains(t, down, `aria-sort="descending"`)
}

func TestWhereANameLeads(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/read", Rights: access.View}}
	})
	for _, name := range []string{"a.txt", "b.docx", "c.zip", "d/x.txt", "read/e.txt", "read/f.docx"} {
		h.up.Write(t, name, "hello")
	}
	b := h.person("anna")
	page := b.get("/")
	for name, kind := range map[string]string{"a.txt": "edit", "b.docx": "edit", "c.zip": "download", "d": "folder"} {
		contains(t, page.body, `href="/`+kind+`/`+page.id(t, name)+`"><svg`)
	}
	contains(t, page.body, `aria-label="Download c.zip"`, `href="/document/`+page.id(t, "a.txt")+`" title="More" aria-label="More for a.txt" data-view="/view/`+page.id(t, "a.txt")+`"`)
	read := b.get("/folder/" + page.id(t, "read"))
	for name, kind := range map[string]string{"e.txt": "view", "f.docx": "view"} {
		contains(t, read.body, `href="/`+kind+`/`+read.id(t, name)+`"><svg`)
	}
	contains(t, read.body, "not change it", `<li><a href="/folder/`, "Home NAS")
}

func TestRulesHideAndNarrow(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Rules = access.Rules{
			{Who: []string{"*"}, Rights: 0},
			{Who: []string{"guest:anna"}, Path: "/family", Rights: access.Edit},
			{Who: []string{"guest:anna"}, Path: "/school/maths", Rights: access.View},
			{Who: []string{"guest:ben"}, Path: "/family", Rights: access.Edit},
			{Who: []string{"guest:owner"}, Rights: access.Edit},
		}
	})
	for _, name := range []string{"secret.txt", "family/a.txt", "school/maths/b.txt", "school/c.txt"} {
		h.up.Write(t, name, "hello")
	}
	owner := h.person("owner").get("/")
	secret := owner.id(t, "secret.txt")

	anna := h.person("anna")
	page := anna.get("/")
	contains(t, page.body, "<bdi>family</bdi>", "<bdi>maths</bdi>")
	if strings.Contains(page.body, "secret") || strings.Contains(page.body, "school<") {
		t.Errorf("hidden names are shown:\n%s", page.body)
	}
	for _, kind := range []string{"edit", "view", "download", "folder"} {
		got := anna.get("/" + kind + "/" + secret)
		if got.status != http.StatusNotFound || strings.Contains(got.body, "secret.txt") {
			t.Errorf("%s of a hidden file: %d", kind, got.status)
		}
	}
	contains(t, h.person("ben").get("/").body, "<h1>family</h1>", "a.txt") // one entrance: no choice
	if got := h.person("carl").get("/"); got.status != http.StatusNotFound {
		t.Errorf("nothing is allowed: %d", got.status)
	}
}

func TestSeveralUpstreamsAreAChoice(t *testing.T) {
	var second *upstream.Server
	h := newHouse(t, func(h *house) { second = h.withSecond() })
	h.up.Write(t, "a.txt", "home")
	second.Write(t, "b.txt", "work")
	b := h.person("anna")
	page := b.get("/").body
	contains(t, page, "Home NAS", "Work")
	m := regexp.MustCompile(`href="(/folder/[a-z2-7]{26})"><svg[^>]*><use[^>]*/></svg><bdi>Work`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal(page)
	}
	work := b.get(m[1])
	contains(t, work.body, "<h1><bdi>Work</bdi></h1>", `<a href="/">Files</a>`)
	if got := b.get("/download/" + work.id(t, "b.txt")); got.body != "work" {
		t.Errorf("downloaded %q", got.body)
	}
	second.Quirks.Fail(upstream.Fault{Status: http.StatusBadGateway})
	contains(t, b.get("/").body, "Home NAS", "Work does not answer.")
}

func TestALargeFolderComesInPages(t *testing.T) {
	h := newHouse(t, nil)
	for i := range 1203 {
		if err := os.WriteFile(filepath.Join(h.up.Dir, fmt.Sprintf("file %d.txt", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := h.person("anna")
	first := b.get("/").body
	contains(t, first, "1,203 entries", "page 1 of 3", `href="?page=2"`, "<bdi>file 499.txt</bdi>")
	if strings.Contains(first, "<bdi>file 500.txt</bdi>") {
		t.Error("more than 500 rows on a page")
	}
	contains(t, b.get("/?page=3").body, "<bdi>file 1202.txt</bdi>", "Previous page")
	contains(t, b.get("/?page=999999999999999999999").body, "page 3 of 3")
	contains(t, b.get("/?page=-1").body, "page 1 of 3")
}

func TestHostileNamesAreText(t *testing.T) {
	h := newHouse(t, nil)
	names := []string{`<img src=x onerror=alert(1)>.txt`, `"><script>alert(2)</script>.txt`, `'onmouseover='x.txt`, "\u202etxt.exe.txt", `{{.Token}}.txt`, `a&amp;b.txt`}
	for _, n := range names {
		if strings.Contains(n, "/") {
			continue // not a name of one file
		}
		h.up.Write(t, n, "x")
	}
	b := h.person(`<b>"Eve"</b>`)
	page := b.get("/")
	for _, n := range names {
		if strings.Contains(n, "/") {
			continue
		}
		if !strings.Contains(html.UnescapeString(page.body), n) {
			t.Errorf("%q is not listed", n)
		}
	}
	if n := strings.Count(page.body, "misleading name"); n != 1 {
		t.Errorf("%d of the names are called misleading, want the one that turns", n)
	}
	pages := []string{page.body}
	m := regexp.MustCompile(`href="(/edit/[a-z2-7]{26})"`).FindAllStringSubmatch(page.body, -1)
	for _, l := range m {
		pages = append(pages, b.get(l[1]).body)
	}
	if len(pages) < 5 {
		t.Fatalf("only %d pages", len(pages))
	}
	for _, p := range pages {
		if regexp.MustCompile(`<img|<script>alert|<b>"Eve|onerror=alert\(1\)>[^&]`).MatchString(p) {
			t.Errorf("a name became markup:\n%s", p)
		}
	}
}

func TestDownloadIsAnAttachmentInASandbox(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "pagé \"1\".html", "<script>alert(1)</script>")
	b := h.person("anna")
	id := b.get("/").id(t, "pagé &#34;1&#34;.html")
	got := b.get("/download/" + id)
	if got.status != http.StatusOK || got.body != "<script>alert(1)</script>" {
		t.Fatalf("%d %q", got.status, got.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
		"Content-Disposition": "attachment; filename*=UTF-8''pag%C3%A9%20%221%22.html", "Content-Length": "25",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	if got := b.head("/download/" + id); got.status != http.StatusOK || got.header.Get("Content-Length") != "25" || got.body != "" {
		t.Errorf("HEAD: %d %v", got.status, got.header)
	}
	h.up.Quirks.Fail(upstream.Fault{Method: "GET", CutAnswer: true, After: 5})
	res, err := b.http.Get(h.server.URL + "/download/" + id)
	if err == nil {
		defer res.Body.Close()
		if n, err := res.Body.Read(make([]byte, 100)); err == nil && n == 25 {
			t.Error("a body that broke off upstream arrived whole")
		}
	}
}

// TestHead: who tries an address with HEAD is told what a browser would be, and nothing that
// can be used once is used up.
func TestHead(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.txt")
	for path, want := range map[string]int{
		"/": http.StatusOK, "/open": http.StatusOK, "/signin": http.StatusSeeOther, "/view/" + id: http.StatusOK, "/delete/" + id: http.StatusOK,
		"/static/doctor.css": http.StatusOK, "/nothing": http.StatusNotFound,
		"/open/events": http.StatusMethodNotAllowed, "/ticket/secret": http.StatusMethodNotAllowed, "/language": http.StatusMethodNotAllowed,
	} {
		if got := b.head(path); got.status != want || got.body != "" {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
	if got := b.get("/download/" + id); got.body != "hello" {
		t.Errorf("a HEAD has done something: %d", got.status)
	}
}
