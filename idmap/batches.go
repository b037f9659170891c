package idmap

import (
	"context"
	"fmt"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// MaxBatch is the most resources that [Batches.Add] takes at once.
const MaxBatch = 500

// Batches records a listing of one container while it arrives, for folders that are
// too large to be held as [Map.AtAll] does. Its memory is a number per entry, and
// what it holds back. It is for one listing and one goroutine.
//
// Nothing is written for members that are as they were. What the listing does not
// show is not taken for missing.
type Batches struct {
	m      *Map
	space  SpaceID
	parent dav.Path
	used   map[int64]bool // resources that this listing has shown
	held   []dav.Resource
	looker *looker    // for the doubts that the members raise; nil: not yet
	fresh  []dav.Path // members that it remembers: those of the last See
}

// Batches begins a listing of the container at parent.
func (m *Map) Batches(s SpaceID, parent dav.Path) *Batches {
	return &Batches{m: m, space: s, parent: parent, used: make(map[int64]bool)}
}

// See settles the doubts that the next members raise, as [Map.SeeMembers] does, before
// they are added. One listing costs at most 30 requests of f for that, whatever its
// length; they are made while the listing is read.
func (b *Batches) See(ctx context.Context, res []dav.Resource, f Finder) error {
	if b.looker == nil {
		b.looker = newLooker(f)
		b.looker.recall = b.recall
	}
	for _, p := range b.fresh { // they are recorded now
		delete(b.looker.stats, p)
	}
	b.fresh = b.fresh[:0]
	for _, r := range res {
		b.fresh = append(b.fresh, r.Path)
	}
	return b.m.SeeMembers(ctx, b.space, b.parent, res, b.looker)
}

// recall is what an earlier part of the listing showed at p, from the database: of a
// member that was recorded since, the row is what was seen of it.
func (b *Batches) recall(ctx context.Context, p dav.Path) (dav.Resource, bool, error) {
	if p.IsRoot() || p.Parent() != b.parent {
		return dav.Resource{}, false, nil
	}
	r, at, err := b.m.ownerAt(ctx, b.space, p)
	if err != nil || r == nil || at.missing != 0 || !b.used[r.num] {
		return dav.Resource{}, false, err
	}
	return dav.Resource{
		Path: p, Collection: r.kind == Container, ETag: r.etag, Size: r.size, Modified: sqldb.FromMillis(r.mtime),
		NativeID: r.native, ResourceID: r.rid, QuotaAvailable: -1,
	}, true, nil
}

// Add is [Map.AtAll] for the next members, at most [MaxBatch]. It returns their
// entries in order, but for those that may turn out to be hard links of members that
// are still to come: these are given by [Batches.End].
func (b *Batches) Add(ctx context.Context, res []dav.Resource) ([]Entry, error) {
	entries, err := b.add(ctx, res, true)
	if err != nil {
		return nil, fmt.Errorf("idmap: listing of %q: %w", b.parent, err)
	}
	return entries, nil
}

// End returns the entries that were held back. The listing must be whole.
func (b *Batches) End(ctx context.Context) ([]Entry, error) {
	var all []Entry
	for len(b.held) > 0 {
		n := min(len(b.held), MaxBatch)
		entries, err := b.add(ctx, b.held[:n], false)
		if err != nil {
			return nil, fmt.Errorf("idmap: listing of %q: %w", b.parent, err)
		}
		all, b.held = append(all, entries...), b.held[n:]
	}
	return all, nil
}

func (b *Batches) add(ctx context.Context, res []dav.Resource, hold bool) ([]Entry, error) {
	if len(res) == 0 || len(res) > MaxBatch {
		return nil, fmt.Errorf("%d members at once", len(res))
	}
	for _, r := range res {
		if r.Path.IsRoot() || r.Path.Parent() != b.parent {
			return nil, fmt.Errorf("%q is no member: %w", r.Path, dav.ErrBadPath)
		}
	}
	entries, ok, err := b.nothingNew(ctx, res)
	if ok || err != nil {
		return entries, err
	}
	var try *batch
	err = b.m.change(ctx, b.space, func(c *change) error {
		try.undo() // it may run again
		try = &batch{change: c, parent: b.parent, hold: hold}
		c.used = b.used
		return try.record(ctx, res)
	})
	if err != nil {
		return nil, err
	}
	b.held = append(b.held, try.held...)
	return try.entries, nil
}

// nothingNew answers where there is nothing to write.
func (b *Batches) nothingNew(ctx context.Context, res []dav.Resource) ([]Entry, bool, error) {
	q, names := b.m.DB.Read(), b.parent.Segments()
	chain, err := down(ctx, q, b.space, names)
	if err != nil || len(chain) != len(names)+1 {
		return nil, false, err
	}
	for _, p := range chain {
		if p.missing != 0 {
			return nil, false, nil
		}
	}
	known, err := membersCalled(ctx, q, b.space, chain[len(names)].resource, res)
	if err != nil {
		return nil, false, err
	}
	now, err := b.m.DB.Now(ctx)
	if err != nil {
		return nil, false, err
	}
	entries := make([]Entry, 0, len(res))
	for _, r := range res {
		k, ok := known[r.Path.Base()]
		if !ok || k.resource.news(k.place, r, sqldb.Millis(now)) {
			return nil, false, nil
		}
		entries = append(entries, k.resource.entry(b.space, r.Path))
	}
	for _, k := range known {
		b.used[k.resource.num] = true
	}
	return entries, true, nil
}

// A batch is one try to record the members of one [Batches.Add].
type batch struct {
	*change
	parent  dav.Path
	hold    bool
	entries []Entry
	held    []dav.Resource
	marked  []int64 // resources that it has put into used
}

// undo takes back what a try that came to nothing has noted as shown.
func (b *batch) undo() {
	if b == nil {
		return
	}
	for _, num := range b.marked {
		delete(b.used, num)
	}
}

func (b *batch) mark(num int64) {
	if !b.used[num] {
		b.used[num], b.marked = true, append(b.marked, num)
	}
}

// record is nothingNew where there is something.
func (b *batch) record(ctx context.Context, res []dav.Resource) error {
	names := b.parent.Segments()
	parents, err := b.chain(ctx, names)
	if err != nil {
		return err
	}
	parent := parents[len(parents)-1]
	known, err := membersCalled(ctx, b.tx, b.space, parent, res)
	if err != nil {
		return err
	}
	// What is proven to be in its place cannot be what was seen elsewhere.
	for _, r := range res {
		if k, ok := known[r.Path.Base()]; ok && k.resource.compare(r) == same {
			b.mark(k.resource.num)
		}
	}
	for _, r := range res {
		k := known[r.Path.Base()]
		if b.hold && (k.resource == nil || k.resource.compare(r) != same) {
			unclear, err := b.isElsewhere(ctx, parent, r)
			if err != nil {
				return err
			}
			if unclear {
				b.held = append(b.held, r)
				continue
			}
		}
		before := len(b.used)
		shown, err := b.listed(ctx, k, &parents, names, r)
		if err != nil {
			return err
		}
		if len(b.used) > before {
			b.marked = append(b.marked, shown.num)
		}
		b.entries = append(b.entries, shown.entry(b.space, r.Path))
	}
	return b.seeAgain(ctx, parent, res)
}

// isElsewhere reports whether by its evidence res is a resource that was last seen
// in the same container under another name, and that this listing has not shown: it
// was renamed, or it has two names.
func (c *change) isElsewhere(ctx context.Context, parent int64, res dav.Resource) (bool, error) {
	known, err := c.knownBy(ctx, res)
	if err != nil || known == nil || known.died != 0 {
		return false, err
	}
	var n int
	err = c.tx.QueryRow(ctx, `SELECT COUNT(*) FROM idmap_place p WHERE p.resource = ? AND p.space = ? AND p.parent = ?
		AND p.waiting = 0 AND p.missing = 0 AND p.name <> ?`, known.num, c.space, parent, res.Path.Base()).Scan(&n)
	return n > 0, err
}

// seeAgain notes once an hour that the members are still there.
func (c *change) seeAgain(ctx context.Context, parent int64, res []dav.Resource) error {
	in, args := called(res)
	_, err := c.tx.Exec(ctx, `UPDATE idmap_place SET seen = ? WHERE parent = ? AND space = ? AND waiting = 0 AND missing = 0
		AND seen <= ? AND name IN `+in, append([]any{c.now, parent, c.space, c.now - seenAgain}, args...)...)
	return err
}

// membersCalled is members, of those names only.
func membersCalled(ctx context.Context, q sqldb.Queryer, s SpaceID, parent int64, res []dav.Resource) (map[string]member, error) {
	all := make(map[string]member, len(res))
	in, args := called(res)
	rows, err := q.Query(ctx, `SELECT `+placeColumns+`, `+resourceColumns+` FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource
		WHERE p.parent = ? AND p.space = ? AND p.waiting = 0 AND p.name IN `+in, append([]any{parent, s}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		m := member{resource: new(resource)}
		if err := rows.Scan(append(m.place.columns(), m.resource.columns()...)...); err != nil {
			return nil, err
		}
		all[m.place.name] = m
	}
	return all, rows.Err()
}

// called are the names of res, as what follows an IN.
func called(res []dav.Resource) (in string, args []any) {
	names := make([]string, len(res))
	for i, r := range res {
		names[i] = r.Path.Base()
	}
	return sqldb.In(names)
}
