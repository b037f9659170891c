package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	retryFor       = 15 * time.Second       // a write transaction on PostgreSQL that collides is tried again
	maxUniqueTries = 3                      // of one that ended in a unique violation
	firstPause     = 2 * time.Millisecond   // doubled with every try, with jitter
	longestPause   = 200 * time.Millisecond // between two tries
)

// Read returns the readers' side: each query sees the last committed state by
// itself, and never waits for a writer. Exec on it is an error, and so is a
// query that writes.
func (db *DB) Read() Queryer { return reader{db} }

type reader struct{ db *DB }

func (r reader) Exec(context.Context, string, ...any) (int64, error) { return 0, errReadOnly }

func (r reader) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if st := r.db.stmts.reader(ctx, query); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return r.db.read.QueryContext(ctx, r.db.stmts.text(query), args...)
}

func (r reader) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if s := r.db.read.Stats(); s.InUse < s.MaxOpenConnections {
		ctx = r.db.brief(ctx) // else it has to wait for a connection, and whoever waits may be called off
	}
	if st := r.db.stmts.reader(ctx, query); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return r.db.read.QueryRowContext(ctx, r.db.stmts.text(query), args...)
}

// Write runs f in one write transaction and commits it if f returns nil; any
// error of f is returned as it is, and nothing has changed then. When Write
// returns nil, the change survives a power cut.
//
// Transactions are serializable. On SQLite f waits for its turn (BEGIN
// IMMEDIATE); on PostgreSQL f runs again when it collided with another
// transaction, for at most 15 seconds: then the error is one of [IsUnavailable]. See the
// rules in the package comment.
func (db *DB) Write(ctx context.Context, f func(tx Queryer) error) error {
	return db.writeUntil(ctx, f, true)
}

// writeUntil tries until it is committed, or there is no use in it.
func (db *DB) writeUntil(ctx context.Context, f func(tx Queryer) error, synced bool) error {
	if db.twice.Load() {
		db.inVain(ctx, f)
	}
	pause, begin := firstPause, time.Now()
	for try := 1; ; try++ {
		failed, err := db.writeOnce(ctx, f, synced)
		if err == nil {
			return nil
		}
		if db.kind != dialectPostgres || !again(err, failed, try, time.Since(begin)) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, longestPause)
	}
}

// inVain is a try that comes to nothing.
func (db *DB) inVain(ctx context.Context, f func(tx Queryer) error) {
	tx, free, err := db.begin(ctx, true)
	if err != nil {
		return
	}
	defer free()
	_ = f(&writer{db: db, tx: tx}) // the next try says it
}

// writeOnce is one try. failed is the last error of a statement, which f may
// have hidden.
func (db *DB) writeOnce(ctx context.Context, f func(tx Queryer) error, synced bool) (failed, err error) {
	w := &writer{db: db}
	defer func() {
		for _, query := range w.unknown { // once the connection is free
			db.stmts.prepareWriter(ctx, db.write, query)
		}
	}()
	tx, free, err := db.begin(ctx, synced)
	if err != nil {
		return nil, fmt.Errorf("sqldb: begin: %w", err)
	}
	defer free() // no effect after a commit; frees the writer if f panics
	w.tx = tx
	if err := f(w); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			err = fmt.Errorf("sqldb: %w", ctx.Err())
		}
		return w.failed, err
	}
	if fault := db.fault.Load(); fault != nil {
		if err := (*fault)(); err != nil {
			return w.failed, err
		}
	}
	if err := tx.Commit(); err != nil {
		return w.failed, fmt.Errorf("sqldb: commit: %w", err)
	}
	return nil, nil
}

// again reports whether a transaction that ended with err deserves another try.
// PostgreSQL may report a collision as a unique violation, but a violation may
// also be real, so these get fewer tries.
func again(err, failed error, try int, since time.Duration) bool {
	for _, e := range []error{err, failed} {
		var pe *pgconn.PgError
		if !errors.As(e, &pe) {
			continue
		}
		switch pe.Code {
		case "40001", "40P01": // serialization_failure, deadlock_detected
			return since < retryFor
		case "23505", "42P07", "42710": // unique_violation, duplicate_table, duplicate_object (the table's row type)
			return try < maxUniqueTries
		}
	}
	return false
}

// IsFull reports whether err says that the database has no room for more.
func IsFull(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code == "53100" // disk_full
	}
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_FULL
}

// brief is ctx for a statement of SQLite that is over in an instant: to watch for the end
// of a context takes two goroutines, which cost as much as a look-up by key. One that has
// ended stays, so that the error says so; and a transaction ends with its own.
func (db *DB) brief(ctx context.Context) context.Context {
	if db.kind != dialectSQLite || ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// A writer is one write transaction. Like the transaction it is used by one
// goroutine at a time.
type writer struct {
	db     *DB
	tx     *sql.Tx
	failed error

	own     map[string]*sql.Stmt // SQLite: prepared for this transaction
	unknown []string             // SQLite: queries that this connection has not seen before
}

func (w *writer) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	var r sql.Result
	var err error
	ctx = w.db.brief(ctx)
	if st := w.prepared(ctx, query); st != nil {
		r, err = st.ExecContext(ctx, args...)
	} else {
		r, err = w.tx.ExecContext(ctx, w.db.stmts.text(query), args...)
	}
	if err != nil {
		return 0, w.note(err)
	}
	return r.RowsAffected()
}

// Query is never prepared: its rows may still be open when the same text is
// asked for again.
func (w *writer) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := w.tx.QueryContext(ctx, w.db.stmts.text(query), args...)
	return rows, w.note(err)
}

func (w *writer) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	var row *sql.Row
	ctx = w.db.brief(ctx)
	if st := w.prepared(ctx, query); st != nil {
		row = st.QueryRowContext(ctx, args...)
	} else {
		row = w.tx.QueryRowContext(ctx, w.db.stmts.text(query), args...)
	}
	w.note(row.Err())
	return row
}

// prepared is query as it was prepared for the writer's connection, once and for all:
// parsing costs SQLite more than most statements do. One that is new is prepared for this
// transaction only, because the connection is not free for more before its end.
func (w *writer) prepared(ctx context.Context, query string) *sql.Stmt {
	if w.db.kind != dialectSQLite {
		return nil
	}
	if st := w.own[query]; st != nil {
		return st
	}
	if len(w.own) >= maxStatements {
		return nil
	}
	var st *sql.Stmt
	if kept := w.db.stmts.writer(query); kept != nil {
		st = w.tx.StmtContext(ctx, kept)
	} else {
		var err error
		if st, err = w.tx.PrepareContext(ctx, query); err != nil {
			return nil
		}
		w.unknown = append(w.unknown, query)
	}
	if w.own == nil {
		w.own = map[string]*sql.Stmt{}
	}
	w.own[query] = st
	return st
}

func (w *writer) note(err error) error {
	if err != nil {
		w.failed = err
	}
	return err
}
