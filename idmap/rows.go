package idmap

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A resource is a row of idmap_resource.
type resource struct {
	num          int64
	id           FileID
	kind         Kind
	died         int64
	native       string
	rid          string
	inode        string
	stamp        string
	epoch        int64
	revision     int64
	version      string
	lastModified string
	top, floor   int64 // seconds, see strings.go
	etag         dav.ETag
	size         int64
	mtime        int64
	sha256       []byte
}

const resourceColumns = `r.num, r.id, r.kind, r.died, COALESCE(r.native_id, ''), COALESCE(r.resource_id, ''), COALESCE(r.inode, ''), COALESCE(r.stamp, ''),
	r.epoch, r.revision, r.version, r.last_modified, r.top, r.floor, r.etag, r.size, r.mtime, r.sha256`

// resourceOrNone is resourceColumns for an outer join: num is 0 where there is none.
const resourceOrNone = `COALESCE(r.num, 0), COALESCE(r.id, ''), COALESCE(r.kind, 0), COALESCE(r.died, 0), COALESCE(r.native_id, ''), COALESCE(r.resource_id, ''), COALESCE(r.inode, ''),
	COALESCE(r.stamp, ''), COALESCE(r.epoch, 0), COALESCE(r.revision, 0), COALESCE(r.version, ''), COALESCE(r.last_modified, ''), COALESCE(r.top, 0),
	COALESCE(r.floor, 0), COALESCE(r.etag, ''), COALESCE(r.size, 0), COALESCE(r.mtime, 0), r.sha256`

func (r *resource) columns() []any {
	return []any{&r.num, &r.id, &r.kind, &r.died, &r.native, &r.rid, &r.inode, &r.stamp,
		&r.epoch, &r.revision, &r.version, &r.lastModified, &r.top, &r.floor, &r.etag, &r.size, &r.mtime, &r.sha256}
}

// A place is a row of idmap_place.
type place struct {
	parent   int64
	name     string
	waiting  int64
	resource int64
	missing  int64
	seen     int64
}

const placeColumns = `p.parent, p.name, p.waiting, p.resource, p.missing, p.seen`

func (p *place) columns() []any {
	return []any{&p.parent, &p.name, &p.waiting, &p.resource, &p.missing, &p.seen}
}

// resourceBy reads one resource; where is a condition on r. It returns
// [ErrNotFound].
func resourceBy(ctx context.Context, q sqldb.Queryer, where string, args ...any) (*resource, error) {
	r := new(resource)
	err := q.QueryRow(ctx, `SELECT `+resourceColumns+` FROM idmap_resource r WHERE `+where, args...).Scan(r.columns()...)
	if err != nil {
		return nil, notFound(err)
	}
	return r, nil
}

// placeOf reads where a resource is in a space. It returns [ErrNotFound].
func placeOf(ctx context.Context, q sqldb.Queryer, s SpaceID, num int64) (*place, error) {
	p := new(place)
	err := q.QueryRow(ctx, `SELECT `+placeColumns+` FROM idmap_place p WHERE p.resource = ? AND p.space = ?`, num, s).Scan(p.columns()...)
	if err != nil {
		return nil, notFound(err)
	}
	return p, nil
}

