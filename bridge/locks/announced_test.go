package locks

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

const lockFileOfA = ".~lock.a.docx#"

// TestOwnLockFileLeftBehindLocksNobodyOut: the server refuses to let our lock file
// go, and its row is gone. Whoever comes next may lock the file all the same, and
// in the end the lock file goes.
func TestOwnLockFileLeftBehindLocksNobodyOut(t *testing.T) {
	for name, fault := range map[string]upstream.Fault{
		"cannot be removed":     {Method: "DELETE", Status: 403},
		"cannot be read":        {Method: "GET", Name: "lock", Status: 412},
		"server is down":        {Method: "DELETE", Status: 503},
		"answer is lost":        {Method: "DELETE", LoseAnswer: true},
		"credential is refused": {Method: "DELETE", Status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.Announce, h.Respect = true, true
			f := h.file("a.docx", "hello")
			ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
			h.server.Quirks.Fail(fault)
			ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
			if _, there := h.server.Read(t, lockFileOfA); there == fault.LoseAnswer || h.row(f) != nil {
				t.Fatal("nothing was left behind: the test proves nothing")
			}
			if fault.Method == "DELETE" {
				ok(t, h.Lock(t.Context(), h.target(f), ben, "B"))
				ok(t, h.Unlock(t.Context(), h.target(f), ben, "B"))
			}
			h.server.Quirks.Reset()
			h.clock.forward(time.Hour)
			h.tend()
			if got, there := h.server.Read(t, lockFileOfA); there {
				t.Errorf("the lock file stays: %q", got)
			}
			if n := h.count("locks_announced"); n != 0 {
				t.Errorf("%d lock files are still remembered", n)
			}
		})
	}
}

// TestLockFileThatCameInPartIsOurs: the upload of our lock file broke off, or was
// stored in part although the server said yes.
func TestLockFileThatCameInPartIsOurs(t *testing.T) {
	for name, fault := range map[string]upstream.Fault{
		"empty":     {Truncate: true},
		"a piece":   {Truncate: true, After: 9},
		"broke off": {Cut: true, After: 9},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.Announce, h.Respect = true, true
			h.server.Quirks.Set(func(q *upstream.Quirks) { q.PartialWrites = true })
			f := h.file("a.docx", "hello")
			fault.Method, fault.Times = "PUT", 1
			h.server.Quirks.Fail(fault)
			ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
			if got, there := h.server.Read(t, lockFileOfA); !there || len(got) > 9 {
				t.Fatalf("there is %q: the test proves nothing", got)
			}
			if _, err := h.Move(t.Context(), h.target(f), anna, id("A"), "/b.docx"); err != nil {
				t.Fatal(err)
			}
			if got, there := h.server.Read(t, lockFileOfA); there {
				t.Errorf("the lock file stays: %q", got)
			}
			ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
			if got, there := h.server.Read(t, ".~lock.b.docx#"); there {
				t.Errorf("the new lock file stays: %q", got)
			}
		})
	}
}

// TestLockFileThatComesLate: nobody answered its upload, and it arrives when the
// lock is long released.
func TestLockFileThatComesLate(t *testing.T) {
	h := newHouse(t)
	h.Announce = true
	f := h.file("a.docx", "hello")
	h.server.Quirks.Fail(upstream.Fault{Method: "PUT", Times: 1, Status: 504})
	ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
	nonce := h.row(f).nonce
	ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
	h.server.Write(t, lockFileOfA, formatLockFile(anna.Name, nonce, h.clock.read()))
	h.clock.forward(2 * firstGrant)
	h.tend()
	if got, there := h.server.Read(t, lockFileOfA); there {
		t.Errorf("the lock file stays: %q", got)
	}
}

// TestOldLockFileInTheWayOfTheNewOne: it goes, and the new one is written.
func TestOldLockFileInTheWayOfTheNewOne(t *testing.T) {
	h := newHouse(t)
	h.Announce, h.Respect = true, true
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
	h.server.Quirks.Fail(upstream.Fault{Method: "DELETE", Status: 503})
	ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
	ok(t, h.Lock(t.Context(), h.target(f), ben, "B"))
	h.server.Quirks.Reset()
	h.clock.forward(time.Minute)
	h.tend()
	if got, _ := h.server.Read(t, lockFileOfA); !strings.Contains(got, h.row(f).nonce) {
		t.Errorf("the lock file is %q, not that of the present lock", got)
	}
}

