package access

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

func mint(t testing.TB, tokens *Tokens, g Grant) (string, Grant) {
	t.Helper()
	token, out, err := tokens.Mint(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return token, out
}

func mustOpen(t *testing.T, tokens *Tokens, token string, file idmap.FileID) Grant {
	t.Helper()
	g, err := tokens.Open(t.Context(), token, file)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func mustRefuse(t *testing.T, tokens *Tokens, token string, file idmap.FileID, want error) {
	t.Helper()
	g, err := tokens.Open(t.Context(), token, file)
	if !errors.Is(err, want) || g.ID != "" {
		t.Errorf("opened: %+v, %v, want %v", g, err, want)
	}
	if err != nil && len(token) > 10 && strings.Contains(err.Error(), token) {
		t.Error("the error repeats the token")
	}
}

func TestTokenIsGoodForOneFileAndOnePerson(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		tokens := newTokens(t, db)
		want := annasGrant()
		token, minted := mint(t, tokens, want)
		if !regexp.MustCompile(`^wbw_[A-Za-z0-9_-]{43}$`).MatchString(token) {
			t.Errorf("form of %s", token)
		}
		want.ID, want.Expires = minted.ID, c.Now().Add(DefaultTTL)
		if !reflect.DeepEqual(minted, want) {
			t.Errorf("minted %+v\nwant %+v", minted, want)
		}
		if got := mustOpen(t, tokens, token, file1); !reflect.DeepEqual(got, want) {
			t.Errorf("opened %+v\nwant %+v", got, want)
		}
		mustRefuse(t, tokens, token, file2, ErrToken)
		mustRefuse(t, tokens, token, folder, ErrToken)
		mustRefuse(t, tokens, token, "", ErrToken)

		other, _ := mint(t, tokens, Grant{File: file1, Upstream: "main", Principal: bert, Rights: View})
		if got := mustOpen(t, tokens, other, file1); got.Principal.Key() != bert.Key() || got.Rights != View || got.Session != "" || got.Scope != "" {
			t.Errorf("%+v", got)
		}
		if minted.Member() != minted.ID || strings.Contains(token, minted.ID) {
			t.Errorf("member %s of token %s", minted.Member(), token)
		}
	})
}

func TestTokenExpires(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		tokens := newTokens(t, db)
		g := annasGrant()
		g.Expires = c.Now().Add(time.Hour + 300*time.Microsecond)
		token, minted := mint(t, tokens, g)
		derived := tokens.Derive(minted, file2)
		if want := c.Now().Add(time.Hour); !minted.Expires.Equal(want) || minted.Expires.Location() != time.UTC {
			t.Errorf("expires %v, want %v: whole milliseconds", minted.Expires, want)
		}
		c.add(time.Hour - time.Millisecond)
		mustOpen(t, tokens, token, file1)
		if got := mustOpen(t, tokens, derived, file2); !got.Expires.Equal(minted.Expires) {
			t.Errorf("a derived token expires %v", got.Expires)
		}
		c.add(time.Millisecond)
		mustRefuse(t, tokens, token, file1, ErrExpired)
		mustRefuse(t, tokens, derived, file2, ErrExpired)
		mustRefuse(t, tokens, token, file2, ErrToken) // whose file it is goes first
		c.add(expiredKept)
		if err := tokens.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, tokens, token, file1, ErrToken)
		mustRefuse(t, tokens, derived, file2, ErrToken)
		g.Expires = c.Now()
		if _, _, err := tokens.Mint(t.Context(), g); !errors.Is(err, ErrExpired) {
			t.Errorf("minted an expired token: %v", err)
		}
	})
}

