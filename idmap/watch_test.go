package idmap_test

import (
	"slices"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A hint is looked at, and what is gone by that is looked for.
func TestLookAtAHint(t *testing.T) {
	eachWalker(t, func(w *walker) {
		w.tr.add("/a", true)
		w.tr.add("/b", true)
		w.list("/")
		x, y := w.add("/a/x.odt"), w.add("/a/y.odt")
		w.tr.move("/a/x.odt", "/a/z.odt")
		w.tr.move("/a/y.odt", "/b/y.odt")
		if _, err := w.walk.Look(w.ctx(), []dav.Path{"/a", "/never", "/a/z.odt"}); err != nil {
			w.Fatal(err)
		}
		w.wantAt(x.ID, "/a/z.odt")
		w.wantAt(y.ID, "/b/y.odt")
	})
}

// Watched are the folders of open documents first, and those that were used.
func TestWorthWatching(t *testing.T) {
	eachWalker(t, func(w *walker) {
		for _, p := range []dav.Path{"/a", "/a/b", "/c", "/open", "/open/deep", "/never"} {
			w.tr.add(p, true)
		}
		w.add("/a/b/x.odt")
		w.add("/c/x.odt")
		w.round()
		x := w.add("/open/deep/x.odt")
		gone := w.add("/gone.odt")
		w.tr.remove("/gone.odt")
		w.list("/")
		got, err := w.walk.WorthWatching(w.ctx(), []idmap.FileID{x.ID, gone.ID, "aaaaaaaaaaaaaaaaaaaaaaaaaa"}, 100)
		if err != nil {
			w.Fatal(err)
		}
		if !slices.Equal(got[:3], []dav.Path{"/open/deep", "/open", "/"}) || !slices.Contains(got, "/a/b") || !slices.Contains(got, "/c") ||
			slices.Contains(got, "/never") || len(got) != 6 {
			w.Errorf("%v", got)
		}
		if few, err := w.walk.WorthWatching(w.ctx(), []idmap.FileID{x.ID}, 2); err != nil || len(few) != 2 {
			w.Errorf("%v, %v", few, err)
		}
	})
}
