package web_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/history"
	"davwopi/bridge/locks"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
	"davwopi/test/idp"
	"davwopi/test/upstream"
)

// evilName is a file whose name would break a page that trusts it: markup, quotes, a sign
// that turns the direction.
const evilName = `<img src=x onerror=alert(1)>"'&{{.}} ` + "\u202e" + `gpj.txt`

// A crawler visits every route of the pages, in a situation and a language.
type crawler struct {
	*house
	b      *browser
	paths  map[string]string // values of the variables of routes
	routes []crawled
}

// crawled is one route: "GET /edit/{id}".
type crawled struct{ name, method, path string }

// newCrawler is a house in which there is something behind every route.
func newCrawler(t *testing.T) *crawler {
	t.Helper()
	c := &crawler{paths: map[string]string{}}
	c.house = newHouse(t, func(h *house) {
		withShares(h)
		h.Admin, h.Checkup = isBoss, func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
		h.withEditor(wopi.Collabora, "odt")
		var err error
		h.History, err = history.New(h.t.Context(), h.db)
		h.must(err)
	})
	c.up.Write(t, "folder/"+evilName, "hello")
	c.up.Write(t, "folder/"+evilName+".odt", "hello")
	c.b = c.person("boss")
	folder := c.b.get("/").id(t, "folder")
	list := c.b.get("/folder/" + folder).body
	ids := regexp.MustCompile(`/download/([a-z2-7]{26})`).FindAllStringSubmatch(list, -1)
	c.paths["id"], c.paths["folder"] = ids[0][1], folder
	w := c.writes(ids[0][1], "boss", wopi.TextEditor)
	c.up.Quirks.Fail(upstream.Fault{Method: http.MethodPut, Status: http.StatusInsufficientStorage})
	_ = w.save("does not fit") // it is kept, which is what is wanted
	c.up.Quirks.Reset()
	if m := regexp.MustCompile(`/saves/([a-z2-7]{16})/`).FindStringSubmatch(c.b.get("/saves").body); m != nil {
		c.paths["entry"] = m[1]
	}
	link := c.b.share(folder, "for", "anybody", "rights", "edit")
	c.b.comeIn(link, "Oma", "")
	c.paths["secret"] = strings.TrimPrefix(link, "/s/")
	m := regexp.MustCompile(`/links/([a-z2-7]{26})/revoke`).FindStringSubmatch(c.b.get("/links").body)
	c.paths["share"] = m[1]
	m = regexp.MustCompile(`/server/sessions/([a-z2-7]{26})/end`).FindStringSubmatch(c.b.get("/server").body)
	if m == nil { // one's own is not ended there
		c.person("anna")
		m = regexp.MustCompile(`/server/sessions/([a-z2-7]{26})/end`).FindStringSubmatch(c.b.get("/server").body)
	}
	c.paths["session"] = m[1]
	for _, one := range ids {
		if one[1] != c.paths["id"] {
			c.paths["odt"] = one[1]
		}
	}
	c.paths["mode"], c.paths["name"], c.paths["to"] = "edit", "style.css", "docx"
	c.walk()
	return c
}

// walk finds the routes.
func (c *crawler) walk() {
	c.t.Helper()
	r := mux.NewRouter()
	c.Mount(r)
	err := r.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		template, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err != nil {
			methods = []string{http.MethodGet} // any
		}
		for _, method := range methods {
			if method == http.MethodHead {
				continue // the same page without its body
			}
			c.routes = append(c.routes, crawled{method + " " + template, method, c.fill(template)})
		}
		return nil
	})
	c.must(err)
	if len(c.routes) < 40 || c.paths["entry"] == "" {
		c.t.Fatalf("only %d routes, entry %q", len(c.routes), c.paths["entry"])
	}
}

// idOf is the pattern of an ID: of one that the crawler does not know, it asks for one that
// is none.
var idOf = regexp.MustCompile(`^\[a-z2-7\]\{(\d+)\}$`)

