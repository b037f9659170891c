package oauth

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"davwopi/idmap/sqldb"
)

// The kinds of a [Secret], as davbackend.Credential has them.
const (
	KindPassword = "password"
	KindBearer   = "bearer"
)

// The bounds of a credential, in bytes.
const (
	maxCredentialUser   = 1024
	maxCredentialSecret = 16 << 10
)

// A Secret is what an upstream wants to see for a principal. It has the fields of davbackend.Credential,
// which this room does not know, and converts to it. Printing or encoding it hides the secret, as long as it
// is not a field that begins with a small letter: there fmt cannot ask it.
type Secret struct {
	Kind   string // [KindPassword] or [KindBearer]
	User   string
	Secret string `json:"-"`
}

// Format prints the kind alone, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "oauth.Secret{"+s.Kind+", hidden}")
}

// Credentials keeps secrets of principals for upstreams, each sealed in its row. Safe for concurrent use.
type Credentials struct {
	db     *sqldb.DB
	sealer *Sealer
}

// sealedSecret is what lies in the blob.
type sealedSecret struct {
	Kind   string `json:"k"`
	User   string `json:"u"`
	Secret string `json:"s"`
}

// NewCredentials brings the table up to date.
func NewCredentials(ctx context.Context, db *sqldb.DB, s *Sealer) (*Credentials, error) {
	err := db.Migrate(ctx, "oauth_credentials", []string{
		`CREATE TABLE oauth_credential (
			principal_key TEXT {{bytes}} NOT NULL,
			upstream TEXT {{bytes}} NOT NULL,
			sealed {{blob}} NOT NULL,
			PRIMARY KEY (principal_key, upstream))`,
	})
	if err != nil {
		return nil, fmt.Errorf("oauth: credentials: %w", err)
	}
	return &Credentials{db: db, sealer: s}, nil
}

func credentialAAD(principalKey, upstream string) string {
	return RowKey("credential", principalKey, upstream)
}

// Put keeps s, in place of what was kept for that principal and upstream. The error wraps [ErrCredential] if
// s is of an unknown kind or too long; then nothing was changed.
func (c *Credentials) Put(ctx context.Context, principalKey, upstream string, s Secret) error {
	switch {
	case s.Kind != KindPassword && s.Kind != KindBearer:
		return fmt.Errorf("%w: unknown kind", ErrCredential)
	case len(s.User) > maxCredentialUser || len(s.Secret) > maxCredentialSecret:
		return fmt.Errorf("%w: too long", ErrCredential)
	case !utf8.ValidString(s.User) || !utf8.ValidString(s.Secret):
		return fmt.Errorf("%w: not UTF-8", ErrCredential)
	}
	plain, err := json.Marshal(sealedSecret(s))
	if err != nil {
		return fmt.Errorf("oauth: keep credential: %w", err)
	}
	sealed, err := c.sealer.Seal(credentialAAD(principalKey, upstream), plain)
	if err != nil {
		return fmt.Errorf("oauth: keep credential: %w", err)
	}
	err = c.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO oauth_credential (principal_key, upstream, sealed) VALUES (?, ?, ?)
			ON CONFLICT (principal_key, upstream) DO UPDATE SET sealed = excluded.sealed`, principalKey, upstream, sealed)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: keep credential: %w", err)
	}
	return nil
}

// Get returns what is kept. It returns [ErrNoCredential] if that is nothing, and [ErrUnsealed] if the row
// was sealed with another secret key or changed; then the person has to sign in again.
func (c *Credentials) Get(ctx context.Context, principalKey, upstream string) (Secret, error) {
	var sealed []byte
	err := c.db.Read().QueryRow(ctx, `SELECT sealed FROM oauth_credential WHERE principal_key = ? AND upstream = ?`,
		principalKey, upstream).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return Secret{}, ErrNoCredential
	}
	if err != nil {
		return Secret{}, fmt.Errorf("oauth: credential: %w", err)
	}
	plain, err := c.sealer.Open(credentialAAD(principalKey, upstream), sealed)
	if err != nil {
		return Secret{}, err
	}
	var s sealedSecret
	if err := json.Unmarshal(plain, &s); err != nil {
		return Secret{}, fmt.Errorf("%w: not a credential", ErrUnsealed) // the cause would quote it
	}
	return Secret(s), nil
}

// Delete forgets what is kept for that principal and upstream. Nothing kept is no error.
func (c *Credentials) Delete(ctx context.Context, principalKey, upstream string) error {
	err := c.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_credential WHERE principal_key = ? AND upstream = ?`, principalKey, upstream)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: forget credential: %w", err)
	}
	return nil
}

// DeleteAll forgets what is kept for that principal, for every upstream.
func (c *Credentials) DeleteAll(ctx context.Context, principalKey string) error {
	err := c.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_credential WHERE principal_key = ?`, principalKey)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: forget credentials: %w", err)
	}
	return nil
}
