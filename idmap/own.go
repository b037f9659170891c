package idmap

import (
	"context"
	"fmt"
	"slices"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// Wrote records contents that we wrote ourselves and verified: res is what the
// PROPFIND after it showed, sha256 (32 bytes, or nil) is of the bytes. The result
// is always a new revision, equal bytes or not. The file is known by the evidence
// of res from now on, and nothing else is, also if the upstream gave the path to
// a new resource.
//
// It returns [ErrNotFound] if id died or has no place in s, and [ErrKind] if it
// is a container; nothing is recorded then.
func (m *Map) Wrote(ctx context.Context, s SpaceID, id FileID, res dav.Resource, sha256 []byte) (Entry, error) {
	return m.own(ctx, "wrote", s, id, res, sha256, true)
}

// WroteIn is [Map.Wrote] inside the transaction that writes down what follows from it.
func (m *Map) WroteIn(ctx context.Context, tx sqldb.Queryer, s SpaceID, id FileID, res dav.Resource, sha256 []byte, now time.Time) (Entry, error) {
	if err := checkHash(sha256); err != nil {
		return Entry{}, err
	}
	upstream, err := m.upstreamRow(ctx, s)
	if err != nil {
		return Entry{}, err
	}
	c := &change{tx: tx, space: s, upstream: upstream, now: sqldb.Millis(now)}
	e, err := c.own(ctx, id, res, sha256, true)
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: wrote %s: %w", id, err)
	}
	return e, nil
}

// Rebind records that res is the present revision of id, under new evidence: the
// ETag changed, but the bytes were compared and did not. It makes no revision.
// Errors are those of [Map.Wrote].
func (m *Map) Rebind(ctx context.Context, s SpaceID, id FileID, res dav.Resource) (Entry, error) {
	return m.own(ctx, "rebind", s, id, res, nil, false)
}

func (m *Map) own(ctx context.Context, what string, s SpaceID, id FileID, res dav.Resource, sha256 []byte, isNew bool) (Entry, error) {
	if err := checkHash(sha256); err != nil {
		return Entry{}, err
	}
	var e Entry
	err := m.change(ctx, s, func(c *change) (err error) {
		e, err = c.own(ctx, id, res, sha256, isNew)
		return err
	})
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: %s %s: %w", what, id, err)
	}
	return e, nil
}

// own makes res what the file is, and a new revision of it if isNew.
func (c *change) own(ctx context.Context, id FileID, res dav.Resource, sha256 []byte, isNew bool) (Entry, error) {
	r, _, err := c.mine(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	if r.kind != File || res.Collection {
		return Entry{}, ErrKind
	}
	if _, err := c.place(ctx, r, res.Path, false); err != nil {
		return Entry{}, err
	}
	if isNew {
		if err := c.advance(ctx, r, res, sha256); err != nil {
			return Entry{}, err
		}
	}
	if err := c.bind(ctx, r, res); err != nil {
		return Entry{}, err
	}
	return r.entry(c.space, res.Path), nil
}

// mine reads a living resource that has a place in the space.
func (c *change) mine(ctx context.Context, id FileID) (*resource, *place, error) {
	r, err := resourceBy(ctx, c.tx, `r.id = ? AND r.died = 0`, id)
	if err != nil {
		return nil, nil, err
	}
	p, err := placeOf(ctx, c.tx, c.space, r.num)
	return r, p, err
}

// bind makes the evidence of res that of r alone.
func (c *change) bind(ctx context.Context, r *resource, res dav.Resource) error {
	if r.kind == File {
		r.inode = "" // it may have been replaced without a look at the disk
	}
	r.learn(res, false)
	if err := c.claim(ctx, r); err != nil {
		return err
	}
	return c.save(ctx, r)
}

// place puts r at p. What owned the place and was there has been overwritten and
// dies if overwrites is true; else it gives way. It returns what died, nil if
// nothing did.
func (c *change) place(ctx context.Context, r *resource, p dav.Path, overwrites bool) (dead *resource, err error) {
	names := p.Segments()
	if len(names) == 0 {
		return nil, ErrRoot
	}
	parents, err := c.chain(ctx, names[:len(names)-1])
	if err != nil {
		return nil, err
	}
	if slices.Contains(parents, r.num) {
		return nil, ErrBelow
	}
	parent, name := parents[len(parents)-1], names[len(names)-1]
	at, owner, err := ownerOf(ctx, c.tx, c.space, parent, name)
	if err != nil {
		return nil, err
	}
	if owner == nil || owner.num == r.num {
		return nil, c.put(ctx, r.num, parent, name)
	}
	if !overwrites || at.missing != 0 {
		if err := c.displace(ctx, owner.num); err != nil {
			return nil, err
		}
		return nil, c.put(ctx, r.num, parent, name)
	}
	chain, err := up(ctx, c.tx, c.space, r.num)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(chain, func(p place) bool { return p.resource == owner.num }) {
		return nil, ErrBelow
	}
	if err := c.bury(ctx, owner.num); err != nil {
		return nil, err
	}
	return owner, c.put(ctx, r.num, parent, name)
}

// Made records what we have made ourselves where nothing was, a file or a container: res
// is what is there now. It never has the ID of what was known there before, though
// nobody has noticed yet that it was moved away; that gives way. What was recorded of
// it before stays. Errors are those of [Map.At]; [ErrRoot] if res is the root.
func (m *Map) Made(ctx context.Context, s SpaceID, res dav.Resource) (Entry, error) {
	var e Entry
	err := m.change(ctx, s, func(c *change) error {
		names := res.Path.Segments()
		if len(names) == 0 {
			return ErrRoot
		}
		parents, err := c.chain(ctx, names[:len(names)-1])
		if err != nil {
			return err
		}
		at, owner, err := ownerOf(ctx, c.tx, s, parents[len(parents)-1], names[len(names)-1])
		if err != nil {
			return err
		}
		if owner != nil && !owner.isMade(at, res) {
			if err := c.displace(ctx, owner.num); err != nil {
				return err
			}
		}
		r, err := c.seeBelow(ctx, parents, names, res)
		if err == nil {
			e = r.entry(s, res.Path)
		}
		return err
	})
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: made %q: %w", res.Path, err)
	}
	return e, nil
}

