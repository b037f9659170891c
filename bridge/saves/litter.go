package saves

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A temporary file that nobody needs any more may be there all the same: the server does not
// answer its DELETE, the process dies before it, or the PUT that made it, whose answer nobody
// waited for, is carried out after it. Such files are litter. They are written down, and
// removed until they have been gone for a while.

// litterLooks is when litter is removed, after it was given up.
var litterLooks = []time.Duration{lateAfter, 15 * time.Second, 45 * time.Second}

const (
	litterFor   = retention // how long a server is asked that refuses or is not there
	litterPause = time.Hour // the longest time between two of those
	litterOnce  = 100       // files removed in one turn
)

type litter struct {
	upstream, temp string
	pinned         []byte
	since          int64 // milliseconds
}

// litters writes down, inside tx, that a temp of r is not needed any more; "" is none.
func litters(ctx context.Context, tx sqldb.Queryer, now time.Time, r *row, temp dav.Path) error {
	if temp == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO saves_litter (upstream, temp, pinned, since, next_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (upstream, temp) DO UPDATE SET since = excluded.since, next_at = excluded.next_at`,
		r.upstream, string(temp), r.pinned, sqldb.Millis(now), sqldb.Millis(now.Add(litterLooks[0])))
	return err
}

// litter is litters in a transaction of its own.
func (s *Saves) litter(ctx context.Context, r *row, temp dav.Path) error {
	now, err := s.DB.Now(ctx)
	if err == nil {
		err = s.DB.Write(ctx, func(tx sqldb.Queryer) error { return litters(ctx, tx, now, r, temp) })
	}
	if err != nil {
		return fmt.Errorf("saves: writing down a temporary file: %w", err)
	}
	return nil
}

// clearLitter removes what is due.
func (s *Saves) clearLitter(ctx context.Context) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return err
	}
	due, err := s.dueLitter(ctx, now)
	if err != nil {
		return err
	}
	for _, l := range due {
		if ctx.Err() != nil {
			return nil
		}
		err := s.removeLitter(ctx, l)
		if err != nil && !errors.Is(err, errNeeded) && !errors.Is(err, dav.ErrUnavailable) && ctx.Err() == nil {
			s.OnError("saves: removing a temporary file", err)
		}
		if err := s.nextLook(ctx, l, l.again(now, err)); err != nil {
			return err
		}
	}
	return nil
}

// dueLitter is also what the clock has left far ahead, when it was set back.
func (s *Saves) dueLitter(ctx context.Context, now time.Time) (due []litter, err error) {
	rows, err := s.DB.Read().Query(ctx, `SELECT upstream, temp, pinned, since FROM saves_litter WHERE next_at <= ? OR next_at > ? ORDER BY next_at LIMIT ?`,
		sqldb.Millis(now), sqldb.Millis(now.Add(2*litterPause)), litterOnce)
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l litter
		if err := rows.Scan(&l.upstream, &l.temp, &l.pinned, &l.since); err != nil {
			return nil, fmt.Errorf("saves: journal: %w", err)
		}
		due = append(due, l)
	}
	return due, rows.Err()
}

// errNeeded says that an entry has taken its temp up again, and looks after it.
var errNeeded = errors.New("saves: the temporary file is needed again")

func (s *Saves) removeLitter(ctx context.Context, l litter) error {
	needed, err := s.exists(ctx, `SELECT 1 FROM saves_entry WHERE upstream = ? AND temp = ? LIMIT 1`, l.upstream, l.temp)
	if err != nil {
		return err
	}
	if needed {
		return errNeeded
	}
	view, err := s.view(ctx, &row{upstream: l.upstream, pinned: l.pinned})
	if err != nil {
		return err
	}
	ctx, stop := shortly(ctx)
	defer stop()
	if err := view.Delete(ctx, dav.Path(l.temp), zeroCondition); err != nil && !errors.Is(err, dav.ErrNotFound) {
		return fmt.Errorf("saves: %q: %w", l.temp, err)
	}
	return nil
}

// again is when l is to be removed again after an attempt at now; zero: it is not.
func (l litter) again(now time.Time, err error) time.Time {
	age := now.Sub(sqldb.FromMillis(l.since))
	switch {
	case errors.Is(err, errNeeded), err != nil && age > litterFor:
		return time.Time{}
	case err != nil:
		return now.Add(min(max(age, lateAfter), litterPause))
	}
	for _, look := range litterLooks {
		if look > age {
			return now.Add(look - age)
		}
	}
	return time.Time{}
}

func (s *Saves) nextLook(ctx context.Context, l litter, at time.Time) error {
	err := s.DB.Write(ctx, func(tx sqldb.Queryer) (err error) {
		if at.IsZero() {
			_, err = tx.Exec(ctx, `DELETE FROM saves_litter WHERE upstream = ? AND temp = ? AND since = ?`, l.upstream, l.temp, l.since)
		} else {
			_, err = tx.Exec(ctx, `UPDATE saves_litter SET next_at = ? WHERE upstream = ? AND temp = ? AND since = ?`, sqldb.Millis(at), l.upstream, l.temp, l.since)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	return nil
}
