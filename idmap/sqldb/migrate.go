package sqldb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

const createSteps = `CREATE TABLE IF NOT EXISTS sqldb_step (
	room TEXT {{bytes}} NOT NULL,
	step BIGINT NOT NULL,
	done BIGINT NOT NULL,
	PRIMARY KEY (room, step))`

// Migrate brings the tables of room up to date. statements[i] is step i+1; each
// step is run once ever, in a transaction of its own, while other bridges wait.
// A step that fails leaves the database as it was before that step. If the
// database has seen more steps than there are statements, Migrate returns an
// error wrapping [ErrNewer] and changes nothing.
//
// A step may hold several statements separated by semicolons. It uses the types
// TEXT and BIGINT, and the words {{blob}}, {{serial}} (an automatic BIGINT
// primary key) and, after TEXT, {{bytes}} (compared byte by byte).
//
// A step that was released is never edited; a correction is another step.
func (db *DB) Migrate(ctx context.Context, room string, statements []string) error {
	err := db.Write(ctx, func(tx Queryer) error {
		_, err := tx.Exec(ctx, db.kind.expand(createSteps))
		return err
	})
	if err != nil {
		return fmt.Errorf("sqldb: migrating %s: %w", room, err)
	}
	for done := -1; done < len(statements); {
		err := db.Write(ctx, func(tx Queryer) error {
			var err error
			done, err = db.step(ctx, tx, room, statements)
			return err
		})
		if err != nil {
			return fmt.Errorf("sqldb: migrating %s: %w", room, err)
		}
	}
	return nil
}

// step runs the next step of room, if there is one, and returns how many are
// done now.
func (db *DB) step(ctx context.Context, tx Queryer, room string, statements []string) (int, error) {
	if db.kind == dialectPostgres {
		// Must come first: the transaction's view of the database begins with
		// the statement after it.
		if _, err := tx.Exec(ctx, `LOCK TABLE sqldb_step IN EXCLUSIVE MODE`); err != nil {
			return 0, err
		}
	}
	var done int
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(step), 0) FROM sqldb_step WHERE room = ?`, room).Scan(&done); err != nil {
		return 0, err
	}
	if done > len(statements) {
		return 0, fmt.Errorf("%w: it knows %d steps, the database has %d", ErrNewer, len(statements), done)
	}
	if done == len(statements) {
		return done, nil
	}
	if err := db.script(ctx, tx, db.kind.expand(statements[done])); err != nil {
		return 0, fmt.Errorf("step %d: %w", done+1, err)
	}
	now, err := db.Now(ctx)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO sqldb_step (room, step, done) VALUES (?, ?, ?)`, room, done+1, Millis(now))
	return done + 1, err
}

// script runs statements separated by semicolons.
func (db *DB) script(ctx context.Context, tx Queryer, text string) error {
	w := tx.(*writer)
	var args []any
	if db.kind == dialectPostgres {
		args = append(args, pgx.QueryExecModeSimpleProtocol) // the other modes allow one statement
	}
	_, err := w.tx.ExecContext(ctx, text, args...)
	return w.note(err)
}
