package sqldb_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
)

// syncs is what SQLite does at the commit of tx: 2 waits for the disk, 1 does not; 0 if
// tx has ended. Not by QueryRow: SQLite answers when it prepares, which is done once.
func syncs(t *testing.T, tx sqldb.Queryer) (n int) {
	t.Helper()
	rows, err := tx.Query(context.WithoutCancel(t.Context()), `PRAGMA synchronous`)
	if err != nil {
		return 0
	}
	defer rows.Close()
	if rows.Next() {
		_ = rows.Scan(&n) // 0: it has ended meanwhile
	}
	return n
}

// Whatever happened to the transactions before it, a Write waits for the disk.
func TestAWriteIsSyncedAfterOneThatIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sqldb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, db, "things", things)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	own := errors.New("what the room says")
	var synced, unsynced int
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		deed := func() error { return nil }
		switch chance.IntN(6) {
		case 0:
			cancel() // before it
		case 1:
			deed = func() error { cancel(); return nil } // within it
		case 2:
			deed = func() error { return own }
		case 3: // at any moment
			ctx, cancel = context.WithTimeout(t.Context(), rand.N(300*time.Microsecond))
		}
		if chance.IntN(2) == 0 {
			_ = db.WriteUnsynced(ctx, func(tx sqldb.Queryer) error {
				if syncs(t, tx) == 1 {
					unsynced++
				}
				return deed()
			})
		} else {
			_ = db.Write(ctx, func(tx sqldb.Queryer) error {
				switch n := syncs(t, tx); {
				case n == 1:
					t.Error("it does not wait for the disk")
				case n == 2:
					synced++
				}
				return deed()
			})
		}
		cancel()
	}
	if synced == 0 || unsynced == 0 {
		t.Fatalf("%d synced, %d not", synced, unsynced)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// What was not waited for is seen at once, and survives the program.
func TestUnsynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sqldb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, db, "things", things)
	err = db.WriteUnsynced(t.Context(), func(tx sqldb.Queryer) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO thing (name, n) VALUES ('a', 1)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var n int
		if err := db.Read().QueryRow(t.Context(), `SELECT n FROM thing WHERE name = 'a'`).Scan(&n); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = sqldb.Open(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