// fill puts what there is into the variables of a route.
func (c *crawler) fill(template string) string {
	c.t.Helper()
	var out strings.Builder
	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		out.WriteString(before)
		if !found {
			break
		}
		depth, end := 1, 0
		for depth > 0 {
			switch rest[end] {
			case '{':
				depth++
			case '}':
				depth--
			}
			end++
		}
		name, pattern, _ := strings.Cut(rest[:end-1], ":")
		value, ok := c.paths[name]
		if !ok {
			value, _, _ = strings.Cut(pattern, "|") // one word of several, or any
			if n := idOf.FindStringSubmatch(pattern); n != nil {
				length, _ := strconv.Atoi(n[1]) // the pattern says that it is a number
				value = strings.Repeat("a", length)
			}
		}
		if !regexp.MustCompile("^(" + cmp.Or(pattern, ".*") + ")$").MatchString(value) {
			c.t.Fatalf("nothing is known for {%s:%s}", name, pattern)
		}
		if name == "id" && strings.HasSuffix(before, "/folder/") {
			value = c.paths["folder"]
		}
		out.WriteString(value)
		template = rest[end:]
	}
	return out.String()
}

// ask visits a route in a language.
func (c *crawler) ask(method, path, lang string, form url.Values, header ...string) answer {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.server.URL+path, strings.NewReader(form.Encode()))
	c.must(err)
	req.Header.Set("Accept-Language", lang)
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return c.b.do(req)
}

var (
	tagged    = regexp.MustCompile(`(?s)<script.*?</script>|<style.*?</style>|<svg.*?</svg>|<[^>]*>`)
	heading   = regexp.MustCompile(`(?s)<h1[^>]*>(.*?)</h1>`)
	paragraph = regexp.MustCompile(`(?s)<p[^>]*>(.*?)</p>`)
	wayOn     = regexp.MustCompile(`<p class="steps">|<form [^>]*method="post"[^>]*class="|<li>|<button type="submit" class="primary"`)
	technical = regexp.MustCompile(`<bdi lang="en">.*?</bdi>`) // a program's own words, for whoever runs the server
	keyShown  = regexp.MustCompile(`\b[a-z_]+\.[a-z_]+\b`)
)

// isPage checks what every page is, in every situation.
func (c *crawler) isPage(where, lang string, got answer) {
	t := c.t
	t.Helper()
	if !strings.Contains(got.body, `<html lang="`+lang+`">`) || got.header.Get("Content-Language") != lang {
		t.Errorf("%s: not in %s", where, lang)
	}
	policy := got.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'nonce-", "base-uri 'none'", "frame-ancestors "} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: policy %q without %q", where, policy, want)
		}
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-cache, no-store"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %s is %q", where, name, got.header.Get(name))
		}
	}
	if !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Accept-Language") {
		t.Errorf("%s: a cache would mix languages up", where)
	}
	if strings.Contains(got.body, "<img src=x") || strings.Contains(got.body, `"'&{{`) || strings.Contains(got.body, "ZgotmplZ") {
		t.Errorf("%s: a name is markup:\n%s", where, got.body)
	}
	text := tagged.ReplaceAllString(got.body, " ")
	keys := words.All()[0].ScriptWords("")
	for _, word := range keyShown.FindAllString(text, -1) {
		if _, known := keys[word]; known {
			t.Errorf("%s: the key %s instead of its words", where, word)
		}
	}
}

// tells checks that a refusal has a cause and a way on, and is no bare status.
func (c *crawler) tells(where string, got answer) {
	t := c.t
	t.Helper()
	title := heading.FindStringSubmatch(got.body)
	if title == nil || strings.TrimSpace(tagged.ReplaceAllString(title[1], "")) == "" {
		t.Errorf("%s: %d without a heading:\n%.400s", where, got.status, got.body)
		return
	}
	main := technical.ReplaceAllString(got.body[strings.Index(got.body, "<main"):], "")
	why := 0
	for _, p := range paragraph.FindAllStringSubmatch(main, -1) {
		if len(strings.Fields(tagged.ReplaceAllString(p[1], " "))) >= 4 {
			why++
		}
	}
	if why == 0 {
		t.Errorf("%s: %d %q without a cause", where, got.status, title[1])
	}
	if !wayOn.MatchString(main) && why < 1 {
		t.Errorf("%s: %d %q without a way on", where, got.status, title[1])
	}
	for _, bare := range []string{http.StatusText(got.status), fmt.Sprint(got.status)} {
		if strings.Contains(tagged.ReplaceAllString(main, " "), bare) {
			t.Errorf("%s: the bare status %q", where, bare)
		}
	}
}

