package access

import (
	"context"
	"fmt"

	"davwopi/idmap/sqldb"
)

// Restored prepares the rows of a backup, before anything else uses them: no token,
// ticket or guest's session of that time opens anything, because what was revoked since
// is not known. Links to files are as they were when the backup was made.
func Restored(ctx context.Context, db *sqldb.DB) error {
	if _, err := NewTokens(ctx, db, nil); err != nil {
		return err
	}
	if _, err := NewTickets(ctx, db); err != nil {
		return err
	}
	if _, err := NewShares(ctx, db, nil); err != nil {
		return err
	}
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, table := range []string{"access_grant", "access_reprieve", "access_signed_out", "access_ticket", "access_guest"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("access: after a restore: %w", err)
	}
	return nil
}
