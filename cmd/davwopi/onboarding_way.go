package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
)

// tryPage looks at the page that Office shows.
func (a *attempt) tryPage(ctx context.Context) (string, error) {
	if a.signIn == "" {
		return "", fmt.Errorf("%w: nothing leads to it", errNotTried)
	}
	got, err := a.ask(ctx, http.MethodGet, a.signIn, nil)
	if err != nil {
		return "", err
	}
	if to, err := url.Parse(got.header.Get("Location")); err == nil && got.status/100 == 3 && to.Host != "" {
		return "it is that of " + to.Host + ": look at it on a phone", nil
	}
	if got.status != http.StatusOK {
		return "", fmt.Errorf("answered %d", got.status)
	}
	if !strings.Contains(string(got.body), `name="viewport"`) {
		return "", errors.New("the page does not say that it fits a phone: something rewrites it on the way")
	}
	if p := a.h.config.PrivacyURL.URL; p != nil && !strings.Contains(html.UnescapeString(string(got.body)), `href="`+p.String()+`"`) {
		return "", errors.New("the page has no link to privacy_url: something rewrites it on the way")
	}
	return "it is davwopi's own, and fits windows from 320 pixels", nil
}

func (a *attempt) tryPrivacy(ctx context.Context) (string, error) {
	p := a.h.config.PrivacyURL.URL
	if p == nil {
		return "", fmt.Errorf("%w: privacy_url is not set", errNotTried)
	}
	got, err := a.ask(ctx, http.MethodGet, p.String(), nil)
	if err != nil {
		return "", err
	}
	if got.status >= 400 {
		return "", fmt.Errorf("%s answers %d", p, got.status)
	}
	return "it is there", nil
}

// trySecret asks the token endpoint as a program that nobody knows.
func (a *attempt) trySecret(ctx context.Context) (string, error) {
	if a.h.phones == nil || a.give == "" {
		return "", fmt.Errorf("%w: that is your provider's", errNotTried)
	}
	got, err := a.ask(ctx, http.MethodPost, a.give, url.Values{"grant_type": {"authorization_code"}, "client_id": {"davwopi-onboarding"}, "client_secret": {"x"}, "code": {"x"}})
	if err != nil {
		return "", err
	}
	if got.status != http.StatusUnauthorized || !strings.Contains(string(got.body), "invalid_client") {
		return "", fmt.Errorf("answered %d; it has to be 401 with invalid_client", got.status)
	}
	return "refused", nil
}

// enter says yes for a person and keeps the code, without Office asking anybody.
func (a *attempt) enter(ctx context.Context) (err error) {
	if a.who, err = a.h.whose(ctx, a.user); err != nil {
		return err
	}
	to, err := url.Parse(a.signIn)
	if err != nil {
		return err
	}
	next := to.Path
	if to.Query().Has("next") {
		next = to.Query().Get("next")
	}
	request, err := a.h.phones.Open(ctx, next[strings.LastIndexByte(next, '/')+1:])
	if err != nil {
		return err
	}
	back, err := a.h.phones.Rehearse(ctx, a.who, request)
	if err != nil {
		return err
	}
	_, query, _ := strings.Cut(strings.TrimPrefix(back, request.Redirect), "?")
	if query == "" {
		query = strings.TrimPrefix(back, request.Redirect)
	}
	q, err := url.ParseQuery(query)
	a.code, a.context = q.Get("code"), q.Get("sc")
	return err
}

// given asks the token endpoint with our client's secret.
func (a *attempt) given(ctx context.Context, form url.Values) error {
	if a.give != a.h.phones.TokenURL() {
		return errors.New("the challenge names another address for tokens than ours: something rewrites it on the way, and would get the secret")
	}
	id, _, secret := a.client()
	form.Set("client_id", id)
	form.Set("client_secret", secret)
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
	}
	if err := a.json(ctx, &tokens, http.MethodPost, a.give, form, "X-WOPI-SessionContext", a.context); err != nil {
		return err
	}
	if tokens.Access == "" || tokens.Refresh == "" || !strings.EqualFold(tokens.Type, "bearer") {
		return errors.New("the answer lacks a token")
	}
	a.access, a.refresh = tokens.Access, tokens.Refresh
	return nil
}

func (a *attempt) tryToken(ctx context.Context) (string, error) {
	_, redirect, secret := a.client()
	switch {
	case a.h.phones == nil:
		return "", fmt.Errorf("%w: in direct mode only Office has the secret", errNotTried)
	case secret == "":
		return "", fmt.Errorf("%w: of the secret only its hash is here", errNotTried)
	case a.user == "" && a.h.config.SignIn.Kind != "link":
		return "", fmt.Errorf("%w: say as whom, who has to be signed in: -user NAME", errNotTried)
	case a.signIn == "":
		return "", fmt.Errorf("%w: nothing leads to sign-in", errNotTried)
	}
	if err := a.enter(ctx); err != nil {
		return "", err
	}
	if err := a.given(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {a.code}, "redirect_uri": {redirect}}); err != nil {
		return "", err
	}
	return "given, with a refresh token", nil
}

// bearer are the headers with the token; an error if there is none.
func (a *attempt) bearer(more ...string) ([]string, error) {
	if a.access == "" {
		return nil, fmt.Errorf("%w: there is no token", errNotTried)
	}
	return append([]string{"Authorization", "Bearer " + a.access, "X-WOPI-SessionContext", a.context}, more...), nil
}

