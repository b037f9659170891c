package saves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

const (
	incomingSuffix = ".incoming"
	incomingFor    = 24 * time.Hour // since the last piece
	// MaxIncoming is how many bodies one person can have under way; a further one ends
	// the one that has rested longest.
	MaxIncoming = 200
)

// An Incoming is a body that comes in pieces, one request each, so that a connection
// that breaks costs no more than what was on its way. It is nothing to the upstream, and
// nothing in the journal, before [Saves.Whole] hands it to Create or Overwrite. It is
// forgotten a day after its last piece.
type Incoming struct {
	ID   string
	User string // UserID of whose it is: nobody else sees it
	Name string // what it is going to be called, for people
	In   idmap.FileID
	Size int64 // bytes when it is whole
	Have int64 // bytes that are durable here
	// Touched is when the last piece came.
	Touched time.Time

	place string
}

const incomingColumns = `id, user_id, name, folder, size, have, place, touched`

// Begin makes room for a body of in.Size bytes for the folder in.In.
//
// Errors: [dav.ErrTooLarge], [ErrNoRoom].
func (s *Saves) Begin(ctx context.Context, in Incoming) (Incoming, error) {
	if in.Size < 0 || in.Size > s.MaxBytes {
		return in, fmt.Errorf("saves: %d bytes: %w", in.Size, dav.ErrTooLarge)
	}
	in.ID, in.Have, in.place = newID(), 0, s.place()
	if in.place != inDatabase {
		if err := s.roomLeft(in.Size); err != nil {
			return in, err
		}
		f, err := s.disk.create(s.incomingPath(in))
		if err != nil {
			return in, noRoom(fmt.Errorf("saves: a body in pieces: %w", err))
		}
		if err := f.close(); err != nil {
			return in, fmt.Errorf("saves: a body in pieces: %w", err)
		}
	}
	if err := s.makeRoomFor(ctx, in.User); err != nil {
		return in, err
	}
	var err error
	if in.Touched, err = s.DB.Now(ctx); err != nil {
		return in, fmt.Errorf("saves: %w", err)
	}
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO saves_incoming (`+incomingColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			in.ID, in.User, in.Name, string(in.In), in.Size, in.Have, in.place, sqldb.Millis(in.Touched))
		return err
	})
	if err != nil {
		return in, errors.Join(fmt.Errorf("saves: journal: %w", err), s.dropIncomingBytes(ctx, in))
	}
	return in, nil
}

// roomLeft keeps uploads from taking the room that saves need.
func (s *Saves) roomLeft(size int64) error {
	if room, err := s.disk.room(s.spools()); err == nil && room.free < uint64(size)+leastFree {
		return ErrNoRoom
	}
	return nil
}

// makeRoomFor ends what a person has too much of.
func (s *Saves) makeRoomFor(ctx context.Context, user string) error {
	all, err := s.incomings(ctx, `user_id = ? ORDER BY touched DESC`, user)
	if err != nil || len(all) < MaxIncoming {
		return err
	}
	for _, in := range all[MaxIncoming-1:] {
		if err := s.Abandon(ctx, in.ID, user); err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, ErrNoEntry) {
			return err
		}
	}
	return nil
}

// Incoming is what is known of a body in pieces; [ErrNoEntry] if there is none of that
// ID that is user's and can be written from here, or it is over.
func (s *Saves) Incoming(ctx context.Context, id, user string) (Incoming, error) {
	all, err := s.incomings(ctx, `id = ? AND user_id = ?`, id, user)
	if err != nil {
		return Incoming{}, err
	}
	if len(all) == 0 || user == "" || !s.ownsIncoming(all[0]) {
		return Incoming{}, ErrNoEntry
	}
	return all[0], nil
}

// Append adds a piece that begins at byte at, and returns how much is durable now, also
// of a piece that broke off. length is that of body, -1 unknown.
//
// Errors: [ErrNoEntry]; [ErrInUse] while another piece is coming; [dav.ErrChanged] if at
// is not where the last piece ended; [dav.ErrTooLarge], [dav.ErrIncomplete], [ErrNoRoom].
func (s *Saves) Append(ctx context.Context, id, user string, at int64, body io.Reader, length int64) (have int64, err error) {
	in, done, err := s.hold(ctx, id, user)
	if err != nil {
		return 0, err
	}
	defer done()
	switch {
	case at != in.Have:
		return in.Have, fmt.Errorf("saves: a piece at %d where %d bytes are here: %w", at, in.Have, dav.ErrChanged)
	case length > in.Size-in.Have:
		return in.Have, fmt.Errorf("saves: a piece beyond the end: %w", dav.ErrTooLarge)
	}
	add := s.addToFile
	if in.place == inDatabase {
		add = s.addToDatabase
	}
	n, err := add(ctx, in, body)
	if n == 0 {
		return in.Have, err
	}
	ctx = context.WithoutCancel(ctx) // whoever hung up comes back for the rest
	now, clockErr := s.DB.Now(ctx)
	writeErr := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE saves_incoming SET have = ?, touched = ? WHERE id = ? AND have = ?`, in.Have+n, sqldb.Millis(now), in.ID, in.Have)
		return err
	})
	if bad := errors.Join(clockErr, writeErr); bad != nil {
		return in.Have, fmt.Errorf("saves: journal: %w", bad)
	}
	return in.Have + n, err
}

