package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

func TestSignedOut(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		tokens := newTokens(t, db)
		member, g := mint(t, tokens, annasGrant())
		idle, idleGrant := mint(t, tokens, annasGrant())
		view := annasGrant()
		view.Rights = View
		reader, readerGrant := mint(t, tokens, view)
		elsewhere := annasGrant()
		elsewhere.Session = "session2"
		other, otherGrant := mint(t, tokens, elsewhere)
		without := annasGrant()
		without.Session = ""
		api, _ := mint(t, tokens, without)
		editing, bystander := tokens.Derive(idleGrant, file2), tokens.Derive(g, file2)

		until, later := c.Now().Add(30*time.Minute), c.Now().Add(40*time.Minute)
		err := tokens.SignedOut(t.Context(), "session1", map[string]time.Time{
			g.Member():           until,
			readerGrant.Member(): until,
			mustOpen(t, tokens, editing, file2).Member(): later,
			otherGrant.Member():                          until,
			oauth.NewID():                                until, // died meanwhile
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := mustOpen(t, tokens, member, file1); !got.SaveOnly || !got.Expires.Equal(until) || got.Rights != Edit || got.Principal.Key() != anna.Key() {
			t.Errorf("a member: %+v", got)
		}
		if got := mustOpen(t, tokens, editing, file2); !got.SaveOnly || !got.Expires.Equal(later) || !got.Derived {
			t.Errorf("a derived member: %+v", got)
		}
		mustRefuse(t, tokens, idle, file1, ErrToken)      // its derived token is a member, it is not
		mustRefuse(t, tokens, bystander, file2, ErrToken) // its parent is a member, it is not
		mustRefuse(t, tokens, reader, file1, ErrToken)    // it has nothing to save
		for what, token := range map[string]string{"another session": other, "no session": api} {
			if got := mustOpen(t, tokens, token, file1); got.SaveOnly {
				t.Errorf("%s is save-only", what)
			}
		}
		if _, _, err := tokens.Mint(t.Context(), annasGrant()); !errors.Is(err, ErrExpired) {
			t.Errorf("minted after sign-out: %v", err)
		}
		c.add(30 * time.Minute)
		mustRefuse(t, tokens, member, file1, ErrExpired)
		mustOpen(t, tokens, editing, file2)
		c.add(10 * time.Minute)
		mustRefuse(t, tokens, editing, file2, ErrExpired)
	})
}

func TestSignedOutOfNoSession(t *testing.T) {
	tokens := newTokens(t, sqldbtest.New(t))
	without := annasGrant()
	without.Session = ""
	api, _ := mint(t, tokens, without)
	if err := tokens.SignedOut(t.Context(), "", nil); !errors.Is(err, ErrGrant) {
		t.Errorf("all grants of programs would have died: %v", err)
	}
	mustOpen(t, tokens, api, file1)
}

func TestStrangeMembersKeepNobodyFromSigningOut(t *testing.T) {
	db := sqldbtest.New(t)
	c := setClock(db)
	tokens := newTokens(t, db)
	token, g := mint(t, tokens, annasGrant())
	strange := map[string]time.Time{}
	for _, key := range []string{"", "x", ":", g.ID + ":", g.ID + ":x", g.ID + ":" + string(file1) + ":", "\x00"} {
		strange[key] = c.Now().Add(time.Hour)
	}
	if err := tokens.Keep(t.Context(), strange); err != nil {
		t.Error(err)
	}
	if err := tokens.SignedOut(t.Context(), "session1", strange); err != nil {
		t.Error(err)
	}
	mustRefuse(t, tokens, token, file1, ErrToken)
}

