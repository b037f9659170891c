package access

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

var (
	anna = oauth.Principal{Issuer: "upstream:main", Subject: "anna", Name: "Anna A.", Groups: []string{"staff"}}
	bert = oauth.Principal{Issuer: "upstream:main", Subject: "bert", Name: "Bert B."}

	file1  = fileID('a')
	file2  = fileID('b')
	folder = fileID('c')
)

func fileID(c byte) idmap.FileID { return idmap.FileID(strings.Repeat(string(c), 26)) }

func testSealer(t testing.TB) *oauth.Sealer {
	t.Helper()
	s, err := oauth.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newTokens(t testing.TB, db *sqldb.DB) *Tokens {
	t.Helper()
	tokens, err := NewTokens(t.Context(), db, testSealer(t))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// annasGrant is everything a grant can say.
func annasGrant() Grant {
	return Grant{File: file1, Space: 7, Upstream: "main", Principal: anna, Session: "session1", Rights: Edit,
		Editor: "https://office.test/", Scope: folder}
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
