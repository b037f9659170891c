package sqldb_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestMigrate(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		steps := []string{
			`CREATE TABLE a (id {{serial}}, name TEXT {{bytes}}, b {{blob}}); CREATE INDEX a_name ON a (name)`,
			`INSERT INTO a (name) VALUES ('two; statements?'); INSERT INTO a (name) VALUES ('x')`,
			`ALTER TABLE a ADD COLUMN n BIGINT NOT NULL DEFAULT 7`,
		}
		migrate(t, db, "a", steps[:1])
		migrate(t, db, "a", steps[:1])
		migrate(t, db, "a", steps)
		migrate(t, db, "a", steps)
		if n := number(t, db, `SELECT COUNT(*) FROM a WHERE n = 7`); n != 2 {
			t.Errorf("%d rows of 2: a step was not run exactly once", n)
		}
		migrate(t, db, "b", []string{`CREATE TABLE b (id {{serial}} PRIMARY KEY)`})

		t.Run("a newer program was here", func(t *testing.T) {
			if err := db.Migrate(ctx, "a", steps[:2]); !errors.Is(err, sqldb.ErrNewer) {
				t.Fatal(err)
			}
		})
		t.Run("a step that fails leaves what was there", func(t *testing.T) {
			bad := append(steps[:3:3], `INSERT INTO a (name) VALUES ('half'); nonsense`)
			if err := db.Migrate(ctx, "a", bad); err == nil {
				t.Fatal("no error")
			}
			if n := number(t, db, `SELECT COUNT(*) FROM a`); n != 2 {
				t.Errorf("%d rows of 2", n)
			}
			migrate(t, db, "a", append(steps[:3:3], `INSERT INTO a (name) VALUES ('whole')`))
		})
	})
}

// Bridges that share a database are often started at once.
func TestMigrateAtOnce(t *testing.T) {
	where := sqldbtest.Postgres(t)
	steps := []string{`CREATE TABLE once (n BIGINT)`}
	for i := range 5 {
		steps = append(steps, fmt.Sprintf(`INSERT INTO once VALUES (%d)`, i))
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := sqldb.Open(t.Context(), where)
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := db.Migrate(t.Context(), "once", steps); err != nil {
				t.Error(err)
			}
			if n := number(t, db, `SELECT COUNT(*) FROM once`); n != 5 {
				t.Errorf("%d rows of 5", n)
			}
		})
	}
	wg.Wait()
}