// visit goes to every route and checks what comes.
func (c *crawler) visit(situation, lang string) (pages int) {
	c.t.Helper()
	for _, route := range c.routes {
		if strings.HasSuffix(route.path, "/open/events") || strings.Contains(route.name, "POST /signout") || strings.Contains(route.name, "/leave") {
			continue // a stream; and the ways out, which come last
		}
		got := c.ask(route.method, route.path, lang, url.Values{})
		where := situation + ", " + lang + ", " + route.name
		kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
		switch {
		case got.status >= 300 && got.status < 400:
			if got.header.Get("Location") == "" || strings.Contains(got.header.Get("Location"), "//") {
				c.t.Errorf("%s: leads to %q", where, got.header.Get("Location"))
			}
		case kind == "text/html":
			pages++
			c.isPage(where, lang, got)
			if got.status >= 400 {
				c.tells(where, got)
			}
		case kind == "application/json":
			var refused struct{ Error, Message string }
			if err := json.Unmarshal([]byte(got.body), &refused); err != nil || got.status >= 400 && (refused.Error == "" || refused.Message == "") {
				c.t.Errorf("%s: %d %q", where, got.status, got.body)
			}
		case got.status >= 400:
			c.t.Errorf("%s: %d as %s: %.200s", where, got.status, kind, got.body)
		case got.header.Get("X-Content-Type-Options") != "nosniff":
			c.t.Errorf("%s: %s may be sniffed", where, kind)
		}
	}
	return pages
}

// says asks for one page, which must say the string of a key.
func (c *crawler) says(situation, path, key string, status int, args ...any) {
	c.t.Helper()
	bdi := strings.NewReplacer("<bdi>", "", "</bdi>", "", `<bdi lang="en">`, "")
	for _, l := range words.All() {
		got := c.ask(http.MethodGet, path, l.Tag(), nil)
		want := bdi.Replace(string(l.HTML(words.Say(key, args...))))
		if got.status != status || !strings.Contains(bdi.Replace(got.body), want) {
			c.t.Errorf("%s, %s, %s: %d without %q:\n%.3000s", situation, l.Tag(), path, got.status, want, got.body)
		}
		if got.status >= 400 {
			c.tells(situation+" "+path, got)
		}
	}
}

// refuses sends a form, which must be answered with that status and all these texts.
func (c *crawler) refuses(situation, path string, form url.Values, status int, texts ...words.Text) {
	c.t.Helper()
	bdi := strings.NewReplacer("<bdi>", "", "</bdi>", "")
	for _, l := range words.All() {
		got := c.ask(http.MethodPost, path, l.Tag(), form)
		where := situation + ", " + l.Tag() + ", " + path
		c.isPage(where, l.Tag(), got)
		c.tells(where, got)
		for _, text := range texts {
			want := before(l, text)
			if got.status != status || !strings.Contains(bdi.Replace(got.body), want) {
				c.t.Errorf("%s: %d without %q:\n%.3000s", where, got.status, want, got.body[strings.Index(got.body, "<main"):])
			}
		}
	}
}

// lockElsewhere is a lock of another WebDAV program on the document.
func (c *crawler) lockElsewhere(owner string) {
	c.t.Helper()
	p, err := dav.ParsePath("/folder/" + evilName + ".odt")
	c.must(err)
	_, _, err = c.up.View(c.t).Lock(c.t.Context(), p, davbackend.LockRequest{Owner: owner, Timeout: time.Hour})
	c.must(err)
}

// meet is an editor that wants the lock and does not get it: from then on it is known here
// who has the document.
func (c *crawler) meet(id string) {
	c.t.Helper()
	var taken *locks.MismatchError
	if err := c.tryLock(id, locks.Actor{Member: "m", Editor: c.Editors.List[0].URL, Office: wopi.Collabora, UserID: "boss", Name: "boss"}); !errors.As(err, &taken) || !taken.Foreign {
		c.t.Fatalf("the lock: %v", err)
	}
}

