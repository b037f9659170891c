package access

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

func annasTicket() Ticket {
	return Ticket{Principal: anna, File: file1, Space: 7, Upstream: "main", Mode: "edit", Editor: "https://office.test/", Scope: folder, Rights: Edit}
}

func TestTickets(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		tickets, err := NewTickets(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		sell := func(ttl time.Duration) string {
			secret, err := tickets.Make(t.Context(), annasTicket(), ttl)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		refused := func(what, secret string) {
			t.Helper()
			if got, err := tickets.Redeem(t.Context(), secret); !errors.Is(err, ErrToken) || got.File != "" {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
		}
		secret := sell(0)
		if !regexp.MustCompile(`^wbt_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
			t.Errorf("form of %s", secret)
		}
		for _, bad := range []string{"", secret + "a", secret[1:], "wbw_" + secret[4:], strings.Repeat("a", 1<<20)} {
			refused("not a ticket", bad)
		}
		c.add(DefaultTicketTTL - time.Millisecond)
		if got, err := tickets.Redeem(t.Context(), secret); err != nil || !reflect.DeepEqual(got, annasTicket()) {
			t.Errorf("%+v, %v", got, err)
		}
		refused("used", secret)
		late, long := sell(0), sell(1<<62)
		c.add(DefaultTicketTTL)
		refused("after 60 s", late)
		c.add(MaxTicketTTL - DefaultTicketTTL)
		refused("for ever", long)
		if err := tickets.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM access_ticket`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows after cleaning, %v", n, err)
		}
		// No secret of one kind is good for another.
		tokens := newTokens(t, db)
		mustRefuse(t, tokens, sell(0), file1, ErrToken)
		token, _ := mint(t, tokens, annasGrant())
		refused("an access token", token)
	})
}

func TestTicketIsRedeemedOnceByManyAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		tickets, err := NewTickets(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := tickets.Make(t.Context(), annasTicket(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var won, lost atomic.Int64
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				switch _, err := tickets.Redeem(t.Context(), secret); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, ErrToken):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
	})
}

func TestTicketsRefuse(t *testing.T) {
	tickets, err := NewTickets(t.Context(), sqldbtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Ticket){
		"nobody":       func(k *Ticket) { k.Principal = oauth.Principal{} },
		"no file":      func(k *Ticket) { k.File = "" },
		"no upstream":  func(k *Ticket) { k.Upstream = "" },
		"no rights":    func(k *Ticket) { k.Rights = 0 },
		"unknown mode": func(k *Ticket) { k.Mode = "own" },
		"no mode":      func(k *Ticket) { k.Mode = "" },
		"bad scope":    func(k *Ticket) { k.Scope = "/" },
	} {
		k := annasTicket()
		change(&k)
		if _, err := tickets.Make(t.Context(), k, 0); !errors.Is(err, ErrGrant) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
