package idmap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

var (
	// ErrThere: the file is still where it was, or what is there may be it.
	ErrThere = errors.New("idmap: it is still there")
	// ErrContradicted: the evidence says that something else is there.
	ErrContradicted = errors.New("idmap: the evidence says otherwise")
	// ErrSeveral: more than one file was at that place.
	ErrSeveral = errors.New("idmap: several files were there")
)

// Told is what [Map.Told] did.
type Told struct {
	Entry Entry
	From  dav.Path
	Ended FileID // the ID that was given to what is there before it was known what it is; "" none
}

// WasAt returns the ID of the file or folder that was at p and is not there any more,
// by what f shows there now. It returns [ErrNotFound] if nothing is known of p,
// [ErrThere] if what was there still is, and [ErrSeveral] with the IDs.
func (m *Map) WasAt(ctx context.Context, s SpaceID, p dav.Path, f Finder) (FileID, error) {
	id, err := m.wasAt(ctx, s, p, f)
	if err != nil {
		return "", fmt.Errorf("idmap: what was at %q: %w", p, err)
	}
	return id, nil
}

func (m *Map) wasAt(ctx context.Context, s SpaceID, p dav.Path, f Finder) (FileID, error) {
	if p.IsRoot() {
		return "", ErrRoot
	}
	q, names := m.DB.Read(), p.Segments()
	chain, err := down(ctx, q, s, names[:len(names)-1])
	if err != nil {
		return "", err
	}
	if len(chain) != len(names) {
		return "", ErrNotFound
	}
	known, err := allAt(ctx, q, s, chain[len(chain)-1].resource, names[len(names)-1])
	if err != nil {
		return "", err
	}
	seen, err := glance(ctx, f, p)
	if err != nil {
		return "", err
	}
	gone := slices.DeleteFunc(slices.Clone(known), func(k member) bool { return k.isAt(seen) })
	switch {
	case len(known) == 0:
		return "", ErrNotFound
	case len(gone) == 0:
		return "", ErrThere
	case len(gone) > 1:
		var ids []FileID
		for _, k := range gone {
			ids = append(ids, k.resource.id)
		}
		return "", fmt.Errorf("%w: %s", ErrSeveral, ids)
	}
	return gone[0].resource.id, nil
}

