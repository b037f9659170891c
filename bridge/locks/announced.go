package locks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// An announced is a lock file that we have written, or have tried to. It is live
// while the held row of its file has its nonce and the file's place; else it is
// to be removed.
type announced struct {
	id       int64
	file     idmap.FileID
	space    idmap.SpaceID
	document dav.Path // where the file was
	upstream string
	pinned   []byte // credential of who locked the file
	path     dav.Path
	nonce    string
	text     string // what was sent
	at       time.Time
	tries    int64
}

// live is the condition on a line w of locks_announced; its parameter is [held].
const live = `EXISTS (SELECT 1 FROM locks_row r WHERE r.file = w.file AND r.phase = ? AND r.nonce = w.nonce AND r.path = w.document)`

// noteLockFile remembers the lock file of r before it is written.
func (l *Locks) noteLockFile(ctx context.Context, r *row, at dav.Path, text string, now time.Time) error {
	pinned := r.pinned
	if pinned == nil {
		pinned = []byte{}
	}
	return l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO locks_announced (file, nonce, document, space, upstream, pinned, path, content, at, next_at, tries)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (file, nonce, path) DO UPDATE SET content = excluded.content, at = excluded.at, next_at = 0`,
			string(r.file), r.nonce, string(r.path), int64(r.space), r.upstream, pinned, string(at), text, sqldb.Millis(now))
		return err
	})
}

// lockFilesOfOurs reads lines w of locks_announced by a condition.
func (l *Locks) lockFilesOfOurs(ctx context.Context, where string, args ...any) ([]announced, error) {
	rows, err := l.DB.Read().Query(ctx, `SELECT w.id, w.file, w.space, w.document, w.upstream, w.pinned, w.path, w.nonce, w.content, w.at, w.tries
		FROM locks_announced w WHERE `+where+` ORDER BY w.next_at, w.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("locks: lock files of ours: %w", err)
	}
	defer rows.Close()
	var all []announced
	for rows.Next() {
		var a announced
		var file, path, document string
		var at, space int64
		if err := rows.Scan(&a.id, &file, &space, &document, &a.upstream, &a.pinned, &path, &a.nonce, &a.text, &at, &a.tries); err != nil {
			return nil, fmt.Errorf("locks: lock files of ours: %w", err)
		}
		a.space, a.document = idmap.SpaceID(space), dav.Path(document)
		a.file, a.path, a.at = idmap.FileID(file), dav.Path(path), sqldb.FromMillis(at)
		all = append(all, a)
	}
	return all, rows.Err()
}

// tidy removes the lock files of ours beside file that no live row has. What fails
// is told, and tried again by the keeper.
func (l *Locks) tidy(ctx context.Context, file idmap.FileID) (removed bool) {
	now, err := l.now(ctx)
	if err != nil {
		l.failed("removing a lock file", err)
		return false
	}
	dead, err := l.lockFilesOfOurs(ctx, `w.file = ? AND w.next_at <= ? AND NOT `+live, string(file), sqldb.Millis(now), int64(held))
	l.failed("removing a lock file", err)
	for _, a := range dead {
		gone := l.removeLockFile(ctx, a, now)
		removed = removed || gone
	}
	return removed
}

// removeLockFile removes a lock file of ours and forgets it, or puts that off.
func (l *Locks) removeLockFile(ctx context.Context, a announced, now time.Time) bool {
	view, err := l.keep(ctx, a.upstream, a.pinned)
	if err == nil {
		err = l.removeAnnounced(ctx, view, a, now)
	}
	done, cancel := detached(ctx)
	defer cancel()
	query, args := `DELETE FROM locks_announced WHERE id = ?`, []any{a.id}
	if err != nil && now.Sub(a.at) < intentLife {
		next := now.Add(backoff(a.tries))
		var later *laterError
		if asLater(err, &later) {
			next, err = later.until, nil
		}
		query, args = `UPDATE locks_announced SET next_at = ?, tries = tries + 1 WHERE id = ?`, []any{sqldb.Millis(next), a.id}
	}
	l.failed("removing a lock file", err)
	err = l.DB.Write(done, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(done, query, args...)
		return err
	})
	l.failed("removing a lock file", err)
	return err == nil && len(args) == 1
}

