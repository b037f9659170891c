package sqldbtest_test

import (
	"context"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// Two rounds of the same statement: every test has a database of its own.
func TestEachIsEmpty(t *testing.T) {
	for range 2 {
		runs := 0
		sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
			runs++
			ctx := context.Background()
			if err := db.Migrate(ctx, "room", []string{`CREATE TABLE once (id {{serial}})`}); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM once`).Scan(&n); err != nil || n != 0 {
				t.Fatal(n, err)
			}
		})
		if runs == 0 {
			t.Fatal("no database at all")
		}
	}
}

func TestNew(t *testing.T) {
	for state, shared := range map[string]bool{"": false, "postgres": true} {
		t.Run(state, func(t *testing.T) {
			t.Setenv("DAVWOPI_TEST_STATE", state)
			if sqldbtest.New(t).Shared() != shared {
				t.Fatal("it is the other database")
			}
		})
	}
}
