package locks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A settler finishes or undoes what an intent announced, by looking at the
// upstream.
type settler func(context.Context, *Lease, Intent) error

// intentLife is how long an intent that cannot be settled is tried: by then idmap
// has found what is where.
const intentLife = 7 * 24 * time.Hour

// settleLimit bounds what one lease spends on what earlier ones have left.
const settleLimit = 20 * time.Second

// Intend writes down what is about to be done under x, before the first change.
// It returns the number to give to [Locks.Done], and [ErrStale] if the lease was
// taken over. File and Serial are taken from x. A deletion of a file of which a save has
// begun to wait is not begun: the caller looks again.
func (l *Locks) Intend(ctx context.Context, x *Lease, i Intent) (int64, error) {
	now, err := l.now(ctx)
	if err != nil {
		return 0, err
	}
	i.File, i.Serial = x.File, x.Serial
	var id int64
	err = l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if err := x.Still(ctx, tx); err != nil {
			return err
		}
		if i.Kind == kindDelete {
			if err := unlessPinned(ctx, tx, i.File); err != nil {
				return err
			}
		}
		var err error
		id, err = insertIntent(ctx, tx, i, now, now)
		return err
	})
	return id, err
}

// Done forgets an intent: everything it announced is done or undone. It is not an
// error if it was settled already.
func (l *Locks) Done(ctx context.Context, intent int64) error {
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error { return deleteIntent(ctx, tx, intent) })
}

// OnIntent registers who settles intents of a kind: settle is called under the
// file's lease, must not take it again, and may find the work done, half done or
// not begun. An error keeps the intent for later. Everything is registered before
// Run and before the first Lease; intents of an unknown kind wait.
func (l *Locks) OnIntent(kind string, settle func(context.Context, *Lease, Intent) error) {
	l.k.mu.Lock()
	defer l.k.mu.Unlock()
	l.k.handlers[kind] = settle
}

func (l *Locks) handler(kind string) settler {
	if l.lacks(theIntents) {
		return nil
	}
	l.k.mu.Lock()
	defer l.k.mu.Unlock()
	return l.k.handlers[kind]
}

func insertIntent(ctx context.Context, tx sqldb.Queryer, i Intent, now, next time.Time) (int64, error) {
	if i.Pinned == nil {
		i.Pinned = []byte{}
	}
	if i.Detail == nil {
		i.Detail = []byte{}
	}
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO locks_intent (kind, file, space, upstream, serial, pinned, detail, at, next_at, tries)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) RETURNING id`,
		i.Kind, string(i.File), int64(i.Space), i.Upstream, i.Serial, i.Pinned, i.Detail,
		sqldb.Millis(now), sqldb.Millis(next)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("locks: writing an intent: %w", err)
	}
	return id, nil
}

func deleteIntent(ctx context.Context, tx sqldb.Queryer, id int64) error {
	if id == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `DELETE FROM locks_intent WHERE id = ?`, id); err != nil {
		return fmt.Errorf("locks: removing an intent: %w", err)
	}
	return nil
}

// waiting is an intent as it lies in the table.
type waiting struct {
	Intent
	at    time.Time
	tries int64
}

// readIntents returns intents by a condition, oldest first.
func readIntents(ctx context.Context, q sqldb.Queryer, where string, args ...any) ([]waiting, error) {
	rows, err := q.Query(ctx, `SELECT id, kind, file, space, upstream, serial, pinned, detail, at, tries
		FROM locks_intent WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("locks: reading intents: %w", err)
	}
	defer rows.Close()
	var all []waiting
	for rows.Next() {
		var w waiting
		var file string
		var space, at int64
		if err := rows.Scan(&w.ID, &w.Kind, &file, &space, &w.Upstream, &w.Serial, &w.Pinned, &w.Detail, &at, &w.tries); err != nil {
			return nil, fmt.Errorf("locks: reading intents: %w", err)
		}
		w.File, w.Space, w.at = idmap.FileID(file), idmap.SpaceID(space), sqldb.FromMillis(at)
		all = append(all, w)
	}
	return all, rows.Err()
}

// settleBefore settles what earlier leases of x's file left behind.
func (l *Locks) settleBefore(ctx context.Context, x *Lease) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit) // who asked for the lease is waiting
	defer cancel()
	now, err := l.now(ctx)
	if err != nil {
		l.failed("settling intents", err)
		return
	}
	all, err := readIntents(ctx, l.DB.Read(), `file = ? AND serial < ? AND next_at <= ? ORDER BY id LIMIT 100`,
		string(x.File), x.Serial, sqldb.Millis(now))
	l.failed("settling intents", err)
	for _, w := range all {
		l.settle(ctx, x, w, now)
	}
}

// settle runs the settler of one intent and forgets it, or puts it off.
func (l *Locks) settle(ctx context.Context, x *Lease, w waiting, now time.Time) {
	handler := l.handler(w.Kind)
	if handler == nil {
		return
	}
	err := handler(ctx, x, w.Intent)
	ctx, cancel := detached(ctx)
	defer cancel()
	if err == nil || now.Sub(w.at) > intentLife {
		l.failed("giving up on an intent: "+w.Kind, err)
		l.failed("forgetting an intent", l.Done(ctx, w.ID))
		return
	}
	var later *laterError
	next := now.Add(backoff(w.tries))
	if asLater(err, &later) {
		next = later.until
	} else {
		l.failed("settling an intent: "+w.Kind, err)
	}
	l.failed("putting an intent off", l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE locks_intent SET next_at = ?, tries = tries + 1 WHERE id = ?`, sqldb.Millis(next), w.ID)
		return err
	}))
}

// dueIntents are the files with intents that are due and whose lease has run out.
func (l *Locks) dueIntents(ctx context.Context, now time.Time) ([]idmap.FileID, error) {
	due, err := readIntents(ctx, l.DB.Read(), `next_at <= ? AND NOT EXISTS (
			SELECT 1 FROM locks_lease x WHERE x.file = locks_intent.file AND x.until > ?)
		ORDER BY next_at, id LIMIT ?`, sqldb.Millis(now), sqldb.Millis(now), int64(perPass))
	if err != nil {
		return nil, err
	}
	var files []idmap.FileID
	seen := make(map[idmap.FileID]bool)
	for _, w := range due {
		if !seen[w.File] && l.handler(w.Kind) != nil {
			seen[w.File] = true
			files = append(files, w.File)
		}
	}
	return files, nil
}

// settleFile settles the intents of one file, unless somebody works on it again:
// then that one settles them.
func (l *Locks) settleFile(ctx context.Context, file idmap.FileID) {
	x, err := l.Lease(ctx, file, "settle", 0)
	if err == nil {
		x.Release()
	} else if !errors.Is(err, ErrBusy) {
		l.failed("settling intents", err)
	}
}

// backoff is the pause after the n-th failure: from 5 s doubled to 10 min, with
// jitter, because many locks fail together when their server is down.
func backoff(n int64) time.Duration {
	pause := min(5*time.Second<<min(n, 10), 10*time.Minute)
	return pause*3/4 + rand.N(pause/2)
}

// detail makes the JSON of an intent. Its argument is a struct of plain fields,
// which always marshals.
func detail(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}
