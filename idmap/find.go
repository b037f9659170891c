package idmap

import (
	"context"
	"errors"
	"fmt"

	"davwopi/davbackend/dav"
)

// Find looks where id is now in space s, as the person behind f sees it: one Stat
// at the known place, whose evidence is compared, and everything that [Map.At]
// does. Only if the file is not there, it looks where our own moves of containers lead,
// asks f for the native id, and then looks once through the container that the file was in, for its native id or
// resource-id.
//
// It returns [ErrNotFound] if id never was, died, or belongs to another space;
// [ErrMissing] if the file was not found, which is noted, and the ID kept; and
// any other error of f as it is (dav.ErrUnavailable, dav.ErrDenied, ...), without
// a note.
func (m *Map) Find(ctx context.Context, s SpaceID, id FileID, f Finder) (Entry, dav.Resource, error) {
	return m.find(ctx, s, id, newLooker(f), "")
}

// FindFrom is [Map.Find] of an ID whose entry was read a moment ago: it begins at
// known.Path without reading it again.
func (m *Map) FindFrom(ctx context.Context, s SpaceID, known Entry, f Finder) (Entry, dav.Resource, error) {
	l, looked := newLooker(f), dav.Path("")
	if known.Missing.IsZero() {
		looked = known.Path
		e, res, err := m.lookAgain(ctx, s, known.ID, known.Path, l)
		if err == nil || !errors.Is(err, ErrMissing) {
			return e, res, wrap(known.ID, err)
		}
	}
	return m.find(ctx, s, known.ID, l, looked)
}

// find is Find by a looker that has found something else, or nothing, at looked; "": it
// has not looked.
func (m *Map) find(ctx context.Context, s SpaceID, id FileID, l *looker, looked dav.Path) (Entry, dav.Resource, error) {
	fail := func(err error) (Entry, dav.Resource, error) {
		return Entry{}, dav.Resource{}, fmt.Errorf("idmap: finding %s: %w", id, err)
	}
	r, chain, err := m.locate(ctx, s, id)
	if err != nil {
		return fail(err)
	}
	known := located(s, r, chain)
	for range maxFollowed {
		if chain[0].waiting != 0 || known.Path == looked {
			break
		}
		e, res, err := m.lookAgain(ctx, s, id, known.Path, l)
		if err == nil || !errors.Is(err, ErrMissing) {
			return e, res, wrap(id, err)
		}
		// What was seen there may have shown where it is.
		before := known.Path
		if r, chain, err = m.locate(ctx, s, id); err != nil {
			return fail(err)
		}
		if known = located(s, r, chain); known.Path == before {
			break
		}
	}
	e, res, err := m.follow(ctx, s, id, known.Path, l)
	if err == nil || !errors.Is(err, ErrMissing) {
		return e, res, wrap(id, err)
	}
	e, res, err = m.search(ctx, s, r, known.Path, l)
	if !errors.Is(err, ErrMissing) {
		return e, res, wrap(id, err)
	}
	if chain[0].missing == 0 && chain[0].parent != 0 {
		lose := m.change(ctx, s, func(c *change) error { return c.lose(ctx, r.num) })
		err = errors.Join(err, lose)
	}
	return fail(err)
}

func wrap(id FileID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("idmap: finding %s: %w", id, err)
}

// lookAgain is look, without a request if l has just seen a file there.
func (m *Map) lookAgain(ctx context.Context, s SpaceID, id FileID, p dav.Path, l *looker) (Entry, dav.Resource, error) {
	if res, ok := l.saw(p); ok {
		return m.take(ctx, s, id, res)
	}
	return m.look(ctx, s, id, p, l)
}

// look sees what is at p and returns ErrMissing if that is not id.
func (m *Map) look(ctx context.Context, s SpaceID, id FileID, p dav.Path, f Finder) (Entry, dav.Resource, error) {
	res, err := f.Stat(ctx, p)
	if errors.Is(err, dav.ErrNotFound) {
		return Entry{}, dav.Resource{}, ErrMissing
	}
	if err != nil {
		return Entry{}, dav.Resource{}, err
	}
	l := newLooker(f)
	l.note(res)
	r, err := m.undoubted(ctx, s, res)
	if r == nil && err == nil {
		if err = m.settleOne(ctx, s, res, l); err == nil {
			return m.take(ctx, s, id, res)
		}
	}
	if err == nil && r.id != id {
		err = ErrMissing
	}
	if err != nil {
		return Entry{}, dav.Resource{}, err
	}
	return r.entry(s, res.Path), res, nil
}

// maxFollowed bounds the Stats of follow.
const maxFollowed = 3

// follow looks where our own moves of containers have taken what was at p. The
// database may say otherwise: what somebody saw before a move is recorded after it.
func (m *Map) follow(ctx context.Context, s SpaceID, id FileID, p dav.Path, f Finder) (Entry, dav.Resource, error) {
	places, err := movedOn(ctx, m.DB.Read(), s, p)
	if err != nil {
		return Entry{}, dav.Resource{}, err
	}
	for _, at := range places[:min(len(places), maxFollowed)] {
		e, res, err := m.look(ctx, s, id, at, f)
		if !errors.Is(err, ErrMissing) {
			return e, res, err
		}
	}
	return Entry{}, dav.Resource{}, ErrMissing
}

// take records res and returns ErrMissing if that is not id.
func (m *Map) take(ctx context.Context, s SpaceID, id FileID, res dav.Resource) (Entry, dav.Resource, error) {
	e, err := m.At(ctx, s, res)
	if err != nil {
		return Entry{}, dav.Resource{}, err
	}
	if e.ID != id {
		return Entry{}, dav.Resource{}, ErrMissing
	}
	return e, res, nil
}

// search looks for r beyond its known place, was: a look-up by the native ID, and what
// beyond does.
func (m *Map) search(ctx context.Context, s SpaceID, r *resource, was dav.Path, f Finder) (Entry, dav.Resource, error) {
	l := newLooker(f)
	if r.native != "" {
		p, err := f.ByNativeID(ctx, r.native)
		switch {
		case err == nil:
			e, res, err := m.look(ctx, s, r.id, p, f)
			if !errors.Is(err, ErrMissing) {
				return e, res, err
			}
		case errors.Is(err, dav.ErrNotFound):
			l.left = min(l.left, 1) // who knows all IDs does not know this one
		case !errors.Is(err, dav.ErrUnsupported):
			return Entry{}, dav.Resource{}, err
		}
	}
	return m.beyond(ctx, s, r, was, l)
}

func wrapPath(p dav.Path, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("idmap: seen at %q: %w", p, err)
}
