package saves

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"davwopi/bridge/locks"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// States of an entry.
const (
	// stateSpooled: durable here; nothing was sent.
	stateSpooled = "spooled"
	// stateDelivering: something may have been sent.
	stateDelivering = "delivering"
	// stateWaiting: acknowledged, though the upstream has not got it: only this
	// directory has. Delivered by itself, however long it takes.
	stateWaiting = "waiting"
	// stateAside: acknowledged like what waits, but no contents of the file: it becomes
	// a copy beside it.
	stateAside = "aside"
	// stateVerified: seen on the upstream; looked for once more before the spool goes.
	stateVerified = "verified"
	// stateConflict: not written to the file. If the row names a copy the bytes are in
	// it, else they are here only.
	stateConflict = "conflict"
	// stateUnacknowledged: answered with anything but 200, or not at all. Never
	// delivered by itself.
	stateUnacknowledged = "unacknowledged"
	// stateRefused: the upstream refused for good.
	stateRefused = "refused"
	// statePreimage: what lay on the upstream before a save replaced it.
	statePreimage = "preimage"
)

// Kinds of an entry: what made it.
const (
	kindPut       = "put"
	kindCreate    = "create"
	kindOverwrite = "overwrite"
	kindPreimage  = "preimage"
	kindStray     = "stray" // a spool found without a row
)

// How far an upload had come when the row was last changed.
const (
	sentNothing int64 = iota
	sentPut           // a PUT onto the target
	sentMove          // a MOVE of the temp onto the target
)

var migrations = []string{
	`CREATE TABLE saves_entry (
		num {{serial}},
		id TEXT {{bytes}} NOT NULL UNIQUE,
		store TEXT {{bytes}} NOT NULL,
		kind TEXT NOT NULL,
		state TEXT NOT NULL,
		file TEXT {{bytes}} NOT NULL,
		space BIGINT NOT NULL,
		upstream TEXT NOT NULL,
		name TEXT NOT NULL,
		size BIGINT NOT NULL,
		sha256 {{blob}} NOT NULL,
		writer TEXT NOT NULL,
		member TEXT NOT NULL,
		office BIGINT NOT NULL,
		editing BIGINT NOT NULL,
		base BIGINT NOT NULL,
		revision BIGINT NOT NULL,
		serial BIGINT NOT NULL,
		target TEXT {{bytes}} NOT NULL,
		before_etag TEXT NOT NULL,
		temp TEXT {{bytes}} NOT NULL,
		temp_etag TEXT NOT NULL,
		sent BIGINT NOT NULL,
		beside BIGINT NOT NULL,
		copy TEXT {{bytes}} NOT NULL,
		etag TEXT NOT NULL,
		reason TEXT NOT NULL,
		pinned {{blob}},
		made BIGINT NOT NULL,
		changed BIGINT NOT NULL
	);
	CREATE INDEX saves_entry_state ON saves_entry (store, state, changed);
	CREATE INDEX saves_entry_file ON saves_entry (file, editing);
	CREATE TABLE saves_written (
		editing BIGINT NOT NULL,
		file TEXT {{bytes}} NOT NULL,
		revision BIGINT NOT NULL,
		size BIGINT NOT NULL,
		sha256 {{blob}},
		made BIGINT NOT NULL,
		PRIMARY KEY (file, editing, revision)
	);
	CREATE TABLE saves_copy (
		file TEXT {{bytes}} NOT NULL,
		editing BIGINT NOT NULL,
		base BIGINT NOT NULL,
		copy TEXT {{bytes}} NOT NULL,
		revision BIGINT NOT NULL,
		made BIGINT NOT NULL,
		PRIMARY KEY (file, editing, base)
	)`,
	`ALTER TABLE saves_written ADD COLUMN num BIGINT NOT NULL DEFAULT 0`,
	`ALTER TABLE saves_entry ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
	CREATE INDEX saves_entry_user ON saves_entry (user_id, changed);
	ALTER TABLE saves_written ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
	CREATE INDEX saves_written_user ON saves_written (user_id, made);
	ALTER TABLE saves_copy ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
	ALTER TABLE saves_copy ADD COLUMN name TEXT {{bytes}} NOT NULL DEFAULT '';
	CREATE INDEX saves_copy_user ON saves_copy (user_id, made)`,
	`-- Where the bytes are, and whose the entry is (store): see store.go.
	ALTER TABLE saves_entry ADD COLUMN place TEXT {{bytes}} NOT NULL DEFAULT '';
	UPDATE saves_entry SET place = store;
	CREATE TABLE saves_piece (
		entry TEXT {{bytes}} NOT NULL,
		at BIGINT NOT NULL,
		size BIGINT NOT NULL,
		made BIGINT NOT NULL,
		bytes {{blob}} NOT NULL,
		PRIMARY KEY (entry, at)
	);
	CREATE TABLE saves_bridge (
		store TEXT {{bytes}} PRIMARY KEY,
		seen BIGINT NOT NULL
	)`,
	`-- When it was put back from a backup in which it was acknowledged; 0: it was not. See Restored.
	ALTER TABLE saves_entry ADD COLUMN restored BIGINT NOT NULL DEFAULT 0`,
	`-- The entry that a conflict copy holds: an older one does not replace it.
	ALTER TABLE saves_copy ADD COLUMN num BIGINT NOT NULL DEFAULT 0`,
	`-- Bodies that come in pieces: see incoming.go.
	CREATE TABLE saves_incoming (
		id TEXT {{bytes}} PRIMARY KEY,
		user_id TEXT NOT NULL,
		name TEXT {{bytes}} NOT NULL,
		folder TEXT {{bytes}} NOT NULL,
		size BIGINT NOT NULL,
		have BIGINT NOT NULL,
		place TEXT {{bytes}} NOT NULL,
		touched BIGINT NOT NULL
	);
	CREATE INDEX saves_incoming_user ON saves_incoming (user_id, touched)`,
	`-- With what the pre-images are counted and found by, without a look at the rows.
	DROP INDEX saves_entry_state;
	CREATE INDEX saves_entry_state ON saves_entry (store, state, changed, size)`,
	`-- A save asks for the file's entries of a few states, among all its pre-images.
	DROP INDEX saves_entry_file;
	CREATE INDEX saves_entry_file ON saves_entry (file, state, store, sha256)`,
	`-- Temporary files that are to be gone: see litter.go.
	CREATE TABLE saves_litter (
		upstream TEXT NOT NULL,
		temp TEXT {{bytes}} NOT NULL,
		pinned {{blob}},
		since BIGINT NOT NULL,
		next_at BIGINT NOT NULL,
		PRIMARY KEY (upstream, temp)
	)`,
}

