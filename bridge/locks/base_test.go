package locks

import (
	"context"
	"fmt"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// base is the live or last editing's.
func (h *house) base(f idmap.FileID) int64 {
	h.t.Helper()
	e, err := latestEditing(context.Background(), h.db.Read(), f)
	ok(h.t, err)
	return e.Base
}

// at is the file as if it had that revision.
func (h *house) at(f idmap.FileID, revision int64) Target {
	t := h.target(f)
	t.File.Revision.Number = revision
	return t
}

func TestBase(t *testing.T) {
	ctx := context.Background()
	office := func(a Actor, o wopi.Office) Actor { a.Office = o; return a }
	only := office(anna, wopi.OnlyOffice)
	read := func(a Actor, r int64) func(*house, idmap.FileID) {
		return func(h *house, f idmap.FileID) { ok(t, h.Read(ctx, f, a, r)) }
	}
	lock := func(a Actor, lock wopi.LockID, revision int64) func(*house, idmap.FileID) {
		return func(h *house, f idmap.FileID) { ok(t, h.Lock(ctx, h.at(f, revision), a, lock)) }
	}
	joined := func(a Actor) func(*house, idmap.FileID) {
		return func(h *house, f idmap.FileID) { ok(t, h.Joined(ctx, f, a)) }
	}
	wrote := func(r int64) func(*house, idmap.FileID) {
		return func(h *house, f idmap.FileID) {
			x, err := h.Lease(ctx, f, "put", 0)
			ok(t, err)
			defer x.Release()
			ok(t, h.SetBase(ctx, x, h.row(f).editing, r))
		}
	}
	unlock := func(a Actor, lock wopi.LockID) func(*house, idmap.FileID) {
		return func(h *house, f idmap.FileID) { ok(t, h.Unlock(ctx, h.target(f), a, lock)) }
	}
	expire := func(h *house, f idmap.FileID) { h.clock.forward(time.Hour); h.tend() }
	type steps []func(*house, idmap.FileID)
	for _, c := range []struct {
		name  string
		steps steps
		want  int64
	}{
		{"never read: the revision known when it began", steps{lock(anna, "A", 5)}, 5},
		{"Collabora: GetFile, then Lock", steps{read(anna, 4), lock(anna, "A", 5)}, 4},
		{"somebody else's GetFile", steps{read(ben, 4), lock(anna, "A", 5)}, 5},
		{"Microsoft: Lock, then GetFile", steps{lock(anna, "A", 5), read(anna, 6)}, 6},
		{"the first GetFile decides", steps{lock(anna, "A", 5), read(anna, 5), read(anna, 6)}, 5},
		{"GetFile, changed, Lock, GetFile of what was there", steps{read(anna, 4), lock(anna, "A", 5), read(anna, 5)}, 5},
		{"GetFile after an outside change during the lock", steps{read(anna, 5), lock(anna, "A", 5), read(anna, 6)}, 5},
		{"another member's GetFile does not move it", steps{read(anna, 4), lock(anna, "A", 5), joined(ben), read(ben, 5)}, 4},
		{"GetFile by a grant that is no member", steps{lock(anna, "A", 5), read(ben, 6)}, 5},
		{"GetFile through another editor", steps{lock(anna, "A", 5), joined(elsewhere(ben)), read(elsewhere(anna), 6)}, 5},
		{"first GetFile by a member that joined", steps{lock(anna, "A", 5), joined(ben), read(ben, 6)}, 6},
		{"its own PutFile", steps{read(anna, 5), lock(anna, "A", 5), wrote(6)}, 6},
		{"GetFile of what it wrote itself", steps{lock(anna, "A", 5), wrote(6), read(anna, 6)}, 6},
		{"Lock as refresh keeps it", steps{read(anna, 5), lock(anna, "A", 5), wrote(6), lock(anna, "A", 7)}, 6},
		{"second user of ONLYOFFICE", steps{lock(only, "A", 5), read(only, 5), wrote(6), lock(office(ben, wopi.OnlyOffice), "A", 6)}, 6},
		{"locked again without reading: what was written last", steps{read(anna, 5), lock(anna, "A", 5), wrote(6), unlock(anna, "A"), lock(anna, "B", 6)}, 6},
		{"ONLYOFFICE shows kept bytes: what it got last", steps{lock(only, "A", 5), read(only, 5), unlock(only, "A"), lock(only, "A", 9)}, 5},
		{"ONLYOFFICE shows kept bytes: what it put last", steps{lock(only, "A", 5), read(only, 5), wrote(6), unlock(only, "A"), lock(only, "A", 9)}, 6},
		{"ONLYOFFICE reads after all", steps{lock(only, "A", 5), read(only, 5), unlock(only, "A"), lock(only, "A", 9), read(only, 9)}, 9},
		{"expired, refreshed: keeps its base", steps{lock(anna, "A", 5), read(anna, 5), expire, func(h *house, f idmap.FileID) { ok(t, h.Refresh(ctx, h.at(f, 8), anna, "A")) }, read(anna, 8)}, 5},
		{"expired, locked again, read again", steps{lock(only, "A", 5), read(only, 5), expire, lock(only, "A", 8), read(only, 8)}, 8},
		{"expired, locked again, not read", steps{lock(only, "A", 5), read(only, 5), expire, lock(only, "A", 8)}, 5},
		{"expired, another session", steps{lock(anna, "A", 5), read(anna, 5), expire, read(anna, 8), lock(anna, "B", 8)}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			for _, step := range c.steps {
				step(h, f)
			}
			if got := h.base(f); got != c.want {
				t.Errorf("base %d, want %d", got, c.want)
			}
		})
	}
}

