package saves

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"davwopi/idmap/sqldb"
)

// Bytes in the database are rows of one piece each, so that no more than a piece is in
// memory, and so that nothing is used that only one database has (PostgreSQL's large
// objects are not in its dumps of a schema, and those that speak its protocol lack them).
const (
	pieceSize = 1 << 20 // bytes; rows of an earlier size are read as they are
	// orphanedAfter is how long nothing was added to pieces whose body was never whole.
	orphanedAfter = time.Hour
	orphansEvery  = 10 * time.Minute
)

// pour makes body durable in the database: piece by piece, each in a transaction of its
// own. They mean nothing before the journal's row, which is written last, in a
// transaction that counts them. Errors are those of [Saves.spool].
func (s *Saves) pour(ctx context.Context, entry string, body io.Reader, length, max int64) (spooled, error) {
	w := &pieceWriter{ctx: ctx, s: s, entry: entry, piece: make([]byte, 0, min(pieceSize, roomFor(length)))}
	sp, err := fill(w, body, length, max)
	if err == nil {
		err = w.flush()
	}
	if sqldb.IsFull(err) {
		err = fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	if err != nil {
		return spooled{}, fmt.Errorf("saves: spooling: %w", err)
	}
	return sp, nil
}

// roomFor is what a body of length needs; -1 is unknown.
func roomFor(length int64) int64 {
	if length < 0 {
		return pieceSize
	}
	return length
}

type pieceWriter struct {
	ctx   context.Context
	s     *Saves
	entry string
	at    int64 // of piece in the body
	piece []byte
}

func (w *pieceWriter) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		take := min(len(p)-n, pieceSize-len(w.piece))
		w.piece = append(w.piece, p[n:n+take]...)
		n += take
		if len(w.piece) == pieceSize {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (w *pieceWriter) flush() error {
	if len(w.piece) == 0 {
		return nil
	}
	now, err := w.s.DB.Now(w.ctx)
	if err != nil {
		return err
	}
	err = w.s.DB.Write(w.ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(w.ctx, `INSERT INTO saves_piece (entry, at, size, made, bytes) VALUES (?, ?, ?, ?, ?)`,
			w.entry, w.at, len(w.piece), sqldb.Millis(now), w.piece)
		return err
	})
	if err != nil {
		return err
	}
	w.at += int64(len(w.piece))
	w.piece = w.piece[:0]
	return w.s.step("piece")
}

// A pieceReader reads an entry's bytes from the database.
type pieceReader struct {
	ctx  context.Context
	s    *Saves
	r    *row
	at   int64  // where rest begins
	rest []byte // of the piece that was read last
}

func (p *pieceReader) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		if p.at >= p.r.size {
			return 0, io.EOF
		}
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.rest)
	p.rest, p.at = p.rest[n:], p.at+int64(n)
	return n, nil
}

func (p *pieceReader) next() error {
	var start int64
	var bytes []byte
	err := p.s.DB.Read().QueryRow(p.ctx, `SELECT at, bytes FROM saves_piece WHERE entry = ? AND at <= ? ORDER BY at DESC LIMIT 1`, p.r.id, p.at).
		Scan(&start, &bytes)
	if errors.Is(err, sql.ErrNoRows) || err == nil && p.at-start >= int64(len(bytes)) {
		return goneUnless(false, p.r)
	}
	if err != nil {
		return fmt.Errorf("saves: reading entry %s: %w", p.r.id, err)
	}
	p.rest = bytes[p.at-start:]
	return nil
}

func (p *pieceReader) Close() error {
	p.rest, p.at = nil, p.r.size
	return nil
}

// dropPieces removes what the database has of a body that is in no row.
func (s *Saves) dropPieces(ctx context.Context, entry string) error {
	return s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM saves_piece WHERE entry = ? AND NOT EXISTS (SELECT 1 FROM saves_entry WHERE id = ?)`, entry, entry)
		return err
	})
}

// whole says, inside tx, that all pieces of a new entry are there.
func (s *Saves) whole(ctx context.Context, tx sqldb.Queryer, r *row) error {
	if r.place != inDatabase {
		return nil
	}
	ok, err := s.hasPieces(ctx, tx, r)
	if err == nil && !ok {
		err = fmt.Errorf("saves: pieces of entry %s were cleared away: %w", r.id, fs.ErrNotExist)
	}
	return err
}

// dropOrphans removes the pieces of bodies that never became whole: their bridge died.
// It looks every ten minutes.
func (s *Saves) dropOrphans(ctx context.Context) error {
	now, err := s.DB.Now(ctx)
	if err != nil || now.Sub(s.orphans) < orphansEvery {
		return err
	}
	s.orphans = now
	rows, err := s.DB.Read().Query(ctx, `SELECT p.entry FROM saves_piece p LEFT JOIN saves_entry e ON e.id = p.entry LEFT JOIN saves_incoming i ON i.id = p.entry
		WHERE e.id IS NULL AND i.id IS NULL GROUP BY p.entry HAVING MAX(p.made) < ?`, sqldb.Millis(now.Add(-orphanedAfter)))
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var entry string
		if err := rows.Scan(&entry); err != nil {
			return fmt.Errorf("saves: journal: %w", err)
		}
		all = append(all, entry)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	for _, entry := range all {
		if err := s.dropPieces(ctx, entry); err != nil {
			return fmt.Errorf("saves: journal: %w", err)
		}
	}
	return nil
}
