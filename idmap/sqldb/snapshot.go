package sqldb

import (
	"context"
	"database/sql"
	"fmt"
)

// Snapshot runs f with a reader all of whose queries see the same committed state,
// while others go on writing. An error of f is returned as it is. f runs once.
//
// While it runs SQLite's log cannot be cut, so it grows by what is written: minutes,
// not days. Four can run at once, and further ones wait; no other reader does. Rows are
// closed before the next query.
func (db *DB) Snapshot(ctx context.Context, f func(q Queryer) error) error {
	opts := &sql.TxOptions{}
	if db.kind == dialectPostgres {
		opts.Isolation, opts.ReadOnly = sql.LevelRepeatableRead, true
	}
	tx, err := db.snaps.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("sqldb: snapshot: %w", err)
	}
	defer tx.Rollback()
	return f(snapshot{db, tx})
}

// maxSnapshots can run at once.
const maxSnapshots = 4

// few is for the connections of snapshots, which are rare.
func few(snaps *sql.DB) {
	snaps.SetMaxOpenConns(maxSnapshots)
	snaps.SetMaxIdleConns(-1)
}

type snapshot struct {
	db *DB
	tx *sql.Tx
}

func (s snapshot) Exec(context.Context, string, ...any) (int64, error) { return 0, errReadOnly }

func (s snapshot) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.tx.QueryContext(ctx, s.db.stmts.text(query), args...)
}

func (s snapshot) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return s.tx.QueryRowContext(ctx, s.db.stmts.text(query), args...)
}
