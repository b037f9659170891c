package access

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The form and times of tickets.
const (
	TicketPrefix     = "wbt_" // and 43 characters base64url
	DefaultTicketTTL = time.Minute
	MaxTicketTTL     = 10 * time.Minute
)

// Tickets are entrances to the host page that work once, for whoever was handed host_url by the API. They are not
// access tokens and open nothing else. Safe for concurrent use, on all replicas.
type Tickets struct {
	db *sqldb.DB
}

// A Ticket is what the host page is to open, and for whom.
type Ticket struct {
	Principal oauth.Principal
	File      idmap.FileID
	Space     idmap.SpaceID
	Upstream  string
	Mode      string // "edit", "view"
	Editor    string
	Scope     idmap.FileID
	Rights    Rights
}

// NewTickets brings the table up to date.
func NewTickets(ctx context.Context, db *sqldb.DB) (*Tickets, error) {
	err := db.Migrate(ctx, "access_tickets", []string{
		`CREATE TABLE access_ticket (
			hash {{blob}} PRIMARY KEY,
			ticket TEXT NOT NULL,
			expires BIGINT NOT NULL)`,
	})
	if err != nil {
		return nil, fmt.Errorf("access: tickets: %w", err)
	}
	return &Tickets{db: db}, nil
}

// Make stores k under a new random secret: "wbt_" and 43 characters [A-Za-z0-9_-]. ttl zero means
// [DefaultTicketTTL]; more than [MaxTicketTTL] is cut to it. The error wraps [ErrGrant] if k is not whole.
func (t *Tickets) Make(ctx context.Context, k Ticket, ttl time.Duration) (secret string, err error) {
	if k.Mode != "edit" && k.Mode != "view" {
		return "", fmt.Errorf("%w: unknown mode", ErrGrant)
	}
	whole := Grant{File: k.File, Upstream: k.Upstream, Principal: k.Principal, Rights: k.Rights, Editor: k.Editor, Scope: k.Scope}
	if err := whole.check(); err != nil {
		return "", err
	}
	text, err := json.Marshal(k)
	if err != nil {
		return "", wrap("make ticket", err)
	}
	now, err := t.db.Now(ctx)
	if err != nil {
		return "", wrap("make ticket", err)
	}
	if ttl <= 0 {
		ttl = DefaultTicketTTL
	}
	secret = oauth.NewOpaque(TicketPrefix)
	expires := sqldb.Millis(now.Add(min(ttl, MaxTicketTTL)))
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO access_ticket (hash, ticket, expires) VALUES (?, ?, ?)`,
			oauth.Hash(secret), string(text), expires)
		return err
	})
	if err != nil {
		return "", wrap("make ticket", err)
	}
	return secret, nil
}

// Redeem consumes the ticket. It returns [ErrToken] if it is unknown, used or expired; of two at
// once, one gets it.
func (t *Tickets) Redeem(ctx context.Context, secret string) (Ticket, error) {
	if len(secret) != len(TicketPrefix)+oauth.OpaqueLen || !strings.HasPrefix(secret, TicketPrefix) {
		return Ticket{}, ErrToken
	}
	hash := oauth.Hash(secret)
	now, err := t.db.Now(ctx)
	if err != nil {
		return Ticket{}, wrap("redeem ticket", err)
	}
	var text string
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		row := tx.QueryRow(ctx, `SELECT ticket FROM access_ticket WHERE hash = ? AND expires > ?`, hash, sqldb.Millis(now))
		if err := row.Scan(&text); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `DELETE FROM access_ticket WHERE hash = ?`, hash)
		if err == nil && n != 1 {
			return sql.ErrNoRows // somebody else's delete came first
		}
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Ticket{}, ErrToken
	}
	if err != nil {
		return Ticket{}, wrap("redeem ticket", err)
	}
	var k Ticket
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return Ticket{}, wrap("redeem ticket", err)
	}
	return k, nil
}

// Clean removes the rows of expired tickets. They are refused without it; it only frees room.
func (t *Tickets) Clean(ctx context.Context) error {
	now, err := t.db.Now(ctx)
	if err != nil {
		return wrap("clean tickets", err)
	}
	return wrap("clean tickets", t.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM access_ticket WHERE expires <= ?`, sqldb.Millis(now))
		return err
	}))
}
