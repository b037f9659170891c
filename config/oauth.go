package config

import (
	"regexp"
	"strings"
)

// OAuth is how the Office apps on phones, and other programs that hold an access
// token of the sign-in provider, come in at /wopibootstrapper.
type OAuth struct {
	// Mode is facade (the apps sign in at our own endpoints, behind which people sign in
	// as everybody does; works with every provider, and with sign_in.kind: upstream),
	// direct (they sign in at the provider of sign_in.oidc itself, and show its access
	// token), or off. Default: facade where clients are configured, else off.
	Mode string `yaml:"mode" values:"off,facade,direct" example:"direct"`
	// Clients are the programs that sign people in by the facade: Office's server.
	Clients []OAuthClient `yaml:"clients"`
	// TokenHint adds tk, our token endpoint, to the answer of a sign-in. Default false.
	TokenHint bool `yaml:"token_hint" example:"true"`
	// ExpiresInAsText writes expires_in as a text, as a sample of Microsoft's has it.
	// Default false.
	ExpiresInAsText bool `yaml:"expires_in_as_text" example:"true"`
	// ProviderID is the name under which Microsoft knows this host, letters and
	// digits. Default none.
	ProviderID string `yaml:"provider_id" example:"TPExample"`
	// URLSchemes are the apps in which Office may sign people in.
	URLSchemes URLSchemes `yaml:"url_schemes"`
	// Bearer says which access tokens are accepted.
	Bearer Bearer `yaml:"bearer"`
}

// OAuthClient is a program that signs people in by the facade.
type OAuthClient struct {
	// ID is its client_id. Required.
	ID string `yaml:"id" example:"office" beside:"secret_file: /etc/davwopi/office.secret"`
	// Name is what people are asked about. Default Microsoft Office.
	Name string `yaml:"name" example:"Microsoft Office" beside:"id: office, secret_file: /etc/davwopi/office.secret"`
	// SecretFile holds its secrets, one per line, of 16 random characters or more: several
	// while one is being replaced.
	SecretFile string `yaml:"secret_file" example:"/etc/davwopi/office.secret" beside:"id: office"`
	// SecretSHA256 are the SHA-256 of its secrets, in hex, instead of secret_file.
	SecretSHA256 []string `yaml:"secret_sha256" example:"[9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08]" beside:"id: office"`
	// Redirects are its redirect URIs, compared to the last character. Default
	// https://localhost, ms-word-tp:, ms-excel-tp:, ms-powerpoint-tp:, ms-officemobile-tp:.
	Redirects []string `yaml:"redirects" example:"[https://localhost, 'ms-word-tp:']" beside:"id: office, secret_file: /etc/davwopi/office.secret"`
}

// URLSchemes name apps, in order of preference, for each kind of phone.
type URLSchemes struct {
	// IOS are URL schemes.
	IOS []string `yaml:"ios" example:"[homeapp]"`
	// Android are triples: version code, package, activity.
	Android []string `yaml:"android" example:"[15, com.example.home, com.example.home.Office]"`
	// UWP are URL schemes.
	UWP []string `yaml:"uwp" example:"[homeapp]"`
}

// Bearer says which access tokens of the provider are accepted.
type Bearer struct {
	// Method is jwt (signed tokens are checked here), introspect (the provider is
	// asked), userinfo (the provider is asked who it is; it then says nothing about
	// the audience: any token of any program that uses this provider passes), or
	// auto (jwt for signed tokens, introspect for others). Default auto.
	Method string `yaml:"method" values:"auto,jwt,introspect,userinfo" example:"introspect"`
	// Profile is rfc9068 (signed tokens must say that they are access tokens) or loose
	// (ID and logout tokens are told apart by what is in them). Default loose.
	Profile string `yaml:"profile" values:"loose,rfc9068" example:"rfc9068"`
	// Audiences are those for which tokens may have been made; one must match.
	// Required, except with method userinfo, or with allowed_clients and introspection.
	Audiences []string `yaml:"audiences" example:"[https://docs.home.example]"`
	// AllowedClients are the programs (azp or client_id) whose tokens are
	// accepted. Default all.
	AllowedClients []string `yaml:"allowed_clients" example:"[office]"`
	// Scopes must all be in a token. Default none.
	Scopes []string `yaml:"scopes" example:"[files]"`
	// ClientID is the bridge's where the provider is asked about tokens, where that is
	// another one than at sign-in: some answer a program about its own tokens only.
	// Default: that of sign_in.oidc, with its secret.
	ClientID string `yaml:"client_id" example:"davwopi-api"`
	// ClientSecret belongs to it. Better in client_secret_file or the variable.
	ClientSecret Secret `yaml:"client_secret" example:"geheim"`
	// ClientSecretFile holds the secret in its first line.
	ClientSecretFile string `yaml:"client_secret_file" example:"/etc/davwopi/api-secret"`
	// IntrospectionURL is where the provider is asked, where its metadata do not say.
	IntrospectionURL URL `yaml:"introspection_url" example:"https://id.home.example/introspect"`
}

