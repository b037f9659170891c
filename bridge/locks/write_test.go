package locks

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

// save does what a save does with a permit: it writes, and records the revision.
func (h *house) save(f idmap.FileID, a Actor, id *wopi.LockID, content string) (Permit, error) {
	h.t.Helper()
	ctx := context.Background()
	x, err := h.Lease(ctx, f, "put", time.Second)
	if err != nil {
		return Permit{}, err
	}
	defer x.Release()
	t := h.target(f)
	p, err := h.Permit(ctx, x, t, a, id)
	if err != nil {
		return p, err
	}
	body := davbackend.Body{Open: bytesOf(content), Size: int64(len(content))}
	if err := p.View.Put(ctx, t.File.Path, body, davbackend.Condition{Token: p.Token}); err != nil {
		return p, err
	}
	res, err := p.View.Stat(ctx, t.File.Path)
	if err != nil {
		return p, err
	}
	e, err := h.ids.Wrote(ctx, h.space, f, res, nil)
	if err != nil {
		return p, err
	}
	if p.Editing != nil {
		err = h.SetBase(ctx, x, p.Editing.ID, e.Revision.Number)
	}
	return p, err
}

func TestSaveAfterExpiryTakesRowAndDAVLockAgain(t *testing.T) {
	for name, tended := range map[string]bool{"not yet released upstream": false, "released upstream": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			ctx := context.Background()
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			editing := h.row(f).editing
			h.clock.forward(time.Hour)
			if tended {
				h.tend()
			}
			ok(t, h.MayWrite(ctx, h.target(f), anna, id("A")))
			p, err := h.save(f, anna, id("A"), "edited")
			if ok(t, err); !p.Retaken || p.Editing.ID != editing || p.Token == "" || p.Lock.ID != "A" {
				t.Errorf("permit %+v", p)
			}
			if r := h.row(f); !r.locked(h.clock.read()) || r.editing != editing {
				t.Errorf("row %+v", r)
			}
			ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
		})
	}
}

func TestRefreshAndLockTakeAnExpiredLockAgain(t *testing.T) {
	ctx := context.Background()
	for name, do := range map[string]func(h *house, f idmap.FileID) error{
		"RefreshLock": func(h *house, f idmap.FileID) error { return h.Refresh(ctx, h.target(f), anna, "A") },
		"Lock":        func(h *house, f idmap.FileID) error { return h.Lock(ctx, h.target(f), anna, "A") },
		"with the ID before UnlockAndRelock": func(h *house, f idmap.FileID) error {
			return h.Refresh(ctx, h.target(f), anna, "before")
		},
	} {
		for _, tended := range []bool{false, true} {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "before"))
			ok(t, h.Relock(ctx, h.target(f), anna, "before", "A"))
			editing := h.row(f).editing
			h.clock.forward(time.Hour)
			if tended {
				h.tend()
			}
			if err := do(h, f); err != nil {
				t.Errorf("%s, tended %v: %v", name, tended, err)
				continue
			}
			if r := h.row(f); r.editing != editing || len(h.davLocks("/a.docx")) != 1 {
				t.Errorf("%s: row %+v", name, r)
			}
		}
	}
}

func TestLockWithAnIDNeverHeldBeginsAnotherEditing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	first := h.row(f).editing
	h.clock.forward(time.Hour)
	is409(t, h.Refresh(ctx, h.target(f), anna, "never held"), "")
	is409(t, h.put(f, anna, id("never held")), "")
	is409(t, h.put(f, elsewhere(anna), id("A")), "") // held through another editor only
	ok(t, h.Lock(ctx, h.target(f), ben, "B"))
	second := h.row(f).editing
	if second == first {
		t.Error("the same editing goes on")
	}
	// "A" is not the latest editing's any more.
	h.clock.forward(time.Hour)
	is409(t, h.Refresh(ctx, h.target(f), anna, "A"), "")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	if e := h.row(f).editing; e == first || e == second {
		t.Error("an editing that is over goes on")
	}
}

