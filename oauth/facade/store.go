package facade

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// errNoRow is a code or token that is not there.
var errNoRow = errors.New("facade: no such row")

// A familyRow is everything that came from one yes of a person.
type familyRow struct {
	id, client string
	principal  oauth.Principal
	started    time.Time
	alive      time.Time // when it was last known that the person may come in
	revoked    bool
}

type accessRow struct {
	familyRow
	expires time.Time
}

type codeRow struct {
	family, redirect, challenge string
}

const familyColumns = `f.id, f.client, f.principal, f.started, f.alive, f.revoked`

func scanFamily(row interface{ Scan(...any) error }, more ...any) (familyRow, error) {
	var f familyRow
	var principal string
	var started, alive, revoked int64
	err := row.Scan(append([]any{&f.id, &f.client, &principal, &started, &alive, &revoked}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return f, errNoRow
	}
	if err != nil {
		return f, fmt.Errorf("facade: %w", err)
	}
	f.started, f.alive, f.revoked = sqldb.FromMillis(started), sqldb.FromMillis(alive), revoked != 0
	f.principal, err = oauth.DecodePrincipal(principal)
	return f, err
}

func (f *Facade) accessRow(ctx context.Context, token string) (accessRow, error) {
	var expires int64
	row := f.db.Read().QueryRow(ctx, `SELECT `+familyColumns+`, a.expires FROM facade_access a JOIN facade_family f ON f.id = a.family
		WHERE a.hash = ?`, oauth.Hash(token))
	family, err := scanFamily(row, &expires)
	return accessRow{family, sqldb.FromMillis(expires)}, err
}

// familyOf is the family of an access or refresh token.
func (f *Facade) familyOf(ctx context.Context, token string) (familyRow, error) {
	table := "facade_access"
	if strings.HasPrefix(token, RefreshPrefix) {
		table = "facade_refresh"
	}
	return scanFamily(f.db.Read().QueryRow(ctx, `SELECT `+familyColumns+` FROM `+table+` t JOIN facade_family f ON f.id = t.family
		WHERE t.hash = ?`, oauth.Hash(token)))
}

// useCode uses a code up. Of two at once one gets it; the other one revokes what came of it, as does whoever comes later.
func (f *Facade) useCode(ctx context.Context, code, client string) (codeRow, error) {
	now, err := f.db.Now(ctx)
	if err != nil {
		return codeRow{}, fmt.Errorf("facade: code: %w", err)
	}
	var row codeRow
	var of string
	var expires, used int64
	err = f.write(ctx, "code", func(tx sqldb.Queryer) error {
		err := tx.QueryRow(ctx, `SELECT c.family, c.redirect, c.challenge, c.expires, c.used, f.client
			FROM facade_code c JOIN facade_family f ON f.id = c.family WHERE c.hash = ?`,
			oauth.Hash(code)).Scan(&row.family, &row.redirect, &row.challenge, &expires, &used, &of)
		if err != nil || of != client {
			return err // another program's code is left alone: whoever has found it must not use it up
		}
		if used == 0 {
			_, err = tx.Exec(ctx, `UPDATE facade_code SET used = ? WHERE hash = ?`, sqldb.Millis(now), oauth.Hash(code))
		}
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return row, refuse("invalid_grant", "unknown code")
	case err != nil:
		return row, err
	case of != client:
		return row, refuse("invalid_grant", "a code of another program")
	case used != 0:
		return row, errors.Join(refuse("invalid_grant", "a code that was used: everything that came of it is revoked"), f.revoke(ctx, row.family))
	case sqldb.Millis(now) >= expires:
		return row, refuse("invalid_grant", "a code that has expired")
	}
	return row, nil
}

// mayRenew is the family of a refresh token that may be exchanged. One that was replaced more than a minute ago, or
// whose successor was used, has been stolen, or its successor has: the family is revoked.
func (f *Facade) mayRenew(ctx context.Context, client, token string) (familyRow, error) {
	now, err := f.db.Now(ctx)
	if err != nil {
		return familyRow{}, fmt.Errorf("facade: refresh: %w", err)
	}
	var made, replaced int64
	family, err := scanFamily(f.db.Read().QueryRow(ctx, `SELECT `+familyColumns+`, r.made, r.replaced
		FROM facade_refresh r JOIN facade_family f ON f.id = r.family WHERE r.hash = ?`, oauth.Hash(token)), &made, &replaced)
	switch {
	case errors.Is(err, errNoRow):
		return family, refuse("invalid_grant", "unknown refresh token")
	case err != nil:
		return family, err
	case family.client != client:
		return family, refuse("invalid_grant", "a refresh token of another program")
	case family.revoked:
		return family, refuse("invalid_grant", "revoked")
	case now.Sub(family.started) >= RefreshLife, now.Sub(sqldb.FromMillis(made)) >= RefreshIdle:
		return family, refuse("invalid_grant", "a refresh token that has expired")
	case replaced == 0:
		return family, nil
	}
	var followed int64
	err = f.db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM facade_refresh WHERE hash = ? AND replaced <> 0`, oauth.Hash(f.successor(token))).Scan(&followed)
	if err != nil {
		return family, fmt.Errorf("facade: refresh: %w", err)
	}
	if followed > 0 || now.Sub(sqldb.FromMillis(replaced)) >= grace {
		return family, errors.Join(refuse("invalid_grant", "a refresh token that was replaced: its family is revoked"), f.revoke(ctx, family.id))
	}
	return family, nil
}

// issue gives out an access token and the refresh token that is named; replaced, nil none, is the hash of the one
// before it.
func (f *Facade) issue(ctx context.Context, family, refresh string, replaced []byte) (*issued, string, error) {
	now, err := f.db.Now(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("facade: issue: %w", err)
	}
	access := oauth.NewOpaque(AccessPrefix)
	revoked := false
	err = f.write(ctx, "issue", func(tx sqldb.Queryer) error {
		var over int64
		if err := tx.QueryRow(ctx, `SELECT revoked FROM facade_family WHERE id = ?`, family).Scan(&over); err != nil {
			return err
		}
		if revoked = over != 0; revoked {
			return nil // meanwhile
		}
		if replaced != nil {
			if _, err := tx.Exec(ctx, `UPDATE facade_refresh SET replaced = ? WHERE hash = ? AND replaced = 0`, sqldb.Millis(now), replaced); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO facade_refresh (hash, family, made, replaced) VALUES (?, ?, ?, 0) ON CONFLICT (hash) DO NOTHING`,
			oauth.Hash(refresh), family, sqldb.Millis(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO facade_access (hash, family, expires) VALUES (?, ?, ?)`, oauth.Hash(access), family, sqldb.Millis(now.Add(AccessTTL)))
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if revoked {
		return nil, "", refuse("invalid_grant", "revoked meanwhile")
	}
	answer := &issued{Access: access, Type: "Bearer", ExpiresIn: int(AccessTTL.Seconds()), Refresh: refresh}
	if f.ExpiresAsText {
		answer.ExpiresIn = fmt.Sprint(answer.ExpiresIn)
	}
	return answer, family, nil
}

func (f *Facade) revoke(ctx context.Context, family string) error {
	now, err := f.db.Now(ctx)
	if err == nil && f.Ended != nil {
		err = f.Ended(ctx, family)
	}
	if err != nil {
		return fmt.Errorf("facade: revoke: %w", err)
	}
	return f.write(ctx, "revoke", func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE facade_family SET revoked = ? WHERE id = ? AND revoked = 0`, sqldb.Millis(now), family)
		return err
	})
}