var providerID = regexp.MustCompile(`^[A-Za-z0-9_]{0,64}$`)

func (r *reader) checkOAuth(c *Config) {
	o := &c.OAuth
	if o.Mode == "" {
		o.Mode = "off"
		if len(o.Clients) > 0 {
			o.Mode = "facade"
		}
	}
	if o.Mode == "off" {
		return
	}
	if !c.WOPI.Containers {
		r.fault("oauth.mode", "%s needs wopi.containers: true: phones find files by their folders", o.Mode)
	}
	if !providerID.MatchString(o.ProviderID) {
		r.fault("oauth.provider_id", "%q: wants letters and digits", o.ProviderID)
	}
	r.checkSchemes(&o.URLSchemes)
	if o.Mode == "facade" {
		r.checkFacade(c)
		return
	}
	if c.SignIn.Kind != "oidc" {
		r.fault("oauth.mode", "direct needs sign_in.kind: oidc: it is that provider's tokens that are shown")
	}
	r.checkBearer(&o.Bearer)
}

var (
	appScheme   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	versionCode = regexp.MustCompile(`^[0-9]{1,10}$`)
	javaName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$`)
	webRedirect = regexp.MustCompile(`^(https://[^/\s@]+(/\S*)?|http://(127\.0\.0\.1|localhost)(:\d+)?(/\S*)?)$`)
	appRedirect = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:(/\S*)?$`)
	noApp       = regexp.MustCompile(`^(https?|ftp|file|data|blob|javascript|vbscript|about|filesystem|view-source):`)
)

// checkSchemes looks at what goes into Office's challenge (UrlSchemes).
func (r *reader) checkSchemes(u *URLSchemes) {
	for where, list := range map[string][]string{"oauth.url_schemes.ios": u.IOS, "oauth.url_schemes.uwp": u.UWP} {
		for i, s := range list {
			if !appScheme.MatchString(s) || noApp.MatchString(s+":") {
				r.fault(at(where, i), "%q is no scheme of an app, such as mynas", s)
			}
		}
	}
	for i, s := range u.Android {
		wants := []*regexp.Regexp{versionCode, javaName, javaName}[i%3]
		if !wants.MatchString(s) {
			r.fault(at("oauth.url_schemes.android", i), "%q: wants triples: version code, package, activity", s)
		}
	}
	if len(u.Android)%3 != 0 {
		r.fault("oauth.url_schemes.android", "wants triples: version code, package, activity")
	}
}

func (r *reader) checkFacade(c *Config) {
	if len(c.OAuth.Clients) == 0 {
		r.fault("oauth.clients", "is required with mode: facade")
	}
	seen := map[string]bool{}
	for i := range c.OAuth.Clients {
		k, where := &c.OAuth.Clients[i], at("oauth.clients", i)
		if k.ID == "" || seen[k.ID] {
			r.fault(where+".id", "%q is missing, or there twice", k.ID)
		}
		seen[k.ID] = true
		if (k.SecretFile == "") == (len(k.SecretSHA256) == 0) {
			r.fault(where, "wants exactly one of secret_file and secret_sha256")
		}
		for _, sum := range k.SecretSHA256 {
			if !regexp.MustCompile(`^[0-9a-fA-F]{64}$`).MatchString(sum) {
				r.fault(where+".secret_sha256", "wants 64 hex digits each")
			}
		}
		if len(k.Redirects) == 0 {
			k.Redirects = []string{"https://localhost", "ms-word-tp:", "ms-excel-tp:", "ms-powerpoint-tp:", "ms-officemobile-tp:"}
		}
		for _, u := range k.Redirects {
			if !webRedirect.MatchString(u) && (!appRedirect.MatchString(u) || noApp.MatchString(u)) {
				r.fault(where+".redirects", "%q is neither https://..., http on loopback, nor an app's scheme such as ms-word-tp:", u)
			}
		}
	}
}

func (r *reader) checkBearer(b *Bearer) {
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