// isMade reports whether r, which owns a place, was recorded when somebody saw what was
// just made there.
func (r *resource) isMade(at *place, res dav.Resource) bool {
	switch v := r.compare(res); {
	case at.missing != 0 || v == other:
		return false
	case v == same:
		return true
	}
	return r.kind == File && !r.changed(res)
}

// Moved records a move or rename that the upstream carried out for us; res is
// what is at to now, or zero if that is not known. It touches one row, whatever
// lies below a container. A file that was at to when a file came was overwritten and
// dies; no container is ever overwritten: what is known at its place gives way. The
// revision stays, though the upstream may show another ETag after a move. If the
// container of to was itself moved by us meanwhile, the place is below its new one.
//
// It returns [ErrNotFound] if id died or has no place in s, [ErrRoot] if id or to
// is the root, [ErrBelow] if to lies below id, and [ErrKind] if res is of another
// kind; nothing is recorded then.
func (m *Map) Moved(ctx context.Context, s SpaceID, id FileID, to dav.Path, res dav.Resource) (Entry, error) {
	var e Entry
	err := m.change(ctx, s, func(c *change) error {
		r, at, err := c.mine(ctx, id)
		if err != nil {
			return err
		}
		if at.parent == 0 {
			return ErrRoot
		}
		now, err := c.whereTo(ctx, to)
		if err != nil {
			return err
		}
		if r.kind == Container {
			chain, err := up(ctx, c.tx, s, r.num)
			if err != nil {
				return err
			}
			if err := c.remember(ctx, located(s, r, chain).Path, now); err != nil {
				return err
			}
		}
		if err := c.move(ctx, r, now, res); err != nil {
			return err
		}
		e = r.entry(s, now)
		return nil
	})
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: moved %s to %q: %w", id, to, err)
	}
	return e, nil
}

func (c *change) move(ctx context.Context, r *resource, to dav.Path, res dav.Resource) error {
	if res.Path != "" && kindOf(res) != r.kind {
		return ErrKind
	}
	if r.kind == Container {
		if err := c.moveOnto(ctx, r, to); err != nil {
			return err
		}
	}
	dead, err := c.place(ctx, r, to, r.kind == File)
	if err != nil {
		return err
	}
	if res.Path != "" {
		return c.bind(ctx, r, res)
	}
	// Nobody looked. The upstream may have made another ETag, and some let a file
	// that was overwritten keep its native id or resource-id; the next sight tells.
	r.etag = ""
	if dead != nil && r.kind == File {
		r.native, r.rid = "", ""
	}
	return c.save(ctx, r)
}

// moveOnto prepares the move of a container to where another one is thought to be: one
// without evidence was only made because something below it was seen, perhaps before
// the move, and what is below it is r's.
func (c *change) moveOnto(ctx context.Context, r *resource, to dav.Path) error {
	names := to.Segments()
	if len(names) == 0 {
		return ErrRoot
	}
	chain, err := down(ctx, c.tx, c.space, names)
	if err != nil || len(chain) != len(names)+1 {
		return err
	}
	if slices.ContainsFunc(chain, func(p place) bool { return p.resource == r.num }) {
		return nil // below itself, which is refused
	}
	owner, err := resourceBy(ctx, c.tx, `r.num = ?`, chain[len(names)].resource)
	if err != nil || owner.kind != Container || !owner.provisional() {
		return err
	}
	above, err := up(ctx, c.tx, c.space, r.num)
	if err != nil || slices.ContainsFunc(above, func(p place) bool { return p.resource == owner.num }) {
		return err // r lies below it
	}
	return c.inherit(ctx, owner.num, r.num)
}

// Deleted records a deletion that the upstream carried out for us: id and
// everything below it die, in every space. It returns [ErrNotFound] if id is dead
// already or has no place in s, and [ErrRoot] for a root.
func (m *Map) Deleted(ctx context.Context, s SpaceID, id FileID) error {
	err := m.change(ctx, s, func(c *change) error {
		r, at, err := c.mine(ctx, id)
		if err != nil {
			return err
		}
		if at.parent == 0 {
			return ErrRoot
		}
		return c.bury(ctx, r.num)
	})
	if err != nil {
		return fmt.Errorf("idmap: deleted %s: %w", id, err)
	}
	return nil
}
