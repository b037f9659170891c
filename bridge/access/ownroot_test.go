package access

import (
	"net/url"
	"testing"

	"davwopi/davbackend"
	"davwopi/idmap"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// TestSpaceOfACloudIsTheAccounts: on a Nextcloud the same path is another file for
// each person, whatever the configuration says of its roots.
func TestSpaceOfACloudIsTheAccounts(t *testing.T) {
	cloud := upstream.Nextcloud(t, "")
	plain := upstream.Strict(t)
	u, _ := newUpstreams(t, sqldbtest.New(t))
	for name, address := range map[string]string{"cloud": cloud.Base, "nas": plain.URL} {
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		client := &davbackend.Client{Base: base, Discover: true}
		t.Cleanup(client.CloseIdle)
		u.List = append(u.List, &Upstream{Name: name, Client: client})
	}
	plain.Quirks.AddUser("bert", "pw of bert")
	cloud.AddAccount(t, "bert", "bert", "pw of bert")
	spaces := map[string][]idmap.SpaceID{}
	for _, c := range []struct {
		p    oauth.Principal
		name string
		s    oauth.Secret
	}{
		{anna, "cloud", oauth.Secret(cloud.Credential())}, {bert, "cloud", oauth.Secret{Kind: "password", User: "bert", Secret: "pw of bert"}},
		{anna, "nas", oauth.Secret(plain.Credential())}, {bert, "nas", oauth.Secret{Kind: "password", User: "bert", Secret: "pw of bert"}},
	} {
		if err := u.Credentials.Put(t.Context(), c.p.Key(), c.name, c.s); err != nil {
			t.Fatal(err)
		}
		s, err := u.Space(t.Context(), c.name, c.p)
		if err != nil {
			t.Fatal(err)
		}
		spaces[c.name] = append(spaces[c.name], s)
	}
	if s := spaces["cloud"]; s[0] == s[1] {
		t.Error("two accounts of a cloud have one space")
	}
	if s := spaces["nas"]; s[0] != s[1] {
		t.Error("two accounts of a server with one tree have two spaces")
	}
}
