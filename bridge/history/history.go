package history

import (
	"context"
	"fmt"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Bounds of what is kept.
const (
	Kept     = 200                 // events of one document
	Age      = 90 * 24 * time.Hour // of the oldest
	Together = 10 * time.Minute    // events of the same kind and person that are one
	maxText  = 400                 // bytes of a name or detail
)

// A Kind is what happened.
type Kind string

// The kinds of events.
const (
	Opened   Kind = "opened"   // somebody began to edit it
	Saved    Kind = "saved"    // and saved
	Aside    Kind = "aside"    // saved into a copy, because others had changed it
	Conflict Kind = "conflict" // a save was refused, because others had changed it
	Closed   Kind = "closed"
	Released Kind = "released" // the lock was taken away on the page
	Undone   Kind = "undone"   // an earlier version was put back
	Restored Kind = "restored" // a save that did not get through became a document of its own
	Renamed  Kind = "renamed"  // Detail: the new name
	Moved    Kind = "moved"    // to another folder, whose name not everybody may know
	Shared   Kind = "shared"
)

// An Event is one thing that happened to a document.
type Event struct {
	File         idmap.FileID
	Kind         Kind
	UserID, Name string // who did it; Name is for people, "" not known
	Detail       string
	At           time.Time // the first time; set by [History.Add]
	Last         time.Time // and the last
	Times        int

	// Once names an occasion, "" none: of the same kind, person and occasion there is one
	// event in a document.
	Once string
}

// History is the diary. It may be used concurrently.
type History struct{ db *sqldb.DB }

// New brings its table up to date.
func New(ctx context.Context, db *sqldb.DB) (*History, error) {
	err := db.Migrate(ctx, "history", []string{
		`CREATE TABLE history_event (
			num     {{serial}},
			file    TEXT {{bytes}} NOT NULL,
			kind    TEXT NOT NULL,
			user_id TEXT {{bytes}} NOT NULL,
			name    TEXT NOT NULL,
			detail  TEXT NOT NULL,
			at      BIGINT NOT NULL,
			last    BIGINT NOT NULL,
			times   BIGINT NOT NULL,
			once    TEXT {{bytes}} NOT NULL
		);
		CREATE INDEX history_event_file ON history_event (file, num);
		CREATE INDEX history_event_last ON history_event (last)`,
	})
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return &History{db}, nil
}

// Add notes what happens now. An event like the document's last one, of the same person
// and not long after, is counted with it.
func (h *History) Add(ctx context.Context, e Event) error {
	e.Name, e.Detail = cut(e.Name), cut(e.Detail)
	now, err := h.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	err = h.db.WriteUnsynced(ctx, func(tx sqldb.Queryer) error { // a line of a diary: nobody waits for the disk
		if e.Once != "" {
			var there int64
			err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM history_event WHERE file = ? AND kind = ? AND user_id = ? AND once = ?`,
				string(e.File), string(e.Kind), e.UserID, e.Once).Scan(&there)
			if err != nil || there > 0 {
				return err
			}
		}
		done, err := tx.Exec(ctx, `UPDATE history_event SET last = ?, times = times + 1 WHERE once = '' AND kind = ? AND user_id = ? AND detail = ? AND last >= ?
			AND num = (SELECT MAX(num) FROM history_event WHERE file = ?)`,
			sqldb.Millis(now), string(e.Kind), e.UserID, e.Detail, sqldb.Millis(now.Add(-Together)), string(e.File))
		if err != nil || done > 0 {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO history_event (file, kind, user_id, name, detail, at, last, times, once) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)`,
			string(e.File), string(e.Kind), e.UserID, e.Name, e.Detail, sqldb.Millis(now), sqldb.Millis(now), e.Once)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM history_event WHERE file = ? AND num <=
			(SELECT num FROM history_event WHERE file = ? ORDER BY num DESC LIMIT 1 OFFSET ?)`, string(e.File), string(e.File), Kept)
		return err
	})
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// cut bounds a text at a rune's beginning. NUL is in no text of a database.
func cut(s string) string {
	var out []rune
	n := 0
	for _, r := range s {
		if n += len(string(r)); n > maxText {
			break
		}
		if r != 0 {
			out = append(out, r)
		}
	}
	return string(out)
}

// Of is what happened to a document, the latest first, at most limit events.
func (h *History) Of(ctx context.Context, file idmap.FileID, limit int) ([]Event, error) {
	rows, err := h.db.Read().Query(ctx, `SELECT kind, user_id, name, detail, at, last, times FROM history_event WHERE file = ?
		ORDER BY num DESC LIMIT ?`, string(file), limit)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	var out []Event
	for rows.Next() {
		e := Event{File: file}
		var kind string
		var at, last, times int64
		if err := rows.Scan(&kind, &e.UserID, &e.Name, &e.Detail, &at, &last, &times); err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		e.Kind, e.At, e.Last, e.Times = Kind(kind), sqldb.FromMillis(at), sqldb.FromMillis(last), int(times)
		out = append(out, e)
	}
	return out, rows.Err()
}

// Clean forgets what is older than [Age].
func (h *History) Clean(ctx context.Context) error {
	now, err := h.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	err = h.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM history_event WHERE last < ?`, sqldb.Millis(now.Add(-Age)))
		return err
	})
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}
