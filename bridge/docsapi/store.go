package docsapi

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/bridge/access"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The states of a session.
type state int64

const (
	issued state = iota + 1 // the key was given out; nobody edits
	live                    // somebody edits
	failed                  // its last save could not be taken; the document server keeps it
	closed                  // its last save is stored: the key is never used again
)

var migrations = []string{
	`CREATE TABLE docs_session (
		doc_key TEXT {{bytes}} PRIMARY KEY,
		file TEXT {{bytes}} NOT NULL,
		space BIGINT NOT NULL,
		upstream TEXT NOT NULL,
		editor TEXT NOT NULL,
		base BIGINT NOT NULL,
		state BIGINT NOT NULL,
		loaded BIGINT NOT NULL,
		made BIGINT NOT NULL,
		heard BIGINT NOT NULL,
		ordered BIGINT NOT NULL,
		users TEXT NOT NULL)`,
	`CREATE INDEX docs_session_file ON docs_session (file, editor)`,
	`CREATE INDEX docs_session_state ON docs_session (state)`,
	// Who was in a session, as whom a forgotten save is delivered.
	`CREATE TABLE docs_person (
		doc_key TEXT {{bytes}} NOT NULL,
		user_id TEXT {{bytes}} NOT NULL,
		name TEXT NOT NULL,
		grant_id TEXT {{bytes}} NOT NULL,
		principal TEXT NOT NULL,
		principal_key TEXT {{bytes}} NOT NULL,
		pinned {{blob}},
		at BIGINT NOT NULL,
		PRIMARY KEY (doc_key, user_id))`,
	`CREATE INDEX docs_person_user ON docs_person (user_id, at)`,
	// What was stored for a key already, by the hash of where it was fetched.
	`CREATE TABLE docs_done (
		doc_key TEXT {{bytes}} NOT NULL,
		what TEXT {{bytes}} NOT NULL,
		at BIGINT NOT NULL,
		PRIMARY KEY (doc_key, what))`,
	// When it was last saved without anybody's word.
	`ALTER TABLE docs_session ADD COLUMN forced BIGINT NOT NULL DEFAULT 0`,
}

// A session is one document key and what is known of it.
type session struct {
	key      string
	file     idmap.FileID
	space    idmap.SpaceID
	upstream string
	editor   string    // configured URL
	base     int64     // revision behind the key: delivered for it, or made by its own saves
	state    state     // changed by compare-and-swap
	loaded   bool      // bytes were delivered
	made     time.Time // when the key was last given out
	heard    time.Time // when the document server last said something of it
	ordered  int64     // time of the last change that is stored, ms; 0 nothing is
	users    []string  // UserIDs of who edits
}

const sessionColumns = `doc_key, file, space, upstream, editor, base, state, loaded, made, heard, ordered, users`

func scanSession(scan func(...any) error) (*session, error) {
	var s session
	var loaded, made, heard int64
	var users string
	err := scan(&s.key, &s.file, &s.space, &s.upstream, &s.editor, &s.base, &s.state, &loaded, &made, &heard, &s.ordered, &users)
	if err != nil {
		return nil, err
	}
	s.loaded, s.made, s.heard = loaded != 0, sqldb.FromMillis(made), sqldb.FromMillis(heard)
	if err := json.Unmarshal([]byte(users), &s.users); err != nil {
		return nil, fmt.Errorf("docsapi: users of a session: %w", err)
	}
	return &s, nil
}

