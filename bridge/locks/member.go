package locks

import (
	"context"
	"fmt"

	"davwopi/idmap/sqldb"
)

// IsMember tells whether a grant takes part in an editing: only its members may go
// on saving after they have signed out.
func (l *Locks) IsMember(ctx context.Context, editing int64, member string) (bool, error) {
	return isMember(ctx, l.DB.Read(), editing, member)
}

// MembersOf returns the grants that take part in editings, in the order in which they
// joined.
func (l *Locks) MembersOf(ctx context.Context, editings []int64) (map[int64][]string, error) {
	out := make(map[int64][]string, len(editings))
	for len(editings) > 0 {
		n := min(len(editings), batch)
		if err := l.membersOf(ctx, editings[:n], out); err != nil {
			return nil, fmt.Errorf("locks: reading members: %w", err)
		}
		editings = editings[n:]
	}
	return out, nil
}

func (l *Locks) membersOf(ctx context.Context, editings []int64, out map[int64][]string) error {
	in, args := sqldb.In(editings)
	rows, err := l.DB.Read().Query(ctx, `SELECT editing, member FROM locks_member WHERE editing IN `+in+` ORDER BY at, member`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var editing int64
		var member string
		if err := rows.Scan(&editing, &member); err != nil {
			return err
		}
		out[editing] = append(out[editing], member)
	}
	return rows.Err()
}