// A row is an entry of the journal. The fields above the line never change.
type row struct {
	num            int64 // grows with every entry
	id, kind       string
	place          string       // of the bytes
	file           idmap.FileID // "" for a file that is not made yet
	space          idmap.SpaceID
	upstream, name string // name of the file, for people
	size           int64
	sha256         []byte
	writer, member string
	user           string // UserID of whose save it is, "" nobody's own
	office         int64
	pinned         []byte
	made           time.Time
	restored       time.Time // when it was put back from a backup in which it was acknowledged; zero: it was not
	// ------
	store    string // of the bridge that works on it
	state    string
	editing  int64        // 0 none
	base     int64        // revision that the bytes rest on; 0 none
	revision int64        // revision the bytes became, once verified
	serial   int64        // of the lease under which the row was last changed
	target   dav.Path     // where the bytes go
	before   dav.ETag     // the target's when they went; "" unknown or absent
	temp     dav.Path     // "" none
	tempETag dav.ETag     // known once the temp is verified
	sent     int64        // sentNothing, sentPut, sentMove
	beside   int64        // 1: target is not the file, but a copy beside it
	copy     idmap.FileID // the conflict copy that has the bytes
	etag     dav.ETag     // the target's when the bytes were seen there
	reason   string
	changed  time.Time
}

const columns = `id, store, place, kind, file, space, upstream, name, size, sha256, writer, user_id, member, office, pinned, made, restored,
	state, editing, base, revision, serial, target, before_etag, temp, temp_etag, sent, beside, copy, etag, reason, changed`

type scanner interface{ Scan(...any) error }

func scan(from scanner) (*row, error) {
	var r row
	var made, changed, restored int64
	err := from.Scan(&r.num, &r.id, &r.store, &r.place, &r.kind, &r.file, &r.space, &r.upstream, &r.name, &r.size, &r.sha256,
		&r.writer, &r.user, &r.member, &r.office, &r.pinned, &made, &restored, &r.state, &r.editing, &r.base, &r.revision, &r.serial,
		&r.target, &r.before, &r.temp, &r.tempETag, &r.sent, &r.beside, &r.copy, &r.etag, &r.reason, &changed)
	r.made, r.changed, r.restored = sqldb.FromMillis(made), sqldb.FromMillis(changed), sqldb.FromMillis(restored)
	return &r, err
}

// insert writes a new row.
func (s *Saves) insert(ctx context.Context, r *row) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	r.made, r.changed, r.store = now, now, s.store
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if err := s.whole(ctx, tx, r); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `INSERT INTO saves_entry (`+columns+`)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING num`,
			r.id, r.store, r.place, r.kind, string(r.file), int64(r.space), r.upstream, r.name, r.size, r.sha256,
			r.writer, r.user, r.member, r.office, r.pinned, sqldb.Millis(r.made), sqldb.Millis(r.restored), r.state, r.editing, r.base, r.revision, r.serial,
			string(r.target), string(r.before), string(r.temp), string(r.tempETag), r.sent, r.beside, string(r.copy), string(r.etag),
			r.reason, sqldb.Millis(r.changed)).Scan(&r.num)
	})
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	return nil
}

// advance changes r as set says, if the database still holds what r says; else
// the entry was taken over, nothing is changed and the error wraps
// [locks.ErrStale]. also, if not nil, joins the transaction.
func (s *Saves) advance(ctx context.Context, r *row, set func(*row), also func(sqldb.Queryer) error) error {
	return s.advanceBy(ctx, s.DB.Write, r, set, also)
}

