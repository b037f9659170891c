package idmap

import (
	"context"
	"fmt"
	"slices"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A container that we move ourselves takes everything below along, whoever looks at it
// or works in it at this moment. What they saw at the old place and record after the
// move would bring IDs back to where nothing is. So such moves are remembered for a
// while: what is not found is looked for where they lead.

const (
	movesKept = int64(60 * 60 * 1000) // milliseconds
	maxMoves  = 200                   // of one space, the newest
)

// remember notes that the container at from is at to now.
func (c *change) remember(ctx context.Context, from, to dav.Path) error {
	const old = `DELETE FROM idmap_moved WHERE space = ? AND (at < ?
		OR num <= COALESCE((SELECT num FROM idmap_moved WHERE space = ? ORDER BY num DESC LIMIT 1 OFFSET ?), 0))`
	if _, err := c.tx.Exec(ctx, old, c.space, c.now-movesKept, c.space, maxMoves); err != nil {
		return err
	}
	_, err := c.tx.Exec(ctx, `INSERT INTO idmap_moved (space, source, target, at) VALUES (?, ?, ?, ?)`, c.space, from, to, c.now)
	return err
}

// movedOn returns where what was at p may be after our moves of it and of containers
// above it, the newest first; none if there were none.
func movedOn(ctx context.Context, q sqldb.Queryer, s SpaceID, p dav.Path) ([]dav.Path, error) {
	rows, err := q.Query(ctx, `SELECT source, target FROM (SELECT num, source, target FROM idmap_moved WHERE space = ?
		ORDER BY num DESC LIMIT `+fmt.Sprint(maxMoves)+`) newest ORDER BY num`, s)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var places []dav.Path
	at := p
	for rows.Next() {
		var from, to dav.Path
		if err := rows.Scan(&from, &to); err != nil {
			return nil, err
		}
		if !from.Contains(at) {
			continue
		}
		if at, err = below(to, at.Segments()[len(from.Segments()):]); err != nil {
			return nil, err
		}
		if at != p {
			places = append(places, at)
		}
	}
	slices.Reverse(places)
	return places, rows.Err()
}

func below(p dav.Path, names []string) (dav.Path, error) {
	var err error
	for _, name := range names {
		if p, err = p.Join(name); err != nil {
			return "", err
		}
	}
	return p, nil
}

// whereTo is to, or where it is now if its container was moved away meanwhile.
func (c *change) whereTo(ctx context.Context, to dav.Path) (dav.Path, error) {
	there, err := c.isThere(ctx, to.Parent())
	if err != nil || there {
		return to, err
	}
	places, err := movedOn(ctx, c.tx, c.space, to)
	if err != nil {
		return to, err
	}
	for _, p := range places {
		if there, err = c.isThere(ctx, p.Parent()); err != nil || there {
			return p, err
		}
	}
	return to, nil
}

// isThere reports whether a container is known at p, and not missing.
func (c *change) isThere(ctx context.Context, p dav.Path) (bool, error) {
	names := p.Segments()
	chain, err := down(ctx, c.tx, c.space, names)
	if err != nil || len(chain) != len(names)+1 {
		return false, err
	}
	return !slices.ContainsFunc(chain, func(l place) bool { return l.missing != 0 }), nil
}
