package idmap

import (
	"context"
	"errors"
	"slices"
	"sync"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// searchAgain is for how long a file that a search did not find is looked for at the
// cheap places only, in milliseconds: an office and the keeper ask again and again.
const searchAgain = int64(60 * 1000)

// searches remembers which searches came to nothing, and when.
type searches struct {
	mu   sync.Mutex
	last map[int64]int64 // resource -> milliseconds; guarded by mu
}

// recent reports whether there was one for num, a short while ago.
func (s *searches) recent(num, now int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.last[num]
	return ok && at <= now && now-at < searchAgain
}

func (s *searches) note(num, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.last) > 4096 || s.last == nil {
		s.last = map[int64]int64{}
	}
	s.last[num] = now
}

// beyond looks for r, which is not at was: in the folder it was in, and then from there
// on in the folders that are nearest, as far as the budget of l goes.
func (m *Map) beyond(ctx context.Context, s SpaceID, r *resource, was dav.Path, l *looker) (Entry, dav.Resource, error) {
	if was.IsRoot() {
		return Entry{}, dav.Resource{}, ErrMissing
	}
	t, err := m.DB.Now(ctx)
	if err != nil {
		return Entry{}, dav.Resource{}, err
	}
	now := sqldb.Millis(t)
	recent := m.searches.recent(r.num, now)
	if recent {
		l.left = min(l.left, 1)
	}
	if !recent {
		e, res, err := m.byInode(ctx, s, r, was, l)
		if !errors.Is(err, ErrMissing) {
			return e, res, err
		}
	}
	var res dav.Resource
	switch {
	case recent && r.native == "" && r.rid == "":
		err = ErrMissing // a part of what was looked at proves nothing
	case r.native != "" || r.rid != "":
		res, err = m.byID(ctx, s, r, was, l)
	case r.kind == File:
		res, err = m.byPrint(ctx, s, r, was, l)
	default:
		res, err = m.byMembers(ctx, s, r, was, l)
	}
	if err == nil {
		return m.take(ctx, s, r.id, res)
	}
	if errors.Is(err, errEnough) {
		err = ErrMissing
	}
	if errors.Is(err, ErrMissing) && !recent {
		m.searches.note(r.num, now)
	}
	return Entry{}, dav.Resource{}, err
}

// byID looks for the native ID or resource-id of r, which is nobody else's.
func (m *Map) byID(ctx context.Context, s SpaceID, r *resource, was dav.Path, l *looker) (found dav.Resource, err error) {
	err = m.roam(ctx, s, l, was.Parent(), func(_ dav.Path, sh *shelf) (bool, error) {
		i := slices.IndexFunc(sh.all, func(res dav.Resource) bool { return r.compare(res) == same })
		if i >= 0 {
			found = sh.all[i]
		}
		return i >= 0, nil
	})
	if err == nil && found.Path == "" {
		err = ErrMissing
	}
	return found, err
}

// byPrint looks for the one file that has the fingerprint of r, or its stamp. If the folder was
// renamed that r was in, or one above, that is what is recorded.
func (m *Map) byPrint(ctx context.Context, s SpaceID, r *resource, was dav.Path, l *looker) (dav.Resource, error) {
	old, err := l.at(ctx, was)
	if err != nil {
		return dav.Resource{}, err
	}
	if old.there && !old.res.Collection {
		return dav.Resource{}, ErrMissing // another has its name: what is seen elsewhere may be a copy
	}
	found, err := m.matches(ctx, s, l, r, was.Parent(), was)
	if err != nil {
		return dav.Resource{}, err
	}
	if found, err = l.proven(ctx, r, r.chosen(found, was.Base())); err != nil {
		return dav.Resource{}, err
	}
	if len(found) != 1 {
		return dav.Resource{}, ErrMissing
	}
	res := found[0]
	moved, err := m.followFolder(ctx, s, l, was, res.Path, 1)
	if err == nil && !moved {
		q := m.quest(s, l)
		q.only = true
		err = q.weigh(ctx, []dav.Resource{res}, nil)
	}
	if err != nil {
		return dav.Resource{}, err
	}
	chain, err := up(ctx, m.DB.Read(), s, r.num)
	if err != nil {
		return dav.Resource{}, err
	}
	if chain[0].waiting != 0 || located(s, r, chain).Path != res.Path {
		return dav.Resource{}, ErrMissing
	}
	return res, nil
}

// proven leaves out what has other contents than r, as far as these are known.
func (l *looker) proven(ctx context.Context, r *resource, all []dav.Resource) ([]dav.Resource, error) {
	var left []dav.Resource
	for _, res := range all {
		if r.alike(res) == unlike || r.hasInode(res) {
			left = append(left, res) // known by its stamp or inode: it was edited
			continue
		}
		same, known, err := l.holds(ctx, r, res.Path)
		if err != nil {
			return nil, err
		}
		if same || !known {
			left = append(left, res)
		}
	}
	return left, nil
}

// byMembers looks for the one folder that nobody knew and that holds what r held.
func (m *Map) byMembers(ctx context.Context, s SpaceID, r *resource, was dav.Path, l *looker) (dav.Resource, error) {
	known, err := members(ctx, m.DB.Read(), s, r.num)
	if err != nil || !worthLooking(known) {
		return dav.Resource{}, errors.Join(err, ErrMissing)
	}
	var found []dav.Path
	err = m.roam(ctx, s, l, was.Parent(), func(dir dav.Path, sh *shelf) (bool, error) {
		if like, clash := resembles(known, sh); like == 0 || clash {
			return false, nil
		}
		owner, at, err := m.ownerAt(ctx, s, dir)
		if err == nil && (owner == nil || at.missing != 0) {
			found = append(found, dir)
		}
		return len(found) > 1, err
	})
	if err != nil {
		return dav.Resource{}, err
	}
	if len(found) != 1 {
		return dav.Resource{}, ErrMissing
	}
	moved, err := m.followFolder(ctx, s, l, was, found[0], 0)
	if err != nil {
		return dav.Resource{}, err
	}
	if !moved {
		return dav.Resource{}, ErrMissing
	}
	return dav.Resource{Path: found[0], Collection: true, Size: -1}, nil
}

// worthLooking reports whether something is known by which a folder can be known again.
func worthLooking(known map[string]member) bool {
	for _, k := range known {
		if k.place.missing == 0 && k.resource.byPrintOnly() {
			return true
		}
	}
	return false
}
