package wire

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/files"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/textedit"
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

// The people of these tests.
var (
	anna = oauth.Principal{Issuer: "test", Subject: "anna", Name: "Anna"}
	ben  = oauth.Principal{Issuer: "test", Subject: "ben", Name: "Ben"}
)

// offices are the editors, started once for all tests of a function.
type offices map[wopi.Office]*office.Editor

var kinds = []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft, wopi.TextEditor}

func newOffices(t *testing.T) offices {
	t.Helper()
	o := offices{}
	for _, kind := range kinds[:3] {
		o[kind] = office.NewEditor(t, kind, true, "docx", "txt")
	}
	return o
}

// A house is the bridge as cmd/davwopi wires it, over one strict upstream, with a
// clock that can be set.
type house struct {
	t       testing.TB
	server  *upstream.Server
	address string // that is configured; "": that of the server's root
	wire    *wire
	offices offices
	state   string
	perUser bool            // everybody comes with a credential of their own
	noIDs   bool            // the upstream shows nothing by which a moved file is known
	quiet   bool            // no lock files are written
	blind   bool            // nor looked at
	opened  *office.Session // whose lock refresh keeps alive

	connections int           // to the upstream at once; 0 any number
	idle        time.Duration // of a request to the upstream; 0 as long as a slow machine needs

	db     *sqldb.DB
	client *davbackend.Client
	sealer *oauth.Sealer
	creds  *oauth.Credentials
	ups    *access.Upstreams
	space  idmap.SpaceID
	web    *httptest.Server
	front  atomic.Pointer[http.Handler]
	urls   endpoint.URLs

	editors *discovery.Editors

	// made anew by restart
	ids    *idmap.Map
	tokens *access.Tokens
	locks  *locks.Locks
	saves  *saves.Saves

	patience time.Duration
	whenDown saves.Policy

	mu    sync.Mutex
	ahead time.Duration // of the database's clock; guarded by mu
	lines []endpoint.Line
	heard []string

	whispered []string // what did no harm; guarded by mu
}

// newHouse builds a house over an upstream of its own. change may be nil.
func newHouse(t testing.TB, o offices, profile davbackend.Profile, change func(*house)) *house {
	t.Helper()
	h := &house{t: t, offices: o, server: upstream.Strict(t), state: t.TempDir(), db: sqldbtest.Prepared(t, "wire", tables(t)), patience: 1500 * time.Millisecond}
	h.db.SetClock(h.now)
	h.server.SetClock(h.now)
	if change != nil {
		change(h)
	}
	if h.address == "" {
		h.address = h.server.URL
	}
	base, err := url.Parse(h.address)
	h.must(err)
	inner := &http.Transport{}
	if h.connections > 0 {
		inner.MaxConnsPerHost, inner.MaxIdleConnsPerHost = h.connections, h.connections
	}
	h.wire = &wire{inner: inner, noIDs: h.noIDs}
	h.client = &davbackend.Client{Base: base, Discover: true, Transport: h.wire, Assumed: profile, Idle: cmp.Or(h.idle, 20*time.Second)}
	h.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*h.front.Load()).ServeHTTP(w, r) }))
	t.Cleanup(func() {
		h.web.Close()
		inner.CloseIdleConnections()
	})
	own, err := url.Parse(h.web.URL)
	h.must(err)
	h.urls = endpoint.URLs{Public: own, WOPI: own}
	h.findEditors()
	h.openOnce()
	h.restart()
	// The first request of all learns how to sign in.
	_, err = h.view(anna).Stat(t.Context(), dav.Root)
	h.must(err)
	return h
}

// tables makes those of all rooms that a house has.
func tables(t testing.TB) func(*sqldb.DB) error {
	return func(db *sqldb.DB) error {
		ctx := t.Context()
		sealer, err := oauth.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
		if err != nil {
			return err
		}
		_, errCredentials := oauth.NewCredentials(ctx, db, sealer)
		_, errTokens := access.NewTokens(ctx, db, sealer)
		_, errInfo := files.NewUserInfo(ctx, db)
		return errors.Join(errCredentials, errTokens, errInfo, roomsOfTime(ctx, t, db))
	}
}

func roomsOfTime(ctx context.Context, t testing.TB, db *sqldb.DB) error {
	ids, err := idmap.New(ctx, db)
	if err != nil {
		return err
	}
	book, err := locks.New(ctx, locks.Locks{DB: db, IDs: ids, Upstreams: &access.Upstreams{IDs: ids}})
	if err != nil {
		return err
	}
	_, err = saves.New(ctx, saves.Saves{Dir: filepath.Join(t.TempDir(), "saves"), DB: db, IDs: ids, Locks: book})
	return err
}

func (h *house) openOnce() {
	h.t.Helper()
	ctx := h.t.Context()
	var err error
	h.sealer, err = oauth.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	h.must(err)
	h.creds, err = oauth.NewCredentials(ctx, h.db, h.sealer)
	h.must(err)
	up := &access.Upstream{Name: "main", DisplayName: "main", Client: h.client}
	cred := h.server.Credential()
	if !h.perUser {
		up.Service = &cred
	}
	h.ups = &access.Upstreams{List: []*access.Upstream{up}, Credentials: h.creds, Sealer: h.sealer}
	for _, p := range []oauth.Principal{anna, ben} {
		h.must(h.creds.Put(ctx, p.Key(), "main", oauth.Secret(cred)))
	}
}

