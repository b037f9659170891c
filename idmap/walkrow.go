package idmap

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// walkMigrations are the steps of the room "idmap walk". They are apart from the
// others', and refer to nothing, because all of it may be thrown away: the next round
// begins anew then.
var walkMigrations = []string{`
	CREATE TABLE idmap_walk (
		space BIGINT NOT NULL PRIMARY KEY,
		holder TEXT {{bytes}} NOT NULL,
		until BIGINT NOT NULL,
		began BIGINT NOT NULL, -- the round that is under way, or the last one
		phase BIGINT NOT NULL,
		position TEXT {{bytes}} NOT NULL,
		searched BIGINT NOT NULL, -- what was lost before this was searched for everywhere
		search_began BIGINT NOT NULL,
		search_position TEXT {{bytes}} NOT NULL
	);
	CREATE TABLE idmap_folder (
		folder BIGINT NOT NULL,
		space BIGINT NOT NULL,
		tag TEXT {{bytes}} NOT NULL, -- before it was listed
		settled BIGINT NOT NULL, -- the tag was the same at two listings far enough apart
		walked BIGINT NOT NULL,
		used BIGINT NOT NULL, -- by others than the walk
		PRIMARY KEY (folder, space)
	)`}

// The phases of a round.
const (
	walkIdle = iota
	walkKnown
	walkLost
)

const (
	walkLease = 20 * time.Second // without a sign of life
	walkSave  = 10 * time.Second // between two writes of the position
	walkBatch = 32               // folders whose rows are written at once

	// settleAfter is how far apart two listings are at least between which nothing has
	// happened if the tag is the same: a clock behind it may only tick each two seconds.
	settleAfter = int64(10 * 1000)
)

// A walkRow is where a round is. Positions are paths, "" the beginning.
type walkRow struct {
	began          int64
	phase          int
	position       dav.Path
	searched       int64
	searchBegan    int64
	searchPosition dav.Path
}

// A folderRow is what walks know about a folder.
type folderRow struct {
	num     int64
	tag     dav.ETag
	settled bool
	walked  int64
	used    int64
}

// begin takes the walk.
func (w *Walk) begin(ctx context.Context) (*round, error) {
	now, err := w.Map.DB.Now(ctx)
	if err != nil {
		return nil, err
	}
	ms := sqldb.Millis(now)
	r := w.round()
	r.saved = now
	err = w.Map.DB.Write(ctx, func(tx sqldb.Queryer) error {
		var holder string
		var until int64
		r.row = walkRow{began: -1}
		err := tx.QueryRow(ctx, `SELECT holder, until, began, phase, position, searched, search_began, search_position FROM idmap_walk WHERE space = ?`, w.Space).
			Scan(&holder, &until, &r.row.began, &r.row.phase, &r.row.position, &r.row.searched, &r.row.searchBegan, &r.row.searchPosition)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if until > ms && holder != w.holder {
			return ErrTaken
		}
		if r.row.phase == walkIdle {
			if r.row.began >= 0 && ms-r.row.began < w.Every.Milliseconds() && r.row.began <= ms {
				return ErrEarly
			}
			r.row.began, r.row.phase, r.row.position = ms, walkKnown, ""
		}
		_, err = tx.Exec(ctx, `INSERT INTO idmap_walk (space, holder, until, began, phase, position, searched, search_began, search_position)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (space) DO UPDATE SET holder = excluded.holder, until = excluded.until,
			began = excluded.began, phase = excluded.phase, position = excluded.position`,
			w.Space, w.holder, ms+walkLease.Milliseconds(), r.row.began, r.row.phase, r.row.position, r.row.searched, r.row.searchBegan, r.row.searchPosition)
		return err
	})
	return r, err
}

// went notes how far the round is, and writes it now and then.
func (r *round) went(ctx context.Context) error {
	now, err := r.Map.DB.Now(ctx)
	if err != nil {
		return err
	}
	if len(r.dirty) < walkBatch && now.Sub(r.saved) < walkSave {
		return nil
	}
	return r.save(ctx, walkLease)
}

