package saves

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

const (
	mostOwn   = 200 // entries of one kind that a person is shown, the newest
	mostUndos = 50  // files that a person is offered to put back
)

// An Own is what of the journal is one person's own, the newest first.
type Own struct {
	Waiting []Entry // acknowledged: waiting or aside
	Kept    []Entry // not acknowledged, refused, or a conflict without a copy: for recovery
	Copies  []Copy  // conflict copies beside files
	Undos   []Undo  // files whose last save through us was this person's, and can be undone
}

// A Copy is a conflict copy that a person's save became.
type Copy struct {
	File, Copy idmap.FileID
	Name       string // of the copy when it was made
	At         time.Time
}

// An Undo says what a file can be put back to.
type Undo struct {
	File  idmap.FileID
	Name  string // of the file when it was saved
	Saved time.Time
	To    Entry // the pre-image; its At is when its bytes came here
}

// OwnOf returns what is the own of the person with that UserID. Names are those that the
// person has seen; whether the person still reaches the files is not asked.
func (s *Saves) OwnOf(ctx context.Context, user string) (Own, error) {
	var own Own
	if user == "" {
		return own, nil // entries of nobody are not a nobody's
	}
	rows, err := s.shown(ctx, `user_id = ? AND (state IN (?, ?, ?, ?) OR state = ? AND copy = '') AND reason <> ?`,
		user, stateWaiting, stateAside, stateUnacknowledged, stateRefused, stateConflict, supersededSaved)
	if err != nil {
		return own, err
	}
	for i := len(rows) - 1; i >= 0; i-- {
		list := &own.Kept
		if rows[i].acknowledged() {
			list = &own.Waiting
		}
		if len(*list) < mostOwn {
			*list = append(*list, rows[i].public())
		}
	}
	if own.Copies, err = s.copiesOf(ctx, user); err != nil {
		return own, err
	}
	own.Undos, err = s.undosOf(ctx, user)
	return own, err
}

func (s *Saves) copiesOf(ctx context.Context, user string) ([]Copy, error) {
	since, err := s.since(ctx, retention)
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Read().Query(ctx, `SELECT file, copy, name, made FROM saves_copy WHERE user_id = ? AND made > ? AND name <> ''
		ORDER BY made DESC LIMIT ?`, user, since, int64(mostOwn))
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	var all []Copy
	for rows.Next() {
		var c Copy
		var made int64
		if err := rows.Scan(&c.File, &c.Copy, &c.Name, &made); err != nil {
			return nil, fmt.Errorf("saves: journal: %w", err)
		}
		c.At = sqldb.FromMillis(made)
		all = append(all, c)
	}
	return all, rows.Err()
}

// since is a time before now, as rows have it.
func (s *Saves) since(ctx context.Context, d time.Duration) (int64, error) {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("saves: %w", err)
	}
	return sqldb.Millis(now.Add(-d)), nil
}

