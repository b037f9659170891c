package bench

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	_ "modernc.org/sqlite" // registers "sqlite"

	"davwopi/davbackend/dav"
)

// shown is a resource as the embedded server would show it.
func shown(p dav.Path, collection bool) dav.Resource {
	res := dav.Resource{
		Path: p, Collection: collection, Size: -1, QuotaAvailable: -1,
		ResourceID: fmt.Sprintf("urn:uuid:%08x-%04x-4%03x-a%03x-%012x", rand.Uint32(), rand.IntN(1<<16), rand.IntN(1<<12), rand.IntN(1<<12), rand.Int64N(1<<48)),
	}
	if !collection {
		res.ETag, res.Size = dav.ETag(fmt.Sprintf(`"%016x%016x"`, rand.Uint64(), rand.Uint64())), rand.Int64N(1<<24)
		res.Modified = time.Unix(1_700_000_000+rand.Int64N(1<<26), 0)
	}
	return res
}

// listing is a folder of new files.
func listing(folder dav.Path) []dav.Resource {
	res := make([]dav.Resource, perFolder)
	for i := range res {
		res[i] = shown(folder+dav.Path(fmt.Sprintf("/document-%d.odt", i)), false)
	}
	return res
}

// makeFolders makes all folders the way the product does.
func (l *large) makeFolders(b *testing.B) {
	b.Helper()
	for i := range l.files / perFolder {
		if _, err := l.m.At(b.Context(), l.s, shown(l.folder(i), true)); err != nil {
			b.Fatal(err)
		}
	}
}

// fill puts the files into the folders past the map, and without the care for a power
// cut: ten million listings of the product would take an hour. What it makes is what
// listings make; BenchmarkIDs/List1000New says how fast those are.
func (l *large) fill(b *testing.B) {
	b.Helper()
	db, err := sql.Open("sqlite", "file://"+l.file()+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-4000000)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	began := time.Now()
	const folders = `CREATE TEMP TABLE folder AS SELECT (ROW_NUMBER() OVER (ORDER BY p.resource) - 1) AS k, p.resource, r.upstream, r.home
		FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource WHERE p.name LIKE 'part-%'`
	const members = ` FROM folder f JOIN n WHERE f.k BETWEEN ? AND ?`
	const num = `(SELECT last FROM top) + f.k * 1000 + n.i + 1`
	// Random, and in the alphabet of IDs.
	const id = `REPLACE(REPLACE(REPLACE(REPLACE(LOWER(HEX(RANDOMBLOB(13))), '0', 'g'), '1', 'h'), '8', 'i'), '9', 'j')`
	for _, q := range []string{
		folders,
		`CREATE TEMP TABLE top AS SELECT MAX(num) AS last FROM idmap_resource`,
		`CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999) SELECT i FROM n`,
	} {
		if _, err := db.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
	tenth := l.files / perFolder / 10
	for i := range 10 {
		for _, q := range []string{
			`INSERT INTO idmap_resource (num, id, upstream, home, kind, died, resource_id, epoch, revision, version, last_modified, top, floor, etag, size, mtime)
				SELECT ` + num + `, ` + id + `, f.upstream, f.home, 1, 0, 'urn:uuid:' || SUBSTR(` + id + `, 1, 8) || '-1234-4567-a123-' || SUBSTR(HEX(RANDOMBLOB(6)), 1, 12),
				1, 1, '1.abcd' || SUBSTR(` + id + `, 1, 5), '2026-11-20T09:00:00.' || PRINTF('%07d', ABS(RANDOM()) % 10000000) || 'Z',
				1795000000, 0, '"' || LOWER(HEX(RANDOMBLOB(16))) || '"', ABS(RANDOM()) % 16777216, 1700000000000 + ABS(RANDOM()) % 67108864000` + members,
			`INSERT INTO idmap_place (parent, space, name, waiting, resource, missing, seen)
				SELECT f.resource, f.home, 'document-' || n.i || '.odt', 0, ` + num + `, 0, 1795000000000` + members,
		} {
			if _, err := db.Exec(q, i*tenth, (i+1)*tenth-1); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Logf("%d files made in %v", l.files, time.Since(began).Round(time.Second))
}
