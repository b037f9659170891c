// Package rooms is a house of the WOPI endpoints for their own tests: the real rooms
// over strict upstreams, asked by plain requests.
//
// It owns how they are wired. What is right is decided by the tests that use it.
package rooms

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/containers"
	"davwopi/bridge/discovery"
	"davwopi/bridge/ecosystem"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/files"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// The people of these tests.
var (
	Anna = oauth.Principal{Issuer: "test", Subject: "anna", Name: "Anna"}
	Ben  = oauth.Principal{Issuer: "test", Subject: "ben", Name: "Ben"}
)

// A House is the rooms, over one upstream per name.
type House struct {
	*endpoint.Endpoint
	T          testing.TB
	DB         *sqldb.DB
	State      string // the state directory
	Servers    map[string]*upstream.Server
	Activities *files.Activities
	Links      map[string]idmap.FileID // by the secrets of links; set before it is asked
	Web        *httptest.Server

	mu    sync.Mutex
	ahead time.Duration // of the database's clock; guarded by mu
	lines []endpoint.Line
}

// New builds a house. change may set rules, offers and Share; the first upstream is
// called "main".
func New(t testing.TB, upstreams []string, change func(*endpoint.Endpoint)) *House {
	t.Helper()
	servers := map[string]*upstream.Server{}
	if len(upstreams) == 0 {
		upstreams = []string{"main"}
	}
	for _, name := range upstreams {
		servers[name] = upstream.Strict(t)
	}
	return Over(t, upstreams, servers, change)
}

// Over is [New] over these servers.
func Over(t testing.TB, names []string, servers map[string]*upstream.Server, change func(*endpoint.Endpoint)) *House {
	t.Helper()
	h := &House{T: t, State: t.TempDir(), Servers: servers}
	db, err := sqldb.Open(t.Context(), filepath.Join(h.State, "state.db"))
	h.Must(err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	h.DB = db
	db.SetClock(h.now)
	_, measured := t.(*testing.B)
	db.SetCollisions(!measured && !testing.Short())
	h.Endpoint = h.endpoint(names)
	h.Endpoint.Linked = h.linked
	if change != nil {
		change(h.Endpoint)
	}
	userInfo, err := files.NewUserInfo(t.Context(), db)
	h.Must(err)
	h.Activities, err = files.NewActivities(t.Context(), db)
	h.Must(err)
	folders := &containers.Containers{Endpoint: h.Endpoint}
	router := mux.NewRouter()
	for _, room := range []interface{ Mount(*mux.Router) }{
		&files.Files{Endpoint: h.Endpoint, UserInfo: userInfo, Activities: h.Activities, Brand: "davwopi", RootName: func(s string) string { return s }},
		folders,
		&ecosystem.Ecosystem{Endpoint: h.Endpoint, Info: folders.Info},
	} {
		room.Mount(router)
	}
	h.Web = httptest.NewServer(router)
	t.Cleanup(h.Web.Close)
	own, err := url.Parse(h.Web.URL)
	h.Must(err)
	h.URLs = endpoint.URLs{Public: own, WOPI: own}
	return h
}

func (h *House) endpoint(names []string) *endpoint.Endpoint {
	h.T.Helper()
	ctx := h.T.Context()
	ids, err := idmap.New(ctx, h.DB)
	h.Must(err)
	sealer, err := oauth.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	h.Must(err)
	tokens, err := access.NewTokens(ctx, h.DB, sealer)
	h.Must(err)
	ups := &access.Upstreams{IDs: ids, Sealer: sealer}
	for _, name := range names {
		credential := h.Servers[name].Credential()
		ups.List = append(ups.List, &access.Upstream{
			Name: name, DisplayName: "The " + name, Client: h.Servers[name].Client(h.T), Service: &credential,
		})
	}
	heard := func(what string, err error) { h.T.Log(what, err) }
	book, err := locks.New(ctx, locks.Locks{DB: h.DB, IDs: ids, Upstreams: ups, OnError: heard})
	h.Must(err)
	journal, err := saves.New(ctx, saves.Saves{
		Dir: filepath.Join(h.State, "saves"), DB: h.DB, IDs: ids, Locks: book, Patience: time.Second, OnError: heard,
	})
	h.Must(err)
	return &endpoint.Endpoint{
		Tokens: tokens, Upstreams: ups, IDs: ids, Locks: book, Saves: journal,
		Editors: &discovery.Editors{}, MaxBody: 1 << 20, Log: h.log, Now: time.Now,
		Offers: endpoint.Offers{WriteRelative: true, FileURL: true, Containers: true},
	}
}

func (h *House) linked(_ context.Context, secret string) (idmap.FileID, error) {
	if id, ok := h.Links[secret]; ok {
		return id, nil
	}
	return "", idmap.ErrNotFound
}

// Must ends the test on an error.
func (h *House) Must(err error) {
	h.T.Helper()
	if err != nil {
		h.T.Fatal(err)
	}
}

func (h *House) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

// Later sets the clock of the database.
func (h *House) Later(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
}

func (h *House) log(_ context.Context, l endpoint.Line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, l)
}