// Collabora before July 2023 sends UNLOCK before its exit save.
func TestSaveAfterUnlock(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	editing := h.row(f).editing
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	ok(t, h.MayWrite(ctx, h.target(f), anna, id("A")))
	p, err := h.save(f, anna, id("A"), "last words")
	if ok(t, err); !p.Retaken || p.Editing.ID != editing || p.Token == "" {
		t.Errorf("permit %+v", p)
	}
	// For WOPI the file stays unlocked: the next session can begin at once.
	if got, err := h.Get(ctx, h.target(f), anna); err != nil || got != "" {
		t.Errorf("GetLock %q, %v", got, err)
	}
	ok(t, h.Lock(ctx, h.target(f), ben, "B"))
	ok(t, h.Unlock(ctx, h.target(f), ben, "B"))
	if got, _ := h.server.Read(t, "a.docx"); got != "last words" {
		t.Errorf("file holds %q", got)
	}
}

func TestSaveAfterUnlockLeavesNoLock(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	_, err := h.save(f, anna, id("A"), "last words")
	ok(t, err)
	h.clock.forward(20 * time.Second)
	h.tend()
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 || h.count("locks_intent") != 0 {
		t.Errorf("row %+v, locks %+v, %d intents", h.row(f), h.davLocks("/a.docx"), h.count("locks_intent"))
	}
}

func TestSaveAfterUnlockEndsAfterAMinuteOrAChange(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	h.clock.forward(time.Hour)
	ok(t, h.put(f, anna, id("A"))) // unchanged: no harm can be done
	h.tend()
	h.server.Write(t, "a.docx", "changed outside")
	is409(t, h.MayWrite(ctx, h.target(f), anna, id("A")), "")

	g := h.file("b.docx", "hello")
	ok(t, h.Lock(ctx, h.target(g), anna, "A"))
	ok(t, h.Unlock(ctx, h.target(g), anna, "A"))
	h.server.Write(t, "b.docx", "changed outside")
	h.clock.forward(59 * time.Second)
	ok(t, h.MayWrite(ctx, h.target(g), anna, id("A"))) // the save itself will see the change
	h.clock.forward(2 * time.Second)
	is409(t, h.MayWrite(ctx, h.target(g), anna, id("A")), "")
}

func TestRefreshAndUnlockAfterUnlockAreAStrangers(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	is409(t, h.Refresh(ctx, h.target(f), anna, "A"), "")
	is409(t, h.Unlock(ctx, h.target(f), anna, "A"), "")
	is409(t, h.Relock(ctx, h.target(f), anna, "A", "B"), "")
}

// Whoever lost the file to somebody else must not lose the bytes too.
func TestSaveWithAnIDOfOursWhileSomebodyElseHoldsTheFile(t *testing.T) {
	ctx := context.Background()
	type state struct {
		lose    func(h *house, f idmap.FileID)
		current wopi.LockID
	}
	for name, s := range map[string]state{
		"expired, then locked by another session": {func(h *house, f idmap.FileID) {
			h.clock.forward(time.Hour)
			ok(t, h.Lock(ctx, h.target(f), ben, "B"))
		}, "B"},
		"unlocked, then locked by another session": {func(h *house, f idmap.FileID) {
			ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
			ok(t, h.Lock(ctx, h.target(f), ben, "B"))
		}, "B"},
		"taken over in another tab": {func(h *house, f idmap.FileID) {
			ok(t, h.Relock(ctx, h.target(f), anna, "A", "B"))
		}, "B"},
		"expired, then locked in another editor": {func(h *house, f idmap.FileID) {
			h.clock.forward(time.Hour)
			ok(t, h.Lock(ctx, h.target(f), elsewhere(ben), "B"))
		}, ""},
		"expired, then locked by another DAV client": {func(h *house, f idmap.FileID) {
			h.clock.forward(time.Hour)
			h.tend()
			h.foreign("/a.docx", "Zoe")
		}, ""},
		"unlocked, then locked by another DAV client": {func(h *house, f idmap.FileID) {
			ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
			h.foreign("/a.docx", "Zoe")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			editing := h.row(f).editing
			s.lose(h, f)
			ok(t, h.MayWrite(ctx, h.target(f), anna, id("A"))) // the body is wanted
			_, err := h.save(f, anna, id("A"), "must not be written")
			var superseded *SupersededError
			if !errors.As(err, &superseded) || superseded.Editing.ID != editing {
				t.Fatalf("%v, want superseded", err)
			}
			is409(t, err, s.current)
			if got, _ := h.server.Read(t, "a.docx"); got != "hello" {
				t.Errorf("file holds %q", got)
			}
		})
	}
}

