package oauth

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"davwopi/idmap/sqldb"
)

// The times of a person's tokens.
const (
	renewBefore = time.Minute      // the access token's end
	renewLease  = 20 * time.Second // one replica renews; a second refresh with the same token would revoke both
	renewPoll   = 100 * time.Millisecond
	keepTime    = 10 * time.Second // to write down what a renewal has brought
)

// ProviderTokens keeps, sealed, what the provider gave for people: for upstreams that want to see a person's own
// token, and the ID tokens that a sign-out shows to the provider. Safe for concurrent use, on all replicas.
type ProviderTokens struct {
	oidc   *OIDC
	db     *sqldb.DB
	sealer *Sealer
	flight singleflight.Group
}

// keptTokens is what lies sealed in a row.
type keptTokens struct {
	Access  string `json:"a"`
	Refresh string `json:"r,omitempty"`
	Expires int64  `json:"e,omitempty"` // ms since epoch; 0 not told
}

// NewProviderTokens brings the tables up to date.
func NewProviderTokens(ctx context.Context, db *sqldb.DB, s *Sealer, o *OIDC) (*ProviderTokens, error) {
	err := db.Migrate(ctx, "oauth_tokens", []string{
		`CREATE TABLE oauth_tokens (
			principal_key TEXT {{bytes}} PRIMARY KEY,
			sealed {{blob}} NOT NULL,
			serial BIGINT NOT NULL,
			renewing BIGINT NOT NULL)`,
		`CREATE TABLE oauth_id_token (
			session TEXT {{bytes}} PRIMARY KEY,
			sealed {{blob}} NOT NULL)`,
	})
	if err != nil {
		return nil, fmt.Errorf("oauth: tokens of people: %w", err)
	}
	return &ProviderTokens{oidc: o, db: db, sealer: s}, nil
}

func tokensAAD(principalKey string) string { return RowKey("tokens", principalKey) }
func idTokenAAD(session string) string     { return RowKey("id token", session) }

