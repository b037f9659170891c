package locks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A phase is where a lock row stands between the database and the upstream.
type phase int64

const (
	taking    phase = iota + 1 // the DAV lock is being asked for; rivals wait
	held                       // locked, unless expired
	releasing                  // unlocked for WOPI; the DAV lock may still be there
	kept                       // unlocked for WOPI; the DAV lock stays while a save waits in the journal
)

func (p phase) String() string {
	switch p {
	case taking:
		return "taking"
	case held:
		return "held"
	case releasing:
		return "releasing"
	case kept:
		return HeldByJournal
	}
	return "none"
}

// A row is one line of locks_row, without the keeper's claim.
type row struct {
	file    idmap.FileID
	serial  int64
	phase   phase
	lock    Lock
	editing int64
	since   time.Time
	actor   Actor

	space    idmap.SpaceID
	upstream string
	pinned   []byte
	path     dav.Path
	token    dav.LockToken
	nonce    string
	granted  time.Time // the DAV lock is good until
	lost     bool
	holder   string

	takingUntil time.Time
	next        time.Time
	tries       int64

	handed bool // not stored: the DAV lock passes on to actor, with pinned
}

// locked reports whether r locks the file for WOPI at now. A nil row does not.
func (r *row) locked(now time.Time) bool {
	return r != nil && r.phase == held && r.lock.Held(now)
}

// pending reports whether somebody is just taking the lock, so that the outcome
// is worth waiting for.
func (r *row) pending(now time.Time) bool {
	return r != nil && r.phase == taking && now.Before(r.takingUntil)
}

// wopi is the lock that WOPI's rules see.
func (r *row) wopi(now time.Time) Lock {
	if !r.locked(now) {
		return Lock{}
	}
	return r.lock
}

const rowColumns = `serial, phase, lock_id, expires, editing, since,
	member, editor, office, user_id, name, space, upstream, pinned,
	path, token, nonce, granted_until, lost, holder, taking_until, next_at, tries`

// values are the columns of rowColumns, in order.
func (r *row) values() []any {
	lost := int64(0)
	if r.lost {
		lost = 1
	}
	pinned := r.pinned
	if pinned == nil {
		pinned = []byte{}
	}
	a := r.actor
	return []any{
		r.serial, int64(r.phase), string(r.lock.ID), sqldb.Millis(r.lock.Expires), r.editing, sqldb.Millis(r.since),
		a.Member, a.Editor, a.Office.String(), a.UserID, a.Name, int64(r.space), r.upstream, pinned,
		string(r.path), string(r.token), r.nonce, sqldb.Millis(r.granted), lost, r.holder,
		sqldb.Millis(r.takingUntil), sqldb.Millis(r.next), r.tries,
	}
}

// scanRow reads file and rowColumns.
func scanRow(scan func(...any) error) (*row, error) {
	var r row
	var file, id, office, path, token string
	var phaseN, expires, since, space, granted, lost, takingUntil, next int64
	err := scan(&file, &r.serial, &phaseN, &id, &expires, &r.editing, &since,
		&r.actor.Member, &r.actor.Editor, &office, &r.actor.UserID, &r.actor.Name, &space, &r.upstream, &r.pinned,
		&path, &token, &r.nonce, &granted, &lost, &r.holder, &takingUntil, &next, &r.tries)
	if err != nil {
		return nil, err
	}
	r.file, r.phase, r.actor.Office = idmap.FileID(file), phase(phaseN), wopi.ParseOffice(office)
	r.lock = Lock{ID: wopi.LockID(id), Expires: sqldb.FromMillis(expires)}
	r.since, r.space, r.path, r.token = sqldb.FromMillis(since), idmap.SpaceID(space), dav.Path(path), dav.LockToken(token)
	r.granted, r.lost, r.takingUntil = sqldb.FromMillis(granted), lost != 0, sqldb.FromMillis(takingUntil)
	r.next = sqldb.FromMillis(next)
	return &r, nil
}

// readRow returns the row of file, nil if there is none.
func readRow(ctx context.Context, q sqldb.Queryer, file idmap.FileID) (*row, error) {
	r, err := scanRow(q.QueryRow(ctx, `SELECT file, `+rowColumns+` FROM locks_row WHERE file = ?`, string(file)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("locks: reading the row of %s: %w", file, err)
	}
	return r, nil
}

// insertRow adds r and gives it a serial that never was; false if there is a row
// already.
func insertRow(ctx context.Context, tx sqldb.Queryer, r *row) (bool, error) {
	r.serial = rand.Int64N(1 << 62)
	n, err := tx.Exec(ctx, `INSERT INTO locks_row (file, `+rowColumns+`, keeper, keeper_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0)
		ON CONFLICT (file) DO NOTHING`, append([]any{string(r.file)}, r.values()...)...)
	if err != nil {
		return false, fmt.Errorf("locks: adding the row of %s: %w", r.file, err)
	}
	return n == 1, nil
}

// updateRow writes r over the row that has serial; false if that has changed.
func updateRow(ctx context.Context, tx sqldb.Queryer, serial int64, r *row) (bool, error) {
	r.serial = serial + 1
	args := append(r.values(), string(r.file), serial)
	n, err := tx.Exec(ctx, `UPDATE locks_row SET
		serial = ?, phase = ?, lock_id = ?, expires = ?, editing = ?, since = ?,
		member = ?, editor = ?, office = ?, user_id = ?, name = ?, space = ?, upstream = ?, pinned = ?,
		path = ?, token = ?, nonce = ?, granted_until = ?, lost = ?, holder = ?,
		taking_until = ?, next_at = ?, tries = ?
		WHERE file = ? AND serial = ?`, args...)
	if err != nil {
		return false, fmt.Errorf("locks: writing the row of %s: %w", r.file, err)
	}
	return n == 1, nil
}

// deleteRow removes the row of file that has serial; false if that has changed.
func deleteRow(ctx context.Context, tx sqldb.Queryer, file idmap.FileID, serial int64) (bool, error) {
	n, err := tx.Exec(ctx, `DELETE FROM locks_row WHERE file = ? AND serial = ?`, string(file), serial)
	if err != nil {
		return false, fmt.Errorf("locks: removing the row of %s: %w", file, err)
	}
	return n == 1, nil
}
