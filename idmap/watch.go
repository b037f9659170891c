package idmap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// WorthWatching are folders in which something may happen that a walk would look for: those that
// hold the given files, and then those that somebody has used lately, the last first; each
// with the folders above it, whose names count as well. There are at most limit.
func (w *Walk) WorthWatching(ctx context.Context, files []FileID, limit int) ([]dav.Path, error) {
	all, err := w.worthWatching(ctx, files, limit)
	if err != nil {
		return nil, fmt.Errorf("idmap: folders to watch: %w", err)
	}
	return all, nil
}

func (w *Walk) worthWatching(ctx context.Context, files []FileID, limit int) ([]dav.Path, error) {
	var all []dav.Path
	met := map[dav.Path]bool{}
	add := func(p dav.Path) {
		for ; !met[p]; p = p.Parent() {
			met[p] = true
			all = append(all, p)
		}
	}
	for _, id := range files {
		e, err := w.Map.Known(ctx, w.Space, id)
		if errors.Is(err, ErrNotFound) || err == nil && (!e.Missing.IsZero() || e.Path.IsRoot()) {
			continue // of another upstream, or not known where
		}
		if err != nil {
			return nil, err
		}
		add(e.Path.Parent())
	}
	used, err := w.used(ctx, limit)
	if err != nil {
		return nil, err
	}
	for _, num := range used {
		chain, err := up(ctx, w.Map.DB.Read(), w.Space, num)
		if errors.Is(err, ErrNotFound) || err == nil && slices.ContainsFunc(chain, func(p place) bool { return p.missing != 0 }) {
			continue
		}
		if err != nil {
			return nil, err
		}
		add(located(w.Space, &resource{kind: Container}, chain).Path)
	}
	return all[:min(len(all), limit)], nil
}

// used are the folders that walks have found to be used, the last first.
func (w *Walk) used(ctx context.Context, limit int) ([]int64, error) {
	now, err := w.Map.DB.Now(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := w.Map.DB.Read().Query(ctx, `SELECT folder FROM idmap_folder WHERE space = ? AND used > ? ORDER BY used DESC LIMIT ?`,
		w.Space, sqldb.Millis(now)-w.Within.Milliseconds(), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []int64
	for rows.Next() {
		var num int64
		if err := rows.Scan(&num); err != nil {
			return nil, err
		}
		all = append(all, num)
	}
	return all, rows.Err()
}
