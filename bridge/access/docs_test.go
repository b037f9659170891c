package access

import (
	"errors"
	"strings"
	"testing"

	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

func refusal(_ Grant, err error) error { return err }

func TestADocsTokenOpensWhatItWasMadeForAndNothingElse(t *testing.T) {
	for name, derived := range map[string]bool{"of a stored grant": false, "of a derived one": true} {
		t.Run(name, func(t *testing.T) {
			tokens := newTokens(t, sqldbtest.New(t))
			token, g := mint(t, tokens, annasGrant())
			if derived {
				var err error
				if g, err = tokens.Open(t.Context(), tokens.Derive(g, file2), file2); err != nil {
					t.Fatal(err)
				}
			}
			made := tokens.DeriveDocs(g, DocsCallback, "key-1")
			got, err := tokens.OpenDocs(t.Context(), made, DocsCallback, g.File, "key-1")
			if err != nil || got.Member() != g.Member() || got.File != g.File || got.Rights != g.Rights {
				t.Fatalf("%+v, %v", got, err)
			}
			other := file1
			if g.File == file1 {
				other = file2
			}
			flipped := made[:10] + strings.Map(func(r rune) rune { return r ^ 1 }, made[10:11]) + made[11:]
			for what, err := range map[string]error{
				"another use":   refusal(tokens.OpenDocs(t.Context(), made, DocsDownload, g.File, "key-1")),
				"another key":   refusal(tokens.OpenDocs(t.Context(), made, DocsCallback, g.File, "key-2")),
				"another file":  refusal(tokens.OpenDocs(t.Context(), made, DocsCallback, other, "key-1")),
				"changed":       refusal(tokens.OpenDocs(t.Context(), flipped, DocsCallback, g.File, "key-1")),
				"cut":           refusal(tokens.OpenDocs(t.Context(), made[:len(made)-1], DocsCallback, g.File, "key-1")),
				"the grant's":   refusal(tokens.OpenDocs(t.Context(), token, DocsCallback, g.File, "key-1")),
				"nothing":       refusal(tokens.OpenDocs(t.Context(), "", DocsCallback, g.File, "key-1")),
				"as a WOPI one": refusal(tokens.Open(t.Context(), made, g.File)),
			} {
				if !errors.Is(err, ErrToken) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := tokens.Revoke(t.Context(), g.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := tokens.OpenDocs(t.Context(), made, DocsCallback, g.File, "key-1"); !errors.Is(err, ErrToken) {
				t.Errorf("after revocation: %v", err)
			}
		})
	}
	if tokens := newTokens(t, sqldbtest.New(t)); tokens.DeriveDocs(Grant{File: file1}, DocsPage, "x") != "" || tokens.DeriveDocs(Grant{ID: oauth.NewID()}, DocsPage, "x") != "" {
		t.Error("a grant that was never minted has a token")
	}
}
