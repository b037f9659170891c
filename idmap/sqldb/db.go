package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrInUse: another daemon holds the SQLite file. Nothing was opened.
	ErrInUse = errors.New("sqldb: state is in use by another process")
	// ErrNewer: the database was written by a newer program. Nothing was changed.
	ErrNewer = errors.New("sqldb: state was written by a newer davwopi")
	// ErrNetworkFS: the file lies on a network file system. Nothing was opened.
	ErrNetworkFS = errors.New("sqldb: state is on a network file system")

	errReadOnly = errors.New("sqldb: Exec on the readers' side")
)

// A Queryer runs single statements. `?` stands for an argument on both databases.
//
// Errors are the driver's, unwrapped; sql.ErrNoRows comes from Row.Scan.
type Queryer interface {
	// Exec returns the number of rows that were touched.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// A DB is the open state database. Only [Open] makes one. All methods may be
// called concurrently.
type DB struct {
	kind  dialect
	write *sql.DB // SQLite: exactly one connection
	read  *sql.DB // refuses to write
	snaps *sql.DB // as read, for snapshots: they may take long
	stmts *statements
	lock  *fileLock // SQLite; nil for PostgreSQL
	path  string    // SQLite
	clock atomic.Pointer[func() time.Time]
	fault atomic.Pointer[func() error]
	twice atomic.Bool // a test wants it
	rooms sync.Map    // names of those that this process has brought up to date

	unsynced bool // commits may not wait for the disk; belongs to whoever has the writer's connection of SQLite
}

type dialect int

const (
	dialectSQLite dialect = iota + 1
	dialectPostgres
)

// Open opens the state database, making it if it does not exist.
//
// where is a path of a SQLite file, whose directory must exist, or an URL
// "postgres://...". For SQLite it returns an error wrapping [ErrInUse] if a
// daemon holds it and [ErrNetworkFS] if it is not on a local disk. PostgreSQL is
// spoken to directly or through a pooler that keeps sessions.
func Open(ctx context.Context, where string) (*DB, error) {
	if where == "" {
		return nil, errors.New("sqldb: no path or URL")
	}
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		return openPostgres(ctx, where)
	}
	return openSQLite(ctx, where)
}

// Close waits for running statements and closes all connections. The SQLite file
// is free for another daemon afterwards.
func (db *DB) Close() error {
	db.stmts.close()
	err := errors.Join(db.read.Close(), db.snaps.Close(), db.write.Close())
	if db.lock != nil {
		err = errors.Join(err, db.lock.release())
	}
	if err != nil {
		return fmt.Errorf("sqldb: closing: %w", err)
	}
	return nil
}

// Shared reports whether several bridges may use this database at once: true for
// PostgreSQL, false for SQLite.
func (db *DB) Shared() bool { return db.kind == dialectPostgres }

// Now is the database's clock, UTC, in whole milliseconds: the clock of locks and
// leases, because bridges that share a database need not agree about the time.
// For SQLite it is this machine's clock.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	if now := db.clock.Load(); now != nil {
		return (*now)().UTC().Truncate(time.Millisecond), nil
	}
	if db.kind == dialectSQLite {
		return time.Now().UTC().Truncate(time.Millisecond), nil
	}
	var ms int64
	const q = `SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)`
	if err := db.read.QueryRowContext(ctx, q).Scan(&ms); err != nil {
		return time.Time{}, fmt.Errorf("sqldb: asking the time: %w", err)
	}
	return FromMillis(ms), nil
}

// SetClock replaces the clock behind [DB.Now], for tests. nil gives the real one back.
func (db *DB) SetClock(now func() time.Time) {
	if now == nil {
		db.clock.Store(nil)
		return
	}
	db.clock.Store(&now)
}

// SetFault lets a test fail write transactions: f is asked before each one is
// committed, and if it returns an error, nothing has changed and [DB.Write] returns
// that. nil ends it.
func (db *DB) SetFault(f func() error) {
	if f == nil {
		db.fault.Store(nil)
		return
	}
	db.fault.Store(&f)
}

// SetCollisions lets a test make each write transaction collide once, as it may on
// PostgreSQL: it is carried out, taken back, and carried out again.
func (db *DB) SetCollisions(on bool) { db.twice.Store(on) }

// Millis is how a time is stored: milliseconds since 1970, and 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the inverse of [Millis], in UTC.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
