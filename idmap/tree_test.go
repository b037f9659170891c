package idmap_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// A node is a file or folder of a tree.
type node struct {
	ino        int // never used again
	collection bool
	etag       int
	size       int64
	modified   time.Time
	stamp      string // a dead property
}

// A tree is an upstream in memory: what a PROPFIND on it would show. It is an
// idmap.Finder.
type tree struct {
	rids, natives bool // serves DAV:resource-id, oc:id
	noETags       bool
	stamps        bool // dead properties are kept
	weak          bool // the next answers carry weak ETags, as Apache's do for a second
	down          bool
	nodes         map[dav.Path]*node
	last          int // inode and ETag numbers
	asked         []string
}

var epoch = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func newTree() *tree {
	return &tree{rids: true, nodes: map[dav.Path]*node{"/": {ino: -1, collection: true, modified: epoch}}}
}

func (tr *tree) next() int {
	tr.last++
	return tr.last
}

func (tr *tree) add(p dav.Path, collection bool) *node {
	n := &node{ino: tr.next(), collection: collection, etag: tr.next(), size: 10, modified: epoch.Add(time.Duration(tr.last) * time.Second)}
	tr.nodes[p] = n
	return n
}

func (tr *tree) edit(p dav.Path) {
	n := tr.nodes[p]
	n.etag = tr.next()
	n.size++
	n.modified = n.modified.Add(time.Minute)
}

// copy is COPY, which takes the stamp along (Apache, lighttpd, WsgiDAV).
func (tr *tree) copy(from, to dav.Path) *node {
	n := tr.add(to, false)
	n.size, n.stamp = tr.nodes[from].size, tr.nodes[from].stamp
	return n
}

// clone is cp -p: no stamp, and the same fingerprint.
func (tr *tree) clone(from, to dav.Path) {
	n := tr.add(to, false)
	n.etag, n.size, n.modified = tr.nodes[from].etag, tr.nodes[from].size, tr.nodes[from].modified
}

func (tr *tree) remove(p dav.Path) {
	for q := range tr.nodes {
		if p.Contains(q) {
			delete(tr.nodes, q)
		}
	}
}

func (tr *tree) move(from, to dav.Path) {
	moved := map[dav.Path]*node{}
	for q, n := range tr.nodes {
		if from.Contains(q) {
			moved[to+q[len(from):]] = n
		}
	}
	tr.remove(from)
	tr.remove(to)
	maps.Copy(tr.nodes, moved)
}

func (tr *tree) paths() []dav.Path { return slices.Sorted(maps.Keys(tr.nodes)) }

func (tr *tree) res(p dav.Path) dav.Resource {
	n := tr.nodes[p]
	r := dav.Resource{Path: p, Collection: n.collection, Size: n.size, Modified: n.modified, QuotaAvailable: -1}
	if n.collection {
		r.Size = -1
	}
	if !tr.noETags {
		r.ETag = dav.ETag(fmt.Sprintf(`"e%d"`, n.etag))
		if tr.weak {
			r.ETag = "W/" + r.ETag
		}
	}
	if tr.stamps {
		r.Stamp, r.StampKnown = n.stamp, true
	}
	if tr.rids {
		r.ResourceID = fmt.Sprintf("urn:ino:%d", n.ino)
	}
	if tr.natives {
		r.NativeID = fmt.Sprintf("oc%d", n.ino)
	}
	return r
}

func (tr *tree) members(p dav.Path) []dav.Resource {
	var all []dav.Resource
	for _, q := range tr.paths() {
		if !q.IsRoot() && q.Parent() == p {
			all = append(all, tr.res(q))
		}
	}
	return all
}

func (tr *tree) Stat(_ context.Context, p dav.Path, _ ...dav.PropName) (dav.Resource, error) {
	tr.asked = append(tr.asked, "stat "+string(p))
	if tr.down {
		return dav.Resource{}, dav.ErrUnavailable
	}
	if tr.nodes[p] == nil {
		return dav.Resource{}, dav.ErrNotFound
	}
	return tr.res(p), nil
}