// ownerOf reads the place (parent, name) and the resource that owns it; nil, nil
// if nobody does.
func ownerOf(ctx context.Context, q sqldb.Queryer, s SpaceID, parent int64, name string) (*place, *resource, error) {
	p, r := new(place), new(resource)
	err := q.QueryRow(ctx, `SELECT `+placeColumns+`, `+resourceColumns+` FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource
		WHERE p.parent = ? AND p.space = ? AND p.name = ? AND p.waiting = 0`, parent, s, name).Scan(append(p.columns(), r.columns()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return p, r, nil
}

// flat is how many levels of the tree one query joins. A chain of joins by key costs a
// fraction of a recursive query, which keeps a queue; both databases have limits for
// joins, far above this.
const flat = 16

// down follows names from the root of a space as far as the places are known, in one
// query for every [flat] levels: the root's comes first, and len(names)+1 is all of
// them.
func down(ctx context.Context, q sqldb.Queryer, s SpaceID, names []string) ([]place, error) {
	if len(names) > maxDepth {
		return nil, fmt.Errorf("%w: %w", errTooDeep, dav.ErrBadPath)
	}
	names = append([]string{""}, names...)
	chain := make([]place, 0, len(names))
	parent := int64(0)
	for rest := names; len(rest) > 0; rest = names[len(chain):] {
		part := rest[:min(len(rest), flat)]
		levels := make([]place, len(part))
		var fields []any
		for i := range levels {
			fields = append(fields, &levels[i].resource, &levels[i].missing, &levels[i].seen)
		}
		err := q.QueryRow(ctx, downQueries[len(part)], downArgs(parent, s, part)...).Scan(fields...)
		if errors.Is(err, sql.ErrNoRows) {
			return chain, nil
		}
		if err != nil {
			return nil, err
		}
		for i, l := range levels {
			if l.resource == 0 {
				return chain, nil
			}
			l.parent, l.name = parent, part[i]
			chain, parent = append(chain, l), l.resource
		}
	}
	return chain, nil
}

// downTo is down where only the end counts: the resource of that path, its place, and
// since when it or anything above it is missing. It returns [ErrNotFound] if the path
// is not known.
func downTo(ctx context.Context, q sqldb.Queryer, s SpaceID, names []string) (*resource, place, int64, error) {
	fail := func(err error) (*resource, place, int64, error) { return nil, place{}, 0, err }
	if len(names) >= flat {
		chain, err := down(ctx, q, s, names)
		if err == nil && len(chain) != len(names)+1 {
			err = ErrNotFound
		}
		if err != nil {
			return fail(err)
		}
		last := chain[len(names)]
		r, err := resourceBy(ctx, q, `r.num = ?`, last.resource)
		missing := int64(0)
		for _, p := range chain {
			missing = max(missing, p.missing)
		}
		return r, last, missing, err
	}
	names = append([]string{""}, names...)
	r, last := new(resource), place{name: names[len(names)-1]}
	var all [flat]int64
	fields := append(r.columns(), &last.parent, &last.seen)
	for i := range names {
		fields = append(fields, &all[i])
	}
	if err := q.QueryRow(ctx, downToQueries[len(names)], downArgs(0, s, names)...).Scan(fields...); err != nil {
		return fail(notFound(err))
	}
	if r.num == 0 {
		return fail(ErrNotFound)
	}
	last.resource, last.missing = r.num, all[len(names)-1]
	return r, last, slices.Max(all[:]), nil
}

// downArgs are the arguments of downQueries and downToQueries.
func downArgs(parent int64, s SpaceID, names []string) []any {
	args := make([]any, 0, len(names)+2)
	for _, name := range names[1:] {
		args = append(args, name)
	}
	return append(args, parent, s, names[0])
}

// The queries of down and downTo, by how many levels they join, each below the one
// before: 0 where a place is not known. The joins are outer ones because those have an
// order: PostgreSQL weighs every order of inner ones, and with 14 takes ten seconds.
var downQueries, downToQueries = func() (down, to [flat + 1]string) {
	const where = ` WHERE p0.parent = ? AND p0.space = ? AND p0.name = ? AND p0.waiting = 0`
	var each, missing string
	tables := ` FROM idmap_place p0`
	for i := range flat {
		if i > 0 {
			tables += fmt.Sprintf(" LEFT JOIN idmap_place p%[1]d ON p%[1]d.parent = p%[2]d.resource AND p%[1]d.space = p0.space AND p%[1]d.name = ? AND p%[1]d.waiting = 0", i, i-1)
		}
		each += fmt.Sprintf(", COALESCE(p%[1]d.resource, 0), COALESCE(p%[1]d.missing, 0), COALESCE(p%[1]d.seen, 0)", i)
		missing += fmt.Sprintf(", COALESCE(p%d.missing, 0)", i)
		down[i+1] = `SELECT ` + each[2:] + tables + where
		to[i+1] = `SELECT ` + resourceOrNone + fmt.Sprintf(", COALESCE(p%[1]d.parent, 0), COALESCE(p%[1]d.seen, 0)", i) + missing + tables +
			fmt.Sprintf(" LEFT JOIN idmap_resource r ON r.num = p%d.resource", i) + where
	}
	return down, to
}()

// climb is how many levels the first query of upFrom joins.
const climb = 6

// upFrom reads the living resource of an ID and its way [up], in one query unless it
// lies deep; of the containers on the way it does not tell waiting and seen. It returns
// [ErrNotFound] if there is none, or it has no place there.
func upFrom(ctx context.Context, q sqldb.Queryer, s SpaceID, id FileID) (*resource, []place, error) {
	r, chain := new(resource), make([]place, climb)
	fields := append(r.columns(), &chain[0].waiting, &chain[0].seen)
	for i := range chain {
		fields = append(fields, &chain[i].parent, &chain[i].name, &chain[i].missing)
	}
	if err := q.QueryRow(ctx, upFromQuery, s, id).Scan(fields...); err != nil {
		return nil, nil, notFound(err)
	}
	num := r.num
	for i := range chain {
		chain[i].resource = num
		switch num = chain[i].parent; num {
		case 0:
			return r, chain[:i+1], nil
		case -1:
			return nil, nil, fmt.Errorf("idmap: resource %d of space %d hangs on nothing", chain[i].resource, s)
		}
	}
	above, err := up(ctx, q, s, num)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("idmap: resource %d of space %d hangs on nothing", num, s)
	}
	return r, append(chain, above...), err
}

var upFromQuery = func() string {
	columns, tables := "", ""
	for i := range climb {
		columns += fmt.Sprintf(", COALESCE(p%[1]d.parent, -1), COALESCE(p%[1]d.name, ''), COALESCE(p%[1]d.missing, 0)", i)
		if i > 0 {
			tables += fmt.Sprintf(" LEFT JOIN idmap_place p%[1]d ON p%[1]d.resource = p%[2]d.parent AND p%[1]d.space = p0.space", i, i-1)
		}
	}
	return `SELECT ` + resourceColumns + `, p0.waiting, p0.seen` + columns + ` FROM idmap_resource r
		JOIN idmap_place p0 ON p0.resource = r.num AND p0.space = ?` + tables + ` WHERE r.id = ? AND r.died = 0`
}()

// up follows a resource to the root of a space, in one query: its own place
// comes first. It returns [ErrNotFound] if it has none there.
func up(ctx context.Context, q sqldb.Queryer, s SpaceID, num int64) ([]place, error) {
	chain, err := chainRows(ctx, q, `WITH RECURSIVE up (depth, parent, name, waiting, resource, missing, seen) AS (
		SELECT 0, p.parent, p.name, p.waiting, p.resource, p.missing, p.seen FROM idmap_place p WHERE p.resource = ? AND p.space = ?
		UNION ALL
		SELECT u.depth + 1, p.parent, p.name, p.waiting, p.resource, p.missing, p.seen FROM up u JOIN idmap_place p
		ON p.resource = u.parent AND p.space = ? WHERE u.depth <= `+fmt.Sprint(2*maxDepth)+`)
		SELECT depth, parent, name, waiting, resource, missing, seen FROM up ORDER BY depth`, num, s, s)
	if err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return nil, ErrNotFound
	}
	if last := chain[len(chain)-1]; last.parent != 0 {
		return nil, fmt.Errorf("idmap: resource %d of space %d hangs on nothing", num, s)
	}
	return chain, nil
}

