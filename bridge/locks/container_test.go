package locks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// folder makes a folder and gives it an ID.
func (h *house) folder(p dav.Path) idmap.FileID {
	h.t.Helper()
	ok(h.t, h.view().Mkcol(context.Background(), p))
	res, err := h.view().Stat(context.Background(), p)
	ok(h.t, err)
	e, err := h.ids.At(context.Background(), h.space, res)
	ok(h.t, err)
	return e.ID
}

func (h *house) knownAt(f idmap.FileID, want dav.Path) {
	h.t.Helper()
	known, err := h.ids.Known(context.Background(), h.space, f)
	if err != nil || known.Path != want {
		h.t.Errorf("known at %q (%v), want %q", known.Path, err, want)
	}
}

func TestRenameOfAContainer(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a := h.folder("/a")
	f := h.file("a/x.docx", "hello")
	h.folder("/taken")
	if _, err := h.MoveContainer(ctx, h.target(a), anna, "/taken"); !errors.Is(err, dav.ErrExists) {
		t.Errorf("to a taken name: %v", err)
	}
	h.knownAt(a, "/a")
	e, err := h.MoveContainer(ctx, h.target(a), anna, "/b")
	if ok(t, err); e.ID != a || e.Name != "b" {
		t.Errorf("%+v", e)
	}
	h.knownAt(f, "/b/x.docx")
	if h.target(f).File.Path != "/b/x.docx" || h.count("locks_intent") != 0 || len(h.told.all()) != 0 {
		t.Errorf("%d intents, heard %q", h.count("locks_intent"), h.told.all())
	}
}

// A container whose subtree holds a live lock is neither renamed nor deleted by
// somebody else.
func TestContainerWithSomebodyElsesLock(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a := h.folder("/a")
	h.folder("/a/deep")
	f := h.file("a/deep/Report.docx", "hello")
	beside := h.folder("/b")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.Forget()
	_, err := h.MoveContainer(ctx, h.target(a), ben, "/c")
	if m := is409(t, err, ""); !strings.Contains(m.Reason, "Report.docx") || !strings.Contains(m.Reason, "Anna") {
		t.Errorf("reason %q", m.Reason)
	}
	m := is409(t, h.DeleteContainer(ctx, h.target(a), ben), "")
	if !strings.Contains(m.Reason, "Report.docx") {
		t.Errorf("reason %q", m.Reason)
	}
	if n := h.server.Count("MOVE") + h.server.Count("DELETE") + h.server.Count("UNLOCK"); n != 0 {
		t.Errorf("%d requests that change something", n)
	}
	h.lockedAt(f, "/a/deep/Report.docx", true)
	_, err = h.MoveContainer(ctx, h.target(beside), ben, "/d") // a lock elsewhere is no matter
	ok(t, err)
	h.clock.forward(Life)
	_, err = h.MoveContainer(ctx, h.target(a), ben, "/c") // nor is one that is over
	ok(t, err)
	h.knownAt(f, "/c/deep/Report.docx")
}

