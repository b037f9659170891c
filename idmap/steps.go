package idmap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"davwopi/davbackend/dav"
)

// A step is a change of one place.
type step struct {
	num  int64
	was  place
	to   dav.Path // "" it gives way
	void bool     // it stays, but nothing will be taken for it by its fingerprint any more
}

// steps are what follows from the decisions.
func (q *quest) steps(ctx context.Context) ([]step, error) {
	moves := map[int64]bool{}
	for _, sp := range q.order {
		if sp.is != nil {
			moves[sp.is.num] = true
		}
	}
	var all []step
	for _, sp := range q.order {
		if !sp.holdsFile() || sp.home() {
			continue
		}
		stays := sp.owner != nil && sp.owner.kind == File && !moves[sp.owner.num] && sp.place.waiting == 0
		if sp.is != nil && !(stays && !takesOver(sp.is.path.Base(), sp.path.Base())) {
			all = append(all, step{num: sp.is.num, was: sp.is.place, to: sp.path})
			if stays {
				to, err := q.rescue(ctx, sp)
				if err != nil {
					return nil, err
				}
				all = append(all, step{num: sp.owner.num, was: *sp.place, to: to})
			}
			continue
		}
		if sp.is != nil {
			delete(moves, sp.is.num) // a document's next contents
		}
		if !stays || !sp.owner.byPrintOnly() {
			continue
		}
		unclear := sp.is == nil && (sp.vague || len(sp.claims) > 0) || sp.owner.void()
		if !unclear {
			var err error
			if unclear, err = q.elsewhere(ctx, sp); err != nil {
				return nil, err
			}
		}
		if unclear {
			all = append(all, step{num: sp.owner.num, was: *sp.place})
		}
	}
	return all, nil
}

// rescue looks for the owner of a spot that another file has come to, before it is
// forgotten that its place was free for a moment: a chain of renames. "" if it is not
// found, or not for sure.
func (q *quest) rescue(ctx context.Context, sp *spot) (dav.Path, error) {
	if !sp.owner.byPrintOnly() {
		return "", nil
	}
	found, err := q.m.matches(ctx, q.space, q.l, sp.owner, sp.path.Parent(), sp.path)
	if err == nil {
		found, err = q.l.proven(ctx, sp.owner, sp.owner.chosen(found, sp.path.Base()))
	}
	if err != nil || len(found) != 1 {
		return "", err
	}
	res := found[0]
	if other := q.spots[res.Path]; other != nil && other.is != nil || sp.owner.alike(res) != strongly && sp.owner.sha256 == nil && !sp.owner.bears(res) {
		return "", nil
	}
	owner, at, err := q.m.ownerAt(ctx, q.space, res.Path)
	if err != nil || owner != nil && at.missing == 0 {
		return "", err
	}
	return res.Path, nil
}

// elsewhere reports whether what the owner of a spot was known by is seen at a place
// that nobody is known to own, so that what is at the spot may be another file: at a
// spot of this quest, or anywhere within reach, the nearest folders first. What was put
// aside does not count.
func (q *quest) elsewhere(ctx context.Context, sp *spot) (bool, error) {
	is := func(res dav.Resource) bool {
		there := sp.owner.alike(res) != unlike || sp.owner.bears(res) && !sp.owner.bears(sp.shown.res)
		return res.Path != sp.path && there && !passing(res.Path.Base())
	}
	for _, other := range q.order {
		if other.holdsFile() && !other.home() && other.is == nil && is(other.shown.res) {
			return true, nil
		}
	}
	if paths, known := sp.owner.onDisk(ctx, q.l); known {
		return slices.ContainsFunc(paths, func(p dav.Path) bool { return p != sp.path && !passing(p.Base()) }), nil
	}
	found := false
	err := q.m.roam(ctx, q.space, q.l, sp.path.Parent(), func(dir dav.Path, sh *shelf) (bool, error) {
		some, err := q.m.matchesIn(ctx, q.space, sp.owner, dir, sh, sp.path)
		found = slices.ContainsFunc(some, is)
		return found, err
	})
	return found, err
}

// apply carries the steps out, unless somebody was faster.
func (q *quest) apply(ctx context.Context) error {
	steps, err := q.steps(ctx)
	if err != nil {
		return err
	}
	if !q.only {
		steps = append(steps, q.void()...)
	}
	if len(steps) == 0 {
		return nil
	}
	return q.m.apply(ctx, q.space, steps)
}

// void ends the search by fingerprint for files of which nobody can say whether they
// are what is about to get another ID: the next place that looks like them would be
// taken for them, for want of the first.
func (q *quest) void() []step {
	var all []step
	for _, sp := range q.order[:q.about] {
		for _, c := range sp.suspects {
			from := q.spots[c.path]
			home := from != nil && from.owner != nil && from.owner.num == c.num && from.home()
			if c.alike(sp.shown.res) != unlike && !home && !q.moved(c) {
				all = append(all, step{num: c.num, was: c.place, void: true})
			}
		}
	}
	return all
}

// moved reports whether c was found at a spot, and is still itself there.
func (q *quest) moved(c suspect) bool {
	return slices.ContainsFunc(q.order, func(sp *spot) bool {
		return sp.is != nil && sp.is.num == c.num && (sp.owner == nil || takesOver(c.path.Base(), sp.path.Base()))
	})
}

func (m *Map) apply(ctx context.Context, s SpaceID, steps []step) error {
	err := m.change(ctx, s, func(c *change) error {
		for _, st := range steps {
			now, err := placeOf(ctx, c.tx, s, st.num)
			if errors.Is(err, ErrNotFound) || err == nil && (now.parent != st.was.parent || now.name != st.was.name || now.waiting != st.was.waiting) {
				return nil // the next sight tells
			}
			if err != nil {
				return err
			}
		}
		for _, st := range steps {
			if err := c.leave(ctx, st); err != nil {
				return err
			}
		}
		for _, st := range steps {
			if st.to == "" || st.void {
				continue
			}
			if err := c.arrive(ctx, st.num, st.to.Segments()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("idmap: following a file: %w", err)
	}
	return nil
}

func (c *change) leave(ctx context.Context, st step) error {
	if !st.void {
		return c.displace(ctx, st.num)
	}
	_, err := c.tx.Exec(ctx, `UPDATE idmap_resource SET mtime = 0 WHERE num = ?`, st.num)
	return err
}

// arrive puts num at a path, whose owner gives way.
func (c *change) arrive(ctx context.Context, num int64, names []string) error {
	parents, err := c.chain(ctx, names[:len(names)-1])
	if err != nil || slices.Contains(parents, num) {
		return err
	}
	parent, name := parents[len(parents)-1], names[len(names)-1]
	_, owner, err := ownerOf(ctx, c.tx, c.space, parent, name)
	if err != nil {
		return err
	}
	if owner != nil && owner.num != num {
		if err := c.displace(ctx, owner.num); err != nil {
			return err
		}
	}
	return c.put(ctx, num, parent, name)
}
