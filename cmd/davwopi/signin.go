package main

import (
	"context"
	"slices"
	"strings"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/bootstrap"
	"davwopi/bridge/containers"
	"davwopi/bridge/doctor"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/web"
	"davwopi/config"
	"davwopi/oauth"
)

// openProvider makes sign-in at an OpenID Connect provider, if that is configured. The provider is not asked yet: it
// may be down.
func (h *house) openProvider(ctx context.Context) error {
	if h.config.SignIn.Kind != "oidc" {
		return nil
	}
	c := h.config.SignIn.OIDC
	secret, err := secretOf(c.ClientSecret, c.ClientSecretFile)
	if err != nil {
		return err
	}
	transport, err := newTransport(c.CAFile)
	if err != nil {
		return err
	}
	h.closers = append(h.closers, func() error { transport.CloseIdleConnections(); return nil })
	h.provider = &oauth.OIDC{
		Provider: &oauth.Provider{Issuer: c.Issuer.String(), Transport: transport},
		Claims:   oauth.Claims{Name: c.NameClaim, Login: c.LoginClaim, Groups: c.GroupsClaim, GroupsCount: groupsCount(h.config)},
		ClientID: c.ClientID, ClientSecret: secret, Scopes: c.Scopes,
	}
	if err := h.provider.Open(ctx, h.db, h.sealer); err != nil {
		return err
	}
	h.people, err = oauth.NewProviderTokens(ctx, h.db, h.sealer, h.provider)
	h.upstreams.People = h.people
	return err
}

// groupsCount reports whether rules, or who runs the server, depend on groups.
func groupsCount(c *config.Config) bool {
	names := slices.Clone(c.Admins)
	for _, rule := range c.Access {
		names = append(names, rule.Who...)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.HasPrefix(name, "group:") && name != "group:"+access.GuestGroup
	})
}

// secretOf is the secret that a key or the file of another key holds.
func secretOf(key config.Secret, file string) (string, error) {
	if file != "" {
		return firstLine(file)
	}
	return key.Reveal(), nil
}

// signInAtProvider is that sign-in for the pages; nil if there is none.
func (h *house) signInAtProvider() *web.Provider {
	if h.provider == nil {
		return nil
	}
	// The facade asks with them whether somebody may still come in.
	p := &web.Provider{OIDC: h.provider, People: h.people, Name: h.config.SignIn.OIDC.Name, Keep: h.phones != nil}
	for _, up := range h.upstreams.List {
		p.Keep, p.Owned = p.Keep || up.Bearer, p.Owned || up.Bearer
	}
	return p
}

// signInByProxy is sign-in by the headers of a reverse proxy; nil if there is none.
func (h *house) signInByProxy() *web.Proxy {
	c := h.config.SignIn
	if c.Kind != "proxy" {
		return nil
	}
	p := &web.Proxy{User: c.Proxy.UserHeader, Name: c.Proxy.NameHeader, Groups: c.Proxy.GroupsHeader}
	if c.Proxy.LogoutURL.URL != nil {
		p.Logout = c.Proxy.LogoutURL.String()
	}
	return p
}

// identityHeaders are the headers in which a trusted proxy says who somebody is; nobody else's are let in.
func identityHeaders(c *config.Config) []string {
	if c.SignIn.Kind != "proxy" {
		return nil
	}
	p := c.SignIn.Proxy
	return []string{p.UserHeader, p.NameHeader, p.GroupsHeader}
}

// bootstrapper is the door of Office on phones, nil where it is shut.
func (h *house) bootstrapper(e *endpoint.Endpoint, folders *containers.Containers) (bridge.Mounter, error) {
	c := h.config.OAuth
	b := &bootstrap.Bootstrapper{
		Endpoint: e, Info: folders.Info, ProviderID: c.ProviderID,
		Schemes: map[string][]string{"iOS": c.URLSchemes.IOS, "Android": c.URLSchemes.Android, "UWP": c.URLSchemes.UWP},
	}
	switch c.Mode {
	case "facade":
		b.Check = func(ctx context.Context, shown bootstrap.Shown) (oauth.Principal, string, error) {
			who, family, err := h.phones.Check(ctx, shown.Token, shown.Context)
			return who, access.PhonePrefix + family, err
		}
		b.Where = h.phones.Where
	case "direct":
		bearer, err := h.bearer()
		if err != nil {
			return nil, err
		}
		b.Check = func(ctx context.Context, shown bootstrap.Shown) (oauth.Principal, string, error) {
			who, _, err := bearer.Check(ctx, shown.Token, shown.Peer)
			return who, "", err
		}
		b.Where = h.provider.Provider.Endpoints
	default:
		return nil, nil
	}
	return b, nil
}

// bearer checks the provider's own access tokens.
func (h *house) bearer() (*oauth.Bearer, error) {
	c := h.config.OAuth.Bearer
	b := &oauth.Bearer{
		Provider: h.provider.Provider, Claims: h.provider.Claims, Method: c.Method, RFC9068: c.Profile == "rfc9068",
		Audiences: c.Audiences, AllowedClients: c.AllowedClients, Scopes: c.Scopes,
		ClientID: h.provider.ClientID, ClientSecret: h.provider.ClientSecret, Observe: h.counters.Bearer,
	}
	if c.ClientID != "" {
		var err error
		b.ClientID = c.ClientID
		if b.ClientSecret, err = secretOf(c.ClientSecret, c.ClientSecretFile); err != nil {
			return nil, err
		}
	}
	if c.IntrospectionURL.URL != nil {
		b.Introspection = c.IntrospectionURL.String()
	}
	return b, nil
}

// providerToCheck is what the doctor has to know. With a CA file that cannot be read, which serve refuses, it
// asks as others do.
func providerToCheck(c *config.Config) *doctor.SignIn {
	pages := web.Pages{URLs: endpoint.URLs{Public: c.PublicURL.URL}}
	s := &doctor.SignIn{
		Issuer: c.SignIn.OIDC.Issuer.String(), Name: c.SignIn.OIDC.Name, Phones: c.OAuth.Mode == "direct",
		Callback: pages.CallbackURL(), Gone: pages.GoneURL(),
	}
	if transport, err := newTransport(c.SignIn.OIDC.CAFile); err == nil {
		transport.DisableKeepAlives = true
		s.HTTP = transport
	}
	return s
}

// cleanProvider forgets sign-ins and ID tokens that are too old.
func (h *house) cleanProvider(ctx context.Context) error {
	if h.provider == nil {
		return nil
	}
	if err := h.provider.Clean(ctx); err != nil {
		return err
	}
	return h.people.Clean(ctx)
}
