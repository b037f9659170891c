package idmap

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

const resourceColumns = `r.num, r.id, r.kind, r.died, COALESCE(r.native_id, ''), COALESCE(r.resource_id, ''), COALESCE(r.stamp, ''),
	r.epoch, r.revision, r.version, r.last_modified, r.top, r.floor, r.etag, r.size, r.mtime, r.sha256`

func (r *resource) columns() []any {
	return []any{&r.num, &r.id, &r.kind, &r.died, &r.native, &r.rid, &r.stamp,
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

// down follows names from the root of a space, in one query, as far as the
// places are known: the root's comes first, and len(names)+1 is all of them.
func down(ctx context.Context, q sqldb.Queryer, s SpaceID, names []string) ([]place, error) {
	if len(names) > maxDepth {
		return nil, fmt.Errorf("%w: %w", errTooDeep, dav.ErrBadPath)
	}
	args := make([]any, 0, len(names)+2)
	args = append(args, s)
	query := `SELECT 0, p.parent, p.name, p.waiting, p.resource, p.missing, p.seen FROM idmap_place p
		WHERE p.parent = 0 AND p.space = ? AND p.name = '' AND p.waiting = 0`
	if len(names) > 0 {
		args = append(args, s)
		var step strings.Builder
		for i, n := range names {
			fmt.Fprintf(&step, " WHEN %d THEN CAST(? AS TEXT)", i)
			args = append(args, n)
		}
		query = `WITH RECURSIVE down (depth, parent, name, waiting, resource, missing, seen) AS (` + query + `
			UNION ALL
			SELECT d.depth + 1, p.parent, p.name, p.waiting, p.resource, p.missing, p.seen FROM down d JOIN idmap_place p
			ON p.parent = d.resource AND p.space = ? AND p.name = CASE d.depth` + step.String() + ` END AND p.waiting = 0)
			SELECT depth, parent, name, waiting, resource, missing, seen FROM down ORDER BY depth`
	}
	return chainRows(ctx, q, query, args...)
}

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
