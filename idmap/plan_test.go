package idmap

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// planned runs queries only after a look at how SQLite would go about them.
type planned struct {
	sqldb.Queryer
	t       *testing.T
	checked *int
}

func (p planned) check(ctx context.Context, query string, args []any) {
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
	*p.checked++
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
func TestNoQueryReadsAWholeTable(t *testing.T) {
	ctx := t.Context()
	db := sqldbtest.New(t)
	m, err := New(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Space(ctx, "nas", "")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	do := func(f func(c *change) error) {
		t.Helper()
		u, err := m.upstreamRow(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(ctx, func(tx sqldb.Queryer) error {
			return f(&change{tx: planned{tx, t, &checked}, space: s, upstream: u, now: 1e12})
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
