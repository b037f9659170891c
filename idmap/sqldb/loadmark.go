package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Marks of a load, so that it can be gone on with. They stay: who loads the same once
// more is told so.
const createLoad = `CREATE TABLE IF NOT EXISTS sqldb_load (
	one BIGINT PRIMARY KEY,
	id TEXT {{bytes}} NOT NULL,
	done BIGINT NOT NULL,
	sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sqldb_loaded (
	name TEXT {{bytes}} PRIMARY KEY,
	row_count BIGINT NOT NULL
)`

// Unfinished returns [ErrUnfinished] if a load into db was broken off: nobody may work on
// it then.
func (db *DB) Unfinished(ctx context.Context) error {
	_, done, _, err := db.loadMark(ctx)
	if err == nil && !done {
		err = ErrUnfinished
	}
	return err
}

// LoadedFrom is the name and the sum of the dump that was loaded into db; "" if it was
// not.
func (db *DB) LoadedFrom(ctx context.Context) (id, sum string, err error) {
	id, done, sum, err := db.loadMark(ctx)
	if !done {
		id = ""
	}
	return id, sum, err
}

// loadMark reads the mark; without one nothing is to be done.
func (db *DB) loadMark(ctx context.Context) (id string, done bool, sum string, err error) {
	there, err := db.has(ctx, "sqldb_load")
	if err != nil || !there {
		return "", true, "", err
	}
	err = db.Read().QueryRow(ctx, `SELECT id, done, sha256 FROM sqldb_load WHERE one = 1`).Scan(&id, &done, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return "", true, "", nil
	}
	if err != nil {
		err = fmt.Errorf("sqldb: reading what was loaded: %w", err)
	}
	return id, done, sum, err
}
