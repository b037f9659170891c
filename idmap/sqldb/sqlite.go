package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	_ "modernc.org/sqlite" // registers "sqlite"
)

// The caches are small because the kernel's page cache lies right behind them:
// at most 8 MiB for the writer and 2 MiB for each of up to 8 readers.
const (
	writerPragmas = "&_txlock=immediate&_pragma=cache_size(-8192)"
	readerPragmas = "&_pragma=cache_size(-2048)&_pragma=query_only(1)"
	sharedPragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=fullfsync(1)&_pragma=checkpoint_fullfsync(1)" + // macOS: through the disk's own memory, too, as Go's Sync does
		"&_pragma=foreign_keys(1)&_pragma=journal_size_limit(67108864)"
)

func openSQLite(ctx context.Context, path string) (_ *DB, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	if err := refuseNetworkFS(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	db := &DB{kind: dialectSQLite, lock: lock, path: path}
	defer func() {
		if err != nil {
			db.abandon()
		}
	}()
	if err := ownFile(path); err != nil {
		return nil, err
	}
	if db.write, err = sql.Open("sqlite", sqliteURL(path, writerPragmas)); err != nil {
		return nil, fmt.Errorf("sqldb: opening %s: %w", path, err)
	}
	db.write.SetMaxOpenConns(1)
	if err = db.write.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("sqldb: opening %s: %w", path, err)
	}
	if db.read, err = sql.Open("sqlite", sqliteURL(path, readerPragmas)); err != nil {
		return nil, fmt.Errorf("sqldb: opening %s: %w", path, err)
	}
	readers := min(8, max(2, runtime.GOMAXPROCS(0)))
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	if err = db.read.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("sqldb: opening %s: %w", path, err)
	}
	if db.snaps, err = sql.Open("sqlite", sqliteURL(path, readerPragmas)); err != nil {
		return nil, fmt.Errorf("sqldb: opening %s: %w", path, err)
	}
	few(db.snaps)
	db.stmts = newStatements(db.kind, db.read)
	return db, nil
}

// abandon frees what a failed open had in hand.
func (db *DB) abandon() {
	for _, d := range []*sql.DB{db.read, db.snaps, db.write} {
		if d != nil {
			d.Close()
		}
	}
	if db.lock != nil {
		db.lock.release()
	}
}

// sqliteURL escapes path, so that no character of it can be taken for an option.
func sqliteURL(path, pragmas string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	return "file://" + u.EscapedPath() + "?" + sharedPragmas + pragmas
}

// ownFile makes the database file, so that SQLite does not choose its mode, and
// takes away what others could do with one that was there. SQLite gives its side
// files the same mode.
func ownFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("sqldb: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("sqldb: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("sqldb: %s is not a regular file", path)
	}
	if st.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return fmt.Errorf("sqldb: %w", err)
		}
	}
	return nil
}

// Backup writes a copy of the whole database, as it is at one point, to a new
// file with mode 0600 and makes it durable. Writers are not stopped. It returns
// an error wrapping fs.ErrExist if path is there, and errors.ErrUnsupported for
// PostgreSQL, which is backed up by its own tools (pg_dump).
func (db *DB) Backup(ctx context.Context, path string) (err error) {
	if db.kind != dialectSQLite {
		return fmt.Errorf("sqldb: PostgreSQL is backed up with pg_dump: %w", errors.ErrUnsupported)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("sqldb: backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(path)
			err = fmt.Errorf("sqldb: backup: %w", err)
		}
	}()
	// A connection of its own: the readers may not write, not even elsewhere.
	own, err := sql.Open("sqlite", sqliteURL(db.path, ""))
	if err != nil {
		return err
	}
	defer own.Close()
	if _, err := own.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Sound looks whether a SQLite file that comes from elsewhere is whole and holds nothing
// but tables: a trigger would run with our next statement. PostgreSQL looks after itself:
// nil.
func (db *DB) Sound(ctx context.Context) error {
	if db.kind != dialectSQLite {
		return nil
	}
	var said string
	if err := db.read.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return fmt.Errorf("sqldb: checking: %w", err)
	}
	if said != "ok" {
		return fmt.Errorf("sqldb: the file is damaged: %s", said)
	}
	var n int64
	if err := db.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'`).Scan(&n); err != nil {
		return fmt.Errorf("sqldb: checking: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("sqldb: the file holds %d triggers, views or the like, which are not ours", n)
	}
	return nil
}