func TestDerivedToken(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		setClock(db)
		tokens := newTokens(t, db)
		token, parent := mint(t, tokens, annasGrant())
		derived := tokens.Derive(parent, file2)
		if !regexp.MustCompile(`^wbd_[A-Za-z0-9_.~-]+$`).MatchString(derived) || len(derived) >= MaxTokenLen {
			t.Errorf("form of %s", derived)
		}
		want := parent
		want.File, want.Derived = file2, true
		got := mustOpen(t, tokens, derived, file2)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("opened %+v\nwant %+v", got, want)
		}
		if got.Member() != parent.ID+":"+string(file2) {
			t.Errorf("member %s", got.Member())
		}
		mustRefuse(t, tokens, derived, file1, ErrToken)

		// From a derived grant: the same parent, so no chain and no renewal.
		again := tokens.Derive(got, file1)
		if again != tokens.Derive(parent, file1) {
			t.Error("a derived token's parent is not the stored grant")
		}
		// What was changed in the grant does not reach the token.
		forged := got
		forged.Rights, forged.Principal, forged.Scope, forged.Expires = Edit, bert, "", got.Expires.Add(time.Hour)
		back := mustOpen(t, tokens, tokens.Derive(forged, file1), file1)
		if back.Principal.Key() != anna.Key() || back.Scope != folder || !back.Expires.Equal(parent.Expires) {
			t.Errorf("%+v", back)
		}
		for _, nothing := range []string{tokens.Derive(Grant{}, file1), tokens.Derive(parent, ""), tokens.Derive(parent, "../../etc/passwd........."), tokens.Derive(Grant{ID: "x"}, file1)} {
			if nothing != "" {
				t.Errorf("derived %s", nothing)
			}
		}
		var rows int
		if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM access_grant`).Scan(&rows); err != nil || rows != 1 {
			t.Errorf("deriving stored something: %d rows, %v", rows, err)
		}

		other, err := oauth.NewSealer([]byte("another key of 32 bytes in total"))
		if err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, &Tokens{db: db, sealer: other}, derived, file2, ErrToken)
		mustOpen(t, &Tokens{db: db, sealer: other}, token, file1) // a stored token does not need the key
	})
}

func TestMintRefuses(t *testing.T) {
	db := sqldbtest.New(t)
	tokens := newTokens(t, db)
	for what, change := range map[string]func(*Grant){
		"nobody":             func(g *Grant) { g.Principal = oauth.Principal{} },
		"no file":            func(g *Grant) { g.File = "" },
		"a path as file":     func(g *Grant) { g.File = "/a" },
		"upper case":         func(g *Grant) { g.File = idmap.FileID(strings.ToUpper(string(file1))) },
		"a path as scope":    func(g *Grant) { g.Scope = "/" },
		"no rights":          func(g *Grant) { g.Rights = 0 },
		"unknown rights":     func(g *Grant) { g.Rights = 3 },
		"no upstream":        func(g *Grant) { g.Upstream = "" },
		"NUL in the editor":  func(g *Grant) { g.Editor = "https://x/\x00" },
		"a huge editor":      func(g *Grant) { g.Editor = strings.Repeat("x", maxGrantText+1) },
		"session not UTF-8":  func(g *Grant) { g.Session = "\xff" },
		"a name of two rows": func(g *Grant) { g.Principal.Name = "a\nb" },
	} {
		g := annasGrant()
		change(&g)
		if token, _, err := tokens.Mint(t.Context(), g); !errors.Is(err, ErrGrant) || token != "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	var rows int
	if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM access_grant`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestRevoke(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		tokens := newTokens(t, db)
		first, g1 := mint(t, tokens, annasGrant())
		second, g2 := mint(t, tokens, annasGrant())
		berts, _ := mint(t, tokens, Grant{File: file1, Upstream: "main", Principal: bert, Rights: Edit})
		derived := tokens.Derive(g1, file2)
		if err := tokens.Revoke(t.Context(), g1.ID); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, tokens, first, file1, ErrToken)
		mustRefuse(t, tokens, derived, file2, ErrToken)
		mustOpen(t, tokens, second, file1)
		if err := tokens.Revoke(t.Context(), g1.ID); err != nil {
			t.Errorf("revoking twice: %v", err)
		}

		// A reprieve does not help against an administrator.
		if err := tokens.SignedOut(t.Context(), "session1", map[string]time.Time{g2.Member(): c.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if !mustOpen(t, tokens, second, file1).SaveOnly {
			t.Error("not save-only")
		}
		if err := tokens.RevokePrincipal(t.Context(), anna.Key()); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, tokens, second, file1, ErrToken)
		mustOpen(t, tokens, berts, file1)
		var rows int
		if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM access_reprieve`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d reprieves stay, %v", rows, err)
		}
	})
}

func TestStoreAndPrintsHideTokens(t *testing.T) {
	db := sqldbtest.New(t)
	tokens := newTokens(t, db)
	token, g := mint(t, tokens, annasGrant())
	derived := tokens.Derive(g, file2)
	tickets, err := NewTickets(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := tickets.Make(t.Context(), annasTicket(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for table, columns := range map[string]int{"access_grant": 14, "access_ticket": 3} {
		cells := make([]any, columns)
		for i := range cells {
			cells[i] = new([]byte)
		}
		if err := db.Read().QueryRow(t.Context(), `SELECT * FROM `+table).Scan(cells...); err != nil {
			t.Fatal(err)
		}
		for i, cell := range cells {
			for _, secret := range []string{token, ticket, token[len(StoredPrefix):], ticket[len(TicketPrefix):]} {
				if bytes.Contains(*cell.(*[]byte), []byte(secret)) {
					t.Errorf("%s column %d holds a secret", table, i)
				}
			}
		}
	}
	opened := mustOpen(t, tokens, derived, file2)
	for _, v := range []any{g, &g, opened, tokens, *tokens, tickets} {
		mustHide(t, v, token, derived, ticket, derived[len(derived)-oauth.OpaqueLen:])
	}
}

// A forged token must cost nothing but two hashes, and only what was minted may open, letter for letter.
func FuzzOpen(f *testing.F) {
	db := sqldbtest.New(f)
	tokens := newTokens(f, db)
	token, g := mint(f, tokens, annasGrant())
	derived := tokens.Derive(g, file2)
	bases := []string{"", token, derived} // of this process: a fuzzing worker has its own
	for _, seed := range []string{"", "wbw_", "wbd_", "=", " ", "A", "\x00", "\xff", strings.Repeat("wbd_", 40),
		"wbd_" + string(file1) + string(file2) + strings.Repeat("A", 43), "wbw_" + strings.Repeat("\x00", 43)} {
		for base := range bases {
			f.Add(uint8(base), uint8(255), seed, string(file1))
			f.Add(uint8(base), uint8(4), seed, string(file2))
			f.Add(uint8(base), uint8(46), seed, "")
		}
	}
	f.Fuzz(func(t *testing.T, base, cut uint8, tail, file string) {
		text := bases[int(base)%len(bases)]
		text = text[:min(int(cut), len(text))] + tail
		want := text == token && file == string(file1) || text == derived && file == string(file2)
		got, err := tokens.Open(t.Context(), text, idmap.FileID(file))
		if (err == nil) != want {
			t.Fatalf("%q for %q: %+v, %v", text, file, got, err)
		}
		if err != nil && !errors.Is(err, ErrToken) {
			t.Fatalf("%q for %q: %v", text, file, err)
		}
	})
}

// base64url has several spellings of the same bytes; of a token one opens.
func TestTokenHasOneSpelling(t *testing.T) {
	tokens := newTokens(t, sqldbtest.New(t))
	token, g := mint(t, tokens, annasGrant())
	derived := tokens.Derive(g, file2)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for at := range derived {
		for _, c := range []byte(alphabet + "=+/%.~ \x00") {
			if at < len(token) && token[at] != c {
				mustRefuse(t, tokens, token[:at]+string(c)+token[at+1:], file1, ErrToken)
			}
			if derived[at] != c {
				mustRefuse(t, tokens, derived[:at]+string(c)+derived[at+1:], file2, ErrToken)
			}
		}
	}
	mustOpen(t, tokens, token, file1)
	mustOpen(t, tokens, derived, file2)
}