func TestKeepMovesTheEnd(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		tokens := newTokens(t, db)
		token, g := mint(t, tokens, annasGrant())
		bystander := tokens.Derive(g, file2)
		in := func(d time.Duration) map[string]time.Time {
			return map[string]time.Time{g.Member(): c.Now().Add(d), g.ID + ":" + string(file2): c.Now().Add(d)}
		}
		if err := tokens.SignedOut(t.Context(), "session1", map[string]time.Time{g.Member(): c.Now().Add(30 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		for range 100 { // a day and more: the editing goes on
			c.add(20 * time.Minute)
			if err := tokens.Keep(t.Context(), in(30*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if err := tokens.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := mustOpen(t, tokens, token, file1); !got.SaveOnly || !got.Expires.Equal(c.Now().Add(30*time.Minute)) {
				t.Fatalf("%+v", got)
			}
			if _, err := tokens.Open(t.Context(), bystander, file2); err == nil {
				t.Fatal("what died came back")
			}
		}
		c.add(30 * time.Minute) // it ended, and nobody keeps it
		mustRefuse(t, tokens, token, file1, ErrExpired)
		c.add(expiredKept)
		if err := tokens.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, tokens, token, file1, ErrToken)
	})
}

func TestExpiryDuringAnEditingLosesNoWork(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		tokens := newTokens(t, db)
		member, g := mint(t, tokens, annasGrant())
		plain, _ := mint(t, tokens, annasGrant())
		view := annasGrant()
		view.Rights = View
		reader, readerGrant := mint(t, tokens, view)
		derived := tokens.Derive(g, file2)
		for c.Now().Before(g.Expires.Add(time.Hour)) {
			until := c.Now().Add(30 * time.Minute)
			err := tokens.Keep(t.Context(), map[string]time.Time{
				g.Member(): until, readerGrant.Member(): until, g.ID + ":" + string(file2): until})
			if err != nil {
				t.Fatal(err)
			}
			for token, file := range map[string]idmap.FileID{member: file1, derived: file2} {
				if got := mustOpen(t, tokens, token, file); got.SaveOnly != !c.Now().Before(g.Expires) {
					t.Fatalf("at %v: %+v", c.Now(), got)
				}
			}
			c.add(10 * time.Minute)
		}
		mustRefuse(t, tokens, plain, file1, ErrExpired)
		mustRefuse(t, tokens, reader, file1, ErrExpired)
	})
}

func TestSignedOutAfterExpiry(t *testing.T) {
	db := sqldbtest.New(t)
	c := setClock(db)
	tokens := newTokens(t, db)
	token, g := mint(t, tokens, annasGrant())
	c.add(DefaultTTL + time.Minute)
	for until, want := range map[time.Time]error{c.Now(): ErrToken, c.Now().Add(-time.Hour): ErrToken} {
		if err := tokens.SignedOut(t.Context(), "session1", map[string]time.Time{g.Member(): until}); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, tokens, token, file1, want) // a time that has passed is no reprieve
	}
}

// modelGrant is what a grant and the two tokens of it, stored and derived, should be worth.
type modelGrant struct {
	token, derived string
	grant          Grant
	signedOut      bool
	dead           bool
	until          map[string]time.Time // by member key
}

func (m *modelGrant) worth(now time.Time, member string) (open, saveOnly bool) {
	switch {
	case m.dead:
		return false, false
	case !m.signedOut && now.Before(m.grant.Expires):
		return true, false
	}
	open = now.Before(m.until[member])
	return open, open
}

type model struct {
	db       *sqldb.DB
	tokens   *Tokens
	clock    *clock
	sessions int
	grants   []*modelGrant
}

// members draws some member keys of all grants, with times before and after now.
func (m *model) members(t *rapid.T) map[string]time.Time {
	members := make(map[string]time.Time)
	for i, g := range m.grants {
		for _, key := range []string{g.grant.ID, g.grant.ID + ":" + string(file2)} {
			if rapid.Bool().Draw(t, fmt.Sprintf("member %d", i)) {
				members[key] = m.clock.Now().Add(time.Duration(rapid.IntRange(-5, 60).Draw(t, "minutes")) * time.Minute)
			}
		}
	}
	return members
}

