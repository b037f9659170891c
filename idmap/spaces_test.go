package idmap_test

import (
	"errors"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A person sees a part of one cloud as a tree of their own.
type person struct {
	*world
	space idmap.SpaceID
	tree  *tree
}

// cloud is an upstream with file IDs and a root for each person.
func cloud(t testing.TB, w *world) (ann, ben *person) {
	t.Helper()
	w.tr.natives, w.tr.rids = true, false
	s, err := w.m.Space(w.ctx(), "nas", "ben")
	if err != nil {
		t.Fatal(err)
	}
	theirs := newTree()
	theirs.natives, theirs.rids = true, false
	return &person{w, w.s, w.tr}, &person{w, s, theirs}
}

// share shows a node of another's tree at a place of this person's.
func (p *person) share(from *person, at, to dav.Path) {
	for _, q := range from.tree.paths() {
		if at.Contains(q) {
			p.tree.nodes[to+q[len(at):]] = from.tree.nodes[q]
		}
	}
}

func (p *person) see(at dav.Path) idmap.Entry {
	p.Helper()
	e, err := p.m.See(p.ctx(), p.space, p.tree.res(at), p.tree)
	if err != nil {
		p.Fatal(err)
	}
	return e
}

func (p *person) lists(at dav.Path) []idmap.Entry {
	p.Helper()
	all, err := p.m.SeeAll(p.ctx(), p.space, at, p.tree.members(at), true, p.tree)
	if err != nil {
		p.Fatal(err)
	}
	return all
}

// finds is where an ID is for this person: "" nowhere, or not theirs to see.
func (p *person) finds(id idmap.FileID) dav.Path {
	p.Helper()
	e, _, err := p.m.Find(p.ctx(), p.space, id, p.tree)
	if errors.Is(err, idmap.ErrMissing) || errors.Is(err, idmap.ErrNotFound) {
		return ""
	}
	if err != nil {
		p.Fatal(err)
	}
	return e.Path
}

// TestShared: a file that two people reach by two paths has one ID, follows each of them
// in their own tree, and what one may not see is not found by that one.
func TestShared(t *testing.T) {
	each(t, func(w *world) {
		ann, ben := cloud(t, w)
		w.add("/papers/")
		shared, secret := w.add("/papers/a.docx"), w.add("/papers/secret.docx")
		ben.tree.add("/Shared", true)
		ben.share(ann, "/papers/a.docx", "/Shared/a.docx")
		if e := ben.see("/Shared/a.docx"); e.ID != shared.ID || e.Path != "/Shared/a.docx" {
			t.Fatalf("%+v", e)
		}
		if got := ben.finds(secret.ID); got != "" {
			t.Errorf("Ben finds what he may not see at %q", got)
		}
		if _, err := w.m.Known(w.ctx(), ben.space, secret.ID); !errors.Is(err, idmap.ErrNotFound) {
			t.Errorf("and it is known there: %v", err)
		}
		// Each renames it in their own tree.
		ben.tree.move("/Shared/a.docx", "/Shared/from ann.docx")
		ann.tree.move("/papers", "/team")
		if got := ben.finds(shared.ID); got != "/Shared/from ann.docx" {
			t.Errorf("Ben finds it at %q", got)
		}
		if got := ann.finds(shared.ID); got != "/team/a.docx" {
			t.Errorf("Ann finds it at %q", got)
		}
		w.sound()
	})
}

// TestShareEnds: the place goes, the ID stays, for the owner at once and for whoever is
// shown it again, and no other file gets it.
func TestShareEnds(t *testing.T) {
	each(t, func(w *world) {
		ann, ben := cloud(t, w)
		e := w.add("/a.docx")
		ben.tree.add("/Shared", true)
		ben.share(ann, "/a.docx", "/Shared/a.docx")
		ben.see("/Shared/a.docx")
		ben.tree.remove("/Shared/a.docx")
		if got := ben.finds(e.ID); got != "" {
			t.Errorf("Ben still finds it at %q", got)
		}
		if got := ann.finds(e.ID); got != "/a.docx" {
			t.Errorf("Ann finds it at %q", got)
		}
		// Somebody shares another file of that name with him.
		ben.tree.add("/Shared/a.docx", false)
		if other := ben.see("/Shared/a.docx"); other.ID == e.ID {
			t.Error("another share has its ID")
		}
		if n, err := w.m.Expire(w.ctx(), time.Now().Add(time.Hour)); err != nil || n != 1 {
			t.Errorf("%d places given up, %v", n, err)
		}
		ben.share(ann, "/a.docx", "/Shared/again.docx")
		if got := ben.see("/Shared/again.docx"); got.ID != e.ID {
			t.Errorf("shared again: %+v", got)
		}
		if got := ann.finds(e.ID); got != "/a.docx" {
			t.Errorf("Ann finds it at %q", got)
		}
		w.sound()
	})
}

// TestShareEndsAndAnotherBegins: a share is replaced by another of the same name while
// both have a place of the first: nobody can tell for the other that it is its next
// contents.
func TestShareEndsAndAnotherBegins(t *testing.T) {
	each(t, func(w *world) {
		ann, ben := cloud(t, w)
		e := w.add("/a.docx")
		ben.tree.add("/Shared", true)
		ben.share(ann, "/a.docx", "/Shared/a.docx")
		ben.see("/Shared/a.docx")
		ben.tree.add("/Shared/a.docx", false)
		for _, other := range ben.lists("/Shared") {
			if other.ID == e.ID {
				t.Error("another share has its ID")
			}
		}
		if got := ann.finds(e.ID); got != "/a.docx" {
			t.Errorf("Ann finds it at %q", got)
		}
		w.sound()
	})
}

// TestTreesOfTheirOwn: without a native ID two people's trees have nothing in common, be
// the files as equal as they may: neither fingerprint nor stamp reaches across.
func TestTreesOfTheirOwn(t *testing.T) {
	each(t, func(w *world) {
		w.tr.rids, w.tr.stamps = false, true
		ann := &person{w, w.s, w.tr}
		s, err := w.m.Space(w.ctx(), "nas", "ben")
		if err != nil {
			t.Fatal(err)
		}
		ben := &person{w, s, newTree()}
		ben.tree.rids, ben.tree.stamps = false, true
		e := w.add("/a.docx")
		w.stamped(e)
		ben.share(ann, "/a.docx", "/a.docx")
		ben.share(ann, "/a.docx", "/b.docx")
		for _, other := range ben.lists("/") {
			if other.ID == e.ID {
				t.Errorf("%q has Ann's ID", other.Path)
			}
		}
		w.tr.remove("/a.docx")
		if got := ann.finds(e.ID); got != "" {
			t.Errorf("Ann finds it at %q", got)
		}
		if got := ben.finds(e.ID); got != "" {
			t.Errorf("Ben finds it at %q", got)
		}
		w.sound()
	})
}