// heldByZoe: who has the document, how and since when, wherever one meets with it; and it
// can be read.
func (c *crawler) heldByZoe(zoe words.Text, bar, refused string, how ...any) {
	c.t.Helper()
	id, folder := c.paths["odt"], "/folder/"+c.paths["folder"]
	said := append([]any{"name", zoe, "at", time.Now()}, how...)
	for _, l := range words.All() {
		for _, path := range []string{"/edit/" + id, "/view/" + id} {
			if got := c.ask(http.MethodGet, path, l.Tag(), nil); got.status != http.StatusOK || !strings.Contains(strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(got.body), before(l, words.Say(bar, said...))) {
				c.t.Errorf("%s, %s: %d without %q:\n%.3000s", l.Tag(), path, got.status, before(l, words.Say(bar, said...)), got.body)
			}
		}
		contains(c.t, c.ask(http.MethodGet, folder, l.Tag(), nil).body, `<bdi>Zoe Zebra</bdi></span>`)
	}
	for path, key := range map[string]string{"/rename/" + id: "held.rename", "/delete/" + id: "held.delete"} {
		c.refuses(refused, path, url.Values{"name": {"new name.odt"}}, http.StatusConflict, words.Say("held.title", "name", evilName+".odt"), words.Say(refused, said...), words.Say(key), words.Say("step.read"))
	}
}

// before is what a text says before the first time in it.
func before(l *words.Language, text words.Text) string {
	said, _, _ := strings.Cut(string(l.HTML(text)), "<time")
	return strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(said)
}