// keep renews the walk's lease until ctx ends: a folder that is listed for minutes must not
// look like a death. lost is called if another one has the walk.
func (r *round) keep(ctx context.Context, lost func()) {
	tick := time.NewTicker(walkLease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := r.Map.DB.Now(ctx)
		n := int64(1)
		if err == nil {
			err = r.Map.DB.Write(ctx, func(tx sqldb.Queryer) (err error) {
				n, err = tx.Exec(ctx, `UPDATE idmap_walk SET until = ? WHERE space = ? AND holder = ?`,
					sqldb.Millis(now.Add(walkLease)), r.Space, r.holder)
				return err
			})
		}
		if err == nil && n == 0 {
			lost()
			return
		}
	}
}

// save writes the row and what is known about folders, and keeps the walk for so long.
func (r *round) save(ctx context.Context, lease time.Duration) error {
	now, err := r.Map.DB.Now(ctx)
	if err != nil {
		return err
	}
	ms := sqldb.Millis(now)
	err = r.Map.DB.Write(ctx, func(tx sqldb.Queryer) error {
		n, err := tx.Exec(ctx, `UPDATE idmap_walk SET until = ?, began = ?, phase = ?, position = ?, searched = ?, search_began = ?, search_position = ?
			WHERE space = ? AND holder = ?`, ms+lease.Milliseconds(), r.row.began, r.row.phase, r.row.position,
			r.row.searched, r.row.searchBegan, r.row.searchPosition, r.Space, r.holder)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrTaken
		}
		for _, f := range r.dirty {
			if err := f.write(ctx, tx, r.Space); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.dirty, r.saved = nil, now
	}
	return err
}

func (f folderRow) write(ctx context.Context, tx sqldb.Queryer, s SpaceID) error {
	settled := 0
	if f.settled {
		settled = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO idmap_folder (folder, space, tag, settled, walked, used) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (folder, space) DO UPDATE SET tag = excluded.tag, settled = excluded.settled, walked = excluded.walked, used = excluded.used`,
		f.num, s, f.tag, settled, f.walked, f.used)
	return err
}

// turn ends the first phase.
func (r *round) turn(ctx context.Context) error {
	r.row.phase, r.row.position = walkLost, ""
	return r.save(ctx, walkLease)
}

// finish ends the round.
func (r *round) finish(ctx context.Context) error {
	r.row.phase = walkIdle
	return r.save(ctx, 0)
}

// leave lets another process go on, at once.
func (r *round) leave(ctx context.Context) error {
	if r.row.phase == walkIdle {
		return nil
	}
	return r.save(ctx, 0)
}

// Alone ends the turns of processes that have died. To be called at the start of the
// only process that can use the database.
func (w *Walk) Alone(ctx context.Context) error {
	err := w.Map.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE idmap_walk SET until = 0`)
		return err
	})
	if err != nil {
		return fmt.Errorf("idmap: walk: %w", err)
	}
	return nil
}

// folder reads what is known about a folder; used is when somebody else has seen
// something in it, to the hour.
func (r *round) folder(ctx context.Context, num int64) (folderRow, error) {
	f := folderRow{num: num}
	q := r.Map.DB.Read()
	err := q.QueryRow(ctx, `SELECT tag, settled, walked, used FROM idmap_folder WHERE folder = ? AND space = ?`, num, r.Space).
		Scan(&f.tag, &f.settled, &f.walked, &f.used)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return f, err
	}
	var seen sql.NullInt64
	err = q.QueryRow(ctx, `SELECT MAX(seen) FROM idmap_place WHERE parent = ? AND space = ? AND missing = 0 AND waiting = 0`, num, r.Space).Scan(&seen)
	if seen.Int64 > f.walked {
		f.used = seen.Int64
	}
	return f, err
}

// lost are resources that were noticed to be gone after a time, the latest first; what
// is lost with its folder is not among them. where is a further condition on r.
func (w *Walk) lost(ctx context.Context, after int64, where string, limit int) ([]FileID, error) {
	if where != "" {
		where = " AND " + where
	}
	rows, err := w.Map.DB.Read().Query(ctx, `SELECT r.id FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource
		WHERE p.missing > 0 AND p.missing > ? AND p.space = ? AND p.parent <> 0 AND r.died = 0`+where+` ORDER BY p.missing DESC LIMIT ?`, after, w.Space, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []FileID
	for rows.Next() {
		var id FileID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, rows.Err()
}
