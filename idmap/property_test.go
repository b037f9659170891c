package idmap_test

import (
	"errors"
	"flag"
	"fmt"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// What the map must have said about a file, as a person would keep the books.
type told struct {
	id      idmap.FileID
	version string
	number  int64
	etag    int
}

// books is the model of TestRandomOperations: with resource-ids, told by inode.
// Folders are told when they themselves were seen.
type books struct {
	*world
	rt    *rapid.T
	told  map[int]told         // by inode
	all   map[idmap.FileID]int // every ID that was ever given out, by inode
	steps map[string]int
}

func (b *books) pick(what string, ok func(p dav.Path) bool) (dav.Path, bool) {
	var all []dav.Path
	for _, p := range b.tr.paths() {
		if ok(p) {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return "", false
	}
	return rapid.SampledFrom(all).Draw(b.rt, what), true
}

func (b *books) folder(p dav.Path) bool { return b.tr.nodes[p].collection }

func (b *books) fresh() (dav.Path, bool) {
	p, ok := b.pick("folder", b.folder)
	if !ok || len(p.Segments()) > 4 {
		return "", false
	}
	q, err := p.Join(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(b.rt, "name"))
	return q, err == nil
}

// see compares what the map says about p with the books.
func (b *books) see(p dav.Path) idmap.Entry {
	e := b.at(p)
	b.saw(e)
	return e
}

func (b *books) saw(e idmap.Entry) {
	n := b.tr.nodes[e.Path]
	if e.Path.IsRoot() {
		return
	}
	if ino, ok := b.all[e.ID]; ok && ino != n.ino {
		b.rt.Fatalf("%q: the ID of inode %d came to mean %d", e.Path, ino, n.ino)
	}
	b.all[e.ID] = n.ino
	before, ok := b.told[n.ino]
	now := told{e.ID, e.Revision.Version, e.Revision.Number, n.etag}
	if ok && before.id != now.id {
		b.rt.Fatalf("%q (inode %d) had ID %s, and now %s", e.Path, n.ino, before.id, now.id)
	}
	if ok && !n.collection && (before.etag == now.etag) != (before.version == now.version) {
		b.rt.Fatalf("%q was %+v, and now %+v", e.Path, before, now)
	}
	b.told[n.ino] = now
}

func (b *books) step() {
	name := rapid.SampledFrom([]string{"make", "make", "makeFolder", "edit", "see", "see", "list", "find",
		"moveOutside", "moveOutside", "removeOutside", "replaceOutside", "move", "delete", "write"}).Draw(b.rt, "step")
	if b.do(name) {
		b.steps[name]++
	}
}

func (b *books) do(name string) bool {
	notRoot := func(p dav.Path) bool { return !p.IsRoot() }
	file := func(p dav.Path) bool { return !b.folder(p) }
	switch name {
	case "make", "makeFolder":
		p, ok := b.fresh()
		if !ok || b.tr.nodes[p] != nil {
			return false
		}
		b.tr.add(p, name == "makeFolder")
		if rapid.Bool().Draw(b.rt, "seen") {
			b.see(p)
		}
	case "edit":
		p, ok := b.pick("file", file)
		if !ok {
			return false
		}
		b.tr.edit(p)
	case "see":
		p, _ := b.pick("any", func(dav.Path) bool { return true })
		b.see(p)
	case "list":
		p, _ := b.pick("folder", b.folder)
		for _, e := range b.list(p) {
			b.saw(e)
		}
	case "moveOutside":
		from, to, ok := b.fromTo()
		if !ok {
			return false
		}
		b.tr.move(from, to)
	case "removeOutside", "replaceOutside":
		p, ok := b.pick("any", notRoot)
		if !ok {
			return false
		}
		b.tr.remove(p)
		if name == "replaceOutside" {
			b.tr.add(p, rapid.Bool().Draw(b.rt, "folder"))
		}
	case "find":
		return b.find()
	case "move":
		return b.move()
	case "delete":
		p, ok := b.pick("any", notRoot)
		if !ok {
			return false
		}
		b.deleted(b.see(p))
	case "write":
		p, ok := b.pick("file", file)
		if !ok {
			return false
		}
		before := b.see(p)
		if rapid.Bool().Draw(b.rt, "other bytes") {
			b.tr.edit(p)
		}
		if rapid.Bool().Draw(b.rt, "temp and move") {
			b.tr.nodes[p].ino = b.tr.next()
		}
		e, err := b.m.Wrote(b.ctx(), b.s, before.ID, b.tr.res(p), nil)
		if err != nil || e.ID != before.ID || e.Revision.Number != before.Revision.Number+1 || e.Revision.Version == before.Revision.Version {
			b.rt.Fatalf("wrote %q: %+v, %v", p, e, err)
		}
		n := b.tr.nodes[p]
		b.all[e.ID], b.told[n.ino] = n.ino, told{e.ID, e.Revision.Version, e.Revision.Number, n.etag}
	}
	return true
}

// fromTo picks a move that an upstream would carry out.
func (b *books) fromTo() (from, to dav.Path, ok bool) {
	from, ok = b.pick("from", func(p dav.Path) bool { return !p.IsRoot() })
	if !ok {
		return "", "", false
	}
	to, ok = b.fresh()
	return from, to, ok && !from.Contains(to) && !to.Contains(from)
}

func (b *books) move() bool {
	from, to, ok := b.fromTo()
	if !ok {
		return false
	}
	e := b.see(from)
	if b.tr.nodes[to] != nil {
		b.see(to)
	}
	b.moved(e, to)
	return true
}

// find may fail for a file that was moved by others, but never finds another, and
// never fails for one that is where the map knows it.
func (b *books) find() bool {
	if len(b.told) == 0 {
		return false
	}
	ino := rapid.SampledFrom(sortedKeys(b.told)).Draw(b.rt, "inode")
	id := b.told[ino].id
	known, err := b.m.Known(b.ctx(), b.s, id)
	if err == nil && b.all[id] != ino {
		return false // a save gave the ID another inode
	}
	e, res, ferr := b.m.Find(b.ctx(), b.s, id, b.tr)
	switch {
	case err != nil:
		if !errors.Is(ferr, idmap.ErrNotFound) {
			b.rt.Fatalf("not known (%v), but found: %v", err, ferr)
		}
	case ferr == nil:
		if e.ID != id || b.tr.nodes[res.Path].ino != ino && (res.Path != known.Path || !b.replaced(ino, res.Path)) {
			b.rt.Fatalf("found %+v for inode %d", res, ino)
		}
		if n := b.tr.nodes[res.Path]; n.ino != ino {
			delete(b.told, ino)
			b.all[id] = n.ino
		}
		b.saw(e)
	default:
		if !errors.Is(ferr, idmap.ErrMissing) {
			b.rt.Fatal(ferr)
		}
		if n := b.tr.nodes[known.Path]; n != nil && n.ino == ino && known.Missing.IsZero() {
			b.rt.Fatalf("%q is where it was: %v", known.Path, ferr)
		}
	}
	return true
}

// replaced reports whether the ID of ino may pass to what lies at p now, as when another program replaces a document
// in place (DESIGN 5): the old file is nowhere any more, and the new one is a file that nobody has been told of.
func (b *books) replaced(ino int, p dav.Path) bool {
	for _, n := range b.tr.nodes {
		if n.ino == ino {
			return false
		}
	}
	n := b.tr.nodes[p]
	_, known := b.told[n.ino]
	return !n.collection && !known
}

func sortedKeys(m map[int]told) []int {
	var all []int
	for k := range m {
		all = append(all, k)
	}
	for i := range all {
		for j := i; j > 0 && all[j] < all[j-1]; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all
}

// wipe empties the tables, or the checks would become slower and slower.
func (b *books) wipe() {
	err := b.m.DB.Write(b.ctx(), func(tx sqldb.Queryer) error {
		for _, table := range []string{"idmap_revision", "idmap_place", "idmap_resource"} {
			if _, err := tx.Exec(b.ctx(), `DELETE FROM `+table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.rt.Fatal(err)
	}
}

// fewer makes rapid try less where each step costs more.
func fewer(t *testing.T, db *sqldb.DB) {
	if !db.Shared() {
		return
	}
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	if err := f.Value.Set("5"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Value.Set(before) })
}

// Random operations of ours and of others on a tree with resource-ids: every file
// and folder keeps its ID through all of them, no ID comes to mean another, and
// the tables stay sound after each step.
func TestRandomOperations(t *testing.T) {
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
			b := &books{world: &world{t, w.m, s, newTree()}, rt: rt, told: map[int]told{}, all: map[idmap.FileID]int{}, steps: steps}
			b.wipe()
			b.tr.natives = rapid.Bool().Draw(rt, "native ids")
			b.tr.last = int(s) * 1_000_000 // native ids unite spaces
			for range rapid.IntRange(5, 40).Draw(rt, "steps") {
				b.step()
				b.sound()
			}
			for _, p := range b.tr.paths() {
				b.see(p)
			}
			for _, p := range b.tr.paths() {
				if e := b.see(p); b.known(e.ID).Path != p {
					rt.Fatalf("%q is known at %q", p, b.known(e.ID).Path)
				}
			}
			b.sound()
		})
		if !db.Shared() {
			enough(t, steps, 20)
		}
	})
}

// enough makes sure that each kind of step was taken.
func enough(t *testing.T, steps map[string]int, least int) {
	t.Helper()
	if testing.Short() {
		return // rapid makes a fifth of the checks
	}
	for name, n := range steps {
		if n < least {
			t.Errorf("%s: %d times", name, n)
		}
	}
	if len(steps) < 5 {
		t.Errorf("steps %v", steps)
	}
}
