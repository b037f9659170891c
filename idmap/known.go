package idmap

import (
	"context"
	"fmt"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// Known is what the database says about id, without a look at the upstream. The
// place may be stale; Entry.Missing says whether it is known to be. It returns
// [ErrNotFound] if id never was, died, or has no place in s.
func (m *Map) Known(ctx context.Context, s SpaceID, id FileID) (Entry, error) {
	r, chain, err := m.locate(ctx, s, id)
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: %s: %w", id, err)
	}
	return located(s, r, chain), nil
}

// locate reads a resource and its way up.
func (m *Map) locate(ctx context.Context, s SpaceID, id FileID) (*resource, []place, error) {
	return upFrom(ctx, m.DB.Read(), s, id)
}

// KnownAt is [Map.Known] by path: the resource that owns the path in the
// database, which may be missing. It returns [ErrNotFound] if none does.
func (m *Map) KnownAt(ctx context.Context, s SpaceID, p dav.Path) (Entry, error) {
	e, err := m.knownAt(ctx, s, p)
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: %q: %w", p, err)
	}
	return e, nil
}

func (m *Map) knownAt(ctx context.Context, s SpaceID, p dav.Path) (Entry, error) {
	r, _, missing, err := downTo(ctx, m.DB.Read(), s, p.Segments())
	if err != nil {
		return Entry{}, err
	}
	e := r.entry(s, p)
	e.Missing = sqldb.FromMillis(missing)
	return e, nil
}

// Ancestors returns the containers above id, the root first, without id itself;
// none for the root. Errors are those of [Map.Known].
func (m *Map) Ancestors(ctx context.Context, s SpaceID, id FileID) ([]Entry, error) {
	_, chain, err := m.locate(ctx, s, id)
	if err != nil {
		return nil, fmt.Errorf("idmap: ancestors of %s: %w", id, err)
	}
	entries := make([]Entry, 0, len(chain))
	for i := len(chain) - 1; i > 0; i-- {
		r, err := resourceBy(ctx, m.DB.Read(), `r.num = ?`, chain[i].resource)
		if err != nil {
			return nil, fmt.Errorf("idmap: ancestors of %s: %w", id, err)
		}
		entries = append(entries, located(s, r, chain[i:]))
	}
	return entries, nil
}

// Root returns the root of a space, giving it an ID if it has none yet. It
// returns [ErrNotFound] if s is no space.
func (m *Map) Root(ctx context.Context, s SpaceID) (Entry, error) {
	e, err := m.knownAt(ctx, s, "/")
	if err == nil {
		return e, nil
	}
	return m.At(ctx, s, dav.Resource{Path: "/", Collection: true})
}
