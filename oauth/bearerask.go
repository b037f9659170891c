package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// introspect asks the provider about a token (RFC 7662 section 2).
func (b *Bearer) introspect(ctx context.Context, token string) (checked, error) {
	address, inForm, err := b.introspectionAddress(ctx)
	if err != nil {
		return checked{}, err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if inForm {
		form.Set("client_id", b.ClientID)
		form.Set("client_secret", b.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return checked{}, providerFault(ctx, "introspection", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if !inForm {
		r.SetBasicAuth(url.QueryEscape(b.ClientID), url.QueryEscape(b.ClientSecret)) // RFC 6749 section 2.3.1
	}
	status, said, err := b.answer(ctx, r, "introspection")
	switch {
	case err != nil:
		return checked{}, err
	case status != http.StatusOK: // 401 is about our own secret, not about the token
		return checked{}, providerFault(ctx, "introspection", fmt.Errorf("status %d", status))
	}
	if active, _ := said["active"].(bool); !active {
		return checked{}, because(ErrBearer, "the provider says that it is not active")
	}
	if issuer := text(said, "iss"); issuer != "" && issuer != b.Provider.Issuer {
		return checked{}, because(ErrBearer, "of another issuer")
	}
	switch use := strings.ToLower(first(text(said, "token_use"), text(said, "typ"))); use {
	case "", "access_token", "access", "bearer", "at+jwt":
	default:
		return checked{}, because(ErrBearer, "no access token, says the provider")
	}
	if err := b.admits(said); err != nil {
		return checked{}, err
	}
	person, err := b.person(ctx, token, said)
	return checked{person: person, expires: b.expiry(said["exp"])}, err
}

// introspectionAddress is where to ask, and whether our secret goes into the form.
func (b *Bearer) introspectionAddress(ctx context.Context) (address string, inForm bool, err error) {
	said, err := b.Provider.metadata(ctx)
	if err != nil {
		return "", false, err
	}
	if address = first(b.Introspection, said.Introspection); address == "" {
		return "", false, because(ErrProvider, "it names no address for introspection")
	}
	ways := said.IntrospectionAuth
	if len(ways) == 0 {
		ways = said.TokenAuth
	}
	return address, !slices.Contains(ways, "client_secret_basic") && slices.Contains(ways, "client_secret_post"), nil
}

// expiry is an exp claim as a time; absent it is a day, which nobody relies on: it is asked again each minute.
func (b *Bearer) expiry(exp any) time.Time {
	limit := b.Provider.Now().Add(maxBearerExpiry)
	n, ok := exp.(json.Number)
	if !ok {
		return limit
	}
	seconds, err := n.Float64()
	if err != nil {
		return time.Time{}
	}
	if seconds > float64(limit.Unix()) {
		return limit
	}
	return time.Unix(int64(seconds), 0)
}

// askUserInfo takes a token for good if the provider answers with a person (OpenID Connect Core 1.0 section 5.3).
func (b *Bearer) askUserInfo(ctx context.Context, token string) (checked, error) {
	said, err := b.userInfo(ctx, token)
	if err != nil {
		return checked{}, err
	}
	person, err := b.told(said)
	if err != nil {
		return checked{}, err
	}
	return checked{person: person, expires: b.Provider.Now().Add(maxBearerExpiry)}, nil
}

// userInfo asks whose token it is. 401 and 403 are about the token; everything else about the provider.
func (b *Bearer) userInfo(ctx context.Context, token string) (map[string]any, error) {
	meta, err := b.Provider.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if meta.UserInfo == "" {
		return nil, because(ErrProvider, "it names no address for userinfo")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, meta.UserInfo, nil)
	if err != nil {
		return nil, providerFault(ctx, "userinfo", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/json")
	status, said, err := b.answer(ctx, r, "userinfo")
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return nil, because(ErrBearer, "the provider does not accept it")
	case status != http.StatusOK:
		return nil, providerFault(ctx, "userinfo", fmt.Errorf("status %d", status))
	}
	return said, nil
}

// answer sends r and reads a JSON object from a 200.
func (b *Bearer) answer(ctx context.Context, r *http.Request, what string) (int, map[string]any, error) {
	resp, err := b.Provider.client.Do(r)
	if err != nil {
		return 0, nil, providerFault(ctx, what, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, providerFault(ctx, what, err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil, nil
	}
	said, err := decodeClaims(raw)
	if err != nil {
		return 0, nil, providerFault(ctx, what, fmt.Errorf("no JSON object"))
	}
	return resp.StatusCode, said, nil
}