// restart makes the rooms anew over the same state, as the next process does.
func (h *house) restart() {
	h.t.Helper()
	ctx := h.t.Context()
	var err error
	h.ids, err = idmap.New(ctx, h.db)
	h.must(err)
	h.client.Stamp, err = h.ids.StampName(ctx)
	h.must(err)
	h.ups.IDs = h.ids
	h.space, err = h.ids.Space(ctx, "main", "")
	h.must(err)
	h.tokens, err = access.NewTokens(ctx, h.db, h.sealer)
	h.must(err)
	onError := func(what string, err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.heard = append(h.heard, what+": "+err.Error())
	}
	h.locks, err = locks.New(ctx, locks.Locks{DB: h.db, IDs: h.ids, Upstreams: h.ups, Respect: !h.blind, Announce: !h.quiet, OnError: onError, Debug: h.whisper})
	h.must(err)
	h.must(h.locks.Alone(ctx))
	h.saves, err = saves.New(ctx, saves.Saves{
		Dir: filepath.Join(h.state, "saves"), DB: h.db, IDs: h.ids, Locks: h.locks, Patience: h.patience, OnError: onError, WhenDown: h.whenDown,
	})
	h.must(err)
	h.must(h.saves.Recover(ctx))
	h.assemble()
}

func (h *house) findEditors() {
	editors := &discovery.Editors{}
	for _, kind := range kinds[:3] {
		if e := h.offices[kind]; e != nil {
			editors.List = append(editors.List, discovery.Editor{URL: e.URL})
		}
	}
	editors.List = append(editors.List, discovery.Editor{
		URL: discovery.TextEditor, Builtin: func() []byte { return textedit.Discovery(h.urls.Public) },
	})
	editors.Warm(h.t.Context())
	h.editors = editors
}

func (h *house) assemble() {
	h.t.Helper()
	ctx := h.t.Context()
	shared := &endpoint.Endpoint{
		URLs: h.urls, Tokens: h.tokens, Upstreams: h.ups, IDs: h.ids, Locks: h.locks, Saves: h.saves,
		Editors: h.editors, MaxBody: 1 << 28, Log: h.log, Now: time.Now,
		Offers: endpoint.Offers{WriteRelative: true, FileURL: true},
	}
	userInfo, err := files.NewUserInfo(ctx, h.db)
	h.must(err)
	room := &files.Files{Endpoint: shared, UserInfo: userInfo, Brand: "davwopi", RootName: func(s string) string { return s }}
	front := (&bridge.Bridge{
		Rooms: []bridge.Mounter{room, textedit.Editor{URLs: h.urls}}, Loopback: true,
		Healthy: func() error { return nil }, Log: zerolog.Nop(),
	}).Handler()
	h.front.Store(&front)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

// later sets the clocks of the bridge's database and of the upstream.
func (h *house) later(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
}

func (h *house) log(_ context.Context, l endpoint.Line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, l)
}

// forgetLines returns the log's lines, n of them, and empties it. A line is written
// after its answer.
func (h *house) forgetLines(n int) []endpoint.Line {
	h.t.Helper()
	for range 100 {
		h.mu.Lock()
		lines := h.lines
		if len(lines) >= n {
			h.lines = nil
			h.mu.Unlock()
			return lines
		}
		h.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatalf("the log has fewer than %d lines", n)
	return nil
}

// said is what failed in the background, and why operations were refused.
func (h *house) said() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := append([]string(nil), h.heard...)
	for _, l := range h.lines {
		if l.Err != nil {
			all = append(all, string(l.Operation)+": "+l.Err.Error())
		}
	}
	return all
}

func (h *house) view(p oauth.Principal) *davbackend.View {
	h.t.Helper()
	v, err := h.ups.View(context.Background(), "main", p)
	h.must(err)
	return v
}

// at is what lies at a path, with its ID.
func (h *house) at(path string) idmap.Entry {
	h.t.Helper()
	res, err := h.view(anna).Stat(h.t.Context(), dav.Path(path))
	h.must(err)
	e, err := h.ids.At(h.t.Context(), h.space, res)
	h.must(err)
	return e
}

// editor is the configured URL of an office.
func (h *house) editor(kind wopi.Office) string {
	if kind == wopi.TextEditor {
		return discovery.TextEditor
	}
	return h.offices[kind].URL
}

// open mints a token for a file, as the host page does, and gives the office's
// client with it.
func (h *house) open(e idmap.Entry, kind wopi.Office, p oauth.Principal) *office.Client {
	h.t.Helper()
	return h.openIn(e, kind, p, "session of "+p.Subject)
}

func (h *house) openIn(e idmap.Entry, kind wopi.Office, p oauth.Principal, session string) *office.Client {
	h.t.Helper()
	token, _, err := h.tokens.Mint(h.t.Context(), access.Grant{
		File: e.ID, Space: h.space, Upstream: "main", Principal: p, Session: session, Rights: access.Edit, Editor: h.editor(kind),
	})
	h.must(err)
	src := h.urls.WOPISrc(e.ID)
	if kind == wopi.TextEditor {
		return &office.Client{WOPISrc: src, AccessToken: token, Office: wopi.TextEditor, HTTP: h.web.Client()}
	}
	c := h.offices[kind].Client(src, token)
	c.HTTP = h.web.Client()
	return c
}

// settle lets everything happen that happens by itself: leases run out, the process
// starts again, the keeper and the journal have their turns.
func (h *house) settle() {
	h.t.Helper()
	for range 3 {
		h.later(90 * time.Second)
		h.restart()
		if err := h.locks.Tend(h.t.Context()); err != nil {
			h.t.Errorf("keeper: %v", err)
		}
	}
}
