package saves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

const (
	defaultMax      = 4 << 30 // bytes of one body
	defaultPatience = 20 * time.Second
	retention       = 7 * 24 * time.Hour // of entries that nobody asks for
	preimageTotal   = 1 << 30            // bytes of all pre-images, and of one, if nothing is said
	settleEvery     = 5 * time.Second
	lateAfter       = 3 * time.Second // between a save and the look that lets its spool go
)

// Saves is the save journal. The exported fields are set before [New] and not
// changed after; what New returns may be used concurrently.
type Saves struct {
	// Dir is STATE/saves. It is made if it is absent, and belongs to this process.
	Dir string
	// InDatabase keeps the bytes of new entries in DB instead of files, so that every
	// bridge on it can read them.
	InDatabase bool
	// Volume is a directory that all bridges share and keep the bytes of new entries in,
	// each in one of its own; "": Dir. It must keep its files, see [New].
	Volume string
	// Replicas allows other bridges on DB; see [ErrNotAlone].
	Replicas bool
	// DB holds the rows.
	DB *sqldb.DB
	// IDs, Locks: who is asked about places and rights. Locks.Upstreams opens the
	// pinned credentials of entries whose request has ended.
	IDs   *idmap.Map
	Locks *locks.Locks
	// MaxBytes is the largest body; 0: 4 GiB.
	MaxBytes int64
	// Patience is how long a request waits for the file's lease and for an upstream
	// that does not answer, in sum; 0: 20 s.
	Patience time.Duration
	// WhenDown says whose saves are acknowledged while the upstream is away; "": Refuse.
	WhenDown Policy
	// MaxAge is how old the oldest waiting save may be when another begins to wait; 0:
	// 24 h.
	MaxAge time.Duration
	// UndoBytes is how much of what saves have replaced is kept in all, and of one file
	// at most; 0: 1 GiB, negative: nothing.
	UndoBytes int64
	// UndoAge is for how long; 0: 7 days.
	UndoAge time.Duration
	// OnError is told what failed where nobody waits for an answer. Nil: nobody is.
	OnError func(what string, err error)

	disk     disk
	store    string    // names Dir, and in rows whose they are: only that bridge delivers them
	orphans  time.Time // when dropOrphans last looked; of Run
	keeper   *keeper
	live     *live
	sights   *sights
	ownSpool bool // a test says so: no other bridge is on this database
	pause    func(context.Context, time.Duration) error
	clock    func() time.Time // of patience
	preBytes int64            // of all pre-images, and of one; 0 none
	preRoom  *allowance       // for more of them
	chunk    int64            // bytes of one chunk; defaultChunk, smaller in tests
	without  protection       // that is left out, "" none: a test sets it to prove that it would notice
	// crash is asked after each step that leaves a trace; a test lets it fail to see
	// what a process leaves that dies there. Nil: never.
	crash func(step string) error
}

// A Put is one PutFile.
type Put struct {
	Lock      *wopi.LockID // X-WOPI-Lock; nil: absent
	Body      io.Reader
	Length    int64  // Content-Length; -1 unknown
	Timestamp string // X-COOL-WOPI-Timestamp or X-LOOL-...; "" absent
	Base      string // X-Davwopi-Base: the Version that the person chose to overwrite; "" absent
	Writer    string // display name for conflict copies; "": the actor's
	// NoWait asks for the upstream's own answer: the save never waits (Policy).
	NoWait bool
}

// A Place is a folder in which something is made.
type Place struct {
	Space    idmap.SpaceID
	Upstream string
	View     *davbackend.View
	Folder   dav.Path
	Pin      func(context.Context) ([]byte, error) // as locks.Target.Pin; may be nil
	Writer   string                                // display name of who makes it, "" nobody's
	User     string                                // UserID of the same
}

// New brings the tables up to date, makes the directory and returns a journal
// that can be used. It does not look at what an earlier process left: that is
// [Saves.Recover].
func New(ctx context.Context, s Saves) (*Saves, error) {
	if s.Dir == "" || s.DB == nil || s.IDs == nil || s.Locks == nil {
		return nil, errors.New("saves: Dir, DB, IDs and Locks must be set")
	}
	s.defaults()
	if err := makeDir(s.Dir); err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	var err error
	if s.store, err = storeName(s.Dir); err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	if s.Volume != "" {
		if err := s.checkVolume(s.spools()); err != nil {
			return nil, fmt.Errorf("saves: the volume is not fit for a journal: %w", err)
		}
	}
	if err := s.DB.Migrate(ctx, "saves", migrations); err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	if err := s.announce(ctx, !s.Replicas); err != nil {
		return nil, err
	}
	return &s, nil
}

