package idmap

import (
	"context"

	"davwopi/davbackend/dav"
)

// See is [Map.At], with a look at other places where what was seen raises a doubt: the
// fingerprint is one that another place had, or the contents are others than they were
// there, or it bears another ID than the file that was there. It may cost up to 30
// requests then (one where the upstream has a look-up by ID), and none where nothing is
// new. Errors of f are returned as they are.
func (m *Map) See(ctx context.Context, s SpaceID, res dav.Resource, f Finder) (Entry, error) {
	if r, err := m.undoubted(ctx, s, res); r != nil || err != nil {
		return r.entryAt(s, res.Path), err
	}
	if err := m.settleOne(ctx, s, res, newLooker(f)); err != nil {
		return Entry{}, wrapPath(res.Path, err)
	}
	return m.At(ctx, s, res)
}

// undoubted is what is at res.Path, if the sight shows nothing new and raises no doubt;
// else nil. It is the one query of the usual look.
func (m *Map) undoubted(ctx context.Context, s SpaceID, res dav.Resource) (*resource, error) {
	r, err := m.unchanged(ctx, s, res.Path.Segments(), res)
	if r == nil || err != nil {
		return nil, err
	}
	if sp := (spot{path: res.Path, owner: r, shown: sight{res, true}}); printed(res) && !sp.home() {
		return nil, nil
	}
	return r, nil
}

// settleOne settles the doubts that one sight raises, before it is recorded.
func (m *Map) settleOne(ctx context.Context, s SpaceID, res dav.Resource, l *looker) error {
	if printed(res) {
		return m.weigh(ctx, s, l, []dav.Resource{res}, nil)
	}
	l.note(res)
	return m.replaced(ctx, s, l, []dav.Resource{res}, nil)
}

// SeeAll is [Map.AtAll] as [Map.See] is [Map.At]. It looks also into a few folders that
// nobody knew: they may be others that were renamed.
func (m *Map) SeeAll(ctx context.Context, s SpaceID, parent dav.Path, res []dav.Resource, complete bool, f Finder) ([]Entry, error) {
	entries, ok, err := m.listingNothingNew(ctx, s, parent, res, complete)
	if ok && err == nil {
		return entries, nil
	}
	l := newLooker(f)
	if complete && len(res) <= maxShelf {
		l.hold(parent, res, true)
	}
	if err := m.SeeMembers(ctx, s, parent, res, l); err != nil {
		return nil, err
	}
	return m.AtAll(ctx, s, parent, res, complete)
}

// SeeMembers settles the doubts that members of a container raise, before they are
// recorded: by [Map.AtAll] or [Batches.Add]. The same f remembers nothing between two
// calls.
func (m *Map) SeeMembers(ctx context.Context, s SpaceID, parent dav.Path, res []dav.Resource, f Finder) error {
	owners, err := m.owners(ctx, s, parent, res)
	if err != nil {
		return wrapPath(parent, err)
	}
	l := newLooker(f)
	if err := m.newFolders(ctx, s, l, parent, res, owners); err != nil {
		return wrapPath(parent, err)
	}
	if owners, err = m.owners(ctx, s, parent, res); err != nil {
		return wrapPath(parent, err)
	}
	if err := m.replaced(ctx, s, l, res, owners); err != nil {
		return wrapPath(parent, err)
	}
	return wrapPath(parent, m.weigh(ctx, s, l, res, owners))
}
