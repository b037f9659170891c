package sqldb_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestSnapshotSeesOnePoint(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrate(t, db, "things", things)
		add := func(name string) {
			t.Helper()
			err := db.Write(ctx, func(tx sqldb.Queryer) error {
				_, err := tx.Exec(ctx, `INSERT INTO thing (name, n) VALUES (?, 1)`, name)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		add("before")
		err := db.Snapshot(ctx, func(q sqldb.Queryer) error {
			for range 2 {
				var n int64
				if err := q.QueryRow(ctx, `SELECT COUNT(*) FROM thing WHERE n = ?`, 1).Scan(&n); err != nil || n != 1 {
					t.Errorf("%d things, %v", n, err)
				}
				add(t.Name() + string(rune('a'+n)))
				if err := db.Write(ctx, func(tx sqldb.Queryer) error {
					_, err := tx.Exec(ctx, `UPDATE thing SET name = name || 'x'`)
					return err
				}); err != nil {
					return err
				}
			}
			rows, err := q.Query(ctx, `SELECT name FROM thing`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil || name != "before" {
					t.Errorf("%q, %v", name, err)
				}
			}
			if _, err := q.Exec(ctx, `DELETE FROM thing`); err == nil {
				t.Error("a snapshot was written to")
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestRenumberAndConstraints(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrate(t, db, "rows", []string{`CREATE TABLE row (num {{serial}}, other BIGINT REFERENCES row (num), name TEXT NOT NULL)`})
		var num int64
		err := db.Write(ctx, func(tx sqldb.Queryer) error {
			if _, err := tx.Exec(ctx, `INSERT INTO row (num, name) VALUES (?, 'x'), (?, 'y')`, 1, 40); err != nil {
				return err
			}
			if err := db.Renumber(ctx, tx, "row"); err != nil {
				return err
			}
			return tx.QueryRow(ctx, `INSERT INTO row (name) VALUES ('z') RETURNING num`).Scan(&num)
		})
		if err != nil || num != 41 {
			t.Fatal(num, err)
		}
		for _, q := range []string{
			`INSERT INTO row (num, name) VALUES (1, 'again')`,
			`INSERT INTO row (other, name) VALUES (77, 'of nothing')`,
			`INSERT INTO row (name) VALUES (NULL)`,
		} {
			err := db.Write(ctx, func(tx sqldb.Queryer) error { _, err := tx.Exec(ctx, q); return err })
			if !sqldb.IsConstraint(err) {
				t.Errorf("%s: %v", q, err)
			}
		}
		if err := db.Write(ctx, func(tx sqldb.Queryer) error { _, err := tx.Exec(ctx, `NONSENSE`); return err }); err == nil || sqldb.IsConstraint(err) {
			t.Error(err)
		}
	})
}

// Who reads a snapshot may take hours: `davwopi ids export | less`. Nobody waits for that.
func TestSnapshotsKeepNobodyWaiting(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		migrate(t, db, "things", things)
		began, end := make(chan struct{}, 16), make(chan struct{})
		var all sync.WaitGroup
		for range cap(began) {
			all.Go(func() {
				err := db.Snapshot(t.Context(), func(q sqldb.Queryer) error {
					var n int
					err := q.QueryRow(t.Context(), `SELECT COUNT(*) FROM thing`).Scan(&n)
					began <- struct{}{}
					<-end
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		for range 2 {
			<-began
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var readers sync.WaitGroup
		for range 16 {
			readers.Go(func() {
				var n int
				if err := db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM thing`).Scan(&n); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		close(end)
		all.Wait()
	})
}