func (a *attempt) tryBootstrap(ctx context.Context) (string, error) {
	header, err := a.bearer()
	if err != nil {
		return "", err
	}
	var got struct {
		Bootstrap struct{ EcosystemUrl, UserId, SignInName string }
	}
	if err := a.json(ctx, &got, http.MethodGet, a.bootstrapper(), nil, header...); err != nil {
		return "", err
	}
	if b := got.Bootstrap; b.EcosystemUrl == "" || b.UserId != a.who.UserID() || b.SignInName == "" {
		return "", errors.New("the profile is not whole")
	}
	return "signed in as " + got.Bootstrap.SignInName, nil
}

func (a *attempt) tryRoot(ctx context.Context) (string, error) {
	header, err := a.bearer("X-WOPI-EcosystemOperation", "GET_ROOT_CONTAINER")
	if err != nil {
		return "", err
	}
	var got struct{ RootContainerInfo rootContainer }
	if err := a.json(ctx, &got, http.MethodPost, a.bootstrapper(), nil, header...); err != nil {
		return "", err
	}
	own := a.h.config.PublicURL.JoinPath("wopi").String() + "/"
	if !strings.HasPrefix(got.RootContainerInfo.ContainerPointer.Url, own) {
		return "", errors.New("there is no root folder below " + own)
	}
	a.root = got.RootContainerInfo
	return "it is called " + a.root.ContainerPointer.Name, nil
}

// needsRoot is why something cannot be tried without the root.
func (a *attempt) needsRoot() error {
	if a.root.ContainerPointer.Url == "" {
		return fmt.Errorf("%w: the root folder is not known", errNotTried)
	}
	return nil
}

func (a *attempt) tryChildren(ctx context.Context) (string, error) {
	if err := a.needsRoot(); err != nil {
		return "", err
	}
	var got struct {
		ChildContainers, ChildFiles []struct{ Name, Url string }
	}
	if err := a.json(ctx, &got, http.MethodGet, strings.Replace(a.root.ContainerPointer.Url, "?", "/children?", 1), nil); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d folders and %d files in the root folder", len(got.ChildContainers), len(got.ChildFiles)), nil
}

func (a *attempt) tryCreate(context.Context) (string, error) {
	if err := a.needsRoot(); err != nil {
		return "", err
	}
	if !a.root.ContainerInfo.UserCanCreateChildFile {
		return "", errors.New("this person may make no files there: take somebody who may")
	}
	return "allowed", nil
}

func (a *attempt) tryLicence(context.Context) (string, error) {
	if err := a.needsRoot(); err != nil {
		return "", err
	}
	if a.root.ContainerInfo.LicenseCheckForEditIsEnabled != a.h.config.WOPI.BusinessUsers {
		return "", errors.New("what is told is not what wopi.business_users says")
	}
	if a.h.config.WOPI.BusinessUsers {
		return "people are told to be business users", nil
	}
	return "people are told to be consumers", nil
}

func (a *attempt) tryRenewal(ctx context.Context) (string, error) {
	if err := a.needsRoot(); err != nil {
		return "", err
	}
	source, _, _ := strings.Cut(a.root.ContainerPointer.Url, "?")
	header, err := a.bearer("X-WOPI-EcosystemOperation", "GET_NEW_ACCESS_TOKEN", "X-WOPI-WopiSrc", source)
	if err != nil {
		return "", err
	}
	var got struct {
		AccessTokenInfo struct {
			AccessToken       string
			AccessTokenExpiry int64
		}
	}
	if err := a.json(ctx, &got, http.MethodPost, a.bootstrapper(), nil, header...); err != nil {
		return "", err
	}
	var info struct{ Name string }
	if err := a.json(ctx, &info, http.MethodGet, source+"?access_token="+url.QueryEscape(got.AccessTokenInfo.AccessToken), nil); err != nil {
		return "", fmt.Errorf("with the new token: %w", err)
	}
	return "given, and good", nil
}

func (a *attempt) tryRefresh(ctx context.Context) (string, error) {
	if a.refresh == "" {
		return "", fmt.Errorf("%w: there is no token", errNotTried)
	}
	if err := a.given(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.refresh}}); err != nil {
		return "", err
	}
	header, err := a.bearer()
	if err != nil {
		return "", err
	}
	if got, err := a.ask(ctx, http.MethodGet, a.bootstrapper(), nil, header...); err != nil || got.status != http.StatusOK {
		return "", errors.Join(fmt.Errorf("with the new access token: %d", got.status), err)
	}
	return "exchanged, and the new access token is good", nil
}

// tryEnd revokes what was given, and sees that the phone would be asked to sign in again.
func (a *attempt) tryEnd(ctx context.Context) (string, error) {
	header, err := a.bearer()
	if err != nil {
		return "", err
	}
	id, _, secret := a.client()
	revoke := a.h.config.PublicURL.JoinPath("oauth2", "revoke").String()
	if got, err := a.ask(ctx, http.MethodPost, revoke, url.Values{"client_id": {id}, "client_secret": {secret}, "token": {a.refresh}}); err != nil || got.status != http.StatusOK {
		return "", errors.Join(fmt.Errorf("revoking: %d", got.status), err)
	}
	got, err := a.ask(ctx, http.MethodGet, a.bootstrapper(), nil, header...)
	if err != nil {
		return "", err
	}
	if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
		return "", fmt.Errorf("after it the bootstrapper answers %d, and Office would not ask to sign in", got.status)
	}
	return "after it Office is told to ask for a new sign-in", nil
}
