package saves

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"davwopi/davbackend/dav"
)

// A wholeBody is a body that has come in pieces, as Create and Overwrite take it: they
// make the bytes that lie here their own, and read them but once, to know their sum.
type wholeBody struct {
	Incoming
	done func() // takes it out of the live set; receive does so no more
}

// Read is for nobody: the bytes are not read through it.
func (*wholeBody) Read([]byte) (int, error) {
	return 0, errors.New("saves: a body in pieces is taken over, not read")
}

// Close gives the body back, if nobody has taken it over.
func (b *wholeBody) Close() error {
	b.done()
	return nil
}

// Whole hands a body of which all pieces are here to [Saves.Create] or [Saves.Overwrite],
// of the same journal, as their body; it must be closed after. They take it over at once,
// as they would a body that they have read: what they say of one holds for it.
//
// Errors: [ErrNoEntry], [ErrInUse], [dav.ErrIncomplete].
func (s *Saves) Whole(ctx context.Context, id, user string) (io.ReadCloser, int64, error) {
	in, done, err := s.hold(ctx, id, user)
	if err != nil {
		return nil, 0, err
	}
	if in.Have != in.Size {
		done()
		return nil, 0, fmt.Errorf("%w: %d of %d bytes", dav.ErrIncomplete, in.Have, in.Size)
	}
	return &wholeBody{in, done}, in.Size, nil
}

// takeOver makes the bytes of a body in pieces those of entry r. A file gets the name of
// a spool, which means what it always means: whole and durable.
func (s *Saves) takeOver(ctx context.Context, r *row, b *wholeBody) (spooled, error) {
	if r.place == inDatabase {
		r.size = b.Size
		return s.hashBytes(ctx, r)
	}
	path := s.incomingPath(b.Incoming)
	sp, err := s.sumOf(path)
	if err != nil {
		return sp, err
	}
	if sp.size != b.Size {
		return sp, fmt.Errorf("%w: %d of %d bytes", dav.ErrIncomplete, sp.size, b.Size)
	}
	if err := s.disk.rename(path, s.path(r)); err != nil {
		return sp, fmt.Errorf("saves: spooling: %w", err)
	}
	if err := s.disk.syncDir(s.dirOf(r.place)); err != nil {
		return sp, noRoom(fmt.Errorf("saves: spooling: %w", err))
	}
	return sp, nil
}

// sumOf reads a file, and makes it durable.
func (s *Saves) sumOf(path string) (spooled, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return spooled{}, ErrNoEntry
	}
	if err != nil {
		return spooled{}, fmt.Errorf("saves: a body in pieces: %w", err)
	}
	defer f.Close()
	hash := sha256.New()
	n, err := copyBytes(hash, f)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return spooled{}, noRoom(fmt.Errorf("saves: a body in pieces: %w", err))
	}
	return spooled{size: n, sha256: hash.Sum(nil)}, nil
}

// recoverIncoming removes the files of bodies in pieces that no row speaks of, and the
// rows whose file is gone: they were taken over.
func (s *Saves) recoverIncoming(ctx context.Context, place string, names []string) error {
	there := make(map[string]bool)
	for _, name := range names {
		id, ok := strings.CutSuffix(name, incomingSuffix)
		if !ok {
			continue
		}
		known, err := s.incomings(ctx, `id = ? AND place = ?`, id, place)
		if err != nil {
			return err
		}
		if there[id] = len(known) > 0; there[id] {
			continue
		}
		if err := s.disk.remove(filepath.Join(s.dirOf(place), name)); err != nil {
			return err
		}
	}
	all, err := s.incomings(ctx, `place = ?`, place)
	if err != nil {
		return err
	}
	for _, in := range all {
		if !there[in.ID] {
			if err := s.forgetIncoming(ctx, in.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