// session reads one; [idmap.ErrNotFound].
func (d *Docs) session(ctx context.Context, key string) (*session, error) {
	s, err := scanSession(d.DB.Read().QueryRow(ctx, `SELECT `+sessionColumns+` FROM docs_session WHERE doc_key = ?`, key).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("docsapi: no such key: %w", idmap.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("docsapi: session: %w", err)
	}
	return s, nil
}

// sessions reads those for which where holds.
func (d *Docs) sessions(ctx context.Context, where string, args ...any) ([]*session, error) {
	rows, err := d.DB.Read().Query(ctx, `SELECT `+sessionColumns+` FROM docs_session WHERE `+where+` ORDER BY made DESC, doc_key`, args...)
	if err != nil {
		return nil, fmt.Errorf("docsapi: sessions: %w", err)
	}
	defer rows.Close()
	var all []*session
	for rows.Next() {
		s, err := scanSession(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("docsapi: sessions: %w", err)
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// keyFor is the key by which editor opens the file in its present revision: that of the
// session in which somebody edits, or whose last save is still to come; else the one
// that was given out for this revision; else a new one.
func (d *Docs) keyFor(ctx context.Context, f idmap.Entry, upstream, editor string) (string, error) {
	var key string
	now, err := d.DB.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("docsapi: key: %w", err)
	}
	err = d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		err := tx.QueryRow(ctx, `SELECT doc_key FROM docs_session WHERE file = ? AND editor = ? AND
			(state IN (?, ?) OR state = ? AND base = ?) ORDER BY CASE state WHEN ? THEN 0 WHEN ? THEN 1 ELSE 2 END, made DESC, doc_key LIMIT 1`,
			string(f.ID), editor, int64(live), int64(failed), int64(issued), f.Revision.Number, int64(live), int64(failed)).Scan(&key)
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE docs_session SET made = ? WHERE doc_key = ?`, sqldb.Millis(now), key)
			return err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		// One revision may need several keys: a save that became a copy beside the file has
		// ended a session without making a new revision.
		for n := 1; ; n++ {
			key = string(f.ID) + "-" + f.Revision.Version
			if n > 1 {
				key = fmt.Sprintf("%s-%d", key, n)
			}
			made, err := tx.Exec(ctx, `INSERT INTO docs_session (doc_key, file, space, upstream, editor, base, state, loaded, made, heard, ordered, users)
				VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, 0, 0, '[]') ON CONFLICT (doc_key) DO NOTHING`,
				key, string(f.ID), int64(f.Space), upstream, editor, f.Revision.Number, int64(issued), sqldb.Millis(now))
			if err != nil || made == 1 {
				return err
			}
		}
	})
	if err != nil {
		return "", fmt.Errorf("docsapi: key: %w", err)
	}
	return key, nil
}

// set changes a session and notes that it was heard of. more are further assignments,
// with their arguments.
func (d *Docs) set(ctx context.Context, s *session, to state, more string, args ...any) error {
	now, err := d.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("docsapi: session: %w", err)
	}
	if more != "" {
		more = ", " + more
	}
	err = d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE docs_session SET state = ?, heard = ?`+more+` WHERE doc_key = ? AND state <> ?`,
			append(append([]any{int64(to), sqldb.Millis(now)}, args...), s.key, int64(closed))...)
		return err
	})
	if err != nil {
		return fmt.Errorf("docsapi: session: %w", err)
	}
	s.state, s.heard = to, now
	return nil
}

// loadedAs notes that revision was delivered for a key. It reports false if the key
// stands for another one by now.
func (d *Docs) loadedAs(ctx context.Context, s *session, revision int64) (bool, error) {
	if s.base == revision && s.loaded {
		return true, nil
	}
	var n int64
	err := d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		var err error
		n, err = tx.Exec(ctx, `UPDATE docs_session SET loaded = 1, base = ? WHERE doc_key = ? AND (base = ? OR loaded = 0 AND state = ?)`,
			revision, s.key, revision, int64(issued))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("docsapi: session: %w", err)
	}
	return n == 1, nil
}

// A person is somebody who was in a session.
type person struct {
	userID, name, grantID string
	principal             oauth.Principal
	pinned                []byte
}

// joined remembers that the person of g is in the session.
func (d *Docs) joined(ctx context.Context, s *session, g access.Grant, pinned []byte) error {
	now, err := d.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("docsapi: person: %w", err)
	}
	text, err := g.Principal.Encode()
	if err != nil {
		return fmt.Errorf("docsapi: person: %w", err)
	}
	err = d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO docs_person (doc_key, user_id, name, grant_id, principal, principal_key, pinned, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (doc_key, user_id) DO UPDATE SET name = excluded.name,
			grant_id = excluded.grant_id, principal = excluded.principal, pinned = excluded.pinned, at = excluded.at`,
			s.key, g.Principal.UserID(), g.Principal.Name, g.ID, text, g.Principal.Key(), pinned, sqldb.Millis(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("docsapi: person: %w", err)
	}
	return nil
}

// people are those who were in a session, the last one first.
func (d *Docs) people(ctx context.Context, key string) ([]person, error) {
	rows, err := d.DB.Read().Query(ctx, `SELECT user_id, name, grant_id, principal, pinned FROM docs_person WHERE doc_key = ? ORDER BY at DESC, user_id`, key)
	if err != nil {
		return nil, fmt.Errorf("docsapi: people: %w", err)
	}
	defer rows.Close()
	var all []person
	for rows.Next() {
		var p person
		var text string
		if err := rows.Scan(&p.userID, &p.name, &p.grantID, &text, &p.pinned); err != nil {
			return nil, fmt.Errorf("docsapi: people: %w", err)
		}
		if p.principal, err = oauth.DecodePrincipal(text); err != nil {
			return nil, fmt.Errorf("docsapi: people: %w", err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// Forget takes a person out of all sessions: nothing is done in their name any more, not
// even for a save that a document server has kept. For an administrator's sign-out.
func (d *Docs) Forget(ctx context.Context, principalKey string) error {
	err := d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM docs_person WHERE principal_key = ?`, principalKey)
		return err
	})
	if err != nil {
		return fmt.Errorf("docsapi: forgetting a person: %w", err)
	}
	return nil
}

