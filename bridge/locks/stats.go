package locks

import (
	"context"
	"fmt"

	"davwopi/idmap/sqldb"
)

// Stats are the figures of the lock book.
type Stats struct {
	Held    int64 // files that an editor has open
	Lost    int64 // of those, whose DAV lock is gone
	Journal int64 // files that only a waiting save holds
	Leaving int64 // DAV locks that are still to be given back
	Intents int64 // what is to be settled
}

// Stats counts.
func (l *Locks) Stats(ctx context.Context) (Stats, error) {
	var st Stats
	now, err := l.now(ctx)
	if err != nil {
		return st, err
	}
	err = l.DB.Read().QueryRow(ctx, `SELECT
		COALESCE(SUM(CASE WHEN phase = ? AND expires > ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN phase = ? AND expires > ? AND lost = 1 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN phase = ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN phase = ? THEN 1 ELSE 0 END), 0),
		(SELECT COUNT(*) FROM locks_intent) FROM locks_row`,
		int64(held), sqldb.Millis(now), int64(held), sqldb.Millis(now), int64(kept), int64(releasing)).
		Scan(&st.Held, &st.Lost, &st.Journal, &st.Leaving, &st.Intents)
	if err != nil {
		return st, fmt.Errorf("locks: counting: %w", err)
	}
	return st, nil
}
