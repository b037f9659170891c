package main

import (
	"net/url"
	"testing"

	"davwopi/config"
	"davwopi/oauth"
)

// TestWhoIsAnAdministrator: a name counts only as this house's own sign-in gives it,
// never one that people choose themselves.
func TestWhoIsAnAdministrator(t *testing.T) {
	for _, tt := range []struct {
		name, kind string
		who        oauth.Principal
		want       bool
	}{
		{"the holder of the first link", "link", owner(), true},
		{"a guest by the invited name", "link", oauth.Principal{Issuer: "link", Subject: "guest:jo", Name: "Jo"}, true},
		{"another guest", "link", oauth.Principal{Issuer: "link", Subject: "guest:ann", Name: "Ann"}, false},
		{"a guest who is only called so", "link", oauth.Principal{Issuer: "link", Subject: "guest:x", Name: "Jo"}, false},
		{"an API key's person", "link", oauth.Principal{Issuer: "key:portal", Subject: "guest:jo", Name: "Jo"}, false},
		{"an API key's owner", "link", oauth.Principal{Issuer: "key:portal", Subject: owner().Subject}, false},
		{"nobody", "link", oauth.Principal{}, false},
		{"the name at the server", "upstream", oauth.Principal{Issuer: "upstream:main", Subject: "Jo"}, true},
		{"the name at another server", "upstream", oauth.Principal{Issuer: "upstream:other", Subject: "Jo"}, false},
		{"capitals count there", "upstream", oauth.Principal{Issuer: "upstream:main", Subject: "jo"}, false},
		{"the first link of another time", "upstream", owner(), false},
		{"only called so at the server", "upstream", oauth.Principal{Issuer: "upstream:main", Subject: "eve", Name: "Jo"}, false},
		{"the subject at the provider", "oidc", oauth.Principal{Issuer: "https://id.example", Subject: "Jo"}, true},
		{"the login at the provider", "oidc", oauth.Principal{Issuer: "https://id.example", Subject: "7", Login: "Jo"}, true},
		{"a group at the provider", "oidc", oauth.Principal{Issuer: "https://id.example", Subject: "7", Groups: []string{"staff", "it"}}, true},
		{"only called so at the provider", "oidc", oauth.Principal{Issuer: "https://id.example", Subject: "7", Name: "Jo", SignIn: "Jo"}, false},
		{"another provider's", "oidc", oauth.Principal{Issuer: "https://id.evil", Subject: "Jo"}, false},
		{"whom the proxy names", "proxy", oauth.Principal{Issuer: "proxy", Subject: "Jo"}, true},
		{"who is called like a group", "proxy", oauth.Principal{Issuer: "proxy", Subject: "group:it", Login: "group:it"}, false},
		{"before there was a proxy", "proxy", owner(), false},
	} {
		c := config.Default()
		c.Admins = []string{"Jo", "group:it"}
		c.SignIn.OIDC.Issuer = config.URL{URL: &url.URL{Scheme: "https", Host: "id.example"}}
		c.SignIn.Kind, c.SignIn.Upstream = tt.kind, "main"
		if got := (&house{config: c}).isAdmin(tt.who); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestWhereAReverseProxyFindsUs(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8880": "127.0.0.1:8880", ":8880": "127.0.0.1:8880", "0.0.0.0:80": "127.0.0.1:80", "[::]:81": "127.0.0.1:81",
		"192.0.2.1:82": "192.0.2.1:82", "127.0.0.1:0": "docs.example",
	} {
		c, err := config.Load("", []string{"DAVWOPI_INSECURE_HTTP=true", "DAVWOPI_PUBLIC_URL=https://docs.example", "DAVWOPI_LISTEN=" + listen}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := reached(c); got != want {
			t.Errorf("%s: %s", listen, got)
		}
	}
}
