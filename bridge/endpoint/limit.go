package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ErrCrowd is wrapped where more requests came with one access token than are let wait.
var ErrCrowd = errors.New("endpoint: too many requests of one grant at once")

// ErrNetwork is wrapped where a server of an editor called from a network that is not its.
var ErrNetwork = errors.New("endpoint: an editor called from elsewhere")

// checkNetwork lets servers of configured editors call only from e.Networks. The built-in
// editor runs in browsers, and grants without an editor are those of phones and programs.
// remote is host:port, as the trusted proxies saw it.
func (e *Endpoint) checkNetwork(editor, remote string) error {
	if len(e.Networks) == 0 || editor == "" || e.Editors.Builtin(editor) {
		return nil
	}
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return fmt.Errorf("%w: no address: %w", ErrNetwork, err)
	}
	here := from.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(e.Networks, func(n netip.Prefix) bool { return n.Contains(here) }) {
		return nil
	}
	return fmt.Errorf("%w: %s is not in wopi.networks", ErrNetwork, here)
}

// CheckNetwork is what the files endpoint asks of servers of configured editors, for
// those who come by another way than WOPI's. remote is host:port. The error wraps [ErrNetwork].
func (e *Endpoint) CheckNetwork(editor, remote string) error { return e.checkNetwork(editor, remote) }

// turnPatience is how long a request waits for its turn.
const turnPatience = 10 * time.Second

// turns are the requests that are under way, by grant. The zero value is ready.
type turns struct {
	mu sync.Mutex
	of map[string]*crowd // guarded by mu; holds no crowd without users
}

// A crowd is the requests of one grant.
type crowd struct {
	running chan struct{} // holds one for each that is carried out
	users   int           // running and waiting; guarded by turns.mu
}

// A turn is one request's place. It is used by one goroutine.
type turn struct {
	of   *turns
	key  string
	in   *crowd // nil: not taken
	runs bool
}

// take waits until fewer than most requests of key are carried out. The error wraps
// [ErrCrowd] if most wait already, or if nobody left in time. most 0 is no limit.
func (t *turn) take(ctx context.Context, key string, most int) error {
	if most <= 0 {
		return nil
	}
	t.of.mu.Lock()
	c := t.of.of[key]
	if c == nil {
		c = &crowd{running: make(chan struct{}, most)}
		if t.of.of == nil {
			t.of.of = make(map[string]*crowd)
		}
		t.of.of[key] = c
	}
	full := c.users >= 2*most
	if !full {
		c.users++
		t.key, t.in = key, c
	}
	t.of.mu.Unlock()
	if full {
		return fmt.Errorf("%w: %d run and wait", ErrCrowd, 2*most)
	}
	select {
	case c.running <- struct{}{}:
		t.runs = true
		return nil
	default:
	}
	late := time.NewTimer(turnPatience)
	defer late.Stop()
	select {
	case c.running <- struct{}{}:
		t.runs = true
		return nil
	case <-late.C:
		return fmt.Errorf("%w: none of %d ended", ErrCrowd, most)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end gives the place to the next.
func (t *turn) end() {
	if t.in == nil {
		return
	}
	if t.runs {
		<-t.in.running
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.in.users--; t.in.users == 0 {
		delete(t.of.of, t.key)
	}
	t.in = nil
}
