package idmap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A Description is all that is known about one resource at one place, for the
// operator. It holds no secret, but names of documents.
type Description struct {
	ID       FileID    `json:"id"`
	Kind     string    `json:"kind"` // "file" or "container"
	Upstream string    `json:"upstream"`
	Root     string    `json:"root,omitempty"` // "" for the shared root, else the key of a person
	Space    SpaceID   `json:"space,omitempty"`
	Path     dav.Path  `json:"path,omitempty"` // where it is or was; "" if it died
	State    string    `json:"state"`          // "live", "missing" or "tombstone"
	Since    time.Time `json:"since,omitzero"` // missing or dead since
	Seen     time.Time `json:"seen,omitzero"`  // last seen there, to the hour
	Number   int64     `json:"revision"`       // 0 for containers
	Version  string    `json:"version"`        // of the present revision
	Modified string    `json:"last_modified"`  // of the present revision, as offices are told
	Evidence Evidence  `json:"evidence"`
}

// Evidence is by what a resource is known again; see DESIGN.md 5.
type Evidence struct {
	NativeID   string    `json:"native_id,omitempty"`
	ResourceID string    `json:"resource_id,omitempty"`
	Inode      string    `json:"inode,omitempty"` // of the file on a disk that is mounted here
	Stamp      string    `json:"stamp,omitempty"`
	ETag       dav.ETag  `json:"etag,omitempty"`
	Size       int64     `json:"size"` // -1 unknown
	Modified   time.Time `json:"modified,omitzero"`
	SHA256     string    `json:"sha256,omitempty"` // hexadecimal
}

// Describe returns what is known about an ID, or about a path in every space that
// knows it: one description per place, or one without a place for a tombstone.
// It looks at the database only. It returns [ErrNotFound] if there is none, and
// [ErrBadFileID] if idOrPath is neither an ID nor begins with a slash.
func (m *Map) Describe(ctx context.Context, idOrPath string) ([]Description, error) {
	ids, err := m.meant(ctx, idOrPath)
	if err != nil {
		return nil, fmt.Errorf("idmap: describing: %w", err)
	}
	var all []Description
	for _, id := range ids {
		d, err := m.describe(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("idmap: describing %s: %w", id, err)
		}
		all = append(all, d...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("idmap: describing: %w", ErrNotFound)
	}
	return all, nil
}

// meant returns the IDs that idOrPath means, each once.
func (m *Map) meant(ctx context.Context, idOrPath string) ([]FileID, error) {
	if !strings.HasPrefix(idOrPath, "/") {
		id, err := ParseFileID(idOrPath)
		return []FileID{id}, err
	}
	p, err := dav.ParsePath(idOrPath)
	if err != nil {
		return nil, err
	}
	spaces, err := m.spaces(ctx)
	if err != nil {
		return nil, err
	}
	var ids []FileID
	met := map[FileID]bool{}
	for _, s := range spaces {
		e, err := m.knownAt(ctx, s, p)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !met[e.ID] {
			met[e.ID] = true
			ids = append(ids, e.ID)
		}
	}
	return ids, nil
}

func (m *Map) spaces(ctx context.Context) ([]SpaceID, error) {
	rows, err := m.DB.Read().Query(ctx, `SELECT num FROM idmap_space ORDER BY num`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []SpaceID
	for rows.Next() {
		var s SpaceID
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func (m *Map) describe(ctx context.Context, id FileID) ([]Description, error) {
	r, err := resourceBy(ctx, m.DB.Read(), `r.id = ?`, id)
	if err != nil {
		return nil, err
	}
	var d Description
	err = m.DB.Read().QueryRow(ctx, `SELECT u.name FROM idmap_upstream u JOIN idmap_resource r ON r.upstream = u.num WHERE r.num = ?`, r.num).Scan(&d.Upstream)
	if err != nil {
		return nil, err
	}
	d.ID, d.Kind = r.id, r.kind.String()
	d.Number, d.Version, d.Modified = r.revision, r.version, r.lastModified
	d.Evidence = Evidence{NativeID: r.native, ResourceID: r.rid, Inode: r.inode, Stamp: r.stamp, ETag: r.etag, Size: r.size,
		Modified: sqldb.FromMillis(r.mtime), SHA256: fmt.Sprintf("%x", r.sha256)}
	if r.died != 0 {
		d.State, d.Since = "tombstone", sqldb.FromMillis(r.died)
		return []Description{d}, nil
	}
	spaces, err := m.spaces(ctx)
	if err != nil {
		return nil, err
	}
	var all []Description
	for _, s := range spaces {
		chain, err := up(ctx, m.DB.Read(), s, r.num)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, d.Root, err = m.UpstreamOf(ctx, s); err != nil {
			return nil, err
		}
		e := located(s, r, chain)
		d.Space, d.Path, d.State, d.Since, d.Seen = s, e.Path, "live", e.Missing, sqldb.FromMillis(chain[0].seen)
		if !e.Missing.IsZero() {
			d.State = "missing"
		}
		all = append(all, d)
	}
	return all, nil
}