// TestEveryRouteInEverySituation: DESIGN 11, in both languages. Whatever happens, people get
// a page in their language with the cause and what to do.
func TestEveryRouteInEverySituation(t *testing.T) {
	type situation struct {
		name string
		make func(c *crawler)
		says func(c *crawler)
	}
	id := func(c *crawler, page string) string { return "/" + page + "/" + c.paths["id"] }
	for _, s := range []situation{
		{"all is well", func(*crawler) {}, func(c *crawler) {
			c.says("all is well", "/", "folder.files", http.StatusOK)
			c.says("all is well", "/server", "server.title", http.StatusOK)
		}},
		{"the upstream is down", func(c *crawler) { c.up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable}) }, func(c *crawler) {
			for _, page := range []string{"/", "/folder/" + c.paths["folder"], id(c, "edit"), id(c, "view"), id(c, "document"), id(c, "share")} {
				c.says("down", page, "down.title", http.StatusServiceUnavailable, "name", "Home NAS")
				c.says("down", page, "down.words", http.StatusServiceUnavailable)
				c.says("down", page, "step.again", http.StatusServiceUnavailable)
			}
		}},
		{"the upstream hangs up", func(c *crawler) { c.up.Quirks.Fail(upstream.Fault{Cut: true}) }, func(c *crawler) {
			c.says("hangs up", "/", "down.title", http.StatusServiceUnavailable, "name", "Home NAS")
		}},
		{"the credential is refused", func(c *crawler) { c.up.Quirks.Fail(upstream.Fault{Status: http.StatusUnauthorized}) }, func(c *crawler) {
			c.says("refused", id(c, "edit"), "refused.title", http.StatusBadGateway, "name", "Home NAS")
			c.says("refused", id(c, "edit"), "refused.who", http.StatusBadGateway)
		}},
		{"there is no right", func(c *crawler) { c.up.Quirks.Fail(upstream.Fault{Status: http.StatusForbidden}) }, func(c *crawler) {
			c.says("denied", id(c, "view"), "denied.title", http.StatusForbidden)
			c.says("denied", id(c, "view"), "denied.words", http.StatusForbidden, "name", "Home NAS")
		}},
		{"rules hide it", func(c *crawler) {
			c.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.View}, {Who: []string{"*"}, Path: "/folder", Rights: 0}}
		}, func(c *crawler) {
			c.says("hidden", id(c, "edit"), "gone.title", http.StatusNotFound)
		}},
		{"the file is gone", func(c *crawler) {
			c.must(os.RemoveAll(filepath.Join(c.up.Dir, "folder")))
		}, func(c *crawler) {
			c.says("gone", id(c, "edit"), "gone.asked", http.StatusNotFound, "name", "Home NAS")
		}},
		{"there is no space", func(c *crawler) {
			c.up.Quirks.Fail(upstream.Fault{Method: http.MethodPut, Status: http.StatusInsufficientStorage})
		}, func(c *crawler) {
			c.up.Quirks.Set(func(q *upstream.Quirks) { q.Quota = "1536" })
			c.refuses("no space", "/saves/"+c.paths["entry"]+"/restore", nil, http.StatusInsufficientStorage, words.Say("full.free", "name", "Home NAS", "free", words.Size(1536)))
			c.refuses("no space", "/folder/"+c.paths["folder"]+"/new", url.Values{"kind": {"txt"}, "name": {"more"}}, http.StatusInsufficientStorage, words.Say("full.free", "name", "Home NAS", "free", words.Size(1536)), words.Say("full.words"))
			for _, l := range words.All() {
				got := c.ask(http.MethodPost, "/saves/"+c.paths["entry"]+"/restore", l.Tag(), nil)
				if got.status != http.StatusInsufficientStorage || !strings.Contains(got.body, l.Say("save_full.title")) || !strings.Contains(got.body, l.Say("save_full.words")) {
					c.t.Errorf("no space, %s: %d\n%s", l.Tag(), got.status, got.body)
				}
			}
		}},
		{"the person's own password is refused", func(c *crawler) {
			c.userMode()
			c.up.Quirks.Fail(upstream.Fault{Status: http.StatusUnauthorized})
		}, func(c *crawler) {
			for _, path := range []string{"/folder/" + c.paths["folder"], id(c, "edit")} {
				if got := c.ask(http.MethodGet, path, "de", nil); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/signin?") {
					c.t.Errorf("%s: %d to %q", path, got.status, got.header.Get("Location"))
				}
			}
			c.says("again", "/signin?why=again", "signin.again", http.StatusOK)
		}},
		{"a WebDAV program has locked it", func(c *crawler) { c.lockElsewhere("Zoe Zebra") }, func(c *crawler) {
			zoe := words.Plain("Zoe Zebra")
			c.says("locked", "/edit/"+c.paths["odt"], "host.taken_now", http.StatusOK, "name", zoe)
			c.meet(c.paths["odt"])
			c.heldByZoe(zoe, "script.host.taken", "held.since")
		}},
		{"a program on a desktop has it open", func(c *crawler) {
			c.Locks.Respect = true
			c.up.Write(c.t, "folder/.~lock."+evilName+".odt#", ",Zoe Zebra,desk,28.11.2026 12:00,file:///home/zoe/;")
		}, func(c *crawler) {
			c.meet(c.paths["odt"])
			c.heldByZoe(words.Plain("Zoe Zebra"), "script.host.taken_with", "held.in", "program", "LibreOffice", "editor", "LibreOffice")
		}},
		{"another editor has it open", func(c *crawler) {
			c.Editors.List = append(c.Editors.List, discovery.Editor{URL: "https://other.example", Name: "Other Office"})
			c.lock(c.paths["odt"], "Zoe Zebra", "https://other.example")
		}, func(c *crawler) {
			c.heldByZoe(words.Plain("Zoe Zebra"), "script.host.taken", "held.in", "editor", words.Plain("Other Office"))
		}},
		{"others have changed it", func(c *crawler) {
			w := c.writes(c.paths["odt"], "boss", wopi.Microsoft)
			c.up.Write(c.t, "folder/"+evilName+".odt", "by another program")
			if err := w.save("mine"); err == nil {
				c.t.Fatal("no conflict")
			}
		}, func(c *crawler) {
			state := c.b.state(c.paths["odt"])
			if state.Conflict == nil || state.Conflict.Theirs.File == "" || state.Conflict.Mine.File == "" || state.Conflict.Mine.File == state.Conflict.Theirs.File {
				c.t.Fatalf("both versions are not named: %+v", state.Conflict)
			}
			c.says("changed", "/saves", "saves.copies_hint", http.StatusOK)
			c.says("changed", "/open", "state.both", http.StatusOK)
			contains(c.t, c.b.get("/saves").body, html.EscapeString(state.Conflict.Mine.File), state.Conflict.Mine.Open, "/view/"+c.paths["odt"])
		}},
		{"the editor is down", func(c *crawler) {
			c.Editors.List = c.Editors.List[1:]
			c.withEditor(wopi.Collabora, "odt").Down(true)
		}, func(c *crawler) {
			second := regexp.MustCompile(`/(?:edit|document)/([a-z2-7]{26})`).FindAllStringSubmatch(c.b.get("/folder/"+c.paths["folder"]).body, -1)
			other := c.paths["id"]
			for _, m := range second {
				if m[1] != c.paths["id"] {
					other = m[1]
				}
			}
			c.says("editor down", "/edit/"+other, "again.document", http.StatusServiceUnavailable)
		}},
		{"nobody is signed in", func(c *crawler) { c.b = c.browser() }, func(c *crawler) {
			c.says("signed out", "/signin?why=again", "signin.again", http.StatusOK)
			for _, path := range []string{"/", id(c, "edit"), "/open/events", "/server"} {
				if got := c.ask(http.MethodGet, path, "de", nil); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/signin") {
					c.t.Errorf("%s for nobody: %d to %q", path, got.status, got.header.Get("Location"))
				}
			}
			c.says("not opened", "/shared/"+c.paths["share"]+"/", "guest.title", http.StatusForbidden)
		}},
		{"everything is broken", func(c *crawler) {
			c.Rules = nil
			c.Upstreams.List[0].Client = &davbackend.Client{Base: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}
			c.Checkup = func(context.Context) (web.Checkup, error) { return web.Checkup{}, errors.New("a bug") }
		}, func(c *crawler) {
			c.says("a bug", "/doctor", "broken.words", http.StatusInternalServerError)
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			c := newCrawler(t)
			c.house.t = t
			s.make(c)
			s.says(c)
			for _, l := range words.All() {
				if pages := c.visit(s.name, l.Tag()); pages < 10 {
					t.Errorf("only %d pages", pages)
				}
			}
		})
	}
}

