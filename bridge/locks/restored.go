package locks

import (
	"context"
	"fmt"

	"davwopi/idmap/sqldb"
)

// Restored prepares the rows of a backup, before anything else uses them: no lock, no
// editing and no half-done operation of that time lives on. What we had locked upstream is
// given back by the keeper, or kept where a save still waits; lock files of ours are
// removed. The serials of leases stay, so that they go on growing.
func Restored(ctx context.Context, db *sqldb.DB) error {
	if err := db.Migrate(ctx, room, migrations); err != nil {
		return fmt.Errorf("locks: %w", err)
	}
	now, err := db.Now(ctx)
	if err != nil {
		return fmt.Errorf("locks: %w", err)
	}
	err = db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, c := range []struct {
			query string
			args  []any
		}{
			{`DELETE FROM locks_row WHERE token = ''`, nil},
			{`UPDATE locks_row SET phase = ?, lock_id = '', expires = ?, editing = 0, serial = serial + 1, lost = 0, holder = '',
				taking_until = 0, next_at = 0, tries = 0, keeper = '', keeper_until = 0`, []any{int64(releasing), sqldb.Millis(now)}},
			{`UPDATE locks_row SET phase = ? WHERE file IN (SELECT file FROM locks_waiting)`, []any{int64(kept)}},
			{`DELETE FROM locks_editing`, nil},
			{`DELETE FROM locks_editing_id`, nil},
			{`DELETE FROM locks_member`, nil},
			{`DELETE FROM locks_read`, nil},
			{`DELETE FROM locks_editor_read`, nil},
			{`DELETE FROM locks_foreign`, nil},
			{`DELETE FROM locks_intent`, nil},
			{`UPDATE locks_lease SET holder = '', until = 0`, nil},
		} {
			if _, err := tx.Exec(ctx, c.query, c.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("locks: after a restore: %w", err)
	}
	return nil
}
