package locks

import (
	"context"
	"errors"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// TestStory goes through all operations in a row, on both databases.
func TestStory(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		h.Announce, h.Respect = true, true
		f := h.file("a.docx", "hello")
		ok(t, h.Read(ctx, f, anna, h.target(f).File.Revision.Number))
		ok(t, h.Lock(ctx, h.target(f), anna, "A"))
		ok(t, h.Joined(ctx, f, ben))
		_, err := h.save(f, anna, id("A"), "one")
		ok(t, err)
		ok(t, h.Refresh(ctx, h.target(f), ben, "A"))
		ok(t, h.Relock(ctx, h.target(f), anna, "A", "B"))
		var superseded *SupersededError
		if err := h.put(f, anna, id("A")); !errors.As(err, &superseded) {
			t.Errorf("%v, want superseded", err)
		}
		_, err = h.Move(ctx, h.target(f), anna, id("B"), "/b.docx")
		ok(t, err)
		h.clock.forward(20 * time.Minute)
		h.tend()
		h.clock.forward(20 * time.Minute)
		h.tend()
		_, err = h.save(f, anna, id("B"), "two") // expired, taken again
		ok(t, err)
		ok(t, h.Unlock(ctx, h.target(f), anna, "B"))
		_, err = h.save(f, anna, id("B"), "three") // after Unlock
		ok(t, err)
		h.clock.forward(time.Minute)
		h.tend()
		states, err := h.States(ctx, []idmap.FileID{f, file})
		if ok(t, err); len(states) != 0 {
			t.Errorf("states %+v", states)
		}
		h.foreign("/b.docx", "Zoe")
		is409(t, h.Lock(ctx, h.target(f), ben, "C"), "")
		if s, err := h.State(ctx, f); err != nil || s.Foreign == "" {
			t.Errorf("state %+v, %v", s, err)
		}
		h.server.DropLocks(t, "/b.docx")
		ok(t, h.Delete(ctx, h.target(f), ben))
		if h.count("locks_row") != 0 || h.count("locks_intent") != 0 || len(h.told.all()) != 0 {
			t.Errorf("%d rows, %d intents, heard %q", h.count("locks_row"), h.count("locks_intent"), h.told.all())
		}
	})
}

// Two people of whom each has a root of their own; the server shows one file in
// both, and says so with a native ID.
func TestCoEditorInAnotherSpace(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	f := h.file("shared/a.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	bens := h.target(f)
	bens.File.Space, bens.File.Path, bens.Seen = h.space+1, "/from anna/a.docx", dav.Resource{}
	before := *h.row(f)
	x, err := h.Lease(ctx, f, "put", 0)
	ok(t, err)
	p, err := h.Permit(ctx, x, bens, ben, id("A"))
	x.Release()
	if ok(t, err); p.Token != before.token {
		t.Errorf("permit %+v", p)
	}
	ok(t, h.Refresh(ctx, bens, ben, "A"))
	if r := h.row(f); r.path != before.path || r.next != before.next || r.token != before.token {
		t.Errorf("another person's path moved the lock: %+v", r)
	}
	ok(t, h.Unlock(ctx, bens, ben, "A"))
	if len(h.davLocks("/shared/a.docx")) != 0 {
		t.Error("the DAV lock stays")
	}
}

func TestEvidence(t *testing.T) {
	was := evidence{ETag: `"1"`, Size: 5, Modified: 1000, NativeID: "n", ResourceID: "r"}
	res := dav.Resource{ETag: `"1"`, Size: 5, Modified: time.UnixMilli(1000), NativeID: "n", ResourceID: "r"}
	with := func(change func(*evidence, *dav.Resource)) (evidence, dav.Resource) {
		e, r := was, res
		change(&e, &r)
		return e, r
	}
	for name, c := range map[string]struct {
		change  func(*evidence, *dav.Resource)
		matches bool
	}{
		"the same":                        {func(*evidence, *dav.Resource) {}, true},
		"another native ID decides":       {func(_ *evidence, r *dav.Resource) { r.NativeID = "m" }, false},
		"the same native ID, edited":      {func(_ *evidence, r *dav.Resource) { r.ETag, r.Size = `"2"`, 6 }, true},
		"another resource-id":             {func(e *evidence, r *dav.Resource) { r.NativeID, r.ResourceID = "", "s" }, false},
		"no identity, the same ETag":      {func(e *evidence, r *dav.Resource) { e.NativeID, e.ResourceID = "", "" }, true},
		"no identity, a weak ETag":        {func(e *evidence, r *dav.Resource) { e.NativeID, e.ResourceID, r.ETag = "", "", `W/"1"` }, true},
		"no identity, another ETag":       {func(e *evidence, r *dav.Resource) { e.NativeID, e.ResourceID, r.ETag = "", "", `"2"` }, false},
		"no identity, another size":       {func(e *evidence, r *dav.Resource) { e.NativeID, e.ResourceID, r.Size = "", "", 6 }, false},
		"no identity, no ETag, same time": {func(e *evidence, r *dav.Resource) { e.NativeID, e.ResourceID, r.ETag = "", "", "" }, true},
		"no identity, no ETag, other time": {func(e *evidence, r *dav.Resource) {
			e.NativeID, e.ResourceID, r.ETag, r.Modified = "", "", "", time.UnixMilli(2000)
		}, false},
	} {
		e, r := with(c.change)
		if got := e.matches(r); got != c.matches {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestUnclear(t *testing.T) {
	for err, want := range map[error]bool{
		dav.ErrUnavailable: true, dav.ErrIncomplete: true, context.Canceled: true,
		&davbackend.LockedError{Holder: "x"}: false, dav.ErrNotFound: false, dav.ErrDenied: false, dav.ErrUnsupported: false,
	} {
		if unclear(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
	if unclear(nil) {
		t.Error("no error is unclear")
	}
}

func TestNewWantsItsFields(t *testing.T) {
	if _, err := New(context.Background(), Locks{}); err == nil {
		t.Error("made of nothing")
	}
}
