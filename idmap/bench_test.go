package idmap_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// fill gives the world a tree of files, 1000 to a folder, at /big/N/name, as fast
// as the database takes it.
func (w *world) fill(files int) {
	w.Helper()
	tr := newTree()
	for f := 0; f < files; f += 1000 {
		folder := dav.Path(fmt.Sprintf("/big/%d", f/1000))
		res := make([]dav.Resource, 0, 1000)
		for i := range min(1000, files-f) {
			p := dav.Path(fmt.Sprintf("%s/document-%d.odt", folder, i))
			tr.add(p, false)
			res = append(res, tr.res(p))
		}
		if _, err := w.m.AtAll(w.ctx(), w.s, folder, res, true); err != nil {
			w.Fatal(err)
		}
	}
}

// flood puts n files into a folder that has one, past the Map, because a listing
// of that many takes seconds.
func (w *world) flood(folder dav.Path, n int) {
	w.Helper()
	one, err := w.m.KnownAt(w.ctx(), w.s, folder)
	if err != nil {
		w.Fatal(err)
	}
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST(? AS BIGINT)) `
	err = w.m.DB.Write(w.ctx(), func(tx sqldb.Queryer) error {
		_, err := tx.Exec(w.ctx(), numbers+`INSERT INTO idmap_resource (id, upstream, home, kind, died, resource_id, epoch, revision, version, last_modified, top, floor, etag, size, mtime)
			SELECT 'flood100' || CAST(100000000000000000 + n.i AS TEXT), r.upstream, r.home, 1, 0, 'urn:flood:' || n.i, 1, 1, 'v', 'l', 0, 0, 'e', 1, 1 FROM n, idmap_resource r WHERE r.id = ?`, n, one.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(w.ctx(), `INSERT INTO idmap_place (parent, space, name, waiting, resource, missing, seen)
			SELECT c.num, c.home, r.id, 0, r.num, 0, 0 FROM idmap_resource r, idmap_resource c WHERE r.id LIKE 'flood%' AND c.id = ?`, one.ID)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

// The reason why the tree is by parent: renaming a folder is one row, whatever
// lies below it. Counted by triggers, not by a clock.
func TestFolderRenameTouchesOneRow(t *testing.T) {
	files := 100_000
	if raced {
		files = 10_000
	}
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { renameTouchesOneRow(t, db, files) })
}

func renameTouchesOneRow(t *testing.T, db *sqldb.DB, files int) {
	w := newWorld(t, db)
	w.add("/big/3/document-77.odt")
	w.flood("/big/3", files)
	deep, err := w.m.KnownAt(w.ctx(), w.s, "/big/3/document-77.odt")
	if err != nil {
		t.Fatal(err)
	}
	triggers := `
		CREATE TRIGGER p AFTER UPDATE ON idmap_place BEGIN INSERT INTO touched VALUES ('place ' || old.name); END;
		CREATE TRIGGER i AFTER INSERT ON idmap_place BEGIN INSERT INTO touched VALUES ('new place ' || new.name); END;
		CREATE TRIGGER d AFTER DELETE ON idmap_place BEGIN INSERT INTO touched VALUES ('gone ' || old.name); END`
	if db.Shared() {
		triggers = `
		CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN INSERT INTO touched VALUES (TG_OP || '' '' || COALESCE(new.name, old.name)); RETURN NULL; END';
		CREATE TRIGGER p AFTER UPDATE OR INSERT OR DELETE ON idmap_place FOR EACH ROW EXECUTE FUNCTION touch()`
	}
	if err := db.Migrate(w.ctx(), "count", []string{`CREATE TABLE touched (what TEXT);` + triggers}); err != nil {
		t.Fatal(err)
	}
	big, err := w.m.KnownAt(w.ctx(), w.s, "/big")
	if err != nil {
		t.Fatal(err)
	}
	for i, to := range []dav.Path{"/small", "/big"} {
		began := time.Now()
		if _, err := w.m.Moved(w.ctx(), w.s, big.ID, to, dav.Resource{}); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d files below: %v", files, time.Since(began))
		if k := w.known(deep.ID); k.Path != to+"/3/document-77.odt" {
			t.Errorf("%+v", k)
		}
		var n int
		var what sql.NullString
		if err := db.Read().QueryRow(w.ctx(), `SELECT COUNT(*), MAX(what) FROM touched`).Scan(&n, &what); err != nil || n != i+1 {
			t.Errorf("%d rows (%s), %v", n, what.String, err)
		}
	}
}

const benchFiles = 100_000

// BenchmarkMap is about DESIGN.md 13: look-ups by ID and by path, what a request
// costs that shows nothing new, and the rename of a folder with everything below.
func BenchmarkMap(b *testing.B) {
	run := func(b *testing.B, db *sqldb.DB) {
		w := newWorld(b, db)
		w.fill(benchFiles)
		for _, c := range []struct {
			name string
			f    func(b *testing.B, w *world)
		}{
			{"KnownAt", benchKnownAt}, {"Known", benchKnown}, {"AtUnchanged", benchAtUnchanged}, {"Wrote", benchWrote},
			{"ListUnchanged1000", benchListUnchanged}, {"ListNew1000", benchListNew},
			{"RenameEmptyFolder", benchRename("/none")}, {"RenameFullFolder", benchRename("/big")},
		} {
			b.Run(c.name, func(b *testing.B) {
				w := *w
				w.TB = b
				c.f(b, &w)
			})
		}
	}
	b.Run("SQLite", func(b *testing.B) { run(b, sqldbtest.New(b)) })
	b.Run("PostgreSQL", func(b *testing.B) {
		db, err := sqldb.Open(b.Context(), sqldbtest.Postgres(b))
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		run(b, db)
	})
}

func anyPath() dav.Path {
	return dav.Path(fmt.Sprintf("/big/%d/document-%d.odt", rand.IntN(benchFiles/1000), rand.IntN(1000)))
}

func (w *world) any() idmap.Entry {
	e, err := w.m.KnownAt(w.ctx(), w.s, anyPath())
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func unchanged(e idmap.Entry) dav.Resource {
	return dav.Resource{Path: e.Path, ETag: e.Revision.ETag, Size: e.Revision.Size, Modified: e.Revision.Modified}
}

func benchKnownAt(b *testing.B, w *world) {
	for b.Loop() {
		w.any()
	}
}

func benchKnown(b *testing.B, w *world) {
	ids := make([]idmap.FileID, 1000)
	for i := range ids {
		ids[i] = w.any().ID
	}
	for i := 0; b.Loop(); i++ {
		w.known(ids[i%len(ids)])
	}
}

func benchAtUnchanged(b *testing.B, w *world) {
	res := unchanged(w.any())
	for b.Loop() {
		if _, err := w.m.At(w.ctx(), w.s, res); err != nil {
			b.Fatal(err)
		}
	}
}

func benchWrote(b *testing.B, w *world) {
	e := w.any()
	res := unchanged(e)
	for b.Loop() {
		if _, err := w.m.Wrote(w.ctx(), w.s, e.ID, res, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func benchListUnchanged(b *testing.B, w *world) {
	for i := range 1000 {
		w.tr.add(dav.Path(fmt.Sprintf("/l/document-%d.odt", i)), false).ino += 1e9
	}
	res := w.tr.members("/l")
	for b.Loop() {
		if _, err := w.m.AtAll(w.ctx(), w.s, "/l", res, true); err != nil {
			b.Fatal(err)
		}
	}
}

func benchListNew(b *testing.B, w *world) {
	for n := 0; b.Loop(); n++ {
		folder := dav.Path(fmt.Sprintf("/n/%d-%d", b.N, n))
		res := make([]dav.Resource, 1000)
		for i := range res {
			p := dav.Path(fmt.Sprintf("%s/document-%d.odt", folder, i))
			w.tr.add(p, false).ino += 2e9
			res[i] = w.tr.res(p)
		}
		if _, err := w.m.AtAll(w.ctx(), w.s, folder, res, true); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRename(from dav.Path) func(b *testing.B, w *world) {
	return func(b *testing.B, w *world) {
		e, err := w.m.At(w.ctx(), w.s, dav.Resource{Path: from, Collection: true})
		if err != nil {
			b.Fatal(err)
		}
		to := [2]dav.Path{from + "-moved", from}
		for i := 0; b.Loop(); i++ {
			if _, err := w.m.Moved(w.ctx(), w.s, e.ID, to[i%2], dav.Resource{}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.m.Moved(w.ctx(), w.s, e.ID, from, dav.Resource{}); err != nil {
			b.Fatal(err)
		}
	}
}
