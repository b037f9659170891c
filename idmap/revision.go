package idmap

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"davwopi/davbackend/dav"

	"davwopi/idmap/sqldb"
)

// Why no string recurs for a file.
//
// Number grows and is never set back within an epoch, and Version begins with
// it. The digits of LastModified are (number + shift) mod 10^7 with one shift per
// file and epoch, so they differ for 10^7 revisions in a row; whenever number
// crosses a multiple of that, and whenever an epoch begins, floor becomes the
// second after the latest one that was ever used (top), and no second before
// floor is used again. So two revisions of a file that this database knew differ,
// whatever the upstream's clock does, also when their rows are gone.
//
// What this database does not know are revisions that were given out after a
// backup and before its restore. A new epoch has another random nonce: Version
// carries 20 bits of it and 25 random bits, and shift is a hash over it, so one
// such string recurs with a chance below 10^-13 (Version), or of 10^-7 for two
// revisions of the same second (LastModified).
const (
	lap           = 10_000_000 // seven fraction digits
	keptRevisions = 200        // per file, beside the present one
)

type epoch struct {
	num   int64
	nonce string
}

// beginEpoch starts an epoch; onlyFirst: unless there is one.
func (m *Map) beginEpoch(ctx context.Context, onlyFirst bool) error {
	now, err := m.DB.Now(ctx)
	if err != nil {
		return err
	}
	return m.DB.Write(ctx, func(tx sqldb.Queryer) error {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM idmap_epoch`).Scan(&n); err != nil || n > 0 && onlyFirst {
			return err
		}
		if err := insertEpoch(ctx, tx, now); err != nil || onlyFirst {
			return err
		}
		// What was seen before says nothing of what is there now.
		_, err := tx.Exec(ctx, `UPDATE idmap_place SET seen = 0`)
		return err
	})
}

func insertEpoch(ctx context.Context, tx sqldb.Queryer, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO idmap_epoch (nonce, began) VALUES (?, ?)`, random(20), sqldb.Millis(now))
	return err
}

// NewEpoch must be called after a backup was restored, before anything is
// served: revisions that were given out after the backup was made are unknown
// here, and none of their strings may be given to other contents. Neither are the
// moves that we made ourselves: no place counts as seen until somebody has looked
// and the evidence is that of the file.
func (m *Map) NewEpoch(ctx context.Context) error {
	if err := m.beginEpoch(ctx, false); err != nil {
		return fmt.Errorf("idmap: new epoch: %w", err)
	}
	return nil
}

// epoch reads the present epoch, once per change.
func (c *change) epoch(ctx context.Context) (epoch, error) {
	if c.present.num == 0 {
		e := &c.present
		err := c.tx.QueryRow(ctx, `SELECT num, nonce FROM idmap_epoch ORDER BY num DESC LIMIT 1`).Scan(&e.num, &e.nonce)
		if err != nil {
			return epoch{}, err
		}
	}
	return c.present, nil
}

// shift is where the digits of a file begin in this epoch.
func (e epoch) shift(id FileID) int64 {
	h := sha256.Sum256([]byte(e.nonce + "." + string(id)))
	return int64(binary.BigEndian.Uint64(h[:8]) % lap)
}

// number gives r the next revision number and its strings. modified is the
// upstream's, which may be unknown or nonsense; then it is now.
func (r *resource) number(e epoch, modified, now time.Time) {
	seconds := modified.Unix()
	if modified.IsZero() || modified.Year() < 1970 || modified.Year() > 9000 {
		seconds = now.Unix()
	}
	r.revision++
	if r.revision > 1 && (r.revision%lap == 0 || r.epoch != e.num) {
		r.floor = r.top + 1
	}
	r.epoch = e.num
	seconds = max(seconds, r.floor)
	r.top = max(r.top, seconds)
	digits := (r.revision + e.shift(r.id)) % lap
	r.lastModified = fmt.Sprintf("%s.%07dZ", time.Unix(seconds, 0).UTC().Format("2006-01-02T15:04:05"), digits)
	r.version = fmt.Sprintf("%d.%s%s", r.revision, e.nonce[:4], random(5)[:5])
}

// advance makes the contents that res shows the next revision of r, which has a
// row already if it has a revision.
func (c *change) advance(ctx context.Context, r *resource, res dav.Resource, sha256 []byte) error {
	e, err := c.epoch(ctx)
	if err != nil {
		return err
	}
	if r.revision > 0 {
		_, err := c.tx.Exec(ctx, `INSERT INTO idmap_revision (resource, number, version, last_modified, etag, size, mtime, sha256)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, r.num, r.revision, r.version, r.lastModified, r.etag, r.size, r.mtime, r.sha256)
		if err != nil {
			return err
		}
		if _, err := c.tx.Exec(ctx, `DELETE FROM idmap_revision WHERE resource = ? AND number < ?`, r.num, r.revision-keptRevisions+1); err != nil {
			return err
		}
	}
	r.number(e, res.Modified, sqldb.FromMillis(c.now))
	r.etag, r.size, r.mtime, r.sha256 = res.ETag.Strong(), res.Size, sqldb.Millis(res.Modified), sha256
	return nil
}

// save writes everything of r that may have changed.
func (c *change) save(ctx context.Context, r *resource) error {
	_, err := c.tx.Exec(ctx, `UPDATE idmap_resource SET native_id = ?, resource_id = ?, inode = ?, stamp = ?, epoch = ?, revision = ?, version = ?,
		last_modified = ?, top = ?, floor = ?, etag = ?, size = ?, mtime = ?, sha256 = ? WHERE num = ?`,
		orNull(r.native), orNull(r.rid), orNull(r.inode), orNull(r.stamp), r.epoch, r.revision, r.version,
		r.lastModified, r.top, r.floor, r.etag, r.size, r.mtime, r.sha256, r.num)
	return err
}

// Hash records the SHA-256 of the revision whose bytes were just read whole. It
// has no effect if the file has a newer revision by now, or is gone.
func (m *Map) Hash(ctx context.Context, id FileID, revision int64, sha256 []byte) error {
	if err := checkHash(sha256); err != nil || sha256 == nil {
		return err
	}
	err := m.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE idmap_resource SET sha256 = ? WHERE id = ? AND revision = ? AND kind = ?`, sha256, id, revision, File)
		return err
	})
	if err != nil {
		return fmt.Errorf("idmap: hash: %w", err)
	}
	return nil
}

