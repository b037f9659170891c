package idmap_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A disk is a tree without IDs whose folder is mounted here.
type disk struct {
	*tree
	away    bool // nothing is mounted
	looks   int  // for an inode
	another int  // added to inodes: the files were copied to another disk
}

func (d *disk) inode(n *node) string { return fmt.Sprintf("ino%d", n.ino+d.another) }

func (d *disk) known(res dav.Resource) dav.Resource {
	if n := d.nodes[res.Path]; n != nil && !d.away {
		res.Inode = d.inode(n)
	}
	return res
}

func (d *disk) Stat(ctx context.Context, p dav.Path, extra ...dav.PropName) (dav.Resource, error) {
	res, err := d.tree.Stat(ctx, p, extra...)
	return d.known(res), err
}

func (d *disk) List(ctx context.Context, p dav.Path, each func(dav.Resource) error) error {
	return d.tree.List(ctx, p, func(res dav.Resource) error { return each(d.known(res)) })
}

func (d *disk) ByInode(_ context.Context, inode string) (found []dav.Path, err error) {
	if d.away {
		return nil, dav.ErrUnsupported
	}
	d.looks++
	for _, p := range d.paths() {
		if d.inode(d.nodes[p]) == inode {
			found = append(found, p)
		}
	}
	return found, nil
}

// SHA256 is of what the file held when it was last edited.
func (d *disk) SHA256(_ context.Context, p dav.Path, _ int64) ([]byte, error) {
	sum := sha256.Sum256(fmt.Append(nil, d.nodes[p].etag))
	return sum[:], nil
}

// list is a person's listing.
func (d *disk) list(w *world, p dav.Path) map[dav.Path]idmap.FileID {
	w.Helper()
	var all []dav.Resource
	err := d.List(w.ctx(), p, func(res dav.Resource) error { all = append(all, res); return nil })
	var entries []idmap.Entry
	if err == nil {
		entries, err = w.m.SeeAll(w.ctx(), w.s, p, all, true, d)
	}
	if err != nil {
		w.Fatal(err)
	}
	ids := map[dav.Path]idmap.FileID{}
	for _, e := range entries {
		ids[e.Path] = e.ID
	}
	return ids
}

// saveOver is what programs do that save by a new file.
func (tr *tree) saveOver(p dav.Path) {
	tr.add(p+".tmp", false)
	tr.edit(p + ".tmp")
	tr.move(p+".tmp", p)
}

func TestInode(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(d *disk)
		x    dav.Path // where x is then, "" lost
		most int      // requests to find it
	}{
		{"edited and renamed", func(d *disk) { d.edit("/a/x.odt"); d.move("/a/x.odt", "/a/y.odt") }, "/a/y.odt", 8},
		{"edited and moved far away", func(d *disk) { d.edit("/a/x.odt"); d.move("/a/x.odt", "/far/1/2/y.odt") }, "/far/1/2/y.odt", 8},
		{"its folder renamed, all in it edited", func(d *disk) {
			d.edit("/a/x.odt")
			d.edit("/a/n.odt")
			d.move("/a", "/z")
		}, "/z/x.odt", 8},
		{"its folder moved far away, all in it edited", func(d *disk) {
			d.edit("/a/x.odt")
			d.edit("/a/n.odt")
			d.move("/a", "/far/1/2/a")
		}, "/far/1/2/a/x.odt", 8},
		{"saved by a new file", func(d *disk) { d.saveOver("/a/x.odt") }, "/a/x.odt", 34},
		{"a backup kept by renaming", func(d *disk) { d.move("/a/x.odt", "/a/x.odt.bak"); d.add("/a/x.odt", false) }, "/a/x.odt", 34},
		{"copied with its time, and deleted", func(d *disk) {
			n := *d.nodes["/a/x.odt"]
			n.ino = d.next()
			d.nodes["/a/copy.odt"] = &n
			d.remove("/a/x.odt")
		}, "", 8},
		{"renamed, and copied with its time", func(d *disk) {
			n := *d.nodes["/a/x.odt"]
			n.ino = d.next()
			d.nodes["/a/copy.odt"] = &n
			d.move("/a/x.odt", "/a/y.odt")
		}, "/a/y.odt", 8},
		{"a stranger at the old name", func(d *disk) { d.move("/a/x.odt", "/far/1/x.odt"); d.add("/a/x.odt", false) }, "/far/1/x.odt", 40},
		{"all on another disk", func(d *disk) { d.another = 1000 }, "/a/x.odt", 2},
		{"on another disk, and edited", func(d *disk) { d.another = 1000; d.edit("/a/x.odt") }, "/a/x.odt", 34},
		{"renamed while the disk is away", func(d *disk) { d.away = true; d.move("/a/x.odt", "/a/y.odt") }, "/a/y.odt", 34},
		{"deleted", func(d *disk) { d.remove("/a/x.odt") }, "", 4},
	} {
		t.Run(c.what, func(t *testing.T) {
			each(t, func(w *world) {
				w.tr.rids = false
				d := &disk{tree: w.tr}
				for _, p := range []dav.Path{"/a", "/far", "/far/1", "/far/1/2"} {
					d.add(p, true)
				}
				for i := range 40 {
					d.add(dav.Path(fmt.Sprintf("/far/%02d", i+10)), true)
				}
				d.add("/a/x.odt", false)
				d.add("/a/n.odt", false)
				d.list(w, "/")
				x := d.list(w, "/a")["/a/x.odt"]
				sum, _ := d.SHA256(w.ctx(), "/a/x.odt", 0)
				if err := w.m.Hash(w.ctx(), x, 1, sum); err != nil { // somebody has read it
					w.Fatal(err)
				}
				c.do(d)
				d.asked = nil
				e, res, err := w.m.Find(w.ctx(), w.s, x, d)
				if len(d.asked) > c.most {
					w.Errorf("%d requests, want at most %d: %v", len(d.asked), c.most, d.asked)
				}
				if c.x == "" {
					if !errors.Is(err, idmap.ErrMissing) {
						w.Errorf("%+v, %v", e, err)
					}
					return
				}
				if err != nil || e.Path != c.x || res.Path != c.x {
					w.Fatalf("found at %q, %v, want %q", e.Path, err, c.x)
				}
				if ids := d.list(w, c.x.Parent()); ids[c.x] != x {
					w.Errorf("a listing gives it the ID %s, want %s", ids[c.x], x)
				}
			})
		})
	}
}

