package locks

import (
	"context"
	"errors"
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

// TestSaveThatBeginsToWaitWithoutTheLease: whoever has looked before, and is about to give
// the DAV lock back, to take the file or to delete it, looks again.
func TestSaveThatBeginsToWaitWithoutTheLease(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	f := h.file("a.docx", "hello")
	at := h.target(f)
	ok(t, h.Lock(ctx, at, anna, "A"))
	before := h.row(f)
	h.pinned(f)
	if _, err := h.startReleasing(ctx, before, true, h.clock.read()); !errors.Is(err, errRaced) {
		t.Errorf("giving back: %v", err)
	}
	if r := h.row(f); r.phase != held || r.token != before.token {
		t.Errorf("the row is %+v", r)
	}
	h.unpinned(f)
	ok(t, h.Unlock(ctx, at, anna, "A"))
	h.pinned(f)
	k := &taker{l: h.Locks, t: at, a: elsewhere(ben), id: "B"}
	if _, err := k.take(ctx); !errors.Is(err, errRaced) || h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Errorf("taking: %v, row %+v", err, h.row(f))
	}
	x, err := h.Lease(ctx, f, "delete", 0)
	ok(t, err)
	defer x.Release()
	if err := h.remove(ctx, x, at); !errors.Is(err, errRaced) {
		t.Errorf("deleting: %v", err)
	}
	if body, there := h.server.Read(t, "a.docx"); !there || body != "hello" {
		t.Errorf("the file holds %q (there: %v)", body, there)
	}
}

// TestPermitBehind gives what PermitKept does, to whoever has not got the lease, and tells
// more of those whose ID is somebody else's by now.
func TestPermitBehind(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	f := h.file("a.docx", "hello")
	at := h.target(f)
	permit := func(a Actor, id *wopi.LockID) (p Permit, err error) {
		t.Helper()
		ok(t, h.db.Write(ctx, func(tx sqldb.Queryer) error {
			p, err = h.PermitBehind(ctx, tx, h.clock.read(), at, a, id)
			return nil
		}))
		return p, err
	}
	ok(t, h.Lock(ctx, at, anna, "A"))
	if p, err := permit(anna, id("A")); err != nil || p.Editing == nil || p.Lock.ID != "A" || p.Token != "" {
		t.Errorf("the holder: %+v, %v", p, err)
	}
	var m *MismatchError
	var late *SupersededError
	if _, err := permit(anna, id("B")); !errors.As(err, &m) || errors.As(err, &late) {
		t.Errorf("an ID that was never held: %v", err)
	}
	ok(t, h.Relock(ctx, at, anna, "A", "C"))
	if _, err := permit(anna, id("A")); !errors.As(err, &late) || late.Editing == nil {
		t.Errorf("the ID before: %v", err)
	}
	ok(t, h.Unlock(ctx, at, anna, "C"))
	if p, err := permit(anna, id("C")); err != nil || p.Editing == nil {
		t.Errorf("after Unlock: %+v, %v", p, err)
	}
	r := &row{file: f, phase: taking, lock: Lock{ID: "D"}, actor: elsewhere(ben), takingUntil: h.clock.read().Add(time.Second)}
	ok(t, h.swap(ctx, nil, r, nil))
	if _, err := permit(anna, id("C")); !errors.Is(err, ErrBusy) {
		t.Errorf("while somebody takes the lock: %v", err)
	}
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
