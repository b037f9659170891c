package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/saves"
	"davwopi/config"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// TestEveryRoomIsCarried: whoever makes tables is among the rooms of a state.
func TestEveryRoomIsCarried(t *testing.T) {
	known := map[string]bool{}
	for _, r := range roomsOfState() {
		known[r.name] = true
	}
	named := regexp.MustCompile(`\.Migrate\(ctx, "([^"]+)"`)
	constant := regexp.MustCompile(`\bconst room = "([^"]+)"`)
	found := 0
	for _, folder := range []string{"bridge", "cmd", "davbackend", "idmap", "oauth"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(p string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(p) != ".go" || strings.HasSuffix(p, "_test.go") {
				return err
			}
			text, err := os.ReadFile(p)
			for _, m := range slices.Concat(named.FindAllSubmatch(text, -1), constant.FindAllSubmatch(text, -1)) {
				if found++; !known[string(m[1])] {
					t.Errorf("%s makes tables as %q, which roomsOfState does not name: they would not be carried", p, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 20 {
		t.Errorf("only %d rooms were found in the sources", found)
	}
}

// waitingState is aState with a save of several pieces that waits, a spool beside the
// journal that no row speaks of, and a file that was changed and renamed.
func waitingState(t *testing.T, dir string) (id idmap.FileID, waits []byte) {
	t.Helper()
	ctx := t.Context()
	waits = bytes.Repeat([]byte("0123456789abcdef"), 150_000) // 2.3 MiB
	id = aState(t, dir, string(waits))
	db, err := sqldb.Open(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := makeTables(ctx, db); err != nil {
		t.Fatal(err)
	}
	err = db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, q := range []string{
			`UPDATE saves_entry SET state = 'waiting'`,
			`INSERT INTO oauth_session VALUES ('s', x'01', 'p', 'k', 1, 1)`,
			`INSERT INTO locks_lease (file, serial, holder, op, until) VALUES ('f', 77, 'me', 'put', 99999999999999)`,
			`INSERT INTO user_info VALUES ('Äz', 'x'), ('b', 'y'), ('a', 'z')`,
		} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "saves", "stray234stray234.spool"), []byte("of nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	return id, waits
}

func opened(t *testing.T, where string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// carried says what is in a state by which it is known again.
func carried(t *testing.T, db *sqldb.DB, dir string, waits []byte) (id idmap.FileID, sessions int) {
	t.Helper()
	ctx := t.Context()
	e, err := saves.Examine(ctx, db, journalOf(dir), "")
	if err != nil || e.Waiting != 1 || e.Bytes != int64(len(waits)) || len(e.Bad) > 0 || e.Elsewhere > 0 {
		t.Errorf("the journal: %+v %v", e, err)
	}
	ids, err := idmap.New(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	space, err := ids.Space(ctx, "main", "")
	if err != nil {
		t.Fatal(err)
	}
	at, err := ids.KnownAt(ctx, space, "/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM oauth_session`).Scan(&sessions); err != nil {
		t.Fatal(err)
	}
	return at.ID, sessions
}

// TestMigrate: whenever it dies, it is gone on with, and in the end PostgreSQL has all of
// it: IDs, sessions, the save that waits. Meanwhile no daemon starts on either side.
func TestMigrate(t *testing.T) {
	died := errors.New("died here")
	for _, step := range []string{"", "1 MiB", "3 MiB", "compared", "copied", "aside state.db-wal", "aside state.db", "aside saves"} {
		t.Run("died at "+step, func(t *testing.T) {
			ctx := t.Context()
			dir := filepath.Join(t.TempDir(), "state")
			id, waits := waitingState(t, dir)
			where := sqldbtest.Postgres(t)
			m := &migration{state: dir, target: where, now: time.Unix(1_790_000_000, 0), told: &carryProgress{w: new(bytes.Buffer)},
				step: func(s string) error {
					if s == step || step == "aside saves" && strings.HasPrefix(s, step) {
						return died
					}
					return nil
				}}
			done, err := m.run(ctx)
			if step != "" {
				if !errors.Is(err, died) {
					t.Fatalf("it did not die: %v", err)
				}
				if _, err := openDatabase(ctx, where); strings.Contains(step, "MiB") != errors.Is(err, sqldb.ErrUnfinished) && step != "compared" {
					t.Errorf("a daemon there: %v", err)
				}
				m.step, m.now = nil, m.now.Add(time.Hour)
				done, err = m.run(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			db := opened(t, where)
			if got, sessions := carried(t, db, dir, waits); got != id || sessions != 1 {
				t.Errorf("the ID is %s, it was %s; %d sessions", got, id, sessions)
			}
			var until int64
			if err := db.Read().QueryRow(ctx, `SELECT until FROM locks_lease`).Scan(&until); err != nil || until != 0 {
				t.Errorf("a lease of a process that is gone: until %d, %v", until, err)
			}
			if err := notMoved(dir); !errors.Is(err, errMoved) {
				t.Errorf("a new SQLite state may begin: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "saves", "*.spool")); len(left) != 1 || filepath.Base(left[0]) != "stray234stray234.spool" {
				t.Errorf("the journal's directory holds %v", left)
			}
			if again, err := m.run(ctx); err != nil || !again.Already || again.Aside != done.Aside {
				t.Errorf("all was done: %+v %v", again, err)
			}
			aside, _ := filepath.Glob(filepath.Join(done.Aside, "*", "*.spool"))
			if _, err := os.Stat(filepath.Join(done.Aside, "state.db")); err != nil || len(aside) != 1 {
				t.Errorf("aside: %v %v", aside, err)
			}
		})
	}
}

// TestMigrateRefuses: under a daemon, into a database that has something, without the bytes
// of a save that was acknowledged.
func TestMigrateRefuses(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "state")
	waitingState(t, dir)
	before := contents(t, dir)
	where := sqldbtest.Postgres(t)
	m := &migration{state: dir, target: where, now: time.Now(), told: &carryProgress{w: new(bytes.Buffer)}}
	refused := func(what string, want error, words string) {
		t.Helper()
		_, err := m.run(ctx)
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "state.db")); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	held := opened(t, filepath.Join(dir, "state.db"))
	refused("a daemon on SQLite", sqldb.ErrInUse, "")
	held.Close()
	release, err := sqldb.Hold(filepath.Join(dir, "daemon"))
	if err != nil {
		t.Fatal(err)
	}
	refused("a daemon on the directory", sqldb.ErrInUse, "")
	release()

	target := opened(t, where)
	exec := func(db *sqldb.DB, q string, args ...any) {
		t.Helper()
		err := db.Write(ctx, func(tx sqldb.Queryer) error { _, err := tx.Exec(ctx, q, args...); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := makeTables(ctx, target); err != nil {
		t.Fatal(err)
	}
	now, _ := target.Now(ctx)
	exec(target, `INSERT INTO saves_bridge VALUES ('another', ?)`, sqldb.Millis(now))
	refused("a daemon on PostgreSQL", nil, "works on this database")
	exec(target, `DELETE FROM saves_bridge`)
	exec(target, `INSERT INTO user_info VALUES ('somebody', 'x')`)
	refused("a database with something in it", sqldb.ErrNotEmpty, "user_info")
	exec(target, `DELETE FROM user_info`)
	exec(target, `INSERT INTO sqldb_step VALUES ('teleport', 1, 0)`)
	refused("a newer database", sqldb.ErrNewer, "teleport")
	exec(target, `DELETE FROM sqldb_step WHERE room = 'teleport'`)

	spools, _ := filepath.Glob(filepath.Join(dir, "saves", "*.????????????????????*.spool"))
	if len(spools) != 1 {
		t.Fatalf("%v of %v", spools, before)
	}
	bytes, err := os.ReadFile(spools[0])
	if err != nil {
		t.Fatal(err)
	}
	for what, damaged := range map[string][]byte{"other bytes": append([]byte("x"), bytes[1:]...), "bytes less": bytes[1:], "no bytes": nil} {
		os.Remove(spools[0])
		if damaged != nil {
			if err := os.WriteFile(spools[0], damaged, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		refused(what, nil, "cannot be carried")
	}
	// Nobody was told that they are safe: the rest goes without it.
	lite := opened(t, filepath.Join(dir, "state.db"))
	exec(lite, `UPDATE saves_entry SET state = 'unacknowledged'`)
	lite.Close()
	if done, err := m.run(ctx); err != nil || len(done.Left) != 1 || done.Files != 0 {
		t.Errorf("%+v %v", done, err)
	}
}

// TestExportImport: from each database into each; documents are closed then, saves wait on.
func TestExportImport(t *testing.T) {
	stateOf := func(t *testing.T, kind string) *config.Config {
		c := &config.Config{}
		c.State.Dir = filepath.Join(t.TempDir(), "state")
		if kind == "PostgreSQL" {
			c.State.URLFile = filepath.Join(t.TempDir(), "url")
			if err := os.WriteFile(c.State.URLFile, []byte(sqldbtest.Postgres(t)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	for _, from := range []string{"SQLite", "PostgreSQL"} {
		for _, to := range []string{"SQLite", "PostgreSQL"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				ctx := t.Context()
				source := stateOf(t, from)
				id, waits := waitingState(t, source.State.Dir)
				if from == "PostgreSQL" {
					url, _ := databaseOf(source)
					m := &migration{state: source.State.Dir, target: url, now: time.Now(), told: &carryProgress{w: new(bytes.Buffer)}}
					if _, err := m.run(ctx); err != nil {
						t.Fatal(err)
					}
				}
				var text bytes.Buffer
				if left, err := exportState(ctx, source, &text); err != nil || len(left) > 0 {
					t.Fatal(left, err)
				}
				target := stateOf(t, to)
				load := func(again bool) error {
					_, err := loadState(ctx, target, bytes.NewReader(text.Bytes()), again, func(string, int64, bool) {})
					return err
				}
				if _, err := loadState(ctx, target, bytes.NewReader(text.Bytes()[:text.Len()-100]), false, func(string, int64, bool) {}); !errors.Is(err, sqldb.ErrBadDump) {
					t.Fatalf("a text that was cut: %v", err)
				}
				if err := load(false); err != nil {
					t.Fatal(err)
				}
				where, _ := databaseOf(target)
				db := opened(t, where)
				got, sessions := carried(t, db, target.State.Dir, waits)
				if got != id || sessions != 0 {
					t.Errorf("the ID is %s, it was %s; %d sessions, which nobody knows to be good still", got, id, sessions)
				}
				db.Close()
				if err := load(false); !errors.Is(err, sqldb.ErrNotEmpty) {
					t.Errorf("once more: %v", err)
				}
				report, err := checkStopped(ctx, target)
				if err != nil || report.Entries != 1 || report.Waiting != 1 || len(report.Faults) > 1 { // the tests' PostgreSQL does not sync
					t.Errorf("%+v %v", report, err)
				}
			})
		}
	}
}

// TestCheckState finds what is wrong.
func TestCheckState(t *testing.T) {
	ctx := context.Background()
	c := &config.Config{}
	c.State.Dir = filepath.Join(t.TempDir(), "state")
	if _, err := checkStopped(ctx, c); err == nil {
		t.Error("a state that is not there")
	}
	waitingState(t, c.State.Dir)
	if r, err := checkStopped(ctx, c); err != nil || len(r.Faults) > 0 || r.Waiting != 1 || r.Rooms < 20 {
		t.Fatalf("%+v %v", r, err)
	}
	spools, _ := filepath.Glob(filepath.Join(c.State.Dir, "saves", "*.????????????????????*.spool"))
	if err := os.WriteFile(spools[0], []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := checkStopped(ctx, c); err != nil || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "other bytes") {
		t.Errorf("%+v %v", r, err)
	}
	db := opened(t, filepath.Join(c.State.Dir, "state.db"))
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO sqldb_step VALUES ('teleport', 1, 0)`)
		return err
	})
	db.Close()
	if r, cerr := checkStopped(ctx, c); err != nil || cerr != nil || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "teleport") {
		t.Errorf("%+v %v %v", r, cerr, err)
	}
}
