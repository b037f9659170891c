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

const (
	maxIDs     = 200            // lock IDs that one editing remembers, the newest
	maxMembers = 1000           // of one editing
	keepsIDs   = 24 * time.Hour // an ended editing's lock IDs still mean "changed outside" for so long
)

// An editingRow is an Editing with what only this room needs.
type editingRow struct {
	Editing
	delivered bool   // base was read or written by this editing
	reader    string // member whose GetFile made the base
	known     int64  // the file's revision when the editing began
	expires   time.Time
}

const editingColumns = `id, file, editor, office, base, delivered, reader, known, started, expires, ended, reported, diverted`

func scanEditing(scan func(...any) error) (*editingRow, error) {
	var e editingRow
	var file, office, diverted string
	var delivered, started, expires, ended int64
	err := scan(&e.ID, &file, &e.Editor, &office, &e.Base, &delivered, &e.reader, &e.known, &started, &expires, &ended, &e.Reported, &diverted)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("locks: reading an editing: %w", err)
	}
	e.File, e.Office, e.Diverted = idmap.FileID(file), wopi.ParseOffice(office), idmap.FileID(diverted)
	e.delivered, e.Started, e.expires, e.Ended = delivered != 0, sqldb.FromMillis(started), sqldb.FromMillis(expires), sqldb.FromMillis(ended)
	return &e, nil
}

// latestEditing is the newest editing of file, live or ended; nil if there was
// none lately.
func latestEditing(ctx context.Context, q sqldb.Queryer, file idmap.FileID) (*editingRow, error) {
	return scanEditing(q.QueryRow(ctx, `SELECT `+editingColumns+` FROM locks_editing
		WHERE file = ? ORDER BY id DESC LIMIT 1`, string(file)).Scan)
}

// editingByID is one editing; an error if it was swept away.
func editingByID(ctx context.Context, q sqldb.Queryer, id int64) (*editingRow, error) {
	e, err := scanEditing(q.QueryRow(ctx, `SELECT `+editingColumns+` FROM locks_editing WHERE id = ?`, id).Scan)
	if err == nil && e == nil {
		err = fmt.Errorf("locks: editing %d is not there", id)
	}
	return e, err
}

// editingThatHeld is the newest editing of file, through editor, that has had id;
// nil if there is none.
func editingThatHeld(ctx context.Context, q sqldb.Queryer, file idmap.FileID, editor string, id wopi.LockID) (*editingRow, error) {
	return scanEditing(q.QueryRow(ctx, `SELECT `+editingColumns+` FROM locks_editing
		WHERE file = ? AND editor = ? AND EXISTS (
			SELECT 1 FROM locks_editing_id i WHERE i.editing = locks_editing.id AND i.lock_id = ?)
		ORDER BY id DESC LIMIT 1`, string(file), editor, string(id)).Scan)
}

// beginEditing ends what was live and begins the editing of a new lock. Its base
// is what a.Member read last; for ONLYOFFICE, which may show kept bytes without
// reading, what this editor URL got or put last; else the revision of now.
func beginEditing(ctx context.Context, tx sqldb.Queryer, f idmap.Entry, a Actor, l Lock, now time.Time) (int64, error) {
	if err := endEditings(ctx, tx, f.ID, now); err != nil {
		return 0, err
	}
	base, delivered, reader := f.Revision.Number, int64(0), ""
	query, who := `SELECT revision FROM locks_read WHERE file = ? AND member = ?`, a.Member
	if a.Office == wopi.OnlyOffice {
		query, who = `SELECT revision FROM locks_editor_read WHERE file = ? AND editor = ?`, a.Editor
	}
	err := tx.QueryRow(ctx, query, string(f.ID), who).Scan(&base)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return 0, fmt.Errorf("locks: reading the base: %w", err)
	case a.Office != wopi.OnlyOffice:
		delivered, reader = 1, a.Member
	}
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO locks_editing (file, editor, office, base, delivered, reader, known, started, expires, ended, reported, diverted)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '') RETURNING id`,
		string(f.ID), a.Editor, a.Office.String(), base, delivered, reader, f.Revision.Number,
		sqldb.Millis(now), sqldb.Millis(l.Expires)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("locks: beginning an editing: %w", err)
	}
	if err := addID(ctx, tx, id, l.ID, now); err != nil {
		return 0, err
	}
	return id, addMember(ctx, tx, id, a.Member, now)
}

// goOnEditing is what a new or refreshed lock does to the editing that it belongs
// to. reopened says that Lock took an expired lock again: what the editor reads
// next may become the base.
func goOnEditing(ctx context.Context, tx sqldb.Queryer, editing int64, a Actor, l Lock, reopened bool, now time.Time) error {
	keep := int64(1)
	if reopened {
		keep = 0
	}
	if _, err := tx.Exec(ctx, `UPDATE locks_editing SET expires = ?, delivered = delivered * CAST(? AS BIGINT) WHERE id = ?`,
		sqldb.Millis(l.Expires), keep, editing); err != nil {
		return fmt.Errorf("locks: writing an editing: %w", err)
	}
	if err := addID(ctx, tx, editing, l.ID, now); err != nil {
		return err
	}
	return addMember(ctx, tx, editing, a.Member, now)
}

// endEditings ends the live editings of file.
func endEditings(ctx context.Context, tx sqldb.Queryer, file idmap.FileID, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE locks_editing SET ended = ? WHERE file = ? AND ended = 0`, sqldb.Millis(now), string(file)); err != nil {
		return fmt.Errorf("locks: ending an editing: %w", err)
	}
	return nil
}

// addID remembers that editing has had id.
func addID(ctx context.Context, tx sqldb.Queryer, editing int64, id wopi.LockID, now time.Time) error {
	n, err := tx.Exec(ctx, `INSERT INTO locks_editing_id (editing, lock_id, at) VALUES (?, ?, ?) ON CONFLICT (editing, lock_id) DO NOTHING`,
		editing, string(id), sqldb.Millis(now))
	if err == nil && n > 0 {
		_, err = tx.Exec(ctx, `DELETE FROM locks_editing_id WHERE editing = ? AND lock_id NOT IN (
			SELECT lock_id FROM locks_editing_id WHERE editing = ? ORDER BY at DESC, lock_id LIMIT ?)`, editing, editing, int64(maxIDs))
	}
	if err != nil {
		return fmt.Errorf("locks: remembering a lock ID: %w", err)
	}
	return nil
}

// addMember makes a grant a member of editing, as long as it has room.
func addMember(ctx context.Context, tx sqldb.Queryer, editing int64, member string, now time.Time) error {
	if member == "" {
		return nil
	}
	var n int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM locks_member WHERE editing = ?`, editing).Scan(&n); err != nil {
		return fmt.Errorf("locks: counting members: %w", err)
	}
	if n >= maxMembers {
		return nil
	}
	if _, err := tx.Exec(ctx, `INSERT INTO locks_member (editing, member, at) VALUES (?, ?, ?) ON CONFLICT (editing, member) DO NOTHING`,
		editing, member, sqldb.Millis(now)); err != nil {
		return fmt.Errorf("locks: adding a member: %w", err)
	}
	return nil
}

func isMember(ctx context.Context, q sqldb.Queryer, editing int64, member string) (bool, error) {
	var n int64
	if err := q.QueryRow(ctx, `SELECT COUNT(*) FROM locks_member WHERE editing = ? AND member = ?`, editing, member).Scan(&n); err != nil {
		return false, fmt.Errorf("locks: looking for a member: %w", err)
	}
	return n > 0, nil
}
