package saves

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/idmap/sqldb"
)

// Bridges that share a database say every few seconds that they are alive. The entries
// of one that does not are those of whoever finds it first and can read their bytes.
const (
	beatEvery = 5 * time.Second
	deadAfter = 20 * time.Second
	forgotten = 30 * 24 * time.Hour // a name that has not been heard for so long
)

// ErrNotAlone says that another bridge works on this database, which was not allowed.
var ErrNotAlone = errors.New("saves: another davwopi works on this database; set replicas: true for both, or stop it")

// announce says that this bridge is alive. alone: the error is [ErrNotAlone] if another
// one is, too, and nothing was said then.
func (s *Saves) announce(ctx context.Context, alone bool) error {
	if !s.DB.Shared() {
		return nil
	}
	now, err := s.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if alone {
			if err := s.onlyOne(ctx, tx, now); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO saves_bridge (store, seen) VALUES (?, ?) ON CONFLICT (store) DO UPDATE SET seen = excluded.seen`,
			s.store, sqldb.Millis(now))
		return err
	})
	if err != nil && !errors.Is(err, ErrNotAlone) {
		return fmt.Errorf("saves: %w", err)
	}
	return err
}

// onlyOne returns [ErrNotAlone] if a bridge other than this one is alive.
func (s *Saves) onlyOne(ctx context.Context, q sqldb.Queryer, now time.Time) error {
	var n int64
	err := q.QueryRow(ctx, `SELECT COUNT(*) FROM saves_bridge WHERE store <> ? AND seen >= ?`, s.store, sqldb.Millis(now.Add(-deadAfter))).Scan(&n)
	if err == nil && n > 0 {
		err = ErrNotAlone
	}
	return err
}

// beat announces until ctx ends, and takes leave then, so that the others need not wait.
func (s *Saves) beat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		if err := s.announce(ctx, false); err != nil && ctx.Err() == nil {
			s.OnError("saves: saying that this bridge is alive", err)
		}
		select {
		case <-ctx.Done():
			ctx, stop := shortly(context.WithoutCancel(ctx))
			defer stop()
			if err := s.leave(ctx); err != nil {
				s.OnError("saves: taking leave", err)
			}
			return
		case <-tick.C:
		}
	}
}

func (s *Saves) leave(ctx context.Context) error {
	if !s.DB.Shared() {
		return nil
	}
	return s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE saves_bridge SET seen = 0 WHERE store = ?`, s.store)
		return err
	})
}

// inherit makes the entries of bridges that are gone this one's, as far as their bytes
// can be read from here. A database that cannot be shared has no others.
func (s *Saves) inherit(ctx context.Context) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	const gone = `store <> ? AND store NOT IN (SELECT store FROM saves_bridge WHERE seen >= ?)`
	alive := sqldb.Millis(now.Add(-deadAfter))
	left, err := s.anywhere(ctx, gone, s.store, alive)
	if err != nil {
		return err
	}
	for _, r := range left {
		if !s.readable(r) {
			continue
		}
		err := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `UPDATE saves_entry SET store = ? WHERE id = ? AND store = ? AND `+gone, s.store, r.id, r.store, s.store, alive)
			return err
		})
		if err != nil {
			return fmt.Errorf("saves: journal: %w", err)
		}
		s.preRoom.recount()
	}
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM saves_bridge WHERE seen < ? AND store NOT IN (SELECT store FROM saves_entry)`, sqldb.Millis(now.Add(-forgotten)))
		return err
	})
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	return nil
}
