package access

import (
	"cmp"
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The forms of access tokens. All their characters are unreserved (RFC 3986 section 2.3), so that a token reads the
// same encoded and decoded, which proof keys need.
const (
	StoredPrefix  = "wbw_" // and 43 characters base64url: 256 random bits
	DerivedPrefix = "wbd_" // and the parent's ID (26), the file (26), the HMAC (43)

	// MaxTokenLen is longer than every token, in bytes. A longer one is refused unread.
	MaxTokenLen = 128

	storedLen  = len(StoredPrefix) + oauth.OpaqueLen
	derivedLen = len(DerivedPrefix) + 2*oauth.IDLen + oauth.OpaqueLen
)

const (
	// DefaultTTL is how long a grant lives if its maker does not say.
	DefaultTTL = 10 * time.Hour
	// expiredKept is how long the row of an expired grant stays, so that its holder is told that it
	// expired and not that it is unknown, and so that a reprieve can still be given.
	expiredKept = 24 * time.Hour
)

// derivedPurpose names the key of derived tokens; the number is the version of their form.
const derivedPurpose = "access derived token 1"

// Tokens mints and opens WOPI access tokens. Grants are rows that all replicas see; nothing is cached, so that a
// revocation holds at once everywhere. Safe for concurrent use.
type Tokens struct {
	// Shares are asked about grants that were made through a link, each time; nil: such grants open nothing. Set
	// before use.
	Shares *Shares

	db     *sqldb.DB
	sealer *oauth.Sealer
}

// NewTokens brings the tables up to date.
func NewTokens(ctx context.Context, db *sqldb.DB, s *oauth.Sealer) (*Tokens, error) {
	err := db.Migrate(ctx, "access_tokens", []string{
		`CREATE TABLE access_grant (
			id TEXT {{bytes}} PRIMARY KEY,
			hash {{blob}} NOT NULL UNIQUE,
			file TEXT {{bytes}} NOT NULL,
			space BIGINT NOT NULL,
			upstream TEXT NOT NULL,
			principal TEXT NOT NULL,
			principal_key TEXT {{bytes}} NOT NULL,
			session TEXT {{bytes}} NOT NULL,
			rights BIGINT NOT NULL,
			editor TEXT NOT NULL,
			scope TEXT NOT NULL,
			expires BIGINT NOT NULL,
			signed_out BIGINT NOT NULL)`,
		`CREATE INDEX access_grant_session ON access_grant (session)`,
		`CREATE INDEX access_grant_principal ON access_grant (principal_key)`,
		`CREATE INDEX access_grant_expires ON access_grant (expires)`,
		// file is '' for the stored token itself and the file for one that is derived from it.
		`CREATE TABLE access_reprieve (
			grant_id TEXT {{bytes}} NOT NULL,
			file TEXT {{bytes}} NOT NULL,
			until BIGINT NOT NULL,
			PRIMARY KEY (grant_id, file))`,
		// So that a request that was on its way during sign-out does not mint after it.
		`CREATE TABLE access_signed_out (
			session TEXT {{bytes}} PRIMARY KEY,
			at BIGINT NOT NULL)`,
		`ALTER TABLE access_grant ADD COLUMN share TEXT {{bytes}} NOT NULL DEFAULT ''`,
	})
	if err != nil {
		return nil, fmt.Errorf("access: tokens: %w", err)
	}
	return &Tokens{db: db, sealer: s}, nil
}

// Mint stores g under a new random token and returns both; the token is kept nowhere. ID, Derived, SaveOnly
// and Behind of g are ignored. Expires zero means [DefaultTTL] from now; a grant made on the strength of another token takes over
// that token's Expires, or tokens would renew each other for ever. The error wraps [ErrGrant] if g is not whole, and
// [ErrExpired] if Expires has passed or the session was signed out.
func (t *Tokens) Mint(ctx context.Context, g Grant) (token string, out Grant, err error) {
	if err := g.check(); err != nil {
		return "", Grant{}, err
	}
	principal, err := g.Principal.Encode()
	if err != nil {
		return "", Grant{}, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	now, err := t.db.Now(ctx)
	if err != nil {
		return "", Grant{}, fmt.Errorf("access: mint: %w", err)
	}
	if g.Expires.IsZero() {
		g.Expires = now.Add(DefaultTTL)
	}
	expires := sqldb.Millis(g.Expires)
	if expires <= sqldb.Millis(now) {
		return "", Grant{}, ErrExpired
	}
	g.ID, g.Expires, g.Derived, g.SaveOnly = oauth.NewID(), sqldb.FromMillis(expires), false, false
	token = oauth.NewOpaque(StoredPrefix)
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		if over, err := signedOut(ctx, tx, g.Session); err != nil || over {
			return cmp.Or(err, ErrExpired)
		}
		_, err := tx.Exec(ctx, `INSERT INTO access_grant (id, hash, file, space, upstream, principal, principal_key,
			session, rights, editor, scope, expires, share, signed_out) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
			g.ID, oauth.Hash(token), string(g.File), int64(g.Space), g.Upstream, principal, g.Principal.Key(),
			g.Session, int64(g.Rights), g.Editor, string(g.Scope), expires, g.Share)
		return err
	})
	if err != nil {
		return "", Grant{}, fmt.Errorf("access: mint: %w", err)
	}
	return token, g, nil
}

func signedOut(ctx context.Context, tx sqldb.Queryer, session string) (bool, error) {
	if session == "" {
		return false, nil
	}
	var n int
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM access_signed_out WHERE session = ?`, session).Scan(&n)
	return n > 0, err
}

// Derive returns a token for file that is as good as g: same person, rights, editor, scope, session and
// expiry, all of them read from the row of the stored grant when it is opened; what was changed in g does
// not matter. Deriving from a derived grant has the same parent. Nothing is stored. It returns "", which opens
// nothing, if g was never minted or file is not a file ID.
func (t *Tokens) Derive(g Grant, file idmap.FileID) string {
	if !oauth.IsID(g.ID) || !isFile(file) {
		return ""
	}
	return DerivedPrefix + g.ID + string(file) + t.derivedMAC(g.ID, string(file))
}

func (t *Tokens) derivedMAC(id, file string) string {
	return base64.RawURLEncoding.EncodeToString(t.sealer.MAC(derivedPurpose, []byte(oauth.RowKey(id, file))))
}

// Open returns the grant of token for file. It returns [ErrToken] if the token is malformed, unknown, revoked
// or for another file (it does not say which), and [ErrExpired] if it was good once. The rules of the operator, the
// scope and the upstream have still to be asked.
func (t *Tokens) Open(ctx context.Context, token string, file idmap.FileID) (Grant, error) {
	if len(token) > MaxTokenLen || !isFile(file) {
		return Grant{}, ErrToken
	}
	var row grantRow
	var err error
	switch {
	case strings.HasPrefix(token, StoredPrefix) && len(token) == storedLen:
		row, err = t.stored(ctx, token, file)
	case strings.HasPrefix(token, DerivedPrefix) && len(token) == derivedLen:
		row, err = t.derived(ctx, token, file)
	default:
		err = ErrToken
	}
	if err != nil {
		return Grant{}, err
	}
	return t.live(ctx, row)
}

func (t *Tokens) stored(ctx context.Context, token string, file idmap.FileID) (grantRow, error) {
	hash := oauth.Hash(token)
	row, err := t.row(ctx, `hash = ?`, hash)
	if err != nil {
		return grantRow{}, err
	}
	if subtle.ConstantTimeCompare(hash, row.hash) != 1 || row.File != file {
		return grantRow{}, ErrToken
	}
	return row, nil
}

func (t *Tokens) derived(ctx context.Context, token string, file idmap.FileID) (grantRow, error) {
	rest := token[len(DerivedPrefix):]
	id, of, mac := rest[:oauth.IDLen], rest[oauth.IDLen:2*oauth.IDLen], rest[2*oauth.IDLen:]
	// Before the database is asked: a forged token costs us two hashes.
	if of != string(file) || subtle.ConstantTimeCompare([]byte(mac), []byte(t.derivedMAC(id, of))) != 1 {
		return grantRow{}, ErrToken
	}
	row, err := t.row(ctx, `id = ?`, id)
	if err != nil {
		return grantRow{}, err
	}
	row.File, row.Derived = file, true
	return row, nil
}

type grantRow struct {
	Grant
	hash      []byte
	signedOut bool
}

func (t *Tokens) row(ctx context.Context, where string, key any) (grantRow, error) {
	var r grantRow
	var principal string
	var rights, expires, signedOut int64
	err := t.db.Read().QueryRow(ctx, `SELECT id, hash, file, space, upstream, principal, session, rights, editor, scope,
		expires, share, signed_out FROM access_grant WHERE `+where, key).
		Scan(&r.ID, &r.hash, &r.File, &r.Space, &r.Upstream, &principal, &r.Session, &rights, &r.Editor, &r.Scope,
			&expires, &r.Share, &signedOut)
	if errors.Is(err, sql.ErrNoRows) {
		return grantRow{}, ErrToken
	}
	if err != nil {
		return grantRow{}, fmt.Errorf("access: open: %w", err)
	}
	r.Rights, r.Expires, r.signedOut = Rights(rights), sqldb.FromMillis(expires), signedOut != 0
	if r.Principal, err = oauth.DecodePrincipal(principal); err != nil {
		return grantRow{}, fmt.Errorf("access: open: %w", err)
	}
	return r, nil
}

// live says what r is worth now. A link that is over takes with it what else would have a reprieve.
func (t *Tokens) live(ctx context.Context, r grantRow) (Grant, error) {
	if r.Share != "" {
		bounded, err := t.Shares.grant(ctx, r.Grant)
		if err != nil {
			return Grant{}, err
		}
		r.Grant = bounded
	}
	now, err := t.db.Now(ctx)
	if err != nil {
		return Grant{}, fmt.Errorf("access: open: %w", err)
	}
	if !r.signedOut && now.Before(r.Expires) {
		return r.Grant, nil
	}
	until, err := t.reprieve(ctx, r.Grant)
	if err != nil {
		return Grant{}, err
	}
	switch {
	case now.Before(until):
		r.SaveOnly, r.Expires = true, until
		return r.Grant, nil
	case r.signedOut && until.IsZero() && now.Before(r.Expires):
		return Grant{}, ErrToken // derived, and not a member when its session ended
	}
	return Grant{}, ErrExpired
}

// Revoke ends the grant with that ID and all that is derived from it, reprieves included. One that is not
// there is no error.
func (t *Tokens) Revoke(ctx context.Context, grantID string) error {
	return t.revoke(ctx, `id = ?`, grantID)
}

// RevokePrincipal ends every grant of the principal with that key, reprieves included: an administrator's word
// holds at once, also for work that is open.
func (t *Tokens) RevokePrincipal(ctx context.Context, principalKey string) error {
	return t.revoke(ctx, `principal_key = ?`, principalKey)
}

func (t *Tokens) revoke(ctx context.Context, where, key string) error {
	err := t.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM access_reprieve WHERE grant_id IN (SELECT id FROM access_grant WHERE `+where+`)`, key)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM access_grant WHERE `+where, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("access: revoke: %w", err)
	}
	return nil
}
