package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"davwopi/bridge/words"
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
		return []Finding{finding(Error, "sign_in", s.Issuer, words.Say("found.provider.silent", "name", s.Name, "why", why(err)))}
	case a.status != http.StatusOK:
		return []Finding{finding(Error, "sign_in", s.Issuer, words.Say("found.provider.no_metadata", "name", s.Name, "address", address, "status", a.status))}
	}
	var m said
	if json.Unmarshal(a.body, &m) != nil || m.Issuer == "" {
		return []Finding{finding(Error, "sign_in", s.Issuer, words.Say("found.provider.other_answer", "name", s.Name, "address", address))}
	}
	return append(s.judge(m), clock(s.Issuer, a.date, a.asked, false)...)
}

// judge looks at what the provider says.
func (s *SignIn) judge(m said) []Finding {
	if m.Issuer != s.Issuer {
		f := finding(Error, "sign_in", s.Issuer, words.Say("found.provider.other_issuer", "name", s.Name))
		if u, err := url.Parse(m.Issuer); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
			f = f.with(yaml(fmt.Sprintf("sign_in:\n  oidc:\n    issuer: %q", u.String())))
		}
		return []Finding{f}
	}
	if m.Authorization == "" || m.Token == "" || m.Keys == "" {
		return []Finding{finding(Error, "sign_in", s.Issuer, words.Say("found.provider.incomplete", "name", s.Name))}
	}
	found := []Finding{finding(OK, "sign_in", s.Issuer, words.Say("found.provider.fine", "name", s.Name, "callback", s.Callback, "gone", s.Gone))}
	if len(m.Algorithms) > 0 && !slices.ContainsFunc(m.Algorithms, func(a string) bool { return a != "none" && !strings.HasPrefix(a, "HS") }) {
		found[0] = finding(Error, "sign_in", s.Issuer, words.Say("found.provider.shared_secret", "name", s.Name))
	}
	if m.EndSession == "" {
		found = append(found, finding(Hint, "sign_out", s.Issuer, words.Say("found.provider.no_sign_out", "name", s.Name)))
	}
	if s.Phones && strings.ContainsAny(m.Authorization+m.Token, "=,?\"") {
		found = append(found, finding(Error, "phones", s.Issuer, words.Say("found.provider.phones", "name", s.Name)))
	}
	return found
}
