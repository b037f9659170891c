package idmap

import (
	"context"
	"errors"
	"slices"

	"davwopi/davbackend/dav"
)

// chain makes sure that the root and the containers on the way to names have IDs,
// and returns their row numbers, the root first. A file that we knew on the way
// gives way: something lies below that name, so a container is there now.
func (c *change) chain(ctx context.Context, names []string) ([]int64, error) {
	known, err := down(ctx, c.tx, c.space, names)
	if err != nil {
		return nil, err
	}
	chain := make([]int64, 0, len(names)+1)
	for i := range len(names) + 1 {
		var parent int64
		var name string
		if i > 0 {
			parent, name = chain[i-1], names[i-1]
		}
		if i < len(known) {
			r, err := resourceBy(ctx, c.tx, `r.num = ?`, known[i].resource)
			if err != nil {
				return nil, err
			}
			if r.kind == Container {
				if known[i].missing != 0 {
					if err := c.put(ctx, r.num, parent, name); err != nil {
						return nil, err
					}
				}
				chain = append(chain, r.num)
				continue
			}
			if err := c.displace(ctx, r.num); err != nil {
				return nil, err
			}
			known = known[:i]
		}
		r, err := c.create(ctx, parent, name, dav.Resource{Collection: true})
		if err != nil {
			return nil, err
		}
		chain = append(chain, r.num)
	}
	return chain, nil
}

// create gives a resource that nobody knew an ID, and its first revision. The
// place must be free.
func (c *change) create(ctx context.Context, parent int64, name string, res dav.Resource) (*resource, error) {
	r := &resource{id: newFileID(), kind: kindOf(res), size: -1}
	if r.kind == File {
		if err := c.advance(ctx, r, res, nil); err != nil {
			return nil, err
		}
	}
	r.learn(res, parent == 0)
	err := c.tx.QueryRow(ctx, `INSERT INTO idmap_resource (id, upstream, home, kind, died, native_id, resource_id, inode,
		epoch, revision, version, last_modified, top, floor, etag, size, mtime)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING num`,
		r.id, c.upstream, c.space, r.kind, orNull(r.native), orNull(r.rid), orNull(r.inode),
		r.epoch, r.revision, r.version, r.lastModified, r.top, r.floor, r.etag, r.size, r.mtime).Scan(&r.num)
	if err != nil {
		return nil, err
	}
	_, err = c.tx.Exec(ctx, `INSERT INTO idmap_place (parent, space, name, waiting, resource, missing, seen) VALUES (?, ?, ?, 0, ?, 0, ?)`,
		parent, c.space, name, r.num, c.now)
	return r, err
}

// put records that num is at (parent, name) now; whatever owned the name must
// have been displaced. This one row is all that a rename costs.
func (c *change) put(ctx context.Context, num, parent int64, name string) error {
	_, err := c.tx.Exec(ctx, `INSERT INTO idmap_place (parent, space, name, waiting, resource, missing, seen) VALUES (?, ?, ?, 0, ?, 0, ?)
		ON CONFLICT (resource, space) DO UPDATE SET parent = excluded.parent, name = excluded.name, waiting = 0, missing = 0, seen = excluded.seen`,
		parent, c.space, name, num, c.now)
	return err
}

// displace makes num give up its name. It keeps its ID and waits to be found.
func (c *change) displace(ctx context.Context, num int64) error {
	_, err := c.tx.Exec(ctx, `UPDATE idmap_place SET waiting = resource, missing = CASE WHEN missing = 0 THEN ? ELSE missing END
		WHERE resource = ? AND space = ?`, c.now, num, c.space)
	return err
}

// lose records that num was looked for at its place and not found.
func (c *change) lose(ctx context.Context, num int64) error {
	_, err := c.tx.Exec(ctx, `UPDATE idmap_place SET missing = ? WHERE resource = ? AND space = ? AND missing = 0`, c.now, num, c.space)
	return err
}

// knownBy finds a resource by the evidence that res carries, the living first and
// among them those that are looked for; nil if there is none. Resources that this
// change has put somewhere already are passed over: two names may show one
// resource-id (hard links).
func (c *change) knownBy(ctx context.Context, res dav.Resource) (*resource, error) {
	const order = ` AND r.kind = ? ORDER BY CASE WHEN r.died = 0 THEN 0 ELSE 1 END,
		(SELECT COUNT(*) FROM idmap_place p WHERE p.resource = r.num AND p.space = ? AND p.missing = 0), r.num LIMIT 16`
	if res.NativeID != "" {
		r, err := c.firstUnused(ctx, `r.native_id = ? AND r.upstream = ?`+order, res.NativeID, c.upstream, kindOf(res), c.space)
		if r != nil || err != nil {
			return r, err
		}
	}
	if res.ResourceID == "" {
		if !res.Collection || res.Inode == "" {
			return nil, nil // a file may have been put in the place of another: see alike
		}
		return c.firstUnused(ctx, `r.inode = ? AND r.home = ?`+order, res.Inode, c.space, Container, c.space)
	}
	r, err := c.firstUnused(ctx, `r.resource_id = ? AND r.home = ?`+order, res.ResourceID, c.space, kindOf(res), c.space)
	if r != nil && r.native != "" && res.NativeID != "" {
		return nil, nil // the better evidence says no
	}
	return r, err
}

