package sqldbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"davwopi/idmap/sqldb"
)

// templates are the files of databases that were prepared, by name.
var templates struct {
	mu    sync.Mutex
	files map[string][]byte // guarded by mu
}

// Prepared is [New] for a database that prepare has brought up to date. With SQLite that
// is done once in a test process for each name, and the file is copied: the tables of all
// rooms take a second under the race detector.
func Prepared(t testing.TB, name string, prepare func(*sqldb.DB) error) *sqldb.DB {
	t.Helper()
	if os.Getenv("DAVWOPI_TEST_STATE") == "postgres" {
		db := New(t)
		if err := prepare(db); err != nil {
			t.Fatal(err)
		}
		return db
	}
	where := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(where, template(t, name, prepare), 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, where)
}

func template(t testing.TB, name string, prepare func(*sqldb.DB) error) []byte {
	t.Helper()
	templates.mu.Lock()
	defer templates.mu.Unlock()
	if file := templates.files[name]; file != nil {
		return file
	}
	where := filepath.Join(t.TempDir(), "template.db")
	db, err := sqldb.Open(context.Background(), where)
	if err != nil {
		t.Fatal(err)
	}
	// When it is closed everything is in the one file.
	if err := errors.Join(prepare(db), db.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(where)
	if err != nil {
		t.Fatal(err)
	}
	if templates.files == nil {
		templates.files = make(map[string][]byte)
	}
	templates.files[name] = file
	return file
}
