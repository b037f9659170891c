package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/web"
	"davwopi/config"
	"davwopi/oauth/facade"
)

// sheetOf is Microsoft's form for native integration, and what it asks besides, filled in. It holds no secret.
func sheetOf(c *config.Config, name string) []sheetRow {
	rows := []sheetRow{
		{"Localized Provider Name", []string{cmp.Or(name, c.PublicURL.Hostname())}, ""},
		{"Icon Locations", logoURLs(c), ""},
		{"BootstrapperUri", []string{c.PublicURL.JoinPath("wopibootstrapper").String()}, bootstrapFault(c)},
		{"English Description", []string{"Your documents on " + c.PublicURL.Hostname() + ", opened where they are. (Write your own.)"}, ""},
	}
	rows = append(rows, clientRows(c)...)
	provider := sheetRow{"ProviderId", []string{c.OAuth.ProviderID}, ""}
	if c.OAuth.ProviderID == "" {
		provider = sheetRow{"ProviderId", nil, "Microsoft gives you one: put it into oauth.provider_id"}
	}
	privacy := sheetRow{"Privacy statement", nil, "set privacy_url: the page at which people sign in must have a link to it"}
	if c.PrivacyURL.URL != nil {
		privacy = sheetRow{"Privacy statement", []string{c.PrivacyURL.String()}, ""}
	}
	rows = append(rows, provider,
		sheetRow{"TrustedDomain", trustedDomains(c), ""},
		sheetRow{"SiteUrl", []string{c.PublicURL.String()}, ""}, privacy,
		sheetRow{"People sign in", []string{howPeopleSignIn(c)}, map[bool]string{true: "the window in Office cannot open links: set sign_in.oidc or an upstream with auth: user"}[c.SignIn.Kind == "link"]},
		sheetRow{"Reachable from outside", []string{outside(c)}, ""},
		sheetRow{"UrlSchemes", []string{cmp.Or(urlSchemes(c), "none: there is no app of yours in which people could sign in")}, ""},
		sheetRow{"File types", []string{
			"Word: docx docm dotm dotx; to read, or to edit a copy: doc dot odt",
			"Excel: xlsx xltx xlsb xlsm; to read, or to edit a copy: xls csv ods",
			"PowerPoint: pptx ppsx potm potx ppsm pptm thmx; to read, or to edit a copy: ppt pps pot odp",
		}, ""},
		sheetRow{"Test accounts", []string{testAccounts(c)}, ""},
		sheetRow{"Validator", []string{"make a file test.wopitest; davwopi open -json" + forSomebody(c) + " /test.wopitest prints the address and the token that it wants"}, ""},
	)
	return rows
}

// logoURLs are where the icons are served.
func logoURLs(c *config.Config) (list []string) {
	p := web.Pages{URLs: endpoint.URLs{Public: c.PublicURL.URL}}
	for _, px := range web.LogoSizes {
		list = append(list, p.LogoURL(px))
	}
	return list
}

// bootstrapFault is why phones do not find the bootstrapper.
func bootstrapFault(c *config.Config) string {
	switch {
	case c.PublicURL.Scheme != "https":
		return "phones come by https only: public_url must begin with https"
	case config.IsLoopback(c.PublicURL.Hostname()):
		return "public_url is this machine's own name, which no phone finds"
	}
	return ""
}

