package access

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestAPIKeys(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		intranet := APIKey{Name: "intranet", SHA256: KeyHash("one key"), Principals: []string{"anna", "bert"}, Subtree: "/team", Upstream: "main", Modes: []string{"view"}}
		script := APIKey{Name: "script", SHA256: strings.ToUpper(KeyHash("two key")), Principals: []string{"*"}, Modes: []string{"view", "edit"}}
		keys, err := NewAPIKeys(t.Context(), db, []APIKey{intranet, script})
		if err != nil {
			t.Fatal(err)
		}
		for presented, want := range map[string]APIKey{"one key": intranet, "two key": script} {
			want.SHA256 = ""
			if got, err := keys.Check(t.Context(), presented); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, %v", presented, got, err)
			}
		}
		for _, bad := range []string{"", "one", "one key ", "ONE KEY", KeyHash("one key"), intranet.SHA256, strings.Repeat("a", 1<<20)} {
			if got, err := keys.Check(t.Context(), bad); !errors.Is(err, ErrToken) || got.Name != "" {
				t.Errorf("%.40q: %v, %v", bad, got, err)
			}
		}
		// Restarted with another configuration: what is gone is gone, for those who still hold the old APIKeys, too.
		if _, err := NewAPIKeys(t.Context(), db, []APIKey{script}); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Check(t.Context(), "one key"); !errors.Is(err, ErrToken) {
			t.Errorf("gone from the configuration: %v", err)
		}
		if _, err := keys.Check(t.Context(), "two key"); err != nil {
			t.Error(err)
		}
		mustHide(t, intranet, intranet.SHA256)
		mustHide(t, &intranet, intranet.SHA256)
		mustHide(t, []APIKey{intranet}, intranet.SHA256)
	})
}

func TestAPIKeysRefuseABadConfiguration(t *testing.T) {
	db := sqldbtest.New(t)
	good := APIKey{Name: "good", SHA256: KeyHash("one key"), Principals: []string{"*"}, Modes: []string{"view"}}
	keys, err := NewAPIKeys(t.Context(), db, []APIKey{good})
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*APIKey){
		"no name":           func(k *APIKey) { k.Name = "" },
		"the same name":     func(k *APIKey) { k.Name = "good" },
		"the same key":      func(k *APIKey) { k.SHA256 = good.SHA256 },
		"a short hash":      func(k *APIKey) { k.SHA256 = "abcd" },
		"not a hash":        func(k *APIKey) { k.SHA256 = "a key in the wrong place" },
		"nobody":            func(k *APIKey) { k.Principals = nil },
		"an empty name":     func(k *APIKey) { k.Principals = []string{""} },
		"no modes":          func(k *APIKey) { k.Modes = nil },
		"an unknown mode":   func(k *APIKey) { k.Modes = []string{"own"} },
		"a path with dots":  func(k *APIKey) { k.Subtree = "/a/../b" },
		"a path without /":  func(k *APIKey) { k.Subtree = "a" },
		"a path with a NUL": func(k *APIKey) { k.Subtree = "/\x00" },
	} {
		k := APIKey{Name: "bad", SHA256: KeyHash("two key"), Principals: []string{"*"}, Modes: []string{"view"}}
		change(&k)
		_, err := NewAPIKeys(t.Context(), db, []APIKey{good, k})
		if !errors.Is(err, ErrConfig) || strings.Contains(err.Error(), k.SHA256) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := keys.Check(t.Context(), "one key"); err != nil {
		t.Errorf("a refused configuration changed the rows: %v", err)
	}
}

func TestAPIKeyMay(t *testing.T) {
	key := APIKey{Name: "k", Principals: []string{"anna"}, Subtree: "/team/a", Upstream: "main", Modes: []string{"view"}}
	all := APIKey{Name: "k", Principals: []string{"*"}, Modes: []string{"view", "edit"}}
	for _, c := range []struct {
		what                          string
		key                           APIKey
		person, upstream, path, modes string
		ok                            bool
	}{
		{"allowed", key, "anna", "main", "/team/a/x.docx", "view", true},
		{"the subtree itself", key, "anna", "main", "/team/a", "view", true},
		{"another person", key, "bert", "main", "/team/a/x.docx", "view", false},
		{"nobody", key, "", "main", "/team/a/x.docx", "view", false},
		{"another upstream", key, "anna", "nas", "/team/a/x.docx", "view", false},
		{"above", key, "anna", "main", "/team", "view", false},
		{"by segments, not by letters", key, "anna", "main", "/team/ab", "view", false},
		{"out by dots", key, "anna", "main", "/team/a/../b", "view", false},
		{"another mode", key, "anna", "main", "/team/a/x.docx", "edit", false},
		{"no mode", key, "anna", "main", "/team/a/x.docx", "", false},
		{"everything", all, "bert", "nas", "/", "edit", true},
		{"everything but nobody", all, "", "nas", "/", "edit", false},
		{"a key whose subtree is not clean", APIKey{Principals: []string{"*"}, Subtree: "..", Modes: []string{"view"}}, "anna", "main", "/a", "view", false},
	} {
		if err := May(c.key, c.person, c.upstream, c.path, c.modes); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
