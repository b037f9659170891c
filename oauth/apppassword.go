package oauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/idmap/sqldb"
)

// The bounds of app passwords.
const (
	MaxAppPasswords = 50 // per principal
	maxLabel        = 200
	appPasswordLen  = 25 // characters [a-z2-7], 125 random bits
	noteUseEvery    = time.Hour
)

// AppPasswords are made by us for programs that can only send a user name and a password: the DAV
// clients of /dav/. They are 125 random bits, so that SHA-256 is enough to store them. They are good for
// nothing else, and no other secret of ours is good for /dav/. Safe for concurrent use.
type AppPasswords struct {
	db *sqldb.DB
}

// An AppPassword is a row, without the password, which nobody has but who was shown it.
type AppPassword struct {
	ID        string
	Label     string // what the person called it: "laptop"
	Principal Principal
	Made      time.Time
	Used      time.Time // within an hour; zero: never
}

// NewAppPasswords brings the table up to date.
func NewAppPasswords(ctx context.Context, db *sqldb.DB) (*AppPasswords, error) {
	err := db.Migrate(ctx, "oauth_app_passwords", []string{
		`CREATE TABLE oauth_app_password (
			id TEXT {{bytes}} PRIMARY KEY,
			hash {{blob}} NOT NULL UNIQUE,
			label TEXT NOT NULL,
			principal TEXT NOT NULL,
			principal_key TEXT {{bytes}} NOT NULL,
			made BIGINT NOT NULL,
			used BIGINT NOT NULL)`,
		`CREATE INDEX oauth_app_password_principal ON oauth_app_password (principal_key)`,
	})
	if err != nil {
		return nil, fmt.Errorf("oauth: app passwords: %w", err)
	}
	return &AppPasswords{db: db}, nil
}

// Make makes an app password of p and returns it, five groups of five characters [a-z2-7] joined by
// hyphens; it cannot be had again. The error wraps [ErrPrincipal] if p is not one or the label is not
// a short line of text, and [ErrLimit] if p has [MaxAppPasswords] already.
func (a *AppPasswords) Make(ctx context.Context, p Principal, label string) (password string, made AppPassword, err error) {
	text, err := p.Encode()
	if err != nil {
		return "", AppPassword{}, err
	}
	if !plainText(label) || len(label) > maxLabel {
		return "", AppPassword{}, fmt.Errorf("%w: bad label", ErrPrincipal)
	}
	now, err := a.db.Now(ctx)
	if err != nil {
		return "", AppPassword{}, fmt.Errorf("oauth: make app password: %w", err)
	}
	plain := strings.ToLower(rand.Text())[:appPasswordLen] // its alphabet is RFC 4648 base32
	made = AppPassword{ID: NewID(), Label: label, Principal: p, Made: sqldb.FromMillis(sqldb.Millis(now))}
	err = a.db.Write(ctx, func(tx sqldb.Queryer) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM oauth_app_password WHERE principal_key = ?`, p.Key()).Scan(&n); err != nil {
			return err
		}
		if n >= MaxAppPasswords {
			return fmt.Errorf("%w: %d app passwords", ErrLimit, n)
		}
		_, err := tx.Exec(ctx, `INSERT INTO oauth_app_password (id, hash, label, principal, principal_key, made, used)
			VALUES (?, ?, ?, ?, ?, ?, 0)`, made.ID, Hash(plain), label, text, p.Key(), sqldb.Millis(now))
		return err
	})
	if err != nil {
		return "", AppPassword{}, fmt.Errorf("oauth: make app password: %w", err)
	}
	groups := make([]string, 0, 5)
	for i := 0; i < len(plain); i += 5 {
		groups = append(groups, plain[i:i+5])
	}
	return strings.Join(groups, "-"), made, nil
}

// People are those who have app passwords.
func (a *AppPasswords) People(ctx context.Context) ([]Principal, error) {
	list, err := PeopleIn(ctx, a.db, `SELECT DISTINCT principal FROM oauth_app_password`)
	if err != nil {
		return nil, fmt.Errorf("oauth: app passwords: people: %w", err)
	}
	return list, nil
}

// Check returns the row of password and notes its use, at most once an hour. Case, spaces and hyphens do not
// matter: people type it from one screen into another. It returns [ErrAppPassword] if there is none.
func (a *AppPasswords) Check(ctx context.Context, password string) (AppPassword, error) {
	if len(password) > 4*appPasswordLen {
		return AppPassword{}, ErrAppPassword
	}
	plain := strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(password))
	if len(plain) != appPasswordLen {
		return AppPassword{}, ErrAppPassword
	}
	hash := Hash(plain)
	var stored []byte
	row := a.db.Read().QueryRow(ctx, `SELECT id, label, principal, made, used, hash FROM oauth_app_password WHERE hash = ?`, hash)
	found, err := scanAppPassword(row, &stored)
	if errors.Is(err, sql.ErrNoRows) || err == nil && subtle.ConstantTimeCompare(hash, stored) != 1 {
		return AppPassword{}, ErrAppPassword
	}
	if err != nil {
		return AppPassword{}, fmt.Errorf("oauth: app password: %w", err)
	}
	if err := a.note(ctx, &found); err != nil {
		return AppPassword{}, err
	}
	return found, nil
}

func (a *AppPasswords) note(ctx context.Context, used *AppPassword) error {
	now, err := a.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("oauth: app password: %w", err)
	}
	if now.Sub(used.Used) < noteUseEvery {
		return nil
	}
	err = a.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE oauth_app_password SET used = ? WHERE id = ? AND used = ?`,
			sqldb.Millis(now), used.ID, sqldb.Millis(used.Used))
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: app password: %w", err)
	}
	used.Used = sqldb.FromMillis(sqldb.Millis(now))
	return nil
}

