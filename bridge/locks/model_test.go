package locks

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"pgregory.net/rapid"
)

// A model is what the lock book should say of one file, in a few lines.
type model struct {
	id      wopi.LockID // "" never locked, or unlocked
	editor  string
	expires time.Time
	// The latest editing: alive until Unlock, with the IDs it has had.
	alive bool
	whose string
	ids   map[wopi.LockID]bool
	zoe   dav.LockToken // the stranger's DAV lock, "" none
}

func (m *model) locked(now time.Time) bool { return m.id != "" && now.Before(m.expires) }

// goesOn: an ID of the latest editing, whose lock has only expired.
func (m *model) goesOn(editor string, id wopi.LockID) bool {
	return m.alive && m.whose == editor && m.ids[id]
}

func (m *model) set(editor string, id wopi.LockID, now time.Time) {
	if !m.alive || m.whose != editor || (!m.locked(now) && !m.ids[id]) {
		m.alive, m.whose, m.ids = true, editor, map[wopi.LockID]bool{}
	}
	m.id, m.editor, m.expires, m.ids[id] = id, editor, now.Add(30*time.Minute), true
}

// A refusal is what a 409 should say, nil for none.
type refusal *wopi.LockID

func no(id wopi.LockID) refusal { return &id }

// held is the answer to whoever comes while the file is locked.
func (m *model) held(editor string, id wopi.LockID) refusal {
	switch {
	case m.editor != editor:
		return no("")
	case m.id != id:
		return no(m.id)
	}
	return nil
}

func (m *model) lock(editor string, id wopi.LockID, now time.Time) refusal {
	if m.locked(now) {
		if r := m.held(editor, id); r != nil {
			return r
		}
	} else if m.zoe != "" {
		return no("")
	}
	m.set(editor, id, now)
	return nil
}

func (m *model) refresh(editor string, id wopi.LockID, now time.Time) refusal {
	if !m.locked(now) && !m.goesOn(editor, id) {
		return no("")
	}
	return m.lock(editor, id, now)
}

func (m *model) relock(editor string, old, id wopi.LockID, now time.Time) refusal {
	if !m.locked(now) {
		return no("")
	}
	if r := m.held(editor, old); r != nil {
		return r
	}
	m.set(editor, id, now)
	return nil
}

func (m *model) unlock(editor string, id wopi.LockID, now time.Time) refusal {
	if r := m.relock(editor, id, id, now); r != nil {
		return r
	}
	m.id, m.alive = "", false
	return nil
}

// TestBookFollowsTheModel lets the lock book and the model live through the same
// random story: two editors, three lock IDs, a stranger on the upstream, time,
// and restarts.
func TestBookFollowsTheModel(t *testing.T) {
	h := newHouse(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		s := &story{T: t, h: h, p: dav.Path(fmt.Sprintf("/%d.docx", n)), m: &model{}}
		s.f = h.file(string(s.p[1:]), "hello")
		for range rapid.IntRange(1, 16).Draw(t, "steps") {
			s.step()
			s.check()
		}
	})
}

type story struct {
	*rapid.T
	h *house
	m *model
	f idmap.FileID
	p dav.Path
}

func (s *story) step() {
	ctx, h, m := context.Background(), s.h, s.m
	a := rapid.SampledFrom([]Actor{anna, ben, elsewhere(anna)}).Draw(s.T, "who")
	one := rapid.SampledFrom([]wopi.LockID{"A", "B", "C"}).Draw(s.T, "id")
	two := rapid.SampledFrom([]wopi.LockID{"A", "B", "C"}).Draw(s.T, "other id")
	target, now := h.target(s.f), h.clock.read().Truncate(time.Millisecond)
	switch op := rapid.SampledFrom([]string{"lock", "lock", "refresh", "relock", "unlock", "unlock", "time", "tend", "zoe", "restart"}).Draw(s.T, "op"); op {
	case "lock":
		s.same(op, h.Lock(ctx, target, a, one), m.lock(a.Editor, one, now))
	case "refresh":
		s.same(op, h.Refresh(ctx, target, a, one), m.refresh(a.Editor, one, now))
	case "relock":
		s.same(op, h.Relock(ctx, target, a, one, two), m.relock(a.Editor, one, two, now))
	case "unlock":
		s.same(op, h.Unlock(ctx, target, a, one), m.unlock(a.Editor, one, now))
	case "time":
		h.clock.forward(time.Duration(rapid.IntRange(1, 45).Draw(s.T, "minutes")) * time.Minute)
	case "tend":
		if err := h.Tend(ctx); err != nil {
			s.Fatal(err)
		}
	case "restart":
		h.Locks = h.restart()
	case "zoe":
		s.zoe(now)
	}
}

// zoe locks or unlocks the file as a stranger; she must not get a file that is
// locked here.
func (s *story) zoe(now time.Time) {
	if s.m.zoe != "" {
		if err := s.h.view().Unlock(context.Background(), s.p, s.m.zoe); err != nil {
			s.Fatal(err)
		}
		s.m.zoe = ""
		return
	}
	lock, _, err := s.h.view().Lock(context.Background(), s.p, davbackend.LockRequest{Owner: "Zoe", Timeout: 10 * time.Hour})
	switch {
	case err == nil && s.m.locked(now):
		s.Fatal("a stranger locked a locked file")
	case err == nil:
		s.m.zoe = lock.Token
	case !errors.Is(err, dav.ErrLocked):
		s.Fatal(err)
	}
}

func (s *story) same(op string, err error, want refusal) {
	var m *MismatchError
	switch {
	case want == nil && err != nil:
		s.Fatalf("%s: %v, want 200", op, err)
	case want != nil && !errors.As(err, &m):
		s.Fatalf("%s: %v, want 409 with %q", op, err, *want)
	case want != nil && m.Current != *want:
		s.Fatalf("%s: 409 with %q, want %q", op, m.Current, *want)
	}
}

// check compares what can be seen from outside, and row with upstream.
func (s *story) check() {
	now := s.h.clock.read()
	want := wopi.LockID("")
	if s.m.locked(now) {
		want = s.m.id
	}
	got, err := s.h.Get(context.Background(), s.h.target(s.f), anna)
	if want == "" && s.m.zoe != "" {
		if !isMismatch(err) {
			s.Fatalf("GetLock: %q, %v, want Zoe's 409", got, err)
		}
	} else if err != nil || got != want {
		s.Fatalf("GetLock: %q, %v, want %q", got, err, want)
	}
	r, locks := s.h.row(s.f), s.h.davLocks(s.p)
	switch {
	case want != "" && (r == nil || r.lost || len(locks) != 1 || locks[0].Token != r.token):
		s.Fatalf("locked, but row %+v and DAV locks %+v", r, locks)
	case r == nil && s.m.zoe == "" && len(locks) != 0:
		s.Fatalf("no row, but DAV locks %+v", locks)
	case len(locks) > 1:
		s.Fatalf("DAV locks %+v", locks)
	}
}
