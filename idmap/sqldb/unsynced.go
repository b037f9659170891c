package sqldb

import (
	"context"
	"database/sql"
)

// WriteUnsynced is [DB.Write] for what only a living process needs, or what a later
// Write will make durable before anybody is promised anything. It survives the end of the
// process. A power cut may undo it, until a Write that began after it, and changed
// something, has returned nil: whatever is committed later never survives without it.
//
// On PostgreSQL it is Write: there the database may fail while the bridges live on, and one
// of them would believe in what is gone.
func (db *DB) WriteUnsynced(ctx context.Context, f func(tx Queryer) error) error {
	return db.writeUntil(ctx, f, false)
}

// begin begins a write transaction. free ends it, if it was not committed, and gives the
// connection back.
func (db *DB) begin(ctx context.Context, synced bool) (tx *sql.Tx, free func(), err error) {
	if db.kind == dialectPostgres {
		tx, err = db.write.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		return tx, func() { tx.Rollback() }, err
	}
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err = db.wait(ctx, conn, synced); err == nil {
		tx, err = conn.BeginTx(ctx, nil)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return tx, func() {
		tx.Rollback()
		conn.Close()
	}, nil
}

// wait makes commits on the writer's connection wait for the disk, or not: SQLite syncs
// its log at each commit if it is told FULL, and before it is copied into the file if it
// is told NORMAL. The log is one file, so that to sync it for one commit is to sync it for
// all before. conn is the only one there is, and nobody else has it.
func (db *DB) wait(ctx context.Context, conn *sql.Conn, synced bool) error {
	if !synced {
		if db.unsynced {
			return nil
		}
		db.unsynced = true // before it is: an error may come after the deed
		_, err := conn.ExecContext(ctx, `PRAGMA synchronous = NORMAL`)
		return err
	}
	if !db.unsynced {
		return nil
	}
	if _, err := conn.ExecContext(ctx, `PRAGMA synchronous = FULL`); err != nil {
		return err
	}
	db.unsynced = false
	return nil
}
