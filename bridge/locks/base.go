package locks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Joined makes a's grant a member of the file's live editing, if there is one
// through the same editor: it may save for a while after its person has signed
// out. It is to be called at CheckFileInfo and GetFile, and only for grants that
// may edit.
func (l *Locks) Joined(ctx context.Context, f idmap.FileID, a Actor) error {
	e, err := latestEditing(ctx, l.DB.Read(), f)
	if err != nil || e == nil || !e.Ended.IsZero() || e.Editor != a.Editor {
		return err
	}
	if already, err := isMember(ctx, l.DB.Read(), e.ID, a.Member); err != nil || already {
		return err
	}
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error { return addMember(ctx, tx, e.ID, a.Member, now) })
}

// Read remembers that a got the file's contents as of revision: GetFile, FileUrl
// and the Docs API's download. They become the base of the editing that a's grant
// begins with Lock, or at once if it is a member of an editing that has read
// nothing yet. A later GetFile, perhaps of contents that were changed outside
// meanwhile, does not move a base. To be called for grants that may edit: what
// somebody only looked at is nobody's base.
func (l *Locks) Read(ctx context.Context, f idmap.FileID, a Actor, revision int64) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	e, err := latestEditing(ctx, l.DB.Read(), f)
	if err != nil {
		return err
	}
	moves, err := l.movesBase(ctx, e, a, revision)
	if err != nil {
		return err
	}
	known, err := l.readBefore(ctx, f, a, revision, now)
	if err != nil || (known && !moves) {
		return err
	}
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if err := remember(ctx, tx, f, a, revision, now); err != nil || !moves {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE locks_editing SET base = ?, delivered = 1, reader = ? WHERE id = ? AND ended = 0`,
			revision, a.Member, e.ID)
		return err
	})
}

// movesBase reports whether what a read is the base of e: e has none that was
// delivered, or the same grant reads again what was there when e began.
func (l *Locks) movesBase(ctx context.Context, e *editingRow, a Actor, revision int64) (bool, error) {
	if e == nil || !e.Ended.IsZero() || e.Editor != a.Editor {
		return false, nil
	}
	again := e.reader == a.Member && revision > e.Base && revision <= e.known
	if e.delivered && !again {
		return false, nil
	}
	return isMember(ctx, l.DB.Read(), e.ID, a.Member)
}

// readBefore reports whether revision is remembered for a already, not long ago.
func (l *Locks) readBefore(ctx context.Context, f idmap.FileID, a Actor, revision int64, now time.Time) (bool, error) {
	if a.Office == wopi.OnlyOffice {
		return false, nil // two memories; it reads once per editing
	}
	var n int64
	err := l.DB.Read().QueryRow(ctx, `SELECT COUNT(*) FROM locks_read WHERE file = ? AND member = ? AND revision = ? AND at > ?`,
		string(f), a.Member, revision, sqldb.Millis(now.Add(-readLife/2))).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("locks: looking for what was read: %w", err)
	}
	return n > 0, nil
}

// remember writes what a has read into the memories.
func remember(ctx context.Context, tx sqldb.Queryer, f idmap.FileID, a Actor, revision int64, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO locks_read (file, member, revision, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (file, member) DO UPDATE SET revision = excluded.revision, at = excluded.at`,
		string(f), a.Member, revision, sqldb.Millis(now))
	if err == nil && a.Office == wopi.OnlyOffice {
		err = rememberEditor(ctx, tx, f, a.Editor, revision, now)
	}
	if err != nil {
		return fmt.Errorf("locks: remembering what was read: %w", err)
	}
	return nil
}

func rememberEditor(ctx context.Context, tx sqldb.Queryer, f idmap.FileID, editor string, revision int64, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO locks_editor_read (file, editor, revision, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (file, editor) DO UPDATE SET revision = excluded.revision, at = excluded.at`,
		string(f), editor, revision, sqldb.Millis(now))
	return err
}

// SetBase records that editing has written revision, under the lease of its file:
// that is the base from now on, for the editing and for every member that locks
// again without reading. It returns [ErrStale] if the lease was taken over, and
// changes nothing then.
func (l *Locks) SetBase(ctx context.Context, x *Lease, editing int64, revision int64) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if err := x.Still(ctx, tx); err != nil {
			return err
		}
		return l.Based(ctx, tx, x.File, editing, revision, now)
	})
}

// Based is [Locks.SetBase] inside a transaction, which proves by other means than a lease
// that nobody has written since.
func (l *Locks) Based(ctx context.Context, tx sqldb.Queryer, file idmap.FileID, editing, revision int64, now time.Time) error {
	var editor, office string
	err := tx.QueryRow(ctx, `UPDATE locks_editing SET base = ?, delivered = 1 WHERE id = ? AND file = ? RETURNING editor, office`,
		revision, editing, string(file)).Scan(&editor, &office)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("locks: no editing %d of this file", editing)
	}
	if err != nil {
		return fmt.Errorf("locks: writing the base: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE locks_read SET revision = ?, at = ? WHERE file = ? AND member IN (
		SELECT member FROM locks_member WHERE editing = ?)`, revision, sqldb.Millis(now), string(file), editing)
	if err == nil && wopi.ParseOffice(office) == wopi.OnlyOffice {
		err = rememberEditor(ctx, tx, file, editor, revision, now)
	}
	return err
}

// SetConflict records what editing was told about an outside change: the revision
// reported with Collabora's 1010, and the conflict copy to which ONLYOFFICE's later
// saves go. It returns [ErrStale] if the lease was taken over.
func (l *Locks) SetConflict(ctx context.Context, x *Lease, editing int64, reported int64, diverted idmap.FileID) error {
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if err := x.Still(ctx, tx); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE locks_editing SET reported = ?, diverted = ? WHERE id = ? AND file = ?`,
			reported, string(diverted), editing, string(x.File))
		if err == nil && n == 0 {
			err = fmt.Errorf("locks: no editing %d of this file", editing)
		}
		return err
	})
}

// Members returns the grants that are members of an editing, and until when each
// may still save if its person signs out now: 30 minutes after the editing's end,
// which is its Unlock, or else the expiry of its lock.
func (l *Locks) Members(ctx context.Context) (map[string]time.Time, error) {
	now, err := l.now(ctx)
	if err != nil {
		return nil, err
	}
	since := sqldb.Millis(now.Add(-reprieve))
	rows, err := l.DB.Read().Query(ctx, `SELECT m.member, e.ended, e.expires FROM locks_member m JOIN locks_editing e ON e.id = m.editing
		WHERE (e.ended = 0 AND e.expires > ?) OR e.ended > ?`, since, since)
	if err != nil {
		return nil, fmt.Errorf("locks: reading members: %w", err)
	}
	defer rows.Close()
	members := make(map[string]time.Time)
	for rows.Next() {
		var member string
		var ended, expires int64
		if err := rows.Scan(&member, &ended, &expires); err != nil {
			return nil, fmt.Errorf("locks: reading members: %w", err)
		}
		end := sqldb.FromMillis(expires)
		if ended != 0 {
			end = sqldb.FromMillis(ended)
		}
		if until := end.Add(reprieve); until.After(members[member]) {
			members[member] = until
		}
	}
	return members, rows.Err()
}
