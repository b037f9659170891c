package saves

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"))
}

// A rig is a journal over a server that can be made to misbehave.
type rig struct {
	t      *testing.T
	db     *sqldb.DB
	server *upstream.Server
	cloud  *upstream.Cloud // behind server, if it is one
	chunk  int64           // bytes

	inDatabase bool // of every journal that is made from now on
	client     *davbackend.Client
	ids        *idmap.Map
	locks      *locks.Locks
	saves      *Saves
	space      idmap.SpaceID
	view       *davbackend.View
	wire       *wire
	pins       map[string]func(context.Context) ([]byte, error) // by user; nil: one account for all
	binds      func(*upstream.Quirks)                           // see bindLocks; nil: locks are nobody's

	mu    sync.Mutex
	now   time.Time // guarded by mu
	heard []string  // guarded by mu; what OnError was told
}

func newRig(t *testing.T, server *upstream.Server, profile davbackend.Profile) *rig {
	t.Helper()
	return newRigOn(t, sqldbtest.Prepared(t, "saves", tables(t)), server, profile)
}

// tables makes those of all rooms that a rig has.
func tables(t *testing.T) func(*sqldb.DB) error {
	return func(db *sqldb.DB) error {
		ids, err := idmap.New(t.Context(), db)
		if err != nil {
			return err
		}
		book, err := locks.New(t.Context(), locks.Locks{DB: db, IDs: ids, Upstreams: &access.Upstreams{IDs: ids}})
		if err != nil {
			return err
		}
		_, err = New(t.Context(), Saves{Dir: t.TempDir(), DB: db, IDs: ids, Locks: book})
		return err
	}
}

