package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Renumber makes a table whose {{serial}} column num was filled by hand go on behind
// the largest number. tx is the transaction that filled it.
func (db *DB) Renumber(ctx context.Context, tx Queryer, table string) error {
	if db.kind != dialectPostgres {
		return nil // AUTOINCREMENT looks itself
	}
	var next int64
	q := `SELECT setval(pg_get_serial_sequence('` + table + `', 'num'), COALESCE(MAX(num), 0) + 1, false) FROM ` + table
	if err := tx.QueryRow(ctx, q).Scan(&next); err != nil {
		return fmt.Errorf("sqldb: numbering %s: %w", table, err)
	}
	return nil
}

// IsConstraint reports whether err says that a row would break a rule of its table:
// another row is the same, or the row that it names is not there.
func IsConstraint(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return strings.HasPrefix(pe.Code, "23")
	}
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}
