package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

func TestAGuestIsARowPerLinkAndBrowser(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newShares(t, db)
		secret, made := mustMake(t, s, openToAll(annasShare()))
		other, otherMade := mustMake(t, s, openToAll(annasShare()))
		enter := func(secret, name, cookie string) (string, Guest) {
			t.Helper()
			cookie, g, err := s.Enter(t.Context(), secret, "", name, cookie, "192.0.2.1:4711")
			if err != nil {
				t.Fatal(err)
			}
			return cookie, g
		}
		cookie, ben := enter(secret, "Ben", "")
		if again, g := enter(secret, "", cookie); again != cookie || g.ID != ben.ID || g.Name != "Ben" {
			t.Errorf("the same browser again: %+v", g)
		}
		if _, g := enter(secret, "Benjamin", cookie); g.ID != ben.ID || g.Name != "Benjamin" {
			t.Errorf("under another name: %+v", g)
		}
		if fresh, g := enter(secret, "Ben", ""); fresh == cookie || g.ID == ben.ID {
			t.Errorf("another browser: %+v", g)
		}
		if fresh, g := enter(other, "", cookie); fresh == cookie || g.ID == ben.ID || g.Share != otherMade.ID {
			t.Errorf("another link: %+v", g)
		}
		planted := strings.Repeat("A", oauth.OpaqueLen)
		if fresh, _ := enter(secret, "", planted); fresh == planted {
			t.Error("a cookie that was planted became a guest's")
		}
		got, touched, err := s.Guest(t.Context(), made.ID, cookie)
		if err != nil || touched || got.Name != "Benjamin" || got.Principal().UserID() != ben.Principal().UserID() {
			t.Errorf("%+v, %v, %v", got, touched, err)
		}
		for what, ask := range map[string][2]string{"of another link": {otherMade.ID, cookie}, "without a cookie": {made.ID, ""}, "of nobody": {made.ID, planted}} {
			if g, _, err := s.Guest(t.Context(), ask[0], ask[1]); !errors.Is(err, ErrShare) || g.ID != "" {
				t.Errorf("%s: %+v, %v", what, g, err)
			}
		}
		c.add(guestTouch)
		if _, touched, err := s.Guest(t.Context(), made.ID, cookie); err != nil || !touched {
			t.Errorf("an hour later: %v, %v", touched, err)
		}
		c.add(GuestIdle - guestTouch)
		if err := s.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, touched, err := s.Guest(t.Context(), made.ID, cookie); err != nil || !touched {
			t.Errorf("seen within a month: %v, %v", touched, err)
		}
		if list, err := s.Guests(t.Context(), made.ID, 10); err != nil || len(list) != 1 || list[0].ID != ben.ID {
			t.Errorf("others were not seen: %+v, %v", list, err)
		}
		if err := s.Leave(t.Context(), ben.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Guest(t.Context(), made.ID, cookie); !errors.Is(err, ErrShare) {
			t.Errorf("after leaving: %v", err)
		}
	})
}