// TestUnlockRefusedWith423: lockdiscovery decides whether the lock is gone.
func TestUnlockRefusedWith423(t *testing.T) {
	for name, c := range map[string]struct {
		quirk func(*upstream.Quirks)
		stays bool
	}{
		"and the lock is shown":  {func(*upstream.Quirks) {}, true},
		"and no locks are shown": {func(q *upstream.Quirks) { q.HideLocks = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := h.file("a.docx", "hello")
			ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
			h.server.Quirks.Set(c.quirk)
			h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Status: 423})
			ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
			if r := h.row(f); (r != nil) != c.stays {
				t.Errorf("row %+v", r)
			}
			h.server.Quirks.Reset()
			h.clock.forward(time.Minute)
			h.tend()
			if locks := h.davLocks("/a.docx"); len(locks) != 0 || h.row(f) != nil {
				t.Errorf("the DAV lock stays: %v", locks)
			}
		})
	}
	t.Run("and the lock is gone", func(t *testing.T) {
		h := newHouse(t)
		f := h.file("a.docx", "hello")
		ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
		ok(t, h.view().Unlock(context.Background(), "/a.docx", h.row(f).token))
		h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Status: 423})
		ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
		if r := h.row(f); r == nil || r.phase != releasing {
			t.Errorf("row %+v, want it to be tried again", r)
		}
		h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Status: 423})
		h.clock.forward(shadowGrant + time.Minute)
		h.tend()
		if r := h.row(f); r != nil {
			t.Errorf("a lock that has run out is still released: %+v", r)
		}
	})
	t.Run("500 of Nextcloud, and the lock is gone", func(t *testing.T) {
		h := newHouse(t)
		f := h.file("a.docx", "hello")
		ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
		ok(t, h.view().Unlock(context.Background(), "/a.docx", h.row(f).token))
		h.server.Quirks.Set(func(q *upstream.Quirks) { q.UnlockWrong = 500 })
		ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
		if r := h.row(f); r != nil {
			t.Errorf("the row stays: %+v", r)
		}
		ok(t, h.Lock(t.Context(), h.target(f), ben, "B"))
	})
	t.Run("and somebody else has the lock", func(t *testing.T) {
		h := newHouse(t)
		f := h.file("a.docx", "hello")
		ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
		ok(t, h.view().Unlock(context.Background(), "/a.docx", h.row(f).token))
		h.foreign("/a.docx", "Zoe")
		h.server.Quirks.Fail(upstream.Fault{Method: "UNLOCK", Times: 1, Status: 423})
		ok(t, h.Unlock(t.Context(), h.target(f), anna, "A"))
		if r := h.row(f); r != nil {
			t.Errorf("the row stays: %+v", r)
		}
	})
}

// TestOwnOrphanIsAnOutageForASave: the answer to a LOCK of ours was lost on a server
// that shows no owners. A save must neither take that for somebody else nor be
// refused for good.
func TestOwnOrphanIsAnOutageForASave(t *testing.T) {
	h := newHouse(t)
	h.server.SetClock(h.clock.read)
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.HideLocks = true })
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(t.Context(), h.target(f), anna, "A"))
	r := h.row(f)
	ok(t, h.view().Unlock(context.Background(), "/a.docx", r.token)) // the server forgot it
	x, err := h.Lease(t.Context(), f, "put", time.Second)
	ok(t, err)
	h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, LoseAnswer: true})
	if _, err := h.Reshadow(t.Context(), x, h.target(f)); err == nil {
		t.Fatal("the answer was not lost: the test proves nothing")
	}
	_, err = h.Reshadow(t.Context(), x, h.target(f))
	if isMismatch(err) || !isLocked(err) {
		t.Errorf("Reshadow: %v, want a transient refusal", err)
	}
	_, err = h.Permit(t.Context(), x, h.target(f), anna, id("A"))
	if isMismatch(err) || !isLocked(err) {
		t.Errorf("Permit: %v, want a transient refusal", err)
	}
	x.Release()
	h.clock.forward(2 * firstGrant)
	h.tend()
	x, err = h.Lease(t.Context(), f, "put", time.Second)
	ok(t, err)
	defer x.Release()
	p, err := h.Permit(t.Context(), x, h.target(f), anna, id("A"))
	ok(t, err)
	if p.Token == "" {
		t.Error("no DAV lock")
	}
}

func isLocked(err error) bool {
	return strings.Contains(err.Error(), "locked by ourselves") && errors.Is(err, dav.ErrLocked)
}
