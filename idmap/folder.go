package idmap

import (
	"context"
	"errors"
	"slices"

	"davwopi/davbackend/dav"
)

// A folder has no fingerprint of its own. It is known again, where nothing better is
// shown, by what is in it: at least half of the files that we know in it are there under
// their names, as they were, and none under its name is another. Its old place must be
// gone, and nobody may have known the new one. Then it is recorded as one row, and all
// that is below it follows.

// resembles compares a folder that we know with a listing: like is how many of its
// files are there as they were. clash: the listing contradicts, or too few are.
func resembles(known map[string]member, sh *shelf) (like int, clash bool) {
	files := 0
	for name, k := range known {
		if k.place.missing != 0 {
			continue
		}
		i, there := sh.index[name]
		switch {
		case there && sh.all[i].Collection != (k.resource.kind == Container):
			return 0, true
		case k.resource.kind == Container:
			continue
		case there && !k.resource.fits(sh.all[i]):
			return 0, true
		case there:
			like++
		}
		files++
	}
	return like, 2*like < files
}

// followFolder records the rename or move of the highest folder that, by the path of
// something that was found, has gone along with it: above is 1 for a file, and 0 for a
// folder itself. It reports whether there is such a folder.
func (m *Map) followFolder(ctx context.Context, s SpaceID, l *looker, was, now dav.Path, above int) (bool, error) {
	old, new := was.Segments(), now.Segments()
	n := above
	for i := 1; i <= min(len(old), len(new)) && old[len(old)-i] == new[len(new)-i]; i++ {
		n = i
	}
	if above == 1 && was.Base() != now.Base() {
		return false, nil
	}
	for j := min(n, len(old)-1, len(new)-1); j >= above; j-- {
		from, to := upwards(was, j), upwards(now, j)
		if from == to {
			continue
		}
		at, err := l.at(ctx, from)
		if err != nil {
			return false, orMissing(err)
		}
		if !at.there {
			return m.moveFolder(ctx, s, l, was, now, above, j)
		}
	}
	return false, nil
}

func orMissing(err error) error {
	if errors.Is(err, errEnough) || errors.Is(err, dav.ErrDenied) {
		return nil
	}
	return err
}

func upwards(p dav.Path, n int) dav.Path {
	for range n {
		p = p.Parent()
	}
	return p
}

// moveFolder records that the folder j steps above was is the one j steps above now, if
// everything between bears it out.
func (m *Map) moveFolder(ctx context.Context, s SpaceID, l *looker, was, now dav.Path, above, j int) (bool, error) {
	folder, at, err := m.ownerAt(ctx, s, upwards(was, j))
	if err != nil || folder == nil || folder.kind != Container || folder.native != "" || folder.rid != "" {
		return false, err
	}
	target := upwards(now, j)
	if owner, there, err := m.ownerAt(ctx, s, target); err != nil || owner != nil && there.missing == 0 {
		return false, err
	}
	for i := above; i <= j; i++ {
		ok, err := m.isFolder(ctx, s, l, upwards(was, i), upwards(now, i))
		if err != nil || !ok {
			return false, orMissing(err)
		}
	}
	return true, m.apply(ctx, s, []step{{num: folder.num, was: *at, to: target}})
}

// isFolder reports whether nothing in now contradicts that it is what was at was.
func (m *Map) isFolder(ctx context.Context, s SpaceID, l *looker, was, now dav.Path) (bool, error) {
	r, _, err := m.ownerAt(ctx, s, was)
	if err != nil || r == nil || r.kind != Container {
		return false, err
	}
	known, err := members(ctx, m.DB.Read(), s, r.num)
	if err != nil {
		return false, err
	}
	sh, err := l.list(ctx, now)
	if err != nil || !sh.there {
		return false, err
	}
	_, clash := resembles(known, sh)
	return !clash, nil
}

// maxNewFolders bounds the folders that one listing looks into, because they may be
// some that were renamed.
const maxNewFolders = 4

// newFolders looks into the folders of a listing that nobody knew: if the files in one
// were last seen in a folder that is gone, it is that one.
func (m *Map) newFolders(ctx context.Context, s SpaceID, l *looker, parent dav.Path, res []dav.Resource, owners map[string]member) error {
	if len(owners) == 0 {
		return nil // it is seen for the first time
	}
	var fresh []dav.Path
	for _, r := range res {
		if k, ok := owners[r.Path.Base()]; r.Collection && r.NativeID == "" && r.ResourceID == "" && (!ok || k.place.missing != 0) {
			fresh = append(fresh, r.Path)
		}
	}
	if len(fresh) > maxNewFolders {
		return nil
	}
	for _, p := range fresh {
		if err := m.newFolder(ctx, s, l, p, p, 3); err != nil {
			return orMissing(err)
		}
	}
	return nil
}

// newFolder looks into dir, which is or lies below a folder that nobody knew.
func (m *Map) newFolder(ctx context.Context, s SpaceID, l *looker, top, dir dav.Path, deep int) error {
	sh, err := l.list(ctx, dir)
	if err != nil {
		return err
	}
	tried := 0
	for _, res := range sh.all {
		if !printed(res) {
			continue
		}
		if tried++; tried > 5 {
			return nil
		}
		list, _, err := suspects(ctx, m.DB.Read(), s, res, 0)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(c suspect) bool { return c.path.Base() != res.Path.Base() || c.place.waiting != 0 })
		if len(list) != 1 {
			continue
		}
		if only, err := m.onlyThere(ctx, s, l, list[0], res.Path); err != nil || !only {
			return err
		}
		if moved, err := m.followFolder(ctx, s, l, list[0].path, res.Path, 1); moved || err != nil {
			return err
		}
	}
	if tried > 0 || deep == 0 {
		return nil
	}
	for _, res := range sh.all {
		if res.Collection {
			return m.newFolder(ctx, s, l, top, res.Path, deep-1)
		}
	}
	return nil
}

// onlyThere reports whether the file c, which is gone from its place, is at p and
// nowhere else within reach.
func (m *Map) onlyThere(ctx context.Context, s SpaceID, l *looker, c suspect, p dav.Path) (bool, error) {
	at, err := l.at(ctx, c.path)
	if err != nil || at.there {
		return false, err
	}
	found, err := m.matches(ctx, s, l, c.resource, p.Parent(), c.path)
	if err != nil {
		return false, err
	}
	if found, err = l.proven(ctx, c.resource, found); err != nil {
		return false, err
	}
	return len(found) == 1 && found[0].Path == p && (c.alike(found[0]) == strongly || c.sha256 != nil), nil
}