func (tr *tree) List(_ context.Context, p dav.Path, each func(dav.Resource) error) error {
	tr.asked = append(tr.asked, "list "+string(p))
	if tr.down {
		return dav.ErrUnavailable
	}
	if tr.nodes[p] == nil {
		return dav.ErrNotFound
	}
	for _, r := range tr.members(p) {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func (tr *tree) ByNativeID(_ context.Context, id string) (dav.Path, error) {
	tr.asked = append(tr.asked, "native "+id)
	if tr.down {
		return "", dav.ErrUnavailable
	}
	for p := range tr.nodes {
		if tr.natives && tr.res(p).NativeID == id {
			return p, nil
		}
	}
	if !tr.natives {
		return "", dav.ErrUnsupported
	}
	return "", dav.ErrNotFound
}

// asks returns what was asked since the last call.
func (tr *tree) asks() string {
	s := strings.Join(tr.asked, ", ")
	tr.asked = nil
	return s
}

// A world is a Map over one space and the tree behind it.
type world struct {
	testing.TB
	m  *idmap.Map
	s  idmap.SpaceID
	tr *tree
}

func newWorld(t testing.TB, db *sqldb.DB) *world {
	t.Helper()
	m, err := idmap.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Space(t.Context(), "nas", "")
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, m, s, newTree()}
}

// newMemoryWorld is for tests that need many worlds, and no PostgreSQL.
func newMemoryWorld(t testing.TB) *world { return newWorld(t, sqldbtest.New(t)) }

func (w *world) ctx() context.Context { return context.Background() }

// at shows the map what is at p.
func (w *world) at(p dav.Path) idmap.Entry {
	w.Helper()
	e, err := w.m.At(w.ctx(), w.s, w.tr.res(p))
	if err != nil {
		w.Fatal(err)
	}
	if e.Path != p || e.Name != p.Base() || e.Space != w.s || (e.Kind == idmap.Container) != w.tr.nodes[p].collection || !e.Missing.IsZero() {
		w.Fatalf("at %q: %+v", p, e)
	}
	return e
}

// add makes something and shows it to the map. A path that ends with a slash is
// a folder.
func (w *world) add(p dav.Path) idmap.Entry {
	w.Helper()
	name := strings.TrimSuffix(string(p), "/")
	w.tr.add(dav.Path(name), name != string(p))
	return w.at(dav.Path(name))
}

func (w *world) list(p dav.Path) []idmap.Entry {
	w.Helper()
	all, err := w.m.AtAll(w.ctx(), w.s, p, w.tr.members(p), true)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// seeAll is list with a look at other places.
func (w *world) seeAll(p dav.Path) []idmap.Entry {
	w.Helper()
	all, err := w.m.SeeAll(w.ctx(), w.s, p, w.tr.members(p), true, w.tr)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// later moves the database's clock on.
func (w *world) later(d time.Duration) {
	now, err := w.m.DB.Now(w.ctx())
	if err != nil {
		w.Fatal(err)
	}
	w.m.DB.SetClock(func() time.Time { return now.Add(d) })
}

// distinct checks that no two files that are there share an ID, as lists show them.
func (w *world) distinct() {
	w.Helper()
	met := map[idmap.FileID]dav.Path{}
	for _, p := range w.tr.paths() {
		if !w.tr.nodes[p].collection {
			continue
		}
		for _, e := range w.seeAll(p) {
			if at, ok := met[e.ID]; ok {
				w.Errorf("%q and %q share %s", at, e.Path, e.ID)
			}
			met[e.ID] = e.Path
		}
	}
}

func (w *world) known(id idmap.FileID) idmap.Entry {
	w.Helper()
	e, err := w.m.Known(w.ctx(), w.s, id)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// sound checks what must hold of the tables, whatever happened.
func (w *world) sound() {
	w.Helper()
	for _, c := range []struct{ what, query string }{
		{"a place of the dead", `SELECT COUNT(*) FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource WHERE r.died <> 0`},
		{"a living resource without a place", `SELECT COUNT(*) FROM idmap_resource r WHERE r.died = 0 AND NOT EXISTS (SELECT 1 FROM idmap_place p WHERE p.resource = r.num)`},
		{"a place below a file", `SELECT COUNT(*) FROM idmap_place p JOIN idmap_resource r ON r.num = p.parent WHERE r.kind <> 2`},
		{"a place below nothing", `SELECT COUNT(*) FROM idmap_place p WHERE p.parent <> 0 AND NOT EXISTS (SELECT 1 FROM idmap_place q WHERE q.resource = p.parent AND q.space = p.space)`},
		{"one that gave way and is not missing", `SELECT COUNT(*) FROM idmap_place WHERE waiting <> 0 AND (missing = 0 OR waiting <> resource)`},
		{"a space with two roots", `SELECT COUNT(*) FROM (SELECT space FROM idmap_place WHERE parent = 0 GROUP BY space HAVING COUNT(*) > 1) x`},
		{"a root with evidence", `SELECT COUNT(*) FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource WHERE p.parent = 0 AND (r.native_id IS NOT NULL OR r.resource_id IS NOT NULL)`},
		{"a loop", `WITH RECURSIVE reached (num, space) AS (SELECT resource, space FROM idmap_place WHERE parent = 0
			UNION SELECT p.resource, p.space FROM reached r JOIN idmap_place p ON p.parent = r.num AND p.space = r.space)
			SELECT (SELECT COUNT(*) FROM idmap_place) - (SELECT COUNT(*) FROM reached)`},
		{"a string that recurs", `SELECT COUNT(*) FROM idmap_revision v JOIN idmap_resource r ON r.num = v.resource
			WHERE v.version = r.version OR v.last_modified = r.last_modified OR v.number >= r.revision
			OR EXISTS (SELECT 1 FROM idmap_revision o WHERE o.resource = v.resource AND o.number <> v.number AND (o.version = v.version OR o.last_modified = v.last_modified))`},
		{"an ID of the wrong form", `SELECT COUNT(*) FROM idmap_resource WHERE LENGTH(id) <> 26`},
	} {
		var n int64
		if err := w.m.DB.Read().QueryRow(w.ctx(), c.query).Scan(&n); err != nil {
			w.Fatalf("%s: %v", c.what, err)
		}
		if n != 0 {
			w.Fatalf("%s: %d", c.what, n)
		}
	}
}