func TestReadWritesOnlyNews(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		at := func() (ms int64) {
			ok(t, h.db.Read().QueryRow(ctx, `SELECT at FROM locks_read WHERE file = ? AND member = ?`, string(file), anna.Member).Scan(&ms))
			return ms
		}
		ok(t, h.Read(ctx, file, anna, 5))
		first := at()
		h.clock.forward(time.Hour)
		ok(t, h.Read(ctx, file, anna, 5))
		if at() != first {
			t.Error("the same again was written")
		}
		ok(t, h.Read(ctx, file, anna, 6))
		if at() == first {
			t.Error("news was not written")
		}
	})
}

// TestHolds: idmap is told which files are being edited.
func TestHolds(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		f := h.file("a.docx", "hello")
		want := func(want bool, when string) {
			t.Helper()
			if got, err := h.IDs.Held(t.Context(), f); err != nil || got != want {
				t.Errorf("%s: %v, %v", when, got, err)
			}
		}
		want(false, "before")
		ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
		want(true, "locked")
		h.clock.forward(31 * time.Minute)
		want(false, "expired")
	})
}

func TestMembers(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		f := h.file("a.docx", "hello")
		ok(t, h.Joined(ctx, f, ben)) // no editing yet: nobody's member
		members := func() map[string]time.Time {
			t.Helper()
			m, err := h.Members(ctx)
			ok(t, err)
			return m
		}
		if m := members(); len(m) != 0 {
			t.Fatalf("members %v", m)
		}
		ok(t, h.Lock(ctx, h.target(f), anna, "A"))
		ok(t, h.Joined(ctx, f, ben))
		ok(t, h.Joined(ctx, f, ben))
		other := elsewhere(ben)
		other.Member = "through another editor"
		ok(t, h.Joined(ctx, f, other))
		until := h.row(f).lock.Expires.Add(30 * time.Minute)
		if m := members(); len(m) != 2 || !m[anna.Member].Equal(until) || !m[ben.Member].Equal(until) {
			t.Fatalf("members %v, want two until %v", m, until)
		}
		h.clock.forward(10 * time.Minute)
		ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
		until = h.clock.read().Truncate(time.Millisecond).Add(30 * time.Minute)
		if m := members(); len(m) != 2 || !m[ben.Member].Equal(until) {
			t.Fatalf("members %v, want two until %v", m, until)
		}
		h.clock.forward(30 * time.Minute)
		if m := members(); len(m) != 0 {
			t.Fatalf("members %v", m)
		}
	})
}

func TestMembersOfAnExpiredEditing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(Life + 29*time.Minute)
	h.tend()
	if m, err := h.Members(ctx); err != nil || len(m) != 1 {
		t.Errorf("members %v, %v", m, err)
	}
	h.clock.forward(time.Minute)
	if m, err := h.Members(ctx); err != nil || len(m) != 0 {
		t.Errorf("members %v, %v", m, err)
	}
}

func TestMemoriesAreBounded(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	last := wopi.LockID("lock 0")
	ok(t, h.Lock(ctx, h.target(f), anna, last))
	target := h.target(f)
	for i := range maxIDs + 20 {
		next := wopi.LockID(fmt.Sprint("lock ", i+1))
		h.clock.forward(time.Millisecond)
		ok(t, h.Relock(ctx, target, anna, last, next))
		last = next
	}
	if n := h.count("locks_editing_id"); n != maxIDs {
		t.Errorf("%d lock IDs are kept", n)
	}
	e, err := editingThatHeld(ctx, h.db.Read(), f, anna.Editor, last)
	if ok(t, err); e == nil {
		t.Error("the newest is not among them")
	}
}

func TestConflictStateBelongsToTheEditing(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		f := h.file("a.docx", "hello")
		ok(t, h.Lock(ctx, h.target(f), anna, "A"))
		x, err := h.Lease(ctx, f, "put", 0)
		ok(t, err)
		editing := h.row(f).editing
		ok(t, h.SetConflict(ctx, x, editing, 9, "bbbbbbbbbbbbbbbbbbbbbbbbbb"))
		p, err := h.Permit(ctx, x, h.target(f), anna, id("A"))
		if ok(t, err); p.Editing.Reported != 9 || p.Editing.Diverted != "bbbbbbbbbbbbbbbbbbbbbbbbbb" {
			t.Errorf("editing %+v", p.Editing)
		}
		if err := h.SetConflict(ctx, x, editing+1, 9, ""); err == nil {
			t.Error("conflict of an editing that is not there")
		}
		if err := h.SetBase(ctx, x, editing+1, 9); err == nil {
			t.Error("base of an editing that is not there")
		}
		x.Release()
		ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
		ok(t, h.Lock(ctx, h.target(f), anna, "B"))
		if s, err := h.State(ctx, f); err != nil || s.Editing.Reported != 0 || s.Editing.Diverted != "" {
			t.Errorf("state %+v, %v", s, err)
		}
	})
}
