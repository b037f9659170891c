package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

// Names in a state directory while a backup is restored.
const (
	restoringDir = "restore.part" // being filled; means nothing
	restoredDir  = "restored"     // whole and durable; its files are put into place by whoever comes next
	replacedDir  = "replaced-"    // and the time: what was there before
)

const maxSums = 64 << 20 // bytes; some 500,000 files

var (
	errBackup = errors.New("not a backup that can be restored")
	errState  = errors.New("there is a state already")
)

// A restore puts a backup into a state directory, whole or not at all:
//
//  1. the database's lock is taken: no daemon runs, and none can be started
//  2. everything is written to restore.part, compared with its sums and fsynced
//  3. the database there is told that it comes from a backup
//  4. restore.part becomes restored: from now on the restore has happened
//  5. what is in the way is moved aside, and the files are put into place
//
// Whoever starts on the directory after a crash between 4 and 5 does the rest.
type restore struct {
	state   string
	replace bool                 // what is there may be moved aside
	now     time.Time            // names what is moved aside
	step    func(s string) error // where a test lets the process die; may be nil
}

func (r *restore) at(step string) error {
	if r.step == nil {
		return nil
	}
	return r.step(step)
}

// from restores what backup says. Nothing has changed if the error wraps errBackup,
// errState or sqldb.ErrInUse.
func (r *restore) from(ctx context.Context, backup io.Reader) (backupHeader, error) {
	none := backupHeader{}
	if err := os.MkdirAll(r.state, 0o700); err != nil {
		return none, err
	}
	release, err := sqldb.Hold(filepath.Join(r.state, "state.db"))
	if err != nil {
		return none, err
	}
	defer release()
	if err := r.install(); err != nil {
		return none, err
	}
	if !r.replace {
		if found := r.present(); found != "" {
			return none, fmt.Errorf("%w: %s; with -replace it is moved aside, into %s", errState, filepath.Join(r.state, found), filepath.Join(r.state, replacedDir+"..."))
		}
	}
	part := filepath.Join(r.state, restoringDir)
	if err := os.RemoveAll(part); err != nil {
		return none, err
	}
	head, err := r.fill(ctx, part, backup)
	if err != nil {
		return none, errors.Join(err, os.RemoveAll(part))
	}
	if err := r.at("filled"); err != nil {
		return none, err
	}
	if err := os.Rename(part, filepath.Join(r.state, restoredDir)); err != nil {
		return none, err
	}
	if err := errors.Join(syncPath(r.state), r.at("restored")); err != nil {
		return none, err
	}
	return head, r.install()
}

// present names what a restore would be in the way of, "" nothing.
func (r *restore) present() string {
	for _, name := range []string{"state.db", "state.db-wal"} {
		if _, err := os.Lstat(filepath.Join(r.state, name)); err == nil {
			return name
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.state, "saves", "*.spool")); len(left) > 0 {
		return "saves"
	}
	return ""
}

// fill is steps 2 and 3.
func (r *restore) fill(ctx context.Context, part string, backup io.Reader) (backupHeader, error) {
	if err := os.MkdirAll(filepath.Join(part, "saves"), 0o700); err != nil {
		return backupHeader{}, err
	}
	b := newBackupReader(reading{ctx, backup}, part)
	if err := b.read(r.at); err != nil {
		return backupHeader{}, err
	}
	database := filepath.Join(part, "state.db")
	db, err := sqldb.Open(ctx, database)
	if err != nil {
		return backupHeader{}, fmt.Errorf("%w: %w", errBackup, err)
	}
	err = b.check(ctx, db)
	if err == nil {
		err = markRestored(ctx, db, filepath.Join(part, "saves"))
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return backupHeader{}, err
	}
	return b.head, errors.Join(os.Remove(database+".lock"), syncPath(database), syncPath(filepath.Join(part, "saves")), syncPath(part))
}

// markRestored tells every room that the rows are those of a backup.
func markRestored(ctx context.Context, db *sqldb.DB, journal string) error {
	ids, err := idmap.New(ctx, db)
	if err != nil {
		return err
	}
	for _, room := range []func(context.Context) error{
		ids.NewEpoch,
		func(ctx context.Context) error { return saves.Restored(ctx, db, journal) },
		func(ctx context.Context) error { return locks.Restored(ctx, db) },
		func(ctx context.Context) error { return access.Restored(ctx, db) },
		func(ctx context.Context) error { return oauth.Restored(ctx, db) },
		func(ctx context.Context) error { return facade.Restored(ctx, db) },
	} {
		if err := room(ctx); err != nil {
			return err
		}
	}
	return nil
}

// install is step 5, and nothing where there is nothing to do. The caller holds the lock.
func (r *restore) install() error {
	from := filepath.Join(r.state, restoredDir)
	if _, err := os.Lstat(from); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, move := range []struct {
		name string
		old  []string
	}{
		{"saves", []string{"saves"}},
		{"state.db", []string{"state.db", "state.db-wal", "state.db-shm"}},
	} {
		if _, err := os.Lstat(filepath.Join(from, move.name)); errors.Is(err, os.ErrNotExist) {
			continue // done before a crash
		}
		for _, old := range move.old {
			if err := r.aside(old); err != nil {
				return err
			}
		}
		if err := r.at("aside " + move.name); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(from, move.name), filepath.Join(r.state, move.name)); err != nil {
			return err
		}
		if err := errors.Join(syncPath(r.state), r.at("installed "+move.name)); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(from), syncPath(r.state))
}

