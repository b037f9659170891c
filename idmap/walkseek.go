package idmap

import (
	"context"
	"errors"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// seek searches for what was lost since the last search: first where the upstream or
// the disk is asked by an ID, then in the folders that nobody has looked into.
func (r *round) seek(ctx context.Context, root int64) error {
	now, err := r.Map.DB.Now(ctx)
	if err != nil {
		return err
	}
	lost, err := r.lost(ctx, r.row.searched, `(r.native_id IS NOT NULL OR r.inode IS NOT NULL)`, maxFound)
	if err == nil {
		err = r.find(ctx, lost)
	}
	if err != nil {
		return err
	}
	lost, err = r.lost(ctx, r.row.searched, `r.native_id IS NULL AND (r.resource_id IS NOT NULL OR r.mtime <> 0 OR r.kind = 2)`, 1)
	if err != nil {
		return err
	}
	if len(lost) == 0 {
		r.row.searched, r.row.searchBegan, r.row.searchPosition = sqldb.Millis(now), 0, ""
		return nil
	}
	if r.row.searchBegan == 0 {
		r.row.searchBegan, r.row.searchPosition = sqldb.Millis(now), ""
	}
	err = r.search(ctx, branch{dav.Root, root})
	if errors.Is(err, errEnough) {
		return nil // the next round goes on there
	}
	if err == nil {
		r.row.searched, r.row.searchBegan, r.row.searchPosition = r.row.searchBegan, 0, ""
	}
	return err
}

// search goes through all folders. Those that this round has looked into are known.
func (r *round) search(ctx context.Context, b branch) error {
	all, itself := passed(b.path, r.row.searchPosition)
	if all {
		return nil
	}
	var kids []branch
	var f folderRow
	var err error
	if b.num != 0 {
		if f, err = r.folder(ctx, b.num); err != nil {
			return err
		}
	}
	if f.walked >= r.row.began && b.num != 0 || r.visited(b.num) {
		kids, err = r.kids(ctx, b.path, b.num)
	} else {
		kids, err = r.glance(ctx, b.path, itself)
	}
	if err != nil {
		return unlessPassable(err)
	}
	if !itself {
		r.row.searchPosition = b.path
		if err := r.went(ctx); err != nil {
			return err
		}
	}
	for _, k := range kids {
		if err := r.search(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// visited reports whether the round has looked into a folder and has not written it yet.
func (r *round) visited(num int64) bool {
	return num != 0 && slices.ContainsFunc(r.dirty, func(f folderRow) bool { return f.num == num })
}

// glance looks into a folder for what was lost, and returns the folders in it. Nothing
// else that it shows gets an ID. again: it has been searched before.
func (r *round) glance(ctx context.Context, p dav.Path, again bool) ([]branch, error) {
	if !again {
		if r.done.Searched >= r.Search {
			return nil, errEnough
		}
		r.done.Searched++
	}
	all, whole, err := r.list(ctx, p)
	if err != nil {
		return nil, err
	}
	if !again {
		if err := r.recognize(ctx, p, all, whole); err != nil {
			return nil, err
		}
	}
	var kids []branch
	for _, res := range all {
		if !res.Collection || len(res.Path.Segments()) >= maxDepth {
			continue
		}
		owner, _, err := r.Map.ownerAt(ctx, r.Space, res.Path)
		if err != nil {
			return nil, err
		}
		k := branch{path: res.Path}
		if owner != nil && owner.kind == Container {
			k.num = owner.num
		}
		kids = append(kids, k)
	}
	slices.SortFunc(kids, func(a, b branch) int { return strings.Compare(string(a.path), string(b.path)) })
	return kids, nil
}

// recognize records those members of a folder that may be what was lost, or the folder
// itself if it is.
func (r *round) recognize(ctx context.Context, p dav.Path, all []dav.Resource, whole bool) error {
	var like []dav.Resource
	for _, res := range all {
		maybe, err := r.maybeLost(ctx, res)
		if err != nil {
			return err
		}
		if maybe {
			like = append(like, res)
		}
	}
	if len(like) == 0 {
		return nil
	}
	l := newLooker(r.f)
	l.hold(p, all, whole)
	if err := r.Map.newFolder(ctx, r.Space, l, p, p, 0); orMissing(err) != nil && !passable(err) {
		return err
	}
	for _, res := range like {
		if _, err := r.Map.See(ctx, r.Space, res, newLooker(r.f)); orMissing(err) != nil && !passable(err) {
			return err
		}
	}
	return nil
}

// maybeLost reports whether something that is lost has the evidence of res.
func (r *round) maybeLost(ctx context.Context, res dav.Resource) (bool, error) {
	q := r.Map.DB.Read()
	if !printed(res) {
		known, err := knownByID(ctx, q, r.Space, res)
		for _, num := range known {
			if missing, err := isMissing(ctx, q, r.Space, num); missing || err != nil {
				return missing, err
			}
		}
		return false, err
	}
	list, _, err := suspects(ctx, q, r.Space, res, 0)
	for _, c := range list {
		if missing, err := isMissing(ctx, q, r.Space, c.num); missing || err != nil {
			return missing, err
		}
	}
	return false, err
}

// isMissing reports whether a resource, or a folder above it, is not where it was.
func isMissing(ctx context.Context, q sqldb.Queryer, s SpaceID, num int64) (bool, error) {
	chain, err := up(ctx, q, s, num)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return slices.ContainsFunc(chain, func(p place) bool { return p.missing != 0 }), err
}

// knownByID are the living resources that have an ID of the upstream that res has.
func knownByID(ctx context.Context, q sqldb.Queryer, s SpaceID, res dav.Resource) ([]int64, error) {
	if res.NativeID == "" && res.ResourceID == "" && res.Inode == "" {
		return nil, nil
	}
	rows, err := q.Query(ctx, `SELECT r.num FROM idmap_resource r WHERE r.died = 0 AND r.kind = ? AND (r.native_id = ? OR r.resource_id = ? AND r.home = ? OR r.inode = ? AND r.home = ?)
		LIMIT 16`, kindOf(res), orNull(res.NativeID), orNull(res.ResourceID), s, orNull(res.Inode), s)
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
