package config

import (
	"regexp"
	"strings"
)

// OAuth is how the Office apps on phones, and other programs that hold an access
// token of the sign-in provider, come in at /wopibootstrapper.
type OAuth struct {
	// Mode is direct (programs sign in at the provider of sign_in.oidc itself, and show
	// its access token) or off. Default off.
	Mode string `yaml:"mode" values:"off,direct"`
	// ProviderID is the name under which Microsoft knows this host, letters and
	// digits. Default none.
	ProviderID string `yaml:"provider_id"`
	// URLSchemes are the apps in which Office may sign people in.
	URLSchemes URLSchemes `yaml:"url_schemes"`
	// Bearer says which access tokens are accepted.
	Bearer Bearer `yaml:"bearer"`
}

// URLSchemes name apps, in order of preference, for each kind of phone.
type URLSchemes struct {
	// IOS are URL schemes.
	IOS []string `yaml:"ios"`
	// Android are triples: version code, package, activity.
	Android []string `yaml:"android"`
	// UWP are URL schemes.
	UWP []string `yaml:"uwp"`
}

// Bearer says which access tokens of the provider are accepted.
type Bearer struct {
	// Method is jwt (signed tokens are checked here), introspect (the provider is
	// asked), userinfo (the provider is asked who it is; it then says nothing about
	// the audience: any token of any program that uses this provider passes), or
	// auto (jwt for signed tokens, introspect for others). Default auto.
	Method string `yaml:"method" values:"auto,jwt,introspect,userinfo"`
	// Profile is rfc9068 (signed tokens must say that they are access tokens) or loose
	// (ID and logout tokens are told apart by what is in them). Default loose.
	Profile string `yaml:"profile" values:"loose,rfc9068"`
	// Audiences are those for which tokens may have been made; one must match.
	// Required, except with method userinfo, or with allowed_clients and introspection.
	Audiences []string `yaml:"audiences"`
	// AllowedClients are the programs (azp or client_id) whose tokens are
	// accepted. Default all.
	AllowedClients []string `yaml:"allowed_clients"`
	// Scopes must all be in a token. Default none.
	Scopes []string `yaml:"scopes"`
	// ClientID is the bridge's where the provider is asked about tokens, where that is
	// another one than at sign-in: some answer a program about its own tokens only.
	// Default: that of sign_in.oidc, with its secret.
	ClientID string `yaml:"client_id"`
	// ClientSecret belongs to it. Better in client_secret_file or the variable.
	ClientSecret Secret `yaml:"client_secret"`
	// ClientSecretFile holds the secret in its first line.
	ClientSecretFile string `yaml:"client_secret_file"`
	// IntrospectionURL is where the provider is asked, where its metadata do not say.
	IntrospectionURL URL `yaml:"introspection_url"`
}

var providerID = regexp.MustCompile(`^[A-Za-z0-9_]{0,64}$`)

func (r *reader) checkOAuth(c *Config) {
	o := &c.OAuth
	if o.Mode == "" || o.Mode == "off" {
		o.Mode = "off"
		return
	}
	if c.SignIn.Kind != "oidc" {
		r.fault("oauth.mode", "direct needs sign_in.kind: oidc: it is that provider's tokens that are shown")
	}
	if !c.WOPI.Containers {
		r.fault("oauth.mode", "%s needs wopi.containers: true: phones find files by their folders", o.Mode)
	}
	if !providerID.MatchString(o.ProviderID) {
		r.fault("oauth.provider_id", "%q: wants letters and digits", o.ProviderID)
	}
	if len(o.URLSchemes.Android)%3 != 0 {
		r.fault("oauth.url_schemes.android", "wants triples: version code, package, activity")
	}
	b := &o.Bearer
	if b.Method == "" {
		b.Method = "auto"
	}
	if len(b.Audiences) == 0 && b.Method != "userinfo" && !(b.Method == "introspect" && len(b.AllowedClients) > 0) {
		r.fault("oauth.bearer.audiences", "is required: without it, a token that was made for any other program would open every document")
	}
	if b.ClientSecret.Reveal() != "" && b.ClientSecretFile != "" {
		r.fault("oauth.bearer.client_secret", "cannot be used together with client_secret_file")
	}
	if b.ClientID == "" && (b.ClientSecret.Reveal() != "" || b.ClientSecretFile != "") {
		r.fault("oauth.bearer.client_id", "is missing: there is a secret for it")
	}
	for i, a := range b.Audiences {
		if strings.TrimSpace(a) == "" {
			r.fault(at("oauth.bearer.audiences", i), "is empty")
		}
	}
	if u := b.IntrospectionURL.URL; u != nil && u.Scheme == "http" && !IsLoopback(u.Hostname()) {
		r.fault("oauth.bearer.introspection_url", "%s is plain http: tokens would travel readable", u)
	}
}
