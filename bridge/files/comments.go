package files

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// maxCommentBytes ends the reading of comments: bytes of JSON that are held at once.
const maxCommentBytes = 1 << 20

// Comments returns what stands of the comments on a file, at most limit, the newest
// first: of each the latest words and who wrote them, and none that was deleted. cut is
// true if there may be more. Whether the person who asks may see the file is the
// caller's to know.
func (a *Activities) Comments(ctx context.Context, file idmap.FileID, limit int) (standing []Comment, cut bool, err error) {
	at := make(map[string]int) // index in standing by ContentId; -1 deleted
	held := 0
	err = a.each(ctx, file, keptActivities, func(c Comment, size int) bool {
		if held += size; held > maxCommentBytes {
			cut = true
			return false
		}
		if c.Data == nil {
			return true // no comment
		}
		i, later := at[c.Data.ContentId]
		switch {
		case later && i >= 0:
			standing[i].Changed = true
		case later: // deleted since
		case strings.EqualFold(c.Data.ContentAction, "delete"):
			at[c.Data.ContentId] = -1
		case len(standing) == limit:
			cut = true
		default:
			at[c.Data.ContentId] = len(standing)
			standing = append(standing, c)
		}
		return !cut
	})
	return standing, cut, err
}

// asked is how many files one query asks for.
const asked = 500

// Commented tells which of these files have comments, or had.
func (a *Activities) Commented(ctx context.Context, files []idmap.FileID) (map[idmap.FileID]bool, error) {
	found := make(map[idmap.FileID]bool)
	for some := range slices.Chunk(files, asked) {
		if err := a.commented(ctx, some, found); err != nil {
			return nil, fmt.Errorf("files: commented: %w", err)
		}
	}
	return found, nil
}

func (a *Activities) commented(ctx context.Context, files []idmap.FileID, found map[idmap.FileID]bool) error {
	in, args := sqldb.In(files)
	rows, err := a.db.Read().Query(ctx, `SELECT DISTINCT file FROM activity WHERE file IN `+in, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var f string
		if err := rows.Scan(&f); err != nil {
			return err
		}
		found[idmap.FileID(f)] = true
	}
	return rows.Err()
}