func (c *change) firstUnused(ctx context.Context, where string, args ...any) (*resource, error) {
	r, err := resourceBy(ctx, c.tx, where, args...)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil || !c.used[r.num] {
		return r, err
	}
	rows, err := c.tx.Query(ctx, `SELECT `+resourceColumns+` FROM idmap_resource r WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := new(resource)
		if err := rows.Scan(r.columns()...); err != nil {
			return nil, err
		}
		if !c.used[r.num] {
			return r, nil
		}
	}
	return nil, rows.Err()
}

// settle decides which resource res is, and puts it at its path. parents is the
// chain of its parent. It returns the resource as it was before res was seen;
// isNew if it had no ID yet.
func (c *change) settle(ctx context.Context, parents []int64, names []string, res dav.Resource) (r *resource, isNew bool, err error) {
	parent, name := parents[len(parents)-1], names[len(names)-1]
	_, owner, err := ownerOf(ctx, c.tx, c.space, parent, name)
	if err != nil {
		return nil, false, err
	}
	v := other
	if owner != nil {
		if v = owner.compare(res); v == same {
			return owner, false, c.put(ctx, owner.num, parent, name)
		}
	}
	known, err := c.knownBy(ctx, res)
	if err != nil {
		return nil, false, err
	}
	if v == unsure && (known == nil || known.died != 0 && owner.kind == File) {
		return owner, false, c.put(ctx, owner.num, parent, name)
	}
	if known != nil && slices.Contains(parents, known.num) {
		// It was on the way to where it is seen now, so something else is there.
		c.stale = true
		if err := c.displace(ctx, known.num); err != nil {
			return nil, false, err
		}
		if parents, err = c.chain(ctx, names[:len(names)-1]); err != nil {
			return nil, false, err
		}
		parent = parents[len(parents)-1]
		if _, owner, err = ownerOf(ctx, c.tx, c.space, parent, name); err != nil {
			return nil, false, err
		}
	}
	if owner != nil {
		if err := c.displace(ctx, owner.num); err != nil {
			return nil, false, err
		}
	}
	if known == nil {
		r, err := c.create(ctx, parent, name, res)
		return r, true, err
	}
	if err := c.revive(ctx, known); err != nil {
		return nil, false, err
	}
	if err := c.put(ctx, known.num, parent, name); err != nil {
		return nil, false, err
	}
	if owner != nil && v == unsure && owner.kind == Container && owner.inode == "" {
		err = c.inherit(ctx, owner.num, known.num)
	}
	return known, false, err
}

// inherit hands what was found below a provisional container over to the known
// one that it turned out to be. Where both have the name, the fresh sight owns it,
// but containers are united in turn, for the older ID.
func (c *change) inherit(ctx context.Context, from, to int64) error {
	type pair struct{ from, to int64 }
	for todo := []pair{{from, to}}; len(todo) > 0; {
		now := todo[0]
		todo = todo[1:]
		children, err := c.children(ctx, now.from)
		if err != nil {
			return err
		}
		for _, child := range children {
			_, older, err := ownerOf(ctx, c.tx, c.space, now.to, child.name)
			if err != nil {
				return err
			}
			if older != nil {
				younger, err := resourceBy(ctx, c.tx, `r.num = ?`, child.resource)
				if err != nil {
					return err
				}
				if older.kind == Container && younger.kind == Container && younger.provisional() {
					todo = append(todo, pair{younger.num, older.num})
					if err := c.put(ctx, older.num, now.to, child.name); err != nil {
						return err
					}
					continue
				}
				if err := c.displace(ctx, older.num); err != nil {
					return err
				}
			}
			if err := c.put(ctx, child.resource, now.to, child.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// children are the places below a container that are there and own their names.
func (c *change) children(ctx context.Context, parent int64) ([]place, error) {
	rows, err := c.tx.Query(ctx, `SELECT `+placeColumns+` FROM idmap_place p
		WHERE p.parent = ? AND p.space = ? AND p.waiting = 0 AND p.missing = 0 ORDER BY p.name`, parent, c.space)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []place
	for rows.Next() {
		var p place
		if err := rows.Scan(p.columns()...); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// bury ends num and everything below it, in every space: tombstones remain, with
// their evidence.
func (c *change) bury(ctx context.Context, num int64) error {
	const below = `WITH RECURSIVE below (num) AS (SELECT CAST(? AS BIGINT)
		UNION SELECT p.resource FROM below b JOIN idmap_place p ON p.parent = b.num) `
	if _, err := c.tx.Exec(ctx, below+`UPDATE idmap_resource SET died = ? WHERE died = 0 AND num IN (SELECT num FROM below)`, num, c.now); err != nil {
		return err
	}
	_, err := c.tx.Exec(ctx, below+`DELETE FROM idmap_place WHERE resource IN (SELECT num FROM below)`, num)
	return err
}

// revive undoes a death: the file is there again.
func (c *change) revive(ctx context.Context, r *resource) error {
	if r.died == 0 {
		return nil
	}
	r.died = 0
	_, err := c.tx.Exec(ctx, `UPDATE idmap_resource SET died = 0 WHERE num = ?`, r.num)
	return err
}

// claim takes the evidence of r away from every other resource: what we did
// ourselves leaves no doubt whose it is.
func (c *change) claim(ctx context.Context, r *resource) error {
	if r.native != "" {
		_, err := c.tx.Exec(ctx, `UPDATE idmap_resource SET native_id = NULL WHERE native_id = ? AND upstream = ? AND num <> ?`, r.native, c.upstream, r.num)
		if err != nil {
			return err
		}
	}
	if r.inode != "" {
		_, err := c.tx.Exec(ctx, `UPDATE idmap_resource SET inode = NULL WHERE inode = ? AND home = ? AND num <> ?`, r.inode, c.space, r.num)
		if err != nil {
			return err
		}
	}
	if r.rid != "" {
		_, err := c.tx.Exec(ctx, `UPDATE idmap_resource SET resource_id = NULL WHERE resource_id = ? AND home = ? AND num <> ?`, r.rid, c.space, r.num)
		return err
	}
	return nil
}
