package saves

import (
	"context"
	"fmt"
	"time"

	"davwopi/idmap/sqldb"
)

// Stats are the figures of this directory's journal.
type Stats struct {
	Entries map[string]Count // by state; states without entries are left out
	Oldest  time.Duration    // for how long the oldest acknowledged save has waited, 0 none waits
	SignIn  int64            // acknowledged saves that need somebody's sign-in
}

// A Count is how many entries there are, and how long they are in all.
type Count struct{ Entries, Bytes int64 }

// Stats counts.
func (s *Saves) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Entries: make(map[string]Count)}
	now, err := s.DB.Now(ctx)
	if err != nil {
		return st, fmt.Errorf("saves: %w", err)
	}
	rows, err := s.DB.Read().Query(ctx, `SELECT state, COUNT(*), SUM(size), MIN(made), SUM(CASE WHEN reason = ? THEN 1 ELSE 0 END)
		FROM saves_entry WHERE store = ? GROUP BY state`, needsSignIn, s.store)
	if err != nil {
		return st, fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var c Count
		var oldest, need int64
		if err := rows.Scan(&r.state, &c.Entries, &c.Bytes, &oldest, &need); err != nil {
			return st, fmt.Errorf("saves: journal: %w", err)
		}
		st.Entries[r.state] = c
		if r.acknowledged() {
			st.SignIn += need
			st.Oldest = max(st.Oldest, now.Sub(sqldb.FromMillis(oldest)))
		}
	}
	return st, rows.Err()
}
