package replicas

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/conform"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

const racers = 16

// race lets all racers lock one file at once, n times: exactly one has it each time, and
// all others are told whose it is.
func race(t *testing.T, c *office.Client, n int) {
	t.Helper()
	ctx := t.Context()
	begin := time.Now()
	for round := range n {
		var answers [racers]office.Answer
		var all sync.WaitGroup
		for r := range racers {
			all.Go(func() {
				a, err := c.Lock(ctx, fmt.Sprintf("round %d, racer %d", round, r))
				if err != nil {
					t.Error(err)
				}
				answers[r] = a
			})
		}
		all.Wait()
		won := slices.IndexFunc(answers[:], func(a office.Answer) bool { return a.Status == http.StatusOK })
		if won < 0 {
			t.Fatalf("round %d: nobody has the lock: %v", round, answers)
		}
		winner := fmt.Sprintf("round %d, racer %d", round, won)
		for r, a := range answers {
			if r == won {
				continue
			}
			if lock, _ := a.Lock(); a.Status != http.StatusConflict || lock != winner {
				t.Fatalf("round %d: racer %d has it, and racer %d was told %s, %q", round, won, r, a, lock)
			}
		}
		if a, err := c.Unlock(ctx, winner); err != nil || a.Status != http.StatusOK {
			t.Fatalf("round %d: unlock: %s %v", round, a, err)
		}
	}
	t.Logf("%d racers locked one file %d times in %v: one 200 each time, %d times 409 with the winner's lock ID",
		racers, n, time.Since(begin).Round(time.Millisecond), n*(racers-1))
}

// TestRace is 16 racers on one file behind the proxy over two bridges.
func TestRace(t *testing.T) {
	t.Parallel()
	h := newHouse(t, upstream.Strict(t), wopi.Microsoft, "locks: {announce_locks: false}")
	h.two()
	race(t, h.open("a.docx", "x"), often(15, 1000))
}

// TestConformThroughTheProxy plays Microsoft's cases against two bridges, request by
// request in turn.
func TestConformThroughTheProxy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, upstream.Strict(t), wopi.Microsoft, "wopi: {file_url: true}")
	h.two()
	folder := filepath.Join(h.upstream.Dir, "tests")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	c := h.open("tests/test.wopitest", "contents")
	result, err := conform.Run(t.Context(), conform.Options{
		WOPISrc: c.WOPISrc, Token: c.AccessToken, TTL: time.Now().Add(10 * time.Hour).UnixMilli(), Category: "All",
		Current: h.office.Current, Old: h.office.Old,
	})
	if err != nil {
		t.Fatal(err)
	}
	coauth, failed := 0, 0
	for _, o := range result.Outcomes {
		switch {
		case o.Category == "WopiCoauth":
			coauth++
		case o.Verdict == conform.Fail:
			failed++
			t.Errorf("%s / %s: %q", o.Group, o.Name, o.Reasons)
		}
	}
	t.Logf("through the proxy: %d passed, %d failed; skipped are the groups that exclude these, and those of CSPP Plus (%d)", result.Passed, failed, coauth)
	if result.Passed < 100 {
		t.Errorf("only %d cases passed: %v", result.Passed, result)
	}
}

// TestNothingIsCached: a lock that one bridge releases, and a grant that is revoked at one,
// are so at the other at once.
func TestNothingIsCached(t *testing.T) {
	t.Parallel()
	h := newHouse(t, upstream.Strict(t), wopi.Microsoft, "")
	one, two := h.two()
	ctx := t.Context()
	one.Browser(one.Invite("Jo"))
	h.upstream.Write(t, "a.docx", "x")
	o := one.Open("-editor", h.office.URL, "-user", "Jo", "/a.docx")
	c := h.office.Client(o.WOPISrc, o.AccessToken)
	first, second := h.at(c, one), h.at(c, two)
	status := func(want int) func(office.Answer, error) office.Answer {
		return func(a office.Answer, err error) office.Answer {
			t.Helper()
			if err != nil || a.Status != want {
				t.Fatalf("%s %v, want %d", a, err, want)
			}
			return a
		}
	}
	for i := range 20 {
		mine, other := first, second
		if i%2 == 1 {
			mine, other = other, mine
		}
		id := fmt.Sprint("lock ", i)
		status(200)(mine.Lock(ctx, id))
		if lock, _ := status(200)(other.GetLock(ctx)).Lock(); lock != id {
			t.Fatalf("the other bridge sees %q", lock)
		}
		status(200)(other.PutFile(ctx, id, []byte(id), nil))
		if a := status(200)(mine.GetFile(ctx, -1)); string(a.Body) != id {
			t.Fatalf("the first bridge reads %q", a.Body)
		}
		status(200)(other.Unlock(ctx, id))
		if lock, _ := status(200)(mine.GetLock(ctx)).Lock(); lock != "" {
			t.Fatalf("the first bridge sees %q", lock)
		}
	}
	if out, err := two.Run("state", "check"); err != nil || !strings.Contains(out, "2 alive") {
		t.Errorf("state check: %v\n%s", err, out)
	}
	if _, err := one.Run("signout", "Jo"); err != nil {
		t.Fatal(err)
	}
	status(401)(second.CheckFileInfo(ctx))
	status(401)(first.CheckFileInfo(ctx))
}

// TestThroughput says what a second bridge brings over one, on one machine and the same
// file server: a figure, and no promise.
func TestThroughput(t *testing.T) {
	if !long() {
		t.Parallel() // with others beside it the figure means nothing, and the test still does
	}
	h := newHouse(t, upstream.Strict(t), wopi.Microsoft, "locks: {announce_locks: false}")
	one, two := h.two()
	ctx := t.Context()
	const people = 16
	var clients []*office.Client
	for i := range people {
		c := h.open(fmt.Sprintf("d%d.docx", i), "x")
		if a, err := c.Lock(ctx, "L"); err != nil || a.Status != 200 {
			t.Fatal(a, err)
		}
		clients = append(clients, c)
	}
	measure := func(bridges ...*daemon.Daemon) float64 {
		h.over(bridges...)
		n := often(12, 40)
		begin := time.Now()
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				for k := range n {
					for _, do := range []func() (office.Answer, error){
						func() (office.Answer, error) { return c.CheckFileInfo(ctx) },
						func() (office.Answer, error) { return c.GetFile(ctx, -1) },
						func() (office.Answer, error) { return c.PutFile(ctx, "L", []byte(fmt.Sprint(i, k)), nil) },
						func() (office.Answer, error) { return c.RefreshLock(ctx, "L") },
					} {
						if a, err := do(); err != nil || a.Status != 200 {
							t.Errorf("%s %v", a, err)
							return
						}
					}
				}
			})
		}
		all.Wait()
		return float64(4*n*people) / time.Since(begin).Seconds()
	}
	measure(one) // warm
	var single, both []float64
	for range often(1, 3) {
		single, both = append(single, measure(one)), append(both, measure(one, two))
	}
	slices.Sort(single)
	slices.Sort(both)
	a, b := single[len(single)/2], both[len(both)/2]
	t.Logf("one bridge %.0f requests/s, two %.0f requests/s: %.2f times as many (one machine, %d people)", a, b, b/a, people)
}
