package idmap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Places are looked up some levels at a time: around each seam the answers are those
// of any other depth, there, missing and not known.
func TestEveryDepth(t *testing.T) {
	each(t, func(w *world) {
		for _, depth := range []int{1, 2, 5, 6, 7, 14, 15, 16, 17, 31, 32, 33, 60, 256} {
			folder := dav.Path(strings.Repeat("/d", depth-1))
			p := folder + dav.Path(fmt.Sprintf("/at-%d.odt", depth))
			e := w.add(p)
			if k := w.known(e.ID); k.Path != p || !k.Missing.IsZero() {
				w.Fatalf("%d levels: by ID %+v", depth, k)
			}
			if k, err := w.m.KnownAt(w.ctx(), w.s, p); err != nil || k.ID != e.ID || k.Path != p || k.Kind != idmap.File || !k.Missing.IsZero() {
				w.Fatalf("%d levels: by path %+v, %v", depth, k, err)
			}
			if again := w.at(p); again.ID != e.ID || again.Revision.Number != 1 {
				w.Fatalf("%d levels: seen again %+v", depth, again)
			}
			if above, err := w.m.Ancestors(w.ctx(), w.s, e.ID); err != nil || len(above) != depth {
				w.Fatalf("%d levels: %d above, %v", depth, len(above), err)
			}
			for _, unknown := range []dav.Path{p[:len(p)-1], "/x" + p} {
				if k, err := w.m.KnownAt(w.ctx(), w.s, unknown); !errors.Is(err, idmap.ErrNotFound) && !errors.Is(err, dav.ErrBadPath) {
					w.Fatalf("%d levels: %+v, %v", depth, k, err)
				}
			}
		}
		if depth := dav.Path(strings.Repeat("/d", 257)); w.tr.nodes[depth] == nil {
			if _, err := w.m.KnownAt(w.ctx(), w.s, depth); !errors.Is(err, dav.ErrBadPath) {
				w.Fatal(err)
			}
		}
		// A folder in the middle goes away: everything below is missing, from any depth.
		w.tr.remove("/d/d/d")
		w.list("/d/d")
		for _, depth := range []int{5, 17, 60} {
			p := dav.Path(strings.Repeat("/d", depth-1) + fmt.Sprintf("/at-%d.odt", depth))
			k, err := w.m.KnownAt(w.ctx(), w.s, p)
			if err != nil || k.Missing.IsZero() || w.known(k.ID).Missing != k.Missing {
				w.Errorf("%d levels: %+v, %v", depth, k, err)
			}
		}
		w.sound()
	})
}
