package access

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// Find returns the link with that secret. It returns [ErrShare] if there is none, and the link with [ErrShareOver] if it
// opens nothing any more.
func (s *Shares) Find(ctx context.Context, secret string) (Share, error) {
	found, _, err := s.find(ctx, secret)
	return found, wrap("link", err)
}

// find is Find, with the hash of the password.
func (s *Shares) find(ctx context.Context, secret string) (Share, string, error) {
	if len(secret) != shareLen || !strings.HasPrefix(secret, SharePrefix) {
		return Share{}, "", ErrShare
	}
	hash := oauth.Hash(secret)
	var stored []byte
	found, password, err := s.one(ctx, `hash = ?`, hash, &stored)
	if err == nil && subtle.ConstantTimeCompare(hash, stored) != 1 {
		return Share{}, "", ErrShare
	}
	if err != nil {
		return Share{}, "", err
	}
	return found, password, s.alive(ctx, found)
}

// Get is [Shares.Find] by the row's ID, which opens nothing by itself.
func (s *Shares) Get(ctx context.Context, id string) (Share, error) {
	found, _, err := s.one(ctx, `id = ?`, id, new([]byte))
	if err == nil {
		err = s.alive(ctx, found)
	}
	return found, wrap("link", err)
}

// alive returns [ErrShareOver] if the link opens nothing as of now.
func (s *Shares) alive(ctx context.Context, sh Share) error {
	now, err := s.db.Now(ctx)
	if err != nil {
		return err
	}
	if sh.over(now) || sh.Anonymous && !s.Anonymous {
		return ErrShareOver
	}
	return nil
}

func (sh Share) over(now time.Time) bool {
	return !sh.Revoked.IsZero() || !sh.Expires.IsZero() && !now.Before(sh.Expires)
}

func (s *Shares) one(ctx context.Context, where string, key any, hash *[]byte) (Share, string, error) {
	row := s.db.Read().QueryRow(ctx, `SELECT `+shareColumns+`, hash FROM access_share WHERE `+where, key)
	found, password, err := scanShare(row, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Share{}, "", ErrShare
	}
	return found, password, err
}

func scanShare(row interface{ Scan(...any) error }, more ...any) (Share, string, error) {
	var sh Share
	var resource, kind, maker, password string
	var space, rights, made, expires, revoked int64
	err := row.Scan(append([]any{&sh.ID, &resource, &space, &sh.Upstream, &rights, &kind, &maker, &made, &password, &expires, &revoked}, more...)...)
	if err != nil {
		return Share{}, "", err
	}
	sh.Resource, sh.Space, sh.Rights = idmap.FileID(resource), idmap.SpaceID(space), Rights(rights)
	sh.Anonymous, sh.Protected = kind == kindAnonymous, password != ""
	sh.Made, sh.Expires, sh.Revoked = sqldb.FromMillis(made), sqldb.FromMillis(expires), sqldb.FromMillis(revoked)
	sh.Maker, err = oauth.DecodePrincipal(maker)
	return sh, password, err
}

// A ShareList says which links [Shares.List] is about.
type ShareList struct {
	Maker    string       // [oauth.Principal.Key], "" anybody's
	Resource idmap.FileID // "" any
	Limit    int          // at most so many
}

// List returns links that open something, the newest first.
func (s *Shares) List(ctx context.Context, of ShareList) ([]Share, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return nil, wrap("links", err)
	}
	where, args := `revoked = 0 AND (expires = 0 OR expires > ?)`, []any{sqldb.Millis(now)}
	if of.Maker != "" {
		where, args = where+` AND maker_key = ?`, append(args, of.Maker)
	}
	if of.Resource != "" {
		where, args = where+` AND resource = ?`, append(args, string(of.Resource))
	}
	rows, err := s.db.Read().Query(ctx, `SELECT `+shareColumns+` FROM access_share WHERE `+where+` ORDER BY made DESC, id LIMIT ?`,
		append(args, int64(of.Limit))...)
	if err != nil {
		return nil, wrap("links", err)
	}
	defer rows.Close()
	var list []Share
	for rows.Next() {
		sh, _, err := scanShare(rows)
		if err != nil {
			return nil, wrap("links", err)
		}
		list = append(list, sh)
	}
	return list, wrap("links", rows.Err())
}