// Put keeps the tokens of a sign-in, instead of an earlier one's. An access token is needed.
func (t *ProviderTokens) Put(ctx context.Context, principalKey string, tokens Tokens) error {
	if tokens.Access == "" || len(tokens.Access)+len(tokens.Refresh) > maxCredentialSecret {
		return fmt.Errorf("%w: tokens missing or too long", ErrCredential)
	}
	sealed, err := t.seal(principalKey, tokens)
	if err != nil {
		return err
	}
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO oauth_tokens (principal_key, sealed, serial, renewing) VALUES (?, ?, 1, 0)
			ON CONFLICT (principal_key) DO UPDATE SET sealed = excluded.sealed, serial = oauth_tokens.serial + 1, renewing = 0`,
			principalKey, sealed)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: keep tokens: %w", err)
	}
	return nil
}

func (t *ProviderTokens) seal(principalKey string, tokens Tokens) ([]byte, error) {
	kept := keptTokens{Access: tokens.Access, Refresh: tokens.Refresh}
	if !tokens.Expires.IsZero() {
		kept.Expires = sqldb.Millis(tokens.Expires)
	}
	plain, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("oauth: keep tokens: %w", err)
	}
	sealed, err := t.sealer.Seal(tokensAAD(principalKey), plain)
	if err != nil {
		return nil, fmt.Errorf("oauth: keep tokens: %w", err)
	}
	return sealed, nil
}

// A row of oauth_tokens.
type tokensRow struct {
	tokens   keptTokens
	serial   int64
	renewing time.Time // somebody renews until then
}

func (t *ProviderTokens) row(ctx context.Context, principalKey string) (tokensRow, error) {
	var sealed []byte
	var row tokensRow
	var renewing int64
	err := t.db.Read().QueryRow(ctx, `SELECT sealed, serial, renewing FROM oauth_tokens WHERE principal_key = ?`,
		principalKey).Scan(&sealed, &row.serial, &renewing)
	if errors.Is(err, sql.ErrNoRows) {
		return row, ErrNoCredential
	}
	if err != nil {
		return row, fmt.Errorf("oauth: tokens: %w", err)
	}
	if len(sealed) == 0 {
		return row, ErrNoCredential // refused for good
	}
	row.renewing = sqldb.FromMillis(renewing)
	plain, err := t.sealer.Open(tokensAAD(principalKey), sealed)
	if err != nil {
		return row, err
	}
	if err := json.Unmarshal(plain, &row.tokens); err != nil {
		return row, fmt.Errorf("%w: not tokens", ErrUnsealed)
	}
	return row, nil
}

// Get returns an access token of the person that is good for another minute, renewed if need be; it must not be
// kept. refused, "" none, is a token that the upstream did not take: another one is returned then. Errors wrap
// [ErrNoCredential] or [ErrUnsealed] if the person has to sign in again, else [ErrProvider].
func (t *ProviderTokens) Get(ctx context.Context, principalKey, refused string) (string, error) {
	now, err := t.db.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("oauth: tokens: %w", err)
	}
	row, err := t.row(ctx, principalKey)
	if err != nil {
		return "", err
	}
	if row.good(now, refused) {
		return row.tokens.Access, nil
	}
	done := t.flight.DoChan(principalKey+refused, func() (any, error) {
		// It belongs to all who wait, not to the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewLease)
		defer cancel()
		return t.renew(ctx, principalKey, refused)
	})
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("oauth: tokens: %w", ctx.Err())
	case r := <-done:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	}
}

// good reports whether the access token can be shown.
func (r tokensRow) good(now time.Time, refused string) bool {
	return r.tokens.Access != refused &&
		(r.tokens.Expires == 0 || now.Add(renewBefore).Before(sqldb.FromMillis(r.tokens.Expires)))
}

// renew gets a new access token, or waits for whoever does already.
func (t *ProviderTokens) renew(ctx context.Context, principalKey, refused string) (string, error) {
	for {
		now, err := t.db.Now(ctx)
		if err != nil {
			return "", fmt.Errorf("oauth: renew tokens: %w", err)
		}
		row, err := t.row(ctx, principalKey)
		if err != nil {
			return "", err
		}
		if row.good(now, refused) {
			return row.tokens.Access, nil
		}
		if row.tokens.Refresh == "" {
			return "", fmt.Errorf("%w: the token has ended and cannot be renewed", ErrNoCredential)
		}
		if now.Before(row.renewing) {
			if err := rest(ctx, renewPoll); err != nil {
				return "", err
			}
			continue
		}
		mine, err := t.claim(ctx, principalKey, row.serial, now)
		if err != nil {
			return "", err
		}
		if mine {
			return t.refresh(ctx, principalKey, row)
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("oauth: renew tokens: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}

// claim makes us the one who renews: false if the row has changed.
func (t *ProviderTokens) claim(ctx context.Context, principalKey string, serial int64, now time.Time) (mine bool, err error) {
	err = t.db.Write(ctx, func(tx sqldb.Queryer) error {
		n, err := tx.Exec(ctx, `UPDATE oauth_tokens SET renewing = ? WHERE principal_key = ? AND serial = ? AND renewing <= ?`,
			sqldb.Millis(now.Add(renewLease)), principalKey, serial, sqldb.Millis(now))
		mine = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("oauth: renew tokens: %w", err)
	}
	return mine, nil
}

// refresh asks the provider (RFC 6749 section 6) and keeps the answer, also if it came at the very end of ctx: the former
// refresh token is used up.
func (t *ProviderTokens) refresh(ctx context.Context, principalKey string, row tokensRow) (string, error) {
	tokens, err := t.oidc.refresh(ctx, row.tokens.Refresh)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	switch {
	case errors.Is(err, ErrSignIn):
		// Refused for good. An empty row stays, so that nobody asks again, and that it is known.
		return "", errors.Join(fmt.Errorf("%w: %w", ErrNoCredential, err), t.change(ctx,
			`UPDATE oauth_tokens SET sealed = ?, serial = serial + 1, renewing = 0 WHERE principal_key = ? AND serial = ?`,
			[]byte{}, principalKey, row.serial))
	case err != nil:
		return "", errors.Join(err, t.change(ctx,
			`UPDATE oauth_tokens SET renewing = 0 WHERE principal_key = ? AND serial = ?`, principalKey, row.serial))
	}
	if tokens.Refresh == "" {
		tokens.Refresh = row.tokens.Refresh // not every provider rotates
	}
	sealed, err := t.seal(principalKey, tokens)
	if err != nil {
		return "", err
	}
	return tokens.Access, t.change(ctx, `UPDATE oauth_tokens SET sealed = ?, serial = serial + 1, renewing = 0
		WHERE principal_key = ? AND serial = ?`, sealed, principalKey, row.serial)
}

func (t *ProviderTokens) change(ctx context.Context, query string, args ...any) error {
	err := t.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("oauth: tokens: %w", err)
	}
	return nil
}

// StillThere asks the provider whether it still gives tokens for a person. It returns an error that wraps
// [ErrNoCredential] if not, one that wraps [ErrProvider] if it cannot be asked, and nil also where nobody can know: nothing
// was kept, or nothing that could be renewed.
func (t *ProviderTokens) StillThere(ctx context.Context, principalKey string) error {
	var n int
	err := t.db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM oauth_tokens WHERE principal_key = ?`, principalKey).Scan(&n)
	if err != nil {
		return fmt.Errorf("oauth: tokens: %w", err)
	}
	if n == 0 {
		return nil
	}
	row, err := t.row(ctx, principalKey)
	switch {
	case errors.Is(err, ErrUnsealed), err == nil && row.tokens.Refresh == "":
		return nil
	case err != nil:
		return err
	}
	_, err = t.Get(ctx, principalKey, row.tokens.Access)
	return err
}

