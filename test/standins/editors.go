package standins

import (
	"crypto/rand"
	"crypto/rsa"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

//go:embed page
var pages embed.FS

// maxForm bounds what a page sends.
const maxForm = 1 << 20

// An Editor is an editor's server: discovery, the page for the frame, and the documents that
// are open in it. It stops with the test, which fails if a message was none of the dialogue.
type Editor struct {
	URL  string
	Kind wopi.Office

	keys     office.Keys
	exts     []string
	dialogue Dialogue
	server   *httptest.Server

	mu     sync.Mutex
	faults []string             // guarded by mu, as all below
	views  []*view              // in the order in which they were opened
	docs   map[string]*document // by WOPISrc
	saves  []Save
	tokens []string // that pages have handed on, the latest last
}

// A Save is one that an editor's server has sent, and how it was answered.
type Save struct {
	Text   string
	Status int
	Token  string
	Exit   bool
}

// New starts an editor of that kind, which opens files with those extensions.
func New(t testing.TB, kind wopi.Office, exts ...string) *Editor {
	t.Helper()
	e := &Editor{Kind: kind, exts: exts, docs: map[string]*document{}}
	var err error
	if e.dialogue, err = Read(kind); err != nil {
		t.Fatal(err)
	}
	for _, key := range []**rsa.PrivateKey{&e.keys.Current, &e.keys.Old} {
		if *key, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hosting/discovery", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write(office.Discovery(kind, e.URL, e.keys, exts...)) // who left needs none
	})
	mux.HandleFunc("GET /double/editor.js", e.script)
	mux.HandleFunc("GET /double/now", e.now)
	mux.HandleFunc("POST /double/do", e.do)
	mux.HandleFunc("POST /double/fault", e.fault)
	mux.HandleFunc("POST /", e.page)
	e.server = httptest.NewServer(mux)
	e.URL = e.server.URL
	t.Cleanup(func() {
		e.server.Close()
		for _, f := range e.faults {
			t.Errorf("%s and its host page: %s", kind, f)
		}
	})
	return e
}

// Saves are all that were sent so far.
func (e *Editor) Saves() []Save {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Save(nil), e.saves...)
}

// Tokens are those that host pages have handed on to the editor while it worked.
func (e *Editor) Tokens() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.tokens...)
}

// page opens a view: the host page's form arrives.
func (e *Editor) page(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	src := ""
	for name, values := range r.URL.Query() {
		if strings.EqualFold(name, "WOPISrc") {
			src = values[0]
		}
		if strings.Contains(strings.Join(values, ""), "wbw_") {
			e.blame("the access token is in the address")
		}
	}
	v := e.open(r.Context(), src, r.PostForm)
	t := template.Must(template.ParseFS(pages, "page/editor.html"))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := t.Execute(w, map[string]any{"Kind": e.Kind.String(), "Data": map[string]any{
		"kind": e.Kind.String(), "view": v.number, "dialogue": e.dialogue, "info": v.info, "failed": v.failed, "forcesave": v.forceSave,
	}})
	if err != nil {
		e.blame(err.Error())
	}
}

func (e *Editor) script(w http.ResponseWriter, _ *http.Request) {
	b, err := pages.ReadFile("page/editor.js")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/javascript")
	_, _ = w.Write(b) // who left needs none
}

// fault is what a page has found wrong.
func (e *Editor) fault(_ http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxForm))
	e.blame(fmt.Sprint(string(text), errorText(err)))
}

func (e *Editor) blame(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, what)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return " " + err.Error()
}

// do carries out what a page asks of its server: {view, op, ...}.
func (e *Editor) do(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm)).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v := e.view(q.View)
	if v == nil {
		http.Error(w, "no such view", http.StatusNotFound)
		return
	}
	answer, err := e.carryOut(r.Context(), v, q)
	if err != nil {
		answer.Error = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // who left needs none
}

// now is the document of a view as it stands.
func (e *Editor) now(w http.ResponseWriter, r *http.Request) {
	number := -1
	_, _ = fmt.Sscan(r.URL.Query().Get("view"), &number) // then there is no such view
	v := e.view(number)
	if v == nil {
		http.Error(w, "no such view", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(e.stand(v)) // who left needs none
}

func (e *Editor) view(number int) *view {
	e.mu.Lock()
	defer e.mu.Unlock()
	if number < 0 || number >= len(e.views) {
		return nil
	}
	return e.views[number]
}

// client talks to the daemon with a view's token.
func (e *Editor) client(src string, form url.Values) *office.Client {
	return &office.Client{
		WOPISrc: src, AccessToken: form.Get("access_token"), Current: e.keys.Current, Old: e.keys.Old, Office: e.Kind,
	}
}

// Client gives c this editor's keys and manners, as another server of it would have them.
func (e *Editor) Client(c *office.Client) *office.Client {
	c.Current, c.Old, c.Office = e.keys.Current, e.keys.Old, e.Kind
	return c
}
