package idmap

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"davwopi/idmap/sqldb"
)

// A Map pairs IDs and places. Only [New] makes one. All methods may be called
// concurrently, also by several processes on one database.
type Map struct {
	DB *sqldb.DB

	// Held reports whether a file is under a lock of ours, so that it may be replaced by
	// others though nobody has looked at it for long. Set before use; nil: none is.
	Held func(ctx context.Context, id FileID) (bool, error)

	upstreams sync.Map // SpaceID -> int64, the upstream's row; rows of spaces never change
	searches  searches
}

// New brings the tables up to date.
func New(ctx context.Context, db *sqldb.DB) (*Map, error) {
	if err := db.Migrate(ctx, "idmap", migrations); err != nil {
		return nil, fmt.Errorf("idmap: %w", err)
	}
	m := &Map{DB: db}
	var epoch int64
	err := db.Read().QueryRow(ctx, `SELECT num FROM idmap_epoch LIMIT 1`).Scan(&epoch)
	if errors.Is(err, sql.ErrNoRows) {
		err = m.beginEpoch(ctx, true)
	}
	if err != nil {
		return nil, fmt.Errorf("idmap: %w", err)
	}
	return m, nil
}

// Space returns the space of a root of an upstream, making it if it is new. root
// is "" for the one root that everybody shares, else the key of a person.
func (m *Map) Space(ctx context.Context, upstream, root string) (SpaceID, error) {
	const find = `SELECT s.num FROM idmap_space s JOIN idmap_upstream u ON u.num = s.upstream WHERE u.name = ? AND s.root = ?`
	var s SpaceID
	err := m.DB.Read().QueryRow(ctx, find, upstream, root).Scan(&s)
	if errors.Is(err, sql.ErrNoRows) {
		err = m.DB.Write(ctx, func(tx sqldb.Queryer) error {
			if _, err := tx.Exec(ctx, `INSERT INTO idmap_upstream (name) VALUES (?) ON CONFLICT (name) DO NOTHING`, upstream); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO idmap_space (upstream, root) SELECT num, CAST(? AS TEXT) FROM idmap_upstream WHERE name = ?
				ON CONFLICT (upstream, root) DO NOTHING`, root, upstream)
			if err != nil {
				return err
			}
			return tx.QueryRow(ctx, find, upstream, root).Scan(&s)
		})
	}
	if err != nil {
		return 0, fmt.Errorf("idmap: space: %w", err)
	}
	return s, nil
}

// UpstreamOf is the inverse of [Map.Space]. It returns [ErrNotFound] for a space
// that nobody made.
func (m *Map) UpstreamOf(ctx context.Context, s SpaceID) (upstream, root string, err error) {
	const q = `SELECT u.name, s.root FROM idmap_space s JOIN idmap_upstream u ON u.num = s.upstream WHERE s.num = ?`
	err = m.DB.Read().QueryRow(ctx, q, s).Scan(&upstream, &root)
	if err != nil {
		return "", "", fmt.Errorf("idmap: space %d: %w", s, notFound(err))
	}
	return upstream, root, nil
}

// upstreamRow returns the row number of the upstream of s.
func (m *Map) upstreamRow(ctx context.Context, s SpaceID) (int64, error) {
	if u, ok := m.upstreams.Load(s); ok {
		return u.(int64), nil
	}
	var u int64
	if err := m.DB.Read().QueryRow(ctx, `SELECT upstream FROM idmap_space WHERE num = ?`, s).Scan(&u); err != nil {
		return 0, fmt.Errorf("idmap: space %d: %w", s, notFound(err))
	}
	m.upstreams.Store(s, u)
	return u, nil
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// A change is one write transaction on one space. Its methods are the steps of
// which the exported operations are made.
type change struct {
	tx       sqldb.Queryer
	space    SpaceID
	upstream int64
	now      int64          // milliseconds
	used     map[int64]bool // resources that this change has already put somewhere; nil but for listings
	present  epoch          // zero until it is asked for
	stale    bool           // a chain that was taken before is no longer true
}

// change runs f in a write transaction; f may run more than once.
func (m *Map) change(ctx context.Context, s SpaceID, f func(c *change) error) error {
	upstream, err := m.upstreamRow(ctx, s)
	if err != nil {
		return err
	}
	now, err := m.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("idmap: %w", err)
	}
	return m.DB.Write(ctx, func(tx sqldb.Queryer) error {
		return f(&change{tx: tx, space: s, upstream: upstream, now: sqldb.Millis(now)})
	})
}
