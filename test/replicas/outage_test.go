package replicas

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// A contest is people who lock one file again and again, and who know at any time whether
// they have it: nobody, this one, or that it is not known because no answer came.
type contest struct {
	mu       sync.Mutex
	holder   string   // guarded by mu, as all below
	twice    []string // who had it while somebody else had it
	granted  int
	statuses map[string]int
	noRetry  int // times 503 came without Retry-After
	saved    time.Time
}

func (c *contest) note(a office.Answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := fmt.Sprint(a.Status)
	if err != nil {
		status = "no answer"
	}
	if a.Status == http.StatusInternalServerError {
		status += " " + a.Header.Get(wopi.HeaderServerError)
	}
	c.statuses[status]++
	if a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "" {
		c.noRetry++
	}
}

func (c *contest) has(me string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.granted++
	if c.holder != "" {
		c.twice = append(c.twice, fmt.Sprintf("%s, which %s had", me, c.holder))
	}
	c.holder = me
}

func (c *contest) gives() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holder = ""
}

func (c *contest) read(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// compete locks and unlocks until ctx ends. What it asks for it asks until it is answered.
func (c *contest) compete(ctx context.Context, client *office.Client, me string) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("%s %d", me, n)
		a, err := client.Lock(ctx, id)
		if c.note(a, err); err != nil || a.Status != http.StatusOK {
			if err != nil || a.Status >= 500 {
				n-- // it may be ours: ask with the same lock ID
			}
			continue
		}
		c.has(id)
		c.gives() // before it is asked for: who comes next is right
		for ctx.Err() == nil {
			a, err := client.Unlock(ctx, id)
			if c.note(a, err); err == nil && (a.Status == http.StatusOK || a.Status == http.StatusConflict) {
				break
			}
		}
	}
}

// TestDatabaseIsLost: PostgreSQL crashes under two bridges and stays away, and once it is
// only stopped. Requests wait, or fail with 503 and Retry-After; no lock is given out
// twice, no save that was acknowledged is lost, and all goes on by itself.
func TestDatabaseIsLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t, upstream.Strict(t), wopi.Microsoft, "locks: {announce_locks: false}\nsaves: {patience: 2s}")
	h.two()
	contested, own := h.open("contested.docx", "x"), h.open("own.docx", "0")
	c := &contest{statuses: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() { c.compete(ctx, contested, fmt.Sprint("person ", i)) })
	}
	if a, err := own.Lock(ctx, "mine"); err != nil || a.Status != 200 {
		t.Fatal(a, err)
	}
	saved := 0
	all.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			a, err := own.PutFile(ctx, "mine", []byte(fmt.Sprint(n)), nil)
			if c.note(a, err); err == nil && a.Status == 200 {
				c.read(func() { saved, c.saved = n, time.Now() })
			}
		}
	})
	works := func(what string) { // three more locks, and a save
		t.Helper()
		var locks int
		since := time.Now()
		c.read(func() { locks = c.granted })
		until(t, what, func() (ok bool) { c.read(func() { ok = c.granted > locks+2 && c.saved.After(since) }); return ok })
	}
	works("locking")
	h.database.Crash()
	lost := time.Now()
	until(t, "503", func() (ok bool) { c.read(func() { ok = c.statuses["503"] > 10 }); return ok })
	for time.Since(lost) < time.Duration(often(0, 30))*time.Second {
		time.Sleep(100 * time.Millisecond)
	}
	away := time.Since(lost)
	back := time.Now()
	h.database.Start()
	works("locking, after the crash")
	t.Logf("PostgreSQL was away for %v, and %v after its start everything went on", away.Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
	resume := h.database.Pause()
	time.Sleep(time.Duration(often(1, 30)) * time.Second) // the length of the stop is what is tried
	resume()
	works("locking, after the stop")
	stop()
	all.Wait()
	t.Logf("%d locks were given out; answers by status: %v", c.granted, c.statuses)
	if len(c.twice) > 0 || c.noRetry > 0 || c.granted == 0 {
		t.Errorf("twice: %v; %d times 503 without Retry-After", c.twice, c.noRetry)
	}
	until(t, "the last save", func() bool {
		on, _ := h.upstream.Read(t, "own.docx")
		var n int
		_, err := fmt.Sscan(on, &n)
		return err == nil && n >= saved
	})
	for _, d := range h.daemons {
		if said, err := (&toBridge{h.listens[d]}).get(t, h.proxy.URL+"/healthz"); err != nil {
			t.Errorf("%v %v", said, err)
		}
	}
}
