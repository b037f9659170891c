package idmap

import (
	"context"
	"fmt"
)

// RevisionAt finds a revision of a file by its number. It returns [ErrNotFound] if
// the file never had it, if it is older than the 200 before the present one, or if
// the file died.
func (m *Map) RevisionAt(ctx context.Context, id FileID, number int64) (Revision, error) {
	q := m.DB.Read()
	r, err := resourceBy(ctx, q, `r.id = ? AND r.died = 0 AND r.kind = ?`, id, File)
	if err != nil {
		return Revision{}, fmt.Errorf("idmap: revision of %s: %w", id, err)
	}
	if number == r.revision {
		return r.present(), nil
	}
	old := resource{kind: File}
	err = q.QueryRow(ctx, `SELECT number, version, last_modified, etag, size, mtime, sha256 FROM idmap_revision
		WHERE resource = ? AND number = ?`, r.num, number).
		Scan(&old.revision, &old.version, &old.lastModified, &old.etag, &old.size, &old.mtime, &old.sha256)
	if err != nil {
		return Revision{}, fmt.Errorf("idmap: revision of %s: %w", id, notFound(err))
	}
	return old.present(), nil
}
