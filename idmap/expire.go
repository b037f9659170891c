package idmap

import (
	"context"
	"fmt"
	"time"

	"davwopi/idmap/sqldb"
)

// expireAtOnce bounds one transaction of [Map.Expire].
const expireAtOnce = 200

// Expire ends the waiting of what has been missing since before a time, for the
// caller's id_retention: the place is forgotten with everything below it, and
// what has no place left in any space dies. It returns how many missing places
// were given up, and may be called from several bridges at once.
func (m *Map) Expire(ctx context.Context, before time.Time) (int, error) {
	now, err := m.DB.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("idmap: expire: %w", err)
	}
	total := 0
	for {
		var n int
		err := m.DB.Write(ctx, func(tx sqldb.Queryer) error {
			gone, err := expired(ctx, tx, sqldb.Millis(before))
			n = len(gone)
			for _, p := range gone {
				if err == nil {
					err = p.giveUp(ctx, tx, sqldb.Millis(now))
				}
			}
			return err
		})
		total += n
		if err != nil {
			return total, fmt.Errorf("idmap: expire: %w", err)
		}
		if n < expireAtOnce {
			return total, nil
		}
	}
}

// A lost place is one that has been missing for too long.
type lost struct{ resource, space int64 }

func expired(ctx context.Context, q sqldb.Queryer, before int64) ([]lost, error) {
	rows, err := q.Query(ctx, `SELECT resource, space FROM idmap_place
		WHERE missing > 0 AND missing < ? AND parent <> 0 ORDER BY missing LIMIT ?`, before, expireAtOnce)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []lost
	for rows.Next() {
		var l lost
		if err := rows.Scan(&l.resource, &l.space); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

func (l lost) giveUp(ctx context.Context, tx sqldb.Queryer, now int64) error {
	const below = `WITH RECURSIVE below (num) AS (SELECT CAST(? AS BIGINT)
		UNION SELECT p.resource FROM below b JOIN idmap_place p ON p.parent = b.num AND p.space = ?) `
	// Before the places go: afterwards nothing tells what was below.
	_, err := tx.Exec(ctx, below+`UPDATE idmap_resource SET died = ? WHERE died = 0 AND num IN (SELECT num FROM below)
		AND NOT EXISTS (SELECT 1 FROM idmap_place p WHERE p.resource = idmap_resource.num AND p.space <> ?)`, l.resource, l.space, now, l.space)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, below+`DELETE FROM idmap_place WHERE space = ? AND resource IN (SELECT num FROM below)`, l.resource, l.space, l.space)
	return err
}