// Secret returns the link's secret once more, for its maker alone: makerKey must be theirs. It returns [ErrShare] also if
// the secret key was changed since, so that it cannot be shown any more.
func (s *Shares) Secret(ctx context.Context, id, makerKey string) (string, error) {
	var sealed []byte
	err := s.db.Read().QueryRow(ctx, `SELECT secret FROM access_share WHERE id = ? AND maker_key = ?`, id, makerKey).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", wrap("link", ErrShare)
	}
	if err != nil {
		return "", wrap("link", err)
	}
	secret, err := s.unseal(id, sealed)
	return secret, wrap("link", err)
}

// SignedIn notes who the maker of links is now: what a guest may at most depends on the groups that the maker has, not on
// those that they had when they made the link. To be called at each sign-in; most change nothing.
func (s *Shares) SignedIn(ctx context.Context, p oauth.Principal) error {
	text, err := p.Encode()
	if err != nil {
		return wrap("maker of links", err)
	}
	var n int64
	err = s.db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM access_share WHERE maker_key = ? AND maker <> ?`, p.Key(), text).Scan(&n)
	if err != nil || n == 0 {
		return wrap("maker of links", err)
	}
	return wrap("maker of links", s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE access_share SET maker = ? WHERE maker_key = ?`, text, p.Key())
		return err
	}))
}

// Revoke ends the link with that ID, and what was opened with it, at once and on every replica. makerKey is whose link
// it must be, "" anybody's: the word of an administrator. It returns [ErrShare] if there is no such link;
// one that was revoked before is no error.
func (s *Shares) Revoke(ctx context.Context, id, makerKey string) error {
	now, err := s.db.Now(ctx)
	if err != nil {
		return wrap("revoke link", err)
	}
	where, args := `id = ?`, []any{id}
	if makerKey != "" {
		where, args = where+` AND maker_key = ?`, append(args, makerKey)
	}
	return wrap("revoke link", s.db.Write(ctx, func(tx sqldb.Queryer) error {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM access_share WHERE `+where, args...).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return ErrShare
		}
		_, err := tx.Exec(ctx, `UPDATE access_share SET revoked = ?, standing = NULL WHERE revoked = 0 AND `+where,
			append([]any{sqldb.Millis(now)}, args...)...)
		return err
	}))
}

// Clean removes links that have been over for a month, guests who have not come back for one, and guests without a
// link. They are refused without it; it only frees room.
func (s *Shares) Clean(ctx context.Context) error {
	now, err := s.db.Now(ctx)
	if err != nil {
		return wrap("clean links", err)
	}
	return wrap("clean links", s.db.Write(ctx, func(tx sqldb.Queryer) error {
		old := sqldb.Millis(now.Add(-deadShareKept))
		_, err := tx.Exec(ctx, `DELETE FROM access_share WHERE revoked > 0 AND revoked <= ? OR expires > 0 AND expires <= ?`, old, old)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM access_guest WHERE used <= ?
			OR NOT EXISTS (SELECT 1 FROM access_share s WHERE s.id = access_guest.share)`, sqldb.Millis(now.Add(-GuestIdle)))
		return err
	}))
}

// grant bounds a grant that was made through a link by what the link is worth now.
func (s *Shares) grant(ctx context.Context, g Grant) (Grant, error) {
	if s == nil {
		return Grant{}, ErrToken
	}
	sh, _, err := s.one(ctx, `id = ?`, g.Share, new([]byte))
	if err == nil {
		err = s.alive(ctx, sh)
	}
	switch {
	case errors.Is(err, ErrShare), errors.Is(err, ErrShareOver):
		return Grant{}, fmt.Errorf("%w: %w", ErrToken, err)
	case err != nil:
		return Grant{}, fmt.Errorf("access: open: %w", err)
	case sh.Anonymous != g.Guest():
		return Grant{}, ErrToken
	}
	g.Rights = min(g.Rights, sh.Rights)
	if g.Guest() {
		g.Behind = sh.Maker
	}
	return g, nil
}

// AllThrough reports whether every one of these [Grant.Member] keys belongs to a grant that was made through that link:
// whether nobody else takes part. Grants that are gone do not count; where none is left, nobody takes part.
func (t *Tokens) AllThrough(ctx context.Context, share string, members []string) (bool, error) {
	some := false
	for _, member := range members {
		id, _, _ := strings.Cut(member, ":")
		row, err := t.row(ctx, `id = ?`, id)
		switch {
		case errors.Is(err, ErrToken):
		case err != nil:
			return false, err
		case row.Share != share:
			return false, nil
		default:
			some = true
		}
	}
	return some, nil
}
