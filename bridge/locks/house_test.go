package locks

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// A house is the lock book over a real upstream on the wire.
type house struct {
	t      testing.TB
	db     *sqldb.DB
	server *upstream.Server
	ids    *idmap.Map
	ups    *access.Upstreams
	space  idmap.SpaceID
	*Locks
	clock *clock
	told  *told
}

// A clock is the database's, moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// told collects what OnError hears.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (w *told) hear(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, what+": "+err.Error())
}

func (w *told) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}

const (
	docs   = "https://office.example/a"
	others = "https://office.example/b"
)

var (
	anna = Actor{Member: "grant-anna", Editor: docs, Office: wopi.Collabora, UserID: "u-anna", Name: "Anna via davwopi"}
	ben  = Actor{Member: "grant-ben", Editor: docs, Office: wopi.Collabora, UserID: "u-ben", Name: "Ben via davwopi"}
)

// elsewhere is a in another editor.
func elsewhere(a Actor) Actor {
	a.Editor = others
	return a
}

func newHouse(t testing.TB) *house { return houseOn(t, sqldbtest.New(t), upstream.Strict(t)) }

func houseOn(t testing.TB, db *sqldb.DB, server *upstream.Server) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{t: t, db: db, server: server, clock: &clock{now: time.Now()}, told: &told{}}
	db.SetClock(h.clock.read)
	var err error
	if h.ids, err = idmap.New(ctx, db); err != nil {
		t.Fatal(err)
	}
	credential := server.Credential()
	h.ups = &access.Upstreams{
		List: []*access.Upstream{{Name: "main", Client: server.Client(t), Service: &credential}},
		IDs:  h.ids,
	}
	if h.space, err = h.ids.Space(ctx, "main", ""); err != nil {
		t.Fatal(err)
	}
	h.Locks = h.restart()
	return h
}

// restart is another process on the same database and upstream.
func (h *house) restart() *Locks {
	h.t.Helper()
	l, err := New(context.Background(), Locks{DB: h.db, IDs: h.ids, Upstreams: h.ups, OnError: h.told.hear})
	if err != nil {
		h.t.Fatal(err)
	}
	l.k.patience, l.k.poll = 5*time.Second, 5*time.Millisecond
	return l
}

// perUser makes every person come with a credential of their own.
func (h *house) perUser() {
	h.t.Helper()
	sealer, err := oauth.NewSealer(make([]byte, 32))
	if err != nil {
		h.t.Fatal(err)
	}
	h.ups.Sealer = sealer
	if h.ups.Credentials, err = oauth.NewCredentials(context.Background(), h.db, sealer); err != nil {
		h.t.Fatal(err)
	}
	h.ups.List[0].Service = nil
	c := h.server.Credential()
	if err := h.ups.Credentials.Put(context.Background(), person.Key(), "main", oauth.Secret{Kind: c.Kind, User: c.User, Secret: c.Secret}); err != nil {
		h.t.Fatal(err)
	}
}

var person = oauth.Principal{Issuer: "test", Subject: "anna"}

// pin is Target.Pin of the server's user.
func (h *house) pin(ctx context.Context) ([]byte, error) { return h.ups.Pin(ctx, "main", person) }

// service makes one account serve all again.
func (h *house) service() {
	c := h.server.Credential()
	h.ups.List[0].Service = &c
}

func (h *house) view() *davbackend.View { return h.ups.List[0].Client.As(h.server.Credential()) }

// file makes a file and gives it an ID.
func (h *house) file(name, content string) idmap.FileID {
	h.t.Helper()
	h.server.Write(h.t, name, content)
	res, err := h.view().Stat(context.Background(), dav.Path("/"+name))
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := h.ids.At(context.Background(), h.space, res)
	if err != nil {
		h.t.Fatal(err)
	}
	return e.ID
}

// target is the file as a request finds it: one PROPFIND.
func (h *house) target(id idmap.FileID) Target {
	h.t.Helper()
	e, res, err := h.ids.Find(context.Background(), h.space, id, h.view())
	if err != nil {
		h.t.Fatal(err)
	}
	return Target{File: e, Seen: res, Upstream: "main", View: h.view()}
}

// davLocks is what the upstream shows.
func (h *house) davLocks(p dav.Path) []dav.ActiveLock {
	h.t.Helper()
	res, err := h.view().Stat(context.Background(), p)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.Locks
}

// foreign locks p as a stranger.
func (h *house) foreign(p dav.Path, who string) dav.LockToken {
	h.t.Helper()
	lock, _, err := h.view().Lock(context.Background(), p, davbackend.LockRequest{Owner: who, Timeout: time.Hour})
	if err != nil {
		h.t.Fatal(err)
	}
	return lock.Token
}

func (h *house) tend() {
	h.t.Helper()
	if err := h.Tend(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

// row is the raw lock row.
func (h *house) row(id idmap.FileID) *row {
	h.t.Helper()
	r, err := readRow(context.Background(), h.db.Read(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// count counts rows of a table.
func (h *house) count(table string) int {
	h.t.Helper()
	var n int
	if err := h.db.Read().QueryRow(context.Background(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// is409 demands a mismatch with that header.
func is409(t testing.TB, err error, current wopi.LockID) *MismatchError {
	t.Helper()
	var m *MismatchError
	if !errors.As(err, &m) {
		t.Fatalf("got %v, want a mismatch with X-WOPI-Lock %q", err, current)
	}
	if m.Current != current || m.Reason == "" {
		t.Fatalf("X-WOPI-Lock %q, reason %q; want %q and a reason", m.Current, m.Reason, current)
	}
	return m
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func id(s string) *wopi.LockID {
	l := wopi.LockID(s)
	return &l
}
