package oauth

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/idmap/sqldb"
)

// touchEvery is how often at most a session's use is written down.
const touchEvery = time.Minute

// Sessions are the browser sessions: rows that all replicas see. The browser holds an opaque cookie, the
// row its SHA-256. Idle and Lifetime may be changed before first use; a changed value
// holds for the sessions that are already there, too. Safe for concurrent use.
type Sessions struct {
	DB       *sqldb.DB
	Idle     time.Duration // a session unused for so long is over; 24 h
	Lifetime time.Duration // no session is older than this; 30 days
}

// A Session is one browser that is signed in.
type Session struct {
	ID        string // not the cookie; may be shown and stored
	Principal Principal
	Expires   time.Time // when it ends if it is not used again
}

// NewSessions brings the table up to date and returns Sessions with the default times.
func NewSessions(ctx context.Context, db *sqldb.DB) (*Sessions, error) {
	err := db.Migrate(ctx, "oauth_sessions", []string{
		`CREATE TABLE oauth_session (
			id TEXT {{bytes}} PRIMARY KEY,
			hash {{blob}} NOT NULL UNIQUE,
			principal TEXT NOT NULL,
			principal_key TEXT {{bytes}} NOT NULL,
			started BIGINT NOT NULL,
			used BIGINT NOT NULL)`,
		`CREATE INDEX oauth_session_principal ON oauth_session (principal_key)`,
	})
	if err != nil {
		return nil, fmt.Errorf("oauth: sessions: %w", err)
	}
	return &Sessions{DB: db, Idle: 24 * time.Hour, Lifetime: 30 * 24 * time.Hour}, nil
}

// Start begins a session of p. The cookie is 43 characters [A-Za-z0-9_-] and is kept nowhere here; its
// name and attributes are the caller's. A sign-in always starts a new session, so that a cookie planted
// before it is worth nothing. The error wraps [ErrPrincipal] if p is not one.
func (s *Sessions) Start(ctx context.Context, p Principal) (cookie string, id string, err error) {
	text, err := p.Encode()
	if err != nil {
		return "", "", err
	}
	now, err := s.DB.Now(ctx)
	if err != nil {
		return "", "", fmt.Errorf("oauth: start session: %w", err)
	}
	cookie, id = NewOpaque(""), NewID()
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO oauth_session (id, hash, principal, principal_key, started, used)
			VALUES (?, ?, ?, ?, ?, ?)`, id, Hash(cookie), text, p.Key(), sqldb.Millis(now), sqldb.Millis(now))
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("oauth: start session: %w", err)
	}
	return cookie, id, nil
}

// Get returns the session of cookie and notes its use, at most once a minute. It returns [ErrNoSession]
// if there is none, or it was ended, or it is over.
func (s *Sessions) Get(ctx context.Context, cookie string) (Session, error) {
	if len(cookie) != OpaqueLen {
		return Session{}, ErrNoSession
	}
	hash := Hash(cookie)
	var stored []byte
	var id, text string
	var started, used int64
	err := s.DB.Read().QueryRow(ctx, `SELECT id, hash, principal, started, used FROM oauth_session WHERE hash = ?`,
		hash).Scan(&id, &stored, &text, &started, &used)
	if errors.Is(err, sql.ErrNoRows) || err == nil && subtle.ConstantTimeCompare(hash, stored) != 1 {
		return Session{}, ErrNoSession
	}
	if err != nil {
		return Session{}, fmt.Errorf("oauth: session: %w", err)
	}
	now, err := s.DB.Now(ctx)
	if err != nil {
		return Session{}, fmt.Errorf("oauth: session: %w", err)
	}
	if !now.Before(s.ends(started, used)) {
		return Session{}, ErrNoSession
	}
	p, err := DecodePrincipal(text)
	if err != nil {
		return Session{}, err
	}
	if now.Sub(sqldb.FromMillis(used)) >= touchEvery {
		if err := s.touch(ctx, id, used, now); err != nil {
			return Session{}, err
		}
		used = sqldb.Millis(now)
	}
	return Session{ID: id, Principal: p, Expires: s.ends(started, used)}, nil
}

func (s *Sessions) ends(started, used int64) time.Time {
	life, idle := sqldb.FromMillis(started).Add(s.Lifetime), sqldb.FromMillis(used).Add(s.Idle)
	if idle.Before(life) {
		return idle
	}
	return life
}

// touch compares and swaps, so that of many requests at once one writes, and a session that was
// ended meanwhile is not in use.
func (s *Sessions) touch(ctx context.Context, id string, used int64, now time.Time) error {
	err := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE oauth_session SET used = ? WHERE id = ? AND used = ?`, sqldb.Millis(now), id, used)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: note use of session: %w", err)
	}
	return nil
}

// End ends the session with that ID. Ending one that is not there is no error.
func (s *Sessions) End(ctx context.Context, id string) error {
	err := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_session WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: end session: %w", err)
	}
	return nil
}

// EndAll ends every session of the principal with that key and returns their IDs, over ones included.
func (s *Sessions) EndAll(ctx context.Context, principalKey string) (ids []string, err error) {
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		ids = nil // a transaction may be run again
		rows, err := tx.Query(ctx, `SELECT id FROM oauth_session WHERE principal_key = ? ORDER BY id`, principalKey)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM oauth_session WHERE principal_key = ?`, principalKey)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("oauth: end sessions: %w", err)
	}
	return ids, nil
}

// People are those who have a session, over ones included; somebody who signed in twice under different names is there twice.
func (s *Sessions) People(ctx context.Context) ([]Principal, error) {
	list, err := PeopleIn(ctx, s.DB, `SELECT DISTINCT principal FROM oauth_session`)
	if err != nil {
		return nil, fmt.Errorf("oauth: people: %w", err)
	}
	return list, nil
}

// PeopleIn are the principals in the rows of a query that yields [Principal.Encode] texts.
func PeopleIn(ctx context.Context, db *sqldb.DB, query string) ([]Principal, error) {
	rows, err := db.Read().Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Principal
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		p, err := DecodePrincipal(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// Clean removes the rows of sessions that are over. They are refused without it; it only frees room.
func (s *Sessions) Clean(ctx context.Context) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("oauth: clean sessions: %w", err)
	}
	err = s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_session WHERE started <= ? OR used <= ?`,
			sqldb.Millis(now.Add(-s.Lifetime)), sqldb.Millis(now.Add(-s.Idle)))
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: clean sessions: %w", err)
	}
	return nil
}
