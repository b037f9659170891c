package locks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"davwopi/idmap"
)

// IsBase reports whether that revision of the file is what the latest editing of it
// has read or written last: its editor has the contents, or has made them.
func (l *Locks) IsBase(ctx context.Context, f idmap.FileID, revision int64) (bool, error) {
	var base, delivered int64
	err := l.DB.Read().QueryRow(ctx, `SELECT base, delivered FROM locks_editing WHERE file = ? ORDER BY id DESC LIMIT 1`, string(f)).
		Scan(&base, &delivered)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("locks: reading the base of %s: %w", f, err)
	}
	return delivered != 0 && base == revision, nil
}
