package access

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The bounds of guests.
const (
	GuestIdle    = 30 * 24 * time.Hour // a guest who was not seen for so long is a stranger again
	MaxGuestName = 60                  // characters

	maxGuests      = 10_000 // of one link
	guestTouch     = time.Hour
	shareBurst     = 20 // tries at a link's password at once
	shareEvery     = 30 * time.Second
	guestNameFirst = "Guest "
)

// GuestGroup is the group of all guests in access: rules.
const GuestGroup = "guests"

// A Guest is somebody without an account who came by an anonymous link: a row per link and browser.
type Guest struct {
	ID    string // may be shown and stored; as a grant's session it is the guest's
	Share string
	Name  string // what they called themselves, "" nothing
	Made  time.Time
	Used  time.Time // within an hour
}

// Principal is the guest as the rest of the house knows people. No name, chosen as it is, hides that it is a guest's.
func (g Guest) Principal() oauth.Principal {
	name := g.Name
	if name == "" {
		name = strings.ToUpper(g.ID[:min(4, len(g.ID))])
	}
	return oauth.Principal{Issuer: oauth.IssuerShare, Subject: g.ID, Name: guestNameFirst + name, Groups: []string{GuestGroup}}
}

// AnyGuest stands for all guests before rules: some guest with a name that nobody knows.
func AnyGuest() oauth.Principal { return Guest{ID: oauth.NewID()}.Principal() }

// Enter makes a guest of whoever has the secret of an anonymous link and its password, and returns the value of their
// cookie: 43 characters [A-Za-z0-9_-], kept nowhere here. With the cookie of a guest of this link they stay the same
// guest. name is what they call themselves; peer is the address of their browser. It returns
// [ErrShare], [ErrShareOver], [ErrSharePassword], [ErrManyShares] for a link that ten thousand have opened, or a
// [*oauth.TooManyError].
func (s *Shares) Enter(ctx context.Context, secret, password, name, cookie, peer string) (fresh string, g Guest, err error) {
	sh, hash, err := s.find(ctx, secret)
	if err == nil && !sh.Anonymous {
		err = ErrShare
	}
	if err != nil {
		return "", Guest{}, wrap("enter", err)
	}
	now, err := s.db.Now(ctx)
	if err != nil {
		return "", Guest{}, wrap("enter", err)
	}
	if err := s.tryPassword(sh, hash, password, peer, now); err != nil {
		return "", Guest{}, wrap("enter", err)
	}
	name = cleanName(name)
	g, err = s.guest(ctx, sh.ID, cookie, now)
	if err == nil {
		return s.rename(ctx, g, cookie, name, now)
	}
	if !errors.Is(err, ErrShare) {
		return "", Guest{}, wrap("enter", err)
	}
	g = Guest{ID: oauth.NewID(), Share: sh.ID, Name: name, Made: sqldb.FromMillis(sqldb.Millis(now))}
	g.Used = g.Made
	fresh = oauth.NewOpaque("")
	err = s.db.Write(ctx, func(tx sqldb.Queryer) error {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM access_guest WHERE share = ?`, sh.ID).Scan(&n); err != nil {
			return err
		}
		if n >= maxGuests {
			return fmt.Errorf("%w: %d guests", ErrManyShares, n)
		}
		_, err := tx.Exec(ctx, `INSERT INTO access_guest (id, hash, share, name, made, used) VALUES (?, ?, ?, ?, ?, ?)`,
			g.ID, oauth.Hash(fresh), g.Share, g.Name, sqldb.Millis(now), sqldb.Millis(now))
		return err
	})
	if err != nil {
		return "", Guest{}, wrap("enter", err)
	}
	return fresh, g, nil
}

// tryPassword uses up a try. Without a password it bounds how many guests a peer can make.
func (s *Shares) tryPassword(sh Share, hash, password, peer string, now time.Time) error {
	if !sh.Protected {
		return s.tries.Peer(peer, now)
	}
	right, err := s.tries.Take(sh.ID, peer, now)
	if err != nil {
		return err
	}
	if !isPassword(hash, password) {
		return ErrSharePassword
	}
	right()
	return nil
}

// rename is for a guest who comes again by the link.
func (s *Shares) rename(ctx context.Context, g Guest, cookie, name string, now time.Time) (string, Guest, error) {
	if name != "" {
		g.Name = name
	}
	err := s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE access_guest SET name = ?, used = ? WHERE id = ?`, g.Name, sqldb.Millis(now), g.ID)
		return err
	})
	return cookie, g, wrap("enter", err)
}

// Guest returns the guest of the link with that cookie and notes their visit, at most once an hour: then touched is
// true, and the cookie should be set again. It returns [ErrShare] if there is none.
func (s *Shares) Guest(ctx context.Context, share, cookie string) (g Guest, touched bool, err error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return Guest{}, false, wrap("guest", err)
	}
	g, err = s.guest(ctx, share, cookie, now)
	if err != nil || now.Sub(g.Used) < guestTouch {
		return g, false, wrap("guest", err)
	}
	err = s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE access_guest SET used = ? WHERE id = ? AND used = ?`, sqldb.Millis(now), g.ID, sqldb.Millis(g.Used))
		return err
	})
	return g, true, wrap("guest", err)
}

func (s *Shares) guest(ctx context.Context, share, cookie string, now time.Time) (Guest, error) {
	if len(cookie) != oauth.OpaqueLen {
		return Guest{}, ErrShare
	}
	hash := oauth.Hash(cookie)
	var stored []byte
	g, err := scanGuest(s.db.Read().QueryRow(ctx, `SELECT id, share, name, made, used, hash FROM access_guest WHERE hash = ?`, hash), &stored)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (subtle.ConstantTimeCompare(hash, stored) != 1 || g.Share != share || now.Sub(g.Used) >= GuestIdle) {
		return Guest{}, ErrShare
	}
	return g, err
}

func scanGuest(row interface{ Scan(...any) error }, more ...any) (Guest, error) {
	var g Guest
	var made, used int64
	err := row.Scan(append([]any{&g.ID, &g.Share, &g.Name, &made, &used}, more...)...)
	g.Made, g.Used = sqldb.FromMillis(made), sqldb.FromMillis(used)
	return g, err
}

// Guests returns the guests of a link, who came last first, at most limit of them.
func (s *Shares) Guests(ctx context.Context, share string, limit int) ([]Guest, error) {
	rows, err := s.db.Read().Query(ctx, `SELECT id, share, name, made, used FROM access_guest WHERE share = ? ORDER BY used DESC, id LIMIT ?`,
		share, int64(limit))
	if err != nil {
		return nil, wrap("guests", err)
	}
	defer rows.Close()
	var list []Guest
	for rows.Next() {
		g, err := scanGuest(rows)
		if err != nil {
			return nil, wrap("guests", err)
		}
		list = append(list, g)
	}
	return list, wrap("guests", rows.Err())
}

// Leave forgets a guest: their cookie is worth nothing any more. Their tokens end by [Tokens.SignedOut] with the
// guest's ID as the session.
func (s *Shares) Leave(ctx context.Context, guest string) error {
	return wrap("leave", s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM access_guest WHERE id = ?`, guest)
		return err
	}))
}

// cleanName is a name that people gave themselves as one plain line: nothing that turns text round, breaks lines or is
// not seen.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if letters := []rune(name); len(letters) > MaxGuestName {
		name = strings.TrimSpace(string(letters[:MaxGuestName]))
	}
	return name
}
