package access

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"davwopi/oauth"
)

func TestRules(t *testing.T) {
	twin := oauth.Principal{Issuer: "https://issuer.test", Subject: "0815", Name: "anna"} // calls herself anna
	for _, c := range []struct {
		what     string
		rules    Rules
		p        oauth.Principal
		upstream string
		path     string
		want     Rights
	}{
		{"no rules: everything", nil, anna, "main", "/a", Edit},
		{"no rule speaks: everything", Rules{{Who: []string{"bert"}, Path: "/", Rights: 0}}, anna, "main", "/a", Edit},
		{"* is everybody", Rules{{Who: []string{"*"}, Rights: View}}, anna, "main", "/a", View},
		{"by subject", Rules{{Who: []string{"anna"}, Rights: View}}, anna, "main", "/a", View},
		{"by key", Rules{{Who: []string{anna.Key()}, Rights: View}}, anna, "main", "/a", View},
		{"by group", Rules{{Who: []string{"group:staff"}, Rights: View}}, anna, "main", "/a", View},
		{"a group is not a person of that name", Rules{{Who: []string{"staff"}, Rights: View}}, anna, "main", "/a", Edit},
		{"a person is not a group of that name", Rules{{Who: []string{"group:anna"}, Rights: View}}, anna, "main", "/a", Edit},
		{"nor one who is called like a group", Rules{{Who: []string{"*"}, Rights: 0}, {Who: []string{"group:staff"}, Rights: Edit}}, oauth.Principal{Issuer: "proxy", Subject: "group:staff", Login: "group:staff"}, "main", "/a", 0},
		{"one of several", Rules{{Who: []string{"bert", "anna"}, Rights: View}}, anna, "main", "/a", View},
		{"another upstream", Rules{{Who: []string{"*"}, Upstream: "nas", Rights: View}}, anna, "main", "/a", Edit},
		{"this upstream", Rules{{Who: []string{"*"}, Upstream: "nas", Rights: View}}, anna, "nas", "/a", View},
		{"the subtree itself", Rules{{Who: []string{"*"}, Path: "/a", Rights: 0}}, anna, "main", "/a", 0},
		{"below the subtree", Rules{{Who: []string{"*"}, Path: "/a", Rights: 0}}, anna, "main", "/a/b/c", 0},
		{"above the subtree", Rules{{Who: []string{"*"}, Path: "/a/b", Rights: 0}}, anna, "main", "/a", Edit},
		{"by segments, not by letters", Rules{{Who: []string{"*"}, Path: "/a", Rights: 0}}, anna, "main", "/ab", Edit},
		{"a slash at the end", Rules{{Who: []string{"*"}, Path: "/a/", Rights: 0}}, anna, "main", "/a/b", 0},
		{"the longest path counts, first", Rules{{Who: []string{"*"}, Path: "/a/b", Rights: Edit}, {Who: []string{"*"}, Path: "/", Rights: 0}}, anna, "main", "/a/b/c", Edit},
		{"the longest path counts, last", Rules{{Who: []string{"*"}, Path: "/", Rights: 0}, {Who: []string{"*"}, Path: "/a/b", Rights: Edit}}, anna, "main", "/a/b/c", Edit},
		{"limited to a subtree", Rules{{Who: []string{"*"}, Path: "/", Rights: 0}, {Who: []string{"*"}, Path: "/a/b", Rights: Edit}}, anna, "main", "/a", 0},
		{"a longer path for everybody outweighs a name", Rules{{Who: []string{"anna"}, Path: "/", Rights: Edit}, {Who: []string{"*"}, Path: "/a", Rights: View}}, anna, "main", "/a", View},
		{"a name goes before *", Rules{{Who: []string{"*"}, Rights: View}, {Who: []string{"anna"}, Rights: Edit}}, anna, "main", "/a", Edit},
		{"a group goes before *", Rules{{Who: []string{"*"}, Rights: 0}, {Who: []string{"group:staff"}, Rights: Edit}}, anna, "main", "/a", Edit},
		{"of equals the most restrictive", Rules{{Who: []string{"anna"}, Rights: Edit}, {Who: []string{"group:staff"}, Rights: View}}, anna, "main", "/a", View},
		{"a display name takes away", Rules{{Who: []string{"Anna A."}, Rights: 0}}, anna, "main", "/a", 0},
		{"a display name gives nothing", Rules{{Who: []string{"*"}, Rights: 0}, {Who: []string{"anna"}, Rights: Edit}}, twin, "main", "/a", 0},
		{"nor does one in a longer path", Rules{{Who: []string{"*"}, Rights: View}, {Who: []string{"anna"}, Path: "/a", Rights: Edit}}, twin, "main", "/a", View},
		{"a person who is called *", Rules{{Who: []string{"*"}, Rights: 0}}, oauth.Principal{Issuer: "x", Subject: "*", Name: "*"}, "main", "/", 0},
		{"a path that is not clean", Rules{{Who: []string{"*"}, Path: "/a", Rights: Edit}}, anna, "main", "/a/../b", 0},
		{"a rule that is not clean lets nobody do anything", Rules{{Who: []string{"bert"}, Path: "/a/../b", Rights: View}}, anna, "main", "/c", 0},
		{"rights that there are not", Rules{{Who: []string{"*"}, Rights: 7}}, anna, "main", "/c", 0},
	} {
		if got := c.rules.Allows(c.p, c.upstream, c.path); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestRulesDoNotDependOnTheirOrder(t *testing.T) {
	rule := rapid.Custom(func(t *rapid.T) Rule {
		return Rule{
			Who:    rapid.SliceOfN(rapid.SampledFrom([]string{"*", "anna", "bert", "group:staff", "Anna A."}), 1, 3).Draw(t, "who"),
			Path:   rapid.SampledFrom([]string{"", "/", "/a", "/a/b", "/ab"}).Draw(t, "path"),
			Rights: Rights(rapid.IntRange(0, 2).Draw(t, "rights")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		rules := Rules(rapid.SliceOfN(rule, 1, 6).Draw(t, "rules"))
		path := rapid.SampledFrom([]string{"/", "/a", "/a/b", "/ab/c"}).Draw(t, "path")
		want := rules.Allows(anna, "main", path)
		turned := slices.Clone(rules)
		slices.Reverse(turned)
		if got := turned.Allows(anna, "main", path); got != want {
			t.Fatalf("%v, turned round %v", want, got)
		}
		// A name of her own choice never gets anybody more.
		nameless := anna
		nameless.Name = ""
		if without := rules.Allows(nameless, "main", path); want > without {
			t.Fatalf("%v with a display name, %v without", want, without)
		}
	})
}

func TestRulesCheck(t *testing.T) {
	for what, bad := range map[string]Rule{
		"nobody":    {Path: "/"},
		"empty who": {Who: []string{""}, Path: "/"},
		"no group":  {Who: []string{"group:"}, Path: "/"},
		"dots":      {Who: []string{"*"}, Path: "/a/../b"},
		"relative":  {Who: []string{"*"}, Path: "a"},
		"NUL":       {Who: []string{"*"}, Path: "/a\x00"},
		"rights":    {Who: []string{"*"}, Rights: 3},
		"negative":  {Who: []string{"*"}, Rights: -1},
	} {
		if err := (Rules{{Who: []string{"*"}}, bad}).Check(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := (Rules{{Who: []string{"*", "group:a", "b"}, Path: "/a/b/", Rights: View}}).Check(); err != nil {
		t.Error(err)
	}
}

func TestAnotherSpellingOfANameOnlyTakesAway(t *testing.T) {
	rules := Rules{
		{Who: []string{"anna"}, Path: "/", Rights: View},
		{Who: []string{"*"}, Path: "/closed"},
		{Who: []string{"anna"}, Path: "/closed", Rights: Edit},
	}
	for _, subject := range []string{"Anna", "ANNA", " anna", "anna "} {
		p := oauth.Principal{Issuer: "upstream:main", Subject: subject, Name: "somebody"}
		if got := rules.Allows(p, "main", "/a"); got != View {
			t.Errorf("%q where anna may only read: %v", subject, got)
		}
		if got := rules.Allows(p, "main", "/closed/a"); got != 0 {
			t.Errorf("%q where only anna may do anything: %v", subject, got)
		}
	}
	other := oauth.Principal{Issuer: "upstream:main", Subject: "annabel", Name: "annabel"}
	if got := rules.Allows(other, "main", "/a"); got != Edit {
		t.Errorf("annabel: %v", got)
	}
}

func TestRightsBelowAreTheLeastOfAll(t *testing.T) {
	p := oauth.Principal{Issuer: "test", Subject: "anna"}
	rules := Rules{
		{Who: []string{"*"}, Path: "/a/b", Rights: View},
		{Who: []string{"*"}, Path: "/a/b/c/d"},
		{Who: []string{"ben"}, Path: "/e"},
		{Who: []string{"*"}, Path: "/f", Upstream: "other"},
	}
	for path, want := range map[string]struct{ below, children Rights }{
		"/": {0, Edit}, "/a": {0, View}, "/a/b": {0, View}, "/a/b/c": {0, 0}, "/a/b/c/d": {0, 0}, "/a/x": {Edit, Edit},
		"/ab": {Edit, Edit}, "/e": {Edit, Edit}, "/f": {Edit, Edit}, "/a/..": {0, 0},
	} {
		if got := rules.AllowsBelow(p, "main", path); got != want.below {
			t.Errorf("below %s: %v, want %v", path, got, want.below)
		}
		if got := rules.AllowsChildren(p, "main", path); got != want.children {
			t.Errorf("children of %s: %v, want %v", path, got, want.children)
		}
	}
}

// TestLogins: a login, which the operator trusts to be one person's, gives; what a person only types at sign-in, or the
// login in another spelling, takes away at most.
func TestLogins(t *testing.T) {
	p := oauth.Principal{Issuer: "https://id.example.test", Subject: "2482", Name: "Mira", Login: "mira", SignIn: "mira@example.test"}
	for who, want := range map[string]Rights{"mira": Edit, "2482": Edit, "MIRA": View, "mira@example.test": View, "Mira": View} {
		rules := Rules{{Who: []string{"*"}, Rights: View}, {Who: []string{who}, Rights: Edit}}
		if got := rules.Allows(p, "main", "/x"); got != want {
			t.Errorf("%s gives %v, want %v", who, got, want)
		}
		rules = Rules{{Who: []string{who}, Rights: 0}}
		if got := rules.Allows(p, "main", "/x"); got != 0 {
			t.Errorf("a ban of %s leaves %v", who, got)
		}
	}
	if got := (Rules{{Who: []string{"*"}, Rights: View}, {Who: []string{""}, Rights: Edit}}).Allows(oauth.Principal{Issuer: "i", Subject: "s"}, "main", "/x"); got != 0 {
		t.Errorf("no login and no name: %v", got)
	}
}