func TestAfterADayAnOldIDIsAStrangers(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	h.clock.forward(keepsIDs + time.Minute)
	ok(t, h.Lock(ctx, h.target(f), ben, "B"))
	var superseded *SupersededError
	if err := h.put(f, anna, id("A")); errors.As(err, &superseded) {
		t.Error("superseded")
	}
	is409(t, h.put(f, anna, id("A")), "B")
}

func TestCoEditorsSaveHasTheLockTakersCredentialInReserve(t *testing.T) {
	h := newHouse(t)
	h.perUser()
	h.server.Quirks.AddUser("ben", "bens")
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	annas := h.target(f)
	annas.Pin = h.pin
	ok(t, h.Lock(ctx, annas, anna, "A"))
	bens := h.target(f)
	bens.View = h.ups.List[0].Client.As(davbackend.Credential{Kind: "password", User: "ben", Secret: "bens"})
	x, err := h.Lease(ctx, f, "put", 0)
	ok(t, err)
	defer x.Release()
	p, err := h.Permit(ctx, x, bens, ben, id("A"))
	if ok(t, err); p.View != bens.View || p.Taker == nil || p.Taker == p.View {
		t.Errorf("permit %+v", p)
	}
	p, err = h.Permit(ctx, x, annas, anna, id("A"))
	if ok(t, err); p.View != annas.View || p.Taker != nil {
		t.Errorf("permit of the taker %+v", p)
	}
	h.service()
	p, err = h.Permit(ctx, x, bens, ben, id("A"))
	if ok(t, err); p.Taker != nil {
		t.Error("one account for all needs no reserve")
	}
}

func TestKeeperUsesThePinnedCredential(t *testing.T) {
	h := newHouse(t)
	h.perUser()
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	target := h.target(f)
	target.Pin = h.pin
	ok(t, h.Lock(ctx, target, anna, "A"))
	if len(h.row(f).pinned) == 0 || strings.Contains(string(h.row(f).pinned), h.server.Password) {
		t.Fatal("not pinned, or not sealed")
	}
	h.clock.forward(16 * time.Minute)
	h.tend()
	if got := h.row(f).granted.Sub(h.clock.read()); got < 29*time.Minute {
		t.Errorf("granted for %v more; heard %q", got, h.told.all())
	}
	h.clock.forward(Life)
	h.tend()
	if h.row(f) != nil || len(h.davLocks("/a.docx")) != 0 {
		t.Error("not released")
	}
}

func TestReshadow(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	x, err := h.Lease(ctx, f, "put", 0)
	ok(t, err)
	defer x.Release()
	old := h.row(f).token
	h.server.DropLocks(t, "/a.docx")
	token, err := h.Reshadow(ctx, x, h.target(f))
	if ok(t, err); token == "" || token == old || token != h.row(f).token || h.davLocks("/a.docx")[0].Token != token {
		t.Errorf("token %q", token)
	}
	// Asked for without need it does no harm.
	if token, err = h.Reshadow(ctx, x, h.target(f)); err != nil || h.davLocks("/a.docx")[0].Token != token {
		t.Errorf("%q, %v", token, err)
	}
	h.server.DropLocks(t, "/a.docx")
	h.foreign("/a.docx", "Zoe")
	_, err = h.Reshadow(ctx, x, h.target(f))
	if m := is409(t, err, ""); !m.Foreign || !strings.Contains(m.Reason, "Zoe") {
		t.Errorf("%+v", m)
	}
	if !h.row(f).lost {
		t.Error("not marked lost")
	}
	x.Release()
	if _, err = h.Reshadow(ctx, x, h.target(f)); !errors.Is(err, ErrStale) {
		t.Errorf("without the lease: %v", err)
	}
}

// TestLockThatOnlySeemsLostIsGivenBack: the old DAV lock could not be given back, so that no
// other was taken. The row has lost it, but the upstream has not; Unlock leaves nothing.
func TestLockThatOnlySeemsLostIsGivenBack(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	x, err := h.Lease(ctx, f, "put", 0)
	ok(t, err)
	h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Status: http.StatusServiceUnavailable, Times: 1})
	if _, err := h.Reshadow(ctx, x, h.target(f)); err == nil {
		t.Fatal("it was taken anew")
	}
	x.Release()
	if r := h.row(f); !r.lost || len(h.davLocks("/a.docx")) != 1 {
		t.Fatalf("row %+v, locks %+v", r, h.davLocks("/a.docx"))
	}
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	h.clock.forward(2 * time.Minute)
	h.tend()
	if locks := h.davLocks("/a.docx"); h.row(f) != nil || len(locks) != 0 || h.count("locks_intent") != 0 {
		t.Errorf("row %+v, locks %+v, %d intents", h.row(f), locks, h.count("locks_intent"))
	}
}

