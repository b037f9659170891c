package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

// A lockModel is WOPI's table of locks (Lock, Unlock, RefreshLock, UnlockAndRelock, GetLock,
// PutFile, RenameFile, DeleteFile, in every state), and what DESIGN.md 6 adds: an ID whose lock
// ran out, or that was released, is not a stranger's while nobody else has locked. It is pure:
// it knows no bridge.
type lockModel struct {
	lock     string
	left     time.Duration   // until lock runs out
	held     map[string]bool // IDs of the latest editing
	released bool            // it ended by Unlock
	foreign  bool            // somebody without a lock has written since: the editing has not seen that
	contents []byte
	gone     bool
}

const lockLife = 30 * time.Minute

// A wanted answer: a status with the value of X-WOPI-Lock, "-" if the header must not be there.
type wanted struct {
	status int
	header string
}

var (
	done      = wanted{http.StatusOK, "-"}
	malformed = wanted{http.StatusBadRequest, "-"}
	absent    = wanted{http.StatusNotFound, "-"}
)

func (m *lockModel) mismatch() wanted { return wanted{http.StatusConflict, m.lock} }

// mine reports whether id is that of an editing whose lock ran out or was released.
func (m *lockModel) mine(id string) bool { return m.lock == "" && m.held[id] }

// take is what Lock does to an unlocked file.
func (m *lockModel) take(id string) {
	if !m.held[id] || m.released {
		m.held, m.foreign = map[string]bool{}, false
	}
	m.held[id] = true
	m.lock, m.left, m.released = id, lockLife, false
}

func (m *lockModel) pass(d time.Duration) {
	if m.left -= d; m.left <= 0 && m.lock != "" {
		m.lock = ""
	}
}

// The operations. Each returns the answers that are right, the first of which is the table's, and
// what follows from a 200.

func (m *lockModel) onLock(id string) ([]wanted, func()) {
	if m.lock != "" && m.lock != id {
		return []wanted{m.mismatch()}, nil
	}
	return []wanted{done}, func() {
		if m.lock == "" {
			m.take(id)
		}
		m.left = lockLife
	}
}

func (m *lockModel) onRefresh(id string) ([]wanted, func()) {
	switch {
	case m.lock == id:
		return []wanted{done}, func() { m.left = lockLife }
	case m.mine(id) && !m.released: // taken again
		return []wanted{done}, func() { m.take(id) }
	}
	return []wanted{m.mismatch()}, nil
}

func (m *lockModel) onUnlock(id string) ([]wanted, func()) {
	switch {
	case m.lock == id:
		return []wanted{done}, func() { m.lock, m.released = "", true }
	case m.mine(id): // it is unlocked: whether that is told as done or by the table is the same
		return []wanted{m.mismatch(), done}, func() { m.released = true }
	}
	return []wanted{m.mismatch()}, nil
}

func (m *lockModel) onRelock(old, id string) ([]wanted, func()) {
	if m.lock == "" || m.lock != old {
		return []wanted{m.mismatch()}, nil
	}
	return []wanted{done}, func() { m.held[id] = true; m.lock, m.left = id, lockLife }
}

func (m *lockModel) onGetLock() ([]wanted, func()) {
	return []wanted{{http.StatusOK, m.lock}}, func() {}
}

func (m *lockModel) onPut(id string, body []byte) ([]wanted, func()) {
	write := func() { m.contents = body }
	changed := []wanted{m.mismatch()} // outside; the bytes are in a conflict copy
	if len(m.contents) == 0 {
		changed = append(changed, done) // nothing is lost by writing over nothing
	}
	if id != "" && m.mine(id) && m.foreign && !m.released {
		changed = append(changed, wanted{http.StatusConflict, id}) // the lock was taken again before that was seen
	}
	switch {
	case id != "" && m.lock == id && m.foreign, id != "" && m.mine(id) && m.foreign:
		return changed, write
	case id != "" && m.lock == id:
		return []wanted{done}, write
	case m.lock != "":
		return []wanted{m.mismatch()}, nil
	case id != "" && m.mine(id): // a save after the lock ran out, or after Unlock
		return []wanted{done}, func() {
			write()
			if !m.released {
				m.take(id)
			}
		}
	case len(m.contents) == 0:
		return []wanted{done}, func() { write(); m.foreign = true }
	}
	return []wanted{m.mismatch()}, nil
}