// undosOf are the files whose last save was user's, and what lay there before.
func (s *Saves) undosOf(ctx context.Context, user string) ([]Undo, error) {
	since, err := s.since(ctx, retention)
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Read().Query(ctx, `SELECT w.file, w.made, w.sha256 FROM saves_written w
		WHERE w.user_id = ? AND w.made > ? AND w.num > 0 AND NOT EXISTS (
			SELECT 1 FROM saves_written n WHERE n.file = w.file AND n.num > 0 AND n.revision > w.revision)
		AND EXISTS (SELECT 1 FROM saves_entry e WHERE e.file = w.file AND e.state = ?)
		ORDER BY w.made DESC LIMIT ?`, user, since, statePreimage, int64(mostUndos))
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	defer rows.Close()
	var all []Undo
	var sums [][]byte
	for rows.Next() {
		var u Undo
		var made int64
		var sum []byte
		if err := rows.Scan(&u.File, &made, &sum); err != nil {
			return nil, fmt.Errorf("saves: journal: %w", err)
		}
		u.Saved = sqldb.FromMillis(made)
		all, sums = append(all, u), append(sums, sum)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	return s.withPreimages(ctx, all, sums)
}

// withPreimages adds to each what it can be put back to, and leaves out those for which
// that is what they are.
func (s *Saves) withPreimages(ctx context.Context, all []Undo, present [][]byte) ([]Undo, error) {
	out := all[:0]
	for i, u := range all {
		r, err := s.lastPreimage(ctx, u.File)
		if errors.Is(err, ErrNoEntry) || err == nil && bytes.Equal(r.sha256, present[i]) {
			continue
		}
		if err != nil {
			return nil, err
		}
		u.Name, u.To = nameOf(r), r.public()
		out = append(out, u)
	}
	return out, nil
}

// shown reads the rows, oldest first, for which where holds and whose bytes can be read
// from here, whichever bridge owns them.
func (s *Saves) shown(ctx context.Context, where string, args ...any) ([]*row, error) {
	all, err := s.anywhere(ctx, where, args...)
	return slices.DeleteFunc(all, func(r *row) bool { return !s.readable(r) }), err
}

// Entry is one line of the journal; [ErrNoEntry].
func (s *Saves) Entry(ctx context.Context, id string) (Entry, error) {
	r, err := s.entry(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	return r.public(), nil
}

// NeedSignIn are the acknowledged saves whose credential was refused: anybody with write
// right can lend theirs.
func (s *Saves) NeedSignIn(ctx context.Context) ([]Entry, error) {
	rows, err := s.shown(ctx, `state IN (?, ?) AND reason = ?`, stateWaiting, stateAside, needsSignIn)
	list := make([]Entry, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.public())
	}
	return list, err
}

// A Standing is how the saves of a file stand.
type Standing struct {
	Last    time.Time // of the last save that is the file's, zero none lately
	Busy    bool      // a save is under way
	Waits   bool      // it is not on the upstream yet
	Aside   bool      // a save waits that becomes a copy beside the file
	Kept    bool      // bytes lie here for recovery, or a conflict without a copy
	SignIn  bool      // what waits needs somebody's sign-in
	Entry   string    // of the newest that waits, "" none
	Written string    // UserID of who made the last save, "" not known
}

// Standings tells how the saves of files stand. Files of which nothing is known are left
// out.
func (s *Saves) Standings(ctx context.Context, files []idmap.FileID) (map[idmap.FileID]Standing, error) {
	out := make(map[idmap.FileID]Standing)
	for len(files) > 0 {
		n := min(len(files), 200)
		if err := s.standings(ctx, files[:n], out); err != nil {
			return nil, fmt.Errorf("saves: journal: %w", err)
		}
		files = files[n:]
	}
	return out, nil
}

func (s *Saves) standings(ctx context.Context, files []idmap.FileID, out map[idmap.FileID]Standing) error {
	in, args := sqldb.In(files)
	rows, err := s.DB.Read().Query(ctx, `SELECT file, made, user_id FROM saves_written WHERE num > 0 AND file IN `+in+` ORDER BY num`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var file idmap.FileID
		var made int64
		var user string
		if err := rows.Scan(&file, &made, &user); err != nil {
			return err
		}
		st := out[file]
		st.Last, st.Written = sqldb.FromMillis(made), user
		out[file] = st
	}
	if err := rows.Err(); err != nil {
		return err
	}
	entries, err := s.anywhere(ctx, `file IN `+in+` AND reason <> ?`, append(args, supersededSaved)...)
	if err != nil {
		return err
	}
	for _, r := range entries {
		st := out[r.file]
		st.note(r)
		out[r.file] = st
	}
	return nil
}

// note adds what an entry says, from older to newer.
func (st *Standing) note(r *row) {
	switch {
	case r.kind == kindPut && (r.state == stateSpooled || r.state == stateDelivering):
		st.Busy = true
	case r.acknowledged():
		st.Waits, st.Aside = st.Waits || r.state == stateWaiting, st.Aside || r.state == stateAside
		st.Entry, st.SignIn = r.id, st.SignIn || r.reason == needsSignIn
	case r.state == stateUnacknowledged, r.state == stateRefused, r.state == stateConflict && r.copy == "":
		st.Kept = true
	}
}
