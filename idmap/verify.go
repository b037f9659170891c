package idmap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"davwopi/davbackend/dav"
)

// A Difference is a place at which the upstream shows something else than the map
// says.
type Difference struct {
	What string   `json:"what"` // one of the words below
	Path dav.Path `json:"path"`
	ID   FileID   `json:"id,omitempty"` // whose place it is; "" nobody's
	Now  string   `json:"now,omitempty"`
	// Now is what a repair has come to: the place where the file was found, or "".
}

// What a difference can be.
const (
	DiffersMissing = "missing" // known there, and not there
	DiffersBack    = "back"    // noted as missing, and something is there
	DiffersOther   = "other"   // something is there that is by its evidence not what is known there
	DiffersChanged = "changed" // other contents than were seen last
	DiffersNew     = "new"     // there, and without an ID
	DiffersUnseen  = "unseen"  // a folder that the server does not show to this account
)

// Verified counts what [Map.Verify] has seen.
type Verified struct {
	Folders int64            `json:"folders"` // listed
	Places  int64            `json:"places"`  // known ones that were looked at
	Differs map[string]int64 `json:"differs"` // by [Difference.What]
	Found   int64            `json:"found"`   // missing ones that a repair has found elsewhere
}

// A Verification is how [Map.Verify] looks and tells. Upstream must be set.
type Verification struct {
	Upstream Finder
	Repair   bool                        // record what is seen, and look for what is missing
	Pace     func(context.Context) error // waits before each request; nil does not
	Each     func(Difference) error      // nil: only counted
	Progress func(Verified)              // after each folder; nil: not told
}

// Verify compares the places that are known at and below under with the upstream, in
// one listing for each folder that is there. Without Repair it changes nothing. With
// it every listing is recorded as [Map.SeeAll] does, and what is missing is looked for
// as [Map.Find] does.
//
// It returns [ErrNotFound] if nothing is known at under. Errors of the upstream end it
// (but for a folder that may not be seen), those of Each too; what was counted until
// then is returned.
func (m *Map) Verify(ctx context.Context, s SpaceID, under dav.Path, how Verification) (Verified, error) {
	v := &verification{Verification: how, m: m, s: s, count: Verified{Differs: map[string]int64{}}}
	err := v.walk(ctx, under)
	if err != nil {
		err = fmt.Errorf("idmap: verifying %q: %w", under, err)
	}
	return v.count, err
}

type verification struct {
	Verification
	m     *Map
	s     SpaceID
	count Verified
}

func (v *verification) walk(ctx context.Context, under dav.Path) error {
	start, err := v.m.knownAt(ctx, v.s, under)
	if err != nil {
		return err
	}
	if start.Kind == File {
		return v.file(ctx, under)
	}
	for todo := []dav.Path{under}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		below, err := v.folder(ctx, p)
		if err != nil {
			return err
		}
		slices.Reverse(below) // so that they come in the order of their names
		todo = append(todo, below...)
		if v.Progress != nil {
			v.Progress(v.count)
		}
	}
	return nil
}

func (v *verification) pace(ctx context.Context) error {
	if v.Pace == nil {
		return ctx.Err()
	}
	return v.Pace(ctx)
}

func (v *verification) differs(what string, p dav.Path, id FileID) error {
	return v.tell(Difference{What: what, Path: p, ID: id})
}

func (v *verification) tell(d Difference) error {
	v.count.Differs[d.What]++
	if v.Each == nil {
		return nil
	}
	return v.Each(d)
}

// file is for a start that is a file.
func (v *verification) file(ctx context.Context, p dav.Path) error {
	names := p.Segments()
	chain, err := down(ctx, v.m.DB.Read(), v.s, names)
	if err != nil || len(chain) != len(names)+1 {
		return err
	}
	r, err := resourceBy(ctx, v.m.DB.Read(), `r.num = ?`, chain[len(names)].resource)
	if err != nil {
		return err
	}
	if err := v.pace(ctx); err != nil {
		return err
	}
	seen, err := glance(ctx, v.Upstream, p)
	if err != nil {
		return err
	}
	k := member{place: chain[len(names)], resource: r}
	if seen == nil {
		return v.gone(ctx, p, k)
	}
	if v.Repair {
		if _, err := v.m.See(ctx, v.s, *seen, v.Upstream); err != nil {
			return err
		}
	}
	return v.compare(p, k, *seen)
}

