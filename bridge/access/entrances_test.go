package access_test

import (
	"slices"
	"testing"

	"davwopi/bridge/access"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
)

func TestEntrances(t *testing.T) {
	hidden := access.Rule{Who: []string{"*"}, Rights: 0}
	at := func(path string, who ...string) access.Rule {
		return access.Rule{Who: who, Path: path, Rights: access.View}
	}
	elsewhere := at("/x", "*")
	elsewhere.Upstream = "other"
	for name, c := range map[string]struct {
		rules access.Rules
		want  []dav.Path
	}{
		"no rules":                   {nil, []dav.Path{"/"}},
		"only takes away below":      {access.Rules{{Who: []string{"*"}, Path: "/a", Rights: 0}}, []dav.Path{"/"}},
		"nothing":                    {access.Rules{hidden}, nil},
		"one folder":                 {access.Rules{hidden, at("/a", "anna")}, []dav.Path{"/a"}},
		"two folders":                {access.Rules{hidden, at("/a", "anna"), at("/b", "*")}, []dav.Path{"/a", "/b"}},
		"one in the other":           {access.Rules{hidden, at("/a/b", "anna"), at("/a", "anna")}, []dav.Path{"/a"}},
		"twice":                      {access.Rules{hidden, at("/a", "anna"), at("/a", "*")}, []dav.Path{"/a"}},
		"of another person":          {access.Rules{hidden, at("/a", "ben")}, nil},
		"of another upstream":        {access.Rules{hidden, elsewhere}, nil},
		"a name that is a beginning": {access.Rules{hidden, at("/a", "*"), at("/ab", "*")}, []dav.Path{"/a", "/ab"}},
	} {
		if got := c.rules.Entrances(oauth.Principal{Issuer: "test", Subject: "anna"}, "main"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
