package oauth

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestLinks(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		l, err := NewLinks(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		mint := func(ttl time.Duration) string {
			secret, err := l.Make(t.Context(), Principal{Subject: "anna", Name: "Anna"}, ttl)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		refused := func(what, secret string) {
			t.Helper()
			if p, err := l.Redeem(t.Context(), secret); !errors.Is(err, ErrLink) || strings.Contains(err.Error(), secret) && secret != "" {
				t.Errorf("%s: %v, %v", what, p, err)
			}
		}
		secret := mint(time.Hour)
		if !regexp.MustCompile(`^wbl_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
			t.Errorf("form of %s", secret)
		}
		for _, bad := range []string{"", "wbl_", secret + "a", secret[:len(secret)-1], secret[4:], "wbx_" + secret[4:], strings.Repeat("a", 1<<20)} {
			refused("not a link", bad)
		}
		p, err := l.Redeem(t.Context(), secret)
		if err != nil || p.Issuer != IssuerLink || p.Subject != "anna" || p.Name != "Anna" {
			t.Errorf("%+v, %v", p, err)
		}
		refused("used", secret)

		late, kept := mint(time.Hour), mint(0)
		c.add(time.Hour)
		refused("expired", late)
		if err := l.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM oauth_link`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d rows after cleaning, %v", n, err)
		}
		if _, err := l.Redeem(t.Context(), kept); err != nil {
			t.Errorf("the default time is too short: %v", err)
		}
		long := mint(1 << 62)
		c.add(MaxLinkTTL)
		refused("for ever", long)
	})
}

func TestLinkIsRedeemedOnceByManyAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l, err := NewLinks(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := l.Make(t.Context(), Principal{Subject: "anna"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		var won, lost atomic.Int64
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				switch _, err := l.Redeem(t.Context(), secret); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, ErrLink):
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

func TestLinkSpeaksForNoOtherIssuer(t *testing.T) {
	l, err := NewLinks(t.Context(), sqldbtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Principal{anna, {Issuer: "https://issuer.test", Subject: "anna"}, {Issuer: IssuerLink}, {}} {
		if _, err := l.Make(t.Context(), p, time.Hour); !errors.Is(err, ErrPrincipal) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
