package idmap

import (
	"context"
	"path"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A likeness says how well what was seen fits the fingerprint of a file.
type likeness int

const (
	unlike   likeness = iota
	weakly            // size and time are equal, and there is no ETag to compare (nginx)
	strongly          // the ETag is equal, too
)

// maxAlike bounds the files of one fingerprint that are looked at: a crowd (the files
// of an unpacked archive) tells nothing.
const maxAlike = 8

// printed reports whether res shows a fingerprint, and nothing better: clouds and the
// embedded server have IDs of their own.
func printed(res dav.Resource) bool {
	return !res.Collection && res.NativeID == "" && res.ResourceID == "" && res.Size >= 0 && !res.Modified.IsZero()
}

// byPrintOnly reports whether there is nothing better than a fingerprint to know the
// file by.
func (r *resource) byPrintOnly() bool {
	return r.kind == File && r.native == "" && r.rid == ""
}

// void reports whether the file is not looked for by its fingerprint any more: nobody
// could say what became of it.
func (r *resource) void() bool { return r.byPrintOnly() && r.mtime == 0 }

// alike compares fingerprints. Every server that was measured keeps size, time and ETag
// when a file is moved.
func (r *resource) alike(res dav.Resource) likeness {
	switch {
	case !r.byPrintOnly() || !printed(res):
		return unlike
	case r.inode != "" && res.Inode != "":
		if r.inode != res.Inode {
			return unlike // a copy, even if it has the time of the original
		}
		return strongly
	case r.size != res.Size || r.mtime != sqldb.Millis(res.Modified):
		return unlike
	case r.etag == "" || res.ETag == "":
		return weakly
	case r.etag.Same(res.ETag):
		return strongly
	}
	return unlike
}

// A suspect is a living file that what was seen may be, and where it was last.
type suspect struct {
	*resource
	place place
	path  dav.Path
}

// suspects finds the files of a space, but for one, that have the fingerprint of res.
// many says that there are more than maxAlike.
func suspects(ctx context.Context, q sqldb.Queryer, s SpaceID, res dav.Resource, but int64) (list []suspect, many bool, err error) {
	if list, err = suspectsBy(ctx, q, s, res, but, `r.size = ? AND r.mtime = ?`, res.Size, sqldb.Millis(res.Modified)); err != nil {
		return nil, false, err
	}
	if res.Inode != "" {
		other := func(c suspect) bool { return c.inode == res.Inode }
		more, err := suspectsBy(ctx, q, s, res, but, `r.inode = ? AND r.home = ?`, res.Inode, s)
		if err != nil {
			return nil, false, err
		}
		list = append(slices.DeleteFunc(list, other), more...)
	}
	if len(list) > maxAlike {
		return nil, true, nil
	}
	for i := range list {
		chain, err := up(ctx, q, s, list[i].num)
		if err != nil {
			return nil, false, err
		}
		list[i].path = located(s, list[i].resource, chain).Path
	}
	return list, false, nil
}

// suspectsBy finds those of which a condition on r is true.
func suspectsBy(ctx context.Context, q sqldb.Queryer, s SpaceID, res dav.Resource, but int64, where string, args ...any) ([]suspect, error) {
	rows, err := q.Query(ctx, `SELECT `+resourceColumns+`, `+placeColumns+` FROM idmap_resource r JOIN idmap_place p ON p.resource = r.num
		WHERE `+where+` AND r.kind = 1 AND r.native_id IS NULL AND r.resource_id IS NULL AND r.died = 0
		AND p.space = ? AND r.num <> ? LIMIT 40`, append(args, s, but)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []suspect
	for rows.Next() {
		c := suspect{resource: new(resource)}
		if err := rows.Scan(append(c.columns(), c.place.columns()...)...); err != nil {
			return nil, err
		}
		if c.alike(res) != unlike {
			list = append(list, c)
		}
	}
	return list, rows.Err()
}

// takesOver reports whether a file that was called from and is called to now is still
// itself there. A temporary file that a program has moved over a document is not: it is
// the document's next contents.
func takesOver(from, to string) bool {
	return strings.EqualFold(path.Ext(from), path.Ext(to)) && !passing(from) && !passing(to)
}

// passing reports whether a name is one that programs give to what they put aside or
// are writing: hidden, ~$x, ~x.tmp, x~.
func passing(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") || strings.HasSuffix(name, "~") {
		return true
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".tmp", ".bak", ".part", ".partial", ".wbk", ".asd", ".swp", ".crdownload":
		return true
	}
	return false
}
