package facade

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The prefixes of what is given out, for scanners that look for leaked secrets.
const (
	CodePrefix    = "wbc_"
	AccessPrefix  = "wbo_"
	RefreshPrefix = "wbr_"
)

// How long tokens are good: an access token; a family, whatever is renewed; a refresh token that nobody uses.
const (
	AccessTTL   = time.Hour
	RefreshLife = 90 * 24 * time.Hour
	RefreshIdle = 30 * 24 * time.Hour
)

// The other times of what is given out.
const (
	requestTTL = 10 * time.Minute // to sign in and say yes
	codeTTL    = time.Minute
	grace      = time.Minute // in which a refresh token may come again
	aliveEvery = 10 * time.Minute
)

// What this room refuses with.
var (
	ErrClient  = errors.New("facade: unknown program, or a redirect URI that it does not have")
	ErrRequest = errors.New("facade: authorization request not as it should be")
	ErrOver    = errors.New("facade: authorization request is too old, or not ours")
	ErrGone    = errors.New("facade: the person's account is no longer there") // [Facade.Alive]
)

// A Client is a program that signs people in here: Office's server.
type Client struct {
	ID        string
	Name      string     // what people are asked about: "Microsoft Office"
	Secrets   [][32]byte // SHA-256 of random texts, [MinSecret] or longer; several while one is being replaced
	Redirects []string   // compared as texts
}

// A Facade is the authorization server. All fields are set before use; safe for concurrent use, on all replicas.
type Facade struct {
	Clients []Client
	Base    *url.URL // our public address

	// TokenHint adds tk, our token endpoint, to the redirect. ExpiresAsText writes expires_in as a text, as a sample
	// of Microsoft's has it.
	TokenHint, ExpiresAsText bool

	// Alive is asked at a refresh, at most every ten minutes for each family, whether the person may still come in:
	// [ErrGone] if not; any other error leaves the question open, and the program tries again. It returns the same person as
	// of now, with the groups of now. Nil: nobody is asked.
	Alive func(ctx context.Context, p oauth.Principal) (oauth.Principal, error)

	// Ended hears of a family that is about to be revoked, so that what was made on the strength of its tokens ends with it;
	// with its error, the family is not revoked either. Nil: nothing was made.
	Ended func(ctx context.Context, family string) error

	// Audit hears of every answer of the token and revocation endpoints: which client (only a known one), what was
	// asked for, and why it was refused. It holds no secret. Nil: nobody does.
	Audit func(ctx context.Context, client, grant string, err error)

	db     *sqldb.DB
	sealer *oauth.Sealer
	tries  *oauth.Tries
}

// New brings the tables up to date and returns f, ready.
func New(ctx context.Context, db *sqldb.DB, s *oauth.Sealer, f Facade) (*Facade, error) {
	f.db, f.sealer, f.tries = db, s, oauth.NewTries(0, 0) // by peer alone
	err := db.Migrate(ctx, "oauth_facade", []string{
		`CREATE TABLE facade_family (
			id TEXT {{bytes}} PRIMARY KEY,
			client TEXT {{bytes}} NOT NULL,
			principal TEXT NOT NULL,
			principal_key TEXT {{bytes}} NOT NULL,
			started BIGINT NOT NULL,
			alive BIGINT NOT NULL,
			revoked BIGINT NOT NULL)`,
		`CREATE INDEX facade_family_principal ON facade_family (principal_key)`,
		`CREATE TABLE facade_code (
			hash {{blob}} PRIMARY KEY,
			family TEXT {{bytes}} NOT NULL,
			redirect TEXT {{bytes}} NOT NULL,
			challenge TEXT {{bytes}} NOT NULL,
			expires BIGINT NOT NULL,
			used BIGINT NOT NULL)`,
		`CREATE TABLE facade_access (
			hash {{blob}} PRIMARY KEY,
			family TEXT {{bytes}} NOT NULL,
			expires BIGINT NOT NULL)`,
		`CREATE TABLE facade_refresh (
			hash {{blob}} PRIMARY KEY,
			family TEXT {{bytes}} NOT NULL,
			made BIGINT NOT NULL,
			replaced BIGINT NOT NULL)`,
		`CREATE INDEX facade_refresh_family ON facade_refresh (family)`,
		`CREATE TABLE facade_consent (
			principal_key TEXT {{bytes}} NOT NULL,
			client TEXT {{bytes}} NOT NULL,
			platform TEXT {{bytes}} NOT NULL,
			given BIGINT NOT NULL,
			PRIMARY KEY (principal_key, client, platform))`,
	})
	if err != nil {
		return nil, fmt.Errorf("facade: %w", err)
	}
	return &f, nil
}

// client is the program with that ID.
func (f *Facade) client(id string) (Client, bool) {
	for _, c := range f.Clients {
		if c.ID == id {
			return c, true
		}
	}
	return Client{}, false
}

// knows reports, in constant time, whether secret is one of c's.
func (c Client) knows(secret string) bool {
	if secret == "" {
		return false // whatever the hash in the configuration is
	}
	sum, good := sha256.Sum256([]byte(secret)), 0
	for _, s := range c.Secrets {
		good |= subtle.ConstantTimeCompare(sum[:], s[:])
	}
	return good == 1
}

// MinSecret is the least length of a program's secret, in characters: wrong ones are counted by peer only.
const MinSecret = 16

// SecretHash is what a [Client] keeps of a secret.
func SecretHash(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// address is one of ours.
func (f *Facade) address(parts ...string) string { return f.Base.JoinPath(parts...).String() }

// AuthorizeURL and TokenURL are the endpoints that Office is told.
func (f *Facade) AuthorizeURL() string { return f.address("oauth2", "authorize") }

// TokenURL is where codes and refresh tokens are exchanged.
func (f *Facade) TokenURL() string { return f.address("oauth2", "token") }

// Where is the pair of endpoints for the bootstrapper's challenge.
func (f *Facade) Where(context.Context) (authorization, token string, err error) {
	return f.AuthorizeURL(), f.TokenURL(), nil
}

// write runs change in a transaction.
func (f *Facade) write(ctx context.Context, what string, change func(sqldb.Queryer) error) error {
	if err := f.db.Write(ctx, change); err != nil {
		return fmt.Errorf("facade: %s: %w", what, err)
	}
	return nil
}

// Check returns whose access token it is, and the family that it is of. sc is the session context that came with it, ""
// none: it has to be that of the family. The error wraps [oauth.ErrBearer] if the token is not good here.
func (f *Facade) Check(ctx context.Context, token, sc string) (who oauth.Principal, family string, err error) {
	refused := func(why string) (oauth.Principal, string, error) {
		return oauth.Principal{}, "", fmt.Errorf("%w: %w", oauth.ErrBearer, errors.New(why))
	}
	if !strings.HasPrefix(token, AccessPrefix) || len(token) != len(AccessPrefix)+oauth.OpaqueLen {
		return refused("not one of the facade's")
	}
	now, err := f.db.Now(ctx)
	if err != nil {
		return oauth.Principal{}, "", fmt.Errorf("facade: check: %w", err)
	}
	row, err := f.accessRow(ctx, token)
	switch {
	case errors.Is(err, errNoRow):
		return refused("unknown to the facade")
	case err != nil:
		return oauth.Principal{}, "", err
	case row.revoked:
		return refused("revoked")
	case !now.Before(row.expires):
		return refused("expired")
	case !f.agrees(sc, row.id):
		return refused("another session context")
	}
	return row.principal, row.id, nil
}