// hold is the only one who works on a body until done is called.
func (s *Saves) hold(ctx context.Context, id, user string) (in Incoming, done func(), err error) {
	if !s.live.take(id) {
		return in, nil, ErrInUse
	}
	if in, err = s.Incoming(ctx, id, user); err != nil {
		s.live.leave(id)
		return in, nil, err
	}
	return in, func() { s.live.leave(id) }, nil
}

// addToFile writes a piece behind what is there, durably. What a piece has left that
// never was noted is cut off first.
func (s *Saves) addToFile(_ context.Context, in Incoming, body io.Reader) (int64, error) {
	if err := s.roomLeft(0); err != nil {
		return 0, err // others have taken it meanwhile
	}
	f, err := os.OpenFile(s.incomingPath(in), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, ErrNoEntry
	}
	if err != nil {
		return 0, fmt.Errorf("saves: a body in pieces: %w", err)
	}
	if err = f.Truncate(in.Have); err == nil {
		_, err = f.Seek(in.Have, io.SeekStart)
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("saves: a body in pieces: %w", err), f.Close())
	}
	n, err := pieceOf(f, body, in.Size-in.Have)
	if syncErr := errors.Join(f.Sync(), f.Close()); syncErr != nil {
		return 0, noRoom(fmt.Errorf("saves: a body in pieces: %w", syncErr))
	}
	return n, err
}

// addToDatabase is addToFile for bytes in the database.
func (s *Saves) addToDatabase(ctx context.Context, in Incoming, body io.Reader) (int64, error) {
	err := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM saves_piece WHERE entry = ? AND at >= ?`, in.ID, in.Have)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("saves: journal: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	w := &pieceWriter{ctx: ctx, s: s, entry: in.ID, at: in.Have, piece: make([]byte, 0, pieceSize)}
	_, err = pieceOf(w, body, in.Size-in.Have)
	if flushErr := w.flush(); flushErr != nil {
		err = flushErr
	}
	if sqldb.IsFull(err) {
		err = fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	return w.at - in.Have, err
}

// pieceOf copies a piece of at most max bytes, and returns how much of it came.
func pieceOf(w io.Writer, body io.Reader, max int64) (int64, error) {
	src := &source{r: body}
	n, err := copyBytes(w, io.LimitReader(src, max))
	if err == nil && n == max {
		if m, _ := io.ReadFull(src, make([]byte, 1)); m > 0 {
			return n, fmt.Errorf("saves: a piece beyond the end: %w", dav.ErrTooLarge)
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(src.err, &tooLarge):
		return n, dav.ErrTooLarge
	case src.err != nil:
		return n, fmt.Errorf("%w: %w", dav.ErrIncomplete, src.err)
	case err != nil:
		return n, noRoom(err)
	}
	return n, nil
}

// Abandon forgets a body in pieces. Errors: [ErrNoEntry], [ErrInUse].
func (s *Saves) Abandon(ctx context.Context, id, user string) error {
	in, done, err := s.hold(ctx, id, user)
	if err != nil {
		return err
	}
	defer done()
	return s.dropIncoming(ctx, in)
}

func (s *Saves) dropIncoming(ctx context.Context, in Incoming) error {
	if err := s.dropIncomingBytes(ctx, in); err != nil {
		return err
	}
	return s.forgetIncoming(ctx, in.ID)
}

func (s *Saves) dropIncomingBytes(ctx context.Context, in Incoming) error {
	if in.place == inDatabase {
		return s.dropPieces(ctx, in.ID)
	}
	return s.disk.remove(s.incomingPath(in))
}

func (s *Saves) forgetIncoming(ctx context.Context, id string) error {
	err := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM saves_incoming WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("saves: journal: %w", err)
	}
	return nil
}

func (s *Saves) incomingPath(in Incoming) string {
	return filepath.Join(s.dirOf(in.place), in.ID+incomingSuffix)
}

// ownsIncoming reports whether a body can be written from here: it is in the database,
// or this bridge has begun it.
func (s *Saves) ownsIncoming(in Incoming) bool {
	return in.place == inDatabase || in.place == s.store || in.place == onVolume+s.store && s.Volume != ""
}

func (s *Saves) incomings(ctx context.Context, where string, args ...any) ([]Incoming, error) {
	rows, err := s.DB.Read().Query(ctx, `SELECT `+incomingColumns+` FROM saves_incoming WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	var all []Incoming
	for rows.Next() {
		var in Incoming
		var touched int64
		if err := rows.Scan(&in.ID, &in.User, &in.Name, &in.In, &in.Size, &in.Have, &in.place, &touched); err != nil {
			return nil, fmt.Errorf("saves: journal: %w", err)
		}
		in.Touched = sqldb.FromMillis(touched)
		all = append(all, in)
	}
	return all, rows.Err()
}

// expireIncoming drops what nobody went on with, also of bridges that are gone.
func (s *Saves) expireIncoming(ctx context.Context) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return err
	}
	late, err := s.incomings(ctx, `touched < ?`, sqldb.Millis(now.Add(-incomingFor)))
	if err != nil {
		return err
	}
	for _, in := range late {
		if !s.ownsIncoming(in) {
			if now.Sub(in.Touched) < 2*incomingFor {
				continue // its own bridge does it
			}
			err = errors.Join(err, s.forgetIncoming(ctx, in.ID))
			continue
		}
		if s.live.take(in.ID) {
			err = errors.Join(err, s.dropIncoming(ctx, in))
			s.live.leave(in.ID)
		}
	}
	return err
}
