package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

func newShares(t testing.TB, db *sqldb.DB) *Shares {
	t.Helper()
	shares, err := NewShares(t.Context(), db, testSealer(t))
	if err != nil {
		t.Fatal(err)
	}
	shares.Anonymous = true
	shares.rounds = 2 // the real number is for one test
	return shares
}

// annasShare is a link of anna's to a folder.
func annasShare() NewShare {
	return NewShare{Resource: folder, Space: 7, Upstream: "main", Rights: Edit, Maker: anna}
}

// openToAll is n for people without an account.
func openToAll(n NewShare) NewShare {
	n.Anonymous = true
	return n
}

func mustMake(t testing.TB, s *Shares, n NewShare) (string, Share) {
	t.Helper()
	secret, made, err := s.Make(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return secret, made
}

func TestAShareIsFoundByItsSecret(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		setClock(db)
		s := newShares(t, db)
		secret, made := mustMake(t, s, annasShare())
		if !regexp.MustCompile(`^wbs_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
			t.Errorf("form of %s", secret)
		}
		got, err := s.Find(t.Context(), secret)
		if err != nil || got.ID != made.ID || got.Resource != folder || got.Space != 7 || got.Upstream != "main" || got.Rights != Edit ||
			got.Anonymous || got.Protected || got.Maker.Key() != anna.Key() || !got.Expires.IsZero() || !got.Made.Equal(made.Made) {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := s.Get(t.Context(), made.ID); err != nil || got.ID != made.ID {
			t.Errorf("%+v, %v", got, err)
		}
		for _, bad := range []string{"", secret[1:], secret + "A", "wbt_" + secret[4:], secret[:len(secret)-1] + "!", made.ID, oauth.NewOpaque(SharePrefix), strings.Repeat("a", 1<<20)} {
			if got, err := s.Find(t.Context(), bad); !errors.Is(err, ErrShare) || got.ID != "" {
				t.Errorf("%.60s: %+v, %v", bad, got, err)
			}
		}
		mustHide(t, got, secret)
	})
}

// TestNoSecretIsInTheDatabase reads what somebody with the database could.
func TestNoSecretIsInTheDatabase(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := newShares(t, db)
		n := openToAll(annasShare())
		n.Password = "correct horse"
		secret, _ := mustMake(t, s, n)
		cookie, _, err := s.Enter(t.Context(), secret, n.Password, "Ben", "", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		var seen []byte
		for _, query := range []string{`SELECT hash, secret, password FROM access_share`, `SELECT hash, '', name FROM access_guest`} {
			var hash, sealed []byte
			var text string
			if err := db.Read().QueryRow(t.Context(), query).Scan(&hash, &sealed, &text); err != nil {
				t.Fatal(err)
			}
			seen = append(append(append(seen, hash...), sealed...), text...)
		}
		for _, hidden := range []string{secret[4:], n.Password, cookie} {
			if strings.Contains(string(seen), hidden) {
				t.Errorf("%q is in a row", hidden)
			}
		}
	})
}

func TestOnlyItsMakerSeesALinkAgain(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := newShares(t, db)
		secret, made := mustMake(t, s, annasShare())
		if got, err := s.Secret(t.Context(), made.ID, anna.Key()); err != nil || got != secret {
			t.Errorf("%q, %v", got, err)
		}
		for who, key := range map[string]string{"bert": bert.Key(), "nobody": ""} {
			if got, err := s.Secret(t.Context(), made.ID, key); !errors.Is(err, ErrShare) || got != "" {
				t.Errorf("%s: %q, %v", who, got, err)
			}
		}
		other, err := oauth.NewSealer([]byte("another key of thirty-two bytes.."[:32]))
		if err != nil {
			t.Fatal(err)
		}
		s.sealer = other
		if got, err := s.Secret(t.Context(), made.ID, anna.Key()); !errors.Is(err, ErrShare) || got != "" {
			t.Errorf("after a change of the secret key: %q, %v", got, err)
		}
		if _, err := s.Find(t.Context(), secret); err != nil {
			t.Errorf("the link itself: %v", err)
		}
	})
}

func TestAStandingLinkIsMadeOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := newShares(t, db)
		var all sync.WaitGroup
		secrets := make([]string, 8)
		for i := range secrets {
			all.Go(func() {
				var err error
				if secrets[i], err = s.Standing(t.Context(), annasShare()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		slices.Sort(secrets)
		if got := slices.Compact(secrets); len(got) != 1 {
			t.Fatalf("%d links", len(got))
		}
		view := annasShare()
		view.Rights = View
		berts := annasShare()
		berts.Maker = bert
		other := annasShare()
		other.Resource = file1
		for _, n := range []NewShare{view, berts, other} {
			if got, err := s.Standing(t.Context(), n); err != nil || got == secrets[0] {
				t.Errorf("%+v: %q, %v", n, got, err)
			}
		}
		if list, err := s.List(t.Context(), ShareList{Maker: anna.Key(), Limit: 10}); err != nil || len(list) != 3 {
			t.Errorf("%d rows of anna's, %v", len(list), err)
		}
		found, err := s.Find(t.Context(), secrets[0])
		if err != nil || found.Anonymous {
			t.Fatalf("%+v, %v", found, err)
		}
		if err := s.Revoke(t.Context(), found.ID, anna.Key()); err != nil {
			t.Fatal(err)
		}
		if again, err := s.Standing(t.Context(), annasShare()); err != nil || again == secrets[0] {
			t.Errorf("after it was revoked: %q, %v", again, err)
		}
		if s.sealer, err = oauth.NewSealer([]byte("another key of thirty-two bytes.."[:32])); err != nil {
			t.Fatal(err)
		}
		again, err := s.Standing(t.Context(), view)
		if err != nil {
			t.Fatalf("after a change of the secret key: %v", err)
		}
		if once, err := s.Standing(t.Context(), view); err != nil || once != again {
			t.Errorf("and then: %q, %q, %v", again, once, err)
		}
	})
}

// TestStandingIsNeverAnonymous: what an editor asks for needs a sign-in, whatever is asked.
func TestStandingIsNeverAnonymous(t *testing.T) {
	s := newShares(t, sqldbtest.New(t))
	n := openToAll(annasShare())
	n.Life = time.Hour
	secret, err := s.Standing(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find(t.Context(), secret); err != nil || got.Anonymous || !got.Expires.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, _, err := s.Enter(t.Context(), secret, "", "", "", "192.0.2.1"); !errors.Is(err, ErrShare) {
		t.Errorf("entered without an account: %v", err)
	}
}

func TestLinksEnd(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newShares(t, db)
		n := annasShare()
		n.Life = 24 * time.Hour
		secret, made := mustMake(t, s, n)
		forever, other := mustMake(t, s, annasShare())
		over := func(what, secret string) {
			t.Helper()
			if _, err := s.Find(t.Context(), secret); !errors.Is(err, ErrShareOver) {
				t.Errorf("%s: %v", what, err)
			}
		}
		c.add(24*time.Hour - time.Millisecond)
		if _, err := s.Find(t.Context(), secret); err != nil {
			t.Error(err)
		}
		c.add(time.Millisecond)
		over("its time is over", secret)
		if err := s.Revoke(t.Context(), other.ID, bert.Key()); !errors.Is(err, ErrShare) {
			t.Errorf("revoked by somebody else: %v", err)
		}
		if _, err := s.Find(t.Context(), forever); err != nil {
			t.Error(err)
		}
		if err := s.Revoke(t.Context(), other.ID, ""); err != nil {
			t.Errorf("revoked by an administrator: %v", err)
		}
		over("revoked", forever)
		if err := s.Revoke(t.Context(), other.ID, anna.Key()); err != nil {
			t.Errorf("revoked twice: %v", err)
		}
		if err := s.Revoke(t.Context(), oauth.NewID(), ""); !errors.Is(err, ErrShare) {
			t.Errorf("revoked what is not there: %v", err)
		}
		if list, err := s.List(t.Context(), ShareList{Limit: 10}); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
		c.add(deadShareKept)
		if err := s.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), made.ID); !errors.Is(err, ErrShare) {
			t.Errorf("a month later: %v", err)
		}
	})
}

func TestWhatIsNoLink(t *testing.T) {
	s := newShares(t, sqldbtest.New(t))
	guest := Guest{ID: oauth.NewID(), Name: "x"}.Principal()
	for what, change := range map[string]func(*NewShare){
		"no maker":               func(n *NewShare) { n.Maker = oauth.Principal{} },
		"a guest's":              func(n *NewShare) { n.Maker = guest },
		"no resource":            func(n *NewShare) { n.Resource = "../etc" },
		"no upstream":            func(n *NewShare) { n.Upstream = "" },
		"no rights":              func(n *NewShare) { n.Rights = 0 },
		"more than all rights":   func(n *NewShare) { n.Rights = Edit + 1 },
		"over already":           func(n *NewShare) { n.Life = -1 },
		"a password besides":     func(n *NewShare) { n.Password = "long enough" },
		"a short password":       func(n *NewShare) { n.Anonymous, n.Password = true, "short" },
		"an endless password":    func(n *NewShare) { n.Anonymous, n.Password = true, strings.Repeat("a", maxSharePassword+1) },
		"a password of controls": func(n *NewShare) { n.Anonymous, n.Password = true, "abc\x00defg" },
	} {
		n := annasShare()
		change(&n)
		if secret, _, err := s.Make(t.Context(), n); !errors.Is(err, ErrGrant) || secret != "" {
			t.Errorf("%s: %q, %v", what, secret, err)
		}
	}
	s.Anonymous = false
	if _, _, err := s.Make(t.Context(), openToAll(annasShare())); !errors.Is(err, ErrGrant) {
		t.Errorf("anonymous links are switched off: %v", err)
	}
}

func TestAPersonHasOnlySoManyLinks(t *testing.T) {
	db := sqldbtest.New(t)
	c := setClock(db)
	s := newShares(t, db)
	n := annasShare()
	n.Life = time.Hour
	_, made, err := s.Make(t.Context(), n)
	err = errors.Join(err, db.Write(t.Context(), func(tx sqldb.Queryer) error {
		for range MaxShares - 1 {
			if _, _, err := s.insert(t.Context(), tx, n, "", nil); err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Make(t.Context(), n); !errors.Is(err, ErrManyShares) {
		t.Errorf("one more: %v", err)
	}
	berts := n
	berts.Maker = bert
	mustMake(t, s, berts)
	if err := s.Revoke(t.Context(), made.ID, ""); err != nil {
		t.Fatal(err)
	}
	mustMake(t, s, n)
	c.add(2 * time.Hour)
	mustMake(t, s, n)
}

func TestListSaysWhatIsAsked(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newShares(t, db)
		ids := map[string]string{}
		for i, n := range []NewShare{
			{Resource: file1, Maker: anna}, {Resource: file2, Maker: anna}, {Resource: file1, Maker: bert},
		} {
			n.Space, n.Upstream, n.Rights = 7, "main", View
			_, made := mustMake(t, s, n)
			ids[made.ID] = fmt.Sprint(i)
			c.add(time.Second)
		}
		for want, of := range map[string]ShareList{
			"210": {Limit: 10}, "21": {Limit: 2}, "10": {Maker: anna.Key(), Limit: 10}, "20": {Resource: file1, Limit: 10}, "0": {Resource: file1, Maker: anna.Key(), Limit: 10},
		} {
			list, err := s.List(t.Context(), of)
			got := ""
			for _, sh := range list {
				got += ids[sh.ID]
			}
			if err != nil || got != want {
				t.Errorf("%+v: %q, %v", of, got, err)
			}
		}
	})
}

// shared is a grant that was made through a link.
func shared(sh Share, p oauth.Principal, session string) Grant {
	return Grant{File: file1, Space: 7, Upstream: "main", Principal: p, Session: session, Rights: Edit, Scope: folder, Share: sh.ID}
}

// TestGrantsEndWithTheirLink: at once, reprieve or not, derived or not.
func TestGrantsEndWithTheirLink(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		for _, end := range []string{"revoked", "expired", "switched off", "no links at all"} {
			t.Run(end, func(t *testing.T) {
				c := setClock(db)
				s, tokens := newShares(t, db), newTokens(t, db)
				tokens.Shares = s
				n := openToAll(annasShare())
				n.Life = 5 * time.Hour
				secret, made := mustMake(t, s, n)
				_, guest, err := s.Enter(t.Context(), secret, "", "Ben", "", "192.0.2.1")
				if err != nil {
					t.Fatal(err)
				}
				grant := shared(made, guest.Principal(), guest.ID)
				grant.Expires = made.Expires // so that an editing would get a reprieve
				token, g, err := tokens.Mint(t.Context(), grant)
				if err != nil {
					t.Fatal(err)
				}
				derived := tokens.Derive(g, file2)
				bytes, err := tokens.DeriveFileURL(t.Context(), g, 1)
				if err != nil {
					t.Fatal(err)
				}
				opens := func() (errs []error) {
					got, err := tokens.Open(t.Context(), token, file1)
					if err == nil && (got.Behind.Key() != anna.Key() || !got.Guest() || got.Share != made.ID) {
						t.Errorf("%+v", got)
					}
					errs = append(errs, err)
					_, err = tokens.Open(t.Context(), derived, file2)
					errs = append(errs, err)
					_, _, err = tokens.OpenFileURL(t.Context(), bytes, file1)
					return append(errs, err)
				}
				if err := errors.Join(opens()...); err != nil {
					t.Fatal(err)
				}
				c.add(4 * time.Minute)
				members := map[string]time.Time{g.Member(): c.Now().Add(8 * time.Hour), g.ID + ":" + string(file2): c.Now().Add(8 * time.Hour)}
				switch end {
				case "revoked":
					err = s.Revoke(t.Context(), made.ID, "")
				case "expired":
					c.add(5 * time.Hour)
				case "switched off":
					s.Anonymous = false
				case "no links at all":
					tokens.Shares = nil
				}
				if err := errors.Join(err, tokens.Keep(t.Context(), members)); err != nil {
					t.Fatal(err)
				}
				for i, err := range opens() {
					if !errors.Is(err, ErrToken) && !(i == 2 && errors.Is(err, ErrExpired)) {
						t.Errorf("token %d still opens: %v", i, err)
					}
				}
			})
		}
	})
}

// TestALinkIsACeiling: a grant never has more than its link, and none is of the other kind.
func TestALinkIsACeiling(t *testing.T) {
	db := sqldbtest.New(t)
	s, tokens := newShares(t, db), newTokens(t, db)
	tokens.Shares = s
	n := annasShare()
	n.Rights = View
	_, made := mustMake(t, s, n)
	token, _, err := tokens.Mint(t.Context(), shared(made, bert, "session"))
	if err != nil {
		t.Fatal(err)
	}
	if g, err := tokens.Open(t.Context(), token, file1); err != nil || g.Rights != View || g.Guest() || g.Behind.Subject != "" {
		t.Errorf("%+v, %v", g, err)
	}
	guest := Guest{ID: oauth.NewID()}
	if token, _, err = tokens.Mint(t.Context(), shared(made, guest.Principal(), guest.ID)); err != nil {
		t.Fatal(err)
	}
	if g, err := tokens.Open(t.Context(), token, file1); !errors.Is(err, ErrToken) {
		t.Errorf("a guest by a link for people who sign in: %+v, %v", g, err)
	}
	for what, change := range map[string]func(*Grant){
		"a guest without a link": func(g *Grant) { g.Share, g.Principal = "", guest.Principal() },
		"a link without a scope": func(g *Grant) { g.Scope = "" },
		"not a link's ID":        func(g *Grant) { g.Share = "x" },
	} {
		g := shared(made, bert, "session")
		change(&g)
		if token, _, err := tokens.Mint(t.Context(), g); !errors.Is(err, ErrGrant) || token != "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestTheMakerIsThatOfNow: who has lost a group takes what it gave from their guests, too.
func TestTheMakerIsThatOfNow(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		setClock(db)
		s := newShares(t, db)
		secret, _ := mustMake(t, s, openToAll(annasShare()))
		bertsSecret, _ := mustMake(t, s, NewShare{Resource: folder, Space: 7, Upstream: "main", Rights: Edit, Maker: bert})
		rules := Rules{{Who: []string{"*"}, Rights: View}, {Who: []string{"group:staff", "group:guests"}, Rights: Edit}}
		may := func() Rights {
			t.Helper()
			sh, err := s.Find(t.Context(), secret)
			if err != nil {
				t.Fatal(err)
			}
			return rules.AllowsGrant(Grant{Upstream: "main", Principal: AnyGuest(), Behind: sh.Maker}, "/a")
		}
		if got := may(); got != Edit {
			t.Fatalf("at first: %v", got)
		}
		now := anna
		now.Groups = nil
		for range 2 {
			if err := s.SignedIn(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
		if got := may(); got != View {
			t.Errorf("out of the group: %v", got)
		}
		if sh, err := s.Find(t.Context(), bertsSecret); err != nil || sh.Maker.Key() != bert.Key() {
			t.Errorf("another's link: %+v, %v", sh.Maker, err)
		}
	})
}

func TestRulesBoundGuestsByWhoeverLetThemIn(t *testing.T) {
	rules := Rules{
		{Who: []string{"*"}, Rights: 0},
		{Who: []string{"anna"}, Rights: Edit},
		{Who: []string{"anna"}, Path: "/read", Rights: View},
		{Who: []string{"group:guests"}, Path: "/read", Rights: Edit},
		{Who: []string{"group:guests"}, Path: "/open", Rights: Edit},
		{Who: []string{"group:guests"}, Path: "/look", Rights: View},
		{Who: []string{"anna"}, Path: "/open/no", Rights: 0},
	}
	guest := Guest{ID: oauth.NewID(), Name: "anna"}.Principal()
	g := Grant{Upstream: "main", Principal: guest, Behind: anna}
	for path, want := range map[string]Rights{
		"/": 0, "/secret": 0, "/open": Edit, "/open/a": Edit, "/look/a": View, "/read/a": View, "/open/no/a": 0,
	} {
		if got := rules.AllowsGrant(g, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if got := rules.AllowsGrantBelow(g, "/open"); got != 0 {
		t.Errorf("all of /open: %v", got)
	}
	g.Behind = bert // who may nothing
	if got := rules.AllowsGrant(g, "/open"); got != 0 {
		t.Errorf("more than whoever made the link: %v", got)
	}
	if got := rules.AllowsGrant(Grant{Upstream: "main", Principal: anna}, "/secret"); got != Edit {
		t.Errorf("of a person with an account: %v", got)
	}
	if got := (Rules{}).AllowsGrant(g, "/a"); got != Edit {
		t.Errorf("without rules: %v", got)
	}
	if len(rules.Entrances(AnyGuest(), "main")) != 3 {
		t.Errorf("any guest enters at %v", rules.Entrances(AnyGuest(), "main"))
	}
}
