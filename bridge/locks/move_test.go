package locks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

func TestRenameWhileLockedTakesTheLockAlong(t *testing.T) {
	h := newHouse(t)
	h.Announce = true
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	old := h.row(f).token
	e, err := h.Move(ctx, h.target(f), anna, id("A"), "/b.docx")
	ok(t, err)
	if e.ID != f || e.Path != "/b.docx" || e.Name != "b.docx" {
		t.Errorf("entry %+v", e)
	}
	r, locks := h.row(f), h.davLocks("/b.docx")
	if r.path != "/b.docx" || r.lock.ID != "A" || r.lost || len(locks) != 1 || locks[0].Token != r.token || r.token == old {
		t.Errorf("row %+v, locks %+v", r, locks)
	}
	if _, there := h.server.Read(t, ".~lock.a.docx#"); there {
		t.Error("the old announcement stays")
	}
	if text, there := h.server.Read(t, ".~lock.b.docx#"); !there || !strings.Contains(text, r.nonce) {
		t.Errorf("announcement %q", text)
	}
	if h.count("locks_intent") != 0 || len(h.told.all()) != 0 {
		t.Errorf("%d intents, heard %q", h.count("locks_intent"), h.told.all())
	}
	ok(t, h.put(f, anna, id("A")))
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
}

func TestRenameWhereTheLockTravels(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.ups.List[0].Client.Assumed.MoveCarriesLock = true
	h.server.Forget()
	_, err := h.Move(ctx, h.target(f), anna, id("A"), "/b.docx")
	ok(t, err)
	// This server's lock does not travel: the look afterwards notices.
	if r, locks := h.row(f), h.davLocks("/b.docx"); len(locks) != 1 || locks[0].Token != r.token || r.path != "/b.docx" {
		t.Errorf("row %+v, locks %+v", r, locks)
	}
	for _, r := range h.server.Requests() {
		if r.Method == "MOVE" && !strings.Contains(r.Header.Get("If"), "opaquelocktoken") {
			t.Errorf("MOVE without the token: %q", r.Header.Get("If"))
		}
		if r.Method == "UNLOCK" && r.Path == "/a.docx" {
			t.Error("unlocked before the move")
		}
	}
}

func TestRenameToATakenNameChangesNothing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	h.file("b.docx", "other")
	ctx := context.Background()
	for _, locked := range []bool{false, true} {
		var lock = id("A")
		if locked {
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
		}
		if _, err := h.Move(ctx, h.target(f), anna, lock, "/b.docx"); !errors.Is(err, dav.ErrExists) {
			t.Fatalf("%v, want already exists", err)
		}
		if got, _ := h.server.Read(t, "b.docx"); got != "other" {
			t.Fatalf("the other file holds %q", got)
		}
		if n := len(h.davLocks("/a.docx")); (n == 1) != locked || h.count("locks_intent") != 0 {
			t.Errorf("locked %v: %d DAV locks, %d intents", locked, n, h.count("locks_intent"))
		}
		if locked && (h.row(f).lost || h.davLocks("/a.docx")[0].Token != h.row(f).token) {
			t.Errorf("row %+v", h.row(f))
		}
	}
}

func TestRenameOntoItself(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	h.server.Forget()
	e, err := h.Move(context.Background(), target, anna, nil, "/a.docx")
	if ok(t, err); e.ID != f || len(h.server.Requests()) != 0 {
		t.Errorf("%+v, requests %+v", e, h.server.Requests())
	}
}

func TestSomebodyTakesTheLockInTheGapOfARename(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	var token dav.LockToken
	h.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Times: 1, Then: func() { token = h.foreign("/b.docx", "Zoe") }})
	_, err := h.Move(ctx, h.target(f), anna, id("A"), "/b.docx")
	ok(t, err) // it was renamed
	r := h.row(f)
	if !r.lost || r.path != "/a.docx" && r.path != "/b.docx" || !r.locked(h.clock.read()) {
		t.Errorf("row %+v", r)
	}
	ok(t, h.view().Unlock(ctx, "/b.docx", token))
	h.clock.forward(11 * time.Minute)
	h.tend()
	if r := h.row(f); r.lost || r.path != "/b.docx" || len(h.davLocks("/b.docx")) != 1 {
		t.Errorf("row %+v", r)
	}
}

func TestForeignLockRefusesRenameAndDelete(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	h.foreign("/a.docx", "Zoe")
	_, err := h.Move(ctx, h.target(f), anna, nil, "/b.docx")
	if m := is409(t, err, ""); !m.Foreign || !strings.Contains(m.Reason, "Zoe") {
		t.Errorf("%+v", m)
	}
	if m := is409(t, h.Delete(ctx, h.target(f), anna), ""); !m.Foreign || !strings.Contains(m.Reason, "Zoe") {
		t.Errorf("%+v", m)
	}
	if h.count("locks_intent") != 0 {
		t.Error("intents stay")
	}
}