// Two folders change names. What is in them stays in them.
func TestFoldersChangeNamesOnTheDisk(t *testing.T) {
	each(t, func(w *world) {
		w.tr.rids = false
		d := &disk{tree: w.tr}
		for _, p := range []dav.Path{"/a", "/b"} {
			d.add(p, true)
			d.add(p+"/1.odt", false)
			d.add(p+"/2.odt", false)
		}
		folders := d.list(w, "/")
		a, b := d.list(w, "/a"), d.list(w, "/b")
		d.move("/a", "/t")
		d.move("/b", "/a")
		d.move("/t", "/b")
		d.edit("/b/1.odt")
		now := d.list(w, "/")
		if now["/a"] != folders["/b"] || now["/b"] != folders["/a"] {
			w.Error("the folders did not take their IDs along")
		}
		for p, id := range d.list(w, "/b") {
			if a["/a"+p[2:]] != id {
				w.Errorf("%s has another ID", p)
			}
		}
		for p, id := range d.list(w, "/a") {
			if b["/b"+p[2:]] != id {
				w.Errorf("%s has another ID", p)
			}
		}
	})
}

// A walk knows a folder by its inode though all in it was edited, and asks the disk where
// the rest is.
func TestWalkWithADisk(t *testing.T) {
	eachWalker(t, func(w *walker) {
		w.tr.rids = false
		d := &disk{tree: w.tr}
		for _, p := range []dav.Path{"/a", "/a/b", "/far"} {
			d.add(p, true)
		}
		d.add("/a/b/x.odt", false)
		d.add("/a/y.odt", false)
		for i := range 60 {
			d.add(dav.Path(fmt.Sprintf("/far/%02d", i)), true)
		}
		d.list(w.world, "/")
		y := d.list(w.world, "/a")["/a/y.odt"]
		x := d.list(w.world, "/a/b")["/a/b/x.odt"]
		w.walk.Finder = d
		w.round()
		d.edit("/a/b/x.odt")
		d.edit("/a/y.odt")
		d.move("/a/b", "/far/07/c")
		d.move("/a/y.odt", "/far/55/z.odt")
		w.later(time.Hour)
		done := w.round()
		w.wantAt(x, "/far/07/c/x.odt")
		w.wantAt(y, "/far/55/z.odt")
		w.Logf("%d requests, %d looks for an inode", done.Requests, d.looks)
		if done.Requests > 20 || done.Searched != 0 {
			w.Errorf("%+v: %v", done, w.tr.asked)
		}
	})
}
