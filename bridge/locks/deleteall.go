package locks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// foldersSearched is how many containers below one that is to be deleted are searched
// for lock files of desktop programs; with more, the rest is deleted unsearched. The
// upstream itself looks at DAV locks.
const foldersSearched = 200

// DeleteAll deletes a container with all that is in it; the IDs of all that die with it.
// It is refused while anybody, the person who asks too, has something open below, here
// or with a desktop program, and while a save for something below waits.
//
// Errors are those of [Locks.Delete]; the [*MismatchError] says on what. WebDAV's DELETE
// is not one step on every server: after an error a part may be gone.
func (l *Locks) DeleteAll(ctx context.Context, t Target, a Actor) error {
	err := l.working(ctx, t.File.ID, "delete", func(x *Lease, _ *row, now time.Time) error {
		if err := l.stillAt(ctx, t); err != nil {
			return err
		}
		if err := l.nobodyBelow(ctx, t, now); err != nil {
			return err
		}
		if err := l.waitsBelow(ctx, t); err != nil {
			return err
		}
		if err := l.lockFilesBelow(ctx, t, now); err != nil {
			return err
		}
		lifted, release, err := l.lift(ctx, t, a, now) // what the upstream still has of ended locks
		defer release()
		if err == nil {
			err = l.remove(ctx, x, t)
		}
		if err != nil {
			done, cancel := detached(ctx)
			defer cancel()
			l.settleBelow(done, t, lifted)
		}
		return err
	})
	return l.unlessMoved(ctx, t, err)
}

// waitsBelow refuses what cannot be done to a container while a save for something below
// it waits in the journal.
func (l *Locks) waitsBelow(ctx context.Context, t Target) error {
	rows, err := l.DB.Read().Query(ctx, `SELECT file FROM locks_waiting`)
	if err != nil {
		return fmt.Errorf("locks: looking for waiting saves: %w", err)
	}
	defer rows.Close()
	var files []idmap.FileID
	for rows.Next() {
		var file string
		if err := rows.Scan(&file); err != nil {
			return fmt.Errorf("locks: looking for waiting saves: %w", err)
		}
		files = append(files, idmap.FileID(file))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("locks: looking for waiting saves: %w", err)
	}
	for _, file := range files {
		known, err := l.IDs.Known(ctx, t.File.Space, file)
		if err != nil && !errors.Is(err, idmap.ErrNotFound) {
			return err
		}
		if err == nil && t.File.Path.Contains(known.Path) {
			return ErrWaiting()
		}
	}
	return nil
}

// lockFilesBelow looks for fresh lock files of desktop programs in the container of t and
// those below it.
func (l *Locks) lockFilesBelow(ctx context.Context, t Target, now time.Time) error {
	if !l.Respect {
		return nil
	}
	folders := []dav.Path{t.File.Path}
	for n := 0; n < len(folders) && n < foldersSearched; n++ {
		var fresh []string // names of lock files
		var names []string
		err := t.View.List(ctx, folders[n], func(res dav.Resource) error {
			name := res.Path.Base()
			switch {
			case res.Collection:
				if len(folders) < foldersSearched {
					folders = append(folders, res.Path)
				}
			case strings.HasPrefix(name, ".~lock.") || strings.HasPrefix(name, "~$"):
				if res.Modified.IsZero() || now.Sub(res.Modified) <= lockFileLife {
					fresh = append(fresh, name)
				}
			default:
				names = append(names, name)
			}
			return nil
		})
		if errors.Is(err, dav.ErrNotFound) {
			continue // deleted this moment
		}
		if err != nil {
			return err
		}
		if err := l.openedIn(ctx, t, folders[n], names, fresh); err != nil {
			return err
		}
	}
	return nil
}

// openedIn returns a [*MismatchError] if one of the lock files in folder is that of a
// document beside it.
func (l *Locks) openedIn(ctx context.Context, t Target, folder dav.Path, names, lockFiles []string) error {
	if len(lockFiles) == 0 {
		return nil
	}
	for _, name := range names {
		p, err := folder.Join(name)
		if err != nil || !slices.ContainsFunc(lockFileNames(p), func(f lockFileName) bool { return slices.Contains(lockFiles, f.path.Base()) }) {
			continue
		}
		known, err := l.IDs.KnownAt(ctx, t.File.Space, p)
		if err != nil {
			known.Path = p // never seen, so that no lock file is ours
		}
		err = l.lockFiles(ctx, t.of(known), nil)
		var m *MismatchError
		if errors.As(err, &m) {
			m.File = name
		}
		if err != nil {
			return err
		}
	}
	return nil
}