// folder lists one folder and returns the known folders below that are there.
func (v *verification) folder(ctx context.Context, p dav.Path) (below []dav.Path, err error) {
	names := p.Segments()
	chain, err := down(ctx, v.m.DB.Read(), v.s, names)
	if err != nil || len(chain) != len(names)+1 {
		return nil, err // moved away meanwhile
	}
	known, err := members(ctx, v.m.DB.Read(), v.s, chain[len(names)].resource)
	if err != nil {
		return nil, err
	}
	if err := v.pace(ctx); err != nil {
		return nil, err
	}
	var shown []dav.Resource
	err = v.Upstream.List(ctx, p, func(res dav.Resource) error { shown = append(shown, res); return nil })
	if errors.Is(err, dav.ErrDenied) {
		return nil, v.differs(DiffersUnseen, p, "")
	}
	if errors.Is(err, dav.ErrNotFound) {
		return nil, v.lost(ctx, p, chain[len(names)])
	}
	if err != nil {
		return nil, err
	}
	v.count.Folders++
	if v.Repair {
		if _, err := v.m.SeeAll(ctx, v.s, p, shown, true, v.Upstream); err != nil {
			return nil, err
		}
	}
	return v.weigh(ctx, p, known, shown)
}

// lost tells of a folder that was to be listed and is not there.
func (v *verification) lost(ctx context.Context, p dav.Path, at place) error {
	r, err := resourceBy(ctx, v.m.DB.Read(), `r.num = ?`, at.resource)
	if err != nil {
		return err
	}
	return v.gone(ctx, p, member{place: at, resource: r})
}

// weigh compares what is known in a folder with what it shows.
func (v *verification) weigh(ctx context.Context, p dav.Path, known map[string]member, shown []dav.Resource) (below []dav.Path, err error) {
	for _, res := range shown {
		k, ok := known[res.Path.Base()]
		if !ok {
			if err := v.differs(DiffersNew, res.Path, ""); err != nil {
				return nil, err
			}
			continue
		}
		delete(known, res.Path.Base())
		if err := v.compare(res.Path, k, res); err != nil {
			return nil, err
		}
		if res.Collection && k.resource.kind == Container {
			below = append(below, res.Path)
		}
	}
	for _, name := range sortedNames(known) {
		at, err := p.Join(name)
		if err != nil {
			continue // no server can show it
		}
		if err := v.gone(ctx, at, known[name]); err != nil {
			return nil, err
		}
	}
	slices.Sort(below)
	return below, nil
}

func sortedNames(known map[string]member) []string {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// compare tells how what was seen differs from what is known at its place.
func (v *verification) compare(p dav.Path, k member, res dav.Resource) error {
	v.count.Places++
	switch {
	case k.place.parent != 0 && k.resource.compare(res) == other:
		return v.differs(DiffersOther, p, k.resource.id)
	case k.place.missing != 0:
		return v.differs(DiffersBack, p, k.resource.id)
	case k.resource.kind == File && k.resource.changed(res):
		return v.differs(DiffersChanged, p, k.resource.id)
	}
	return nil
}

// gone tells of what is not at its place. That it is missing may be known; then it is
// no difference.
func (v *verification) gone(ctx context.Context, p dav.Path, k member) error {
	v.count.Places++
	d := Difference{What: DiffersMissing, Path: p, ID: k.resource.id}
	if !v.Repair {
		if k.place.missing != 0 {
			return nil
		}
		return v.tell(d)
	}
	if err := v.pace(ctx); err != nil {
		return err
	}
	e, _, err := v.m.Find(ctx, v.s, k.resource.id, v.Upstream)
	switch {
	case err == nil:
		v.count.Found++
		d.Now = string(e.Path)
	case errors.Is(err, ErrMissing) || errors.Is(err, ErrNotFound) || errors.Is(err, dav.ErrDenied):
		if k.place.missing != 0 {
			return nil
		}
	default:
		return err
	}
	return v.tell(d)
}
