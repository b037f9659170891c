package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/textedit"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

const apiKey = "a key of more than twenty characters"

// A house is the pages with everything real below them: a strict WebDAV server
// over a folder, and the state database.
type house struct {
	*web.Pages
	t      testing.TB
	up     *upstream.Server
	db     *sqldb.DB
	server *httptest.Server
	clock  atomic.Int64 // by how much the editors' clock is ahead, in nanoseconds

	mu  sync.Mutex
	log []error // guarded by mu
}

// newHouse builds one. change may set fields before the routes are mounted.
func newHouse(t testing.TB, change func(*house)) *house {
	t.Helper()
	ctx := t.Context()
	h := &house{t: t, up: upstream.Strict(t), db: sqldbtest.New(t)}
	h.server = httptest.NewUnstartedServer(nil)
	public := &url.URL{Scheme: "http", Host: h.server.Listener.Addr().String()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sealer, err := oauth.NewSealer(bytes.Repeat([]byte{7}, 32))
	must(err)
	ids, err := idmap.New(ctx, h.db)
	must(err)
	credentials, err := oauth.NewCredentials(ctx, h.db, sealer)
	must(err)
	service := h.up.Credential()
	now := func() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }
	p := &web.Pages{
		URLs: endpoint.URLs{Public: public, WOPI: public},
		IDs:  ids, Brand: "davwopi",
		Upstreams: &access.Upstreams{IDs: ids, Credentials: credentials, Sealer: sealer, List: []*access.Upstream{
			{Name: "main", DisplayName: "Home NAS", Client: h.up.Client(t), Service: &service},
		}},
		Editors: &discovery.Editors{Now: now, List: []discovery.Editor{
			{URL: textedit.ID, Name: textedit.Name, Builtin: func() []byte { return textedit.Discovery(public) }},
		}},
		Offers: endpoint.Offers{WriteRelative: true},
		Log:    h.note,
	}
	h.Pages = p
	p.Sessions, err = oauth.NewSessions(ctx, h.db)
	must(err)
	p.Links, err = oauth.NewLinks(ctx, h.db)
	must(err)
	p.Tokens, err = access.NewTokens(ctx, h.db, sealer)
	must(err)
	p.Tickets, err = access.NewTickets(ctx, h.db)
	must(err)
	p.Keys, err = access.NewAPIKeys(ctx, h.db, []access.APIKey{
		{Name: "portal", SHA256: access.KeyHash(apiKey), Principals: []string{"anna"}, Subtree: "/team", Modes: []string{"edit", "view"}},
	})
	must(err)
	p.Locks, err = locks.New(ctx, locks.Locks{DB: h.db, IDs: ids, Upstreams: p.Upstreams, OnError: func(string, error) {}})
	must(err)
	p.Changes, err = web.NewChanges(ctx, h.db)
	must(err)
	h.journal(t.TempDir())
	if change != nil {
		change(h)
	}
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	textedit.Editor{URLs: p.URLs}.Mount(r)
	p.Mount(r)
	h.server.Config.Handler = http.NewCrossOriginProtection().Handler(r)
	h.server.Start()
	t.Cleanup(h.server.Close)
	return h
}

// journal makes the journal, in dir. Saves wait in it if that is on a real disk.
func (h *house) journal(dir string) {
	h.t.Helper()
	var err error
	h.Saves, err = saves.New(h.t.Context(), saves.Saves{
		Dir: filepath.Join(dir, "saves"), DB: h.db, IDs: h.IDs, Locks: h.Locks, WhenDown: saves.Queue, Patience: 200 * time.Millisecond,
		OnError: func(what string, err error) { h.t.Log(what, err) },
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) note(_ *http.Request, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, err)
}

// A browser keeps cookies and follows no redirect by itself.
type browser struct {
	t    testing.TB
	h    *house
	http *http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h.t, h, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// person is a browser that came in by a link.
func (h *house) person(name string) *browser {
	h.t.Helper()
	secret, err := h.Links.Make(h.t.Context(), oauth.Principal{Subject: "guest:" + name, Name: name}, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	b := h.browser()
	if got := b.post("/link/"+secret, nil); got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		h.t.Fatalf("redeem link: %d to %q", got.status, got.header.Get("Location"))
	}
	return b
}

// An answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (b *browser) do(req *http.Request) answer {
	b.t.Helper()
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.h.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) head(path string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodHead, b.h.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) post(path string, form url.Values) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.h.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

func (b *browser) postJSON(path, body string, header ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.h.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return b.do(req)
}

// id finds the ID of the row with that name on the page of a folder.
func (a answer) id(t testing.TB, name string) string {
	t.Helper()
	m := regexp.MustCompile(`href="/(?:edit|view|folder|download)/([a-z2-7]{26})"><svg[^>]*><use[^>]*/></svg><bdi>` + regexp.QuoteMeta(name) + `</bdi>`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no row %q in:\n%s", name, a.body)
	}
	return m[1]
}

var (
	formToken = regexp.MustCompile(`name="access_token" value="([^"]+)"`)
	anyToken  = regexp.MustCompile(`wb[wd]_[0-9A-Za-z_-]+`)
)

// token is the access token of a host page.
func (a answer) token(t *testing.T) string {
	t.Helper()
	m := formToken.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no token on the page (status %d):\n%s", a.status, a.body)
	}
	return m[1]
}

