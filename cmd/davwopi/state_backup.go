package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"davwopi/bridge/saves"
	"davwopi/idmap/sqldb"
)

// A backup is a tar file, so that it can be looked into without davwopi:
//
//	davwopi-backup.json   what this is, first
//	state.db              the database, as it was at one point
//	saves/NAME            the journal's files that the database speaks of, at the same point
//	sha256.json           the SHA-256 of everything before, last: without it the backup is cut
//
// The secret key is not in it: whoever has both can open every sealed password.
const (
	backupHead    = "davwopi-backup.json"
	backupSums    = "sha256.json"
	backupKind    = "davwopi backup"
	backupVersion = 1
	backupPrefix  = ".backup-" // of the directory in which one is prepared
)

// A backupHeader is what davwopi-backup.json says.
type backupHeader struct {
	Kind    string    `json:"kind"`
	Version int       `json:"version"`
	Program string    `json:"program"`
	Made    time.Time `json:"made"`
	Files   int       `json:"files"` // of the journal
	Waiting int       `json:"waiting"`
	Bytes   int64     `json:"bytes"` // of all that follows but the sums
}

var errPostgres = errors.New("the state is in PostgreSQL: back it up with pg_dump, which has the save journal too (with saves.dir copy that folder after it); after pg_restore, and before davwopi is started, run: davwopi state restored")

// A snapshot is the state at one point, in a directory of links and copies.
type snapshot struct {
	dir    string
	header backupHeader
	spools []saves.Spool
}

// takeSnapshot prepares a backup of db and the journal in dir below state. journal is the
// running one, nil if no daemon runs: what leaves it meanwhile is kept for the backup.
func takeSnapshot(ctx context.Context, state string, db *sqldb.DB, journal *saves.Saves) (_ *snapshot, err error) {
	if db.Shared() {
		return nil, errPostgres
	}
	s := &snapshot{}
	if s.dir, err = os.MkdirTemp(state, backupPrefix); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.remove())
		}
	}()
	if journal != nil {
		stop, err := journal.KeepRemoved(s.dir)
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	if err := db.Backup(ctx, s.database()); err != nil {
		return nil, err
	}
	if err := s.readCopy(ctx); err != nil {
		return nil, err
	}
	for _, sp := range s.spools {
		err := saves.Preserve(filepath.Join(state, "saves"), sp.Name, s.dir)
		if errors.Is(err, fs.ErrNotExist) {
			_, err = os.Stat(filepath.Join(s.dir, sp.Name)) // it has left the journal meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("a file of the journal, of which the database speaks: %w", err)
		}
	}
	return s, nil
}

func (s *snapshot) database() string { return filepath.Join(s.dir, "state.db") }

func (s *snapshot) remove() error { return os.RemoveAll(s.dir) }

// readCopy asks the copy of the database, which is not changed any more, for its files.
func (s *snapshot) readCopy(ctx context.Context) error {
	db, err := sqldb.Open(ctx, s.database())
	if err != nil {
		return err
	}
	s.spools, err = saves.Spools(ctx, db)
	now, nowErr := db.Now(ctx)
	if err := errors.Join(err, nowErr, db.Close()); err != nil {
		return err
	}
	info, err := os.Stat(s.database())
	if err != nil {
		return err
	}
	s.header = backupHeader{Kind: backupKind, Version: backupVersion, Program: buildVersion(), Made: now, Files: len(s.spools), Bytes: info.Size()}
	for _, sp := range s.spools {
		s.header.Bytes += sp.Size
		if sp.Acknowledged {
			s.header.Waiting++
		}
	}
	return nil
}

// write streams the backup.
func (s *snapshot) write(ctx context.Context, w io.Writer) error {
	out := &backupWriter{tar: tar.NewWriter(w), sums: map[string]string{}, at: s.header.Made}
	head, err := json.Marshal(s.header)
	if err != nil {
		return err
	}
	if err := out.add(ctx, backupHead, int64(len(head)), strings.NewReader(string(head))); err != nil {
		return err
	}
	if err := out.addFile(ctx, "state.db", s.database()); err != nil {
		return err
	}
	for _, sp := range s.spools {
		if err := out.addFile(ctx, "saves/"+sp.Name, filepath.Join(s.dir, sp.Name)); err != nil {
			return err
		}
	}
	sums, err := json.Marshal(out.sums)
	if err != nil {
		return err
	}
	if err := out.add(ctx, backupSums, int64(len(sums)), strings.NewReader(string(sums))); err != nil {
		return err
	}
	return out.tar.Close()
}

type backupWriter struct {
	tar  *tar.Writer
	sums map[string]string // name -> SHA-256 in hex
	at   time.Time
}

func (b *backupWriter) addFile(ctx context.Context, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return b.add(ctx, name, info.Size(), f)
}

func (b *backupWriter) add(ctx context.Context, name string, size int64, r io.Reader) error {
	// GNU's form has room for any size without extensions, which a restore refuses.
	err := b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.at.Truncate(time.Second), Format: tar.FormatGNU})
	if err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(b.tar, hash), reading{ctx, r}); err != nil {
		return err
	}
	b.sums[name] = hex.EncodeToString(hash.Sum(nil))
	return nil
}

// reading ends with its context.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// backup is the daemon's side of davwopi state backup: a stream, which breaks off if it
// cannot be whole.
func (h *house) backup(ctx context.Context, _ struct{}) (io.ReadCloser, error) {
	s, err := takeSnapshot(ctx, h.config.State.Dir, h.db, h.saves)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() {
		err := s.write(ctx, w)
		if rerr := s.remove(); rerr != nil {
			h.log.Warn().Str("cause", rerr.Error()).Msg("what a backup was prepared in could not be removed")
		}
		w.CloseWithError(err) // nil is the end of the stream
	}()
	return r, nil
}

// removeOldBackups clears away what a killed process prepared a backup in.
func removeOldBackups(state string) error {
	left, err := filepath.Glob(filepath.Join(state, backupPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
