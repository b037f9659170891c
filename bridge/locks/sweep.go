package locks

import (
	"context"
	"fmt"
	"time"

	"davwopi/idmap/sqldb"
)

// How long memories are kept that no live lock needs.
const (
	sweepEvery     = 10 * time.Minute
	readLife       = 24 * time.Hour      // a grant lives for 10 hours
	editorReadLife = 90 * 24 * time.Hour // ONLYOFFICE keeps bytes of its own
	editingLife    = 7 * 24 * time.Hour
	leaseLife      = 24 * time.Hour
)

// sweep forgets what is too old to matter, and mends what is too far ahead, now and then,
// and when the clock was set back.
func (l *Locks) sweep(ctx context.Context, now time.Time) error {
	l.k.mu.Lock()
	due := now.Sub(l.k.swept) >= sweepEvery || now.Before(l.k.swept)
	if due {
		l.k.swept = now
	}
	l.k.mu.Unlock()
	if !due {
		return nil
	}
	before := func(d time.Duration) int64 { return sqldb.Millis(now.Add(-d)) }
	steps := append(l.setBack(now), []query{
		{`DELETE FROM locks_read WHERE at < ?`, []any{before(readLife)}},
		{`DELETE FROM locks_editor_read WHERE at < ?`, []any{before(editorReadLife)}},
		{`DELETE FROM locks_foreign WHERE at < ?`, []any{before(foreignFresh)}},
		// A serial is at least the milliseconds of its time: the next one is greater.
		{`DELETE FROM locks_lease WHERE until < ? AND serial < ?`, []any{before(leaseLife), before(leaseLife)}},
		{`UPDATE locks_editing SET ended = expires WHERE ended = 0 AND expires < ? AND NOT EXISTS (
			SELECT 1 FROM locks_row r WHERE r.editing = locks_editing.id)`, []any{before(editingLife)}},
		{`DELETE FROM locks_editing WHERE ended <> 0 AND ended < ? AND NOT EXISTS (
			SELECT 1 FROM locks_row r WHERE r.editing = locks_editing.id)`, []any{before(editingLife)}},
		{`DELETE FROM locks_member WHERE NOT EXISTS (SELECT 1 FROM locks_editing e WHERE e.id = locks_member.editing)`, nil},
		{`DELETE FROM locks_editing_id WHERE NOT EXISTS (SELECT 1 FROM locks_editing e WHERE e.id = locks_editing_id.editing)`, nil},
	}...)
	err := l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		for _, s := range steps {
			if _, err := tx.Exec(ctx, s.text, s.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("locks: sweeping: %w", err)
	}
	return nil
}