// advanceUnsynced is advance for what is promised to nobody, and announces nothing: the
// advance that comes before the first request to the upstream, or before an answer, makes
// it durable, too.
func (s *Saves) advanceUnsynced(ctx context.Context, r *row, set func(*row)) error {
	return s.advanceBy(ctx, s.DB.WriteUnsynced, r, set, nil)
}

func (s *Saves) advanceBy(ctx context.Context, write func(context.Context, func(sqldb.Queryer) error) error, r *row, set func(*row),
	also func(sqldb.Queryer) error) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	next := *r
	set(&next)
	next.changed = now
	err = write(ctx, func(tx sqldb.Queryer) error {
		if err := s.update(ctx, tx, r, &next); err != nil || also == nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return s.notChanged(r, err)
	}
	*r = next
	return nil
}

// update writes next in the place of r, inside tx; errTaken if the database does not hold
// what r says.
func (s *Saves) update(ctx context.Context, tx sqldb.Queryer, r, next *row) error {
	unfenced := int64(0)
	if s.lacks(theFence) {
		unfenced = 1
	}
	n, err := tx.Exec(ctx, `UPDATE saves_entry SET state = ?, editing = ?, base = ?, revision = ?, serial = ?,
		target = ?, before_etag = ?, temp = ?, temp_etag = ?, sent = ?, beside = ?, copy = ?, etag = ?, reason = ?, changed = ?
		WHERE id = ? AND (store = ? AND state = ? AND serial = ? OR CAST(? AS BIGINT) = 1)`,
		next.state, next.editing, next.base, next.revision, next.serial,
		string(next.target), string(next.before), string(next.temp), string(next.tempETag), next.sent, next.beside,
		string(next.copy), string(next.etag), next.reason, sqldb.Millis(next.changed), r.id, r.store, r.state, r.serial, unfenced)
	if err == nil && n != 1 {
		err = errTaken
	}
	return err
}

// notChanged says why r was not changed.
func (s *Saves) notChanged(r *row, err error) error {
	if errors.Is(err, errTaken) {
		return fmt.Errorf("saves: entry %s: %w", r.id, locks.ErrStale)
	}
	return fmt.Errorf("saves: journal: %w", err)
}

var errTaken = errors.New("saves: row changed")

// entry reads one row whose bytes can be read from here; [ErrNoEntry].
func (s *Saves) entry(ctx context.Context, id string) (*row, error) {
	r, err := scan(s.DB.Read().QueryRow(ctx, `SELECT num, `+columns+` FROM saves_entry WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !s.readable(r) {
		return nil, ErrNoEntry
	}
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	return r, nil
}

// entries reads the rows of this bridge for which where holds, oldest first.
func (s *Saves) entries(ctx context.Context, where string, args ...any) ([]*row, error) {
	return s.anywhere(ctx, `store = ? AND `+where, append([]any{s.store}, args...)...)
}

// anywhere is entries for all bridges: those of others may be read only.
func (s *Saves) anywhere(ctx context.Context, where string, args ...any) ([]*row, error) {
	return rowsOf(ctx, s.DB.Read(), where, args...)
}

func rowsOf(ctx context.Context, q sqldb.Queryer, where string, args ...any) ([]*row, error) {
	return rowsIn(q.Query(ctx, `SELECT num, `+columns+` FROM saves_entry WHERE `+where+` ORDER BY num`, args...))
}

// rowsIn are the entries that a query found.
func rowsIn(rows *sql.Rows, err error) ([]*row, error) {
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	var all []*row
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("saves: journal: %w", err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	return all, nil
}

// forget removes an entry: the file first, so that a crash leaves a row without a
// file, which is cleared away, and not a file without a row, which is kept. What was
// acknowledged is not any more before that: such a row without a file is a loss.
func (s *Saves) forget(ctx context.Context, r *row) error {
	if r.acknowledged() {
		waited := r.state == stateWaiting
		err := s.advance(ctx, r, func(n *row) { n.state, n.reason = stateUnacknowledged, supersededSaved }, func(tx sqldb.Queryer) error {
			if !waited {
				return nil
			}
			return s.unpin(ctx, tx, r.id, r.file)
		})
		if err != nil {
			return err
		}
	}
	s.keeper.mu.RLock()
	defer s.keeper.mu.RUnlock()
	if dir := s.keeper.dir; dir != "" && r.place == s.store {
		if err := Preserve(s.Dir, spoolName(r.id, r.file), dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("saves: dropping %s while a backup is made: %w", r.id, err)
		}
	}
	if err := s.dropFile(r); err != nil {
		return fmt.Errorf("saves: dropping %s: %w", r.id, err)
	}
	err := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		if r.place == inDatabase {
			if _, err := tx.Exec(ctx, `DELETE FROM saves_piece WHERE entry = ?`, r.id); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `DELETE FROM saves_entry WHERE id = ?`, r.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	return nil
}
