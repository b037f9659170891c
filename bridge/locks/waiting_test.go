package locks

import (
	"context"
	"net/http"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/test/upstream"
)

func (h *house) pinned(f idmap.FileID) {
	h.t.Helper()
	ctx := context.Background()
	ok(h.t, h.db.Write(ctx, func(tx sqldb.Queryer) error { return h.Pin(ctx, tx, f, docs, h.clock.read()) }))
}

func (h *house) unpinned(f idmap.FileID) {
	h.t.Helper()
	ctx := context.Background()
	ok(h.t, h.db.Write(ctx, func(tx sqldb.Queryer) error { return h.Unpin(ctx, tx, f) }))
}

// TestHeldByJournal: while a save waits the file is nobody's for WOPI, and only its
// editor can have it again; the DAV lock stays until the save has arrived.
func TestHeldByJournal(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	f := h.file("a.docx", "hello")
	at := h.target(f)
	ok(t, h.Lock(ctx, at, anna, "A"))
	token := h.row(f).token
	h.pinned(f)
	h.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	ok(t, h.Unlock(ctx, at, anna, "A"))
	got, err := h.Get(ctx, at, anna)
	if ok(t, err); got != "" {
		t.Errorf("GetLock %q", got)
	}
	is409(t, h.Lock(ctx, at, elsewhere(ben), "B"), "")
	_, err = h.Move(ctx, at, ben, nil, "/b.docx")
	is409(t, err, "")
	is409(t, h.Delete(ctx, at, ben), "")
	h.clock.forward(2 * time.Second)
	h.tend()
	if r := h.row(f); r == nil || r.phase != kept || r.token != token {
		t.Fatalf("the row is %+v", r)
	}
	list, err := h.List(ctx)
	if ok(t, err); len(list) != 1 || list[0].Phase != "held by journal" || list[0].Shadow.Token != token {
		t.Errorf("listed as %+v", list)
	}
	ok(t, h.Lock(ctx, at, ben, "B")) // the same editor, though the upstream is away
	if st, _ := h.State(ctx, f); st.Lock.ID != "B" || st.Editing == nil || st.Editing.Base != at.File.Revision.Number {
		t.Errorf("state %+v", st)
	}
	ok(t, h.Unlock(ctx, at, ben, "B"))

	h.server.Quirks.Reset()
	h.clock.forward(2 * Life)
	h.tend()
	if n := len(h.davLocks("/a.docx")); n != 1 {
		t.Errorf("%d DAV locks while the save waits", n)
	}
	h.unpinned(f)
	h.tend()
	if n := len(h.davLocks("/a.docx")); n != 0 || h.row(f) != nil {
		t.Errorf("%d DAV locks, row %+v after the save has arrived", n, h.row(f))
	}
	ok(t, h.Lock(ctx, h.target(f), elsewhere(ben), "C"))
}

// TestExpiryWhileASaveWaits: the editor went away without an Unlock.
func TestExpiryWhileASaveWaits(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.pinned(f)
	h.clock.forward(Life + time.Second)
	h.tend()
	if n := len(h.davLocks("/a.docx")); n != 1 || h.row(f).phase != kept {
		t.Fatalf("%d DAV locks, row %+v", n, h.row(f))
	}
	is409(t, h.Lock(ctx, h.target(f), elsewhere(ben), "B"), "")
	ok(t, h.Refresh(ctx, h.target(f), anna, "A")) // its editing goes on
	if st, _ := h.State(ctx, f); st.Lock.ID != "A" {
		t.Errorf("state %+v", st)
	}
}

// TestReleaseWhileASaveWaits: its owner gives the lock up; others can lock then.
func TestReleaseWhileASaveWaits(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.pinned(f)
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	ok(t, h.Release(ctx, f))
	if n := len(h.davLocks("/a.docx")); n != 0 {
		t.Errorf("%d DAV locks", n)
	}
	ok(t, h.Lock(ctx, h.target(f), elsewhere(ben), "B"))
}

// TestPermitKept gives what the database allows, and nothing else.
func TestPermitKept(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	f := h.file("a.docx", "hello")
	at := h.target(f)
	ok(t, h.Lock(ctx, at, anna, "A"))
	h.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	x, err := h.Lease(ctx, f, "test", time.Second)
	ok(t, err)
	defer x.Release()
	p, err := h.PermitKept(ctx, x, at, anna, id("A"))
	if ok(t, err); p.Editing == nil || p.Lock.ID != "A" {
		t.Errorf("permit %+v", p)
	}
	for _, c := range []struct {
		a  Actor
		id *wopi.LockID
	}{{anna, id("B")}, {anna, nil}, {elsewhere(anna), id("A")}} {
		if _, err := h.PermitKept(ctx, x, at, c.a, c.id); err == nil {
			t.Errorf("allowed %+v", c)
		}
	}
	h.clock.forward(Life + time.Second) // only expired: it is the same editing's
	if p, err = h.PermitKept(ctx, x, at, anna, id("A")); err != nil || p.Editing == nil {
		t.Errorf("permit %+v, %v", p, err)
	}
}