// Again is [ProviderTokens.StillThere], and returns p with the groups and the login of now, where the provider tells them.
func (t *ProviderTokens) Again(ctx context.Context, p Principal) (Principal, error) {
	if err := t.StillThere(ctx, p.Key()); err != nil {
		return p, err
	}
	row, err := t.row(ctx, p.Key())
	if errors.Is(err, ErrNoCredential) || errors.Is(err, ErrUnsealed) {
		return p, nil // nobody can know
	}
	if err != nil {
		return p, err
	}
	said, err := t.oidc.Provider.metadata(ctx)
	if err != nil || said.UserInfo == "" {
		return p, err
	}
	now, err := (&Bearer{Provider: t.oidc.Provider}).userInfo(ctx, row.tokens.Access)
	if errors.Is(err, ErrBearer) || err == nil && text(now, "sub") != p.Subject {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	c := t.oidc.Claims
	if groups, told := now[c.groups()]; told {
		p.Groups = words(groups)
	}
	if _, told := now[c.Login]; told {
		p.Login = c.login(now)
	}
	return p, p.Check()
}

// Delete forgets the tokens of a person.
func (t *ProviderTokens) Delete(ctx context.Context, principalKey string) error {
	return t.change(ctx, `DELETE FROM oauth_tokens WHERE principal_key = ?`, principalKey)
}

// PutIDToken keeps the ID token with which a session began.
func (t *ProviderTokens) PutIDToken(ctx context.Context, session, idToken string) error {
	if idToken == "" || len(idToken) > maxCredentialSecret {
		return nil // it is a hint only
	}
	sealed, err := t.sealer.Seal(idTokenAAD(session), []byte(idToken))
	if err != nil {
		return fmt.Errorf("oauth: keep ID token: %w", err)
	}
	return t.change(ctx, `INSERT INTO oauth_id_token (session, sealed) VALUES (?, ?)
		ON CONFLICT (session) DO UPDATE SET sealed = excluded.sealed`, session, sealed)
}

// TakeIDToken returns what was kept for a session and forgets it; "" nothing, or nothing readable.
func (t *ProviderTokens) TakeIDToken(ctx context.Context, session string) (string, error) {
	var sealed []byte
	err := t.db.Read().QueryRow(ctx, `SELECT sealed FROM oauth_id_token WHERE session = ?`, session).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("oauth: ID token: %w", err)
	}
	if err := t.change(ctx, `DELETE FROM oauth_id_token WHERE session = ?`, session); err != nil {
		return "", err
	}
	plain, err := t.sealer.Open(idTokenAAD(session), sealed)
	if err != nil {
		return "", nil // sealed with a former key: the sign-out goes without a hint
	}
	return string(plain), nil
}

// Clean forgets the ID tokens of sessions that are over.
func (t *ProviderTokens) Clean(ctx context.Context) error {
	return t.change(ctx, `DELETE FROM oauth_id_token WHERE session NOT IN (SELECT id FROM oauth_session)`)
}

// refresh gets new tokens for a refresh token. [ErrSignIn]: the provider will not give any.
func (o *OIDC) refresh(ctx context.Context, refresh string) (Tokens, error) {
	said, err := o.Provider.metadata(ctx)
	if err != nil {
		return Tokens{}, err
	}
	config := said.config(o.ClientID, o.ClientSecret, o.Redirect, o.scopes())
	token, err := said.exchange(config, func(c oauth2.Config) (*oauth2.Token, error) {
		return c.TokenSource(o.Provider.context(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	})
	if err != nil {
		return Tokens{}, tokenFault(ctx, err)
	}
	return Tokens{Access: token.AccessToken, Refresh: token.RefreshToken, Expires: token.Expiry}, nil
}