func newRigOn(t *testing.T, db *sqldb.DB, server *upstream.Server, profile davbackend.Profile) *rig {
	t.Helper()
	g := &rig{t: t, server: server, db: db, chunk: 30_000, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	g.db.SetClock(func() time.Time {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.now
	})
	ctx := t.Context()
	var err error
	if g.ids, err = idmap.New(ctx, g.db); err != nil {
		t.Fatal(err)
	}
	g.client = server.Client(t)
	g.wire = newWire()
	g.client.Assumed, g.client.Transport = profile, g.wire
	cred := server.Credential()
	g.view = g.client.As(cred)
	sealer, err := oauth.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	ups := &access.Upstreams{
		List:   []*access.Upstream{{Name: "main", Client: g.client, Service: &cred}},
		IDs:    g.ids,
		Sealer: sealer,
	}
	if g.locks, err = locks.New(ctx, locks.Locks{DB: g.db, IDs: g.ids, Upstreams: ups, OnError: g.onError}); err != nil {
		t.Fatal(err)
	}
	if g.space, err = g.ids.Space(ctx, "main", ""); err != nil {
		t.Fatal(err)
	}
	g.saves = g.journal(t.TempDir(), nil)
	return g
}

// journal makes a journal over dir: the next process, after a crash.
func (g *rig) journal(dir string, change func(*Saves)) *Saves {
	g.t.Helper()
	var waited atomic.Int64 // patience is spent on pauses only, however slow the machine
	s := Saves{
		Dir: dir, InDatabase: g.inDatabase, DB: g.db, IDs: g.ids, Locks: g.locks, Patience: 5 * time.Second, OnError: g.onError,
		pause: func(ctx context.Context, d time.Duration) error {
			waited.Add(int64(d))
			return sleep(ctx, time.Millisecond)
		},
		clock: func() time.Time { return time.Unix(0, waited.Load()) },
		chunk: g.chunk,
	}
	if change != nil {
		change(&s)
	}
	made, err := New(g.t.Context(), s)
	if err != nil {
		g.t.Fatal(err)
	}
	return made
}

func (g *rig) onError(what string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard = append(g.heard, what+": "+err.Error())
}

func (g *rig) later(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// die makes the next request's process die at step, and gives the journal that
// the process after it has, when the lease of the dead one has run out.
func (g *rig) die(step string) {
	g.saves.crash = func(s string) error {
		if s == step {
			return errCrash
		}
		return nil
	}
}

func (g *rig) restart() {
	g.t.Helper()
	g.later(2 * time.Minute)
	g.saves = g.journal(g.saves.Dir, nil)
}

func (g *rig) recover() {
	g.t.Helper()
	if err := g.saves.Recover(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// An opened is a file that an editor has open.
type opened struct {
	g      *rig
	target locks.Target
	actor  locks.Actor
	id     wopi.LockID
	stamp  string // the LastModified that the editor knows
}

func (g *rig) target(name string) locks.Target {
	g.t.Helper()
	res, err := g.view.Stat(g.t.Context(), dav.Path("/"+name))
	if err != nil {
		g.t.Fatal(err)
	}
	e, err := g.ids.At(g.t.Context(), g.space, res)
	if err != nil {
		g.t.Fatal(err)
	}
	return locks.Target{File: e, Upstream: "main", View: g.view, Pin: g.pins["ann"]}
}

// open does what an editor does: GetFile and Lock.
func (g *rig) open(name string, office wopi.Office) *opened {
	g.t.Helper()
	o := &opened{g: g, target: g.target(name), id: wopi.LockID("lock of " + office.String()), actor: locks.Actor{
		Member: "grant-" + office.String(), Editor: "https://" + office.String() + ".example", Office: office, UserID: "ann", Name: "Ann via davwopi",
	}}
	o.lock()
	return o
}

func (o *opened) lock() {
	o.g.t.Helper()
	ctx := o.g.t.Context()
	if err := o.g.locks.Read(ctx, o.target.File.ID, o.actor, o.target.File.Revision.Number); err != nil {
		o.g.t.Fatal(err)
	}
	if err := o.g.locks.Lock(ctx, o.target, o.actor, o.id); err != nil {
		o.g.t.Fatal(err)
	}
	o.stamp = o.target.File.Revision.LastModified
}

// put is one PutFile of an editor that behaves: with its lock ID and, where the
// editor sends one, its timestamp.
func (o *opened) put(body string) (idmap.Revision, error) {
	return o.putWith(body, nil)
}

func (o *opened) putWith(body string, change func(*Put)) (idmap.Revision, error) {
	p := Put{Lock: &o.id, Body: strings.NewReader(body), Length: int64(len(body)), Writer: "Ann"}
	if o.actor.Office == wopi.Collabora || o.actor.Office == wopi.OnlyOffice {
		p.Timestamp = o.stamp
	}
	if change != nil {
		change(&p)
	}
	rev, err := o.g.saves.Put(o.g.t.Context(), o.target, o.actor, p)
	var c *ConflictError
	switch {
	case err == nil:
		o.stamp = rev.LastModified
	case errors.As(err, &c) && c.Diverted:
		o.stamp = c.Revision.LastModified
	}
	return rev, err
}

func (o *opened) mustPut(body string) idmap.Revision {
	o.g.t.Helper()
	rev, err := o.put(body)
	if err != nil {
		o.g.t.Fatalf("PutFile: %v", err)
	}
	return rev
}

// on reads a file behind the server; "" and false if it is not there.
func (g *rig) on(name string) (string, bool) { g.t.Helper(); return g.server.Read(g.t, name) }

func (g *rig) wantOn(name, want string) {
	g.t.Helper()
	if got, ok := g.on(name); !ok || got != want {
		g.t.Errorf("%s holds %q (there: %v), want %q", name, got, ok, want)
	}
}

// names are the files in the folder, sorted.
func (g *rig) names() []string {
	g.t.Helper()
	all, err := os.ReadDir(g.server.Dir)
	if err != nil {
		g.t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".davwopi-tmp") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// temps are our temporary files on the upstream.
func (g *rig) temps() []string {
	g.t.Helper()
	left := slices.DeleteFunc(g.names(), func(n string) bool { return !strings.HasPrefix(n, tempPrefix) })
	if g.cloud != nil {
		left = append(left, g.cloud.Uploads()...)
	}
	return left
}

func (g *rig) wantNoTemps() {
	g.t.Helper()
	if left := g.temps(); len(left) > 0 {
		g.t.Errorf("temporary files are left: %v", left)
	}
}

// nowhere checks the room's promise: want is at the target, in a copy beside it or
// in the journal.
func (g *rig) somewhere(want string) {
	g.t.Helper()
	for _, n := range g.names() {
		if got, _ := g.on(n); got == want && !strings.HasPrefix(n, tempPrefix) {
			return
		}
	}
	if len(g.inJournal(want)) == 0 {
		g.t.Errorf("the bytes %.20q are nowhere", want)
	}
}

// inJournal returns the entries that hold want.
func (g *rig) inJournal(want string) []Entry {
	g.t.Helper()
	list, err := g.saves.List(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	var found []Entry
	for _, e := range list {
		body, _, err := g.saves.Open(g.t.Context(), e.ID)
		if err != nil {
			continue
		}
		got, err := io.ReadAll(body)
		body.Close()
		if err == nil && string(got) == want {
			found = append(found, e)
		}
	}
	return found
}

func (g *rig) wantState(want string, states ...string) {
	g.t.Helper()
	var got []string
	for _, e := range g.inJournal(want) {
		got = append(got, e.State)
	}
	slices.Sort(got)
	if !slices.Equal(got, states) {
		g.t.Errorf("the journal holds %.20q as %v, want %v", want, got, states)
	}
}

func (g *rig) spoolFiles() []string {
	g.t.Helper()
	all, err := filepath.Glob(filepath.Join(g.saves.Dir, "*"+spoolSuffix))
	if err != nil {
		g.t.Fatal(err)
	}
	return all
}

func keptEntry(t *testing.T, err error) *KeptError {
	t.Helper()
	var k *KeptError
	if !errors.As(err, &k) {
		t.Fatalf("error is %v, want a KeptError", err)
	}
	return k
}

func conflictOf(t *testing.T, err error) *ConflictError {
	t.Helper()
	var c *ConflictError
	if !errors.As(err, &c) {
		t.Fatalf("error is %v, want a ConflictError", err)
	}
	return c
}

// letters is a body of n bytes that no piece of looks like another.
func letters(n int) string {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		b.WriteString(time.Duration(i).String())
	}
	return b.String()[:n]
}
