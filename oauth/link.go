package oauth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/idmap/sqldb"
)

// LinkPrefix begins the secret part of every sign-in link, for scanners that look for leaked secrets.
const LinkPrefix = "wbl_"

// The times of a sign-in link.
const (
	DefaultLinkTTL = 24 * time.Hour
	MaxLinkTTL     = 30 * 24 * time.Hour
)

// Links are sign-in links that work once. The row holds the SHA-256 of the secret and the person that the
// link makes of whoever has it. Safe for concurrent use, on all replicas.
type Links struct {
	db *sqldb.DB
}

// NewLinks brings the table up to date.
func NewLinks(ctx context.Context, db *sqldb.DB) (*Links, error) {
	err := db.Migrate(ctx, "oauth_links", []string{
		`CREATE TABLE oauth_link (
			hash {{blob}} PRIMARY KEY,
			principal TEXT NOT NULL,
			expires BIGINT NOT NULL)`,
	})
	if err != nil {
		return nil, fmt.Errorf("oauth: links: %w", err)
	}
	return &Links{db: db}, nil
}

// Make returns the secret part of a new link that signs in as p: "wbl_" and 43 characters [A-Za-z0-9_-].
// Issuer must be empty or [IssuerLink]: a link never makes anyone into a person of another issuer; else the
// error wraps [ErrPrincipal]. ttl zero means [DefaultLinkTTL]; more than [MaxLinkTTL] is cut to it.
func (l *Links) Make(ctx context.Context, p Principal, ttl time.Duration) (secret string, err error) {
	if p.Issuer == "" {
		p.Issuer = IssuerLink
	}
	if p.Issuer != IssuerLink {
		return "", fmt.Errorf("%w: a link cannot speak for another issuer", ErrPrincipal)
	}
	text, err := p.Encode()
	if err != nil {
		return "", err
	}
	if ttl <= 0 {
		ttl = DefaultLinkTTL
	}
	now, err := l.db.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("oauth: make link: %w", err)
	}
	secret = NewOpaque(LinkPrefix)
	expires := sqldb.Millis(now.Add(min(ttl, MaxLinkTTL)))
	err = l.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO oauth_link (hash, principal, expires) VALUES (?, ?, ?)`, Hash(secret), text, expires)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("oauth: make link: %w", err)
	}
	return secret, nil
}

// Redeem consumes the link and returns the person that it named. It returns [ErrLink] if the link is
// unknown, was used, or has expired; of two at once, one gets the person.
func (l *Links) Redeem(ctx context.Context, secret string) (Principal, error) {
	if len(secret) != len(LinkPrefix)+OpaqueLen || !strings.HasPrefix(secret, LinkPrefix) {
		return Principal{}, ErrLink
	}
	hash := Hash(secret)
	now, err := l.db.Now(ctx)
	if err != nil {
		return Principal{}, fmt.Errorf("oauth: redeem link: %w", err)
	}
	var text string
	err = l.db.Write(ctx, func(tx sqldb.Queryer) error {
		row := tx.QueryRow(ctx, `SELECT principal FROM oauth_link WHERE hash = ? AND expires > ?`, hash, sqldb.Millis(now))
		if err := row.Scan(&text); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `DELETE FROM oauth_link WHERE hash = ?`, hash)
		if err == nil && n != 1 {
			return sql.ErrNoRows // somebody else's delete came first
		}
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Principal{}, ErrLink
	}
	if err != nil {
		return Principal{}, fmt.Errorf("oauth: redeem link: %w", err)
	}
	return DecodePrincipal(text)
}

// Clean removes the rows of expired links. They are refused without it; it only frees room.
func (l *Links) Clean(ctx context.Context) error {
	now, err := l.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("oauth: clean links: %w", err)
	}
	err = l.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_link WHERE expires <= ?`, sqldb.Millis(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: clean links: %w", err)
	}
	return nil
}
