package locks

import (
	"time"

	"davwopi/idmap/sqldb"
)

// A query changes the tables as of a time.
type query struct {
	text string
	args []any
}

// setBack is what mends times that lie further ahead than any that we write: the clock was
// ahead when they were written, and has been set right since. Else a lock whose editor is
// gone would stay for as long as the clock was ahead, a lease or claim of a dead process
// too, and nobody would refresh a DAV lock until then.
func (l *Locks) setBack(now time.Time) []query {
	const doubt = time.Minute // of clocks that are read one after the other
	end := func(d time.Duration) []any { return []any{sqldb.Millis(now.Add(d)), sqldb.Millis(now.Add(d + doubt))} }
	late := []any{sqldb.Millis(now.Add(Life + doubt))} // a look sooner than planned harms nothing
	return []query{
		{`UPDATE locks_row SET expires = ? WHERE expires > ?`, end(Life)},
		{`UPDATE locks_editing SET expires = ? WHERE expires > ?`, end(Life)},
		{`UPDATE locks_row SET taking_until = ? WHERE taking_until > ?`, end(takingFor)},
		{`UPDATE locks_row SET keeper_until = ? WHERE keeper_until > ?`, end(keeperFor)},
		{`UPDATE locks_lease SET until = ? WHERE until > ?`, end(l.k.leaseFor)},
		{`UPDATE locks_lease SET quiet = ? WHERE quiet > ?`, end(longestQuiet)},
		{`UPDATE locks_row SET next_at = 0 WHERE next_at > ?`, late},
		{`UPDATE locks_intent SET next_at = 0 WHERE next_at > ?`, late},
		{`UPDATE locks_announced SET next_at = 0 WHERE next_at > ?`, late},
	}
}

// longestQuiet is longer than anybody lets an upload go on without a byte (upstream.idle).
const longestQuiet = 24 * time.Hour
