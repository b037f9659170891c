package saves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"davwopi/bridge/locks"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

const (
	shownFor  = time.Hour // after a person's own look at a file, its waiting bytes may be shown
	maxSights = 20_000    // that are remembered; the oldest half goes then
)

// A Waiting is a save that the upstream has not got yet: what readers of its file see.
type Waiting struct {
	// Revision names the bytes; Size and SHA256 are theirs, ETag is none.
	Revision    idmap.Revision
	NeedsSignIn bool // its credential was refused: anybody with write right can lend theirs

	r *row
}

// Waiting is the save of file that waits, nil if none does.
func (s *Saves) Waiting(ctx context.Context, file idmap.FileID) (*Waiting, error) {
	r, err := s.waitingRow(ctx, file, "")
	if err != nil || r == nil {
		return nil, err
	}
	return s.asWaiting(ctx, r)
}

// asWaiting is nil if the file of r is forgotten.
func (s *Saves) asWaiting(ctx context.Context, r *row) (*Waiting, error) {
	if !s.readable(r) {
		return nil, fmt.Errorf("%w: entry %s", ErrElsewhere, r.id) // never older bytes
	}
	rev, err := s.IDs.RevisionAt(ctx, r.file, r.revision)
	if errors.Is(err, idmap.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rev.Size, rev.SHA256, rev.ETag = r.size, r.sha256, ""
	return &Waiting{Revision: rev, NeedsSignIn: r.reason == needsSignIn, r: r}, nil
}

// OpenWaiting opens the bytes of w, which the caller closes; [ErrNoEntry] if they have
// been delivered meanwhile, another error if they only are not there: what lies beneath
// them must not be shown under their strings.
func (s *Saves) OpenWaiting(ctx context.Context, w *Waiting) (io.ReadCloser, error) {
	f, err := s.reader(ctx, w.r, 0)
	if errors.Is(err, fs.ErrNotExist) {
		now, rowErr := s.entry(ctx, w.r.id)
		if rowErr != nil {
			return nil, rowErr
		}
		if !now.acknowledged() {
			return nil, ErrNoEntry
		}
	}
	if err != nil {
		return nil, fmt.Errorf("saves: reading entry %s: %w", w.r.id, err)
	}
	return f, nil
}

// Saw notes that a person's own PROPFIND has shown file: for an hour its waiting bytes
// may be shown to that person while the upstream is away. It is kept in memory only;
// forgetting it shows less, not more.
func (s *Saves) Saw(file idmap.FileID, user string) { s.sights.add(sight{file, user}, s.clock()) }

// HasSeen reports whether the person's own PROPFIND has shown file within d, of at most
// an hour.
func (s *Saves) HasSeen(file idmap.FileID, user string, d time.Duration) bool {
	return s.sights.has(sight{file, user}, s.clock(), d)
}

// MayShow reports whether w may be shown to a although the upstream does not answer:
// to who made it, to members of its editing, and to who has seen the file within the last hour. err is
// what the upstream said; a refusal is never an outage.
func (s *Saves) MayShow(ctx context.Context, w *Waiting, a locks.Actor, err error) (bool, error) {
	if !errors.Is(err, dav.ErrUnavailable) && !errors.Is(err, dav.ErrIncomplete) {
		return false, nil
	}
	if s.HasSeen(w.r.file, a.UserID, shownFor) || w.r.user != "" && w.r.user == a.UserID {
		return true, nil
	}
	if a.Member == "" {
		return false, nil
	}
	return s.Locks.IsMember(ctx, w.r.editing, a.Member)
}

// WaitsFor is the upstream for which a save of file waits, as its row key; "" if none
// does, or if user has not seen the file within the last hour.
func (s *Saves) WaitsFor(ctx context.Context, file idmap.FileID, user string) (string, error) {
	if !s.HasSeen(file, user, shownFor) {
		return "", nil
	}
	all, err := s.anywhere(ctx, `file = ? AND state IN (?, ?)`, string(file), stateWaiting, stateAside)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return all[len(all)-1].upstream, nil
}

// Lend gives a waiting save whose credential was refused that of t's person, who may
// write the file and whose own look at it has just succeeded. It is delivered with that.
func (s *Saves) Lend(ctx context.Context, w *Waiting, t locks.Target) error {
	if !w.NeedsSignIn {
		return nil
	}
	return s.LendTo(ctx, w.r.id, t)
}

// LendTo is [Saves.Lend] for any acknowledged entry that needs a sign-in; others are left
// alone.
func (s *Saves) LendTo(ctx context.Context, id string, t locks.Target) error {
	if t.Pin == nil {
		return nil
	}
	pinned, err := t.Pin(ctx)
	if err != nil {
		return fmt.Errorf("saves: sealing a credential: %w", err)
	}
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE saves_entry SET pinned = ?, space = ?, upstream = ?, reason = '' WHERE id = ? AND state IN (?, ?) AND reason = ?`,
			pinned, int64(t.File.Space), t.Upstream, id, stateWaiting, stateAside, needsSignIn)
		return err
	})
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	s.live.again(id, nil)
	return nil
}

// Editing is the one in which w was saved, 0 none.
func (w *Waiting) Editing() int64 { return w.r.editing }

// Waitings are the newest waiting saves of all files, as of one moment: for listings.
// Most of the time there are none, which costs one query.
type Waitings struct {
	s    *Saves
	rows map[idmap.FileID]*row
}

// Waitings reads them.
func (s *Saves) Waitings(ctx context.Context) (Waitings, error) {
	all, err := s.anywhere(ctx, `state = ?`, stateWaiting)
	if err != nil || len(all) == 0 {
		return Waitings{}, err
	}
	w := Waitings{s, make(map[idmap.FileID]*row, len(all))}
	for _, r := range all {
		w.rows[r.file] = r // the newest is the last
	}
	return w, nil
}

// Files are those of which a save waits.
func (w Waitings) Files() []idmap.FileID { return slices.Collect(maps.Keys(w.rows)) }

// Of is the save of file that waits, nil if none does.
func (w Waitings) Of(ctx context.Context, file idmap.FileID) (*Waiting, error) {
	r := w.rows[file]
	if r == nil {
		return nil, nil
	}
	found, err := w.s.asWaiting(ctx, r)
	if errors.Is(err, ErrElsewhere) {
		return nil, nil // a list is shown without it; what is asked for alone is refused
	}
	return found, err
}

type sight struct {
	file idmap.FileID
	user string
}

// sights remembers who has seen what; bounded.
type sights struct {
	mu sync.Mutex
	at map[sight]time.Time // guarded by mu
}

func (m *sights) add(k sight, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.at) >= maxSights {
		for old, at := range m.at {
			if now.Sub(at) >= shownFor || len(m.at) > maxSights/2 {
				delete(m.at, old)
			}
		}
	}
	m.at[k] = now
}

func (m *sights) has(k sight, now time.Time, d time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.at[k]
	return ok && now.Sub(at) < min(d, shownFor)
}