// allAt reads everything that has a place of that name: its owner, and what gave way.
func allAt(ctx context.Context, q sqldb.Queryer, s SpaceID, parent int64, name string) ([]member, error) {
	rows, err := q.Query(ctx, `SELECT `+placeColumns+`, `+resourceColumns+` FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource
		WHERE p.parent = ? AND p.space = ? AND p.name = ? ORDER BY p.waiting LIMIT 20`, parent, s, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []member
	for rows.Next() {
		k := member{resource: new(resource)}
		if err := rows.Scan(append(k.place.columns(), k.resource.columns()...)...); err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

// glance is what is at p; nil if nothing is.
func glance(ctx context.Context, f Finder, p dav.Path) (*dav.Resource, error) {
	res, err := f.Stat(ctx, p)
	if errors.Is(err, dav.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &res, nil
}

// isAt reports whether what was seen at the place of k may be k. What owns its place
// may have been edited there; what gave way must be proven to be back.
func (k member) isAt(seen *dav.Resource) bool {
	if seen == nil {
		return false
	}
	v := k.resource.compare(*seen)
	if k.place.waiting == 0 {
		return v != other
	}
	return v == same || v == unsure && k.resource.alike(*seen) != unlike
}

// Told records that id is at to now, on the operator's word: where others have moved
// it in a way that no evidence shows. f must show that it is not where it was, and
// that a resource of its kind is at to. It returns [ErrThere] if it is still there,
// [ErrMissing] if nothing is at to, [ErrKind], [ErrRoot] and [ErrBelow] as [Map.Moved]
// does, [ErrNotFound] if id is dead, and [ErrContradicted] if the server shows id at a
// third place, if what is at to is known to be another file, or if another file was
// known there before id was known at all. Nothing is recorded then.
//
// An ID that to was given meanwhile ends, and so do those of the files below, where
// those of id's own are there under the same names.
func (m *Map) Told(ctx context.Context, s SpaceID, id FileID, to dav.Path, f Finder) (Told, error) {
	t, err := m.told(ctx, s, id, to, f)
	if err != nil {
		return Told{}, fmt.Errorf("idmap: told that %s moved to %q: %w", id, to, err)
	}
	return t, nil
}

func (m *Map) told(ctx context.Context, s SpaceID, id FileID, to dav.Path, f Finder) (Told, error) {
	r, chain, err := m.locate(ctx, s, id)
	if err != nil {
		return Told{}, err
	}
	t := Told{From: located(s, r, chain).Path}
	if chain[0].parent == 0 || to.IsRoot() {
		return t, ErrRoot
	}
	if t.From == to && chain[0].waiting == 0 {
		return t, fmt.Errorf("both places are the same: %w", ErrThere)
	}
	seen, err := glance(ctx, f, t.From)
	if err != nil {
		return t, err
	}
	if (member{place: chain[0], resource: r}).isAt(seen) {
		return t, ErrThere
	}
	res, err := f.Stat(ctx, to)
	if errors.Is(err, dav.ErrNotFound) {
		return t, ErrMissing
	}
	if err != nil {
		return t, err
	}
	if kindOf(res) != r.kind {
		return t, ErrKind
	}
	if err := r.elsewhere(ctx, res, f); err != nil {
		return t, err
	}
	err = m.change(ctx, s, func(c *change) error {
		var err error
		t.Entry, t.Ended, err = c.told(ctx, r.id, t.From, res)
		return err
	})
	return t, err
}

// elsewhere returns ErrContradicted if the server knows r at another place than that
// of res.
func (r *resource) elsewhere(ctx context.Context, res dav.Resource, f Finder) error {
	if r.native == "" || r.native == res.NativeID {
		return nil
	}
	p, err := f.ByNativeID(ctx, r.native)
	switch {
	case errors.Is(err, dav.ErrNotFound) || errors.Is(err, dav.ErrUnsupported):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: the server has it at %q", ErrContradicted, p)
}

func (c *change) told(ctx context.Context, id FileID, from dav.Path, res dav.Resource) (Entry, FileID, error) {
	fail := func(err error) (Entry, FileID, error) { return Entry{}, "", err }
	r, _, err := c.mine(ctx, id)
	if err != nil {
		return fail(err)
	}
	names := res.Path.Segments()
	parents, err := c.chain(ctx, names[:len(names)-1])
	if err != nil {
		return fail(err)
	}
	if slices.Contains(parents, r.num) {
		return fail(ErrBelow)
	}
	parent, name := parents[len(parents)-1], names[len(names)-1]
	_, owner, err := ownerOf(ctx, c.tx, c.space, parent, name)
	if err != nil {
		return fail(err)
	}
	if owner != nil && owner.num == r.num {
		owner = nil
	}
	if err := c.contradicts(ctx, r, owner, res); err != nil {
		return fail(err)
	}
	if r.kind == Container {
		if err := c.remember(ctx, from, res.Path); err != nil {
			return fail(err)
		}
	}
	ended, err := c.makeWay(ctx, r, owner, res)
	if err != nil {
		return fail(err)
	}
	if err := c.put(ctx, r.num, parent, name); err != nil {
		return fail(err)
	}
	if err := c.takeOn(ctx, r, res); err != nil {
		return fail(err)
	}
	return r.entry(c.space, res.Path), ended, nil
}

// contradicts weighs what is known of res against its being r. owner is the other file
// that is known at its place, nil if none is.
func (c *change) contradicts(ctx context.Context, r, owner *resource, res dav.Resource) error {
	known, err := c.knownBy(ctx, res)
	if err != nil {
		return err
	}
	if known != nil && known.num != r.num && (owner == nil || known.num != owner.num) {
		return fmt.Errorf("%w: what is there is known as %s", ErrContradicted, known.id)
	}
	proven := r.compare(res) == same || r.alike(res) == strongly
	if owner != nil && owner.num < r.num && owner.compare(res) != other && !proven {
		return fmt.Errorf("%w: %s was known there before", ErrContradicted, owner.id)
	}
	return nil
}

// makeWay frees the place of res for r, and returns the ID that ended for it.
func (c *change) makeWay(ctx context.Context, r, owner *resource, res dav.Resource) (FileID, error) {
	if owner == nil {
		return "", nil
	}
	if owner.compare(res) == other {
		return "", c.displace(ctx, owner.num)
	}
	above, err := up(ctx, c.tx, c.space, r.num)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(above, func(p place) bool { return p.resource == owner.num }) {
		return "", ErrBelow
	}
	if owner.kind == Container {
		if err := c.unite(ctx, owner.num, r.num); err != nil {
			return "", err
		}
	}
	if err := c.claim(ctx, &resource{num: r.num, native: owner.native, rid: owner.rid, inode: owner.inode}); err != nil {
		return "", err
	}
	return owner.id, c.bury(ctx, owner.num)
}

// unite hands what was seen below a container that has another's place over to that
// other, whose own IDs win: all but of those that were missing before, and are by
// their evidence not what is there now. What is left below from is to be buried.
func (c *change) unite(ctx context.Context, from, to int64) error {
	type pair struct{ from, to int64 }
	for todo := []pair{{from, to}}; len(todo) > 0; {
		now := todo[0]
		todo = todo[1:]
		children, err := c.children(ctx, now.from)
		if err != nil {
			return err
		}
		for _, child := range children {
			younger, err := resourceBy(ctx, c.tx, `r.num = ?`, child.resource)
			if err != nil {
				return err
			}
			at, older, err := ownerOf(ctx, c.tx, c.space, now.to, child.name)
			if err != nil {
				return err
			}
			if older != nil && older.kind == younger.kind && (at.missing == 0 || older.compare(younger.seen()) != other) {
				if err := c.takeOn(ctx, older, younger.seen()); err != nil {
					return err
				}
				if err := c.put(ctx, older.num, now.to, child.name); err != nil {
					return err
				}
				if older.kind == Container {
					todo = append(todo, pair{younger.num, older.num})
				}
				continue
			}
			if older != nil {
				if err := c.displace(ctx, older.num); err != nil {
					return err
				}
			}
			if err := c.put(ctx, younger.num, now.to, child.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// seen is r as the PROPFIND showed it of which r was made.
func (r *resource) seen() dav.Resource {
	return dav.Resource{Collection: r.kind == Container, NativeID: r.native, ResourceID: r.rid, Inode: r.inode, Stamp: r.stamp, StampKnown: r.stamp != "",
		ETag: r.etag, Size: r.size, Modified: sqldb.FromMillis(r.mtime)}
}

// takeOn makes res what r is known by, whatever it was known by before, and its
// contents r's.
func (c *change) takeOn(ctx context.Context, r *resource, res dav.Resource) error {
	if r.kind == File && r.changed(res) {
		if err := c.advance(ctx, r, res, nil); err != nil {
			return err
		}
	}
	r.native, r.rid, r.inode = "", "", ""
	return c.bind(ctx, r, res)
}
