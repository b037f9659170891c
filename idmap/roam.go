package idmap

import (
	"context"
	"errors"

	"davwopi/davbackend/dav"
)

// roam lists folders, the nearest to the start first: what is in a folder and what it
// is in are one step away. It begins in the first folder above the start that is there,
// looks into folders that nobody knew before those that were known, since a renamed one
// is among them, and ends when the looker's budget does, or when visit says so. A folder
// that this person must not see is passed over.
func (m *Map) roam(ctx context.Context, s SpaceID, l *looker, start dav.Path, visit func(dir dav.Path, sh *shelf) (bool, error)) error {
	queue, met := []dav.Path{start}, map[dav.Path]bool{start: true}
	push := func(p dav.Path) {
		if !met[p] {
			met[p] = true
			queue = append(queue, p)
		}
	}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		sh, err := l.list(ctx, dir)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case errors.Is(err, dav.ErrDenied):
			sh = &shelf{}
		case err != nil:
			return err
		}
		if stop, err := visit(dir, sh); stop || err != nil {
			return err
		}
		known, unknown, err := m.folders(ctx, s, dir, sh)
		if err != nil {
			return err
		}
		for _, p := range unknown {
			push(p)
		}
		if !dir.IsRoot() {
			push(dir.Parent())
		}
		for _, p := range known {
			push(p)
		}
	}
	return nil
}

// folders are the folders of a listing: those that we know to be there, and the others.
func (m *Map) folders(ctx context.Context, s SpaceID, dir dav.Path, sh *shelf) (known, unknown []dav.Path, err error) {
	var all []dav.Resource
	for _, res := range sh.all {
		if res.Collection {
			all = append(all, res)
		}
	}
	owners, err := m.owners(ctx, s, dir, all)
	if err != nil {
		return nil, nil, err
	}
	for _, res := range all {
		if k, ok := owners[res.Path.Base()]; ok && k.resource.kind == Container && k.place.missing == 0 {
			known = append(known, res.Path)
		} else {
			unknown = append(unknown, res.Path)
		}
	}
	return known, unknown, nil
}

// owners are who owns the names of a listing's members, as far as we know; no more than
// maxShelf of them are asked for.
func (m *Map) owners(ctx context.Context, s SpaceID, dir dav.Path, res []dav.Resource) (map[string]member, error) {
	all := map[string]member{}
	if len(res) == 0 {
		return all, nil
	}
	names := dir.Segments()
	chain, err := down(ctx, m.DB.Read(), s, names)
	if err != nil || len(chain) != len(names)+1 {
		return all, err
	}
	for res := res[:min(len(res), maxShelf)]; len(res) > 0; {
		n := min(len(res), MaxBatch)
		some, err := membersCalled(ctx, m.DB.Read(), s, chain[len(names)].resource, res[:n])
		if err != nil {
			return nil, err
		}
		for name, k := range some {
			all[name] = k
		}
		res = res[n:]
	}
	return all, nil
}

// ownerAt is who owns a path, as far as we know; nil if nobody does.
func (m *Map) ownerAt(ctx context.Context, s SpaceID, p dav.Path) (*resource, *place, error) {
	r, at, _, err := downTo(ctx, m.DB.Read(), s, p.Segments())
	if errors.Is(err, ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return r, &at, nil
}

// matches are the files within reach of the start that have the fingerprint of r or bear
// its stamp, but for those that are known to be others, and but for one path.
func (m *Map) matches(ctx context.Context, s SpaceID, l *looker, r *resource, start, but dav.Path) ([]dav.Resource, error) {
	var found []dav.Resource
	err := m.roam(ctx, s, l, start, func(dir dav.Path, sh *shelf) (bool, error) {
		some, err := m.matchesIn(ctx, s, r, dir, sh, but)
		found = append(found, some...)
		return len(found) > maxAlike, err
	})
	return found, err
}

func (m *Map) matchesIn(ctx context.Context, s SpaceID, r *resource, dir dav.Path, sh *shelf, but dav.Path) ([]dav.Resource, error) {
	var like []dav.Resource
	for _, res := range sh.all {
		if res.Path != but && r.fits(res) {
			like = append(like, res)
		}
	}
	owners, err := m.owners(ctx, s, dir, like)
	if err != nil {
		return nil, err
	}
	var found []dav.Resource
	for _, res := range like {
		k, ok := owners[res.Path.Base()]
		if !ok || k.resource.num == r.num || k.resource.changed(res) {
			found = append(found, res)
		}
	}
	return found, nil
}
