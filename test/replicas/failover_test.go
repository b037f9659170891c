package replicas

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// lease is how long a bridge that has died is waited for (DESIGN.md 4 and 10).
const lease = 20 * time.Second

// slack is what a busy machine may take beyond the lease.
const slack = 40 * time.Second

// took fails the test if a take-over came too late for any machine.
func took(t *testing.T, what string, d time.Duration) {
	t.Helper()
	t.Logf("%s %v after the other bridge was killed", what, d.Round(10*time.Millisecond))
	if d > lease+slack {
		t.Errorf("%s: that is too late for a lease of %v", what, lease)
	}
}

// TestFailover: a bridge is killed while it has all in hand: a lock that is being refreshed,
// then a save that waits; and then the other one with a save that waits. Who is left takes it
// over within the lease.
func TestFailover(t *testing.T) {
	t.Parallel()
	s := upstream.Strict(t)
	daemon.NeedsDisk(t)
	short := func(q *upstream.Quirks) { q.LockCap = 20 * time.Second }
	s.Quirks.Set(short)
	h := newHouse(t, s, wopi.Collabora, "saves: {patience: 500ms}")
	one := h.start(daemon.Options{})
	c := h.open("kept.odt", "first")
	session, err := c.Open(t.Context())
	if err != nil || session.ReadOnly {
		t.Fatal(err)
	}
	hanging := make(chan struct{}, 1000)
	s.Quirks.Fail(upstream.Fault{Method: "LOCK", Name: "kept.odt", Hang: true, Before: func() { hanging <- struct{}{} }})
	select {
	case <-hanging:
	case <-time.After(time.Minute):
		t.Fatal("the lock is not refreshed")
	}
	two := h.start(daemon.Options{})
	one.Kill()
	begin := time.Now()
	h.over(two)
	s.Quirks.Reset()
	s.Quirks.Set(short)
	s.Forget()
	until(t, "the lock is kept again", func() bool {
		return slices.ContainsFunc(s.Requests(), func(r upstream.Request) bool {
			return r.Method == "LOCK" && r.Path == "/kept.odt" && r.Status == 200
		})
	})
	took(t, "the lock was refreshed", time.Since(begin))
	save := func(text string) {
		t.Helper()
		if a, err := session.Save(t.Context(), []byte(text), false); err != nil || a.Status != 200 {
			t.Fatalf("%s: %s %v", text, a, err)
		}
	}
	save("second")
	if !long() {
		return // saves that wait: TestTwoBridgesOnPostgreSQL in test/binary
	}
	one.Restart()
	for i, dying := range []*daemon.Daemon{one, two} {
		other := []*daemon.Daemon{two, one}[i]
		h.over(dying)
		s.Quirks.Fail(upstream.Fault{Status: 503})
		text := fmt.Sprintf("waits with bridge %d", i+1)
		save(text)
		dying.Kill()
		begin = time.Now()
		s.Quirks.Reset()
		h.over(other)
		until(t, "the save is delivered", func() bool { on, _ := s.Read(t, "kept.odt"); return on == text })
		took(t, "the save was delivered", time.Since(begin))
		dying.Restart()
	}
	if _, err := session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