// TestRequestsThatAreWrong: unknown addresses, wrong methods, forms that are too large or
// unreadable, secrets that are none, and somebody else's lock.
func TestRequestsThatAreWrong(t *testing.T) {
	c := newCrawler(t)
	c.says("unknown", "/nothing/here", "unknown.title", http.StatusNotFound)
	c.says("unknown", "/edit/short", "unknown.words", http.StatusNotFound)
	c.says("unknown", "/edit/"+strings.Repeat("q", 26), "gone.words", http.StatusNotFound)
	c.says("a link that is none", "/s/nothing", "no_share.title", http.StatusNotFound)
	c.says("a ticket that is none", "/ticket/nothing", "ticket.title", http.StatusGone)
	c.says("no such save", "/saves/"+strings.Repeat("a", 16)+"/drop", "no_entry.title", http.StatusNotFound)
	c.says("no such link", "/shared/"+strings.Repeat("a", 26)+"/", "no_share.words", http.StatusNotFound)
	for _, l := range words.All() {
		for _, wrong := range []struct {
			method, path, key string
			status            int
			form              url.Values
			header            []string
		}{
			{http.MethodPut, "/open", "method.title", http.StatusMethodNotAllowed, nil, nil},
			{http.MethodDelete, "/edit/" + c.paths["id"], "method.words", http.StatusMethodNotAllowed, nil, nil},
			{http.MethodPost, "/share/" + c.paths["id"], "too_large.title", http.StatusRequestEntityTooLarge, url.Values{"x": {strings.Repeat("a", 1<<20)}}, nil},
			{http.MethodPost, "/share/" + c.paths["id"] + "?a=%zz", "form.title", http.StatusBadRequest, nil, nil},
			{http.MethodPost, "/share/" + c.paths["id"], "share.err_end", http.StatusUnprocessableEntity, url.Values{"days": {"-1"}}, nil},
			{http.MethodPost, "/link/nothing", "used_link.title", http.StatusGone, nil, nil},
		} {
			got := c.ask(wrong.method, wrong.path, l.Tag(), wrong.form, wrong.header...)
			where := wrong.method + " " + wrong.path
			if got.status != wrong.status || !strings.Contains(got.body, l.Say(wrong.key)) {
				t.Errorf("%s, %s: %d without %q:\n%.2000s", where, l.Tag(), got.status, l.Say(wrong.key), got.body)
				continue
			}
			c.isPage(where, l.Tag(), got)
			c.tells(where, got)
			if wrong.status == http.StatusMethodNotAllowed && !strings.Contains(got.header.Get("Allow"), "GET") {
				t.Errorf("%s: Allow %q", where, got.header.Get("Allow"))
			}
		}
		got := c.ask(http.MethodPost, "/language", l.Tag(), url.Values{"language": {"de"}}, "Sec-Fetch-Site", "cross-site")
		if got.status != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
			t.Errorf("another site's form: %d", got.status)
		}
	}
}