// removeAnnounced deletes the lock file if it is still ours. An error means that it
// may be there, or still come.
func (l *Locks) removeAnnounced(ctx context.Context, view *davbackend.View, a announced, now time.Time) error {
	gone, err := a.removeAt(ctx, view, a.path)
	if err != nil || gone {
		return err
	}
	if err := l.followAnnounced(ctx, view, a, now); err != nil {
		return err
	}
	if late := a.at.Add(firstGrant); now.Before(late) {
		return &laterError{late} // a PUT that nobody answered may still be under way
	}
	return nil
}

// removeAt deletes the lock file at p, if it is ours. found is false if there is
// nothing at p.
func (a announced) removeAt(ctx context.Context, view *davbackend.View, p dav.Path) (found bool, err error) {
	b, err := readSmall(ctx, view, p)
	switch {
	case errors.Is(err, dav.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case !a.wrote(b):
		return true, nil // somebody else's by now
	}
	if err := view.Delete(ctx, p, davbackend.Condition{}); !errors.Is(err, dav.ErrNotFound) {
		return true, err
	}
	return true, nil
}

// followAnnounced looks for a lock file that has gone along with its folder: beside
// the file, where that is now. As long as nobody knows where that is the lock file is
// not forgotten.
func (l *Locks) followAnnounced(ctx context.Context, view *davbackend.View, a announced, now time.Time) error {
	known, err := l.IDs.Known(ctx, a.space, a.file)
	if errors.Is(err, idmap.ErrNotFound) {
		return nil // deleted, and what lay beside it is nobody's
	}
	if err != nil {
		return err
	}
	if known.Path == a.document {
		_, err := view.Stat(ctx, known.Path)
		if errors.Is(err, dav.ErrNotFound) {
			return &laterError{now.Add(backoff(a.tries))}
		}
		return err
	}
	beside, err := known.Path.Parent().Join(a.path.Base())
	if err != nil {
		return nil // no such name can be there
	}
	_, err = a.removeAt(ctx, view, beside)
	return err
}

// wrote reports whether content is ours: it has our nonce, or is the beginning of
// what we sent, since an upload may break off, and some servers keep what came.
func (a announced) wrote(content []byte) bool {
	return strings.Contains(string(content), a.nonce) || strings.HasPrefix(a.text, string(content))
}

// ownLockFile reports whether a lock file at p with that content is one of ours.
// One that was left behind is removed now; where that fails it is no obstacle all
// the same.
func (l *Locks) ownLockFile(ctx context.Context, file idmap.FileID, p dav.Path, content []byte) (bool, error) {
	ours, err := l.lockFilesOfOurs(ctx, `w.file = ? AND w.path = ?`, string(file), string(p))
	if err != nil {
		return false, err
	}
	for _, a := range ours {
		if a.wrote(content) {
			l.tidy(ctx, file)
			return true, nil
		}
	}
	return false, nil
}

// dueLockFiles are the files with lock files of ours that are to be removed.
func (l *Locks) dueLockFiles(ctx context.Context, now time.Time) ([]idmap.FileID, error) {
	all, err := l.lockFilesOfOurs(ctx, `w.next_at <= ? AND NOT `+live, sqldb.Millis(now), int64(held))
	if err != nil {
		return nil, err
	}
	var files []idmap.FileID
	seen := make(map[idmap.FileID]bool)
	for _, a := range all {
		if !seen[a.file] && len(files) < perPass {
			seen[a.file] = true
			files = append(files, a.file)
		}
	}
	return files, nil
}

// tidyAgain is the keeper's turn at a file whose lock files could not be removed
// at once. Where an old one stood in the way, the present one is written now.
func (l *Locks) tidyAgain(ctx context.Context, file idmap.FileID) {
	ctx, cancel := context.WithTimeout(ctx, keeperLimit)
	defer cancel()
	if !l.tidy(ctx, file) {
		return
	}
	now, err := l.now(ctx)
	if err != nil {
		return
	}
	r, err := readRow(ctx, l.DB.Read(), file)
	if err != nil || !r.locked(now) {
		l.failed("announcing a lock", err)
		return
	}
	view, err := l.keep(ctx, r.upstream, r.pinned)
	if err != nil {
		l.failed("announcing a lock", err)
		return
	}
	l.announce(ctx, view, r)
}
