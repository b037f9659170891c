package davbackend

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"davwopi/davbackend/dav"
)

// A Joining is a View for whoever only wants to know what is there: its Stat shares the
// request of an equal one that is under way, where [Client.Join] allows it. Whoever decides
// about a write by what they see asks the View.
type Joining struct{ *View }

// Joining returns v with a Stat that may be shared. It costs nothing.
func (v *View) Joining() Joining { return Joining{v} }

// Stat is [View.Stat], whose request others with an equal credential may have begun a moment
// ago. What they have asked before the last write through this Client ended is not shared: nobody sees
// less than they have written. It ends with ctx; the request goes on for the others.
func (j Joining) Stat(ctx context.Context, p dav.Path, extra ...dav.PropName) (dav.Resource, error) {
	c := j.client
	if !c.Join || len(extra) > 0 {
		return j.View.Stat(ctx, p, extra...)
	}
	k := flightKey{credential: j.credential, path: p, writes: c.writes.Load()}
	if c.stale {
		k.writes = 0
	}
	f, first := c.flights.board(ctx, k, cmp.Or(c.joinFor, joinFor))
	if !first {
		select {
		case <-f.landed:
		case <-ctx.Done():
			c.flights.leave(k, f)
			return dav.Resource{}, c.unavailable(ctx, ctx.Err())
		}
		c.flights.leave(k, f)
		return f.result()
	}
	// Who is first brings the answer, for themselves only as long as they want it.
	stop := context.AfterFunc(ctx, func() { c.flights.leave(k, f) })
	defer func() {
		if stop() {
			c.flights.leave(k, f)
		}
	}()
	defer c.flights.land(k, f)
	f.res, f.err = j.View.Stat(f.ctx, p)
	return f.result()
}

// joinFor is how long others may join a request: one that has no answer by then may never
// have one, and what it shows may be as old.
const joinFor = time.Second

// A flightKey is what makes two questions equal.
type flightKey struct {
	credential Credential
	path       dav.Path
	writes     int64 // that had ended when it was asked
}

// A flight is one request with everybody who waits for it.
type flight struct {
	ctx    context.Context // ends when nobody does
	cancel context.CancelFunc
	began  time.Time
	on     int           // guarded by flights.mu
	landed chan struct{} // closed when res and err are there

	res dav.Resource
	err error
}

// result is what a flight has brought, for one of many: they share nothing that they could change.
func (f *flight) result() (dav.Resource, error) {
	res := f.res
	res.Locks, res.Props = slices.Clone(res.Locks), maps.Clone(res.Props)
	return res, f.err
}

// flights are those that are under way. The zero value is ready.
type flights struct {
	mu  sync.Mutex
	all map[flightKey]*flight // guarded by mu
}

// board joins the flight of k, if it began within, or begins one with the values of ctx, but
// not its end.
func (s *flights) board(ctx context.Context, k flightKey, within time.Duration) (f *flight, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f = s.all[k]; f != nil && time.Since(f.began) < within {
		f.on++
		return f, false
	}
	f = &flight{began: time.Now(), on: 1, landed: make(chan struct{}), err: dav.ErrUnavailable}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if s.all == nil {
		s.all = make(map[flightKey]*flight)
	}
	s.all[k] = f
	return f, true
}

// leave is for each who has boarded f, once. The last one ends it.
func (s *flights) leave(k flightKey, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.on--; f.on > 0 {
		return
	}
	if s.all[k] == f {
		delete(s.all, k)
	}
	f.cancel()
}

// land lets nobody board f any more, and those go that have.
func (s *flights) land(k flightKey, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[k] == f {
		delete(s.all, k)
	}
	close(f.landed)
}

// changes reports whether a request may change what a PROPFIND shows.
func changes(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "PROPFIND", "REPORT", "SEARCH":
		return false
	}
	return true
}