func (m *lockModel) onRename(id string) ([]wanted, func()) {
	if m.lock != "" && m.lock != id {
		return []wanted{m.mismatch()}, nil
	}
	return []wanted{done}, func() {}
}

func (m *lockModel) onDelete() ([]wanted, func()) {
	if m.lock != "" {
		return []wanted{m.mismatch()}, nil
	}
	return []wanted{done}, func() { m.gone = true }
}

// A lockRun is one file that is played with.
type lockRun struct {
	t     *testing.T
	h     *house
	c     *office.Client
	model lockModel
	name  string
	hours time.Duration
	told  []string
}

var lockIDs = []string{"", "A", "B", `{"S":"c","F":4}`}

// step plays what two bytes say, and compares.
func (r *lockRun) step(n int, op, arg byte) {
	ctx, id, other := r.t.Context(), lockIDs[arg%4], lockIDs[arg/4%4]
	var right []wanted
	var then func()
	var a office.Answer
	var err error
	m, what := &r.model, ""
	switch op % 11 {
	case 0, 1:
		what = "Lock " + id
		a, err = r.c.Lock(ctx, id)
		right, then = needsID(id, func() ([]wanted, func()) { return m.onLock(id) })
	case 2:
		what = "RefreshLock " + id
		a, err = r.c.RefreshLock(ctx, id)
		right, then = needsID(id, func() ([]wanted, func()) { return m.onRefresh(id) })
	case 3:
		what = "Unlock " + id
		a, err = r.c.Unlock(ctx, id)
		right, then = needsID(id, func() ([]wanted, func()) { return m.onUnlock(id) })
	case 4:
		if other == "" {
			return // without X-WOPI-OldLock it is another operation
		}
		what = "UnlockAndRelock " + other + " to " + id
		a, err = r.c.UnlockAndRelock(ctx, other, id)
		right, then = needsID(id, func() ([]wanted, func()) { return m.onRelock(other, id) })
	case 5:
		what = "GetLock"
		a, err = r.c.GetLock(ctx)
		right, then = m.onGetLock()
	case 6, 7, 8:
		body := fmt.Appendf(nil, "step %d", n)
		if arg >= 240 {
			body = nil
		}
		what = fmt.Sprintf("PutFile %s %q", id, body)
		a, err = r.c.PutFile(ctx, id, body, nil)
		right, then = m.onPut(id, body)
	case 9:
		what = "RenameFile " + id
		a, err = r.c.RenameFile(ctx, id, fmt.Sprintf("%s-%d", r.name, n), nil)
		right, then = m.onRename(id)
	default:
		if arg < 250 {
			r.pass([]time.Duration{time.Minute, 10 * time.Minute, 31 * time.Minute}[arg%3])
			return
		}
		what = "DeleteFile"
		a, err = r.c.DeleteFile(ctx)
		right, then = m.onDelete()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.compare(what, a, right, then)
}

func needsID(id string, rule func() ([]wanted, func())) ([]wanted, func()) {
	if id == "" {
		return []wanted{malformed}, nil
	}
	return rule()
}

func (r *lockRun) pass(d time.Duration) {
	if r.hours += d; r.hours > 8*time.Hour {
		return // the token has an end, too
	}
	r.told = append(r.told, d.String()+" pass")
	r.h.later(d)
	r.model.pass(d)
}

func (r *lockRun) compare(what string, a office.Answer, right []wanted, then func()) {
	if r.model.gone {
		right, then = []wanted{absent}, nil
	}
	lock, there := a.Lock()
	if !there {
		lock = "-"
	}
	r.told = append(r.told, fmt.Sprintf("%s: %d %s", what, a.Status, lock))
	if !slices.Contains(right, wanted{a.Status, lock}) {
		r.t.Fatalf("%v\nright: %v\nreasons: %v\nmodel: %+v\nheard: %v", r.told, right, a.Header, r.model, r.h.said())
	}
	if a.Status == http.StatusOK && then != nil {
		then()
	} else if a.Status == http.StatusConflict && r.model.lock == "" && lock != "" {
		r.model.take(lock)
	}
}

// end looks whether the file holds what the model says.
func (r *lockRun) end() {
	if r.model.gone {
		return
	}
	a, err := r.c.GetFile(r.t.Context(), -1)
	if err != nil || a.Status != http.StatusOK || !bytes.Equal(a.Body, r.model.contents) {
		r.t.Fatalf("%v\nGetFile: %v %v, want %q", r.told, a, err, r.model.contents)
	}
	a, err = r.c.GetLock(r.t.Context())
	if lock, _ := a.Lock(); err != nil || lock != r.model.lock {
		r.t.Fatalf("%v\nGetLock: %v %v, want %q", r.told, a, err, r.model.lock)
	}
}

// FuzzLockTable plays random requests of one editor in random states of a file's lock and holds
// every answer, and the file, to the model.
func FuzzLockTable(f *testing.F) {
	f.Add([]byte("x\x00\x01\x06\x01\x03\x01\x06\x01"))                 // Lock, PutFile, Unlock, and the exit save that comes late
	f.Add([]byte("x\x00\x01\x0a\x02\x06\x01\x00\x02\x06\x01"))         // a lock that runs out, a save, another's lock
	f.Add([]byte("\x00\x06\x00\x06\x00\x00\x02\x04\x09\x09\x02"))      // an empty file, relock, rename
	f.Add([]byte("x\x00\x03\x0a\xff\x03\x03\x0a\xff\x00\x01"))         // delete while locked, and after
	f.Add([]byte("x\x00\x01\x04\x06\x0a\x02\x02\x01\x05\x00\x06\x01")) // relocked, ran out, and the earlier ID comes back
	h := newHouse(f, nil, both[0], patient)
	number := 0
	f.Fuzz(func(t *testing.T, steps []byte) {
		h.t = t // an F is of no use in here
		number++
		playLocks(t, h, number, steps)
	})
}

// patient is a house in which nothing is late, however slow the machine.
func patient(h *house) { h.connections, h.patience = 8, 5*time.Minute }

// playLocks plays what steps say on a fresh file.
func playLocks(t *testing.T, h *house, number int, steps []byte) {
	t.Helper()
	if len(steps) == 0 {
		return
	}
	r := &lockRun{t: t, h: h, name: fmt.Sprintf("fuzz-%d", number), model: lockModel{held: map[string]bool{}}}
	if steps[0]%2 == 0 {
		r.model.contents = []byte("before")
	}
	h.server.Write(t, r.name+".txt", string(r.model.contents))
	r.c = h.open(h.at("/"+r.name+".txt"), wopi.TextEditor, anna)
	for n := 1; n+1 < len(steps) && n < 48; n += 2 {
		r.step(n, steps[n], steps[n+1])
	}
	r.end()
	h.forgetLines(0)
}

// TestLockTableAtRandom is some of FuzzLockTable, or as many as DAVWOPI_TEST_LOCK_TABLES says.
func TestLockTableAtRandom(t *testing.T) {
	runs := 4
	if more, err := strconv.Atoi(os.Getenv("DAVWOPI_TEST_LOCK_TABLES")); err == nil {
		runs = more
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	h := newHouse(t, nil, both[0], patient)
	for number := range runs {
		steps := make([]byte, 49)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		playLocks(t, h, number, steps)
	}
}
