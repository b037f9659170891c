package saves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	if !s.readable(r) {
		return nil, fmt.Errorf("%w: entry %s", ErrElsewhere, r.id) // never older bytes
	}
	rev, err := s.IDs.RevisionAt(ctx, file, r.revision)
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
// been delivered meanwhile.
func (s *Saves) OpenWaiting(ctx context.Context, w *Waiting) (io.ReadCloser, error) {
	f, err := s.reader(ctx, w.r, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoEntry
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

// MayShow reports whether w may be shown to a although the upstream does not answer:
// to members of its editing, and to who has seen the file within the last hour. err is
// what the upstream said; a refusal is never an outage.
func (s *Saves) MayShow(ctx context.Context, w *Waiting, a locks.Actor, err error) (bool, error) {
	if !errors.Is(err, dav.ErrUnavailable) && !errors.Is(err, dav.ErrIncomplete) {
		return false, nil
	}
	if s.sights.has(sight{w.r.file, a.UserID}, s.clock()) {
		return true, nil
	}
	return s.Locks.IsMember(ctx, w.r.editing, a.Member)
}

// WaitsFor is the upstream for which a save of file waits, as its row key; "" if none
// does, or if user has not seen the file within the last hour.
func (s *Saves) WaitsFor(ctx context.Context, file idmap.FileID, user string) (string, error) {
	if !s.sights.has(sight{file, user}, s.clock()) {
		return "", nil
	}
	r, err := s.waitingRow(ctx, file, "")
	if err != nil || r == nil {
		return "", err
	}
	return r.upstream, nil
}

// Lend gives a waiting save whose credential was refused that of t's person, who may
// write the file and whose own look at it has just succeeded. It is delivered with that.
func (s *Saves) Lend(ctx context.Context, w *Waiting, t locks.Target) error {
	if !w.NeedsSignIn || t.Pin == nil {
		return nil
	}
	pinned, err := t.Pin(ctx)
	if err != nil {
		return fmt.Errorf("saves: sealing a credential: %w", err)
	}
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE saves_entry SET pinned = ?, space = ?, upstream = ?, reason = '' WHERE id = ? AND state IN (?, ?) AND reason = ?`,
			pinned, int64(t.File.Space), t.Upstream, w.r.id, stateWaiting, stateAside, needsSignIn)
		return err
	})
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	s.live.again(w.r.id, nil)
	return nil
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

func (m *sights) has(k sight, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.at[k]
	return ok && now.Sub(at) < shownFor
}
