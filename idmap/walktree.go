package idmap

import (
	"context"
	"errors"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A round goes through the tree folder by folder, each before what is in it, names in
// the order of their bytes. So one path says how far it has come.

// A branch is a folder on the way.
type branch struct {
	path dav.Path
	num  int64 // 0: nobody knows it
}

// passed says how a folder lies to a position up to which all is done: done with all
// that is below it, or done itself.
func passed(p, position dav.Path) (all, itself bool) {
	if position == "" {
		return false, false
	}
	if p.Contains(position) {
		return false, true // the position is here or below
	}
	return slices.Compare(p.Segments(), position.Segments()) < 0, false
}

// known looks into the folders that hold issued IDs.
func (r *round) known(ctx context.Context, p dav.Path, num int64) error {
	all, itself := passed(p, r.row.position)
	if all {
		return nil
	}
	if !itself {
		deeper, err := r.visit(ctx, p, num)
		if err != nil {
			return err
		}
		r.row.position = p
		if err := r.went(ctx); err != nil || !deeper {
			return err
		}
	}
	kids, err := r.kids(ctx, p, num)
	if err != nil {
		return err
	}
	for _, k := range kids {
		if err := r.known(ctx, k.path, k.num); err != nil {
			return err
		}
	}
	return nil
}

// kids are the folders in a folder that we know to be there.
func (r *round) kids(ctx context.Context, p dav.Path, num int64) ([]branch, error) {
	if len(p.Segments()) >= maxDepth {
		return nil, nil
	}
	rows, err := r.Map.DB.Read().Query(ctx, `SELECT p.name, p.resource FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource
		WHERE p.parent = ? AND p.space = ? AND p.waiting = 0 AND p.missing = 0 AND r.kind = ?`, num, r.Space, Container)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []branch
	for rows.Next() {
		var name string
		var b branch
		if err := rows.Scan(&name, &b.num); err != nil {
			return nil, err
		}
		if b.path, err = p.Join(name); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b branch) int { return strings.Compare(string(a.path), string(b.path)) })
	return all, rows.Err()
}

// visit looks into a folder, if somebody has used it lately and its tag does not say
// that nothing has happened. deeper is false if nothing below need be looked at.
func (r *round) visit(ctx context.Context, p dav.Path, num int64) (deeper bool, err error) {
	f, err := r.folder(ctx, num)
	if err != nil {
		return false, err
	}
	now, err := r.Map.DB.Now(ctx)
	if err != nil {
		return false, err
	}
	ms := sqldb.Millis(now)
	if f.used == 0 || ms-f.used > r.Within.Milliseconds() {
		return true, nil
	}
	tag, err := r.tag(ctx, p, num)
	switch {
	case errors.Is(err, dav.ErrNotFound):
		return false, r.gone(ctx, num)
	case err != nil:
		return !passable(err), unlessPassable(err)
	}
	if tag != "" && tag == f.tag && f.settled {
		r.done.Same++
		f.walked = ms
		r.dirty = append(r.dirty, f)
		return r.Tags != WholeTree, nil
	}
	whole, err := r.look(ctx, p)
	if errors.Is(err, dav.ErrNotFound) {
		return false, r.gone(ctx, num)
	}
	if err != nil {
		return false, unlessPassable(err)
	}
	f.settled = whole && tag != "" && tag == f.tag && (f.settled || ms-f.walked >= settleAfter)
	f.tag = tag
	if now, err = r.Map.DB.Now(ctx); err != nil {
		return false, err
	}
	f.walked = sqldb.Millis(now) // what the look itself has noted as seen is not newer
	r.dirty = append(r.dirty, f)
	return true, nil
}

func unlessPassable(err error) error {
	if passable(err) {
		return nil
	}
	return err
}

// tag is that of a folder, before it is listed: as the listing of the folder around it
// has shown, or for one request. It is "" where the folder has to be listed anyhow,
// because that shows the tags of the folders in it.
func (r *round) tag(ctx context.Context, p dav.Path, num int64) (dav.ETag, error) {
	if r.Tags == NoTags {
		return "", nil
	}
	if t, ok := r.tags[p]; ok && r.Tags == WholeTree {
		return t, nil
	}
	if r.Tags == OwnChildren {
		kids, err := r.kids(ctx, p, num)
		if err != nil || len(kids) > 0 {
			return "", err
		}
		if t, ok := r.tags[p]; ok {
			return t, nil
		}
	}
	res, err := r.f.Stat(ctx, p)
	return res.ETag.Strong(), err
}

// gone looks for a folder that is not there.
func (r *round) gone(ctx context.Context, num int64) error {
	folder, err := resourceBy(ctx, r.Map.DB.Read(), `r.num = ?`, num)
	if err != nil {
		return err
	}
	return r.find(ctx, []FileID{folder.id})
}

// find looks for what was lost, one by one.
func (r *round) find(ctx context.Context, lost []FileID) error {
	for _, id := range lost {
		_, _, err := r.Map.Find(ctx, r.Space, id, r.f)
		switch {
		case errors.Is(err, ErrMissing):
			r.done.Lost++
		case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, dav.ErrDenied):
			return err
		}
	}
	return nil
}

// look lists a folder and records what it shows, as a person's listing does. whole is
// false for one that is too large for that: what it lacks is not noticed then.
func (r *round) look(ctx context.Context, p dav.Path) (whole bool, err error) {
	all, whole, err := r.list(ctx, p)
	if err != nil {
		return false, err
	}
	r.done.Listed++
	_, err = r.Map.SeeAll(ctx, r.Space, p, all, whole, r.f)
	return whole, err
}

// list lists a folder, as far as maxShelf goes, and notes the tags of folders in it.
func (r *round) list(ctx context.Context, p dav.Path) (all []dav.Resource, whole bool, err error) {
	err = r.f.List(ctx, p, func(res dav.Resource) error {
		if len(all) == maxShelf {
			return errEnough
		}
		if res.Collection && r.Tags != NoTags && len(r.tags) < maxTags {
			r.tags[res.Path] = res.ETag.Strong()
		}
		all = append(all, res)
		return nil
	})
	if errors.Is(err, errEnough) {
		return all, false, nil
	}
	return all, err == nil, err
}
