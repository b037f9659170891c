package idmap

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// AtAll is [Map.At] for members of one container, in one transaction and in the
// order of res. complete says that res is all that parent holds for the person
// who listed it; what we knew there and res does not show is missing from now on
// (not dead: it may have been moved).
//
// A path that is not a member of parent is an error; nothing is recorded then.
func (m *Map) AtAll(ctx context.Context, s SpaceID, parent dav.Path, res []dav.Resource, complete bool) ([]Entry, error) {
	fail := func(err error) ([]Entry, error) {
		return nil, fmt.Errorf("idmap: listing of %q: %w", parent, err)
	}
	for _, r := range res {
		if r.Path.IsRoot() || r.Path.Parent() != parent {
			return fail(fmt.Errorf("%q is no member: %w", r.Path, dav.ErrBadPath))
		}
	}
	entries, ok, err := m.listingNothingNew(ctx, s, parent, res, complete)
	if err != nil {
		return fail(err)
	}
	if ok {
		return entries, nil
	}
	err = m.change(ctx, s, func(c *change) error {
		var err error
		entries, err = c.listing(ctx, parent, res, complete)
		return err
	})
	if err != nil {
		return fail(err)
	}
	return entries, nil
}

// A member is what we know at a name of a container.
type member struct {
	place    place
	resource *resource
}

// members reads what owns the names below a container.
func members(ctx context.Context, q sqldb.Queryer, s SpaceID, parent int64) (map[string]member, error) {
	rows, err := q.Query(ctx, `SELECT `+placeColumns+`, `+resourceColumns+` FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource
		WHERE p.parent = ? AND p.space = ? AND p.waiting = 0`, parent, s)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]member{}
	for rows.Next() {
		m := member{resource: new(resource)}
		if err := rows.Scan(append(m.place.columns(), m.resource.columns()...)...); err != nil {
			return nil, err
		}
		all[m.place.name] = m
	}
	return all, rows.Err()
}

// membersOf is members, if the listing is complete. Of another, which may be a page of a
// folder with very many, it reads only the names that the listing shows.
func membersOf(ctx context.Context, q sqldb.Queryer, s SpaceID, parent int64, res []dav.Resource, complete bool) (map[string]member, error) {
	if complete {
		return members(ctx, q, s, parent)
	}
	all := make(map[string]member, len(res))
	for part := range slices.Chunk(res, MaxBatch) {
		known, err := membersCalled(ctx, q, s, parent, part)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, known)
	}
	return all, nil
}

// listingNothingNew answers AtAll where there is nothing to write.
func (m *Map) listingNothingNew(ctx context.Context, s SpaceID, parent dav.Path, res []dav.Resource, complete bool) ([]Entry, bool, error) {
	q, names := m.DB.Read(), parent.Segments()
	chain, err := down(ctx, q, s, names)
	if err != nil || len(chain) != len(names)+1 {
		return nil, false, err
	}
	for _, p := range chain {
		if p.missing != 0 {
			return nil, false, nil
		}
	}
	known, err := membersOf(ctx, q, s, chain[len(chain)-1].resource, res, complete)
	if err != nil {
		return nil, false, err
	}
	now, err := m.DB.Now(ctx)
	if err != nil {
		return nil, false, err
	}
	entries := make([]Entry, 0, len(res))
	for _, r := range res {
		k, ok := known[r.Path.Base()]
		if !ok || k.resource.news(k.place, r, sqldb.Millis(now)) {
			return nil, false, nil
		}
		entries = append(entries, k.resource.entry(s, r.Path))
	}
	return entries, !complete || !anyGone(known, res), nil
}

// anyGone reports whether res lacks a member that was there.
func anyGone(known map[string]member, res []dav.Resource) bool {
	there := 0
	for _, k := range known {
		if k.place.missing == 0 {
			there++
		}
	}
	shown := make(map[string]bool, len(res))
	for _, r := range res {
		if k, ok := known[r.Path.Base()]; ok && k.place.missing == 0 {
			shown[r.Path.Base()] = true
		}
	}
	return len(shown) < there
}

func (c *change) listing(ctx context.Context, parent dav.Path, res []dav.Resource, complete bool) ([]Entry, error) {
	names := parent.Segments()
	parents, err := c.chain(ctx, names)
	if err != nil {
		return nil, err
	}
	known, err := membersOf(ctx, c.tx, c.space, parents[len(parents)-1], res, complete)
	if err != nil {
		return nil, err
	}
	// What is proven to be in its place cannot be what was seen elsewhere.
	c.used = make(map[int64]bool, len(res))
	for _, r := range res {
		if k, ok := known[r.Path.Base()]; ok && k.resource.compare(r) == same {
			c.used[k.resource.num] = true
		}
	}
	entries := make([]Entry, 0, len(res))
	for _, r := range res {
		shown, err := c.listed(ctx, known[r.Path.Base()], &parents, names, r)
		if err != nil {
			return nil, err
		}
		entries = append(entries, shown.entry(c.space, r.Path))
	}
	if complete {
		err = c.settleListing(ctx, parents[len(parents)-1], res)
	}
	return entries, err
}

// listed records one member. Most are as they were, and cost nothing.
func (c *change) listed(ctx context.Context, k member, parents *[]int64, names []string, res dav.Resource) (*resource, error) {
	if k.resource != nil && (k.resource.compare(res) == same || !c.used[k.resource.num]) {
		p := k.place
		p.seen = c.now // noted for all at once
		if !k.resource.news(p, res, c.now) {
			c.used[k.resource.num] = true
			return k.resource, nil
		}
	}
	if c.stale {
		var err error
		if *parents, err = c.chain(ctx, names); err != nil {
			return nil, err
		}
		c.stale = false
	}
	r, err := c.seeBelow(ctx, *parents, append(names[:len(names):len(names)], res.Path.Base()), res)
	if err != nil {
		return nil, err
	}
	c.used[r.num] = true
	return r, nil
}

// settleListing notes what a complete listing showed, and loses what it did not.
func (c *change) settleListing(ctx context.Context, parent int64, res []dav.Resource) error {
	shown := make(map[string]bool, len(res))
	for _, r := range res {
		shown[r.Path.Base()] = true
	}
	known, err := c.children(ctx, parent)
	if err != nil {
		return err
	}
	for _, p := range known {
		if !shown[p.name] {
			if err := c.lose(ctx, p.resource); err != nil {
				return err
			}
		}
	}
	_, err = c.tx.Exec(ctx, `UPDATE idmap_place SET seen = ? WHERE parent = ? AND space = ? AND waiting = 0 AND missing = 0 AND seen <= ?`,
		c.now, parent, c.space, c.now-seenAgain)
	return err
}
