package locks

import (
	"context"
	"fmt"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// noteAnnounced remembers, before a lock file is written, that the one with this
// nonce is ours. A lock file that an outage left behind is thus known again after
// its row is gone, and never locks us out.
func (l *Locks) noteAnnounced(ctx context.Context, file idmap.FileID, nonce string) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO locks_announced (file, nonce, at) VALUES (?, ?, ?)
			ON CONFLICT (file, nonce) DO NOTHING`, string(file), nonce, sqldb.Millis(now))
		return err
	})
}

// announcedFor lists the nonces of the lock files that we have written for file
// and that may still be there.
func (l *Locks) announcedFor(ctx context.Context, file idmap.FileID) ([]string, error) {
	rows, err := l.DB.Read().Query(ctx, `SELECT nonce FROM locks_announced WHERE file = ?`, string(file))
	if err != nil {
		return nil, fmt.Errorf("locks: announcements: %w", err)
	}
	defer rows.Close()
	var nonces []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("locks: announcements: %w", err)
		}
		nonces = append(nonces, n)
	}
	return nonces, rows.Err()
}

// leftBehind reports whether a lock file with that content is one of ours whose
// removal failed. If so it is removed now; where that fails again it is no
// obstacle all the same.
func (l *Locks) leftBehind(ctx context.Context, view *davbackend.View, file idmap.FileID, p dav.Path, content []byte) (bool, error) {
	nonces, err := l.announcedFor(ctx, file)
	if err != nil || !(own{nonces: nonces}).wrote(content) {
		return false, err
	}
	l.failed("removing a lock file that was left behind", worthRetrying(view.Delete(ctx, p, davbackend.Condition{})))
	return true, nil
}
