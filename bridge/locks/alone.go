package locks

import (
	"context"
	"fmt"

	"davwopi/idmap/sqldb"
)

// Alone ends the leases and claims that processes which are gone have left, so
// that nobody waits for them to run out after a crash. Only the one process that
// works on this database may call it, at its start and before anything else: with
// a shared database ([sqldb.DB.Shared]) the leases of the others would end too.
//
// Serials stay, so that a take-over is still told from the holder before; intents
// stay, and are settled by whoever takes the lease next.
func (l *Locks) Alone(ctx context.Context) error {
	err := l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if _, err := tx.Exec(ctx, `UPDATE locks_lease SET holder = '', until = 0, linger = 0`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE locks_row SET keeper = '', keeper_until = 0, taking_until = 0, next_at = 0`)
		return err
	})
	if err != nil {
		return fmt.Errorf("locks: ending what is left of a crash: %w", err)
	}
	return nil
}
