package saves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A Spool is a file that a journal's row speaks of.
type Spool struct {
	Name   string // within STATE/saves
	Size   int64
	SHA256 []byte
	// Acknowledged: somebody was told that these bytes are safe, and they are nowhere else.
	Acknowledged bool
}

// Spools are the files that the rows in db speak of, oldest first. Bytes that are in the
// database itself, or on a volume, are not among them.
func Spools(ctx context.Context, db *sqldb.DB) ([]Spool, error) {
	if err := db.Migrate(ctx, "saves", migrations); err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	s := &Saves{DB: db}
	all, err := s.anywhere(ctx, `place = store AND place <> ?`, inDatabase)
	if err != nil {
		return nil, err
	}
	list := make([]Spool, 0, len(all))
	for _, r := range all {
		list = append(list, Spool{spoolName(r.id, r.file), r.size, r.sha256, r.acknowledged()})
	}
	return list, nil
}

// IsSpool reports whether name is one that a spool can have.
func IsSpool(name string) bool {
	id, file, ok := parseSpoolName(name)
	if !ok || name != spoolName(id, file) || len(name) > 80 {
		return false
	}
	for _, c := range id + string(file) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// Restored prepares the rows of a backup for a journal in dir, into which the spools have
// been put and which gets a name. Nothing of what was going on is gone on with:
//
//   - what nobody was answered for is unacknowledged, and never written by itself;
//   - what was acknowledged waits as it did, but is written only over exactly what lay
//     there when it began to wait, by the upstream's own evidence. If anything else lies
//     there it becomes a conflict copy, unless it is these bytes. Locks that the bridge of
//     then may have left upstream are waited for.
func Restored(ctx context.Context, db *sqldb.DB, dir string) error {
	if err := db.Migrate(ctx, "saves", migrations); err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	store, err := storeName(dir)
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	now, err := db.Now(ctx)
	if err != nil {
		return fmt.Errorf("saves: %w", err)
	}
	renamed := `UPDATE saves_entry SET place = ? WHERE place = store`
	if db.Shared() {
		renamed += ` AND 1 = 0` // files of bridges that are not in the database are where they are
	}
	err = db.Write(ctx, func(tx sqldb.Queryer) error {
		for _, c := range []statement{
			{`UPDATE saves_entry SET state = ?, reason = ? WHERE state IN (?, ?)`, []any{stateUnacknowledged, "from a backup; it is not known what became of it", stateSpooled, stateDelivering}},
			{`UPDATE saves_entry SET restored = ? WHERE state IN (?, ?)`, []any{sqldb.Millis(now), stateWaiting, stateAside}},
			{`UPDATE saves_entry SET sent = 0, beside = 0`, nil},
			{renamed, []any{store}},
			{`UPDATE saves_entry SET store = ?`, []any{store}},
			{`DELETE FROM saves_bridge`, nil},
			{`DELETE FROM saves_incoming`, nil},
		} {
			if _, err := tx.Exec(ctx, c.query, c.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("saves: after a restore: %w", err)
	}
	return nil
}

// deliveredSince reports whether the file has the bytes of an entry from a backup: they
// may have been delivered after it was made. The last look is that then.
func (d *delivery) deliveredSince(ctx context.Context) (bool, error) {
	if d.r.restored.IsZero() {
		return false, nil
	}
	err := d.look(ctx)
	if errors.Is(err, idmap.ErrMissing) || errors.Is(err, idmap.ErrNotFound) || errors.Is(err, dav.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return d.holds(ctx, d.was)
}

// stillThere reports whether what the bytes of an entry from a backup rest on still lies
// there, by the upstream's own evidence. Equal contents prove nothing: they may have been
// saved again since the backup, over what these bytes have become.
func (d *delivery) stillThere(ctx context.Context) (bool, error) {
	base, err := d.s.IDs.RevisionAt(ctx, d.file, d.base)
	if errors.Is(err, idmap.ErrNotFound) {
		return false, nil
	}
	if err != nil || base.Size != d.was.Size {
		return false, err
	}
	if base.ETag != "" || d.was.ETag != "" {
		return base.ETag.Same(d.was.ETag), nil
	}
	return !base.Modified.IsZero() && base.Modified.Equal(d.was.Modified), nil
}

// oldLocks is how long after a restore a foreign lock may be one that our own bridge took
// after the backup was made, and that nobody refreshes any more.
const oldLocks = 35 * time.Minute

// mayBeOurs reports whether a lock that stands in the way may be such a one.
func (d *delivery) mayBeOurs(ctx context.Context) (bool, error) {
	if d.r.restored.IsZero() {
		return false, nil
	}
	now, err := d.s.DB.Now(ctx)
	return now.Sub(d.r.restored) < oldLocks, err
}

type statement struct {
	query string
	args  []any
}

// Busy reports whether a bridge other than that of dir is alive on db, as far as it has
// said so within the last 20 seconds, or within those before db was dumped.
func Busy(ctx context.Context, db *sqldb.DB, dir string) (bool, error) {
	if err := errors.Join(db.Migrate(ctx, "saves", migrations), os.MkdirAll(dir, 0o700)); err != nil {
		return false, fmt.Errorf("saves: %w", err)
	}
	store, err := storeName(dir)
	if err != nil {
		return false, fmt.Errorf("saves: %w", err)
	}
	now, err := db.Now(ctx)
	if err != nil {
		return false, fmt.Errorf("saves: %w", err)
	}
	err = (&Saves{DB: db, store: store}).onlyOne(ctx, db.Read(), now)
	if errors.Is(err, ErrNotAlone) {
		return true, nil
	}
	return false, err
}

// keeper gives a backup the files that are removed while it is made.
type keeper struct {
	mu  sync.RWMutex
	dir string // guarded by mu; "" no backup is made
}

// KeepRemoved moves what leaves the journal into dir, which must be on the same file
// system or be able to hold it, until stop is called: a backup whose database copy speaks
// of a file finds it in the one place or in the other. One backup at a time: the error
// wraps fs.ErrExist.
func (s *Saves) KeepRemoved(dir string) (stop func(), err error) {
	s.keeper.mu.Lock() // waits for what is being removed with its row
	defer s.keeper.mu.Unlock()
	if s.keeper.dir != "" {
		return nil, fmt.Errorf("saves: another backup is being made: %w", fs.ErrExist)
	}
	s.keeper.dir = dir
	return func() {
		s.keeper.mu.Lock()
		defer s.keeper.mu.Unlock()
		s.keeper.dir = ""
	}, nil
}

// Preserve gives name of dir a second name below to: a link, or a copy where the file
// system has none. It does nothing if there is such a file already.
func Preserve(dir, name, to string) error {
	from, at := filepath.Join(dir, name), filepath.Join(to, name)
	err := os.Link(from, at)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(at))
	}
	return nil
}
