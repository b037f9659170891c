package oauth

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPrincipalKeyIsUnambiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 8, 16)
		p := Principal{Issuer: text.Draw(t, "issuer"), Subject: text.Draw(t, "subject")}
		q := Principal{Issuer: text.Draw(t, "other issuer"), Subject: text.Draw(t, "other subject")}
		same := p.Issuer == q.Issuer && p.Subject == q.Subject
		if (p.Key() == q.Key()) != same || (p.UserID() == q.UserID()) != same {
			t.Fatalf("%q and %q: keys %s %s", p, q, p.Key(), q.Key())
		}
	})
	for _, pair := range [][2]Principal{
		{{Issuer: "a", Subject: "bc"}, {Issuer: "ab", Subject: "c"}},
		{{Issuer: "a|b", Subject: "c"}, {Issuer: "a", Subject: "b|c"}},
		{{Issuer: "upstream:a", Subject: "b"}, {Issuer: "upstream", Subject: "a:b"}},
	} {
		if pair[0].Key() == pair[1].Key() || pair[0].UserID() == pair[1].UserID() {
			t.Errorf("%v and %v are the same person", pair[0], pair[1])
		}
	}
}

func TestPrincipalKeyIsConstant(t *testing.T) {
	// These are in databases and in documents of people: they never change.
	if got, want := anna.Key(), "azdaz4hpcplcl4htbho4dq4q3nlbcb5ch5etvyqd7iizikuk46pa"; got != want {
		t.Errorf("Key %s, want %s", got, want)
	}
	if got, want := anna.UserID(), "uygv5q4p57re6easjrmf2gjbztm"; got != want {
		t.Errorf("UserID %s, want %s", got, want)
	}
	renamed := Principal{Issuer: anna.Issuer, Subject: anna.Subject, Name: "Anna B."}
	if renamed.Key() != anna.Key() || renamed.UserID() != anna.UserID() {
		t.Error("a new display name made a new person")
	}
	if !regexp.MustCompile(`^[a-z2-7]{52}$`).MatchString(anna.Key()) || !regexp.MustCompile(`^u[a-z2-7]{26}$`).MatchString(anna.UserID()) {
		t.Errorf("forms: %s %s", anna.Key(), anna.UserID())
	}
}

func TestPrincipalCheck(t *testing.T) {
	for _, c := range []struct {
		what string
		p    Principal
		ok   bool
	}{
		{"whole", anna, true},
		{"no name", Principal{Issuer: "a", Subject: "b"}, true},
		{"no issuer", Principal{Subject: "b"}, false},
		{"no subject", Principal{Issuer: "a"}, false},
		{"NUL", Principal{Issuer: "a", Subject: "b\x00"}, false},
		{"line break in a name, which may reach a header", Principal{Issuer: "a", Subject: "b", Name: "x\r\ny"}, false},
		{"not UTF-8", Principal{Issuer: "a", Subject: "\xff"}, false},
		{"long", Principal{Issuer: "a", Subject: strings.Repeat("b", maxPrincipalText+1)}, false},
		{"bad group", Principal{Issuer: "a", Subject: "b", Groups: []string{"\x01"}}, false},
		{"many groups", Principal{Issuer: "a", Subject: "b", Groups: make([]string, maxGroups+1)}, false},
	} {
		err := c.p.Check()
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrPrincipal) {
			t.Errorf("%s: %v", c.what, err)
		}
		text, err := c.p.Encode()
		if (err == nil) != c.ok {
			t.Errorf("%s: encode: %v", c.what, err)
		}
		if !c.ok {
			continue
		}
		if back, err := DecodePrincipal(text); err != nil || back.Key() != c.p.Key() || back.Name != c.p.Name {
			t.Errorf("%s: decoded %v, %v", c.what, back, err)
		}
	}
	for _, text := range []string{"", "{}", "[]", "nil", `{"issuer":"a"}`} {
		if _, err := DecodePrincipal(text); !errors.Is(err, ErrPrincipal) {
			t.Errorf("%q decoded: %v", text, err)
		}
	}
}

func TestRowKeyIsUnambiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringN(0, 4, 8), 0, 4)
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		same := strings.Join(a, "\xff\xff") == strings.Join(b, "\xff\xff") && len(a) == len(b)
		if (RowKey(a...) == RowKey(b...)) != same {
			t.Fatalf("%q and %q", a, b)
		}
	})
}

func TestOpaqueForms(t *testing.T) {
	form := regexp.MustCompile(`^x_[A-Za-z0-9_-]{43}$`)
	seen := map[string]bool{}
	for range 100 {
		secret, id := NewOpaque("x_"), NewID()
		if !form.MatchString(secret) || !IsID(id) || seen[secret] || seen[id] {
			t.Fatalf("%s %s", secret, id)
		}
		seen[secret], seen[id] = true, true
	}
	for _, bad := range []string{"", strings.Repeat("a", 25), strings.Repeat("a", 27), strings.Repeat("A", 26),
		strings.Repeat("a", 25) + "1", strings.Repeat("a", 25) + "8", strings.Repeat("a", 25) + "\x00"} {
		if IsID(bad) {
			t.Errorf("%q is an ID", bad)
		}
	}
}
