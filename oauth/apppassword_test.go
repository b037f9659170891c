package oauth

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestAppPasswords(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		a, err := NewAppPasswords(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		password, made, err := a.Make(t.Context(), anna, "laptop")
		if err != nil || !regexp.MustCompile(`^([a-z2-7]{5}-){4}[a-z2-7]{5}$`).MatchString(password) {
			t.Fatal(password, err)
		}
		if made.Label != "laptop" || !made.Made.Equal(c.Now()) || !made.Used.IsZero() || made.Principal.Key() != anna.Key() {
			t.Errorf("%+v", made)
		}
		mustHide(t, made, password, strings.ReplaceAll(password, "-", ""))
		for _, typed := range []string{password, strings.ToUpper(password), strings.ReplaceAll(password, "-", " "), strings.ReplaceAll(password, "-", "")} {
			got, err := a.Check(t.Context(), typed)
			if err != nil || got.ID != made.ID || got.Principal.Key() != anna.Key() || !got.Used.Equal(c.Now()) {
				t.Errorf("%s: %+v, %v", typed, got, err)
			}
		}
		for _, bad := range []string{"", password[1:], password + "a", "a" + password[1:] + "x", made.ID, strings.Repeat("-", 1<<20), strings.Repeat("a", 25)} {
			if _, err := a.Check(t.Context(), bad); !errors.Is(err, ErrAppPassword) {
				t.Errorf("%.40q: %v", bad, err)
			}
		}
		c.add(time.Minute)
		second, _, err := a.Make(t.Context(), anna, "")
		if err != nil {
			t.Fatal(err)
		}
		list, err := a.List(t.Context(), anna.Key())
		if err != nil || len(list) != 2 || list[0].ID != made.ID || list[0].Label != "laptop" || !list[0].Used.Equal(made.Made) || !list[1].Used.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
		if err := a.Revoke(t.Context(), "somebody else", made.ID); !errors.Is(err, ErrAppPassword) {
			t.Errorf("somebody else revoked it: %v", err)
		}
		if err := a.Revoke(t.Context(), anna.Key(), made.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Check(t.Context(), password); !errors.Is(err, ErrAppPassword) {
			t.Errorf("revoked: %v", err)
		}
		if _, err := a.Check(t.Context(), second); err != nil {
			t.Errorf("the other one: %v", err)
		}
		if err := a.RevokeAll(t.Context(), anna.Key()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Check(t.Context(), second); !errors.Is(err, ErrAppPassword) {
			t.Errorf("all revoked: %v", err)
		}
	})
}

func TestAppPasswordUseIsNotedOnceAnHour(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		a, err := NewAppPasswords(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		password, _, err := a.Make(t.Context(), anna, "laptop")
		if err != nil {
			t.Fatal(err)
		}
		first := c.Now()
		for _, step := range []struct {
			after time.Duration
			want  time.Time
		}{{0, first}, {59 * time.Minute, first}, {time.Minute, first.Add(time.Hour)}} {
			c.add(step.after)
			if got, err := a.Check(t.Context(), password); err != nil || !got.Used.Equal(step.want) {
				t.Errorf("after %v: used %v, %v", step.after, got.Used, err)
			}
			if list, err := a.List(t.Context(), anna.Key()); err != nil || len(list) != 1 || !list[0].Used.Equal(step.want) {
				t.Errorf("after %v: %v, %v", step.after, list, err)
			}
		}
	})
}

func TestAppPasswordsAreBounded(t *testing.T) {
	a, err := NewAppPasswords(t.Context(), sqldbtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range MaxAppPasswords {
		if _, _, err := a.Make(t.Context(), anna, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := a.Make(t.Context(), anna, "one more"); !errors.Is(err, ErrLimit) {
		t.Errorf("one more: %v", err)
	}
	if _, _, err := a.Make(t.Context(), Principal{Issuer: "link", Subject: "bert"}, "his first"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	for what, label := range map[string]string{"long": strings.Repeat("a", maxLabel+1), "two lines": "a\nb"} {
		if _, _, err := a.Make(t.Context(), Principal{Issuer: "link", Subject: "bert"}, label); !errors.Is(err, ErrPrincipal) {
			t.Errorf("label %s: %v", what, err)
		}
	}
}
