package oauth

import (
	"context"
	"fmt"

	"davwopi/idmap/sqldb"
)

// Restored prepares the rows of a backup, before anything else uses them: no session and
// no sign-in link of that time is good any more, because who signed out, and which links
// were used since, is not known. App passwords and sealed credentials stay.
func Restored(ctx context.Context, db *sqldb.DB) error {
	if _, err := NewSessions(ctx, db); err != nil {
		return err
	}
	if _, err := NewLinks(ctx, db); err != nil {
		return err
	}
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, table := range []string{"oauth_session", "oauth_link"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("oauth: after a restore: %w", err)
	}
	return nil
}
