package config

import (
	"regexp"
	"time"
)

// SignIn is how people sign in.
type SignIn struct {
	// Kind is link (one-time links printed on the terminal), upstream (user
	// name and password, checked against the upstream), oidc (an OpenID Connect
	// provider) or proxy (a reverse proxy says in a header who somebody is).
	// Default: oidc where sign_in.oidc.issuer is set, upstream where an upstream URL
	// is set, else link.
	Kind string `yaml:"kind" values:"link,upstream,oidc,proxy" example:"upstream"`
	// Upstream is the name of the upstream that checks, where there are several.
	// Default: the first.
	Upstream string `yaml:"upstream" example:"nas"`
	// Idle ends a browser session that was not used for so long. Default 24h.
	Idle time.Duration `yaml:"idle" example:"8h"`
	// Lifetime ends every browser session. Default 720h.
	Lifetime time.Duration `yaml:"lifetime" example:"168h"`
	// LinkLifetime is how long a sign-in link can be used. Default 24h.
	LinkLifetime time.Duration `yaml:"link_lifetime" example:"1h"`
	// OIDC is the provider of kind oidc.
	OIDC OIDC `yaml:"oidc"`
	// Proxy names the headers of kind proxy.
	Proxy Proxy `yaml:"proxy"`
}

// OIDC is an OpenID Connect provider. The bridge is registered there with the
// redirect URI public_url + /signin/callback and, for sign-out, the post-logout
// redirect URI public_url + /signedout.
type OIDC struct {
	// Issuer is the provider's address, exactly as in its own metadata, to the
	// slash. Plain http on loopback only.
	Issuer URL `yaml:"issuer" example:"https://id.home.example"`
	// Name is what people call it. Default: the host of issuer.
	Name string `yaml:"name" example:"Home account"`
	// ClientID is the bridge's at the provider. Required.
	ClientID string `yaml:"client_id" example:"davwopi"`
	// ClientSecret belongs to it. Better in client_secret_file or the variable.
	ClientSecret Secret `yaml:"client_secret" example:"geheim"`
	// ClientSecretFile holds the secret in its first line.
	ClientSecretFile string `yaml:"client_secret_file" example:"/etc/davwopi/client-secret"`
	// Scopes are asked for besides openid. With auth: bearer and oauth.mode: facade add
	// offline_access where the provider wants it for tokens that can be renewed. Default
	// profile, email.
	Scopes []string `yaml:"scopes" example:"[profile, email, offline_access]"`
	// NameClaim is the claim with the name that others are shown. Default: name, else
	// preferred_username, else the part of email before the @.
	NameClaim string `yaml:"name_claim" example:"nickname"`
	// LoginClaim is a claim that you trust to be nobody else's, such as
	// preferred_username where people cannot change it, so that admins and access may
	// use it. email counts only where the provider has verified it. Default none: admins
	// and access know people by their subject.
	LoginClaim string `yaml:"login_claim" example:"preferred_username"`
	// GroupsClaim is the claim with a person's groups. Default groups.
	GroupsClaim string `yaml:"groups_claim" example:"roles"`
	// CAFile holds certificates (PEM) to trust at the provider besides the system's.
	CAFile string `yaml:"ca_file" example:"/etc/davwopi/id-ca.pem"`
}

// Proxy names the headers in which a reverse proxy says who somebody is. They are
// believed from trusted_proxies only, judged by the address that the connection
// comes from, and removed from all other requests.
type Proxy struct {
	// UserHeader holds the user name. Default Remote-User.
	UserHeader string `yaml:"user_header" example:"X-Auth-Request-User"`
	// NameHeader holds the name that others are shown. Default Remote-Name.
	NameHeader string `yaml:"name_header" example:"X-Auth-Request-Name"`
	// GroupsHeader holds groups, with commas between them. Default Remote-Groups.
	GroupsHeader string `yaml:"groups_header" example:"X-Auth-Request-Groups"`
	// LogoutURL is where people go to sign out at the proxy. Default none.
	LogoutURL URL `yaml:"logout_url" example:"https://auth.home.example/logout"`
}

