package wopi

import (
	"net/url"
	"strings"
)

// The operations of the bootstrapper.
const (
	OpBootstrap         Operation = "Bootstrap"
	OpGetNewAccessToken Operation = "GetNewAccessToken"
)

// Bootstrap says who somebody is and where the ecosystem is.
type Bootstrap struct {
	EcosystemUrl     string `json:"EcosystemUrl"` // with an access_token
	UserId           string `json:"UserId"`       // that of CheckFileInfo
	SignInName       string `json:"SignInName"`   // tells a person's accounts apart
	UserFriendlyName string `json:"UserFriendlyName,omitempty"`
}

// A BootstrapInfo is an answer of the bootstrapper: Bootstrap, and what a shortcut operation adds.
type BootstrapInfo struct {
	Bootstrap         Bootstrap        `json:"Bootstrap"`
	RootContainerInfo *RootContainer   `json:"RootContainerInfo,omitempty"`
	AccessTokenInfo   *AccessTokenInfo `json:"AccessTokenInfo,omitempty"`
	WopiSrcInfo       *URLInfo         `json:"WopiSrcInfo,omitempty"`
}

// AccessTokenInfo is what GetNewAccessToken adds.
type AccessTokenInfo struct {
	AccessToken       string `json:"AccessToken"`
	AccessTokenExpiry int64  `json:"AccessTokenExpiry"` // ms since epoch, as access_token_ttl
}

// A Challenge is the WWW-Authenticate of the bootstrapper's 401. Office takes it apart at "=" and ",", so that no value
// may hold either.
type Challenge struct {
	Authorization string // OAuth2 authorization endpoint
	Token         string // OAuth2 token endpoint
	ProviderID    string // as registered with Microsoft, "" none
	URLSchemes    string // JSON, "" none
}

// Header is the value of WWW-Authenticate. It is "" if one of the addresses cannot be told to Office: empty, or with
// characters at which Office would take it apart.
func (c Challenge) Header() string {
	for _, address := range []string{c.Authorization, c.Token} {
		if address == "" || strings.ContainsAny(address, "=,\"\\?") {
			return ""
		}
	}
	s := `Bearer authorization_uri="` + c.Authorization + `",tokenIssuance_uri="` + c.Token + `"`
	if c.ProviderID != "" {
		s += `,providerId="` + c.ProviderID + `"`
	}
	if c.URLSchemes != "" {
		s += `,UrlSchemes="` + strings.ReplaceAll(url.QueryEscape(c.URLSchemes), "+", "%20") + `"`
	}
	return s
}