func (m *model) mint(t *rapid.T) {
	g := annasGrant()
	g.Session = fmt.Sprintf("s%d-%d", m.sessions, rapid.IntRange(0, 1).Draw(t, "session"))
	g.Rights = Rights(rapid.IntRange(1, 2).Draw(t, "rights"))
	g.Expires = m.clock.Now().Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute)
	ended := slices.ContainsFunc(m.grants, func(o *modelGrant) bool { return o.grant.Session == g.Session && o.signedOut })
	token, out, err := m.tokens.Mint(t.Context(), g)
	if ended != errors.Is(err, ErrExpired) || !ended && err != nil {
		t.Fatalf("minting, session ended %v: %v", ended, err)
	}
	if err == nil {
		m.grants = append(m.grants, &modelGrant{token: token, derived: m.tokens.Derive(out, file2), grant: out, until: map[string]time.Time{}})
	}
}

func (m *model) signOut(t *rapid.T) {
	if len(m.grants) == 0 {
		return
	}
	session, members := rapid.SampledFrom(m.grants).Draw(t, "of").grant.Session, m.members(t)
	if err := m.tokens.SignedOut(t.Context(), session, members); err != nil {
		t.Fatal(err)
	}
	for _, g := range m.grants {
		if g.grant.Session != session {
			continue
		}
		g.signedOut, g.until = true, map[string]time.Time{}
		for _, key := range []string{g.grant.ID, g.grant.ID + ":" + string(file2)} {
			if until := members[key]; g.grant.Rights == Edit && m.clock.Now().Before(until) {
				g.until[key] = until
			}
		}
		g.dead = g.dead || len(g.until) == 0
	}
}

func (m *model) keep(t *rapid.T) {
	members := m.members(t)
	if err := m.tokens.Keep(t.Context(), members); err != nil {
		t.Fatal(err)
	}
	for _, g := range m.grants {
		near := !m.clock.Now().Add(keepAhead).Before(g.grant.Expires)
		if g.dead || g.grant.Rights < Edit || !g.signedOut && !near {
			continue
		}
		for _, key := range []string{g.grant.ID, g.grant.ID + ":" + string(file2)} {
			_, had := g.until[key]
			if until, ok := members[key]; ok && (had || !g.signedOut) {
				g.until[key] = until
			}
		}
	}
}

func (m *model) revoke(t *rapid.T) {
	if len(m.grants) == 0 {
		return
	}
	g := rapid.SampledFrom(m.grants).Draw(t, "grant")
	if err := m.tokens.Revoke(t.Context(), g.grant.ID); err != nil {
		t.Fatal(err)
	}
	g.dead = true
}

func (m *model) check(t *rapid.T) {
	for i, g := range m.grants {
		for key, probe := range map[string]struct {
			token string
			file  idmap.FileID
		}{g.grant.ID: {g.token, file1}, g.grant.ID + ":" + string(file2): {g.derived, file2}} {
			open, saveOnly := g.worth(m.clock.Now(), key)
			got, err := m.tokens.Open(t.Context(), probe.token, probe.file)
			if (err == nil) != open || err != nil && !errors.Is(err, ErrToken) && !errors.Is(err, ErrExpired) {
				t.Fatalf("grant %d, %s: %v; should be open: %v", i, probe.file, err, open)
			}
			if open && (got.SaveOnly != saveOnly || saveOnly && !got.Expires.Equal(g.until[key]) || got.Member() != key) {
				t.Fatalf("grant %d, %s: %+v; should be save-only: %v until %v", i, probe.file, got, saveOnly, g.until[key])
			}
		}
	}
}

func TestTokensAreTheirModel(t *testing.T) {
	db := sqldbtest.New(t)
	m := &model{db: db, tokens: newTokens(t, db), clock: setClock(db)}
	actions := map[string]func(*rapid.T){
		"mint": m.mint, "sign out": m.signOut, "keep": m.keep, "revoke": m.revoke, "": m.check,
		"wait": func(t *rapid.T) { m.clock.add(time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes")) * time.Minute) },
		"clean": func(t *rapid.T) {
			if err := m.tokens.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	}
	rapid.Check(t, func(t *rapid.T) {
		m.sessions++
		m.grants = nil
		t.Repeat(maps.Clone(actions))
	})
}
