package sqldb_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestSQLiteFile(t *testing.T) {
	ctx := t.Context()
	// Every character that means something in a URI.
	path := filepath.Join(t.TempDir(), "st a?t%20e#&mode=ro;ü.db")
	db, err := sqldb.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, db, "things", things)

	t.Run("a second daemon is kept out and told who is in", func(t *testing.T) {
		_, err := sqldb.Open(ctx, path)
		if !errors.Is(err, sqldb.ErrInUse) || !strings.Contains(err.Error(), "PID "+strconv.Itoa(os.Getpid())) {
			t.Fatal(err)
		}
	})
	t.Run("nobody else can read it", func(t *testing.T) {
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			st, err := os.Stat(path + suffix)
			if err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("%q: %v, %v", suffix, st, err)
			}
		}
	})
	t.Run("what is committed survives a power cut", func(t *testing.T) {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
			var got string
			err := db.Write(ctx, func(tx sqldb.Queryer) error {
				return tx.QueryRow(ctx, "PRAGMA "+pragma).Scan(&got)
			})
			if err != nil || got != want {
				t.Errorf("%s is %s, %v", pragma, got, err)
			}
		}
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("it opens again, and loses the rights it had for others", func(t *testing.T) {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		db, err := sqldb.Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Error(st.Mode(), err)
		}
		number(t, db, `SELECT COUNT(*) FROM thing`)
	})
	t.Run("a file that is no database", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(other, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second proves that the first let the lock go
			if _, err := sqldb.Open(ctx, other); err == nil || errors.Is(err, sqldb.ErrInUse) {
				t.Fatal(err)
			}
		}
	})
}

func TestBackup(t *testing.T) {
	ctx := t.Context()
	db := sqldbtest.SQLite(t)
	migrate(t, db, "things", things)
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO thing (name, n) VALUES ('kept', 42)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy's.db")
	if err := db.Backup(ctx, path); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st, err)
	}
	if err := db.Backup(ctx, path); !errors.Is(err, fs.ErrExist) {
		t.Error("over an old backup:", err)
	}
	again, err := sqldb.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := number(t, again, `SELECT n FROM thing WHERE name = 'kept'`); n != 42 {
		t.Error(n)
	}
}

func TestBackupOfPostgreSQLIsRefused(t *testing.T) {
	db, err := sqldb.Open(t.Context(), sqldbtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(t.TempDir(), "copy")
	if err := db.Backup(t.Context(), path); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("left a file:", err)
	}
}

// On macOS fsync gives what it gets to the disk, which keeps it in its own memory for a
// while, unless SQLite is told to ask for more.
func TestSyncedThroughTheDisksMemory(t *testing.T) {
	db := sqldbtest.SQLite(t)
	nothing := func(sqldb.Queryer) error { return nil }
	if err := db.WriteUnsynced(t.Context(), nothing); err != nil {
		t.Fatal(err)
	}
	err := db.Write(t.Context(), func(tx sqldb.Queryer) error {
		for _, pragma := range []string{"fullfsync", "checkpoint_fullfsync"} {
			var on int
			if err := tx.QueryRow(t.Context(), `PRAGMA `+pragma).Scan(&on); err != nil {
				return err
			}
			if on != 1 {
				t.Errorf("%s is off", pragma)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
