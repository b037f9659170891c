package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The form and bounds of links.
const (
	SharePrefix = "wbs_" // and 43 characters base64url: 256 random bits
	MaxShares   = 1000   // live ones of one person

	shareLen       = len(SharePrefix) + oauth.OpaqueLen
	maxShareLife   = 10 * 365 * 24 * time.Hour
	deadShareKept  = 30 * 24 * time.Hour // so that whoever comes late is told that the link is over
	shareColumns   = `id, resource, space, upstream, rights, kind, maker, made, password, expires, revoked`
	kindSignedIn   = "signed-in"
	kindAnonymous  = "anonymous"
	shareSealUsage = "access share"
)

// Shares are links to files and folders: rows that all replicas see. A link names the resource by its ID, so it survives
// renames. The row holds the SHA-256 of the link's secret, and the secret sealed, so that its maker can see it again. Safe
// for concurrent use.
type Shares struct {
	// Anonymous lets people without an account in. While it is false their links open nothing, and none is made.
	// Set before use.
	Anonymous bool

	db     *sqldb.DB
	sealer *oauth.Sealer
	tries  *oauth.Tries
	rounds int // of the password hash
}

// A Share is a link that somebody made. It is not the secret.
type Share struct {
	ID        string // of the row, may be shown
	Resource  idmap.FileID
	Space     idmap.SpaceID // of the maker
	Upstream  string
	Rights    Rights          // a ceiling: rules and upstream have the last word
	Anonymous bool            // opens without an account; else for people who sign in, and see what they may see
	Maker     oauth.Principal // as of their last sign-in
	Made      time.Time
	Expires   time.Time // zero: never
	Revoked   time.Time // zero: it was not
	Protected bool      // by a password
}

// A NewShare is a link to be made.
type NewShare struct {
	Resource  idmap.FileID
	Space     idmap.SpaceID
	Upstream  string
	Rights    Rights
	Anonymous bool
	Maker     oauth.Principal
	Life      time.Duration // 0: for ever; at most ten years
	Password  string        // "" none; only of an anonymous link, [MinSharePassword] characters at least
}

// What a link refuses with.
var (
	ErrShare         = errors.New("access: no such link")
	ErrShareOver     = errors.New("access: the link was revoked, or its time is over")
	ErrSharePassword = errors.New("access: not the password of this link")
	ErrManyShares    = errors.New("access: too many links")
)

// NewShares brings the tables up to date.
func NewShares(ctx context.Context, db *sqldb.DB, s *oauth.Sealer) (*Shares, error) {
	err := db.Migrate(ctx, "access_shares", []string{
		`CREATE TABLE access_share (
			id TEXT {{bytes}} PRIMARY KEY,
			hash {{blob}} NOT NULL UNIQUE,
			secret {{blob}} NOT NULL,
			resource TEXT {{bytes}} NOT NULL,
			space BIGINT NOT NULL,
			upstream TEXT NOT NULL,
			rights BIGINT NOT NULL,
			kind TEXT NOT NULL,
			maker TEXT NOT NULL,
			maker_key TEXT {{bytes}} NOT NULL,
			made BIGINT NOT NULL,
			password TEXT NOT NULL,
			expires BIGINT NOT NULL,
			revoked BIGINT NOT NULL,
			standing TEXT {{bytes}} UNIQUE)`,
		`CREATE INDEX access_share_maker ON access_share (maker_key)`,
		`CREATE INDEX access_share_resource ON access_share (resource)`,
		`CREATE TABLE access_guest (
			id TEXT {{bytes}} PRIMARY KEY,
			hash {{blob}} NOT NULL UNIQUE,
			share TEXT {{bytes}} NOT NULL,
			name TEXT NOT NULL,
			made BIGINT NOT NULL,
			used BIGINT NOT NULL)`,
		`CREATE INDEX access_guest_share ON access_guest (share)`,
	})
	if err != nil {
		return nil, fmt.Errorf("access: shares: %w", err)
	}
	return &Shares{db: db, sealer: s, tries: oauth.NewTries(shareBurst, shareEvery), rounds: passwordRounds}, nil
}

// Make makes a link and returns its secret, "wbs_" and 43 characters [A-Za-z0-9_-]. It is for a person on a page: only
// here links become anonymous. The error wraps [ErrGrant] if n is not whole or not allowed, and [ErrManyShares].
func (s *Shares) Make(ctx context.Context, n NewShare) (secret string, made Share, err error) {
	if n.Anonymous && !s.Anonymous {
		return "", Share{}, fmt.Errorf("%w: anonymous links are switched off", ErrGrant)
	}
	if err := n.check(); err != nil {
		return "", Share{}, err
	}
	hash := ""
	if n.Password != "" {
		if hash, err = hashPassword(n.Password, s.rounds); err != nil {
			return "", Share{}, wrap("share", err)
		}
	}
	err = s.db.Write(ctx, func(tx sqldb.Queryer) error {
		secret, made, err = s.insert(ctx, tx, n, hash, nil)
		return err
	})
	if err != nil {
		return "", Share{}, wrap("share", err)
	}
	return secret, made, nil
}