func defaultSignIn() SignIn {
	return SignIn{
		Idle: 24 * time.Hour, Lifetime: 720 * time.Hour, LinkLifetime: 24 * time.Hour,
		OIDC:  OIDC{Scopes: []string{"profile", "email"}},
		Proxy: Proxy{UserHeader: "Remote-User", NameHeader: "Remote-Name", GroupsHeader: "Remote-Groups"},
	}
}

func (r *reader) checkSignIn(c *Config) {
	s := &c.SignIn
	if s.Kind == "" {
		switch {
		case s.OIDC.Issuer.URL != nil:
			s.Kind = "oidc"
		case c.Embedded():
			s.Kind = "link"
		default:
			s.Kind = "upstream"
		}
	}
	if s.Upstream == "" {
		s.Upstream = c.Upstreams[0].Name
	} else if !c.hasUpstream(s.Upstream) {
		r.fault("sign_in.upstream", "there is no upstream %q", s.Upstream)
	}
	switch s.Kind {
	case "upstream":
		if c.Embedded() {
			r.fault("sign_in.kind", "upstream needs an upstream url; allowed here: link, oidc, proxy")
		}
	case "oidc":
		r.checkOIDC(&s.OIDC)
	case "proxy":
		r.checkProxy(c)
	}
	for i, u := range c.Upstreams {
		r.checkUpstreamSignIn(c, at("upstreams", i), u)
	}
}

// checkUpstreamSignIn demands the kind of sign-in that gives what the upstream wants to see.
func (r *reader) checkUpstreamSignIn(c *Config, where string, u Upstream) {
	switch u.Auth {
	case "user":
		if c.SignIn.Kind != "upstream" {
			r.fault("sign_in.kind", "must be upstream, because %s has auth: user", where)
		}
		if u.Name != c.SignIn.Upstream {
			r.fault(where+".auth", "user is possible only for the upstream at which people sign in (%s)", c.SignIn.Upstream)
		}
	case "bearer":
		if c.SignIn.Kind != "oidc" {
			r.fault("sign_in.kind", "must be oidc, because %s has auth: bearer", where)
		}
	}
}

func (r *reader) checkOIDC(o *OIDC) {
	const where = "sign_in.oidc"
	switch u := o.Issuer.URL; {
	case u == nil:
		r.fault(where+".issuer", "is required with kind: oidc")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		r.fault(where+".issuer", "%s is plain http: tokens and secrets would travel readable", u)
	case o.Name == "":
		o.Name = u.Host
	}
	if o.ClientID == "" {
		r.fault(where+".client_id", "is required with kind: oidc")
	}
	if o.ClientSecret.Reveal() != "" && o.ClientSecretFile != "" {
		r.fault(where+".client_secret", "cannot be used together with client_secret_file")
	}
}

func (r *reader) checkProxy(c *Config) {
	p := &c.SignIn.Proxy
	if len(c.TrustedProxies) == 0 {
		r.fault("trusted_proxies", "is required with sign_in.kind: proxy: the address from which the proxy connects, whose word on who somebody is counts")
	}
	for key, name := range map[string]string{"user_header": p.UserHeader, "name_header": p.NameHeader, "groups_header": p.GroupsHeader} {
		switch {
		case name == "" && key == "user_header":
			r.fault("sign_in.proxy."+key, "is required with kind: proxy")
		case name != "" && !headerName.MatchString(name):
			r.fault("sign_in.proxy."+key, "%q is no name of a header", name)
		}
	}
}

// headerName is a token of RFC 9110 section 5.6.2 that proxies use. Underscores are left out: some proxies take them
// for hyphens, and somebody could send the one under the name of the other.
var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