// scanAppPassword reads a row, and more columns after those of the row into more.
func scanAppPassword(row interface{ Scan(...any) error }, more ...any) (AppPassword, error) {
	var p AppPassword
	var text string
	var made, used int64
	if err := row.Scan(append([]any{&p.ID, &p.Label, &text, &made, &used}, more...)...); err != nil {
		return AppPassword{}, err
	}
	p.Made, p.Used = sqldb.FromMillis(made), sqldb.FromMillis(used)
	var err error
	p.Principal, err = DecodePrincipal(text)
	return p, err
}

// List returns the app passwords of the principal with that key, the oldest first.
func (a *AppPasswords) List(ctx context.Context, principalKey string) ([]AppPassword, error) {
	rows, err := a.db.Read().Query(ctx, `SELECT id, label, principal, made, used FROM oauth_app_password
		WHERE principal_key = ? ORDER BY made, id`, principalKey)
	if err != nil {
		return nil, fmt.Errorf("oauth: list app passwords: %w", err)
	}
	defer rows.Close()
	var list []AppPassword
	for rows.Next() {
		p, err := scanAppPassword(rows)
		if err != nil {
			return nil, fmt.Errorf("oauth: list app passwords: %w", err)
		}
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("oauth: list app passwords: %w", err)
	}
	return list, nil
}

// Revoke ends the app password with that ID, if it belongs to the principal with that key; else it
// returns [ErrAppPassword].
func (a *AppPasswords) Revoke(ctx context.Context, principalKey, id string) error {
	var n int64
	err := a.db.Write(ctx, func(tx sqldb.Queryer) (err error) {
		n, err = tx.Exec(ctx, `DELETE FROM oauth_app_password WHERE id = ? AND principal_key = ?`, id, principalKey)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: revoke app password: %w", err)
	}
	if n == 0 {
		return ErrAppPassword
	}
	return nil
}

// RevokeAll ends every app password of the principal with that key.
func (a *AppPasswords) RevokeAll(ctx context.Context, principalKey string) error {
	err := a.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_app_password WHERE principal_key = ?`, principalKey)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: revoke app passwords: %w", err)
	}
	return nil
}
