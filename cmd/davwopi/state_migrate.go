package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/config"
	"davwopi/davbackend/profile"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// movedDir is where the SQLite state goes once PostgreSQL has all of it.
const movedDir = "migrated-" // and the time

var errMoved = errors.New("this state was moved to PostgreSQL by davwopi state migrate: set state.url again, or, to begin with a new state, use another state.dir")

// A migration moves the state in a directory to PostgreSQL, with every ID, lock, session
// and waiting save:
//
//  1. no daemon runs on either side, and none can be started on the directory
//  2. the tables of both sides are brought up to date
//  3. rows are copied in small transactions, the journal's files as if they were rows;
//     a daemon that is started on the database refuses it from here to the end of 4
//  4. every table is read again and compared
//  5. state.db and the files that were copied are moved aside
//
// Whoever calls it after a crash goes on where it was.
type migration struct {
	state  string // directory
	target string // URL
	volume string // saves.dir
	again  bool
	now    time.Time
	told   *carryProgress
	step   func(s string) error // where a test lets the process die; may be nil
}

// A migrated says what was moved.
type migrated struct {
	sqldb.Loaded
	Files   int
	Bytes   int64
	Left    []string
	Already bool // the database had it all, only step 5 was missing
	Aside   string
}

func (k *call) migrate(ctx context.Context, c *config.Config, again bool) error {
	if !c.State.Shared() {
		return errors.New("set state.url to the PostgreSQL database first, in the configuration that davwopi is to be started with afterwards")
	}
	target, err := databaseOf(c)
	if err != nil {
		return err
	}
	told := &carryProgress{w: k.stderr}
	m := &migration{state: c.State.Dir, target: target, volume: c.Saves.Dir, again: again, now: time.Now(), told: told}
	done, err := m.run(ctx)
	told.end()
	if err != nil {
		return withAdvice(err)
	}
	if done.Already {
		fmt.Fprintln(k.stdout, "the database had all of it already")
	} else {
		fmt.Fprintf(k.stdout, "%d rows of %d tables are in the database, %s of the save journal (%s) with them; all were read again and compared\n",
			done.Rows, done.Tables, countFiles(done.Files), inBytes(done.Bytes))
	}
	sayLeft(k.stdout, done.Left)
	fmt.Fprintf(k.stdout, "The SQLite state is in %s now, and not used any more.\nStart davwopi with this configuration. Other bridges need the same state.url and secret key, a state.dir each, and replicas: true.\n", done.Aside)
	return nil
}

func sayLeft(w io.Writer, left []string) {
	for _, id := range left {
		fmt.Fprintf(w, "entry %s of the save journal has lost its bytes; nobody was told that they are safe. It was left out\n", id)
	}
}

// withAdvice says what to do about an error of a load.
func withAdvice(err error) error {
	switch {
	case errors.Is(err, sqldb.ErrNotEmpty):
		return fmt.Errorf("%w: a new database is needed, which no davwopi was ever started on", err)
	case errors.Is(err, sqldb.ErrDiffers):
		return fmt.Errorf("%w; it was changed meanwhile: begin anew with -again", err)
	case errors.Is(err, sqldb.ErrUnfinished):
		return fmt.Errorf("%w: go on with that, or begin anew with -again", err)
	}
	return err
}

func (m *migration) at(step string) error {
	if m.step == nil {
		return nil
	}
	return m.step(step)
}

func (m *migration) run(ctx context.Context) (done migrated, err error) {
	release, err := sqldb.Hold(filepath.Join(m.state, "daemon"))
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := settleRestore(m.state, m.now); err != nil {
		return done, err
	}
	source := filepath.Join(m.state, "state.db")
	to, err := openTarget(ctx, m.target, m.state)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	switch _, err := os.Stat(source); {
	case err == nil:
		if done, err = m.copyFrom(ctx, source, to); err != nil {
			return done, err
		}
	case !m.moved(ctx, to):
		return done, fmt.Errorf("there is no SQLite state to move: %w", err)
	default:
		done.Already = true
	}
	if err := m.at("copied"); err != nil {
		return done, err
	}
	done.Aside, err = m.aside(ctx, to)
	return done, err
}

// name is how the dump of this directory is called in the database.
func (m *migration) name() (string, error) {
	name, err := saves.JournalName(journalOf(m.state))
	return "state directory " + name, err
}

// moved reports whether to has the state of this directory, which is aside already.
func (m *migration) moved(ctx context.Context, to *sqldb.DB) bool {
	name, err := m.name()
	if err != nil {
		return false
	}
	id, _, err := to.LoadedFrom(ctx)
	return err == nil && id == name && notMoved(m.state) != nil
}

func (m *migration) copyFrom(ctx context.Context, source string, to *sqldb.DB) (done migrated, err error) {
	from, err := openDatabase(ctx, source)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	return m.copy(ctx, from, to)
}

