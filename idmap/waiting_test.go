package idmap_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"davwopi/idmap"
)

// TestIssued: a revision is given out before the upstream has its bytes. Looking at the
// old ones changes nothing, an edit is noticed, and the strings stay when they arrive.
func TestIssued(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		if _, err := w.m.Issue(w.ctx(), w.s, x.ID, x.Revision.Number+1); !errors.Is(err, idmap.ErrNewer) {
			w.Errorf("issued over another revision: %v", err)
		}
		issued, err := w.m.Issue(w.ctx(), w.s, x.ID, x.Revision.Number)
		if err != nil {
			w.Fatal(err)
		}
		if issued.Version == x.Revision.Version || issued.LastModified == x.Revision.LastModified {
			w.Errorf("the strings recur: %+v", issued)
		}
		if seen := w.at("/x").Revision; seen.Version != issued.Version {
			w.Errorf("the old contents were taken for a change: %+v", seen)
		}
		sum := sha256.Sum256([]byte("new"))
		w.tr.edit("/x")
		e, err := w.m.Delivered(w.ctx(), w.s, x.ID, issued.Number, w.tr.res("/x"), sum[:])
		if err != nil || e.Revision.Number != issued.Number || e.Revision.Version != issued.Version || !bytes.Equal(e.Revision.SHA256, sum[:]) {
			w.Fatalf("%+v, %v", e.Revision, err)
		}
		if seen := w.at("/x").Revision; seen.Version != issued.Version || seen.LastModified != issued.LastModified {
			w.Errorf("after it arrived: %+v", seen)
		}
		w.tr.edit("/x")
		if seen := w.at("/x").Revision; seen.Number <= issued.Number {
			w.Errorf("an edit was not noticed: %+v", seen)
		}
		w.sound()
	})
}

// TestIssuedAndSeen: somebody has looked at the new contents before their arrival was
// recorded. They have the strings that were given out all the same, and only they.
func TestIssuedAndSeen(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x")
		issued, err := w.m.Issue(w.ctx(), w.s, x.ID, x.Revision.Number)
		if err != nil {
			w.Fatal(err)
		}
		w.tr.edit("/x")
		between := w.at("/x").Revision
		if between.Version == issued.Version {
			w.Fatalf("an edit was not noticed: %+v", between)
		}
		e, err := w.m.Delivered(w.ctx(), w.s, x.ID, issued.Number, w.tr.res("/x"), nil)
		if err != nil || e.Revision.Version != issued.Version || e.Revision.LastModified != issued.LastModified || e.Revision.Number <= between.Number {
			w.Fatalf("%+v, %v", e.Revision, err)
		}
		by, err := w.m.RevisionBy(w.ctx(), x.ID, issued.LastModified)
		if err != nil || by.Number != e.Revision.Number {
			w.Errorf("the string names revision %d, %v", by.Number, err)
		}
		if _, err := w.m.RevisionAt(w.ctx(), x.ID, issued.Number); !errors.Is(err, idmap.ErrNotFound) {
			w.Errorf("two revisions have one string: %v", err)
		}
		w.sound()
	})
}