func chainRows(ctx context.Context, q sqldb.Queryer, query string, args ...any) ([]place, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var chain []place
	for rows.Next() {
		var depth int64
		var p place
		if err := rows.Scan(append([]any{&depth}, p.columns()...)...); err != nil {
			return nil, err
		}
		chain = append(chain, p)
	}
	return chain, rows.Err()
}

// located puts an entry together from a resource and its way [up].
func located(s SpaceID, r *resource, chain []place) Entry {
	names := make([]string, 0, len(chain))
	var missing int64
	for i := len(chain) - 1; i >= 0; i-- {
		if chain[i].parent != 0 {
			names = append(names, chain[i].name)
		}
		missing = max(missing, chain[i].missing)
	}
	e := r.entry(s, dav.Path("/"+strings.Join(names, "/")))
	e.Missing = sqldb.FromMillis(missing)
	return e
}

func (r *resource) entry(s SpaceID, p dav.Path) Entry {
	return Entry{ID: r.id, Space: s, Kind: r.kind, Path: p, Name: p.Base(), Revision: r.present()}
}

// entryAt is entry; zero of nil.
func (r *resource) entryAt(s SpaceID, p dav.Path) Entry {
	if r == nil {
		return Entry{}
	}
	return r.entry(s, p)
}

// present is the present revision of a file, zero for a container.
func (r *resource) present() Revision {
	if r.kind != File {
		return Revision{}
	}
	return Revision{Number: r.revision, Version: r.version, LastModified: r.lastModified,
		ETag: r.etag, Size: r.size, Modified: sqldb.FromMillis(r.mtime), SHA256: r.sha256}
}

func kindOf(res dav.Resource) Kind {
	if res.Collection {
		return Container
	}
	return File
}

// orNull stores "" as NULL, so that the partial indexes hold only what is known.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