func TestLostAnswerToMove(t *testing.T) {
	ctx := context.Background()
	for _, locked := range []bool{false, true} {
		for name, fault := range map[string]upstream.Fault{
			"it happened":     {Method: "MOVE", Times: 1, LoseAnswer: true},
			"it did not":      {Method: "MOVE", Times: 1, Cut: true},
			"it did, says no": {Method: "MOVE", Times: 1, LoseAnswer: true},
		} {
			t.Run(fmt.Sprint(name, " locked ", locked), func(t *testing.T) {
				h := newHouse(t)
				f := h.file("a.docx", "hello")
				if locked {
					ok(t, h.Lock(ctx, h.target(f), anna, "A"))
				}
				target := h.target(f)
				down := strings.HasSuffix(name, "no")
				if down { // and nobody answers afterwards either
					fault.Then = func() { h.server.Quirks.Fail(upstream.Fault{Status: 503}) }
				}
				h.server.Quirks.Fail(fault)
				e, err := h.Move(ctx, target, anna, id("A"), "/b.docx")
				if happened := fault.LoseAnswer; happened && !down {
					if ok(t, err); e.Path != "/b.docx" {
						t.Errorf("entry %+v", e)
					}
				} else if !errors.Is(err, dav.ErrUnavailable) {
					t.Errorf("%v, want unavailable", err)
				}
				h.server.Quirks.Reset()
				h.clock.forward(2 * time.Minute)
				h.tend()
				h.clock.forward(2 * time.Minute)
				h.tend()
				want := dav.Path("/a.docx")
				if fault.LoseAnswer {
					want = "/b.docx"
				}
				known, err := h.ids.Known(ctx, h.space, f)
				if ok(t, err); known.Path != want {
					t.Errorf("known at %s, want %s", known.Path, want)
				}
				if h.count("locks_intent") != 0 {
					t.Error("an intent stays")
				}
				h.lockedAt(f, want, locked)
			})
		}
	}
}

// lockedAt demands that row and upstream agree.
func (h *house) lockedAt(f idmap.FileID, p dav.Path, locked bool) {
	h.t.Helper()
	r, locks := h.row(f), h.davLocks(p)
	if !locked {
		if r != nil || len(locks) != 0 {
			h.t.Errorf("row %+v, locks %+v, want none", r, locks)
		}
		return
	}
	if r == nil || r.lost || r.path != p || len(locks) != 1 || locks[0].Token != r.token {
		h.t.Errorf("row %+v, locks %+v", r, locks)
	}
}

// The process dies at each step of a rename; another one finds the intent.
func TestCrashWhileMoving(t *testing.T) {
	ctx := context.Background()
	for _, locked := range []bool{false, true} {
		for reached := range 5 {
			t.Run(fmt.Sprintf("locked %v, step %d", locked, reached), func(t *testing.T) {
				h := newHouse(t)
				f := h.file("a.docx", "hello")
				if locked {
					ok(t, h.Lock(ctx, h.target(f), anna, "A"))
				}
				target := h.target(f)
				x, err := h.Lease(ctx, f, "move", 0)
				ok(t, err)
				m := moving{From: "/a.docx", To: "/b.docx", Evidence: target.evidence()}
				i := Intent{Kind: kindMove, Space: h.space, Upstream: "main", Detail: detail(m)}
				_, err = h.Intend(ctx, x, i)
				ok(t, err)
				want := dav.Path("/a.docx")
				if r := h.row(f); r != nil && reached >= 1 {
					if reached == 1 {
						ok(t, h.view().Unlock(ctx, r.path, r.token)) // and the row does not know it
					} else {
						ok(t, h.unlockForMove(ctx, target, anna, r))
					}
				}
				if reached >= 3 {
					ok(t, h.view().Move(ctx, m.From, m.To, false, davbackend.Condition{}, davbackend.Condition{}))
					want = m.To
				} else if reached == 2 {
					h.file("c.docx", "hello") // a look-alike elsewhere changes nothing
				}
				if reached >= 4 {
					res, err := h.view().Stat(ctx, m.To)
					ok(t, err)
					_, err = h.ids.Moved(ctx, h.space, f, m.To, res)
					ok(t, err)
				}
				x.stop() // the process is gone
				next := h.restart()
				h.clock.forward(time.Minute)
				ok(t, next.Tend(ctx))
				if h.count("locks_intent") != 0 {
					t.Error("the intent stays")
				}
				known, err := h.ids.Known(ctx, h.space, f)
				if ok(t, err); known.Path != want {
					t.Errorf("known at %s, want %s", known.Path, want)
				}
				h.lockedAt(f, want, locked)
			})
		}
	}
}

