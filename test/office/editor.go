package office

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"davwopi/bridge/wopi"
)

// Editor is an editor's server: /hosting/discovery with actions for extensions,
// proof keys if it is signed, /hosting/capabilities, and a page that takes the
// form of the host page. It stops with the test.
type Editor struct {
	URL          string
	Current, Old *rsa.PrivateKey // nil if not signed; use Rotate to change them

	office wopi.Office
	exts   []string
	server *httptest.Server

	mu    sync.Mutex
	down  bool         // guarded by mu, as all below
	bare  bool         // no proof keys in the document
	asked int          // how often discovery was fetched
	opens []url.Values // forms and query of opened pages
}

// NewEditor starts an editor of that kind. Its discovery offers view and edit for
// exts, and what else the kind offers. Signed makes two keys.
func NewEditor(t testing.TB, office wopi.Office, signed bool, exts ...string) *Editor {
	t.Helper()
	e := &Editor{office: office, exts: exts}
	if signed {
		e.Current, e.Old = newKey(t), newKey(t)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hosting/discovery", e.discovery)
	mux.HandleFunc("GET /hosting/capabilities", e.capabilities)
	mux.HandleFunc("POST /", e.page)
	e.server = httptest.NewServer(mux)
	e.URL = e.server.URL
	t.Cleanup(e.server.Close)
	return e
}

// spare are keys of editors that have stopped: making one takes longer than many a test.
var spare struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey // guarded by mu
}

// newKey is a key that no other running editor has.
func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	spare.mu.Lock()
	var key *rsa.PrivateKey
	if n := len(spare.keys); n > 0 {
		key, spare.keys = spare.keys[n-1], spare.keys[:n-1]
	}
	spare.mu.Unlock()
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		spare.mu.Lock()
		defer spare.mu.Unlock()
		spare.keys = append(spare.keys, key)
	})
	return key
}

// Client returns a client that has this editor's keys and manners.
func (e *Editor) Client(wopiSrc, accessToken string) *Client {
	e.mu.Lock()
	defer e.mu.Unlock()
	return &Client{WOPISrc: wopiSrc, AccessToken: accessToken, Current: e.Current, Old: e.Old, Office: e.office, HTTP: e.server.Client()}
}

// Rotate makes a new current key and turns the present one into the old one.
func (e *Editor) Rotate(t testing.TB) {
	t.Helper()
	key := newKey(t)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Old, e.Current = e.Current, key
}

// Bare takes the proof keys out of the document, as an editor does whose key file
// was lost.
func (e *Editor) Bare(bare bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bare = bare
}

// Down makes discovery answer 503.
func (e *Editor) Down(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

// Asked returns how often discovery was fetched.
func (e *Editor) Asked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// Opened returns the query and form of each page that was opened.
func (e *Editor) Opened() []url.Values {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]url.Values(nil), e.opens...)
}

func (e *Editor) discovery(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	if e.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	keys := Keys{Current: e.Current, Old: e.Old}
	if e.bare {
		keys = Keys{}
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = w.Write(Discovery(e.office, e.server.URL, keys, e.exts...))
}

func (e *Editor) capabilities(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"convert-to":{"available":true,"endpoint":"/cool/convert-to"},"hasTemplateSource":true,"productName":"double"}`))
}

// page is the frame: it notes what the host page sent.
func (e *Editor) page(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	e.opens = append(e.opens, r.Form)
	e.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html><title>editor</title><p>opened"))
}
