package replicas

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"davwopi/bridge"
	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// TestCapacity measures what open documents cost: statements of the state database and
// requests to the file server, for each document and minute. Once while they are open and
// nobody types, once while each is saved every minute. The figures of deploy/CAPACITY.md are
// its output, at 10, 100 and 1,000 documents and three minutes (`make capacity`).
func TestCapacity(t *testing.T) {
	sizes, window := []int{3}, 2*time.Second
	if os.Getenv("DAVWOPI_TEST_CAPACITY") == "" {
		t.Parallel()
	}
	if text := os.Getenv("DAVWOPI_TEST_CAPACITY"); text != "" {
		sizes = nil
		for _, n := range strings.Split(text, ",") {
			size, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, size)
		}
		window = 3 * time.Minute
	}
	s := upstream.Strict(t)
	h := newHouse(t, s, wopi.Collabora, "locks: {announce_locks: false}")
	h.two()
	db, err := pgx.Connect(t.Context(), h.database.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	var open []*office.Session
	for _, size := range sizes {
		open = append(open, h.openAll(t, len(open), size-len(open))...)
		for _, typing := range []bool{false, true} {
			before := costs(t, db, s)
			begin := time.Now()
			if typing {
				saveAll(t, open, window)
			} else {
				time.Sleep(window) // how long nobody types is what is measured
			}
			took := time.Since(begin)
			after := costs(t, db, s)
			per := float64(len(open)) * took.Minutes()
			what := "open"
			if typing {
				what = "saved once a minute"
			}
			t.Logf("%5d documents %-20s for %v: %7.2f transactions, %5.2f of them in vain, %7.2f rows read or changed, %6.2f requests to the file server (per document and minute); %6.1f transactions/s in all",
				len(open), what, took.Round(time.Second), float64(after.transactions-before.transactions)/per, float64(after.collided-before.collided)/per, float64(after.rows-before.rows)/per,
				float64(after.requests-before.requests)/per, float64(after.transactions-before.transactions)/took.Seconds())
			if typing && after.requests == before.requests {
				t.Error("nothing was saved")
			}
		}
	}
}

// A cost is what was spent since the beginning.
type cost struct{ transactions, collided, rows, requests int64 }

// costs asks PostgreSQL itself, which counts what was committed: each of our statements
// outside of a transaction is one, and each transaction with a few statements in it.
func costs(t *testing.T, db *pgx.Conn, s *upstream.Server) (c cost) {
	t.Helper()
	time.Sleep(1500 * time.Millisecond) // its sessions report once a second
	if _, err := db.Exec(t.Context(), `SELECT pg_stat_clear_snapshot()`); err != nil {
		t.Fatal(err)
	}
	err := db.QueryRow(t.Context(), `SELECT xact_commit + xact_rollback, xact_rollback, tup_fetched + tup_inserted + tup_updated + tup_deleted
		FROM pg_stat_database WHERE datname = current_database()`).Scan(&c.transactions, &c.collided, &c.rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Requests() {
		if r.Method != "" {
			c.requests++
		}
	}
	return c
}

// openAll opens n more documents as Collabora does.
func (h *house) openAll(t *testing.T, from, n int) []*office.Session {
	t.Helper()
	all := make([]*office.Session, n)
	next := make(chan int)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for i := range next {
				name := fmt.Sprintf("d%05d.odt", from+i)
				h.upstream.Write(t, name, "x")
				var o daemon.Opened // a program for each would take longer than all the rest
				in := map[string]string{"Path": "/" + name, "Mode": "edit", "Editor": h.office.URL}
				err := bridge.Ask(t.Context(), filepath.Join(h.daemons[0].State, "admin.sock"), "open", in, &o)
				if err == nil {
					all[i], err = h.office.Client(o.WOPISrc, o.AccessToken).Open(t.Context())
				}
				if err != nil || all[i].ReadOnly {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	running.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// saveAll saves every document once a minute, spread over the time, and refreshes its lock
// as Collabora does, every fifteen.
func saveAll(t *testing.T, open []*office.Session, window time.Duration) {
	t.Helper()
	rounds := max(1, int(window.Minutes()))
	begin := time.Now()
	for round := range rounds {
		var running sync.WaitGroup
		for i, s := range open {
			due := begin.Add(time.Duration(round)*time.Minute + time.Duration(i)*min(window, time.Minute)/time.Duration(len(open)))
			time.Sleep(time.Until(due))
			running.Go(func() {
				if a, err := s.Save(t.Context(), []byte(fmt.Sprint("round ", round, " of ", i)), false); err != nil || a.Status != http.StatusOK {
					t.Errorf("%s %v", a, err)
				}
				if i%15 == round%15 {
					if a, err := s.Refresh(t.Context()); err != nil || a.Status != http.StatusOK {
						t.Errorf("%s %v", a, err)
					}
				}
			})
		}
		running.Wait()
	}
	time.Sleep(time.Until(begin.Add(window)))
}
