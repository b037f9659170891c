package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const createSteps = `CREATE TABLE IF NOT EXISTS sqldb_step (
	room TEXT {{bytes}} NOT NULL,
	step BIGINT NOT NULL,
	done BIGINT NOT NULL,
	PRIMARY KEY (room, step));
	CREATE TABLE IF NOT EXISTS sqldb_turn (one BIGINT PRIMARY KEY, taken BIGINT NOT NULL);
	INSERT INTO sqldb_turn (one, taken) VALUES (1, 0) ON CONFLICT (one) DO NOTHING`

// A room waits for its turn to migrate for so long: another bridge may be making an index
// on a large table.
const (
	migrateWait  = 15 * time.Minute
	migratePause = 500 * time.Millisecond
)

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
	db.rooms.Store(room, true)
	steps, err := db.Steps(ctx)
	if err == nil && steps[room] > len(statements) {
		err = newer(len(statements), steps[room])
	}
	if err == nil && steps[room] < len(statements) {
		err = db.migrate(ctx, room, statements)
	}
	if err != nil {
		return fmt.Errorf("sqldb: migrating %s: %w", room, err)
	}
	return nil
}

// migrate makes the steps that are missing, one after the other, each when it is this
// bridge's turn.
func (db *DB) migrate(ctx context.Context, room string, statements []string) error {
	deadline := time.Now().Add(migrateWait)
	made, done := false, -1
	for done < len(statements) {
		err := db.Write(ctx, func(tx Queryer) (err error) {
			if !made {
				return db.script(ctx, tx, db.kind.expand(createSteps))
			}
			done, err = db.step(ctx, tx, room, statements)
			return err
		})
		switch {
		case err == nil:
			made = true
			continue
		case !othersTurn(err) || time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(migratePause):
		}
	}
	return nil
}

// othersTurn reports whether err says that another bridge works on the same rows.
func othersTurn(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01" || pe.Code == "55P03") // or the lock was not had in time
}

func newer(knows, has int) error {
	return fmt.Errorf("%w: it knows %d steps, the database has %d", ErrNewer, knows, has)
}

// step runs the next step of room, if there is one, and returns how many are
// done now.
func (db *DB) step(ctx context.Context, tx Queryer, room string, statements []string) (int, error) {
	if db.kind == dialectPostgres {
		// A row that everybody must change who migrates: the others wait for it, and begin
		// anew. (LOCK TABLE would do, but not every database has it that speaks this protocol.)
		if _, err := tx.Exec(ctx, `UPDATE sqldb_turn SET taken = taken + 1 WHERE one = 1`); err != nil {
			return 0, err
		}
	}
	var done int
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(step), 0) FROM sqldb_step WHERE room = ?`, room).Scan(&done); err != nil {
		return 0, err
	}
	if done > len(statements) {
		return 0, newer(len(statements), done)
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
