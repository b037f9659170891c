package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"davwopi/idmap"
	"davwopi/oauth"
)

// A DocsUse is what a token of [Tokens.DeriveDocs] is good for, and for nothing else.
type DocsUse byte

// The uses.
const (
	DocsDownload DocsUse = 'd' // a document server fetches bytes
	DocsCallback DocsUse = 'c' // it tells what happens to a document
	DocsPage     DocsUse = 'p' // the page around its editor asks
	HostState    DocsUse = 's' // a host page that has no session asks how its document stands
)

const (
	docsPrefix = "wbo_"
	// docsPurpose names the key of these tokens; the number is the version of their form.
	docsPurpose = "access docs token 1"

	// After the prefix: the use (1), what kind of token the grant was opened with (1), the
	// grant's ID (26), the HMAC (43).
	docsClaims = 2 + oauth.IDLen
	docsLen    = len(docsPrefix) + docsClaims + oauth.OpaqueLen
)

// DeriveDocs returns a token of g's that is bound to one use, to g's file and to about,
// which the address names beside it (a document key, say). Nothing is stored; it is as
// good as g, and ends with it. It returns "", which opens nothing, if g was never minted.
func (t *Tokens) DeriveDocs(g Grant, use DocsUse, about string) string {
	if !oauth.IsID(g.ID) || !isFile(g.File) {
		return ""
	}
	kind := byte('s')
	if g.Derived {
		kind = 'd'
	}
	claims := string([]byte{byte(use), kind}) + g.ID
	return docsPrefix + claims + t.docsMAC(claims, g.File, about)
}

func (t *Tokens) docsMAC(claims string, file idmap.FileID, about string) string {
	return base64.RawURLEncoding.EncodeToString(t.sealer.MAC(docsPurpose, []byte(oauth.RowKey(claims, string(file), about))))
}

// OpenDocs returns the grant behind a token of [Tokens.DeriveDocs], with the same
// [Grant.Member] as the one that it was made from. Errors are those of [Tokens.Open]; one
// for another use, file or about is [ErrToken].
func (t *Tokens) OpenDocs(ctx context.Context, token string, use DocsUse, file idmap.FileID, about string) (Grant, error) {
	rest, ok := strings.CutPrefix(token, docsPrefix)
	if !ok || len(token) != docsLen || !isFile(file) {
		return Grant{}, ErrToken
	}
	claims, mac := rest[:docsClaims], rest[docsClaims:]
	// Before the database is asked: a forged token costs us one hash.
	if claims[0] != byte(use) || subtle.ConstantTimeCompare([]byte(mac), []byte(t.docsMAC(claims, file, about))) != 1 {
		return Grant{}, ErrToken
	}
	row, err := t.row(ctx, `id = ?`, claims[2:])
	if err != nil {
		return Grant{}, err
	}
	if row.Derived = claims[1] == 'd'; row.Derived {
		row.File = file
	} else if row.File != file {
		return Grant{}, ErrToken
	}
	return t.live(ctx, row)
}
