package profile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// scratchLife is how long a folder that cannot be removed is tried.
const scratchLife = 7 * 24 * time.Hour

// scratch is [Scratch] in the database.
type scratch struct {
	s        *Store
	upstream string
	pinned   []byte
	id       int64 // 0: nothing is there
}

// Scratch writes folders of one upstream down, one after the other; pinned is the
// sealed credential by which [Store.Tidy] can remove them.
func (s *Store) Scratch(upstream string, pinned []byte) Scratch {
	return &scratch{s: s, upstream: upstream, pinned: pinned}
}

// Made writes the folder down before it is made.
func (c *scratch) Made(ctx context.Context, p dav.Path) error {
	now, err := c.s.db.Now(ctx)
	if err != nil {
		return err
	}
	pinned := c.pinned
	if pinned == nil {
		pinned = []byte{}
	}
	id := c.id
	err = c.s.db.Write(ctx, func(tx sqldb.Queryer) error {
		if c.id != 0 {
			_, err := tx.Exec(ctx, `UPDATE profile_scratch SET dir = ? WHERE id = ?`, string(p), c.id)
			return err
		}
		return tx.QueryRow(ctx, `INSERT INTO profile_scratch (upstream, pinned, dir, file, token, at) VALUES (?, ?, ?, '', '', ?) RETURNING id`,
			c.upstream, pinned, string(p), sqldb.Millis(now)).Scan(&id)
	})
	if err == nil {
		c.id = id
	}
	return err
}

// Locked writes down what keeps the folder from being removed.
func (c *scratch) Locked(ctx context.Context, p dav.Path, token dav.LockToken) error {
	return c.s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE profile_scratch SET file = ?, token = ? WHERE id = ?`, string(p), string(token), c.id)
		return err
	})
}

// Gone forgets the folder.
func (c *scratch) Gone(ctx context.Context) error {
	err := c.s.forget(ctx, c.id)
	if err == nil {
		c.id = 0
	}
	return err
}

func (s *Store) forget(ctx context.Context, id int64) error {
	return s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM profile_scratch WHERE id = ?`, id)
		return err
	})
}

// A left is a folder that is still on the upstream, as far as we know.
type left struct {
	id       int64
	upstream string
	pinned   []byte
	dir      dav.Path
	file     dav.Path
	token    dav.LockToken
	at       time.Time
}

// Tidy removes the folders that a killed measuring has left. open gives the upstream
// as the pinned credential sees it. What fails stays for the next time, for a week;
// the error says what it was.
func (s *Store) Tidy(ctx context.Context, open func(ctx context.Context, upstream string, pinned []byte) (*davbackend.View, error)) error {
	now, err := s.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	all, err := s.leftovers(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, l := range all {
		v, err := open(ctx, l.upstream, l.pinned)
		if err == nil {
			err = remove(ctx, v, l.dir, l.file, l.token)
		}
		if err == nil || now.Sub(l.at) > scratchLife {
			err = errors.Join(err, s.forget(ctx, l.id))
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// leftovers are the folders of upstreams that nobody is measuring now.
func (s *Store) leftovers(ctx context.Context) ([]left, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	rows, err := s.db.Read().Query(ctx, `SELECT id, upstream, pinned, dir, file, token, at FROM profile_scratch s
		WHERE NOT EXISTS (SELECT 1 FROM profile_claim c WHERE c.upstream = s.upstream AND c.until > ?) ORDER BY id LIMIT 100`, sqldb.Millis(now))
	if err != nil {
		return nil, fmt.Errorf("profile: scratch folders: %w", err)
	}
	defer rows.Close()
	var all []left
	for rows.Next() {
		var l left
		var dir, file, token string
		var at int64
		if err := rows.Scan(&l.id, &l.upstream, &l.pinned, &dir, &file, &token, &at); err != nil {
			return nil, fmt.Errorf("profile: scratch folders: %w", err)
		}
		l.dir, l.file, l.token, l.at = dav.Path(dir), dav.Path(file), dav.LockToken(token), sqldb.FromMillis(at)
		all = append(all, l)
	}
	return all, rows.Err()
}
