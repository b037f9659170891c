package oauth

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
)

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func setClock(db *sqldb.DB) *clock {
	c := &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	db.SetClock(c.Now)
	return c
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var anna = Principal{Issuer: "upstream:main", Subject: "anna", Name: "Anna A.", Groups: []string{"staff"}}

func testSealer(t testing.TB) *Sealer {
	t.Helper()
	s, err := NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustHide fails if any way of printing v shows one of secrets.
func mustHide(t *testing.T, v any, secrets ...string) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out := fmt.Sprintf(verb, v)
		for _, secret := range secrets {
			if strings.Contains(out, secret) || strings.Contains(out, fmt.Sprintf("%x", secret)) ||
				strings.Contains(out, strings.Trim(fmt.Sprint([]byte(secret)), "[]")) {
				t.Errorf("%s of %T shows a secret: %s", verb, v, out)
			}
		}
	}
}
