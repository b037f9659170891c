package idmap

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// planned runs queries only after a look at how the database would go about them.
type planned struct {
	sqldb.Queryer
	t       *testing.T
	shared  bool // PostgreSQL
	checked *int
}

func (p planned) check(ctx context.Context, query string, args []any) {
	if p.shared {
		p.explain(ctx, query, args)
	} else {
		p.queryPlan(ctx, query, args)
	}
	*p.checked++
}

// A node is what PostgreSQL says of one step of a plan.
type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Plans    []node
}

// explain asks PostgreSQL, which plans by how many rows there are: see populate.
func (p planned) explain(ctx context.Context, query string, args []any) {
	var text []byte
	if err := p.Queryer.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+query, args...).Scan(&text); err != nil {
		p.t.Fatalf("%v: %s", err, query)
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(text, &plans); err != nil {
		p.t.Fatalf("%v: %s", err, text)
	}
	for _, plan := range plans {
		p.walk(plan.Plan, query)
	}
}

func (p planned) walk(n node, query string) {
	whole := n.Type == "Seq Scan" || strings.HasPrefix(n.Type, "Index") && n.Cond == ""
	if whole && slices.Contains([]string{"idmap_place", "idmap_resource", "idmap_revision"}, n.Relation) {
		p.t.Errorf("%s of %s %s in %s", n.Type, n.Relation, n.Index, query)
	}
	for _, below := range n.Plans {
		p.walk(below, query)
	}
}

// populate makes the tables so big that PostgreSQL does not read them whole because they
// are small: with files of another upstream, a hundred to a folder, some of them missing.
func populate(t *testing.T, m *Map, files int) {
	t.Helper()
	ctx := t.Context()
	s, err := m.Space(ctx, "other", "")
	if err != nil {
		t.Fatal(err)
	}
	upstream, err := m.upstreamRow(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST(? AS BIGINT)) `
	err = m.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, numbers+`INSERT INTO idmap_resource (id, upstream, home, kind, died, native_id, resource_id, stamp, inode, epoch, revision, version, last_modified, top, floor, etag, size, mtime)
			SELECT 'other' || n.i, CAST(? AS BIGINT), CAST(? AS BIGINT), 1, 0, CASE WHEN i % 2 = 0 THEN 'on' || i END, CASE WHEN i % 3 = 0 THEN 'or' || i END,
				CASE WHEN i % 5 = 0 THEN 'os' || i END, CASE WHEN i % 7 = 0 THEN 'oi' || i END, 1, 1, 'v', 'l', 0, 0, 'e', i, i FROM n`, files, upstream, s)
		if err != nil {
			return err
		}
		for _, q := range []string{
			`INSERT INTO idmap_place (parent, space, name, waiting, resource, missing, seen)
				SELECT num / 100 + 1, home, id, 0, num, CASE WHEN num % 1000 = 0 THEN 2000000000000 ELSE 0 END, 1 FROM idmap_resource WHERE id LIKE 'other%'`,
			`INSERT INTO idmap_revision (resource, number, version, last_modified, etag, size, mtime)
				SELECT num, 1, 'v', 'l', 'e', 1, 1 FROM idmap_resource WHERE id LIKE 'other%'`,
			`ANALYZE idmap_resource`, `ANALYZE idmap_place`, `ANALYZE idmap_revision`,
		} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// queryPlan asks SQLite.
func (p planned) queryPlan(ctx context.Context, query string, args []any) {
	rows, err := p.Queryer.Query(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		p.t.Fatalf("%v: %s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b, c int
		var detail string
		if err := rows.Scan(&a, &b, &c, &detail); err != nil {
			p.t.Fatal(err)
		}
		for _, table := range []string{"p", "q", "r", "idmap_place", "idmap_resource", "idmap_revision"} {
			if detail == "SCAN "+table || strings.HasPrefix(detail, "SCAN "+table+" ") {
				p.t.Errorf("%s in %s", detail, query)
			}
		}
	}
}

func (p planned) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	p.check(ctx, query, args)
	return p.Queryer.Exec(ctx, query, args...)
}

func (p planned) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.check(ctx, query, args)
	return p.Queryer.Query(ctx, query, args...)
}

func (p planned) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	p.check(ctx, query, args)
	return p.Queryer.QueryRow(ctx, query, args...)
}

// Ten million files: no query may read a whole table.
func TestNoQueryReadsAWholeTable(t *testing.T) { sqldbtest.Each(t, noQueryReadsAWholeTable) }

func noQueryReadsAWholeTable(t *testing.T, db *sqldb.DB) {
	ctx := t.Context()
	m, err := New(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Space(ctx, "nas", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.AtAll(ctx, s, "/", nil, true); err != nil { // the root is 1
		t.Fatal(err)
	}
	if db.Shared() {
		populate(t, m, 20_000)
	}
	checked := 0
	do := func(f func(c *change) error) {
		t.Helper()
		u, err := m.upstreamRow(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(ctx, func(tx sqldb.Queryer) error {
			return f(&change{tx: planned{tx, t, db.Shared(), &checked}, space: s, upstream: u, now: 1e12})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	file := func(p dav.Path, n int) dav.Resource {
		return dav.Resource{Path: p, Size: 1, ETag: dav.ETag(fmt.Sprintf(`"%d"`, n)), NativeID: fmt.Sprint("n", n), ResourceID: fmt.Sprint("r", n)}
	}
	var x *resource
	do(func(c *change) error {
		_, err := c.listing(ctx, "/a/b", []dav.Resource{file("/a/b/x", 1), file("/a/b/y", 2)}, true)
		return err
	})
	do(func(c *change) error { // y is where x was, x elsewhere, a folder in y's place
		_, err := c.listing(ctx, "/a/b", []dav.Resource{file("/a/b/x", 2), {Path: "/a/b/y", Collection: true}}, true)
		return err
	})
	do(func(c *change) error {
		x, err = c.see(ctx, []string{"c", "x"}, file("/c/x", 1))
		return err
	})
	do(func(c *change) error { return c.move(ctx, x, "/a/b/y", file("/a/b/y", 3)) })
	do(func(c *change) error {
		if err := c.advance(ctx, x, file("/a/b/y", 4), nil); err != nil {
			return err
		}
		return c.bind(ctx, x, file("/a/b/y", 4))
	})
	do(func(c *change) error { return c.lose(ctx, x.num) })
	do(func(c *change) error {
		gone, err := expired(ctx, c.tx, 2e12)
		if err != nil || len(gone) == 0 {
			t.Error("nothing expired", err)
		}
		return gone[0].giveUp(ctx, c.tx, 2e12)
	})
	do(func(c *change) error {
		if _, _, err := c.mine(ctx, "unknown"); err == nil {
			t.Error("found")
		}
		_, r, err := ownerOf(ctx, c.tx, s, 1, "a")
		if err != nil || r == nil {
			t.Fatal(r, err)
		}
		if _, err := up(ctx, c.tx, s, r.num); err != nil {
			return err
		}
		if _, _, err := upFrom(ctx, c.tx, s, r.id); err != nil {
			return err
		}
		if _, _, _, err := downTo(ctx, c.tx, s, []string{"a"}); err != nil {
			return err
		}
		return c.bury(ctx, r.num)
	})
	if checked < 50 {
		t.Errorf("only %d queries", checked)
	}
}