func checkHash(h []byte) error {
	if h != nil && len(h) != sha256.Size {
		return fmt.Errorf("idmap: SHA-256 of %d bytes", len(h))
	}
	return nil
}

// RevisionBy finds a revision of a file by its Version or LastModified string. It
// returns [ErrNotFound] if the file never had it, if it is older than the 200
// before the present one, or if the file died.
func (m *Map) RevisionBy(ctx context.Context, id FileID, lastModifiedOrVersion string) (Revision, error) {
	s := lastModifiedOrVersion
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return Revision{}, ErrNotFound // what an editor sent, and PostgreSQL would not even compare
	}
	is := func(r *resource) bool { return s == r.version || s == r.lastModified }
	return m.revision(ctx, id, is, `(version = ? OR last_modified = ?)`, s, s)
}

// RevisionAt finds a revision of a file by its number. Errors are those of
// [Map.RevisionBy].
func (m *Map) RevisionAt(ctx context.Context, id FileID, number int64) (Revision, error) {
	is := func(r *resource) bool { return number == r.revision }
	return m.revision(ctx, id, is, `number = ?`, number)
}

// revision reads the present revision if it is the one, else the older one that
// where, a condition on idmap_revision, selects.
func (m *Map) revision(ctx context.Context, id FileID, is func(*resource) bool, where string, args ...any) (Revision, error) {
	q := m.DB.Read()
	r, err := resourceBy(ctx, q, `r.id = ? AND r.died = 0 AND r.kind = ?`, id, File)
	if err != nil {
		return Revision{}, fmt.Errorf("idmap: revision of %s: %w", id, err)
	}
	if is(r) {
		return r.present(), nil
	}
	old := resource{kind: File}
	err = q.QueryRow(ctx, `SELECT number, version, last_modified, etag, size, mtime, sha256 FROM idmap_revision
		WHERE resource = ? AND `+where, append([]any{r.num}, args...)...).
		Scan(&old.revision, &old.version, &old.lastModified, &old.etag, &old.size, &old.mtime, &old.sha256)
	if err != nil {
		return Revision{}, fmt.Errorf("idmap: revision of %s: %w", id, notFound(err))
	}
	return old.present(), nil
}
