package idmap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A program that saves by a temporary file and MOVE puts a new resource in the place of
// the old one. Where the upstream has IDs it looks like another file. It is the next
// contents of the document, and keeps its ID, if
//
//   - nothing bears the old native id or resource-id any more, within reach: the
//     upstream's own look-up says so, or, where it has none, the nearest folders do;
//   - what is there now is not a file that we know from elsewhere, but for one that
//     bore a temporary name, or another extension, until now;
//   - the document was seen there within a day, or is under our lock;
//   - it is in no other space: whoever looks cannot speak for others.
//
// Else the place has a new file, and the ID of the old one waits.

// replacedWithin is how long ago a document may have been seen, in milliseconds.
const replacedWithin = int64(24 * 60 * 60 * 1000)

// replaced settles, before res are recorded, which of them are next contents. owners are
// those of res, if they are known.
func (m *Map) replaced(ctx context.Context, s SpaceID, l *looker, res []dav.Resource, owners map[string]member) error {
	for _, r := range res {
		if r.Collection || r.NativeID == "" && r.ResourceID == "" {
			continue
		}
		k, ok := owners[r.Path.Base()]
		if owners == nil {
			owner, at, err := m.ownerAt(ctx, s, r.Path)
			if err != nil {
				return err
			}
			if ok = owner != nil; ok {
				k = member{*at, owner}
			}
		}
		if !ok || k.resource.kind != File || k.place.missing != 0 || k.resource.compare(r) != other {
			continue
		}
		if err := m.replace(ctx, s, l, k, r); err != nil {
			return err
		}
	}
	return nil
}

// replace rebinds k to res, which is in its place, if that is its next contents.
func (m *Map) replace(ctx context.Context, s SpaceID, l *looker, k member, res dav.Resource) error {
	if ok, err := m.lately(ctx, s, k); err != nil || !ok {
		return err
	}
	temp, ok, err := m.isFresh(ctx, s, l, res)
	if err != nil || !ok {
		return err
	}
	gone, err := m.isGone(ctx, s, l, k.resource, res.Path)
	if err != nil || !gone {
		return err
	}
	return m.rebind(ctx, s, k, temp, res)
}

// lately reports whether the file was there a short while ago, for all who may see it.
func (m *Map) lately(ctx context.Context, s SpaceID, k member) (bool, error) {
	var spaces int
	err := m.DB.Read().QueryRow(ctx, `SELECT COUNT(*) FROM idmap_place WHERE resource = ? AND space <> ? AND missing = 0`, k.resource.num, s).Scan(&spaces)
	if err != nil || spaces > 0 {
		return false, err
	}
	t, err := m.DB.Now(ctx)
	if err != nil {
		return false, err
	}
	if sqldb.Millis(t)-k.place.seen <= replacedWithin {
		return true, nil
	}
	if m.Held == nil {
		return false, nil
	}
	held, err := m.Held(ctx, k.resource.id)
	if err != nil {
		return false, fmt.Errorf("whether %s is locked: %w", k.resource.id, err)
	}
	return held, nil
}

// isFresh reports whether res is nothing that we know to be a file of its own. temp is
// what we took it for while it was being written; nil nothing.
func (m *Map) isFresh(ctx context.Context, s SpaceID, l *looker, res dav.Resource) (temp *resource, ok bool, err error) {
	upstream, err := m.upstreamRow(ctx, s)
	if err != nil {
		return nil, false, err
	}
	c := &change{tx: m.DB.Read(), space: s, upstream: upstream}
	known, err := c.knownBy(ctx, res)
	if err != nil || known == nil {
		return nil, err == nil, err
	}
	if known.died != 0 {
		return nil, false, nil // it was restored
	}
	chain, err := up(ctx, c.tx, s, known.num)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil // somebody else's
	}
	if err != nil {
		return nil, false, err
	}
	from := located(s, known, chain).Path
	if takesOver(from.Base(), res.Path.Base()) {
		return nil, false, nil // it was renamed
	}
	at, err := l.at(ctx, from)
	if err != nil {
		return nil, false, orMissing(err)
	}
	return known, !at.there || known.compare(at.res) != same, nil
}

// isGone reports whether r, which was at p, is nowhere within reach. Where it is found
// that is recorded.
func (m *Map) isGone(ctx context.Context, s SpaceID, l *looker, r *resource, p dav.Path) (bool, error) {
	found, there, err := m.borne(ctx, s, l, r, p)
	if err != nil || !there {
		return err == nil, orMissing(err)
	}
	if found.Path == "" {
		return false, nil
	}
	_, err = m.At(ctx, s, found)
	return false, err
}

// borne looks for what bears the ID of r, beside p: there; and what it is, if it was
// seen.
func (m *Map) borne(ctx context.Context, s SpaceID, l *looker, r *resource, p dav.Path) (found dav.Resource, there bool, err error) {
	if r.native != "" {
		if err := l.pay(); err != nil {
			return dav.Resource{}, true, err
		}
		at, err := l.ByNativeID(ctx, r.native)
		switch {
		case errors.Is(err, dav.ErrNotFound):
			return dav.Resource{}, false, nil
		case err == nil:
			seen, err := l.at(ctx, at)
			if err != nil || !seen.there || r.compare(seen.res) != same {
				return dav.Resource{}, true, err
			}
			return seen.res, true, nil
		case !errors.Is(err, dav.ErrUnsupported):
			return dav.Resource{}, true, err
		}
	}
	if _, err := l.list(ctx, p.Parent()); err != nil {
		return dav.Resource{}, true, err // nothing was looked at
	}
	err = m.roam(ctx, s, l, p.Parent(), func(_ dav.Path, sh *shelf) (bool, error) {
		i := slices.IndexFunc(sh.all, func(res dav.Resource) bool { return r.compare(res) == same })
		if there = i >= 0; there {
			found = sh.all[i]
		}
		return there, nil
	})
	return found, there || err != nil, err
}

// rebind gives k the IDs of res, and takes them from temp, unless somebody was faster.
func (m *Map) rebind(ctx context.Context, s SpaceID, k member, temp *resource, res dav.Resource) error {
	err := m.change(ctx, s, func(c *change) error {
		now, err := placeOf(ctx, c.tx, s, k.resource.num)
		if errors.Is(err, ErrNotFound) || err == nil && (now.parent != k.place.parent || now.name != k.place.name || now.waiting != 0 || now.missing != 0) {
			return nil // the next sight tells
		}
		if err != nil {
			return err
		}
		r, err := resourceBy(ctx, c.tx, `r.num = ? AND r.died = 0`, k.resource.num)
		if err != nil || r.compare(res) != other {
			return orGone(err)
		}
		if temp != nil {
			if err := c.displace(ctx, temp.num); err != nil {
				return err
			}
		}
		r.native, r.rid = res.NativeID, res.ResourceID
		if err := c.claim(ctx, r); err != nil {
			return err
		}
		return c.save(ctx, r)
	})
	if err != nil {
		return fmt.Errorf("idmap: next contents at %q: %w", res.Path, err)
	}
	return nil
}

func orGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
