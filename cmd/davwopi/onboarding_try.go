package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/web"
	"davwopi/oauth"
)

// The bounds of one trial's request.
const (
	trialLimit = 15 * time.Second
	trialBody  = 1 << 20
)

// errNotTried is why something could not even be tried.
var errNotTried = errors.New("not tried")

// An attempt is the way of a phone over the public address, without a phone.
type attempt struct {
	h      *house
	web    *http.Client
	user   string // as whom, "" the owner
	trials map[string]trial

	who             oauth.Principal
	authorize, give string // endpoints, as the challenge names them
	signIn          string // where the request for sign-in leads
	code, context   string
	access, refresh string
	root            rootContainer
}

// rootContainer is what the bootstrapper says of the root.
type rootContainer struct {
	ContainerPointer struct{ Name, Url string } // Url with its token
	ContainerInfo    struct{ UserCanCreateChildFile, LicenseCheckForEditIsEnabled bool }
}

// tryPhone tries everything, in the order in which a phone comes by.
func (h *house) tryPhone(ctx context.Context, user string) map[string]trial {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	a := &attempt{h: h, user: user, trials: map[string]trial{}, web: &http.Client{
		Transport: transport, Timeout: trialLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"icons", a.tryIcons},
		{"challenge without a token", a.tryChallenge},
		{"request for sign-in", a.tryAuthorize},
		{"redirect URI of somebody else", a.tryRedirect},
		{"page for sign-in", a.tryPage},
		{"link to the privacy statement", a.tryPrivacy},
		{"wrong secret", a.trySecret},
		{"code for a token", a.tryToken},
		{"bootstrap", a.tryBootstrap},
		{"root folder", a.tryRoot},
		{"browsing", a.tryChildren},
		{"new files in the root folder", a.tryCreate},
		{"licence", a.tryLicence},
		{"another WOPI token", a.tryRenewal},
		{"refresh token", a.tryRefresh},
		{"end of a sign-in", a.tryEnd},
	} {
		words, err := step.do(ctx)
		t := trial{step.name, trialOK, words}
		switch {
		case errors.Is(err, errNotTried):
			t.Outcome, t.Words = notTried, strings.TrimPrefix(err.Error(), errNotTried.Error()+": ")
		case err != nil:
			t.Outcome, t.Words = trialWrong, reason(err)
		}
		a.trials[step.name] = t
	}
	return a.trials
}

// reason is an error without the address that was asked, which may hold a token.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return bridge.Cause(u.Err)
	}
	return err.Error()
}

// A reply is what was answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (a *attempt) ask(ctx context.Context, method, address string, form url.Values, header ...string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, errors.New("not an address")
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := a.web.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, trialBody))
	return reply{resp.StatusCode, resp.Header, body}, err
}

// json asks for an answer of 200 in JSON.
func (a *attempt) json(ctx context.Context, into any, method, address string, form url.Values, header ...string) error {
	got, err := a.ask(ctx, method, address, form, header...)
	switch {
	case err != nil:
		return err
	case got.status != http.StatusOK:
		return fmt.Errorf("answered %d", got.status)
	case !strings.HasPrefix(got.header.Get("Content-Type"), "application/json"):
		return fmt.Errorf("answered as %q, not application/json", got.header.Get("Content-Type"))
	case json.Unmarshal(got.body, into) != nil:
		return errors.New("answered what is no JSON")
	}
	return nil
}

func (a *attempt) bootstrapper() string {
	return a.h.config.PublicURL.JoinPath("wopibootstrapper").String()
}

func (a *attempt) tryIcons(ctx context.Context) (string, error) {
	for _, px := range web.LogoSizes {
		got, err := a.ask(ctx, http.MethodGet, a.h.pages.LogoURL(px), nil)
		if err != nil {
			return "", err
		}
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "image/png" {
			return "", fmt.Errorf("%s: %d, %s", a.h.pages.LogoURL(px), got.status, got.header.Get("Content-Type"))
		}
	}
	return fmt.Sprintf("%d PNG with a white border", len(web.LogoSizes)), nil
}

// tryChallenge takes the challenge apart as Office does: every "Bearer" away, then at "," and "=".
func (a *attempt) tryChallenge(ctx context.Context) (string, error) {
	got, err := a.ask(ctx, http.MethodGet, a.bootstrapper(), nil)
	if err != nil {
		return "", err
	}
	challenges := got.header.Values("WWW-Authenticate")
	if got.status != http.StatusUnauthorized || len(challenges) != 1 {
		return "", fmt.Errorf("answered %d with %d challenges; it has to be 401 with one", got.status, len(challenges))
	}
	for pair := range strings.SplitSeq(strings.ReplaceAll(challenges[0], "Bearer", ""), ",") {
		sides := strings.Split(pair, "=")
		if len(sides) != 2 {
			return "", errors.New("the challenge would be taken apart wrongly by Office: something rewrites it on the way")
		}
		switch value := strings.Trim(sides[1], `"`); strings.TrimSpace(sides[0]) {
		case "authorization_uri":
			a.authorize = value
		case "tokenIssuance_uri":
			a.give = value
		}
	}
	if a.authorize == "" || a.give == "" {
		return "", errors.New("the challenge lacks an endpoint")
	}
	return "sign-in at " + a.authorize, nil
}

// client is the program as which we ask: its ID, a redirect URI, and its secret, "" if only a hash is known.
func (a *attempt) client() (id, redirect, secret string) {
	c := a.h.config.OAuth
	if c.Mode == "direct" {
		if len(c.Bearer.AllowedClients) > 0 {
			id = c.Bearer.AllowedClients[0]
		}
		return id, "https://localhost", ""
	}
	k := c.Clients[0]
	if text, err := os.ReadFile(k.SecretFile); err == nil {
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" {
				secret = line
			}
		}
	}
	return k.ID, k.Redirects[0], secret
}

// tryAuthorize sends Office's own request.
func (a *attempt) tryAuthorize(ctx context.Context) (string, error) {
	if a.authorize == "" {
		return "", fmt.Errorf("%w: the challenge did not say where", errNotTried)
	}
	id, redirect, _ := a.client()
	if id == "" {
		return "", fmt.Errorf("%w: it is not known as which client", errNotTried)
	}
	got, err := a.ask(ctx, http.MethodGet, a.authorize+"?"+officeQuery(id, redirect), nil, "Accept-Language", "en-US")
	if err != nil {
		return "", err
	}
	to, _ := url.Parse(got.header.Get("Location"))
	switch {
	case got.status >= 400:
		return "", fmt.Errorf("answered %d", got.status)
	case to != nil && to.Query().Get("error") != "":
		return "", fmt.Errorf("refused: %s", to.Query().Get("error"))
	case got.status/100 != 3 || to == nil:
		return "answered with a page", nil
	}
	base, err := url.Parse(a.authorize)
	if err != nil {
		return "", err
	}
	a.signIn = base.ResolveReference(to).String()
	return "leads to the page for sign-in", nil
}

// tryRedirect asks with a redirect URI that is not the program's.
func (a *attempt) tryRedirect(ctx context.Context) (string, error) {
	id, redirect, _ := a.client()
	if a.h.phones == nil || a.authorize == "" {
		return "", fmt.Errorf("%w: that is your provider's", errNotTried)
	}
	got, err := a.ask(ctx, http.MethodGet, a.authorize+"?"+officeQuery(id, redirect+"x"), nil)
	if err != nil {
		return "", err
	}
	if got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
		return "", fmt.Errorf("answered %d; it has to be 400 and no redirect", got.status)
	}
	return "refused on a page, and nothing is sent there", nil
}
