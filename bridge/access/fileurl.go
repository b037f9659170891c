package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// FileURLLife is how long an address of a file's bytes is good.
const FileURLLife = 5 * time.Minute

const (
	fileURLPrefix = "wbf_"
	// fileURLPurpose names the key of these tokens; the number is the version of their form.
	fileURLPurpose = "access file url token 1"

	// After the prefix: the grant's ID (26), the file (26), what kind of token the
	// grant was opened with (1), the revision and the end in ms, hexadecimal (16, 12),
	// the HMAC (43).
	fileURLClaims = 2*oauth.IDLen + 1 + 16 + 12
	fileURLLen    = len(fileURLPrefix) + fileURLClaims + oauth.OpaqueLen
)

// DeriveFileURL returns a token that fetches the bytes of g's file without anything
// else, for [FileURLLife], and opens nothing else. revision is the one that it is
// given out for. Nothing is stored; it ends with g.
func (t *Tokens) DeriveFileURL(ctx context.Context, g Grant, revision int64) (string, error) {
	if !oauth.IsID(g.ID) || !isFile(g.File) || revision < 0 {
		return "", ErrGrant
	}
	now, err := t.db.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("access: file url: %w", err)
	}
	kind := "s"
	if g.Derived {
		kind = "d"
	}
	claims := fmt.Sprintf("%s%s%s%016x%012x", g.ID, g.File, kind, revision, sqldb.Millis(now.Add(FileURLLife)))
	return fileURLPrefix + claims + t.fileURLMAC(claims), nil
}

func (t *Tokens) fileURLMAC(claims string) string {
	return base64.RawURLEncoding.EncodeToString(t.sealer.MAC(fileURLPurpose, []byte(claims)))
}

// OpenFileURL returns the grant behind a token of [Tokens.DeriveFileURL], with the
// same [Grant.Member] as the one that it was made from, and the revision that it was
// given out for. Errors are those of [Tokens.Open].
func (t *Tokens) OpenFileURL(ctx context.Context, token string, file idmap.FileID) (Grant, int64, error) {
	rest, ok := strings.CutPrefix(token, fileURLPrefix)
	if !ok || len(token) != fileURLLen || !isFile(file) {
		return Grant{}, 0, ErrToken
	}
	claims, mac := rest[:fileURLClaims], rest[fileURLClaims:]
	id, of, numbers := claims[:oauth.IDLen], claims[oauth.IDLen:2*oauth.IDLen], claims[2*oauth.IDLen:]
	if of != string(file) || subtle.ConstantTimeCompare([]byte(mac), []byte(t.fileURLMAC(claims))) != 1 {
		return Grant{}, 0, ErrToken
	}
	revision, err := strconv.ParseInt(numbers[1:17], 16, 64)
	if err != nil {
		return Grant{}, 0, ErrToken
	}
	until, err := strconv.ParseInt(numbers[17:], 16, 64)
	if err != nil {
		return Grant{}, 0, ErrToken
	}
	now, err := t.db.Now(ctx)
	if err != nil {
		return Grant{}, 0, fmt.Errorf("access: file url: %w", err)
	}
	if !now.Before(sqldb.FromMillis(until)) {
		return Grant{}, 0, ErrExpired
	}
	row, err := t.row(ctx, `id = ?`, id)
	if err != nil {
		return Grant{}, 0, err
	}
	if row.Derived = numbers[0] == 'd'; row.Derived {
		row.File = file
	} else if row.File != file {
		return Grant{}, 0, ErrToken
	}
	g, err := t.live(ctx, row)
	return g, revision, err
}