// TestLanguageIsChosen: by the form at the foot of a page, for a year, and back to where one was.
func TestLanguageIsChosen(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "x")
	b := h.person("anna")
	choose := func(language, referer string) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/language", strings.NewReader("language="+url.QueryEscape(language)))
		h.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Referer", referer)
		return b.do(req)
	}
	for referer, want := range map[string]string{
		h.server.URL + "/saves": "/saves", h.server.URL + "/signin?why=bye": "/signin", h.server.URL + "/link/abc": "/link/abc",
		"": "/", "https://evil.example/saves": "/", h.server.URL + "//evil.example": "/", "%": "/",
	} {
		if got := choose("de", referer); got.status != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("from %q: %d to %q", referer, got.status, got.header.Get("Location"))
		}
	}
	cookie := choose("de", "").header.Get("Set-Cookie")
	for _, want := range []string{words.Cookie + "=de", "HttpOnly", "SameSite=Lax", "Max-Age=31536000"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("%q lacks %s", cookie, want)
		}
	}
	contains(t, b.get("/").body, `<html lang="de">`, "Dateien", `aria-current="true">Deutsch`)
	if got := choose("xx", ""); got.header.Get("Set-Cookie") != "" {
		t.Errorf("a language that is none: %q", got.header.Get("Set-Cookie"))
	}
	contains(t, b.get("/?ui_locales=en").body, `<html lang="de">`) // the person's own choice stays
	choose("en", "")
	contains(t, b.get("/").body, `<html lang="en">`)
	contains(t, h.browser().get("/signin?ui_locales=de").body, `<html lang="de">`, "Anmelden")
}

// TestPartsOfPagesAreCompressed: for browsers that can, and with the same bytes for others.
func TestPartsOfPagesAreCompressed(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	for _, name := range []string{"style.css", "page.js", "words.js", "icon.svg"} {
		get := func(encoding string) (answer, []byte) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+"/static/"+name+"?v=1", nil)
			h.must(err)
			req.Header.Set("Accept-Encoding", encoding)
			got := b.do(req)
			return got, []byte(got.body)
		}
		plain, want := get("identity")
		small, squeezed := get("gzip")
		if plain.header.Get("Content-Encoding") != "" || small.header.Get("Content-Encoding") != "gzip" || small.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v, %v", name, plain.header, small.header)
		}
		z, err := gzip.NewReader(bytes.NewReader(squeezed))
		h.must(err)
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) || len(squeezed) >= len(want) {
			t.Errorf("%s: %d bytes in %d, %v", name, len(want), len(squeezed), err)
		}
	}
}

