package idmap

import (
	"context"
	"errors"
	"slices"

	"davwopi/davbackend/dav"
)

// maxSpots bounds the places that one quest looks at, beside those that it is about.
const maxSpots = 64

// A quest finds out, before a sight is recorded, what a fingerprint tells about it: a
// place shows other contents than we knew there, or something where nothing was. It
// looks at the places that files of these fingerprints had last, and at what these show
// in turn, so that swaps and chains of renames are seen through. An ID moves only if
// there is one file that it can be and one place where that file is, and nothing of it
// is at its old place; what remains unclear gets a new ID, and the old one waits.
type quest struct {
	m     *Map
	space SpaceID
	l     *looker
	spots map[dav.Path]*spot
	order []*spot
	about int  // spots that were there first
	only  bool // nothing that was seen is recorded, unless it is found to be known
}

// A spot is a place in a quest.
type spot struct {
	path     dav.Path
	owner    *resource // who owns the name as far as we know, nil nobody
	place    *place    // of owner
	shown    sight
	suspects []suspect
	vague    bool      // more can be true than what is looked at
	is       *suspect  // the file that came here from elsewhere
	claims   []suspect // who can be here
}

// home reports whether the owner is where it was.
func (sp *spot) home() bool {
	switch {
	case sp.owner == nil || !sp.shown.there || sp.owner.kind != kindOf(sp.shown.res):
		return false
	case sp.owner.kind == Container, sp.owner.compare(sp.shown.res) == same:
		return true
	case sp.owner.void() && (sp.owner.etag == "" || sp.shown.res.ETag == ""):
		return false // an equal size says nothing
	}
	return !sp.owner.changed(sp.shown.res)
}

// holdsFile reports whether some file is at the spot.
func (sp *spot) holdsFile() bool { return sp.shown.there && !sp.shown.res.Collection }

// weigh settles what fingerprints tell about what was seen just now. owners are those
// of res, if they are known.
func (m *Map) weigh(ctx context.Context, s SpaceID, l *looker, res []dav.Resource, owners map[string]member) error {
	return m.quest(s, l).weigh(ctx, res, owners)
}

func (m *Map) quest(s SpaceID, l *looker) *quest {
	return &quest{m: m, space: s, l: l, spots: map[dav.Path]*spot{}}
}

func (q *quest) weigh(ctx context.Context, res []dav.Resource, owners map[string]member) error {
	for _, r := range res {
		q.l.note(r)
		if !printed(r) {
			continue
		}
		sp := &spot{path: r.Path, shown: sight{r, true}}
		if k, ok := owners[r.Path.Base()]; ok {
			sp.owner, sp.place = k.resource, &k.place
		} else if owners == nil {
			var err error
			if sp.owner, sp.place, err = q.m.ownerAt(ctx, q.space, r.Path); err != nil {
				return err
			}
		}
		if !sp.home() && (sp.owner == nil || sp.owner.kind == Container || sp.owner.byPrintOnly()) {
			q.add(sp)
		}
	}
	q.about = len(q.order)
	if q.about == 0 {
		return nil
	}
	if err := q.spread(ctx); err != nil {
		return err
	}
	if err := q.decide(ctx); err != nil {
		return err
	}
	return q.apply(ctx)
}

func (q *quest) add(sp *spot) {
	q.spots[sp.path] = sp
	q.order = append(q.order, sp)
}