func TestContainerWithOnesOwnLocks(t *testing.T) {
	for _, travels := range []bool{false, true} {
		t.Run(fmt.Sprint("travels ", travels), func(t *testing.T) {
			h := newHouse(t)
			h.Announce = true
			h.ups.List[0].Client.Assumed.MoveCarriesLock = travels // this server's do not
			ctx := context.Background()
			a := h.folder("/a")
			f, g := h.file("a/x.docx", "hello"), h.file("a/y.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			ok(t, h.Lock(ctx, h.target(g), anna, "B"))
			_, err := h.MoveContainer(ctx, h.target(a), anna, "/b")
			ok(t, err)
			h.lockedAt(f, "/b/x.docx", true)
			h.lockedAt(g, "/b/y.docx", true)
			if r := h.row(f); r.lock.ID != "A" {
				t.Errorf("row %+v", r)
			}
			if text, there := h.server.Read(t, "b/.~lock.x.docx#"); !there || !strings.Contains(text, h.row(f).nonce) {
				t.Errorf("announcement %q", text)
			}
			ok(t, h.put(f, anna, id("A")))
			ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
			ok(t, h.Unlock(ctx, h.target(g), anna, "B"))
			h.tend()
			left, err := os.ReadDir(filepath.Join(h.server.Dir, "b"))
			if ok(t, err); len(left) != 2 || h.count("locks_intent") != 0 || len(h.told.all()) != 0 {
				t.Errorf("left %v, %d intents, heard %q", left, h.count("locks_intent"), h.told.all())
			}
		})
	}
}

// What is refused leaves the locks as they were.
func TestContainerThatCannotMoveKeepsItsLocks(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a := h.folder("/a")
	h.folder("/b")
	f := h.file("a/x.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	if _, err := h.MoveContainer(ctx, h.target(a), anna, "/b"); !errors.Is(err, dav.ErrExists) {
		t.Fatalf("%v", err)
	}
	h.lockedAt(f, "/a/x.docx", true)
	x, err := h.Lease(ctx, f, "test", 0)
	if err != nil {
		t.Fatalf("the lease of the file is not given back: %v", err)
	}
	x.Release()
}

// A lock that only waits to be given back upstream is no reason to refuse.
func TestContainerWithALockThatIsOver(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a := h.folder("/a")
	f := h.file("a/x.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Status: 503})
	_ = h.Unlock(ctx, h.target(f), anna, "A")
	if len(h.davLocks("/a/x.docx")) != 1 {
		t.Fatal("the test is wrong: the lock is not there")
	}
	h.clock.forward(time.Minute)
	_, err := h.MoveContainer(ctx, h.target(a), ben, "/b")
	ok(t, err)
	h.knownAt(f, "/b/x.docx")
	ok(t, h.Lock(ctx, h.target(f), ben, "B"))
}

func TestDeleteOfAContainer(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a := h.folder("/a")
	f := h.file("a/x.docx", "hello")
	if err := h.DeleteContainer(ctx, h.target(a), anna); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("with a file in it: %v", err)
	}
	if h.server.Count("DELETE") != 0 {
		t.Error("DELETE was sent")
	}
	ok(t, h.Delete(ctx, h.target(f), anna))
	ok(t, h.DeleteContainer(ctx, h.target(a), anna))
	if _, err := h.ids.Known(ctx, h.space, a); !errors.Is(err, idmap.ErrNotFound) {
		t.Errorf("the ID lives: %v", err)
	}
	if again := h.folder("/a"); again == a || h.count("locks_intent") != 0 {
		t.Errorf("a new folder has %s, the dead one had %s", again, a)
	}
}

// The process dies at each step of a rename or a deletion of a container; another one
// finds the intent. IDs or no IDs on the upstream.
func TestCrashWhileChangingAContainer(t *testing.T) {
	ctx := context.Background()
	for _, ids := range []bool{true, false} {
		for reached := range 3 {
			t.Run(fmt.Sprintf("move, ids %v, step %d", ids, reached), func(t *testing.T) {
				h := newHouse(t)
				if !ids {
					h.server.Quirks.Set(func(q *upstream.Quirks) { q.NoResourceID = true })
				}
				a := h.folder("/a")
				f := h.file("a/x.docx", "hello")
				target := h.target(a)
				x, err := h.Lease(ctx, a, "move", 0)
				ok(t, err)
				m := moving{From: "/a", To: "/b", Evidence: target.evidence()}
				_, err = h.Intend(ctx, x, Intent{Kind: kindMove, Space: h.space, Upstream: "main", Detail: detail(m)})
				ok(t, err)
				want := dav.Path("/a")
				if reached >= 1 {
					ok(t, h.view().Move(ctx, m.From, m.To, false, davbackend.Condition{}, davbackend.Condition{}))
					h.server.Write(t, "b/new.txt", "and its folder looks different")
					want = m.To
				}
				if reached >= 2 {
					res, err := h.view().Stat(ctx, m.To)
					ok(t, err)
					_, err = h.ids.Moved(ctx, h.space, a, m.To, res)
					ok(t, err)
				}
				h.dieAndSettle(x)
				h.knownAt(a, want)
				h.knownAt(f, want+"/x.docx")
			})
		}
		for reached := range 2 {
			t.Run(fmt.Sprintf("delete, ids %v, step %d", ids, reached), func(t *testing.T) {
				h := newHouse(t)
				if !ids {
					h.server.Quirks.Set(func(q *upstream.Quirks) { q.NoResourceID = true })
				}
				a := h.folder("/a")
				target := h.target(a)
				x, err := h.Lease(ctx, a, "delete", 0)
				ok(t, err)
				_, err = h.Intend(ctx, x, Intent{
					Kind: kindDelete, Space: h.space, Upstream: "main", Detail: detail(moving{From: "/a", Evidence: target.evidence()}),
				})
				ok(t, err)
				if reached == 1 {
					ok(t, h.view().Delete(ctx, "/a", davbackend.Condition{}))
				}
				h.dieAndSettle(x)
				_, err = h.ids.Known(ctx, h.space, a)
				if dead := errors.Is(err, idmap.ErrNotFound); dead != (reached == 1) {
					t.Errorf("after step %d: %v", reached, err)
				}
			})
		}
	}
}

// The process dies when the locks below a container are given back, before or after its
// MOVE: the keeper of the next one takes them again where the files are.
func TestCrashWhileMovingAContainerWithLocks(t *testing.T) {
	ctx := context.Background()
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprint("moved ", moved), func(t *testing.T) {
			h := newHouse(t)
			h.Announce = true
			a := h.folder("/a")
			f := h.file("a/x.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			target := h.target(a)
			x, err := h.Lease(ctx, a, "move", 0)
			ok(t, err)
			now, err := h.now(ctx)
			ok(t, err)
			lifted, _, err := h.lift(ctx, target, anna, now)
			ok(t, err)
			m := moving{From: "/a", To: "/b", Evidence: target.evidence()}
			_, err = h.Intend(ctx, x, Intent{Kind: kindMove, Space: h.space, Upstream: "main", Detail: detail(m)})
			ok(t, err)
			want := dav.Path("/a/x.docx")
			if moved {
				ok(t, h.view().Move(ctx, m.From, m.To, false, davbackend.Condition{}, davbackend.Condition{}))
				want = "/b/x.docx"
			}
			for _, l := range lifted {
				l.lease.stop()
			}
			h.dieAndSettle(x)
			next := h.restart()
			next.Announce = true
			h.clock.forward(2 * time.Minute)
			ok(t, next.Tend(ctx))
			h.knownAt(f, want)
			h.lockedAt(f, want, true)
			ok(t, next.Unlock(ctx, h.target(f), anna, "A"))
			ok(t, next.Tend(ctx))
			left, err := os.ReadDir(filepath.Join(h.server.Dir, filepath.FromSlash(string(want.Parent()))))
			if ok(t, err); len(left) != 1 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// dieAndSettle ends the process of x, and lets another one find its intents.
func (h *house) dieAndSettle(x *Lease) {
	h.t.Helper()
	x.stop()
	next := h.restart()
	h.clock.forward(time.Minute)
	ok(h.t, next.Tend(context.Background()))
	if h.count("locks_intent") != 0 {
		h.t.Error("an intent stays")
	}
}

// An answer to MOVE that got lost is looked for.
func TestLostAnswerToTheMoveOfAContainer(t *testing.T) {
	for name, fault := range map[string]upstream.Fault{
		"it happened": {Method: "MOVE", Times: 1, LoseAnswer: true},
		"it did not":  {Method: "MOVE", Times: 1, Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			ctx := context.Background()
			a := h.folder("/a")
			f := h.file("a/x.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			h.server.Quirks.Fail(fault)
			_, err := h.MoveContainer(ctx, h.target(a), anna, "/b")
			want := dav.Path("/a")
			if fault.LoseAnswer {
				ok(t, err)
				want = "/b"
			} else if err == nil {
				t.Error("said to be moved")
			}
			h.knownAt(a, want)
			h.lockedAt(f, want+"/x.docx", true)
			if h.count("locks_intent") != 0 {
				t.Error("an intent stays")
			}
		})
	}
}

// Real servers, which have rules of their own for locks below a folder.
func TestContainersOnRealServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			h := houseOn(t, sqldbtest.New(t), start(t))
			ctx := context.Background()
			a := h.folder("/a b")
			f := h.file("a b/x.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			is409(t, moveError(h.MoveContainer(ctx, h.target(a), ben, "/c d")), "")
			_, err := h.MoveContainer(ctx, h.target(a), anna, "/c d")
			ok(t, err)
			h.knownAt(f, "/c d/x.docx")
			if r := h.row(f); r.lock.ID != "A" || r.path != "/c d/x.docx" {
				t.Errorf("row %+v", r)
			}
			ok(t, h.put(f, anna, id("A")))
			ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
			if err := h.DeleteContainer(ctx, h.target(a), anna); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("with a file in it: %v", err)
			}
			ok(t, h.Delete(ctx, h.target(f), anna))
			ok(t, h.DeleteContainer(ctx, h.target(a), anna))
			if _, err := h.view().Stat(ctx, "/c d"); !errors.Is(err, dav.ErrNotFound) {
				t.Errorf("the folder stays: %v", err)
			}
		})
	}
}

