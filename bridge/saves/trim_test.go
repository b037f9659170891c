package saves

import (
	"fmt"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// preimages are how many pre-images s has, and how many bytes they are.
func (g *rig) preimages(s *Saves) (n int, size int64) {
	g.t.Helper()
	all, err := s.entries(g.t.Context(), `state = ?`, statePreimage)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, r := range all {
		size += r.size
	}
	return len(all), size
}

// TestPreimagesAreCountedNowAndThen: no save leaves more of them than there may be, though
// not each save counts them.
func TestPreimagesAreCountedNowAndThen(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		g := newRigOn(t, db, upstream.Strict(t), davbackend.Embedded)
		g.saves.preBytes = 100
		g.server.Write(t, "a.txt", "0000000000")
		o := g.open("a.txt", wopi.Collabora)
		counted, before := 0, int64(0)
		for i := range 40 {
			o.mustPut(fmt.Sprintf("%010d", i+1))
			if g.saves.preRoom.left >= before {
				counted++
			}
			before = g.saves.preRoom.left
			if n, size := g.preimages(g.saves); size > 100 || i > 20 && n < 9 {
				t.Fatalf("after %d saves there are %d pre-images of %d bytes", i+1, n, size)
			}
		}
		if counted == 0 || counted > 32 {
			t.Errorf("counted %d times in 40 saves", counted)
		}
	})
}

// TestPreimagesThatComeOtherwise: those of a bridge that is gone count from the next save.
func TestPreimagesThatComeOtherwise(t *testing.T) {
	stores(t, func(t *testing.T, g *rig, change func(*Saves)) {
		g.server.Write(t, "a.txt", "0000000000")
		o := g.open("a.txt", wopi.Collabora)
		for i := range 9 {
			o.mustPut(fmt.Sprintf("%010d", i+1))
		}
		first := g.saves
		g.saves = g.journal(t.TempDir(), change)
		g.saves.preBytes = 100
		o.mustPut("my own one") // with room for many more, as far as it knows
		g.later(2 * deadAfter)
		if err := g.saves.announce(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if err := g.saves.inherit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := g.preimages(first); n != 0 {
			t.Fatalf("%d pre-images are the first bridge's still", n)
		}
		o.mustPut("the second")
		o.mustPut("and third.")
		if n, size := g.preimages(g.saves); size > 100 || n < 9 {
			t.Errorf("%d pre-images of %d bytes", n, size)
		}
	})
}

// TestPreimagesInUseStay: over the limit, those that somebody reads are passed over.
func TestPreimagesInUseStay(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "0000000000")
	o := g.open("a.txt", wopi.Collabora)
	for i := range 2 * trimAtOnce {
		o.mustPut(fmt.Sprintf("%010d", i+1))
	}
	free := g.inJournal(fmt.Sprintf("%010d", 2*trimAtOnce-1))[0].ID // the newest
	for _, e := range mustList(t, g.saves) {
		if e.ID != free {
			g.saves.live.take(e.ID)
		}
	}
	g.saves.preBytes = 10
	g.saves.preRoom.recount()
	if err := g.saves.trim(t.Context(), &row{}); err != nil {
		t.Fatal(err)
	}
	if n, _ := g.preimages(g.saves); n != 2*trimAtOnce-1 || len(g.inJournal(fmt.Sprintf("%010d", 2*trimAtOnce-1))) != 0 {
		t.Errorf("%d pre-images are left, want all but the one that is not in use", n)
	}
}
