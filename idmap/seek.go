package idmap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Seek finds files and folders, also missing and dead ones, for the operator: by a
// part of their name, large and small letters of ASCII being the same, or by what they
// are known by: the whole native id, resource-id, inode, ETag, stamp or SHA-256 (hexadecimal),
// or the beginning of their ID. Those by evidence come first. It looks at every row, so
// it takes seconds where there are millions. more says that there are more than limit.
func (m *Map) Seek(ctx context.Context, text string, limit int) (found []Description, more bool, err error) {
	ids, err := m.seek(ctx, text, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("idmap: seeking: %w", err)
	}
	if more = len(ids) > limit; more {
		ids = ids[:limit]
	}
	for _, id := range ids {
		d, err := m.describe(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("idmap: seeking: %w", err)
		}
		found = append(found, d...)
	}
	return found, more, nil
}

func (m *Map) seek(ctx context.Context, text string, limit int) ([]FileID, error) {
	if text == "" || strings.ContainsRune(text, 0) {
		return nil, errors.New("nothing to look for")
	}
	sum, _ := hex.DecodeString(text) // nil, or half of it, for what is no hash: finds nothing
	var ids []FileID
	met := map[FileID]bool{}
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`SELECT r.id FROM idmap_resource r WHERE r.native_id = ? OR r.resource_id = ? OR r.inode = ? OR r.stamp = ? OR r.etag = ? OR r.etag = ?
			OR r.id LIKE ? ESCAPE '\' OR r.sha256 = ? ORDER BY r.num LIMIT ?`,
			[]any{text, text, text, text, text, `"` + text + `"`, literally(text) + "%", sum, limit}},
		{`SELECT r.id FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource WHERE LOWER(p.name) LIKE ? ESCAPE '\' ORDER BY r.num LIMIT ?`,
			[]any{"%" + literally(lower(text)) + "%", limit}},
	} {
		rows, err := m.DB.Read().Query(ctx, q.query, q.args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id FileID
			if err := rows.Scan(&id); err != nil {
				rows.Close()
				return nil, err
			}
			if !met[id] {
				met[id], ids = true, append(ids, id)
			}
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return ids[:min(len(ids), limit)], nil
}

// literally takes their meaning from the characters that LIKE knows.
func literally(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// lower is what LOWER is in both databases: it knows ASCII.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, text)
}

// History returns the revisions of a file that are remembered, the newest first, at
// most limit; none for a container. It returns [ErrNotFound] if there is no such ID.
func (m *Map) History(ctx context.Context, id FileID, limit int) ([]Revision, error) {
	r, err := resourceBy(ctx, m.DB.Read(), `r.id = ?`, id)
	if err != nil {
		return nil, fmt.Errorf("idmap: history of %s: %w", id, err)
	}
	if r.kind != File || limit < 1 {
		return nil, nil
	}
	all := []Revision{r.present()}
	rows, err := m.DB.Read().Query(ctx, `SELECT number, version, last_modified, etag, size, mtime, sha256 FROM idmap_revision
		WHERE resource = ? ORDER BY number DESC LIMIT ?`, r.num, limit-1)
	if err != nil {
		return nil, fmt.Errorf("idmap: history of %s: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		old := resource{kind: File}
		if err := rows.Scan(&old.revision, &old.version, &old.lastModified, &old.etag, &old.size, &old.mtime, &old.sha256); err != nil {
			return nil, fmt.Errorf("idmap: history of %s: %w", id, err)
		}
		all = append(all, old.present())
	}
	return all, rows.Err()
}