// TestLongListsAreCompressed: a page of a folder is under 50 KB on the wire, however long it
// is; but not where it shows what the address says, or the secret of a link.
func TestLongListsAreCompressed(t *testing.T) {
	h := newHouse(t, nil)
	for i := range 600 {
		h.up.Write(t, fmt.Sprintf("team/%03d report of the quarter.odt", i*7919%1000), "hello")
	}
	get := func(b *browser, path, encoding string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+path, nil)
		h.must(err)
		req.Header.Set("Accept-Encoding", encoding)
		return b.do(req)
	}
	b := h.person("ben")
	team := "/folder/" + b.get("/").id(t, "team")
	plain, small := get(b, team, "identity"), get(b, team, "gzip, br")
	if plain.header.Get("Content-Encoding") != "" || small.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v, %v", plain.header, small.header)
	}
	z, err := gzip.NewReader(strings.NewReader(small.body))
	h.must(err)
	body, err := io.ReadAll(z)
	h.must(err)
	if rows := bytes.Count(body, []byte("<tr data-id=")); rows != 500 || len(small.body) > 50<<10 {
		t.Errorf("%d rows in %d bytes, of %d", rows, len(small.body), len(body))
	}
	t.Logf("%d bytes, %d on the wire", len(body), len(small.body))
	for _, path := range []string{team + "?q=report", "/document/" + team[len("/folder/"):], "/signin"} {
		if got := get(b, path, "gzip"); got.header.Get("Content-Encoding") != "" {
			t.Errorf("%s is compressed", path)
		}
	}
}

// TestSignInOfEveryKind: each way to sign in has its page in each language, with the privacy
// statement; and each of its troubles says what it is.
func TestSignInOfEveryKind(t *testing.T) {
	p := idp.New(t, time.Now)
	for _, kind := range []struct {
		name, path, key string
		status          int
		args            []any
		change          func(h *house)
	}{
		{"a link", "/signin", "signin.link", http.StatusOK, nil, func(*house) {}},
		{"a password", "/signin", "signin.password", http.StatusOK, []any{"name", "Home NAS"}, func(h *house) { h.userMode() }},
		{"a proxy", "/signin", "signin.proxy_owner", http.StatusOK, nil, func(h *house) { h.Proxy = &web.Proxy{User: "X-User"} }},
		{"a provider", "/signin?why=bye", "signin.with", http.StatusOK, []any{"name", "Example ID"}, nil},
		{"a provider that is down", "/signin", "signin.provider_down", http.StatusServiceUnavailable, []any{"name", "Example ID"}, func(h *house) {
			h.Provider.OIDC.Provider = &oauth.Provider{Issuer: "http://127.0.0.1:1"}
		}},
		{"a provider's answer that is none", "/signin/callback?state=x", "signin.flow", http.StatusBadRequest, nil, nil},
		{"a password while the server is down", "/signin", "signin.upstream_down", http.StatusServiceUnavailable, []any{"name", "Home NAS"}, func(h *house) {
			h.userMode()
			h.Upstreams.List[0].Client = &davbackend.Client{Base: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}
		}},
		{"a password that is wrong", "/signin", "signin.wrong", http.StatusForbidden, nil, func(h *house) { h.userMode() }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			c := &crawler{}
			if strings.Contains(kind.name, "provider") {
				c.house = withProvider(t, p, false)
			} else {
				c.house = newHouse(t, nil)
			}
			c.Privacy = "https://example.org/privacy"
			if kind.change != nil {
				kind.change(c.house)
			}
			c.b = c.browser()
			bdi := strings.NewReplacer("<bdi>", "", "</bdi>", "")
			for _, l := range words.All() {
				method, form := http.MethodGet, url.Values{}
				if strings.HasPrefix(kind.name, "a password ") {
					method, form = http.MethodPost, url.Values{"user": {"anna"}, "password": {"no"}}
				}
				got := c.ask(method, kind.path, l.Tag(), form)
				want := bdi.Replace(string(l.HTML(words.Say(kind.key, kind.args...))))
				if got.status != kind.status || !strings.Contains(bdi.Replace(got.body), want) || !strings.Contains(got.body, l.Say("page.privacy")) {
					t.Errorf("%s: %d without %q:\n%.3000s", l.Tag(), got.status, want, got.body)
				}
				c.isPage(kind.name, l.Tag(), got)
				if got.status >= 400 {
					c.tells(kind.name, got)
				}
			}
		})
	}
}