// copy is steps 2 to 4.
func (m *migration) copy(ctx context.Context, from, to *sqldb.DB) (done migrated, err error) {
	if err := makeTables(ctx, from); err != nil {
		return done, err
	}
	if err := alone(ctx, from); err != nil {
		return done, err
	}
	carrier, err := saves.NewCarrier(ctx, from, journalOf(m.state), m.volume)
	if err != nil {
		return done, err
	}
	done.Files, done.Bytes, done.Left = carrier.Files, carrier.Bytes, carrier.Left
	name, err := m.name()
	if err != nil {
		return done, err
	}
	dump := &sqldb.Dump{DB: from, ID: name, Skip: notCarried(), Change: carrier.Change, More: carrier.More}
	if id, sum, err := to.LoadedFrom(ctx); err != nil {
		return done, err
	} else if id == name {
		same, err := dump.Write(ctx, io.Discard)
		if done.Already = same == sum; err != nil || done.Already {
			return done, err
		}
	}
	load := &sqldb.Load{DB: to, Skip: notCarried(), Made: madeByOpening(), Again: m.again, Progress: m.told.show,
		Last: func(context.Context) error { return m.at("compared") }}
	done.Loaded, err = pipe(ctx, dump, load, m.at)
	return done, err
}

// pipe loads what dump writes.
func pipe(ctx context.Context, dump *sqldb.Dump, load *sqldb.Load, at func(string) error) (sqldb.Loaded, error) {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		_, err := dump.Write(ctx, w)
		written <- err
		w.CloseWithError(err)
	}()
	done, err := load.Read(ctx, &countedReader{r: r, at: at})
	r.CloseWithError(errors.New("nobody reads it any more"))
	if said := <-written; said != nil && err != nil && !errors.Is(err, sqldb.ErrBadDump) {
		return done, err
	} else if said != nil {
		return done, said // the dump's own words say more
	}
	return done, err
}

// A countedReader asks at after each MiB.
type countedReader struct {
	r    io.Reader
	n, m int64
	at   func(string) error
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n>>20 > c.m && err == nil {
		c.m = c.n >> 20
		err = c.at(fmt.Sprintf("%d MiB", c.m))
	}
	return n, err
}

// alone ends what processes had in hand that are gone: the database is this one's.
func alone(ctx context.Context, db *sqldb.DB) error {
	for _, room := range []func(context.Context) error{
		(&locks.Locks{DB: db}).Alone,
		(&idmap.Walk{Map: &idmap.Map{DB: db}}).Alone,
		func(ctx context.Context) error {
			p, err := profile.New(ctx, db)
			if err != nil {
				return err
			}
			return p.Alone(ctx)
		},
	} {
		if err := room(ctx); err != nil {
			return err
		}
	}
	return nil
}

// openTarget opens a database into which a state is loaded, and makes its tables. No
// bridge may be alive on it.
func openTarget(ctx context.Context, where, state string) (*sqldb.DB, error) {
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	err = makeTables(ctx, db)
	if err == nil {
		err = nobodyElse(ctx, db, journalOf(state))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// nobodyElse refuses a shared database on which bridges work.
func nobodyElse(ctx context.Context, db *sqldb.DB, journal string) error {
	if !db.Shared() {
		return nil
	}
	busy, err := saves.Busy(ctx, db, journal)
	if err == nil && busy {
		err = errors.New("a davwopi works on this database, or did within the last 20 seconds: stop all of them first")
	}
	return err
}

// aside is step 5: the database, which is the sign that the state is here, before the
// files. Nothing is removed: it is for the operator to say when.
func (m *migration) aside(ctx context.Context, to *sqldb.DB) (folder string, err error) {
	release, err := sqldb.Hold(filepath.Join(m.state, "state.db"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	folder = filepath.Join(m.state, movedDir+m.now.UTC().Format("20060102-150405"))
	if before, _ := filepath.Glob(filepath.Join(m.state, movedDir+"*", "state.db")); len(before) > 0 && notMoved(m.state) != nil {
		folder = filepath.Dir(before[len(before)-1]) // after a crash
	}
	if err := os.MkdirAll(filepath.Join(folder, "saves"), 0o700); err != nil {
		return "", err
	}
	names := []string{"state.db-wal", "state.db-shm", "state.db"}
	needless, err := saves.Needless(ctx, to, journalOf(m.state))
	if err != nil {
		return "", err
	}
	for _, name := range needless {
		names = append(names, filepath.Join("saves", name))
	}
	for _, name := range names {
		err := os.Rename(filepath.Join(m.state, name), filepath.Join(folder, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err := m.at("aside " + name); err != nil {
			return "", err
		}
	}
	return folder, errors.Join(syncPath(folder), syncPath(m.state))
}

// notMoved refuses to begin a new SQLite state where an old one was moved away.
func notMoved(state string) error {
	if _, err := os.Stat(filepath.Join(state, "state.db")); err == nil {
		return nil
	}
	if left, _ := filepath.Glob(filepath.Join(state, movedDir+"*", "state.db")); len(left) > 0 {
		return fmt.Errorf("%w (it lies in %s)", errMoved, filepath.Dir(left[0]))
	}
	return nil
}
