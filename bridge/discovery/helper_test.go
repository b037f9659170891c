package discovery_test

import (
	"sync"
	"testing"
	"time"

	"davwopi/bridge/discovery"
)

// A clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// of returns editors whose documents are texts; the n-th is called https://edN.test.
func of(texts ...string) *discovery.Editors {
	e := &discovery.Editors{}
	for i, text := range texts {
		e.List = append(e.List, discovery.Editor{
			URL:     "https://ed" + string(rune('0'+i)) + ".test",
			Builtin: func() []byte { return []byte(text) },
		})
	}
	return e
}

// doc puts apps into a document with one zone.
func doc(apps string) string {
	return `<?xml version="1.0" encoding="utf-8"?><wopi-discovery><net-zone name="external-https">` + apps + `</net-zone></wopi-discovery>`
}

// eventually waits for what a fetch in the background brings.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}
