package locks

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"davwopi/bridge/access"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Locks is the lock book: rows in the state database, shadows on the upstream.
//
// [New] makes a usable one from the exported fields, which are not changed
// afterwards. All methods may be called concurrently, by several processes on one
// database too.
type Locks struct {
	DB        *sqldb.DB
	IDs       *idmap.Map
	Upstreams *access.Upstreams
	Respect   bool // lock_files: lock files of desktop programs are respected
	Announce  bool // announce_locks: LibreOffice's lock file is written while we hold a lock
	// LeaseFor is how long a lease lives that is not renewed; 0: 20 s.
	LeaseFor time.Duration
	// OnError hears what failed in the background and will be tried again: what in a
	// few words without names of documents, and the error. Nil: nobody hears it.
	OnError func(what string, err error)
	// Debug hears, once for each upstream, of what does no harm: why no file is stamped.
	// Nil: nobody hears it.
	Debug func(what string, err error)

	k *innards
}

// innards are what Locks needs besides its fields; behind a pointer, because New
// takes and gives Locks by value.
type innards struct {
	without  protection // that is left out, "" none
	process  string     // who we are in leases and claims; random, so that a restart is somebody else
	wakes    wakes
	renewals renewals
	patience time.Duration // of operations that need a lease or an outcome
	poll     time.Duration // between two looks at what another process does
	step     time.Duration // between two passes of Run
	leaseFor time.Duration
	renew    time.Duration // between two renewals of a row that is being taken

	mu        sync.Mutex
	handlers  map[string]settler      // guarded by mu
	swept     time.Time               // guarded by mu
	unstamped map[idmap.FileID]Target // guarded by mu: opened, and perhaps to be stamped
	noStamps  map[string]bool         // guarded by mu: upstreams of which Debug has heard
}

// Times that are not configuration.
const (
	takingFor    = 10 * time.Second // life of a row that is being taken, renewed while the upstream works
	firstGrant   = 60 * time.Second // the first LOCK asks for no more: a crash leaves nothing for long
	shadowGrant  = 30 * time.Minute // and the refresh after the token is stored for this
	longEnough   = 10 * time.Minute // a first grant of so much needs no refresh
	unknownGrant = 10 * time.Minute // assumed where the server does not say
	afterUnlock  = 60 * time.Second // in which a PutFile may still come
	reprieve     = 30 * time.Minute // members may save for so long after the editing's end
)

// New brings the tables of this room up to date and returns the lock book. Run
// must run somewhere, or shadows end after a while. IDs learns from it which files are
// locked.
func New(ctx context.Context, l Locks) (*Locks, error) {
	switch {
	case l.DB == nil || l.IDs == nil || l.Upstreams == nil:
		return nil, errors.New("locks: DB, IDs and Upstreams must be set")
	}
	if err := l.DB.Migrate(ctx, room, migrations); err != nil {
		return nil, fmt.Errorf("locks: %w", err)
	}
	if l.LeaseFor <= 0 {
		l.LeaseFor = 20 * time.Second
	}
	l.k = &innards{
		without:  leftOut(),
		process:  newNonce(),
		patience: 20 * time.Second,
		poll:     100 * time.Millisecond,
		step:     2 * time.Second,
		leaseFor: l.LeaseFor,
		renew:    takingFor / 3,
		handlers: make(map[string]settler),
	}
	l.OnIntent(kindLock, l.settleLock)
	l.OnIntent(kindUnlock, l.settleUnlock)
	l.OnIntent(kindMove, l.settleMove)
	l.OnIntent(kindDelete, l.settleDelete)
	if l.IDs.Held == nil {
		l.IDs.Held = l.Holds
	}
	return &l, nil
}

// newNonce is 80 random bits in letters and digits.
func newNonce() string {
	var b [10]byte
	rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// failed tells OnError about err, if both are there.
func (l *Locks) failed(what string, err error) {
	if err != nil && l.OnError != nil {
		l.OnError(what, err)
	}
}

// keep is the upstream as the keeper sees it: the service account, or the
// credential that the lock taker pinned.
func (l *Locks) keep(ctx context.Context, upstream string, pinned []byte) (*davbackend.View, error) {
	up, err := l.Upstreams.Get(upstream)
	if err != nil {
		return nil, fmt.Errorf("locks: %w", err)
	}
	if up.Service != nil {
		return up.Client.As(*up.Service), nil
	}
	view, err := l.Upstreams.Pinned(ctx, upstream, pinned)
	if err != nil {
		return nil, fmt.Errorf("locks: pinned credential: %w", err)
	}
	return view, nil
}

// viewOf is the upstream as the taker of r sees it, for a request of a: the DAV
// lock belongs to whoever took it.
func (l *Locks) viewOf(ctx context.Context, r *row, t Target, a Actor) (*davbackend.View, error) {
	if r.actor.UserID == a.UserID && r.upstream == t.Upstream {
		return t.View, nil
	}
	return l.keep(ctx, r.upstream, r.pinned)
}

func (t Target) pin(ctx context.Context) ([]byte, error) {
	if t.Pin == nil {
		return nil, nil
	}
	sealed, err := t.Pin(ctx)
	if err != nil {
		return nil, fmt.Errorf("locks: pinning the credential: %w", err)
	}
	return sealed, nil
}

// detached is ctx without its end, for the few writes that must follow whatever
// was done upstream even when the client has hung up.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
}

// unclear reports whether after err nobody knows what the upstream did.
func unclear(err error) bool {
	for _, sure := range []error{
		dav.ErrNotFound, dav.ErrExists, dav.ErrChanged, dav.ErrLocked, dav.ErrDenied, dav.ErrUnauthorized,
		dav.ErrFull, dav.ErrTooLarge, dav.ErrBadName, dav.ErrUnsupported,
	} {
		if errors.Is(err, sure) {
			return false
		}
	}
	return err != nil
}

// now asks the clock of locks and leases, the database's.
func (l *Locks) now(ctx context.Context) (time.Time, error) {
	now, err := l.DB.Now(ctx)
	if err != nil {
		return now, fmt.Errorf("locks: %w", err)
	}
	return now, nil
}