// Space is the one of an upstream.
func (h *House) Space(name string) idmap.SpaceID {
	h.T.Helper()
	space, err := h.Upstreams.Space(h.T.Context(), name, Anna)
	h.Must(err)
	return space
}

// At is what lies at a path of "main", with its ID.
func (h *House) At(path string) idmap.Entry {
	h.T.Helper()
	return h.On("main", path)
}

// On is [House.At] for another upstream.
func (h *House) On(name, path string) idmap.Entry {
	h.T.Helper()
	res, err := h.Servers[name].View(h.T).Stat(h.T.Context(), dav.Path(path))
	h.Must(err)
	e, err := h.IDs.At(h.T.Context(), h.Space(name), res)
	h.Must(err)
	return e
}

// Open mints a token for a file or container of "main"; the zero values of g are
// filled in. It returns the address with the token.
func (h *House) Open(e idmap.Entry, g access.Grant) string {
	h.T.Helper()
	g.File = e.ID
	if g.Space == 0 {
		g.Space = e.Space
	}
	if g.Upstream == "" {
		g.Upstream = "main"
	}
	if g.Principal.Subject == "" {
		g.Principal = Anna
	}
	if g.Rights == 0 {
		g.Rights = access.Edit
	}
	token, _, err := h.Tokens.Mint(h.T.Context(), g)
	h.Must(err)
	address := h.URLs.WOPISrc(e.ID)
	if e.Kind == idmap.Container {
		address = h.URLs.ContainerSrc(e.ID)
	}
	return endpoint.WithToken(address, token)
}

// An Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Broken error // the answer broke off
}

// Into decodes the body, which must be the answer to a success.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if a.Status != http.StatusOK || a.Broken != nil {
		t.Fatalf("status %d (%v): %v %.300s", a.Status, a.Broken, a.Header, a.Body)
	}
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatalf("%v: %.300s", err, a.Body)
	}
}

// Get asks for an address; suffix is put before its query.
func (h *House) Get(address, suffix string, headers ...string) Answer {
	h.T.Helper()
	return h.send(http.MethodGet, with(address, suffix), "", headers)
}

// Post sends an override, further headers in pairs, and a body.
func (h *House) Post(address, override, body string, headers ...string) Answer {
	h.T.Helper()
	return h.send(http.MethodPost, address, body, append([]string{wopi.HeaderOverride, override}, headers...))
}

// with puts a suffix before the query of an address, as WOPI clients do.
func with(address, suffix string) string {
	if suffix == "" {
		return address
	}
	return strings.Replace(address, "?", "/"+suffix+"?", 1)
}

func (h *House) send(method, address, body string, headers []string) Answer {
	h.T.Helper()
	request, err := http.NewRequestWithContext(h.T.Context(), method, address, strings.NewReader(body))
	h.Must(err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := h.Web.Client().Do(request)
	h.Must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, string(text), err}
}

// StateSum is the hash of the state database's files: equal if nothing was written.
func (h *House) StateSum() [32]byte {
	h.T.Helper()
	sum := sha256.New()
	for _, name := range []string{"state.db", "state.db-wal"} {
		b, err := os.ReadFile(filepath.Join(h.State, name))
		if err != nil && !os.IsNotExist(err) {
			h.T.Fatal(err)
		}
		sum.Write(b)
	}
	return [32]byte(sum.Sum(nil))
}
