package config

import (
	"strings"
	"testing"
)

func TestOAuth(t *testing.T) {
	const base = "sign_in: {oidc: {issuer: 'https://id.example', client_id: x}}\n"
	for name, tt := range map[string]struct{ file, want string }{
		"off":                    {"", ""},
		"our own endpoints":      {"oauth: {clients: [{id: office, secret_file: f}]}", ""},
		"with their redirects":   {"oauth: {clients: [{id: office, secret_file: f, redirects: ['https://x.example/cb', 'app:', 'app:/cb', 'app://cb', 'http://127.0.0.1:5/cb']}]}", ""},
		"nobody's endpoints":     {"oauth: {mode: facade}", "oauth.clients: is required"},
		"a client without name":  {"oauth: {clients: [{secret_file: f}]}", "oauth.clients[0].id"},
		"a client without proof": {"oauth: {clients: [{id: office}]}", "exactly one of"},
		"a bad hash":             {"oauth: {clients: [{id: office, secret_sha256: [abc]}]}", "64 hex digits"},
		"a readable redirect":    {"oauth: {clients: [{id: office, secret_file: f, redirects: ['http://x.example']}]}", "is neither"},
		"a script":               {"oauth: {clients: [{id: office, secret_file: f, redirects: ['javascript:alert(1)']}]}", "is neither"},
		"an audience":            {base + "oauth: {mode: direct, provider_id: TPExample, bearer: {audiences: [files]}}", ""},
		"programs, asked for":    {base + "oauth: {mode: direct, bearer: {method: introspect, allowed_clients: [office]}}", ""},
		"said so":                {base + "oauth: {mode: direct, bearer: {method: userinfo}}", ""},
		"no audience":            {base + "oauth: {mode: direct}", "oauth.bearer.audiences: is required"},
		"programs, not asked":    {base + "oauth: {mode: direct, bearer: {method: jwt, allowed_clients: [office]}}", "oauth.bearer.audiences: is required"},
		"an empty audience":      {base + "oauth: {mode: direct, bearer: {audiences: ['']}}", "is empty"},
		"no provider":            {"oauth: {mode: direct, bearer: {audiences: [files]}}", "needs sign_in.kind: oidc"},
		"no folders":             {base + "wopi: {containers: false}\noauth: {mode: direct, bearer: {audiences: [files]}}", "needs wopi.containers"},
		"a script's scheme":      {"oauth: {clients: [{id: office, secret_file: f, redirects: ['javascript:']}]}", "is neither"},
		"a user in a redirect":   {"oauth: {clients: [{id: office, secret_file: f, redirects: ['https://localhost@evil.example']}]}", "is neither"},
		"whole apps":             {base + "oauth: {mode: direct, bearer: {audiences: [files]}, url_schemes: {ios: [mynas], uwp: [my-nas], android: ['103', test.mynas, test.mynas.Auth, '7', b.c, b.c.D]}}", ""},
		"a colon in a scheme":    {base + "oauth: {mode: direct, bearer: {audiences: [files]}, url_schemes: {ios: ['mynas:']}}", "no scheme of an app"},
		"the web for an app":     {base + "oauth: {mode: direct, bearer: {audiences: [files]}, url_schemes: {uwp: [https]}}", "no scheme of an app"},
		"a package for a number": {base + "oauth: {mode: direct, bearer: {audiences: [files]}, url_schemes: {android: [a.b, a.b.C, '1']}}", "wants triples"},
		"half an app":            {base + "oauth: {mode: direct, bearer: {audiences: [files]}, url_schemes: {android: ['1', a.b]}}", "wants triples"},
		"a bad name":             {base + "oauth: {mode: direct, provider_id: 'a b', bearer: {audiences: [files]}}", "letters and digits"},
		"readable introspection": {base + "oauth: {mode: direct, bearer: {audiences: [files], introspection_url: 'http://id.example/i'}}", "plain http"},
	} {
		_, err := Load(write(t, tt.file), nil, nil)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want something about %q", name, err, tt.want)
		}
	}
}

func TestSignInKinds(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		kind string // "": a fault
		want string // a part of the fault
	}{
		"a provider":                 {"sign_in: {oidc: {issuer: 'https://id.example', client_id: x}}", "oidc", ""},
		"a provider and an upstream": {"upstream: {url: 'https://nas.example'}\nsign_in: {oidc: {issuer: 'https://id.example/', client_id: x}}", "oidc", ""},
		"a provider on loopback":     {"sign_in: {oidc: {issuer: 'http://127.0.0.1:5556', client_id: x}}", "oidc", ""},
		"a proxy":                    {"trusted_proxies: [127.0.0.1]\nsign_in: {kind: proxy}", "proxy", ""},
		"tokens for the upstream":    {"upstream: {url: 'https://nas.example', auth: bearer, roots: per_user}\nsign_in: {oidc: {issuer: 'https://id.example', client_id: x}}", "oidc", ""},

		"no issuer":                {"sign_in: {kind: oidc, oidc: {client_id: x}}", "", "sign_in.oidc.issuer: is required"},
		"no client":                {"sign_in: {oidc: {issuer: 'https://id.example'}}", "", "sign_in.oidc.client_id: is required"},
		"readable on the network":  {"sign_in: {oidc: {issuer: 'http://id.example', client_id: x}}", "", "plain http"},
		"two secrets":              {"sign_in: {oidc: {issuer: 'https://id.example', client_id: x, client_secret: geheim, client_secret_file: f}}", "", "cannot be used together"},
		"a proxy of nobody":        {"sign_in: {kind: proxy}", "", "trusted_proxies: is required"},
		"a header with underscore": {"trusted_proxies: [127.0.0.1]\nsign_in: {kind: proxy, proxy: {user_header: 'Remote_User'}}", "", "is no name of a header"},
		"no header":                {"trusted_proxies: [127.0.0.1]\nsign_in: {kind: proxy, proxy: {user_header: ''}}", "", "is required with kind: proxy"},
		"tokens without provider":  {"upstream: {url: 'https://nas.example', auth: bearer, roots: per_user}", "", "must be oidc"},
		"passwords of a provider":  {"upstream: {url: 'https://nas.example', auth: user, roots: per_user}\nsign_in: {oidc: {issuer: 'https://id.example', client_id: x}}", "", "must be upstream"},
		"tokens without roots":     {"upstream: {url: 'https://nas.example', auth: bearer}\nsign_in: {oidc: {issuer: 'https://id.example', client_id: x}}", "", "roots: is required with auth: bearer"},
		"tokens for our folder":    {"upstream: {auth: bearer, roots: shared}\nsign_in: {oidc: {issuer: 'https://id.example', client_id: x}}", "", "bearer needs an upstream url"},
	} {
		c, err := Load(write(t, tt.file), nil, nil)
		switch {
		case tt.kind == "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want something about %q", name, err, tt.want)
		case tt.kind != "" && (err != nil || c.SignIn.Kind != tt.kind):
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Error("a secret was printed")
		}
	}
	c, err := Load(write(t, "sign_in: {oidc: {issuer: 'https://id.example/realms/x/', client_id: x}}"), nil, nil)
	if err != nil || c.SignIn.OIDC.Issuer.String() != "https://id.example/realms/x/" || c.SignIn.OIDC.Name != "id.example" ||
		strings.Join(c.SignIn.OIDC.Scopes, " ") != "profile email" {
		t.Errorf("%+v, %v", c, err)
	}
}