func TestReshadowWithoutAnAnswerLeavesNothing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	x, err := h.Lease(ctx, f, "put", 0)
	ok(t, err)
	h.server.DropLocks(t, "/a.docx")
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, LoseAnswer: true})
	if _, err := h.Reshadow(ctx, x, h.target(f)); !errors.Is(err, dav.ErrUnavailable) {
		t.Fatalf("%v, want unavailable", err)
	}
	x.Release()
	h.tend() // releases what the lost LOCK took, by its nonce
	h.clock.forward(11 * time.Minute)
	h.tend() // and takes it again
	locks, r := h.davLocks("/a.docx"), h.row(f)
	if r.lost || len(locks) != 1 || locks[0].Token != r.token || h.count("locks_intent") != 0 {
		t.Errorf("row %+v, locks %+v, %d intents", r, locks, h.count("locks_intent"))
	}
}

func TestJudge(t *testing.T) {
	live := &row{phase: held, lock: Lock{"cur", noon.Add(Life)}, actor: anna, editing: 2}
	taken := &row{phase: taking, takingUntil: noon.Add(time.Second), actor: anna}
	e := func(id int64, ended time.Duration, base int64) *editingRow {
		r := &editingRow{Editing: Editing{ID: id, Base: base}}
		if ended != 0 {
			r.Ended = noon.Add(-ended)
		}
		return r
	}
	for _, c := range []struct {
		name string
		s    standing
		id   *wopi.LockID
		size int64
		want verdict
	}{
		{"locked, the ID is shown", standing{row: live}, id("cur"), 5, write},
		{"locked, another ID", standing{row: live, latest: e(2, 0, 1)}, id("A"), 5, refuse},
		{"locked, no ID, empty file", standing{row: live}, nil, 0, refuse},
		{"locked by the next editing, ID of the one before", standing{row: live, latest: e(2, 0, 1), of: e(1, time.Hour, 1)}, id("A"), 5, supersede},
		{"locked, ID of an editing of last week", standing{row: live, latest: e(2, 0, 1), of: e(1, 99*time.Hour, 1)}, id("A"), 5, refuse},
		{"locked by the same editing, ID before", standing{row: live, latest: e(2, 0, 1), of: e(2, 0, 1)}, id("A"), 5, supersede},
		{"being taken", standing{row: taken}, id("A"), 0, wait},
		{"unlocked, empty", standing{}, nil, 0, create},
		{"unlocked, empty, some ID", standing{}, id("A"), 0, create},
		{"unlocked, not empty", standing{}, id("A"), 1, refuse},
		{"unlocked, size unknown", standing{}, nil, -1, refuse},
		{"expired, ID of the latest editing", standing{latest: e(2, 0, 1), of: e(2, 0, 1)}, id("A"), 5, retake},
		{"expired, empty, ID of the latest editing", standing{latest: e(2, 0, 1), of: e(2, 0, 1)}, id("A"), 0, retake},
		{"unlocked a minute ago", standing{latest: e(2, 59*time.Second, 1), of: e(2, 59*time.Second, 1)}, id("A"), 5, afterEnd},
		{"unlocked an hour ago, unchanged", standing{latest: e(2, time.Hour, 7), of: e(2, time.Hour, 7)}, id("A"), 5, afterEnd},
		{"unlocked an hour ago, changed", standing{latest: e(2, time.Hour, 6), of: e(2, time.Hour, 6)}, id("A"), 5, refuse},
		{"unlocked, ID of an older editing", standing{latest: e(2, time.Second, 7), of: e(1, time.Second, 7)}, id("A"), 5, refuse},
	} {
		c.s.now = noon
		got, m := c.s.judge(anna, c.id, c.size, 7)
		if got != c.want || (m != nil) != (got == refuse || got == supersede) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, m, c.want)
		}
	}
}
