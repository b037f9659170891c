package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A SignIn is the OpenID Connect provider at which people sign in.
type SignIn struct {
	Issuer   string // as it is configured
	Name     string // what people call it
	Callback string // our redirect URI
	Gone     string // where it sends people after sign-out
	Phones   bool   // Office on phones signs in there too, and takes its addresses apart
	HTTP     http.RoundTripper
}

// maxMetadata bounds what a provider says of itself, in bytes.
const maxMetadata = 256 << 10

// said is what a provider says of itself (OpenID Connect Discovery 1.0 section 3).
type said struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	EndSession    string   `json:"end_session_endpoint"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
}

// provider asks the provider who it is.
func (d *Doctor) provider(ctx context.Context) []Finding {
	s := d.SignIn
	through := &Doctor{HTTP: s.HTTP, Now: d.Now}
	if s.HTTP == nil {
		through.HTTP = d.HTTP
	}
	address := strings.TrimSuffix(s.Issuer, "/") + "/.well-known/openid-configuration"
	a, err := through.ask(ctx, http.MethodGet, address, "", nil, maxMetadata)
	switch {
	case err != nil:
		return []Finding{finding(Error, "sign_in", s.Issuer, "%s does not answer: %s. Nobody can sign in; who is signed in already stays so.", s.Name, why(err))}
	case a.status != http.StatusOK:
		return []Finding{finding(Error, "sign_in", s.Issuer, "%s has no OpenID Connect metadata at %s (status %d). The issuer is the address that its own pages for programs show, to the slash.", s.Name, address, a.status)}
	}
	var m said
	if json.Unmarshal(a.body, &m) != nil || m.Issuer == "" {
		return []Finding{finding(Error, "sign_in", s.Issuer, "What %s answers at %s is no OpenID Connect metadata.", s.Name, address)}
	}
	return append(s.judge(m), clock(s.Issuer, a.date, a.asked, false)...)
}

// judge looks at what the provider says.
func (s *SignIn) judge(m said) []Finding {
	if m.Issuer != s.Issuer {
		f := finding(Error, "sign_in", s.Issuer, "%s calls itself by another address than sign_in.oidc.issuer, so its word is not taken: they must be the same to the last character.", s.Name)
		if u, err := url.Parse(m.Issuer); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
			f = f.with("davwopi.yaml", fmt.Sprintf("sign_in:\n  oidc:\n    issuer: %q", u.String()))
		}
		return []Finding{f}
	}
	if m.Authorization == "" || m.Token == "" || m.Keys == "" {
		return []Finding{finding(Error, "sign_in", s.Issuer, "%s does not say where people sign in, where tokens are to be had, or with which keys it signs.", s.Name)}
	}
	found := []Finding{finding(OK, "sign_in", s.Issuer, "%s answers. Registered there must be the redirect URI %s and, for sign-out, the post-logout redirect URI %s.", s.Name, s.Callback, s.Gone)}
	if len(m.Algorithms) > 0 && !slices.ContainsFunc(m.Algorithms, func(a string) bool { return a != "none" && !strings.HasPrefix(a, "HS") }) {
		found[0] = finding(Error, "sign_in", s.Issuer, "%s signs with a shared secret only, which is not taken: set a signing key there (RS256, ES256).", s.Name)
	}
	if m.EndSession == "" {
		found = append(found, finding(Hint, "sign_out", s.Issuer, "%s has no sign-out for programs: who signs out here is still signed in there.", s.Name))
	}
	if s.Phones && strings.ContainsAny(m.Authorization+m.Token, "=,?\"") {
		found = append(found, finding(Error, "phones", s.Issuer, "The addresses of %s have = , or ?, at which Office on phones takes them apart: it cannot sign in there.", s.Name))
	}
	return found
}
