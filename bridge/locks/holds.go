package locks

import (
	"context"

	"davwopi/idmap"
)

// Holds reports whether a WOPI lock is on the file at present. It asks nobody but the
// database: idmap keeps the ID of a file that others replace while it is being edited.
func (l *Locks) Holds(ctx context.Context, file idmap.FileID) (bool, error) {
	now, err := l.now(ctx)
	if err != nil {
		return false, err
	}
	r, err := readRow(ctx, l.DB.Read(), file)
	return r.locked(now), err
}