// People are those to whom something was given out that was not revoked.
func (f *Facade) People(ctx context.Context) ([]oauth.Principal, error) {
	list, err := oauth.PeopleIn(ctx, f.db, `SELECT DISTINCT principal FROM facade_family WHERE revoked = 0`)
	if err != nil {
		return nil, fmt.Errorf("facade: people: %w", err)
	}
	return list, nil
}

// RevokeAll ends everything that came from the person with that key, and forgets to what they said yes.
func (f *Facade) RevokeAll(ctx context.Context, principalKey string) error {
	err := f.write(ctx, "revoke", func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM facade_consent WHERE principal_key = ?`, principalKey)
		return err
	})
	for err == nil {
		var family string
		err = f.db.Read().QueryRow(ctx, `SELECT id FROM facade_family WHERE principal_key = ? AND revoked = 0 LIMIT 1`, principalKey).Scan(&family)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			err = f.revoke(ctx, family)
		}
	}
	return fmt.Errorf("facade: revoke: %w", err)
}

func (f *Facade) noteAlive(ctx context.Context, family string, p oauth.Principal, now time.Time) error {
	text, err := p.Encode()
	if err != nil {
		return err
	}
	return f.write(ctx, "refresh", func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE facade_family SET alive = ?, principal = ? WHERE id = ? AND principal_key = ?`, sqldb.Millis(now), text, family, p.Key())
		return err
	})
}

// Restored prepares the rows of a backup, before anything else uses them: nothing that was given out by then is good any
// more, and nobody has said yes, because what was revoked since, and which refresh tokens were used, is not known.
func Restored(ctx context.Context, db *sqldb.DB) error {
	f, err := New(ctx, db, nil, Facade{})
	if err != nil {
		return err
	}
	return f.write(ctx, "after a restore", func(tx sqldb.Queryer) error {
		for _, table := range []string{"facade_code", "facade_access", "facade_refresh", "facade_family", "facade_consent"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		return nil
	})
}

// Clean removes what is over. Codes and refresh tokens that were used are kept as long as their family, so that
// their coming again is noticed.
func (f *Facade) Clean(ctx context.Context) error {
	now, err := f.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("facade: clean: %w", err)
	}
	dead := `SELECT id FROM facade_family WHERE started <= ?`
	old := sqldb.Millis(now.Add(-RefreshLife))
	unused := `SELECT id FROM facade_family WHERE started <= ? AND NOT EXISTS (SELECT 1 FROM facade_refresh r WHERE r.family = facade_family.id)`
	late := sqldb.Millis(now.Add(-2 * codeTTL)) // nobody redeems their codes any more
	return f.write(ctx, "clean", func(tx sqldb.Queryer) error {
		for _, s := range []struct {
			query string
			arg   int64
		}{
			{`DELETE FROM facade_access WHERE expires <= ?`, sqldb.Millis(now)},
			{`DELETE FROM facade_code WHERE family IN (` + unused + `)`, late},
			{`DELETE FROM facade_family WHERE id IN (` + unused + `)`, late},
			{`DELETE FROM facade_code WHERE family IN (` + dead + `)`, old},
			{`DELETE FROM facade_refresh WHERE family IN (` + dead + `)`, old},
			{`DELETE FROM facade_family WHERE started <= ?`, old},
		} {
			if _, err := tx.Exec(ctx, s.query, s.arg); err != nil {
				return err
			}
		}
		return nil
	})
}
