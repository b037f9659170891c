package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// TestLostDatabase: PostgreSQL crashes under writers and comes back. Every error says that
// it was away, what was committed is there, and the same DB goes on by itself.
func TestLostDatabase(t *testing.T) {
	server := sqldbtest.NewServer(t)
	db, err := sqldb.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := t.Context()
	migrate(t, db, "things", things)
	var mu sync.Mutex
	committed := map[string]bool{}
	failed := 0
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprint(w, " ", n)
				err := db.Write(ctx, func(tx sqldb.Queryer) error {
					_, err := tx.Exec(ctx, `INSERT INTO thing (name, n) VALUES (?, 1)`, name)
					return err
				})
				var count int64
				readErr := db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM thing WHERE name = ?`, name).Scan(&count)
				mu.Lock()
				for _, err := range []error{err, readErr} {
					if err != nil && !sqldb.IsUnavailable(err) {
						t.Errorf("an error that does not say that the database is away: %v", err)
					}
				}
				if err == nil {
					committed[name] = true
				} else {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			done := ok()
			mu.Unlock()
			if done {
				return
			}
			if time.Now().After(end) {
				t.Fatal(what, "never")
			}
		}
	}
	until("writes", func() bool { return len(committed) > 20 })
	server.Crash()
	until("errors", func() bool { return failed > 20 })
	server.Start()
	before := 0
	mu.Lock()
	before = len(committed)
	mu.Unlock()
	until("writes again", func() bool { return len(committed) > before+20 })
	close(stop)
	all.Wait()
	for name := range committed {
		if n := number(t, db, `SELECT COUNT(*) FROM thing WHERE name = ?`, name); n != 1 {
			t.Errorf("%s was committed, and there are %d of it", name, n)
		}
	}
}

func TestIsUnavailable(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	db := sqldbtest.New(t)
	_, err := db.Now(ctx)
	if err == nil {
		_, err = db.Read().Query(ctx, `SELECT 1`)
	}
	for _, no := range []error{nil, io.EOF, context.Canceled, errors.New("x"), err} {
		if sqldb.IsUnavailable(no) {
			t.Errorf("%v", no)
		}
	}
	_, err = sqldb.Open(t.Context(), "postgres:///x?host=/nowhere/at/all")
	if !sqldb.IsUnavailable(err) {
		t.Errorf("nobody listens: %v", err)
	}
	if !sqldb.IsUnavailable(fmt.Errorf("a: %w", fmt.Errorf("%w: b", sqldb.ErrUnavailable))) {
		t.Error("wrapped")
	}
}
