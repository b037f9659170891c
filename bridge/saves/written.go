package saves

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// The revisions that an editing has written itself are never "outside" (DESIGN 7,
// base). They are remembered one by one, because a save that was answered with an
// error may have landed all the same.

// A hand is whose work a revision is.
type hand struct {
	num     int64  // of the entry whose bytes have arrived whole; 0: of none
	editing int64  // 0 none
	user    string // UserID of the person, "" nobody's own
}

func (r *row) hand() hand { return hand{r.num, r.editing, r.user} }

// wrote remembers, inside tx, that revision of file is by's work. sha256 is nil for
// what an upload left that broke off.
func wrote(ctx context.Context, tx sqldb.Queryer, now time.Time, by hand, file idmap.FileID, rev idmap.Revision, sha256 []byte) error {
	if rev.Number == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO saves_written (editing, file, revision, size, sha256, made, num, user_id) VALUES (?,?,?,?,?,?,?,?)
		ON CONFLICT (file, editing, revision) DO UPDATE SET num = excluded.num, user_id = excluded.user_id WHERE saves_written.num < excluded.num`,
		by.editing, string(file), rev.Number, rev.Size, sha256, sqldb.Millis(now), by.num, by.user)
	return err
}

// noteOwn is wrote in a transaction of its own.
func (s *Saves) noteOwn(ctx context.Context, editing int64, file idmap.FileID, rev idmap.Revision, sha256 []byte) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error { return wrote(ctx, tx, now, hand{editing: editing}, file, rev, sha256) })
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	return nil
}

// writtenBy reports whether editing wrote that revision of file.
func (s *Saves) writtenBy(ctx context.Context, editing int64, file idmap.FileID, revision int64) (bool, error) {
	return writtenBy(ctx, s.DB.Read(), editing, file, revision)
}

func writtenBy(ctx context.Context, q sqldb.Queryer, editing int64, file idmap.FileID, revision int64) (bool, error) {
	if editing == 0 {
		return false, nil
	}
	return existsIn(ctx, q, `SELECT 1 FROM saves_written WHERE file = ? AND revision = ? AND editing = ?`, string(file), revision, editing)
}

// writtenHere reports whether that revision of file was written through us.
func (s *Saves) writtenHere(ctx context.Context, file idmap.FileID, revision int64) (bool, error) {
	return s.exists(ctx, `SELECT 1 FROM saves_written WHERE file = ? AND revision = ? LIMIT 1`, string(file), revision)
}

// WriterOf is who made that revision of file through us, and when. user is "" if it came
// from elsewhere, or if that is not remembered any more.
func (s *Saves) WriterOf(ctx context.Context, file idmap.FileID, revision int64) (user string, at time.Time, err error) {
	var made int64
	err = s.DB.Read().QueryRow(ctx, `SELECT user_id, made FROM saves_written WHERE file = ? AND revision = ? AND num > 0 ORDER BY num DESC LIMIT 1`,
		string(file), revision).Scan(&user, &made)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("saves: journal: %w", err)
	}
	return user, sqldb.FromMillis(made), nil
}

func (s *Saves) exists(ctx context.Context, query string, args ...any) (bool, error) {
	return existsIn(ctx, s.DB.Read(), query, args...)
}

func existsIn(ctx context.Context, q sqldb.Queryer, query string, args ...any) (bool, error) {
	var one int64
	err := q.QueryRow(ctx, query, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("saves: journal: %w", err)
	}
	return true, nil
}

// hashesOf is what any editing wrote as that revision of file, if it has size bytes.
func (s *Saves) hashesOf(ctx context.Context, file idmap.FileID, revision, size int64) ([][]byte, error) {
	return s.hashes(ctx, `SELECT sha256 FROM saves_written WHERE file = ? AND revision = ? AND size = ? AND sha256 IS NOT NULL`,
		string(file), revision, size)
}

// ownHashes are the contents of size bytes that editing has sent for file, whether
// they are known to have arrived or not.
func (s *Saves) ownHashes(ctx context.Context, editing int64, file idmap.FileID, size int64) ([][]byte, error) {
	return s.hashes(ctx, `SELECT sha256 FROM saves_written
		WHERE file = ? AND editing = ? AND size = ? AND sha256 IS NOT NULL
		UNION SELECT sha256 FROM saves_entry
		WHERE file = ? AND editing = ? AND size = ? AND kind = ? AND sent > 0 AND copy = ''`,
		string(file), editing, size, string(file), editing, size, kindPut)
}

func (s *Saves) hashes(ctx context.Context, query string, args ...any) ([][]byte, error) {
	rows, err := s.DB.Read().Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	var all [][]byte
	for rows.Next() {
		var sum []byte
		if err := rows.Scan(&sum); err != nil {
			return nil, fmt.Errorf("saves: journal: %w", err)
		}
		all = append(all, sum)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	return all, nil
}

// A copyRow is the conflict copy of (file, base, editing).
type copyRow struct {
	copy     idmap.FileID
	revision int64  // that we wrote
	num      int64  // of the entry whose bytes it holds
	name     string // of the copy when we wrote it
	user     string // UserID of whose work it is
}

func (s *Saves) copyOf(ctx context.Context, file idmap.FileID, editing, base int64) (copyRow, bool, error) {
	var c copyRow
	err := s.DB.Read().QueryRow(ctx, `SELECT copy, revision, num FROM saves_copy WHERE file = ? AND editing = ? AND base = ?`,
		string(file), editing, base).Scan(&c.copy, &c.revision, &c.num)
	if errors.Is(err, sql.ErrNoRows) {
		return copyRow{}, false, nil
	}
	if err != nil {
		return copyRow{}, false, fmt.Errorf("saves: journal: %w", err)
	}
	return c, true, nil
}

func setCopy(ctx context.Context, tx sqldb.Queryer, now time.Time, file idmap.FileID, editing, base int64, c copyRow) error {
	_, err := tx.Exec(ctx, `INSERT INTO saves_copy (file, editing, base, copy, revision, num, made, name, user_id) VALUES (?,?,?,?,?,?,?,?,?)
		ON CONFLICT (file, editing, base) DO UPDATE SET copy = excluded.copy, revision = excluded.revision, num = excluded.num,
			made = excluded.made, name = excluded.name, user_id = excluded.user_id`,
		string(file), editing, base, string(c.copy), c.revision, c.num, sqldb.Millis(now), c.name, c.user)
	return err
}