// recent are the files that a person had open lately, the last one first, without file.
func (d *Docs) recent(ctx context.Context, userID string, file idmap.FileID, limit int) ([]idmap.FileID, error) {
	rows, err := d.DB.Read().Query(ctx, `SELECT s.file FROM docs_person p JOIN docs_session s ON s.doc_key = p.doc_key
		WHERE p.user_id = ? AND s.file <> ? GROUP BY s.file ORDER BY MAX(p.at) DESC, s.file LIMIT ?`, userID, string(file), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("docsapi: recent: %w", err)
	}
	defer rows.Close()
	var all []idmap.FileID
	for rows.Next() {
		var id idmap.FileID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("docsapi: recent: %w", err)
		}
		all = append(all, id)
	}
	return all, rows.Err()
}

// isDone reports whether what was stored for the key already.
func (d *Docs) isDone(ctx context.Context, key, what string) (bool, error) {
	var n int64
	err := d.DB.Read().QueryRow(ctx, `SELECT COUNT(*) FROM docs_done WHERE doc_key = ? AND what = ?`, key, what).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("docsapi: done: %w", err)
	}
	return n > 0, nil
}

// stored notes what is durable, by all its names, in one step with what becomes of the
// session. base 0 leaves that of the session: the bytes are in a copy beside the file.
func (d *Docs) stored(ctx context.Context, s *session, to state, base, ordered int64, names ...string) error {
	now, err := d.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("docsapi: stored: %w", err)
	}
	if base == 0 {
		base = s.base
	}
	ordered = max(ordered, s.ordered)
	err = d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		for _, what := range names {
			if _, err := tx.Exec(ctx, `INSERT INTO docs_done (doc_key, what, at) VALUES (?, ?, ?) ON CONFLICT (doc_key, what) DO NOTHING`,
				s.key, what, sqldb.Millis(now)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE docs_session SET state = ?, base = ?, loaded = 1, ordered = ?, heard = ? WHERE doc_key = ? AND state <> ?`,
			int64(to), base, ordered, sqldb.Millis(now), s.key, int64(closed))
		return err
	})
	if err != nil {
		return fmt.Errorf("docsapi: stored: %w", err)
	}
	s.state, s.base, s.ordered = to, base, ordered
	return nil
}

// keptFor is how long a session that is over is remembered, for repeats and for the list
// of recent files.
const keptFor = 14 * 24 * time.Hour

// clean removes sessions that are long over.
func (d *Docs) clean(ctx context.Context) error {
	now, err := d.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("docsapi: clean: %w", err)
	}
	old := sqldb.Millis(now.Add(-keptFor))
	return d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		for _, query := range []string{
			`DELETE FROM docs_done WHERE doc_key IN (SELECT doc_key FROM docs_session WHERE state IN (?, ?) AND made < ? AND heard < ?)`,
			`DELETE FROM docs_person WHERE doc_key IN (SELECT doc_key FROM docs_session WHERE state IN (?, ?) AND made < ? AND heard < ?)`,
			`DELETE FROM docs_session WHERE state IN (?, ?) AND made < ? AND heard < ?`,
		} {
			if _, err := tx.Exec(ctx, query, int64(issued), int64(closed), old, old); err != nil {
				return fmt.Errorf("docsapi: clean: %w", err)
			}
		}
		return nil
	})
}

// fileOf is the file that a key of ours begins with.
func fileOf(key string) (idmap.FileID, error) {
	id, _, ok := strings.Cut(key, "-")
	if !ok || len(key) > maxKey {
		return "", fmt.Errorf("docsapi: not a key of ours: %w", idmap.ErrNotFound)
	}
	return idmap.ParseFileID(id)
}

// maxKey is the longest document key that a document server takes, in characters.
const maxKey = 128
