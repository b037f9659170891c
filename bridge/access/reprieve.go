package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// keepAhead is how long before its expiry a member's reprieve is written down by [Tokens.Keep].
const keepAhead = 15 * time.Minute

// SignedOut ends the grants of a browser session. Those with the right to edit that are among members ([Grant.Member]
// keys of live editings) become save-only until the time given there; all others of the session, and
// what is derived from them, are over at once. Members of other sessions are not touched, and keys that no grant has are
// passed over, so that a caller may hand in all there are. A time that has passed is no reprieve. [Tokens.Mint]
// refuses the session from now on. The error wraps [ErrGrant] if session is empty; then nothing was changed.
func (t *Tokens) SignedOut(ctx context.Context, session string, members map[string]time.Time) error {
	if session == "" || !storable(session) {
		return fmt.Errorf("%w: no session", ErrGrant) // grants without one would all be meant
	}
	byGrant := sortMembers(members)
	now, err := t.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("access: sign out: %w", err)
	}
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO access_signed_out (session, at) VALUES (?, ?)
			ON CONFLICT (session) DO NOTHING`, session, sqldb.Millis(now))
		if err != nil {
			return err
		}
		grants, err := grantIDs(ctx, tx, `session = ?`, session)
		if err != nil {
			return err
		}
		for id, rights := range grants {
			if err := signOut(ctx, tx, id, rights, byGrant[id], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("access: sign out: %w", err)
	}
	return nil
}

func signOut(ctx context.Context, tx sqldb.Queryer, id string, rights Rights, members []member, now time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM access_reprieve WHERE grant_id = ?`, id); err != nil {
		return err
	}
	kept := 0
	for _, m := range members {
		if rights < Edit || !now.Before(m.until) {
			continue
		}
		if err := putReprieve(ctx, tx, id, m); err != nil {
			return err
		}
		kept++
	}
	query := `UPDATE access_grant SET signed_out = 1 WHERE id = ?`
	if kept == 0 {
		query = `DELETE FROM access_grant WHERE id = ?`
	}
	_, err := tx.Exec(ctx, query, id)
	return err
}

// Keep says again until when the members of live editings may save. It moves the end of reprieves that
// [Tokens.SignedOut] gave, and gives one to grants with the right to edit that expire within 15 minutes or have
// expired, so that expiry does not lose work either. Grants that a session's end left no reprieve get none. To be
// called every minute or so with all the members there are; a member that is no longer named keeps the time it
// was given last. Keys that no grant has are passed over.
func (t *Tokens) Keep(ctx context.Context, members map[string]time.Time) error {
	byGrant := sortMembers(members)
	if len(byGrant) == 0 {
		return nil
	}
	now, err := t.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("access: keep members: %w", err)
	}
	const ending = `rights = ? AND (expires <= ? OR signed_out = 1)`
	args := []any{int64(Edit), sqldb.Millis(now.Add(keepAhead))}
	if due, err := grantIDs(ctx, t.db.Read(), ending, args...); err != nil || !anyOf(due, byGrant) {
		return wrap("keep members", err) // the usual minute writes nothing
	}
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		due, err := grantIDs(ctx, tx, ending, args...)
		if err != nil {
			return err
		}
		for id := range due {
			for _, m := range byGrant[id] {
				if err := keep(ctx, tx, id, m); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return wrap("keep members", err)
}

// keep leaves alone what a session's end has killed: of a signed-out grant only reprieves that are there move.
func keep(ctx context.Context, tx sqldb.Queryer, id string, m member) error {
	n, err := tx.Exec(ctx, `UPDATE access_reprieve SET until = ? WHERE grant_id = ? AND file = ?`,
		sqldb.Millis(m.until), id, string(m.file))
	if err != nil || n > 0 {
		return err
	}
	var signedOut int64
	if err := tx.QueryRow(ctx, `SELECT signed_out FROM access_grant WHERE id = ?`, id).Scan(&signedOut); err != nil {
		return err
	}
	if signedOut != 0 {
		return nil
	}
	return putReprieve(ctx, tx, id, m)
}

func putReprieve(ctx context.Context, tx sqldb.Queryer, id string, m member) error {
	_, err := tx.Exec(ctx, `INSERT INTO access_reprieve (grant_id, file, until) VALUES (?, ?, ?)
		ON CONFLICT (grant_id, file) DO UPDATE SET until = excluded.until`, id, string(m.file), sqldb.Millis(m.until))
	return err
}

// reprieve returns until when g may save, or zero if it was never given leave to.
func (t *Tokens) reprieve(ctx context.Context, g Grant) (time.Time, error) {
	file := ""
	if g.Derived {
		file = string(g.File)
	}
	var until int64
	err := t.db.Read().QueryRow(ctx, `SELECT until FROM access_reprieve WHERE grant_id = ? AND file = ?`, g.ID, file).Scan(&until)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("access: open: %w", err)
	}
	return sqldb.FromMillis(until), nil
}

// Clean removes grants that expired a day ago and have no reprieve, and reprieves without a grant. They are refused
// without it; it only frees room.
func (t *Tokens) Clean(ctx context.Context) error {
	now, err := t.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("access: clean tokens: %w", err)
	}
	old := sqldb.Millis(now.Add(-expiredKept))
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		// A signed-out grant goes by its reprieves alone: it may have hours left that are worth nothing.
		_, err := tx.Exec(ctx, `DELETE FROM access_grant WHERE (expires <= ? OR signed_out = 1) AND NOT EXISTS
			(SELECT 1 FROM access_reprieve r WHERE r.grant_id = access_grant.id AND r.until > ?)`, old, old)
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, `DELETE FROM access_signed_out WHERE at <= ?`, old); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM access_reprieve WHERE NOT EXISTS
			(SELECT 1 FROM access_grant g WHERE g.id = access_reprieve.grant_id)`)
		return err
	})
	return wrap("clean tokens", err)
}

// A member is one token of a grant: the stored one, or the one derived for file.
type member struct {
	file  idmap.FileID // "" the stored one
	until time.Time
}

// sortMembers passes over what cannot be a member key: a strange row elsewhere must not keep anybody from signing out.
func sortMembers(members map[string]time.Time) map[string][]member {
	byGrant := make(map[string][]member, len(members))
	for key, until := range members {
		id, file, derived := strings.Cut(key, ":")
		if !oauth.IsID(id) || derived && !isFile(idmap.FileID(file)) {
			continue
		}
		byGrant[id] = append(byGrant[id], member{idmap.FileID(file), until})
	}
	return byGrant
}

func grantIDs(ctx context.Context, q sqldb.Queryer, where string, args ...any) (map[string]Rights, error) {
	rows, err := q.Query(ctx, `SELECT id, rights FROM access_grant WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := make(map[string]Rights)
	for rows.Next() {
		var id string
		var rights int64
		if err := rows.Scan(&id, &rights); err != nil {
			return nil, err
		}
		ids[id] = Rights(rights)
	}
	return ids, rows.Err()
}

func anyOf(due map[string]Rights, byGrant map[string][]member) bool {
	for id := range due {
		if len(byGrant[id]) > 0 {
			return true
		}
	}
	return false
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("access: %s: %w", what, err)
	}
	return nil
}