func moveError(_ idmap.Entry, err error) error { return err }

func TestIsBase(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	f := h.file("a.docx", "hello")
	is := func(revision int64) bool {
		t.Helper()
		yes, err := h.IsBase(ctx, f, revision)
		ok(t, err)
		return yes
	}
	read := h.target(f).File.Revision.Number
	if is(read) {
		t.Error("without an editing")
	}
	ok(t, h.Lock(ctx, h.target(f), anna, wopi.LockID("A")))
	if is(read) {
		t.Error("of an editing that has read nothing")
	}
	ok(t, h.Joined(ctx, f, anna))
	ok(t, h.Read(ctx, f, anna, read))
	if !is(read) {
		t.Error("what it has read")
	}
	x, err := h.Lease(ctx, f, "put", time.Second)
	ok(t, err)
	p, err := h.Permit(ctx, x, h.target(f), anna, id("A"))
	ok(t, err)
	h.server.Write(t, "a.docx", "ours")
	written := h.target(f).File.Revision.Number
	ok(t, h.SetBase(ctx, x, p.Editing.ID, written))
	x.Release()
	if !is(written) || is(read) {
		t.Error("what it has written")
	}
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	h.server.Write(t, "a.docx", "from outside")
	if outside := h.target(f).File.Revision.Number; outside == written || is(outside) || !is(written) {
		t.Errorf("revision %d from outside, %d written", outside, written)
	}
}
