package idmap_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// Without any evidence the place speaks for the file: the books are by path.
func TestRandomOperationsWithoutEvidence(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		fewer(t, db)
		w := newWorld(t, db)
		steps := map[string]int{}
		var spaces atomic.Int64
		rapid.Check(t, func(rt *rapid.T) {
			s, err := w.m.Space(w.ctx(), "nas", fmt.Sprint(spaces.Add(1)))
			if err != nil {
				rt.Fatal(err)
			}
			b := &byPath{books: &books{world: &world{t, w.m, s, newTree()}, rt: rt, steps: steps}, at: map[dav.Path]idmap.Entry{}}
			b.wipe()
			b.tr.rids = false
			for range rapid.IntRange(5, 40).Draw(rt, "steps") {
				b.step()
				b.sound()
			}
			for _, p := range b.tr.paths() {
				b.see(p)
			}
		})
		if !db.Shared() {
			enough(t, steps, 20)
		}
	})
}

type byPath struct {
	*books
	at map[dav.Path]idmap.Entry // what was told last about a path
}

func (b *byPath) forget(p dav.Path) {
	for q := range b.at {
		if p.Contains(q) {
			delete(b.at, q)
		}
	}
}

// see shows p and, as the map does, the folders above it.
func (b *byPath) see(p dav.Path) idmap.Entry {
	if !p.IsRoot() {
		b.see(p.Parent())
	}
	e := b.books.at(p)
	before, ok := b.at[p]
	if ok && (before.ID == e.ID) != (before.Kind == e.Kind) {
		b.rt.Fatalf("%q was %+v, and now %+v", p, before, e)
	}
	if ok && before.ID != e.ID {
		b.forget(p)
	}
	if ok && before.ID == e.ID && (before.Revision.ETag == e.Revision.ETag) != (before.Revision.Version == e.Revision.Version) {
		b.rt.Fatalf("%q was %+v, and now %+v", p, before, e)
	}
	for q, o := range b.at {
		if o.ID == e.ID && q != p {
			b.rt.Fatalf("%q has the ID of %q", p, q)
		}
	}
	b.at[p] = e
	return e
}

func (b *byPath) step() {
	name := rapid.SampledFrom([]string{"make", "edit", "see", "see", "moveOutside", "replaceOutside", "move", "delete"}).Draw(b.rt, "step")
	notRoot := func(p dav.Path) bool { return !p.IsRoot() }
	switch name {
	case "see":
		p, _ := b.pick("any", func(dav.Path) bool { return true })
		b.see(p)
	case "move":
		from, to, ok := b.fromTo()
		if !ok {
			return
		}
		e := b.see(from)
		b.see(to.Parent())
		if b.tr.nodes[to] != nil {
			b.see(to)
		}
		if from == to {
			return
		}
		below := map[dav.Path]idmap.Entry{}
		for q, o := range b.at {
			if from.Contains(q) {
				below[to+q[len(from):]] = o
			}
		}
		b.moved(e, to)
		b.forget(from)
		b.forget(to)
		for q, o := range below {
			b.at[q] = o
		}
	case "delete":
		p, ok := b.pick("any", notRoot)
		if !ok {
			return
		}
		b.deleted(b.see(p))
		b.forget(p)
	case "make":
		p, ok := b.fresh()
		if !ok || b.tr.nodes[p] != nil {
			return
		}
		b.tr.add(p, rapid.Bool().Draw(b.rt, "folder"))
	default:
		if !b.do(name) {
			return
		}
	}
	b.steps[name]++
}
