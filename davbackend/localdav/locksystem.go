package localdav

import (
	"context"
	"sync"
	"time"

	"golang.org/x/net/webdav"

	"davwopi/davbackend/dav"
)

// shortLocks are the locks that x/net's Handler takes for the time of one request, when
// the request names none. They are never stored.
type shortLocks struct {
	mu    sync.Mutex
	names map[string]string // token -> key; guarded by mu
}

func (c *shortLocks) take(keys ...string) (release func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		for _, held := range c.names {
			if held == key {
				return nil, false
			}
		}
	}
	var tokens []string
	for _, key := range keys {
		token := "urn:uuid:" + randomUUID()
		c.names[token] = key
		tokens = append(tokens, token)
	}
	return func() {
		for _, token := range tokens {
			c.drop(token)
		}
	}, true
}

func (c *shortLocks) drop(token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.names[token]
	delete(c.names, token)
	return ok
}

func (c *shortLocks) token(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for token, held := range c.names {
		if held == key {
			return token
		}
	}
	return ""
}

// A lockSystem is what x/net's Handler sees of the locks, for one request. The times
// that it is told are ignored: locks live by the database's clock.
type lockSystem struct {
	ctx context.Context
	s   *Server
}

var _ webdav.LockSystem = lockSystem{}

func (ls lockSystem) keys(name string) ([]string, error) {
	p, err := dav.ParsePath(name)
	if err != nil {
		return nil, err
	}
	pl, err := ls.s.tree.resolve(p)
	if err != nil {
		return nil, err
	}
	return pl.keys(), nil
}

// Confirm implements [webdav.LockSystem]: conditions name a lock for each name that is
// protected, and the names stay claimed until release.
func (ls lockSystem) Confirm(_ time.Time, name0, name1 string, conditions ...webdav.Condition) (release func(), err error) {
	tokens := map[dav.LockToken]bool{}
	for _, c := range conditions {
		if !c.Not {
			tokens[dav.LockToken(c.Token)] = true
		}
	}
	var all []string
	for _, name := range []string{name0, name1} {
		if name == "" {
			continue
		}
		keys, err := ls.keys(name)
		if err != nil {
			return nil, err
		}
		locks, err := ls.s.state.locksAbout(ls.ctx, keys, false)
		if err != nil {
			return nil, err
		}
		if _, locked := inTheWay(locks, tokens, resources(keys)); locked {
			return nil, webdav.ErrConfirmationFailed
		}
		all = append(all, keys...)
	}
	release, ok := ls.s.short.take(all...)
	if !ok {
		return nil, webdav.ErrConfirmationFailed
	}
	return release, nil
}

func resources(keys []string) []claim {
	var out []claim
	for _, key := range keys {
		out = append(out, claim{key: key})
	}
	return out
}

// Create implements [webdav.LockSystem]. The Handler only calls it for a lock that ends
// with the request: LOCK itself never gets there.
func (ls lockSystem) Create(_ time.Time, details webdav.LockDetails) (token string, err error) {
	keys, err := ls.keys(details.Root)
	if err != nil {
		return "", err
	}
	locks, err := ls.s.state.locksAbout(ls.ctx, keys, false)
	if err != nil {
		return "", err
	}
	if _, locked := inTheWay(locks, nil, resources(keys)); locked {
		return "", webdav.ErrLocked
	}
	key := keys[len(keys)-1]
	if _, ok := ls.s.short.take(key); !ok {
		return "", webdav.ErrLocked
	}
	return ls.s.short.token(key), nil
}

// Refresh implements [webdav.LockSystem] for stored locks.
func (ls lockSystem) Refresh(_ time.Time, token string, duration time.Duration) (webdav.LockDetails, error) {
	l, ok, err := ls.s.state.lockByToken(ls.ctx, dav.LockToken(token))
	if err != nil {
		return webdav.LockDetails{}, err
	}
	if !ok {
		return webdav.LockDetails{}, webdav.ErrNoSuchLock
	}
	if duration <= 0 || duration > maxGranted {
		duration = maxGranted
	}
	now, err := ls.s.state.db.Now(ls.ctx)
	if err != nil {
		return webdav.LockDetails{}, err
	}
	if ok, err = ls.s.state.extendLock(ls.ctx, l.token, now, now.Add(duration)); err != nil {
		return webdav.LockDetails{}, err
	}
	if !ok {
		return webdav.LockDetails{}, webdav.ErrNoSuchLock
	}
	return webdav.LockDetails{Root: string(l.root), Duration: duration, OwnerXML: l.owner, ZeroDepth: !l.infinite}, nil
}

// Unlock implements [webdav.LockSystem].
func (ls lockSystem) Unlock(_ time.Time, token string) error {
	if ls.s.short.drop(token) {
		return nil
	}
	ok, err := ls.s.state.dropLock(ls.ctx, dav.LockToken(token))
	if err == nil && !ok {
		err = webdav.ErrNoSuchLock
	}
	return err
}