// spread looks where the files were that what is seen may be.
func (q *quest) spread(ctx context.Context) error {
	for i := 0; i < len(q.order); i++ {
		sp := q.order[i]
		if !sp.holdsFile() || sp.home() || !printed(sp.shown.res) {
			continue
		}
		var but int64
		if sp.owner != nil {
			but = sp.owner.num
		}
		var err error
		if sp.suspects, sp.vague, err = suspects(ctx, q.m.DB.Read(), q.space, sp.shown.res, but); err != nil {
			return err
		}
		if err := q.stamped(ctx, sp, but); err != nil {
			return err
		}
		for _, c := range sp.suspects {
			if err := q.visit(ctx, sp, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// stamped adds the file whose stamp the spot bears, if what it was called fits.
func (q *quest) stamped(ctx context.Context, sp *spot, but int64) error {
	c, err := stamped(ctx, q.m.DB.Read(), q.space, sp.shown.res, but)
	if err != nil || c == nil || !takesOver(c.path.Base(), sp.path.Base()) ||
		slices.ContainsFunc(sp.suspects, func(s suspect) bool { return s.num == c.num }) {
		return err
	}
	sp.suspects = append(sp.suspects, *c)
	return nil
}

// visit makes the last place of c a spot.
func (q *quest) visit(ctx context.Context, sp *spot, c suspect) error {
	if q.spots[c.path] != nil {
		return nil
	}
	if len(q.order) >= q.about+maxSpots {
		sp.vague = true
		return nil
	}
	shown, err := q.l.at(ctx, c.path)
	if errors.Is(err, errEnough) || errors.Is(err, dav.ErrDenied) {
		sp.vague = true
		return nil
	}
	if err != nil {
		return err
	}
	next := &spot{path: c.path, shown: shown}
	if next.owner, next.place, err = q.m.ownerAt(ctx, q.space, c.path); err != nil {
		return err
	}
	q.add(next)
	return nil
}

// decide says for each spot who is there.
func (q *quest) decide(ctx context.Context) error {
	for _, sp := range q.order {
		if !sp.holdsFile() || sp.home() || sp.vague {
			continue
		}
		for _, c := range sp.suspects {
			from := q.spots[c.path]
			switch {
			case from == nil:
				sp.vague = true
			case from.owner != nil && from.owner.num == c.num && from.home():
				one, err := q.isOne(ctx, c.path, sp.path)
				if err != nil {
					return err
				}
				if one {
					from.shown = sight{}
					sp.claims = append(sp.claims, c)
				} // else it is where it was, and this is a copy
			case c.place.waiting != 0 && from.holdsFile() && !c.hasInode(sp.shown.res):
				sp.vague = true // another has its name, and nobody knows since when
			default:
				sp.claims = append(sp.claims, c)
			}
		}
		sp.claims = byStamp(sp.claims, sp.shown.res)
		if err := q.read(ctx, sp); err != nil {
			return err
		}
		if len(sp.claims) == 1 && !sp.vague {
			sp.is = &sp.claims[0]
		}
	}
	q.prune()
	if err := q.twins(ctx); err != nil {
		return err
	}
	q.prune()
	return nil
}

// isOne reports whether the upstream takes two paths for one, which differ in upper and
// lower case or in how letters are composed: what holds both shows one of the names.
func (q *quest) isOne(ctx context.Context, a, b dav.Path) (bool, error) {
	left, right := a.Segments(), b.Segments()
	if len(left) != len(right) {
		return false, nil
	}
	differ := -1
	for i := range left {
		if !dav.SameName(left[i], right[i]) {
			return false, nil
		}
		if differ < 0 && left[i] != right[i] {
			differ = i
		}
	}
	if differ < 0 {
		return false, nil
	}
	sh, err := q.l.list(ctx, upwards(a, len(left)-differ))
	if err != nil || !sh.whole {
		return false, orMissing(err)
	}
	_, one := sh.index[left[differ]]
	_, other := sh.index[right[differ]]
	return one != other, nil
}

// read lets the contents decide between claims, where we know them.
func (q *quest) read(ctx context.Context, sp *spot) error {
	var left []suspect
	for _, c := range sp.claims {
		if c.alike(sp.shown.res) == unlike || c.hasInode(sp.shown.res) {
			left = append(left, c) // by its stamp or inode: it was edited
			continue
		}
		same, known, err := q.l.holds(ctx, c.resource, sp.path)
		if err != nil {
			return err
		}
		switch {
		case known && !same:
			continue
		case known:
		case c.alike(sp.shown.res) == weakly:
			sp.vague = true
		}
		left = append(left, c)
	}
	sp.claims = left
	return nil
}

// prune takes back what rests on something that is not so: a file whose old place holds
// another file is here only if that other one is known to have come from elsewhere, and
// a file is in one place, be it that of two alike which bears its stamp.
func (q *quest) prune() {
	for again := true; again; {
		again = false
		at := map[int64][]*spot{}
		for _, sp := range q.order {
			if sp.is != nil {
				at[sp.is.num] = append(at[sp.is.num], sp)
			}
		}
		for _, all := range at {
			if onlyOne(all) {
				again = true
			}
		}
		for _, sp := range q.order {
			if sp.is == nil {
				continue
			}
			if from := q.spots[sp.is.path]; from.holdsFile() && from.is == nil && !sp.is.hasInode(sp.shown.res) {
				sp.is, again = nil, true
			}
		}
	}
}

// onlyOne leaves a file, which was taken to be at several spots, at that which alone bears
// its stamp, or at none, and reports whether there was anything to do.
func onlyOne(all []*spot) bool {
	if len(all) < 2 {
		return false
	}
	keep, bearers := -1, 0
	for i, sp := range all {
		if sp.is.bears(sp.shown.res) {
			keep, bearers = i, bearers+1
		}
	}
	for i, sp := range all {
		if i != keep || bearers > 1 {
			sp.is = nil
		}
	}
	return true
}

// twins takes back what is within reach in a second place: a copy with the same
// fingerprint, or the file itself of which the first is the copy.
func (q *quest) twins(ctx context.Context) error {
	var moved []*spot
	for _, sp := range q.order {
		if sp.is != nil && !sp.is.hasInode(sp.shown.res) { // the disk knows no twins
			moved = append(moved, sp)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	return q.m.roam(ctx, q.space, q.l, moved[0].path.Parent(), func(dir dav.Path, sh *shelf) (bool, error) {
		for _, sp := range moved {
			some, err := q.m.matchesIn(ctx, q.space, sp.is0(), dir, sh, sp.path)
			if err != nil {
				return false, err
			}
			for _, res := range some {
				twin, err := q.isTwin(ctx, sp, res)
				if err != nil {
					return false, err
				}
				if twin {
					sp.is = nil
				}
			}
		}
		moved = slices.DeleteFunc(moved, func(sp *spot) bool { return sp.is == nil })
		return len(moved) == 0, nil
	})
}

// is0 is the file that a spot was taken to hold.
func (sp *spot) is0() *resource {
	if sp.is == nil {
		return &resource{}
	}
	return sp.is.resource
}

func (q *quest) isTwin(ctx context.Context, sp *spot, res dav.Resource) (bool, error) {
	if sp.is == nil || sp.is.bears(sp.shown.res) && sp.is.alike(sp.shown.res) != unlike && !sp.is.bears(res) {
		return false, nil
	}
	if from := q.spots[sp.is.path]; from != nil && !from.shown.there && res.Path == from.path {
		return false, nil // it is the same place, by another name
	}
	if sp.is.alike(res) == unlike {
		return true, nil // another bears the stamp, too
	}
	same, known, err := q.l.holds(ctx, sp.is.resource, res.Path)
	return same || !known, err
}