func TestAGuestWhoDoesNotComeBackIsForgotten(t *testing.T) {
	db := sqldbtest.New(t)
	c := setClock(db)
	s := newShares(t, db)
	secret, made := mustMake(t, s, openToAll(annasShare()))
	cookie, _, err := s.Enter(t.Context(), secret, "", "Ben", "", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	c.add(GuestIdle)
	if _, _, err := s.Guest(t.Context(), made.ID, cookie); !errors.Is(err, ErrShare) {
		t.Errorf("%v", err)
	}
}

func TestTheNamesOfGuests(t *testing.T) {
	for given, want := range map[string]string{
		"Ben":                          "Guest Ben",
		"  Oma \t Jürgens\r\n ":        "Guest Oma Jürgens",
		"<b>Eve</b>":                   "Guest <b>Eve</b>",
		"\u202eevil\u2066 \u200bx\x00": "Guest evil x",
		"\xff\xfeB":                    "Guest B",
		strings.Repeat("ä", 500):       "Guest " + strings.Repeat("ä", MaxGuestName),
		"":                             "Guest AAAA",
		"\u200b":                       "Guest AAAA",
	} {
		g := Guest{ID: strings.Repeat("a", oauth.IDLen), Name: cleanName(given)}
		p := g.Principal()
		if p.Name != want {
			t.Errorf("%q is shown as %q, want %q", given, p.Name, want)
		}
		if err := p.Check(); err != nil {
			t.Errorf("%q: %v", given, err)
		}
	}
}

func TestPasswordsOfLinks(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newShares(t, db)
		n := openToAll(annasShare())
		n.Password = "correct horse"
		secret, made := mustMake(t, s, n)
		if !made.Protected {
			t.Error("the row does not say so")
		}
		from := 0
		enter := func(password string) error {
			from++
			_, g, err := s.Enter(t.Context(), secret, password, "", "", fmt.Sprintf("192.0.2.%d", from%250))
			if err != nil && g.ID != "" {
				t.Errorf("a guest besides the error: %+v", g)
			}
			return err
		}
		for range 3 * shareBurst { // who knows it is not kept out by others who know it
			if err := enter(n.Password); err != nil {
				t.Fatal(err)
			}
		}
		for i := range shareBurst {
			wrong := []string{"", "correct hors", "correct horse ", "Correct horse"}[i%4]
			if err := enter(wrong); !errors.Is(err, ErrSharePassword) {
				t.Fatalf("%q: %v", wrong, err)
			}
		}
		var many *oauth.TooManyError
		if err := enter(n.Password); !errors.As(err, &many) || many.RetryAfter > shareEvery {
			t.Errorf("after %d wrong ones: %v", shareBurst, err)
		}
		c.add(shareEvery)
		if err := enter(n.Password); err != nil {
			t.Errorf("half a minute later: %v", err)
		}
		list, err := s.Guests(t.Context(), made.ID, 1000)
		if err != nil || len(list) != 3*shareBurst+1 {
			t.Errorf("%d guests, %v", len(list), err)
		}
	})
}

// TestOnePeerMakesOnlySoManyGuests: the door of a link without a password does not stand wide open either.
func TestOnePeerMakesOnlySoManyGuests(t *testing.T) {
	db := sqldbtest.New(t)
	setClock(db)
	s := newShares(t, db)
	secret, _ := mustMake(t, s, openToAll(annasShare()))
	var many *oauth.TooManyError
	for i := range 1000 {
		if _, _, err := s.Enter(t.Context(), secret, "", "", "", "192.0.2.1"); err != nil {
			if !errors.As(err, &many) || i < 20 {
				t.Errorf("guest %d: %v", i, err)
			}
			return
		}
	}
	t.Error("a thousand guests at once from one peer")
}

func TestGuestsOfALinkThatIsOver(t *testing.T) {
	db := sqldbtest.New(t)
	setClock(db)
	s := newShares(t, db)
	n := openToAll(annasShare())
	n.Password = "correct horse"
	secret, made := mustMake(t, s, n)
	if err := s.Revoke(t.Context(), made.ID, ""); err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"", "wrong", n.Password} {
		if _, _, err := s.Enter(t.Context(), secret, password, "", "", "192.0.2.1"); !errors.Is(err, ErrShareOver) {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, _, err := s.Enter(t.Context(), oauth.NewOpaque(SharePrefix), "", "", "", "192.0.2.1"); !errors.Is(err, ErrShare) {
		t.Errorf("a guess: %v", err)
	}
}

func TestPasswordHash(t *testing.T) {
	hash, err := hashPassword("correct horse", passwordRounds)
	if err != nil {
		t.Fatal(err)
	}
	if !isPassword(hash, "correct horse") || isPassword(hash, "correct horsf") || isPassword(hash, "") {
		t.Error(hash)
	}
	if again, _ := hashPassword("correct horse", 1); again == hash || !strings.HasPrefix(hash, "pbkdf2-sha256$600000$") {
		t.Errorf("%s, %s", hash, again)
	}
	// RFC 7914, section 11: "passwd", "salt", 1 round; the first 32 bytes.
	const vector = "pbkdf2-sha256$1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw"
	if !isPassword(vector, "passwd") {
		t.Error("not the standard's PBKDF2")
	}
	for _, bad := range []string{"", "x", "pbkdf2-sha256$0$c2FsdA$", "pbkdf2-sha256$1$c2FsdA$", "bcrypt$1$c2FsdA$VawEbg", "pbkdf2-sha256$x$c2FsdA$VawEbg", "pbkdf2-sha256$1$!$!"} {
		if isPassword(bad, "passwd") {
			t.Errorf("%q", bad)
		}
	}
}