func TestDelete(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Delete(ctx, h.target(f), anna))
	if _, there := h.server.Read(t, "a.docx"); there {
		t.Error("the file stays")
	}
	if _, err := h.ids.Known(ctx, h.space, f); !errors.Is(err, idmap.ErrNotFound) {
		t.Errorf("the ID lives: %v", err)
	}
	if h.count("locks_intent") != 0 || h.count("locks_row") != 0 {
		t.Error("something stays")
	}
}

func TestDeleteAfterAnExpiredLockEndsItsEditing(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(Life)
	ok(t, h.Delete(ctx, h.target(f), anna))
	if s, err := h.State(ctx, f); err != nil || s.Editing != nil || h.row(f) != nil {
		t.Errorf("state %+v, %v", s, err)
	}
}

func TestLostAnswerToDelete(t *testing.T) {
	ctx := context.Background()
	for name, fault := range map[string]upstream.Fault{
		"it happened": {Method: "DELETE", Times: 1, LoseAnswer: true},
		"it did not":  {Method: "DELETE", Times: 1, Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			h.server.Quirks.Fail(fault)
			if err := h.Delete(ctx, h.target(f), anna); !errors.Is(err, dav.ErrUnavailable) {
				t.Fatalf("%v, want unavailable", err)
			}
			ok(t, h.restart().Tend(ctx))
			_, err := h.ids.Known(ctx, h.space, f)
			if dead := errors.Is(err, idmap.ErrNotFound); dead != fault.LoseAnswer {
				t.Errorf("the ID is dead: %v (%v)", dead, err)
			}
			if h.count("locks_intent") != 0 {
				t.Error("an intent stays")
			}
		})
	}
}

// A deletion that never happened, and somebody has renamed the file since.
func TestDeleteIntentDoesNotKillAMovedFile(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	h.server.Quirks.Fail(upstream.Fault{Method: "DELETE", Times: 1, Cut: true})
	if err := h.Delete(ctx, h.target(f), anna); !errors.Is(err, dav.ErrUnavailable) {
		t.Fatalf("%v, want unavailable", err)
	}
	ok(t, h.view().Move(ctx, "/a.docx", "/b.docx", false, davbackend.Condition{}, davbackend.Condition{}))
	h.tend()
	if known, err := h.ids.Known(ctx, h.space, f); err != nil || known.Path != "/b.docx" {
		t.Errorf("known %+v, %v", known, err)
	}
}

func TestDeleteOfAFileThatIsGoneSaysSo(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	target := h.target(f)
	ctx := context.Background()
	ok(t, h.view().Move(ctx, "/a.docx", "/b.docx", false, davbackend.Condition{}, davbackend.Condition{}))
	if err := h.Delete(ctx, target, anna); !errors.Is(err, dav.ErrNotFound) {
		t.Errorf("%v, want not found", err)
	}
	if known, err := h.ids.Known(ctx, h.space, f); err != nil {
		t.Errorf("the ID of a moved file died: %+v, %v", known, err)
	}
}

// TestMoveThatWasDoneTwice: a proxy sends MOVE again, and the second one is refused.
func TestMoveThatWasDoneTwice(t *testing.T) {
	for _, status := range []int{404, 409, 412, 423} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
			target := h.target(f)
			h.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Times: 1, Status: status, Before: func() {
				if err := os.Rename(filepath.Join(h.server.Dir, "a.docx"), filepath.Join(h.server.Dir, "b.docx")); err != nil {
					t.Error(err)
				}
			}})
			e, err := h.Move(t.Context(), target, anna, id("A"), "/b.docx")
			ok(t, err)
			if e.Path != "/b.docx" || e.ID != f {
				t.Errorf("found at %q", e.Path)
			}
			if r := h.row(f); r.path != "/b.docx" || r.token == "" {
				t.Errorf("the lock is at %q, lost %v", r.path, r.lost)
			}
			if n := h.count("locks_intent"); n != 0 {
				t.Errorf("%d intents are left", n)
			}
		})
	}
}

// TestWhoWaitedActsOnNoOldPlace: the file was renamed while a second rename and a
// deletion waited, and another file lies where it was.
func TestWhoWaitedActsOnNoOldPlace(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	old := h.target(f)
	_, err := h.Move(t.Context(), old, anna, nil, "/b.docx")
	ok(t, err)
	h.server.Write(t, "a.docx", "somebody else's")
	if err := h.Delete(t.Context(), old, anna); !errors.Is(err, ErrBusy) {
		t.Errorf("Delete: %v", err)
	}
	if _, err := h.Move(t.Context(), old, anna, nil, "/c.docx"); !errors.Is(err, ErrBusy) {
		t.Errorf("Move: %v", err)
	}
	for name, want := range map[string]string{"a.docx": "somebody else's", "b.docx": "hello"} {
		if got, _ := h.server.Read(t, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}
