package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

// A tokenHouse is a sign-in provider that gives out tokens t1, t2 and so on for refresh tokens, and a WebDAV server that
// takes the latest only.
type tokenHouse struct {
	latest atomic.Int64
	asked  atomic.Int64
	refuse atomic.Bool // no more tokens
	down   atomic.Bool
}

func (h *tokenHouse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	self := "http://" + r.Host
	reply := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch {
	case r.URL.Path == "/.well-known/openid-configuration":
		reply(200, map[string]any{"issuer": self, "authorization_endpoint": self + "/a", "token_endpoint": self + "/token", "jwks_uri": self + "/keys"})
	case r.URL.Path == "/token" && h.down.Load():
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/token" && h.refuse.Load():
		reply(400, map[string]any{"error": "invalid_grant"})
	case r.URL.Path == "/token":
		h.asked.Add(1)
		reply(200, map[string]any{"access_token": fmt.Sprint("t", h.latest.Add(1)), "refresh_token": "r", "token_type": "Bearer", "expires_in": 3600})
	case r.Header.Get("Authorization") != fmt.Sprint("Bearer t", h.latest.Load()):
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestBearerUpstream: the upstream sees each person's own token, renewed when it refuses it; a pinned credential goes on
// after that; without tokens the person signs in again; a provider that is down is an outage.
func TestBearerUpstream(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		u, _ := newUpstreams(t, db)
		house := new(tokenHouse)
		server := httptest.NewServer(house)
		t.Cleanup(server.Close)
		base, err := url.Parse(server.URL + "/dav/")
		if err != nil {
			t.Fatal(err)
		}
		client := &davbackend.Client{Base: base}
		t.Cleanup(client.CloseIdle)
		u.List = append(u.List, &Upstream{Name: "cloud", Client: client, Bearer: true})
		o := &oauth.OIDC{Provider: &oauth.Provider{Issuer: server.URL}, ClientID: "davwopi"}
		if err := o.Open(t.Context(), db, u.Sealer); err != nil {
			t.Fatal(err)
		}
		if u.People, err = oauth.NewProviderTokens(t.Context(), db, u.Sealer, o); err != nil {
			t.Fatal(err)
		}
		if _, err := u.View(t.Context(), "cloud", anna); !errors.Is(err, ErrNeedsSignIn) {
			t.Errorf("nothing is kept: %v", err)
		}
		if _, err := u.Pin(t.Context(), "cloud", anna); !errors.Is(err, ErrNeedsSignIn) {
			t.Errorf("nothing to pin: %v", err)
		}
		keep := oauth.Tokens{Access: "t0", Refresh: "r", Expires: time.Now().Add(24 * 365 * time.Hour)}
		if err := u.People.Put(t.Context(), anna.Key(), keep); err != nil {
			t.Fatal(err)
		}
		look := func(v *davbackend.View, err error) error {
			t.Helper()
			if err != nil {
				return err
			}
			_, err = v.Stat(t.Context(), "/x")
			return err
		}
		if err := look(u.View(t.Context(), "cloud", anna)); !errors.Is(err, dav.ErrNotFound) || house.asked.Load() != 0 {
			t.Errorf("%v, %d renewals", err, house.asked.Load())
		}
		sealed, err := u.Pin(t.Context(), "cloud", anna)
		if err != nil {
			t.Fatal(err)
		}
		house.latest.Add(1) // the token was revoked
		if err := look(u.View(t.Context(), "cloud", anna)); !errors.Is(err, dav.ErrNotFound) || house.asked.Load() != 1 {
			t.Errorf("%v, %d renewals", err, house.asked.Load())
		}
		if err := look(u.Pinned(t.Context(), "cloud", sealed)); !errors.Is(err, dav.ErrNotFound) || house.asked.Load() != 1 {
			t.Errorf("pinned: %v, %d renewals", err, house.asked.Load())
		}
		if err := look(u.View(t.Context(), "cloud", bert)); !errors.Is(err, ErrNeedsSignIn) {
			t.Errorf("somebody else: %v", err)
		}
		house.latest.Add(1)
		house.down.Store(true)
		if err := look(u.View(t.Context(), "cloud", anna)); !errors.Is(err, dav.ErrUnauthorized) {
			t.Errorf("refused, and the provider is down: %v", err)
		}
		house.down.Store(false)
		house.refuse.Store(true)
		if err := look(u.View(t.Context(), "cloud", anna)); !errors.Is(err, dav.ErrUnauthorized) {
			t.Errorf("refused for good: %v", err)
		}
		for _, err := range []error{look(u.View(t.Context(), "cloud", anna)), look(u.Pinned(t.Context(), "cloud", sealed))} {
			if !errors.Is(err, ErrNeedsSignIn) {
				t.Errorf("after that: %v", err)
			}
		}
	})
}
