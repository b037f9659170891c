package saves

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"davwopi/idmap/sqldb"
)

// journalOf is a journal that can only be read, of a state that nobody works on, or as
// another process than the one that does. Volume may be "".
func journalOf(ctx context.Context, db *sqldb.DB, dir, volume string) (*Saves, error) {
	if err := db.Migrate(ctx, "saves", migrations); err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	store, err := storeName(dir)
	if err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	return &Saves{DB: db, Dir: dir, Volume: volume, store: store, disk: osDisk()}, nil
}

// JournalName is the random name of the journal in dir, which gets one if it has none.
func JournalName(dir string) (string, error) {
	name, err := storeName(dir)
	if err != nil {
		return "", fmt.Errorf("saves: %w", err)
	}
	return name, nil
}

// sound says what is wrong with the bytes of r; nil: nothing.
func (s *Saves) sound(ctx context.Context, r *row) error {
	sp, err := s.hashBytes(ctx, r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("entry %s of %s has lost its bytes: %w", r.id, r.state, err)
	case err != nil:
		return err
	case sp.size != r.size || !bytes.Equal(sp.sha256, r.sha256):
		return fmt.Errorf("entry %s of %s has other bytes than were saved", r.id, r.state)
	}
	return nil
}

// A Carrier brings a journal's files into a dump of the rows, as if they had always been
// in the database: whoever loads it can read them, whatever database that is.
type Carrier struct {
	// Files are how many entries it carries, Bytes how many bytes these have.
	Files int
	Bytes int64
	// Left are entries that are left out, because their bytes are gone and nobody was
	// told that they are safe.
	Left []string

	s     *Saves
	rows  []*row
	moves map[string]bool // by ID; false: left out
}

// NewCarrier reads every file of the journal in dir, and in volume if that is not "", and
// compares it with its row. It refuses a journal of which something that was acknowledged
// is damaged, gone, or with another bridge.
func NewCarrier(ctx context.Context, db *sqldb.DB, dir, volume string) (*Carrier, error) {
	s, err := journalOf(ctx, db, dir, volume)
	if err != nil {
		return nil, err
	}
	all, err := s.anywhere(ctx, `place <> ?`, inDatabase)
	if err != nil {
		return nil, err
	}
	c := &Carrier{s: s, moves: map[string]bool{}}
	for _, r := range all {
		err := s.sound(ctx, r)
		switch {
		case err == nil:
			c.Files, c.Bytes = c.Files+1, c.Bytes+r.size
			c.rows = append(c.rows, r)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case r.acknowledged(), errors.Is(err, ErrElsewhere):
			return nil, fmt.Errorf("saves: it cannot be carried: %w", err)
		default:
			c.Left = append(c.Left, r.id)
		}
		c.moves[r.id] = err == nil
	}
	return c, nil
}

// Change is for sqldb.Dump.
func (c *Carrier) Change(t sqldb.Table, values []any) bool {
	if t.Name != "saves_entry" {
		return true
	}
	id, _ := values[t.Index("id")].(string)
	carried, file := c.moves[id]
	if carried {
		values[t.Index("place")] = inDatabase
	}
	return carried || !file
}

// More is for sqldb.Dump.
func (c *Carrier) More(ctx context.Context, t sqldb.Table, add func(row []any) error) error {
	if t.Name != "saves_piece" {
		return nil
	}
	for _, r := range c.rows {
		if err := c.pour(ctx, t, r, add); err != nil {
			return fmt.Errorf("saves: carrying entry %s: %w", r.id, err)
		}
	}
	return nil
}

func (c *Carrier) pour(ctx context.Context, t sqldb.Table, r *row, add func(row []any) error) error {
	f, err := c.s.reader(ctx, r, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := make([]byte, pieceSize)
	for at := int64(0); at < r.size; {
		n, err := io.ReadFull(f, buffer[:min(pieceSize, r.size-at)])
		if err != nil {
			return err
		}
		piece := map[string]any{"entry": r.id, "at": at, "size": int64(n), "made": sqldb.Millis(r.made), "bytes": buffer[:n]}
		values := make([]any, len(t.Columns))
		for i, column := range t.Columns {
			values[i] = piece[column.Name]
		}
		if err := add(values); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// Needless are the files in dir whose bytes the database has: names within it.
func Needless(ctx context.Context, db *sqldb.DB, dir string) ([]string, error) {
	s, err := journalOf(ctx, db, dir, "")
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("saves: %w", err)
	}
	var names []string
	for _, f := range files {
		id, _, ok := parseSpoolName(f.Name())
		if !ok {
			continue
		}
		r, err := s.entry(ctx, id)
		if errors.Is(err, ErrNoEntry) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.place == inDatabase {
			names = append(names, f.Name())
		}
	}
	return names, nil
}

// Examined is what a look at a journal has found.
type Examined struct {
	Entries   int
	Waiting   int      // acknowledged, and not yet on the file server
	Bytes     int64    // of all
	Elsewhere int      // entries whose bytes only another bridge can read
	Bad       []string // what is wrong, one entry each
}

// Examine reads all bytes of a journal and compares them with their rows. Others may go on
// working on it.
func Examine(ctx context.Context, db *sqldb.DB, dir, volume string) (Examined, error) {
	s, err := journalOf(ctx, db, dir, volume)
	if err != nil {
		return Examined{}, err
	}
	all, err := s.anywhere(ctx, `1 = 1`)
	if err != nil {
		return Examined{}, err
	}
	var e Examined
	for _, r := range all {
		e.Entries, e.Bytes = e.Entries+1, e.Bytes+r.size
		if r.acknowledged() {
			e.Waiting++
		}
		err := s.sound(ctx, r)
		switch {
		case ctx.Err() != nil:
			return e, ctx.Err()
		case errors.Is(err, ErrElsewhere):
			e.Elsewhere++
		case err != nil:
			var n int64
			still := db.Read().QueryRow(ctx, `SELECT num FROM saves_entry WHERE id = ?`, r.id).Scan(&n)
			if errors.Is(still, sql.ErrNoRows) {
				continue // it was delivered meanwhile
			}
			e.Bad = append(e.Bad, err.Error())
		}
	}
	return e, nil
}

// Alive is how many bridges have said on db within the last 20 seconds that they work; 0
// for a database that is not shared.
func Alive(ctx context.Context, db *sqldb.DB) (n int, err error) {
	if !db.Shared() {
		return 0, nil
	}
	now, err := db.Now(ctx)
	if err == nil {
		err = db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM saves_bridge WHERE seen >= ?`, sqldb.Millis(now.Add(-deadAfter))).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("saves: counting bridges: %w", err)
	}
	return n, nil
}
