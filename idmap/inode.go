package idmap

import (
	"context"
	"errors"

	"davwopi/davbackend/dav"
)

// Where the folder of a WebDAV server is mounted on this host, the disk knows each file
// by its inode. The same inode is the same file, whatever it is called and holds. Another
// one at the known place says little, because many programs and servers save by putting
// a new file in the place of the old one: what counts then is what a fingerprint would
// tell, and whether the old inode is seen elsewhere. Of two files with one fingerprint
// it tells the original from the copy.

// An InodeFinder is a [Finder] that can ask the disk. *davbackend.View satisfies it.
type InodeFinder interface {
	// ByInode returns where the disk has what [dav.Resource] calls that Inode: a hint,
	// which is looked at. None: it is not there any more. dav.ErrUnsupported where no
	// disk is mounted.
	ByInode(ctx context.Context, inode string) ([]dav.Path, error)
}

// maxInodePaths bounds the names of one file that are looked at.
const maxInodePaths = 3

// hasInode reports whether both are known to have the same inode.
func (r *resource) hasInode(res dav.Resource) bool { return r.inode != "" && r.inode == res.Inode }

// onDisk asks the disk where r is. known is false where it cannot tell.
func (r *resource) onDisk(ctx context.Context, l *looker) (paths []dav.Path, known bool) {
	disk, ok := l.Finder.(InodeFinder)
	if !ok || r.inode == "" || r.native != "" || r.rid != "" {
		return nil, false
	}
	paths, err := disk.ByInode(ctx, r.inode)
	return paths, err == nil
}

// byInode looks for r, which is not at was, on the disk. The disk alone decides nothing:
// what it says is looked at on the upstream, and where it cannot say anything the search
// goes on there.
func (m *Map) byInode(ctx context.Context, s SpaceID, r *resource, was dav.Path, l *looker) (Entry, dav.Resource, error) {
	paths, known := r.onDisk(ctx, l)
	if !known {
		return Entry{}, dav.Resource{}, ErrMissing
	}
	for _, p := range paths[:min(len(paths), maxInodePaths)] {
		if r.kind == File {
			if _, err := m.followFolder(ctx, s, l, was, p, 1); err != nil {
				return Entry{}, dav.Resource{}, err
			}
		}
		e, res, err := m.lookAgain(ctx, s, r.id, p, l)
		if !errors.Is(err, ErrMissing) {
			return e, res, err
		}
	}
	if len(paths) == 0 {
		l.left = min(l.left, 1) // who knows all inodes does not know this one
	}
	return Entry{}, dav.Resource{}, ErrMissing
}
