package docsapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/docsapi"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/docserver"
	"davwopi/test/office"
	"davwopi/test/rooms"
)

// A rig is a house of real rooms over a strict upstream, with a document server.
type rig struct {
	*rooms.House
	t    testing.TB
	DS   *docserver.Server
	Docs *docsapi.Docs
	Base string // address of the house
	WOPI string // another editor, which speaks WOPI
}

// newRig starts both. change may set switches of the document server.
func newRig(t testing.TB, change func(*docserver.Server)) *rig {
	t.Helper()
	r := &rig{t: t, DS: docserver.Start(t, change), WOPI: office.NewEditor(t, wopi.Collabora, false, "docx").URL}
	r.House = rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Editors = &discovery.Editors{List: []discovery.Editor{{URL: r.DS.URL, Secret: true}, {URL: r.WOPI}}}
		e.MaxBody = 1 << 30
	})
	r.start(docserver.Secret)
	return r
}

// start makes the room anew over the same state, as after a restart.
func (r *rig) start(secret string) {
	r.t.Helper()
	at, err := url.Parse(r.DS.URL)
	r.Must(err)
	r.Docs, err = docsapi.New(r.t.Context(), docsapi.Docs{
		Endpoint: r.Endpoint, DB: r.DB,
		Servers: map[string]*docsapi.Server{r.DS.URL: {URL: at, Secret: docsapi.Secret(secret), Header: r.DS.Header}},
		OnError: func(what string, err error) { r.t.Log(what, err) },
	})
	r.Must(err)
	routes := mux.NewRouter().SkipClean(true).UseEncodedPath() // as the bridge has it
	r.Docs.Mount(routes)
	routes.PathPrefix("/").Handler(r.Web.Config.Handler)
	front := httptest.NewServer(routes)
	r.t.Cleanup(front.Close)
	own, err := url.Parse(front.URL)
	r.Must(err)
	r.URLs, r.Base = endpoint.URLs{Public: own, WOPI: own}, front.URL
}

// write puts a file on the upstream, as another program does.
func (r *rig) write(name, content string) idmap.Entry {
	r.t.Helper()
	r.Servers["main"].Write(r.t, strings.TrimPrefix(name, "/"), content)
	return r.At(name)
}

// read is what lies on the upstream, "" nothing.
func (r *rig) read(name string) string {
	r.t.Helper()
	text, _ := r.Servers["main"].Read(r.t, strings.TrimPrefix(name, "/"))
	return text
}

// grant mints what a page has for a person and file.
func (r *rig) grant(e idmap.Entry, who oauth.Principal, rights access.Rights) access.Grant {
	r.t.Helper()
	_, g, err := r.Tokens.Mint(r.t.Context(), access.Grant{
		File: e.ID, Space: e.Space, Upstream: "main", Principal: who, Rights: rights, Editor: r.DS.URL, Session: "session-" + who.Subject,
	})
	r.Must(err)
	return g
}

// page is what a page around the editor is made of, for a person who opens the file now.
func (r *rig) page(name string, who oauth.Principal, edit bool) docsapi.Page {
	r.t.Helper()
	e := r.At(name)
	rights := access.View
	if edit {
		rights = access.Edit
	}
	p, err := r.Docs.Open(r.t.Context(), docsapi.Opening{Grant: r.grant(e, who, rights), File: e, Edit: edit, Lang: "de-AT", Back: r.Base + "/folder/x"})
	r.Must(err)
	return p
}

// open opens the file in an editor.
func (r *rig) open(name string, who oauth.Principal) *docserver.Editor {
	r.t.Helper()
	e, err := r.DS.Open(configText(r.t, r.page(name, who, true)))
	r.Must(err)
	return e
}

func configText(t testing.TB, p docsapi.Page) []byte {
	t.Helper()
	text, err := json.Marshal(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// good demands that a callback was taken.
func (r *rig) good(told docserver.Told, err error) {
	r.t.Helper()
	if err != nil || told.HTTP != http.StatusOK || told.Answer != 0 {
		r.t.Fatalf("callback: %+v, %v", told, err)
	}
}

// bad demands that it was not.
func (r *rig) bad(told docserver.Told, err error) {
	r.t.Helper()
	if err != nil || told.Answer != 1 {
		r.t.Fatalf("callback: %+v, %v", told, err)
	}
}

// locked is the lock ID on a file, "" none.
func (r *rig) locked(e idmap.Entry) string {
	r.t.Helper()
	state, err := r.Locks.State(r.t.Context(), e.ID)
	r.Must(err)
	now, err := r.DB.Now(r.t.Context())
	r.Must(err)
	if !state.Lock.Held(now) {
		return ""
	}
	return string(state.Lock.ID)
}

// names are the files in the root folder, in order.
func (r *rig) names() []string {
	r.t.Helper()
	var list []string
	r.Must(r.Servers["main"].View(r.t).List(r.t.Context(), "/", func(res dav.Resource) error {
		list = append(list, path.Base(string(res.Path)))
		return nil
	}))
	slices.Sort(list)
	return list
}

// copyOf is the one file in the root folder besides name whose name holds word.
func (r *rig) copyOf(name, word string) string {
	r.t.Helper()
	var found []string
	for _, n := range r.names() {
		if n != name && strings.Contains(n, word) {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		r.t.Fatalf("files called %q besides %s: %v", word, name, r.names())
	}
	return found[0]
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// lockRequest is a lock of another program.
var lockRequest = davbackend.LockRequest{Owner: "Desktop", Timeout: time.Hour}

// removeFile deletes a file behind the upstream's back.
func removeFile(r *rig, name string) error {
	return os.Remove(filepath.Join(r.Servers["main"].Dir, name))
}
