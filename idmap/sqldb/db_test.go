package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var things = []string{`CREATE TABLE thing (
	id {{serial}},
	name TEXT {{bytes}} NOT NULL UNIQUE,
	n BIGINT NOT NULL,
	bytes {{blob}})`}

func migrate(t *testing.T, db *sqldb.DB, room string, statements []string) {
	t.Helper()
	if err := db.Migrate(t.Context(), room, statements); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrate(t, db, "things", things)
		var id int64
		err := db.Write(ctx, func(tx sqldb.Queryer) error {
			return tx.QueryRow(ctx, `INSERT INTO thing (name, n, bytes) VALUES (?, ?, ?) RETURNING id`, "a?b", 1, []byte{0, 1}).Scan(&id)
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Run("an error of f is returned and nothing has changed", func(t *testing.T) {
			mine := errors.New("mine")
			err := db.Write(ctx, func(tx sqldb.Queryer) error {
				if n, err := tx.Exec(ctx, `UPDATE thing SET n = 2`); err != nil || n != 1 {
					t.Errorf("%d rows, %v", n, err)
				}
				return mine
			})
			if !errors.Is(err, mine) {
				t.Fatal(err)
			}
			if n := number(t, db, `SELECT n FROM thing WHERE id = ?`, id); n != 1 {
				t.Fatal("changed to", n)
			}
		})
		t.Run("a panic of f frees the writer", func(t *testing.T) {
			func() {
				defer func() { recover() }()
				db.Write(ctx, func(tx sqldb.Queryer) error {
					tx.Exec(ctx, `UPDATE thing SET n = 3`)
					panic("f")
				})
			}()
			if err := db.Write(ctx, func(tx sqldb.Queryer) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if n := number(t, db, `SELECT n FROM thing WHERE id = ?`, id); n != 1 {
				t.Fatal("changed to", n)
			}
		})
		t.Run("a statement is prepared once and used again", func(t *testing.T) {
			err := db.Write(ctx, func(tx sqldb.Queryer) error {
				for i := range 50 {
					if _, err := tx.Exec(ctx, `UPDATE thing SET n = ? WHERE id = ?`, 100+i, id); err != nil {
						return err
					}
					var n int
					if err := tx.QueryRow(ctx, `SELECT n FROM thing WHERE id = ?`, id).Scan(&n); err != nil || n != 100+i {
						return fmt.Errorf("%d: %w", n, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		t.Run("a context that ended", func(t *testing.T) {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if err := db.Write(ended, func(sqldb.Queryer) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		})
		t.Run("a violation is an error", func(t *testing.T) {
			insert := func(id int64, name string) error {
				return db.Write(ctx, func(tx sqldb.Queryer) error {
					_, err := tx.Exec(ctx, `INSERT INTO thing (id, name, n) VALUES (?, ?, 0)`, id, name)
					return err
				})
			}
			if err := insert(id+10, "a?b"); err == nil {
				t.Fatal("a name twice")
			}
			if err := insert(id, "other"); err == nil {
				t.Fatal("a key twice")
			}
			if err := db.Write(ctx, func(tx sqldb.Queryer) error { _, err := tx.Exec(ctx, `nonsense`); return err }); err == nil {
				t.Fatal("nonsense")
			}
		})
	})
}

func number(t *testing.T, db *sqldb.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.Read().QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReadRefusesToWrite(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrate(t, db, "things", things)
		if _, err := db.Read().Exec(ctx, `INSERT INTO thing (name, n) VALUES ('x', 1)`); err == nil {
			t.Error("Exec")
		}
		var id int64
		if err := db.Read().QueryRow(ctx, `INSERT INTO thing (name, n) VALUES ('x', 1) RETURNING id`).Scan(&id); err == nil {
			t.Error("QueryRow")
		}
		if n := number(t, db, `SELECT COUNT(*) FROM thing`); n != 0 {
			t.Error(n, "rows")
		}
	})
}

// Read-modify-write without any FOR UPDATE: no increment may be lost.
func TestWriteIsSerializable(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrate(t, db, "things", things)
		const writers, rounds = 4, 10
		var runs atomic.Int64
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range rounds {
					for {
						err := db.Write(ctx, func(tx sqldb.Queryer) error {
							runs.Add(1)
							var n int64
							err := tx.QueryRow(ctx, `SELECT n FROM thing WHERE name = 'count'`).Scan(&n)
							if errors.Is(err, sql.ErrNoRows) {
								_, err = tx.Exec(ctx, `INSERT INTO thing (name, n) VALUES ('count', 1)`)
								return err
							}
							if err != nil {
								return err
							}
							_, err = tx.Exec(ctx, `UPDATE thing SET n = ? WHERE name = 'count'`, n+1)
							return err
						})
						if err == nil {
							break
						}
						if !db.Shared() {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		if n := number(t, db, `SELECT n FROM thing WHERE name = 'count'`); n != writers*rounds {
			t.Fatalf("%d increments of %d", n, writers*rounds)
		}
		t.Logf("%d runs for %d increments", runs.Load(), writers*rounds)
	})
}

// Every writer reads the same state and then changes it: exactly one finds it as
// it was.
func TestCompareAndSwapHasOneWinner(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrate(t, db, "things", things)
		err := db.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `INSERT INTO thing (name, n) VALUES ('lock', 0)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for round := range 5 {
			var won atomic.Int64
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					var n int64
					err := db.Write(ctx, func(tx sqldb.Queryer) (err error) {
						n, err = tx.Exec(ctx, `UPDATE thing SET n = ? WHERE name = 'lock' AND n = ?`, round+1, round)
						return err
					})
					if err != nil {
						t.Error(err)
					}
					won.Add(n)
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("round %d: %d winners", round, won.Load())
			}
		}
	})
}

func TestRowsMayBeOpenWhileTheSameTextRunsOnSQLite(t *testing.T) {
	db := sqldbtest.SQLite(t) // a connection of PostgreSQL does one thing at a time
	ctx := t.Context()
	migrate(t, db, "things", things)
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		for i := range 3 {
			if _, err := tx.Exec(ctx, `INSERT INTO thing (name, n) VALUES (?, ?)`, fmt.Sprint(i), i); err != nil {
				return err
			}
		}
		outer := 0
		const q = `SELECT name FROM thing ORDER BY name`
		rows, err := tx.Query(ctx, q)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			outer++
			inner, err := tx.Query(ctx, q)
			if err != nil {
				return err
			}
			inner.Next()
			inner.Close()
		}
		if outer != 3 {
			t.Errorf("%d rows of 3", outer)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNamesAreComparedByteByByte(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrate(t, db, "things", things)
		names := []string{"B", "a", "\u00c4", "A\u0308", "a ", "?", `it's "so"`}
		err := db.Write(ctx, func(tx sqldb.Queryer) error {
			for _, n := range names {
				if _, err := tx.Exec(ctx, `INSERT INTO thing (name, n) VALUES (?, 0)`, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var first string
		if err := db.Read().QueryRow(ctx, `SELECT name FROM thing WHERE name >= 'A' ORDER BY name LIMIT 1`).Scan(&first); err != nil || first != "A\u0308" {
			t.Fatalf("%q, %v", first, err)
		}
	})
}

func TestClock(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		now, err := db.Now(ctx)
		if err != nil || time.Since(now).Abs() > time.Minute || now.Location() != time.UTC || now.Nanosecond()%int(time.Millisecond) != 0 {
			t.Fatal(now, err)
		}
		db.SetClock(func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 6789012, time.FixedZone("", 3600)) })
		want := time.Date(2030, 1, 2, 2, 4, 5, 6000000, time.UTC)
		if now, err := db.Now(ctx); err != nil || now != want {
			t.Fatal(now, err)
		}
		db.SetClock(nil)
		if now, err := db.Now(ctx); err != nil || time.Since(now).Abs() > time.Minute {
			t.Fatal(now, err)
		}
	})
}

func TestMillis(t *testing.T) {
	for _, want := range []time.Time{{}, time.UnixMilli(1).UTC(), time.UnixMilli(-5).UTC(), time.Date(2026, 11, 20, 1, 2, 3, 4e6, time.UTC)} {
		if got := sqldb.FromMillis(sqldb.Millis(want)); got != want {
			t.Errorf("%v came back as %v", want, got)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for where, why := range map[string]string{
		"": "nothing",
		filepath.Join(t.TempDir(), "absent", "state.db"): "a directory that is not there",
		t.TempDir():             "a directory",
		"postgres://%zz":        "a bad URL",
		"postgres:///x?host=/0": "a server that is not there",
	} {
		if db, err := sqldb.Open(t.Context(), where); err == nil {
			db.Close()
			t.Errorf("opened %s", why)
		}
	}
}

func TestFault(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		migrate(t, db, "things", things)
		dead := errors.New("dead")
		insert := func() error {
			return db.Write(t.Context(), func(tx sqldb.Queryer) error {
				_, err := tx.Exec(t.Context(), `INSERT INTO thing (name, n) VALUES ('x', 1)`)
				return err
			})
		}
		db.SetFault(func() error { return dead })
		if err := insert(); !errors.Is(err, dead) {
			t.Error(err)
		}
		if n := number(t, db, `SELECT COUNT(*) FROM thing`); n != 0 {
			t.Errorf("%d rows of a transaction that failed", n)
		}
		db.SetFault(nil)
		if err := insert(); err != nil {
			t.Error(err)
		}
	})
}

// TestPostgresSyncs: what an operator has made fast for other programs is made safe for
// ours, and what is safer stays.
func TestPostgresSyncs(t *testing.T) {
	where := sqldbtest.Postgres(t)
	for given, want := range map[string]string{"off": "on", "on": "on", "local": "local", "remote_apply": "remote_apply"} {
		db, err := sqldb.Open(t.Context(), where+"&synchronous_commit="+given)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		err = db.Write(t.Context(), func(tx sqldb.Queryer) error {
			return tx.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", given, got, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
