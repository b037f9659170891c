package oauth

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/idp"
)

func answering(status int) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/userinfo": func(w http.ResponseWriter, _ *http.Request) {
		if status == http.StatusOK {
			_, _ = w.Write([]byte(`{"sub": "248289761001", "name": "Mira Holt"}`)) // whoever asks sees that it is short
			return
		}
		http.Error(w, "no", status)
	}}
}

// TestGroupsThatCount: where rules take rights from groups, nobody signs in without theirs because the provider could not be
// asked for them at that moment.
func TestGroupsThatCount(t *testing.T) {
	for name, tt := range map[string]struct {
		counts bool
		status int
		want   error
		phone  error // whose token has a scope that somebody chose
	}{
		"no rule speaks of groups":    {false, http.StatusInternalServerError, nil, nil},
		"nor of a token's":            {false, http.StatusForbidden, nil, nil},
		"rules do":                    {true, http.StatusInternalServerError, ErrProvider, ErrProvider},
		"and the provider tells none": {true, http.StatusForbidden, nil, ErrBearer},
		"or of no groups at all":      {true, http.StatusOK, nil, ErrBearer},
	} {
		db := sqldbtest.New(t)
		c := setClock(db)
		p := idp.New(t, c.Now)
		o := signInAt(t, p, db)
		o.Claims.GroupsCount = tt.counts
		p.Set(func() { p.Answer = answering(tt.status) })
		back, cookie := begin(t, p, o)
		in, err := o.Finish(t.Context(), back, cookie)
		if !errors.Is(err, tt.want) || err == nil && len(in.Principal.Groups) > 0 {
			t.Errorf("%s: %+v, %v", name, in.Principal, err)
		}

		// The same on phones, whose tokens hold a name and no groups; or who are asked about at the provider alone.
		asked := bearerOf(p)
		asked.Claims, asked.Method = o.Claims, BearerUserInfo
		want := tt.phone
		if tt.status != http.StatusOK {
			want = map[int]error{http.StatusForbidden: ErrBearer, http.StatusInternalServerError: ErrProvider}[tt.status]
		}
		if _, _, err := asked.Check(t.Context(), "opaque", "192.0.2.1"); !errors.Is(err, want) {
			t.Errorf("%s, asked by userinfo: %v, want %v", name, err, want)
		}
		b := bearerOf(p)
		b.Claims = o.Claims
		token := p.Sign("at+jwt", accessClaims(p, nil))
		p.Set(func() { p.Tokens[token] = map[string]any{"active": true} })
		if _, _, err := b.Check(t.Context(), token, "192.0.2.1"); !errors.Is(err, tt.phone) || errors.Is(err, ErrBearer) != (tt.phone == ErrBearer) {
			t.Errorf("%s, on a phone: %v", name, err)
		}
		p.Set(func() { p.Answer = nil })
		other := bearerOf(p)
		other.Claims = o.Claims
		if who, _, err := other.Check(t.Context(), token, "192.0.2.1"); err != nil || tt.counts && strings.Join(who.Groups, ",") != "staff" {
			t.Errorf("%s, on a phone, later: %v, %v", name, who.Groups, err)
		}
	}
}

// TestGroupsOfNow: who is asked for again has the groups of now.
func TestGroupsOfNow(t *testing.T) {
	db := sqldbtest.New(t)
	c := setClock(db)
	p := idp.New(t, c.Now)
	o := signInAt(t, p, db)
	back, cookie := begin(t, p, o)
	in, err := o.Finish(t.Context(), back, cookie)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := NewProviderTokens(t.Context(), db, testSealer(t), o)
	if err != nil {
		t.Fatal(err)
	}
	mira := in.Principal
	if same, err := kept.Again(t.Context(), mira); err != nil || strings.Join(same.Groups, ",") != "staff" {
		t.Errorf("nothing kept: %v, %v", same.Groups, err)
	}
	in.Tokens.Expires = c.Now().Add(time.Hour)
	if err := kept.Put(t.Context(), mira.Key(), in.Tokens); err != nil {
		t.Fatal(err)
	}
	p.Set(func() { p.Person["groups"] = []string{} })
	if now, err := kept.Again(t.Context(), mira); err != nil || len(now.Groups) > 0 || now.Key() != mira.Key() {
		t.Errorf("%v, %v", now.Groups, err)
	}
	p.Set(func() { p.Answer = answering(http.StatusBadGateway) })
	if _, err := kept.Again(t.Context(), mira); !errors.Is(err, ErrProvider) {
		t.Errorf("not told: %v", err)
	}
}
