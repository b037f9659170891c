package davbackend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"davwopi/davbackend/dav"
)

// A gate is a server that answers a PROPFIND with what was there when it came, once it is
// let go. A PUT makes the file longer by one byte.
type gate struct {
	*Client
	came chan struct{} // one for each PROPFIND
	open chan struct{} // closed: all may go
	gone chan struct{} // one for each PROPFIND that its client gave up

	mu   sync.Mutex
	size int // guarded by mu
}

func newGate(t *testing.T) *gate {
	g := &gate{came: make(chan struct{}, 100), open: make(chan struct{}), gone: make(chan struct{}, 100)}
	server := httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	g.Client = &Client{Base: base, Assumed: Embedded, Join: true, joinFor: time.Hour} // this machine may be slow
	t.Cleanup(g.CloseIdle)
	return g
}

func (g *gate) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	g.mu.Lock()
	if r.Method == http.MethodPut {
		g.size++
	}
	size := g.size
	g.mu.Unlock()
	if r.Method != "PROPFIND" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	g.came <- struct{}{}
	select {
	case <-g.open:
	case <-r.Context().Done():
		g.gone <- struct{}{}
		return
	}
	w.WriteHeader(http.StatusMultiStatus)
	fmt.Fprintf(w, `<multistatus xmlns="DAV:"><response><href>%s</href><propstat><prop><getcontentlength>%d</getcontentlength>`+
		`<lockdiscovery/></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>`, r.URL.Path, size)
}

// seen is what one Stat brought.
type seen struct {
	res dav.Resource
	err error
}

// asks begins a Stat.
func (g *gate) asks(ctx context.Context, cred Credential, p dav.Path) <-chan seen {
	c := make(chan seen, 1)
	go func() {
		res, err := g.As(cred).Joining().Stat(ctx, p)
		c <- seen{res, err}
	}()
	return c
}

// waiting waits until n wait for answers.
func (g *gate) waiting(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		g.flights.mu.Lock()
		on := 0
		for _, f := range g.flights.all {
			on += f.on
		}
		g.flights.mu.Unlock()
		if on == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d wait, want %d", on, n)
		}
	}
}

var ann, bob = Credential{Kind: "bearer", Secret: "ann"}, Credential{Kind: "bearer", Secret: "bob"}

// TestJoining: equal questions at the same time are one request, and only those.
func TestJoining(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      func(*Client)
		requests int
	}{
		{"sixteen of one person", func(*Client) {}, 3},
		{"where others write, too", func(c *Client) { c.Join = false }, 18},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			c.set(g.Client)
			var all []<-chan seen
			ctx, trips := CountTrips(t.Context())
			for range 16 {
				all = append(all, g.asks(ctx, ann, "/a"))
			}
			all = append(all, g.asks(ctx, bob, "/a"), g.asks(ctx, ann, "/b"))
			if g.Join {
				g.waiting(t, 18)
			}
			for range c.requests {
				<-g.came
			}
			close(g.open)
			for i, one := range all {
				s := <-one
				want := dav.Path("/a")
				if i == 17 {
					want = "/b"
				}
				if s.err != nil || s.res.Path != want {
					t.Errorf("%d: %v, %v", i, s.res.Path, s.err)
				}
			}
			if trips() != c.requests {
				t.Errorf("%d requests, want %d", trips(), c.requests)
			}
			g.waiting(t, 0)
		})
	}
}

// TestJoiningSeesOwnWrites: what was asked before a write ended is not shared with whoever
// asks after it. Without that they would be told what was there before.
func TestJoiningSeesOwnWrites(t *testing.T) {
	for _, stale := range []bool{false, true} {
		g := newGate(t)
		g.stale = stale
		before := g.asks(t.Context(), ann, "/a")
		<-g.came
		body := Body{Open: func() (io.ReadCloser, error) { return http.NoBody, nil }}
		if err := g.As(ann).Put(t.Context(), "/a", body, Condition{}); err != nil {
			t.Fatal(err)
		}
		after := g.asks(t.Context(), ann, "/a")
		g.waiting(t, 2)
		close(g.open)
		if s := <-before; s.err != nil || s.res.Size != 0 {
			t.Errorf("before: %d, %v", s.res.Size, s.err)
		}
		if s := <-after; s.err != nil || (s.res.Size == 1) == stale {
			t.Errorf("after, with the rule left out %v: %d, %v", stale, s.res.Size, s.err)
		}
	}
}

// TestJoiningEnds: who goes does not take the answer away from the others, and when nobody
// waits any more the request ends.
func TestJoiningEnds(t *testing.T) {
	for _, leaver := range []int{0, 1} {
		t.Run(fmt.Sprint("leaves: ", leaver), func(t *testing.T) {
			g := newGate(t)
			var ends [2]context.CancelFunc
			var all [2]<-chan seen
			for i := range all {
				var ctx context.Context
				ctx, ends[i] = context.WithCancel(t.Context())
				defer ends[i]()
				all[i] = g.asks(ctx, ann, "/a")
				g.waiting(t, i+1)
			}
			ends[leaver]()
			g.waiting(t, 1)
			close(g.open)
			if s := <-all[1-leaver]; s.err != nil || s.res.Path != "/a" {
				t.Errorf("who stayed: %v", s.err)
			}
			<-all[leaver]
		})
	}
	g := newGate(t)
	ctx, end := context.WithCancel(t.Context())
	all := []<-chan seen{g.asks(ctx, ann, "/a"), g.asks(ctx, ann, "/a")}
	g.waiting(t, 2)
	<-g.came
	end()
	for _, one := range all {
		if s := <-one; !errors.Is(s.err, context.Canceled) {
			t.Errorf("%v", s.err)
		}
	}
	<-g.gone
	g.waiting(t, 0)
}

// TestJoiningIsForAMoment: who comes later than that does not wait for a request that may
// never be answered.
func TestJoiningIsForAMoment(t *testing.T) {
	for _, late := range []bool{false, true} {
		g := newGate(t)
		if late {
			g.joinFor = time.Nanosecond
		}
		all := []<-chan seen{g.asks(t.Context(), ann, "/a")}
		<-g.came
		all = append(all, g.asks(t.Context(), ann, "/a"))
		if late {
			select {
			case <-g.came:
			case <-time.After(time.Minute):
				t.Error("whoever comes later waits, too")
			}
		} else {
			g.waiting(t, 2)
		}
		close(g.open)
		for _, one := range all {
			if s := <-one; s.err != nil || s.res.Path != "/a" {
				t.Errorf("late %v: %v, %v", late, s.res.Path, s.err)
			}
		}
		if n := len(g.came); n > 0 {
			t.Errorf("late %v: %d requests more", late, n)
		}
		g.waiting(t, 0)
	}
}

// TestJoiningSharesNothing: one that changes what it was told changes it for nobody else.
func TestJoiningSharesNothing(t *testing.T) {
	f := &flight{res: dav.Resource{Locks: make([]dav.ActiveLock, 1), Props: map[dav.PropName]string{{Local: "a"}: "1"}}}
	one, _ := f.result()
	one.Locks[0].Owner, one.Props[dav.PropName{Local: "a"}] = "x", "2"
	if two, _ := f.result(); two.Locks[0].Owner != "" || two.Props[dav.PropName{Local: "a"}] != "1" {
		t.Error(two)
	}
}
