package sqldb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

var shelves = []string{
	`CREATE TABLE shelf (num {{serial}}, name TEXT {{bytes}} NOT NULL UNIQUE)`,
	// Its name comes before that of the table that it refers to.
	`CREATE TABLE book (shelf BIGINT NOT NULL REFERENCES shelf (num), title TEXT, pages {{blob}}, read BIGINT,
		PRIMARY KEY (shelf, title))`,
}

// stocked fills a database with everything that a value can be, and with a number that
// was given out and is gone.
func stocked(t *testing.T, db *sqldb.DB, books int) {
	t.Helper()
	ctx := t.Context()
	migrate(t, db, "things", things)
	migrate(t, db, "shelves", shelves)
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, name := range []string{"z", "ä", "Z", "a\u2028\"<&>\\", ""} {
			if _, err := tx.Exec(ctx, `INSERT INTO shelf (name) VALUES (?)`, name); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `DELETE FROM shelf WHERE num = 5`); err != nil {
			return err
		}
		for i := range books {
			_, err := tx.Exec(ctx, `INSERT INTO book (shelf, title, pages, read) VALUES (?, ?, ?, ?)`, 1+i%4, fmt.Sprint("title ", i), []byte{0, byte(i), 255}, -i)
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO book (shelf, title, pages, read) VALUES (1, '', ?, NULL), (1, 'none', NULL, ?)`, []byte{}, int64(1)<<62)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func dumped(t *testing.T, db *sqldb.DB) (text, sum string) {
	t.Helper()
	var out bytes.Buffer
	sum, err := (&sqldb.Dump{DB: db, ID: "this"}).Write(t.Context(), &out)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), sum
}

func emptied(t *testing.T, db *sqldb.DB) *sqldb.DB {
	t.Helper()
	migrate(t, db, "things", things)
	migrate(t, db, "shelves", shelves)
	return db
}

// Between all pairs of databases, and back: the same rows, and numbers go on.
func TestDumpAndLoad(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, from *sqldb.DB) {
		stocked(t, from, 9000)
		text, sum := dumped(t, from)
		sqldbtest.Each(t, func(t *testing.T, to *sqldb.DB) {
			ctx := t.Context()
			emptied(t, to)
			var told, checked int64
			l := &sqldb.Load{DB: to, Progress: func(_ string, rows int64, check bool) {
				if check {
					checked = max(checked, rows)
				} else {
					told = max(told, rows)
				}
			}}
			done, err := l.Read(ctx, strings.NewReader(text))
			if err != nil || done.Rows != 9006 || done.Tables != 3 || done.Before != 0 || told != 9002 || checked != 9000 {
				t.Fatalf("%+v, %v; told of %d, then of %d", done, err, told, checked)
			}
			if _, again := dumped(t, to); again != sum {
				t.Error("what was loaded is dumped otherwise")
			}
			var num int64
			err = to.Write(ctx, func(tx sqldb.Queryer) error {
				return tx.QueryRow(ctx, `INSERT INTO shelf (name) VALUES ('next') RETURNING num`).Scan(&num)
			})
			if err != nil || num != 6 {
				t.Errorf("the next shelf has number %d, %v: 5 was given out before", num, err)
			}
			if _, err := l.Read(ctx, strings.NewReader(text)); !errors.Is(err, sqldb.ErrNotEmpty) {
				t.Errorf("loaded twice: %v", err)
			}
			if id, had, err := to.LoadedFrom(ctx); id != "this" || had != sum || err != nil {
				t.Errorf("loaded from %q, %q, %v", id, had, err)
			}
		})
	})
}

// A cutReader breaks off.
type cutReader struct {
	io.Reader
	left int
}

var errCut = errors.New("cut")

func (c *cutReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errCut
	}
	n, err := c.Reader.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// A load that is broken off anywhere is gone on with; meanwhile the database is known to
// be unfinished, and another dump is refused.
func TestBrokenLoad(t *testing.T) {
	from := sqldbtest.New(t)
	stocked(t, from, 12000)
	text, sum := dumped(t, from)
	sqldbtest.Each(t, func(t *testing.T, to *sqldb.DB) {
		ctx := t.Context()
		emptied(t, to)
		before := int64(0)
		for i := 1; i < 10; i++ {
			_, err := (&sqldb.Load{DB: to}).Read(ctx, &cutReader{strings.NewReader(text), i * len(text) / 10})
			if !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			if err := to.Unfinished(ctx); !errors.Is(err, sqldb.ErrUnfinished) {
				t.Fatalf("after %d tenths: %v", i, err)
			}
		}
		other := strings.Replace(text, `"id":"this"`, `"id":"other"`, 1)
		if _, err := (&sqldb.Load{DB: to}).Read(ctx, strings.NewReader(other)); !errors.Is(err, sqldb.ErrUnfinished) {
			t.Errorf("another dump: %v", err)
		}
		done, err := (&sqldb.Load{DB: to}).Read(ctx, strings.NewReader(text))
		if before = done.Before; err != nil || before < 8000 {
			t.Fatalf("%+v %v", done, err)
		}
		if _, again := dumped(t, to); again != sum {
			t.Error("it is not the same")
		}
		if err := to.Unfinished(ctx); err != nil {
			t.Error(err)
		}
	})
}

// What stands in the database that the dump has not is found by comparing; a load that
// begins anew removes it.
func TestLoadIsCompared(t *testing.T) {
	from := sqldbtest.New(t)
	stocked(t, from, 5000)
	text, sum := dumped(t, from)
	sqldbtest.Each(t, func(t *testing.T, to *sqldb.DB) {
		ctx := t.Context()
		emptied(t, to)
		if _, err := (&sqldb.Load{DB: to}).Read(ctx, &cutReader{strings.NewReader(text), len(text) * 9 / 10}); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		err := to.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `UPDATE book SET read = 77 WHERE title = 'title 17'`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&sqldb.Load{DB: to}).Read(ctx, strings.NewReader(text)); !errors.Is(err, sqldb.ErrDiffers) {
			t.Fatalf("a row is another one: %v", err)
		}
		if err := to.Unfinished(ctx); !errors.Is(err, sqldb.ErrUnfinished) {
			t.Error(err)
		}
		if _, err := (&sqldb.Load{DB: to, Again: true}).Read(ctx, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if _, again := dumped(t, to); again != sum {
			t.Error("it is not the same")
		}
	})
}

func TestHostileDumps(t *testing.T) {
	from := sqldbtest.New(t)
	stocked(t, from, 10)
	good, _ := dumped(t, from)
	replaced := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	lines := strings.SplitAfter(good, "\n")
	cases := map[string]string{
		"nothing":                "",
		"no dump":                "hello\n",
		"another version":        replaced(`"version":1`, `"version":2`),
		"newer tables":           replaced(`"shelves":2`, `"shelves":3`),
		"older tables":           replaced(`"shelves":2`, `"shelves":1`),
		"a table that is none":   replaced(`"name":"book"`, `"name":"book; DROP TABLE book"`),
		"one of this room":       replaced(`"name":"book"`, `"name":"sqldb_step"`),
		"a column that is none":  replaced(`"pages"`, `"pages, (SELECT 1)"`),
		"a column twice":         replaced(`"pages"`, `"title"`),
		"a row too short":        replaced(`[1,"z"]`, `[1]`),
		"a number that is none":  replaced(`[1,"z"]`, `["1","z"]`),
		"a row changed":          replaced(`[1,"z"]`, `[1,"y"]`),
		"a row refers to none":   replaced(`[1,"none"`, `[99,"none"`),
		"a row less":             strings.Replace(good, lines[3], "", 1),
		"something follows":      good + "x\n",
		"a line without an end":  strings.Repeat("x", 17<<20),
		"without its last line":  strings.Join(lines[:len(lines)-2], ""),
		"without its last table": strings.Join(append(append([]string{}, lines[:len(lines)-4]...), lines[len(lines)-2:]...), ""),
	}
	for n := 0; n < len(good)-1; n += 97 {
		cases[fmt.Sprintf("cut after %d bytes", n)] = good[:n]
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			to := emptied(t, sqldbtest.New(t))
			if _, err := (&sqldb.Load{DB: to}).Read(context.Background(), strings.NewReader(text)); !errors.Is(err, sqldb.ErrBadDump) {
				t.Errorf("%v", err)
			}
			if _, err := (&sqldb.Load{DB: to, Again: true}).Read(context.Background(), strings.NewReader(good)); err != nil {
				t.Errorf("the good one after it: %v", err)
			}
		})
	}
}

// Texts that PostgreSQL would not take are found before anything is half written.
func TestDumpWantsUTF8(t *testing.T) {
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	migrate(t, db, "things", things)
	err = db.Write(t.Context(), func(tx sqldb.Queryer) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO thing (name, n) VALUES (CAST(x'ff61' AS TEXT), 1)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&sqldb.Dump{DB: db, ID: "x"}).Write(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "thing.name") {
		t.Errorf("%v", err)
	}
}

// FuzzLoad: whatever is read, only a whole dump is loaded.
func FuzzLoad(f *testing.F) {
	f.Add("")
	f.Add(`{"davwopi-state":{"version":1,"id":"a","steps":{}}}` + "\n" + `{"end":{"lines":1,"sha256":""}}` + "\n")
	f.Add(`{"davwopi-state":{"version":1,"id":"a","steps":{}}}` + "\n" + `{"table":{"name":"thing","columns":["id","name","n","bytes"],"next":-1}}` + "\n[1,\"x\",1,null]\n")
	db, err := sqldb.Open(f.Context(), filepath.Join(f.TempDir(), "state.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	if err := db.Migrate(f.Context(), "things", things); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := &sqldb.Load{DB: db, Again: true}
		if _, err := l.Read(t.Context(), strings.NewReader(text)); err == nil {
			if !strings.Contains(text, `{"end":`) {
				t.Error("loaded without an end")
			}
			// It is whole: the next one needs an empty database.
			_ = db.Write(t.Context(), func(tx sqldb.Queryer) error {
				_, err := tx.Exec(t.Context(), `DELETE FROM thing`)
				return err
			})
		}
	})
}
