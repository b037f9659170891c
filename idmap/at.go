package idmap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// seenAgain is how stale the note of the last sight may become before a sight
// that shows nothing new is written down, in milliseconds.
const seenAgain = int64(60 * 60 * 1000)

// At returns the entry of a resource that was just seen, by Stat or List, at
// res.Path. It gives IDs to it and to the containers above it where they have
// none, moves an ID that the evidence shows to be here now, and makes other
// contents (ETag, size, time) a new revision. It writes only if something is new.
//
// It returns [ErrNotFound] if s is no space, and an error wrapping
// dav.ErrBadPath if the path is too deep; nothing is recorded then.
func (m *Map) At(ctx context.Context, s SpaceID, res dav.Resource) (Entry, error) {
	names := res.Path.Segments()
	if r, err := m.unchanged(ctx, s, names, res); r != nil || err != nil {
		return r.entryAt(s, res.Path), err
	}
	var e Entry
	err := m.change(ctx, s, func(c *change) error {
		r, err := c.see(ctx, names, res)
		if err == nil {
			e = r.entry(s, res.Path)
		}
		return err
	})
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: at %q: %w", res.Path, err)
	}
	return e, nil
}

// unchanged is what is at res.Path, if At has nothing to write; else nil.
func (m *Map) unchanged(ctx context.Context, s SpaceID, names []string, res dav.Resource) (*resource, error) {
	q := m.DB.Read()
	r, p, missing, err := downTo(ctx, q, s, names)
	if errors.Is(err, ErrNotFound) || missing != 0 {
		return nil, nil
	}
	var now time.Time
	if err == nil {
		now, err = m.DB.Now(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("idmap: at %q: %w", res.Path, err)
	}
	if r.news(p, res, sqldb.Millis(now)) {
		return nil, nil
	}
	return r, nil
}

// news reports whether a sight of res at p, which r owns, has to be written down.
func (r *resource) news(p place, res dav.Resource, now int64) bool {
	root := p.parent == 0
	if p.missing != 0 || now-p.seen >= seenAgain || r.died != 0 || r.kind != kindOf(res) {
		return true
	}
	if !root && r.compare(res) == other || r.kind == File && r.changed(res) {
		return true
	}
	copied := *r
	return copied.learn(res, root)
}

// see records a sight of res and returns what it is.
func (c *change) see(ctx context.Context, names []string, res dav.Resource) (*resource, error) {
	if len(names) == 0 {
		if !res.Collection {
			return nil, fmt.Errorf("the root must be a container: %w", ErrKind)
		}
		return c.seeRoot(ctx)
	}
	parents, err := c.chain(ctx, names[:len(names)-1])
	if err != nil {
		return nil, err
	}
	return c.seeBelow(ctx, parents, names, res)
}

// seeRoot needs no evidence: the root of a space is what the configuration says.
func (c *change) seeRoot(ctx context.Context) (*resource, error) {
	chain, err := c.chain(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := c.put(ctx, chain[0], 0, ""); err != nil {
		return nil, err
	}
	return resourceBy(ctx, c.tx, `r.num = ?`, chain[0])
}

func (c *change) seeBelow(ctx context.Context, parents []int64, names []string, res dav.Resource) (*resource, error) {
	r, isNew, err := c.settle(ctx, parents, names, res)
	if err == nil {
		err = c.spend(ctx, r, res)
	}
	if err != nil || isNew {
		return r, err
	}
	revision := r.revision
	if r.kind == File && r.changed(res) {
		if err := c.advance(ctx, r, res, nil); err != nil {
			return nil, err
		}
		r.inode = "" // a new one may have been put in its place, without a look at the disk
	}
	if r.learn(res, false) || r.revision != revision {
		err = c.save(ctx, r)
	}
	return r, err
}