// defaults sets what was not set, and makes what lives only in this process.
func (s *Saves) defaults() {
	if s.MaxBytes <= 0 {
		s.MaxBytes = defaultMax
	}
	if s.Patience <= 0 {
		s.Patience = defaultPatience
	}
	if s.MaxAge <= 0 {
		s.MaxAge = defaultMaxAge
	}
	if s.OnError == nil {
		s.OnError = func(string, error) {}
	}
	if s.disk.create == nil {
		flags := s.disk
		s.disk = osDisk()
		s.disk.noFileSync, s.disk.noDirSync = flags.noFileSync, flags.noDirSync
		if flags.room != nil {
			s.disk.room = flags.room
		}
	}
	if s.without == "" {
		s.without = leftOut()
	}
	if s.pause == nil {
		s.pause = sleep
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.chunk == 0 {
		s.chunk = defaultChunk
	}
	if s.UndoAge <= 0 {
		s.UndoAge = retention
	}
	switch {
	case s.UndoBytes > 0:
		s.preBytes = s.UndoBytes
	case s.UndoBytes == 0:
		s.preBytes = preimageTotal
	}
	s.sights = &sights{at: make(map[sight]time.Time)}
	s.keeper, s.preRoom = new(keeper), new(allowance)
	s.live = &live{ids: make(map[string]bool), tries: make(map[string]try)}
}

// storeName reads the name of the directory, or gives it one. It is not durable
// before the first save: that fsyncs the directory.
func storeName(dir string) (string, error) {
	path := filepath.Join(dir, "store")
	b, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(b))) == 16 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	name := newID()
	temp := path + partSuffix
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(name + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Rename(temp, path); err != nil {
		return "", err
	}
	return name, osDisk().syncDir(dir)
}

// live is the set of entries that a goroutine of this process works on, and when
// those are due that a try has failed for.
type live struct {
	mu    sync.Mutex
	ids   map[string]bool // guarded by mu
	tries map[string]try  // guarded by mu
}

type try struct {
	failed int
	next   time.Time
}

// take reports false if somebody has the entry already.
func (l *live) take(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ids[id] {
		return false
	}
	l.ids[id] = true
	return true
}

func (l *live) leave(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ids, id)
}

// hurry ends all pauses.
func (l *live) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.tries)
}

// due reports whether an entry may be tried by itself now.
func (l *live) due(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !time.Now().Before(l.tries[id].next)
}

// again puts the next try of an entry off if the last one failed, twice as long each
// time, up to ten minutes, or to half a minute for one that waits for its upstream.
// The pauses are spread: what an outage has struck together does not come together.
func (l *live) again(id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		delete(l.tries, id)
		return
	}
	most := 10 * time.Minute
	if waits := (*waitsError)(nil); errors.As(err, &waits) {
		most = 30 * time.Second
	}
	t := l.tries[id]
	pause := min(settleEvery<<min(t.failed, 10), most)
	t.next = time.Now().Add(pause/2 + rand.N(pause/2))
	t.failed++
	l.tries[id] = t
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// patiently does f again, with growing pauses, as long as its error is transient
// and until has not come; after the pause that the upstream asks for, if it does. The pauses are spread, so that the editors which an
// outage has struck together do not come back together.
func (s *Saves) patiently(ctx context.Context, until time.Time, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		if err == nil || !transient(err) {
			return err
		}
		wait := min(100*time.Millisecond<<min(n, 6), 5*time.Second)
		wait = wait/2 + rand.N(wait)
		var busy *davbackend.UnavailableError
		if errors.As(err, &busy) {
			wait = max(wait, busy.RetryAfter)
		}
		if s.clock().Add(wait).After(until) {
			return err
		}
		if s.pause(ctx, wait) != nil {
			return err
		}
	}
}

// left is what remains of a request's patience.
func (s *Saves) left(until time.Time) time.Duration { return max(0, until.Sub(s.clock())) }

// step is where a test may let the process die.
func (s *Saves) step(name string) error {
	if s.crash == nil {
		return nil
	}
	return s.crash(name)
}
