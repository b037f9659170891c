package sqldbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"davwopi/idmap/sqldb"
)

// Each runs f as a subtest for every database there is, each time with an empty
// one that is closed when the subtest ends.
func Each(t *testing.T, f func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	EachWhere(t, func(t *testing.T, where string) { f(t, open(t, where)) })
}

// EachWhere is [Each] for tests that open the database themselves, once or again
// and again: where is what sqldb.Open takes.
func EachWhere(t *testing.T, f func(t *testing.T, where string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, filepath.Join(t.TempDir(), "state.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, Postgres(t)) })
}

// New returns an empty database that is closed when the test ends: of SQLite, or with
// DAVWOPI_TEST_STATE=postgres of PostgreSQL, so that every suite can be run on it
// (`make postgres`).
func New(t testing.TB) *sqldb.DB {
	t.Helper()
	if os.Getenv("DAVWOPI_TEST_STATE") == "postgres" {
		return open(t, Postgres(t))
	}
	return SQLite(t)
}

// SQLite is [New] for what is about SQLite alone, whatever the suites are run on.
func SQLite(t testing.TB) *sqldb.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "state.db"))
}

// Postgres returns the URL of an empty PostgreSQL schema that is dropped when the
// test ends. It skips the test if PostgreSQL is not installed.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := theServer()
	if errors.Is(err, errAbsent) {
		t.Skip("PostgreSQL is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("t%d", schemas.Add(1))
	if err := server.exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return server.url() + "&search_path=" + schema
}

// theServer is started by the first test of the process that asks for it, because
// making a server takes a second or two.
var theServer = sync.OnceValues(start)

var schemas atomic.Int64

func (s *server) exec(query string) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return fmt.Errorf("sqldbtest: %w", err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, query); err != nil {
		return fmt.Errorf("sqldbtest: %w", err)
	}
	return nil
}

// open opens a database, of which each write transaction runs twice if it is SQLite
// ([sqldb.DB.SetCollisions]), but in a benchmark or with -short: so every suite finds the
// functions that must not.
func open(t testing.TB, where string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(context.Background(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	_, measured := t.(*testing.B)
	db.SetCollisions(!measured && !testing.Short() && !db.Shared())
	return db
}
