package locks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// AfterMoves waits while any of files is being renamed or moved through the bridge,
// for a while. It reports whether one was: between MOVE and the record of it, neither
// the old place nor the new one is right.
func (l *Locks) AfterMoves(ctx context.Context, files []idmap.FileID) (bool, error) {
	deadline := time.Now().Add(l.k.patience)
	waited := false
	for {
		moving, err := l.beingMoved(ctx, files)
		if err != nil || moving == "" || !time.Now().Before(deadline) {
			return waited, err
		}
		waited = true
		if err := l.k.wakes.wait(ctx, moving, l.k.poll); err != nil {
			return waited, err
		}
	}
}

// beingMoved is one of files whose lease is held for a move; "" if there is none.
func (l *Locks) beingMoved(ctx context.Context, files []idmap.FileID) (idmap.FileID, error) {
	if len(files) == 0 {
		return "", nil
	}
	now, err := l.now(ctx)
	if err != nil {
		return "", err
	}
	in, args := sqldb.In(files)
	rows, err := l.DB.Read().Query(ctx, `SELECT file FROM locks_lease WHERE op = 'move' AND holder <> '' AND until > ?
		AND file IN `+in+` LIMIT 1`, append([]any{sqldb.Millis(now)}, args...)...)
	if err != nil {
		return "", fmt.Errorf("locks: reading leases: %w", err)
	}
	defer rows.Close()
	var file string
	for rows.Next() {
		if err := rows.Scan(&file); err != nil {
			return "", fmt.Errorf("locks: reading leases: %w", err)
		}
	}
	return idmap.FileID(file), rows.Err()
}

// unlessMoved makes a busy file of one that the upstream does not find: if a container
// above t has been moved meanwhile, it is not gone.
func (l *Locks) unlessMoved(ctx context.Context, t Target, err error) error {
	if !errors.Is(err, dav.ErrNotFound) {
		return err
	}
	above, aboveErr := l.IDs.Ancestors(ctx, t.File.Space, t.File.ID)
	if aboveErr != nil {
		return err
	}
	var files []idmap.FileID
	for _, a := range above {
		files = append(files, a.ID)
	}
	waited, waitErr := l.AfterMoves(ctx, files)
	known, knownErr := l.IDs.Known(ctx, t.File.Space, t.File.ID)
	if waitErr == nil && knownErr == nil && (waited || known.Path != t.File.Path) {
		return fmt.Errorf("locks: its folder was moved meanwhile: %w", ErrBusy)
	}
	return err
}
