package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/idmap/sqldb"
)

// A ListedSession is a session as whoever runs the server sees it.
type ListedSession struct {
	ID        string // not the cookie
	Principal Principal
	Started   time.Time
	Used      time.Time // the last time, to a minute
}

// List are the sessions that are not over, the one used last first, at most limit.
func (s *Sessions) List(ctx context.Context, limit int) ([]ListedSession, error) {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("oauth: sessions: %w", err)
	}
	return s.listed(ctx, `SELECT id, principal, started, used FROM oauth_session WHERE used > ? AND started > ? ORDER BY used DESC, id LIMIT ?`,
		sqldb.Millis(now.Add(-s.Idle)), sqldb.Millis(now.Add(-s.Lifetime)), limit)
}

// Listed is one of [Sessions.List]; [ErrNoSession] if there is no such session.
func (s *Sessions) Listed(ctx context.Context, id string) (ListedSession, error) {
	list, err := s.listed(ctx, `SELECT id, principal, started, used FROM oauth_session WHERE id = ?`, id)
	if err == nil && len(list) == 0 {
		err = ErrNoSession
	}
	if err != nil {
		return ListedSession{}, err
	}
	return list[0], nil
}

func (s *Sessions) listed(ctx context.Context, query string, args ...any) (list []ListedSession, err error) {
	rows, err := s.DB.Read().Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("oauth: sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l ListedSession
		var text string
		var started, used int64
		if err := rows.Scan(&l.ID, &text, &started, &used); err != nil {
			return nil, fmt.Errorf("oauth: sessions: %w", err)
		}
		if l.Principal, err = DecodePrincipal(text); err != nil {
			return nil, err
		}
		l.Started, l.Used = sqldb.FromMillis(started), sqldb.FromMillis(used)
		list = append(list, l)
	}
	return list, rows.Err()
}