// clientRows are what Microsoft's server needs to sign people in.
func clientRows(c *config.Config) []sheetRow {
	if c.OAuth.Mode == "direct" {
		return []sheetRow{
			{"Client ID", c.OAuth.Bearer.AllowedClients, map[bool]string{true: "name Office's client at your provider in oauth.bearer.allowed_clients"}[len(c.OAuth.Bearer.AllowedClients) == 0]},
			{"Client Secret", []string{"(that client's at your provider; hand it over securely, never by mail)"}, ""},
			{"Client App Name", []string{"Office"}, ""},
			{"RedirectUri", []string{"https://localhost (as registered at your provider)"}, ""},
			{"Scope", []string{cmp.Or(strings.Join(c.OAuth.Bearer.Scopes, ", "), "(what your provider wants for a refresh token)")}, ""},
			{"SupportRefresh", []string{"(if your provider does)"}, ""},
			{"Expiry of tokens", []string{"(your provider's)"}, ""},
			{"Is the redirect URI checked?", []string{"(by your provider)"}, ""},
		}
	}
	var rows []sheetRow
	for i, k := range c.OAuth.Clients {
		where := cmp.Or(k.SecretFile, "your own keeping: here is only its hash")
		rows = append(rows,
			sheetRow{"Client ID", []string{k.ID}, ""},
			sheetRow{"Client Secret", []string{fmt.Sprintf("(oauth.clients[%d], in %s; hand it over securely, never by mail)", i, where)}, ""},
			sheetRow{"Client App Name", []string{cmp.Or(k.Name, "Office")}, ""},
			sheetRow{"RedirectUri", k.Redirects, ""},
		)
	}
	return append(rows,
		sheetRow{"Scope", []string{"(none: whatever is asked for is the same)"}, ""},
		sheetRow{"SupportRefresh", []string{"True"}, ""},
		sheetRow{"Expiry of tokens", []string{fmt.Sprintf("access token: %s; refresh token: %s, or %s without use; it changes at every use",
			lifetime(facade.AccessTTL), lifetime(facade.RefreshLife), lifetime(facade.RefreshIdle))}, ""},
		sheetRow{"Is the redirect URI checked?", []string{"yes, to the last character; a code goes nowhere else"}, ""},
	)
}

// lifetime is a time in days or hours.
func lifetime(d time.Duration) string {
	if days := int(d.Hours()) / 24; days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	if d == time.Hour {
		return "1 hour"
	}
	return fmt.Sprintf("%d hours", int(d.Hours()))
}

// trustedDomains are those of everything that a phone is told to ask.
func trustedDomains(c *config.Config) []string {
	list := []string{c.PublicURL.Hostname()}
	if c.OAuth.Mode == "direct" {
		list = append(list, c.SignIn.OIDC.Issuer.Hostname())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func outside(c *config.Config) string {
	if bootstrapFault(c) != "" {
		return "no"
	}
	return "yes, if " + c.PublicURL.Host + " is"
}

// urlSchemes is the JSON that Office is told in the challenge, "" none.
func urlSchemes(c *config.Config) string {
	named := map[string][]string{}
	for phone, list := range map[string][]string{"iOS": c.OAuth.URLSchemes.IOS, "Android": c.OAuth.URLSchemes.Android, "UWP": c.OAuth.URLSchemes.UWP} {
		if len(list) > 0 {
			named[phone] = list
		}
	}
	text, err := json.Marshal(named)
	if err != nil || len(named) == 0 {
		return ""
	}
	return string(text)
}

func howPeopleSignIn(c *config.Config) string {
	switch c.SignIn.Kind {
	case "link":
		return "by links that are made for them"
	case "oidc":
		return "at " + cmp.Or(c.SignIn.OIDC.Name, c.SignIn.OIDC.Issuer.Host) + ", whose page is shown in the app"
	case "proxy":
		return "at your reverse proxy, whose page is shown in the app"
	}
	return "with name and password of your WebDAV server, on davwopi's own page"
}

func testAccounts(c *config.Config) string {
	switch c.SignIn.Kind {
	case "link":
		return "three links: davwopi invite -name Tester1 and so on; each is good once, so sign in first and keep the browser"
	case "oidc":
		return "three accounts at " + cmp.Or(c.SignIn.OIDC.Name, c.SignIn.OIDC.Issuer.Host) + ", without a second factor"
	case "proxy":
		return "three accounts at your reverse proxy, without a second factor"
	}
	return "three accounts of your WebDAV server"
}

// forSomebody is the flag that davwopi open needs.
func forSomebody(c *config.Config) string {
	if c.SignIn.Kind == "link" {
		return ""
	}
	return " -user NAME"
}

// officeQuery is what an Office app asks an authorization endpoint for.
func officeQuery(client, redirect string) string {
	return url.Values{
		"client_id": {client}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {""}, "rs": {"en-US"}, "Build": {"16.1.1234"}, "Platform": {"davwopi"},
	}.Encode()
}
