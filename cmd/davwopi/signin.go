package main

import (
	"context"

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
	secret := c.ClientSecret.Reveal()
	if c.ClientSecretFile != "" {
		var err error
		if secret, err = firstLine(c.ClientSecretFile); err != nil {
			return err
		}
	}
	transport, err := newTransport(c.CAFile)
	if err != nil {
		return err
	}
	h.closers = append(h.closers, func() error { transport.CloseIdleConnections(); return nil })
	h.provider = &oauth.OIDC{
		Provider: &oauth.Provider{Issuer: c.Issuer.String(), Transport: transport},
		Claims:   oauth.Claims{Name: c.NameClaim, Login: c.LoginClaim, Groups: c.GroupsClaim},
		ClientID: c.ClientID, ClientSecret: secret, Scopes: c.Scopes,
	}
	if err := h.provider.Open(ctx, h.db, h.sealer); err != nil {
		return err
	}
	h.people, err = oauth.NewProviderTokens(ctx, h.db, h.sealer, h.provider)
	h.upstreams.People = h.people
	return err
}

// signInAtProvider is that sign-in for the pages; nil if there is none.
func (h *house) signInAtProvider() *web.Provider {
	if h.provider == nil {
		return nil
	}
	p := &web.Provider{OIDC: h.provider, People: h.people, Name: h.config.SignIn.OIDC.Name}
	for _, up := range h.upstreams.List {
		p.Keep = p.Keep || up.Bearer
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
