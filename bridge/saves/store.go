package saves

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"davwopi/davbackend"
	"davwopi/idmap/sqldb"
)

// Where bytes are: row.place is inDatabase, the name of the directory that they are in,
// which is that of the bridge which spooled them, or that below onVolume.
const (
	inDatabase = "database"
	onVolume   = "volume/"
)

// ErrElsewhere says that the bytes of an entry are on another bridge's disk. What that
// entry replaces must not be shown instead of it.
var ErrElsewhere = errors.New("saves: the bytes are with another bridge")

// place is where this journal puts new bytes.
func (s *Saves) place() string {
	switch {
	case s.InDatabase:
		return inDatabase
	case s.Volume != "":
		return onVolume + s.store
	}
	return s.store
}

// spools is the directory in which this journal spools.
func (s *Saves) spools() string { return s.dirOf(s.place()) }

// dirOf is the directory of a place; our own for the database.
func (s *Saves) dirOf(place string) string {
	if name, ok := strings.CutPrefix(place, onVolume); ok {
		return filepath.Join(s.Volume, filepath.Base(name))
	}
	return s.Dir
}

// path is the file of an entry whose bytes are in one.
func (s *Saves) path(r *row) string { return filepath.Join(s.dirOf(r.place), spoolName(r.id, r.file)) }

// readable reports whether the bytes of r can be read from here, whoever owns it.
func (s *Saves) readable(r *row) bool {
	if !strings.HasPrefix(r.place, onVolume) {
		return r.place == inDatabase || r.place == s.store
	}
	if s.Volume == "" {
		return false
	}
	_, err := os.Stat(s.dirOf(r.place)) // of another bridge, whose volume may be another one
	return err == nil
}

// keepBytes makes the body of a new entry durable, where r.place says.
func (s *Saves) keepBytes(ctx context.Context, r *row, body io.Reader, length, max int64) (spooled, error) {
	if whole, ok := body.(*wholeBody); ok {
		return s.takeOver(ctx, r, whole)
	}
	if r.place != inDatabase {
		return s.spool(spoolName(r.id, r.file), body, length, max)
	}
	sp, err := s.pour(ctx, r.id, body, length, max)
	if err != nil {
		ctx, stop := shortly(context.WithoutCancel(ctx))
		defer stop()
		return spooled{}, errors.Join(err, s.dropPieces(ctx, r.id))
	}
	return sp, nil
}

// reader reads the bytes of r from an offset on. The error wraps fs.ErrNotExist if they
// are gone, and is [ErrElsewhere] if another bridge has them.
func (s *Saves) reader(ctx context.Context, r *row, from int64) (io.ReadCloser, error) {
	switch {
	case !s.readable(r):
		return nil, fmt.Errorf("%w: entry %s", ErrElsewhere, r.id)
	case r.place == inDatabase:
		if ok, err := s.hasPieces(ctx, s.DB.Read(), r); err != nil || !ok {
			return nil, errors.Join(err, goneUnless(ok, r))
		}
		return &pieceReader{ctx: ctx, s: s, r: r, at: from}, nil
	}
	f, err := os.Open(s.path(r))
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func goneUnless(ok bool, r *row) error {
	if ok {
		return nil
	}
	return fmt.Errorf("saves: bytes of entry %s: %w", r.id, fs.ErrNotExist)
}

// upTo is size bytes of r, as the upstream client wants them.
func (s *Saves) upTo(ctx context.Context, r *row, from, size int64) davbackend.Body {
	return davbackend.Body{Size: size, Open: func() (io.ReadCloser, error) {
		f, err := s.reader(ctx, r, from)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.LimitReader(f, size), f}, nil
	}}
}

// hashBytes reads the bytes of r again: what lay somewhere is checked before it is used
// after a restart. Errors are those of reader.
func (s *Saves) hashBytes(ctx context.Context, r *row) (spooled, error) {
	f, err := s.reader(ctx, r, 0)
	if err != nil {
		return spooled{}, err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := copyBytes(hash, f)
	if err != nil {
		return spooled{}, err
	}
	return spooled{size: n, sha256: hash.Sum(nil)}, nil
}

// hasBytes reports whether the bytes of r are there; an entry whose bytes cannot be
// reached from here is taken for whole.
func (s *Saves) hasBytes(ctx context.Context, r *row) (bool, error) {
	if !s.readable(r) {
		return true, nil
	}
	if r.place == inDatabase {
		return s.hasPieces(ctx, s.DB.Read(), r)
	}
	_, err := os.Stat(s.path(r))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// dropFile removes the file of r, if it has one that can be reached.
func (s *Saves) dropFile(r *row) error {
	if r.place == inDatabase || !s.readable(r) {
		return nil
	}
	return s.disk.remove(s.path(r))
}

// checkVolume proves that dir keeps what it is told to: a file is written, fsynced,
// renamed, its directory fsynced, read again and removed.
func (s *Saves) checkVolume(dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	const body = "davwopi looks whether this volume keeps its files"
	name := newID() + ".check"
	_ = s.disk.remove(filepath.Join(dir, name+partSuffix))
	f, err := s.disk.create(filepath.Join(dir, name+partSuffix))
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, body)
	err = errors.Join(err, f.sync(), f.close())
	if err == nil {
		err = s.disk.rename(filepath.Join(dir, name+partSuffix), filepath.Join(dir, name))
	}
	if err == nil {
		err = s.disk.syncDir(dir)
	}
	var got []byte
	if err == nil {
		got, err = os.ReadFile(filepath.Join(dir, name))
	}
	if err == nil && string(got) != body {
		err = fmt.Errorf("%s: what was written is not what is read", dir)
	}
	return errors.Join(err, s.disk.remove(filepath.Join(dir, name+partSuffix)), s.disk.remove(filepath.Join(dir, name)))
}

// takeFrom makes an entry of another bridge this one's, on a person's word, unless a
// request may be working on it there: [ErrInUse].
func (s *Saves) takeFrom(ctx context.Context, r *row) error {
	if r.store == s.store {
		return nil
	}
	if !s.readable(r) {
		return fmt.Errorf("%w: entry %s", ErrElsewhere, r.id)
	}
	n := int64(0)
	err := s.DB.Write(ctx, func(tx sqldb.Queryer) (err error) {
		n, err = tx.Exec(ctx, `UPDATE saves_entry SET store = ? WHERE id = ? AND store = ? AND state = ? AND serial = ? AND state NOT IN (?, ?)`,
			s.store, r.id, r.store, r.state, r.serial, stateSpooled, stateDelivering)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("saves: journal: %w", err)
	case n == 0:
		return ErrInUse
	}
	s.preRoom.recount()
	r.store = s.store
	return nil
}

// hasPieces reports whether the database has all of r's bytes.
func (s *Saves) hasPieces(ctx context.Context, q sqldb.Queryer, r *row) (bool, error) {
	var size sql.NullInt64
	if err := q.QueryRow(ctx, `SELECT CAST(SUM(size) AS BIGINT) FROM saves_piece WHERE entry = ?`, r.id).Scan(&size); err != nil {
		return false, fmt.Errorf("saves: journal: %w", err)
	}
	return size.Int64 == r.size, nil
}
