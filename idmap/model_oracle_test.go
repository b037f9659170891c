package idmap_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A belief is what the map was last seen to say of an ID, or to have learned of it.
type belief struct {
	soul     *soul
	text     string // its contents as the map knows them, or would if it had read them
	print    string // and what the server showed of it
	hashed   bool   // the map knows the contents, too
	stamp    string // that it bore
	revision int64  // the one that all this is of
}

// shows is what the server says of a file.
func (st *story) shows(p dav.Path) string {
	res, err := st.view.Stat(context.Background(), p)
	st.must(err)
	return print(res)
}

// print is all of it by which a file can be known.
func print(res dav.Resource) string {
	return fmt.Sprintf("%s%s %s %d %d", res.NativeID, res.ResourceID, res.ETag.Strong(), res.Size, res.Modified.UnixMilli())
}

// saw checks what the map said of a path, where res was seen.
func (st *story) saw(e idmap.Entry, before dav.Path, res dav.Resource) {
	if e.Kind != idmap.File {
		return
	}
	x := st.files[e.Path]
	if x == nil {
		st.fail("%s at %q, where no file is", e.ID, e.Path)
	}
	shown := print(res)
	b, ok := st.told[e.ID]
	if ok && b.soul != x && !st.excused(e, b, x, res, before) {
		st.fail("%s at %q is file %d, and was file %d at %q; shown %s, before %s (read: %v)", e.ID, e.Path, x.n, b.soul.n, before, shown, b.print, b.hashed)
	}
	st.tally["told"]++
	st.log = append(st.log, fmt.Sprintf("    %s is %d at %s", e.ID[:4], x.n, e.Path))
	if b.soul != x {
		b.stamp = ""
	}
	text := x.text
	if sum := sha256.Sum256([]byte(text)); e.Revision.SHA256 != nil && !bytes.Equal(sum[:], e.Revision.SHA256) {
		text = b.text // the map has not noticed
	}
	st.told[e.ID] = belief{x, text, shown, e.Revision.SHA256 != nil, b.stamp, e.Revision.Number}
}

// overhear brings beliefs up to what the map has learned without telling anybody: where it
// searched for one file it may have met the next contents of another. Only of the file that
// the ID named is that believed; of another one it is judged when the map tells of it.
func (st *story) overhear() {
	for id, b := range st.told {
		e, err := st.m.Known(context.Background(), st.s, id)
		if err != nil || e.Revision.Number == b.revision || st.files[e.Path] != b.soul {
			continue
		}
		res, err := st.view.Stat(context.Background(), e.Path)
		st.must(err)
		if r := e.Revision; r.ETag != res.ETag.Strong() || r.Size != res.Size || r.Modified.UnixMilli() != res.Modified.UnixMilli() {
			continue // it was written to since
		}
		b.text, b.print, b.hashed, b.revision = b.soul.text, print(res), e.Revision.SHA256 != nil, e.Revision.Number
		st.told[id] = b
	}
}

// excused reports whether nobody can tell from outside that x is not the file that b
// tells of, and counts by what. That one is no more what it was, and
//
//   - x looks as it did, also inside if the map has seen that, or bears its stamp (a copy
//     does, on some servers); or
//   - x is where it was, and where the server has no IDs other contents at a place are
//     an edit (DESIGN 5), and where it has, what is put in the place of a file that is
//     nowhere any more is its next contents.
//
// A file that is still what it was, wherever it is, is excused only if x, at the very
// place where it was, shows the same ID, ETag, size and time: nobody reads a file again
// of which nothing has changed. So two files that look alike may have changed places,
// and then the one that is taken for the other counts as gone.
func (st *story) excused(e idmap.Entry, b belief, x *soul, res dav.Resource, before dav.Path) bool {
	shown := print(res)
	gone := !b.soul.alive || st.ids && st.renumbered(b) || !st.ids && (b.soul.text != b.text || st.swapped(e.ID, b))
	looks := shown == b.print && (before == e.Path || gone && (!b.hashed || x.text == b.text || st.swapped(e.ID, b)))
	switch {
	case looks, gone && b.stamp != "" && res.Stamp == b.stamp:
		st.tally["looks the same"]++
	case gone && before == e.Path:
		st.tally["only the place speaks"]++
	default:
		return false
	}
	return true
}

// renumbered reports whether the file of b bears another ID than it did: somebody has put
// its next contents in its place.
func (st *story) renumbered(b belief) bool {
	for p, y := range st.files {
		if y == b.soul {
			is, _, _ := strings.Cut(st.shows(p), " ")
			was, _, _ := strings.Cut(b.print, " ")
			return is != was
		}
	}
	return true
}

// swapped reports whether the file of b is where the map has told of another one that
// looked like it.
func (st *story) swapped(id idmap.FileID, b belief) bool {
	for p, y := range st.files {
		if y == b.soul {
			e, err := st.m.KnownAt(context.Background(), st.s, p)
			return err == nil && e.ID != id && st.told[e.ID].print == b.print && st.shows(p) == b.print
		}
	}
	return false
}

// stamp marks a file that was opened, and returns what it bears.
func (st *story) stamp(e idmap.Entry, res dav.Resource) string {
	ctx := context.Background()
	stamp, err := st.m.NextStamp(ctx, st.s, e.ID, res)
	st.must(err)
	if stamp == "" {
		return res.Stamp
	}
	st.must(st.view.WriteStamp(ctx, e.Path, stamp, davbackend.Condition{}))
	res, err = st.view.Stat(ctx, e.Path)
	st.must(err)
	st.must(st.m.Stamped(ctx, st.s, e.ID, stamp, res))
	st.tally["stamped"]++
	return res.Stamp
}
