package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// aState makes a state directory that has seen something, and gives the ID of /a.txt.
// Its journal holds one file.
func aState(t *testing.T, dir, spooled string) idmap.FileID {
	t.Helper()
	ctx := t.Context()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ids, err := idmap.New(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	space, err := ids.Space(ctx, "main", "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := ids.At(ctx, space, dav.Resource{Path: "/a.txt", Size: 3, ETag: `"1"`, Modified: time.Unix(1_700_000_000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	book, err := locks.New(ctx, locks.Locks{DB: db, IDs: ids, Upstreams: &access.Upstreams{}})
	if err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(dir, "saves")
	if _, err := saves.New(ctx, saves.Saves{Dir: journal, DB: db, IDs: ids, Locks: book}); err != nil {
		t.Fatal(err)
	}
	name := "abcdefghijklmnop." + string(e.ID) + ".spool"
	if err := os.WriteFile(filepath.Join(journal, name), []byte(spooled), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := saves.New(ctx, saves.Saves{Dir: journal, DB: db, IDs: ids, Locks: book})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(ctx); err != nil { // gives it a row
		t.Fatal(err)
	}
	return e.ID
}

func aBackup(t *testing.T, dir string) []byte {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := takeSnapshot(t.Context(), dir, db, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := errors.Join(s.write(t.Context(), &out), s.remove()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// contents are the files below dir but for locks, and what they hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, ".lock") {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		all[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// idOf is the ID of /a.txt in a state directory, as far as that is whole: its journal has
// the file that its database speaks of.
func idOf(t *testing.T, dir string) idmap.FileID {
	t.Helper()
	ctx := t.Context()
	db, err := sqldb.Open(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	spools, err := saves.Spools(ctx, db)
	if err != nil || len(spools) != 1 {
		t.Fatalf("%+v, %v", spools, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "saves", spools[0].Name))
	if sum := sha256.Sum256(b); err != nil || !bytes.Equal(sum[:], spools[0].SHA256) {
		t.Fatalf("the journal's file: %q, %v", b, err)
	}
	ids, err := idmap.New(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	space, err := ids.Space(ctx, "main", "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := ids.KnownAt(ctx, space, "/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	return e.ID
}

// TestKilledRestore: whenever a restore dies, the state directory holds what was there
// before or all of the backup, once somebody starts on it again; nothing that was there
// is gone.
func TestKilledRestore(t *testing.T) {
	died := errors.New("died here")
	theirs := filepath.Join(t.TempDir(), "theirs")
	want := aState(t, theirs, "from the backup")
	backup := aBackup(t, theirs)
	for _, over := range []bool{false, true} {
		for _, step := range []string{"file 0", "file 1", "filled", "restored", "aside saves", "installed saves", "aside state.db", "installed state.db"} {
			t.Run(fmt.Sprintf("%s, over another state: %v", step, over), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "state")
				var mine idmap.FileID
				if over {
					mine = aState(t, dir, "of before")
				}
				now := time.Unix(1_790_000_000, 0)
				r := &restore{state: dir, replace: over, now: now, step: func(s string) error {
					if s == step {
						return died
					}
					return nil
				}}
				if _, err := r.from(t.Context(), bytes.NewReader(backup)); !errors.Is(err, died) {
					t.Fatalf("it did not die: %v", err)
				}
				if err := settleRestore(dir, now.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				whole := !slices.Contains([]string{"file 0", "file 1", "filled"}, step)
				if !over && !whole {
					if left := contents(t, dir); len(left) > 0 {
						t.Fatalf("half a restore is left: %v", slices.Collect(maps.Keys(left)))
					}
					return
				}
				expect := mine
				if whole {
					expect = want
				}
				if got := idOf(t, dir); got != expect {
					t.Errorf("the ID is %s; of before %s, in the backup %s", got, mine, want)
				}
				for _, name := range []string{restoringDir, restoredDir} {
					if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
						t.Errorf("%s is left", name)
					}
				}
				if over && whole {
					aside, _ := filepath.Glob(filepath.Join(dir, replacedDir+"*", "*"))
					joined := strings.Join(aside, " ")
					if !strings.Contains(joined, "state.db") || !strings.Contains(joined, "saves") {
						t.Errorf("aside is %v", aside)
					}
				}
			})
		}
	}
}

// TestRestoreRefuses: while a daemon has the state, or where something is, nothing happens.
func TestRestoreRefuses(t *testing.T) {
	theirs := filepath.Join(t.TempDir(), "theirs")
	aState(t, theirs, "x")
	backup := aBackup(t, theirs)
	dir := filepath.Join(t.TempDir(), "state")
	aState(t, dir, "mine")
	before := contents(t, dir)
	try := func(replace bool) error {
		_, err := (&restore{state: dir, replace: replace, now: time.Now()}).from(t.Context(), bytes.NewReader(backup))
		return err
	}
	if err := try(false); !errors.Is(err, errState) {
		t.Errorf("over a state: %v", err)
	}
	db, err := sqldb.Open(t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := try(true); !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("under a daemon: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Errorf("there were %v, there are %v", slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)))
	}
}

// An entry of a tar file that a test makes up.
type entry struct {
	tar.Header
	body []byte
}

func unpack(t *testing.T, backup []byte) (all []entry) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(backup))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{*h, b})
	}
}

// pack makes a backup of entries, with sums that are right unless it is told to keep
// those that are there.
func pack(t *testing.T, all []entry, keepSums bool) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	sums := map[string]string{}
	for _, e := range all {
		if e.Name == backupSums && !keepSums {
			e.body, _ = json.Marshal(sums)
		}
		sum := sha256.Sum256(e.body)
		sums[e.Name] = hex.EncodeToString(sum[:])
		if e.Typeflag == tar.TypeReg {
			e.Size = int64(len(e.body))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestHostileBackups: what was cut, spoiled or made up is refused, and leaves nothing
// anywhere.
func TestHostileBackups(t *testing.T) {
	theirs := filepath.Join(t.TempDir(), "theirs")
	aState(t, theirs, "from the backup")
	good := aBackup(t, theirs)
	edit := func(change func(all []entry) []entry) []byte { return pack(t, change(unpack(t, good)), false) }
	renamed := func(name string) []byte {
		return edit(func(all []entry) []entry { all[2].Name = name; return all })
	}
	head := func(change func(h *backupHeader)) []byte {
		return edit(func(all []entry) []entry {
			var h backupHeader
			if err := json.Unmarshal(all[0].body, &h); err != nil {
				t.Fatal(err)
			}
			change(&h)
			all[0].body, _ = json.Marshal(h)
			return all
		})
	}
	cases := map[string][]byte{
		"nothing":                                {},
		"no tar":                                 []byte(strings.Repeat("davwopi", 1000)),
		"a name above":                           renamed("../../evil.spool"),
		"an absolute name":                       renamed("/tmp/evil.spool"),
		"another file":                           renamed("saves/secret.key"),
		"the journal's own":                      renamed("saves/store"),
		"a file that the database does not know": renamed("saves/aaaaaaaaaaaaaaaa.spool"),
		"a symbolic link": edit(func(all []entry) []entry {
			all[2].Typeflag, all[2].Linkname, all[2].Size, all[2].body = tar.TypeSymlink, "/etc/passwd", 0, nil
			return all
		}),
		"extensions": edit(func(all []entry) []entry {
			all[2].Format, all[2].PAXRecords = tar.FormatPAX, map[string]string{"DAVWOPI.x": "y"}
			return all
		}),
		"no database":        edit(func(all []entry) []entry { return append(all[:1:1], all[2:]...) }),
		"two databases":      edit(func(all []entry) []entry { return append([]entry{all[0], all[1], all[1]}, all[2:]...) }),
		"a file twice":       edit(func(all []entry) []entry { return append([]entry{all[0], all[1], all[2], all[2]}, all[3:]...) }),
		"a file less":        edit(func(all []entry) []entry { return append(all[:2:2], all[3:]...) }),
		"something after it": edit(func(all []entry) []entry { return append(all, all[2]) }),
		"other bytes, same sums": func() []byte {
			all := unpack(t, good)
			all[2].body[0] ^= 1
			return pack(t, all, true)
		}(),
		"other bytes, own sums":   edit(func(all []entry) []entry { all[2].body[0] ^= 1; return all }),
		"a later version":         head(func(h *backupHeader) { h.Version++ }),
		"another kind":            head(func(h *backupHeader) { h.Kind = "holiday pictures" }),
		"more bytes than it says": head(func(h *backupHeader) { h.Bytes = 10 }),
		"no database in it":       edit(func(all []entry) []entry { all[1].body = []byte("no database"); return all }),
		"a damaged database": edit(func(all []entry) []entry {
			for i := 5000; i < len(all[1].body)-5000; i += 100 {
				all[1].body[i] ^= 0x55
			}
			return all
		}),
		"a trigger in the database": edit(func(all []entry) []entry {
			all[1].body = withTrigger(t, all[1].body, `CREATE TRIGGER t AFTER INSERT ON idmap_epoch BEGIN DELETE FROM idmap_resource; END`)
			return all
		}),
		"a newer database": edit(func(all []entry) []entry {
			all[1].body = withTrigger(t, all[1].body, `INSERT INTO sqldb_step (room, step, done) VALUES ('saves', 99, 0)`)
			return all
		}),
	}
	for _, n := range []int{1, 511, 512, 600, 1024, 3000, len(good) / 2, len(good) - 2048, len(good) - 1600, len(good) - 1400} {
		cases[fmt.Sprintf("cut after %d of %d bytes", n, len(good))] = good[:n]
	}
	for name, backup := range cases {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "state")
			r := &restore{state: dir, now: time.Now()}
			if _, err := r.from(t.Context(), bytes.NewReader(backup)); !errors.Is(err, errBackup) {
				t.Errorf("it was answered %v", err)
			}
			if left := contents(t, root); len(left) > 0 {
				t.Errorf("left: %v", slices.Collect(maps.Keys(left)))
			}
		})
	}
	if _, err := (&restore{state: filepath.Join(t.TempDir(), "state"), now: time.Now()}).from(t.Context(), bytes.NewReader(good)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func withTrigger(t *testing.T, database []byte, statement string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(file, database, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(statement)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRestoredStateIsForgetful: no session, link, token, ticket or lock of the backup's
// time is good any more.
func TestRestoredStateIsForgetful(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	aState(t, dir, "x")
	db, err := sqldb.Open(t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	if err := markRestored(ctx, db, filepath.Join(dir, "saves")); err != nil { // makes the tables
		t.Fatal(err)
	}
	err = db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, row := range []string{
			`INSERT INTO oauth_session VALUES ('s', x'01', 'p', 'k', 1, 1)`,
			`INSERT INTO oauth_link VALUES (x'01', 'p', 99999999999999)`,
			`INSERT INTO access_grant (id, hash, file, space, upstream, principal, principal_key, session, rights, editor, scope, expires, signed_out) VALUES ('g', x'01', 'f', 1, 'main', 'p', 'k', 's', 1, 'e', '/', 99999999999999, 0)`,
			`INSERT INTO access_guest VALUES ('g', x'01', 's', 'n', 1, 1)`,
			`INSERT INTO locks_editing_id VALUES (1, 'lock', 1)`,
			`INSERT INTO locks_read VALUES ('f', 'm', 1, 1)`,
			`INSERT INTO locks_lease (file, serial, holder, op, until) VALUES ('f', 77, 'me', 'put', 99999999999999)`,
		} {
			if _, err := tx.Exec(ctx, row); err != nil {
				return fmt.Errorf("%s: %w", row, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := markRestored(ctx, db, filepath.Join(dir, "saves")); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"oauth_session", "oauth_link", "access_grant", "access_reprieve", "access_ticket", "access_guest", "locks_row", "locks_editing", "locks_editing_id", "locks_member", "locks_read", "locks_intent"} {
		var n int
		if err := db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
	var serial, until int64
	if err := db.Read().QueryRow(ctx, `SELECT serial, until FROM locks_lease`).Scan(&serial, &until); err != nil || serial != 77 || until != 0 {
		t.Errorf("the lease: %d until %d, %v", serial, until, err)
	}
}