// Standing returns the secret of the link for people who sign in that n.Maker has on n.Resource with n.Rights, and makes it
// if there is none: however often an editor asks, there is one. What n says besides is ignored. Errors are those of
// [Shares.Make].
func (s *Shares) Standing(ctx context.Context, n NewShare) (secret string, err error) {
	n.Anonymous, n.Life, n.Password = false, 0, ""
	if err := n.check(); err != nil {
		return "", err
	}
	// All three have fixed alphabets and no colon.
	standing := fmt.Sprintf("%s:%s:%d", n.Maker.Key(), n.Resource, n.Rights)
	if secret, err = s.standing(ctx, s.db.Read(), standing); err == nil || !errors.Is(err, ErrShare) {
		return secret, wrap("share", err) // the usual call writes nothing
	}
	err = s.db.Write(ctx, func(tx sqldb.Queryer) error {
		if secret, err = s.standing(ctx, tx, standing); err == nil || !errors.Is(err, ErrShare) {
			return err
		}
		// One that was sealed with another key stays good for those who have it.
		if _, err := tx.Exec(ctx, `UPDATE access_share SET standing = NULL WHERE standing = ?`, standing); err != nil {
			return err
		}
		secret, _, err = s.insert(ctx, tx, n, "", &standing)
		return err
	})
	return secret, wrap("share", err)
}

// standing is the secret of that one, or [ErrShare].
func (s *Shares) standing(ctx context.Context, q sqldb.Queryer, standing string) (string, error) {
	var id string
	var sealed []byte
	err := q.QueryRow(ctx, `SELECT id, secret FROM access_share WHERE standing = ?`, standing).Scan(&id, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrShare
	}
	if err != nil {
		return "", err
	}
	return s.unseal(id, sealed)
}

// unseal is the secret of a row; [ErrShare] if it was sealed with another key.
func (s *Shares) unseal(id string, sealed []byte) (string, error) {
	plain, err := s.sealer.Open(oauth.RowKey(shareSealUsage, id), sealed)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrShare, err)
	}
	return string(plain), nil
}

// insert writes a row for n and returns its secret.
func (s *Shares) insert(ctx context.Context, tx sqldb.Queryer, n NewShare, password string, standing *string) (string, Share, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return "", Share{}, err
	}
	maker, err := n.Maker.Encode()
	if err != nil {
		return "", Share{}, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	var have int64
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM access_share WHERE maker_key = ? AND revoked = 0 AND (expires = 0 OR expires > ?)`,
		n.Maker.Key(), sqldb.Millis(now)).Scan(&have)
	if err != nil {
		return "", Share{}, err
	}
	if have >= MaxShares {
		return "", Share{}, fmt.Errorf("%w: %d", ErrManyShares, have)
	}
	made := Share{
		ID: oauth.NewID(), Resource: n.Resource, Space: n.Space, Upstream: n.Upstream, Rights: n.Rights, Anonymous: n.Anonymous,
		Maker: n.Maker, Made: sqldb.FromMillis(sqldb.Millis(now)), Protected: password != "",
	}
	if n.Life > 0 {
		made.Expires = made.Made.Add(min(n.Life, maxShareLife))
	}
	secret := oauth.NewOpaque(SharePrefix)
	sealed, err := s.sealer.Seal(oauth.RowKey(shareSealUsage, made.ID), []byte(secret))
	if err != nil {
		return "", Share{}, err
	}
	kind := kindSignedIn
	if n.Anonymous {
		kind = kindAnonymous
	}
	_, err = tx.Exec(ctx, `INSERT INTO access_share (`+shareColumns+`, hash, secret, maker_key, standing)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
		made.ID, string(n.Resource), int64(n.Space), n.Upstream, int64(n.Rights), kind, maker, sqldb.Millis(now), password,
		sqldb.Millis(made.Expires), oauth.Hash(secret), sealed, n.Maker.Key(), standing)
	return secret, made, err
}

// check says whether n may become a row.
func (n NewShare) check() error {
	if err := n.Maker.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrGrant, err)
	}
	switch {
	case n.Maker.Issuer == oauth.IssuerShare:
		return fmt.Errorf("%w: a guest shares nothing", ErrGrant)
	case !isFile(n.Resource):
		return fmt.Errorf("%w: bad file ID", ErrGrant)
	case n.Upstream == "" || !storable(n.Upstream):
		return fmt.Errorf("%w: bad upstream", ErrGrant)
	case n.Rights != View && n.Rights != Edit:
		return fmt.Errorf("%w: no rights", ErrGrant)
	case n.Life < 0:
		return fmt.Errorf("%w: over before it begins", ErrGrant)
	case n.Password != "" && !n.Anonymous:
		return fmt.Errorf("%w: people who sign in need no other password", ErrGrant)
	}
	return checkPassword(n.Password)
}