// aside moves what was there before out of the way.
func (r *restore) aside(name string) error {
	from := filepath.Join(r.state, name)
	if _, err := os.Lstat(from); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	to := filepath.Join(r.state, replacedDir+r.now.UTC().Format("20060102-150405"))
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	return os.Rename(from, filepath.Join(to, name))
}

// settleRestore finishes what a killed restore has begun, or clears it away.
func settleRestore(state string, now time.Time) error {
	left := false
	for _, name := range []string{restoringDir, restoredDir} {
		if _, err := os.Lstat(filepath.Join(state, name)); err == nil {
			left = true
		}
	}
	if !left {
		return nil
	}
	release, err := sqldb.Hold(filepath.Join(state, "state.db"))
	if err != nil {
		return err
	}
	defer release()
	r := &restore{state: state, now: now}
	return errors.Join(r.install(), os.RemoveAll(filepath.Join(state, restoringDir)))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// A backupReader writes a backup's files into a directory. What it reads may be cut,
// spoiled or made up: only names that a backup has are written, only plain files, not
// more bytes than the head has announced, and nothing counts before the sums are right.
type backupReader struct {
	tar  *tar.Reader
	into string // "" to check only
	head backupHeader
	sums map[string]string
	left int64 // bytes that may still come
}

func newBackupReader(r io.Reader, into string) *backupReader {
	return &backupReader{tar: tar.NewReader(r), into: into, sums: map[string]string{}}
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errBackup, fmt.Errorf(format, args...))
}

func (b *backupReader) read(at func(string) error) error {
	if err := b.readHead(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		h, err := b.next()
		if err != nil {
			return err
		}
		switch {
		case h.Name == backupSums && n > 0:
			return b.readSums(h)
		case (n == 0) != (h.Name == "state.db"):
			return refuse("%q comes where the database should, or twice", h.Name)
		case n > 0 && (!strings.HasPrefix(h.Name, "saves/") || !saves.IsSpool(strings.TrimPrefix(h.Name, "saves/"))):
			return refuse("a backup has no %q", h.Name)
		case b.sums[h.Name] != "" || n > b.head.Files || h.Size > b.left:
			return refuse("%q: more than the backup says it has", h.Name)
		}
		if err := b.write(h); err != nil {
			return err
		}
		if at != nil {
			if err := at(fmt.Sprintf("file %d", n)); err != nil {
				return err
			}
		}
	}
}

// next is the header of the next file; the end comes only after the sums.
func (b *backupReader) next() (*tar.Header, error) {
	h, err := b.tar.Next()
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return nil, refuse("it ends before its end")
	case err != nil:
		return nil, refuse("%w", err)
	case h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0 || h.Size < 0:
		return nil, refuse("%q is not a plain file", h.Name)
	}
	return h, nil
}

func (b *backupReader) readHead() error {
	h, err := b.next()
	if err != nil {
		return err
	}
	if h.Name != backupHead || h.Size > 64<<10 {
		return refuse("it does not begin with %s", backupHead)
	}
	var text bytes.Buffer
	if err := b.copy(&text, h); err != nil {
		return err
	}
	if err := json.Unmarshal(text.Bytes(), &b.head); err != nil || b.head.Kind != backupKind {
		return refuse("%s says that it is something else", backupHead)
	}
	if b.head.Version != backupVersion {
		return refuse("it is of version %d, made by davwopi %s; this one reads version %d", b.head.Version, b.head.Program, backupVersion)
	}
	b.left = b.head.Bytes
	return nil
}

// copy reads one file, and notes its sum.
func (b *backupReader) copy(w io.Writer, h *tar.Header) error {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), b.tar)
	if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && n != h.Size {
		return refuse("it ends in the middle of %s", h.Name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	b.sums[h.Name] = hex.EncodeToString(hash.Sum(nil))
	return nil
}

func (b *backupReader) write(h *tar.Header) error {
	b.left -= h.Size
	if b.into == "" {
		return b.copy(io.Discard, h)
	}
	f, err := os.OpenFile(filepath.Join(b.into, filepath.FromSlash(h.Name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(b.copy(f, h), f.Sync(), f.Close())
}

func (b *backupReader) readSums(h *tar.Header) error {
	if h.Size > maxSums {
		return refuse("%s has %d bytes", h.Name, h.Size)
	}
	var text bytes.Buffer
	if _, err := io.Copy(&text, b.tar); err != nil {
		return refuse("it ends in the middle of %s", h.Name)
	}
	want := map[string]string{}
	if err := json.Unmarshal(text.Bytes(), &want); err != nil {
		return refuse("%s: %w", h.Name, err)
	}
	for name, sum := range b.sums {
		if want[name] != sum {
			return refuse("%s is not as it was written", name)
		}
	}
	if len(want) != len(b.sums) || len(want) != b.head.Files+2 {
		return refuse("files are missing")
	}
	if _, err := b.tar.Next(); err != io.EOF {
		return refuse("something follows its end")
	}
	return nil
}

// check compares the database with the files: each has what the other speaks of.
func (b *backupReader) check(ctx context.Context, db *sqldb.DB) error {
	if err := db.Sound(ctx); err != nil {
		return refuse("its database: %w", err)
	}
	spools, err := saves.Spools(ctx, db)
	if err != nil {
		return refuse("its database: %w", err)
	}
	if len(spools) != b.head.Files {
		return refuse("the database speaks of %d files of the journal, and there are %d", len(spools), b.head.Files)
	}
	for _, sp := range spools {
		if b.sums["saves/"+sp.Name] != hex.EncodeToString(sp.SHA256) {
			return refuse("saves/%s is missing, or has not the bytes that were saved", sp.Name)
		}
	}
	return nil
}