var formAction = regexp.MustCompile(`<form id="go" method="post" action="([^"]+)"`)

// action is where a host page posts its form.
func (a answer) action(t *testing.T) *url.URL {
	t.Helper()
	m := formAction.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no form on the page (status %d):\n%s", a.status, a.body)
	}
	u, err := url.Parse(html.UnescapeString(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// grant opens a token of the page.
func (h *house) grant(token, id string) access.Grant {
	h.t.Helper()
	g, err := h.Tokens.Open(h.t.Context(), token, idmap.FileID(id))
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// lock locks a file as somebody would with an editor.
func (h *house) lock(id, name, editor string) {
	h.t.Helper()
	h.locked(id, locks.Actor{Member: "m-" + name, Editor: editor, Office: wopi.TextEditor, UserID: "u" + name, Name: name})
}

func (h *house) locked(id string, a locks.Actor) {
	h.t.Helper()
	if err := h.tryLock(id, a); err != nil {
		h.t.Fatal(err)
	}
}

// tryLock is an editor's Lock.
func (h *house) tryLock(id string, a locks.Actor) error {
	h.t.Helper()
	ctx := h.t.Context()
	space, err := h.IDs.Space(ctx, "main", "")
	if err != nil {
		h.t.Fatal(err)
	}
	view, err := h.Upstreams.View(ctx, "main", oauth.Principal{Issuer: "link", Subject: a.Name})
	if err != nil {
		h.t.Fatal(err)
	}
	entry, seen, err := h.IDs.Find(ctx, space, idmap.FileID(id), view)
	if err != nil {
		h.t.Fatal(err)
	}
	target := locks.Target{File: entry, Seen: seen, Upstream: "main", View: view,
		Pin: func(ctx context.Context) ([]byte, error) {
			return h.Upstreams.Pin(ctx, "main", oauth.Principal{Issuer: "link", Subject: a.Name})
		}}
	return h.Locks.Lock(ctx, target, a, "lock-of-"+wopi.LockID(a.Name))
}

// withEditor adds an editor's server for the given extensions.
func (h *house) withEditor(kind wopi.Office, exts ...string) *office.Editor {
	e := office.NewEditor(h.t, kind, false, exts...)
	h.Editors.List = append([]discovery.Editor{{URL: e.URL}}, h.Editors.List...)
	return e
}

// withSecond adds an upstream called "work".
func (h *house) withSecond() *upstream.Server {
	second := upstream.Strict(h.t)
	service := second.Credential()
	h.Upstreams.List = append(h.Upstreams.List, &access.Upstream{Name: "work", DisplayName: "Work", Client: second.Client(h.t), Service: &service})
	return second
}

// userMode makes the upstream want each person's own password.
func (h *house) userMode() {
	up := h.Upstreams.List[0]
	up.Service = nil
	h.Password = &oauth.PasswordSignIn{Upstream: up.Name, Check: func(ctx context.Context, user, password string) error {
		_, err := up.Client.As(davbackend.Credential{Kind: "password", User: user, Secret: password}).Stat(ctx, "/")
		if err != nil && strings.Contains(err.Error(), dav.ErrUnauthorized.Error()) {
			return oauth.ErrRefused
		}
		return err
	}}
}

func mustJSON[T any](t *testing.T, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return v
}

func contains(t testing.TB, page string, words ...string) {
	t.Helper()
	plain := strings.NewReplacer("<bdi>", "", "</bdi>", "")
	for _, w := range words {
		if !strings.Contains(page, w) && !strings.Contains(plain.Replace(page), plain.Replace(w)) {
			if i := strings.Index(page, "<main"); i > 0 {
				page = page[i:]
			}
			t.Errorf("the page lacks %q:\n%.3000s", w, page)
		}
	}
}
