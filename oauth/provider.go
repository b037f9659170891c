package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// The times of what a provider says about itself.
const (
	metadataFresh = time.Hour
	firstRetry    = time.Second
	longestRetry  = 30 * time.Second
)

// A Provider is an OpenID Connect provider. It is asked who it is when that is first needed, and again after an
// hour; while it cannot be asked, what it said before counts. So the bridge starts with
// the provider down. Issuer, Transport and Now are set before first use; then it is safe for concurrent use. It
// must not be copied.
type Provider struct {
	Issuer    string            // as in the provider's own documents, to the slash
	Transport http.RoundTripper // nil: http.DefaultTransport
	Now       func() time.Time  // nil: time.Now

	once   sync.Once
	client *http.Client
	flight singleflight.Group

	mu    sync.Mutex
	said  *metadata
	got   time.Time
	next  time.Time // not before that is it asked again
	pause time.Duration
	fault error
}

// metadata is what a provider says of itself (OpenID Connect Discovery 1.0 section 3, RFC 8414).
type metadata struct {
	provider *oidc.Provider
	keys     *keySet
	inForm   atomic.Bool // our secret is taken from the form, and was not from the header

	Authorization      string   `json:"authorization_endpoint"`
	Token              string   `json:"token_endpoint"`
	UserInfo           string   `json:"userinfo_endpoint"`
	Introspection      string   `json:"introspection_endpoint"`
	Revocation         string   `json:"revocation_endpoint"`
	EndSession         string   `json:"end_session_endpoint"`
	Keys               string   `json:"jwks_uri"`
	TokenAuth          []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth  []string `json:"introspection_endpoint_auth_methods_supported"`
	IssuerInResponse   bool     `json:"authorization_response_iss_parameter_supported"`
	ChallengeMethods   []string `json:"code_challenge_methods_supported"`
	IDTokenAlgorithms  []string `json:"id_token_signing_alg_values_supported"`
	LogoutNotification bool     `json:"backchannel_logout_supported"`
}

func (p *Provider) prepare() {
	p.once.Do(func() {
		p.client = guarded(p.Transport)
		if p.Now == nil {
			p.Now = time.Now
		}
	})
}

// Reachable returns nil if the provider has said who it is within the last hour or does so now; else why not:
// an error that wraps [ErrProvider]. For doctor and /readyz.
func (p *Provider) Reachable(ctx context.Context) error {
	_, err := p.metadata(ctx)
	return err
}

// Endpoints are the addresses of the provider at which programs sign people in and get tokens.
func (p *Provider) Endpoints(ctx context.Context) (authorization, token string, err error) {
	said, err := p.metadata(ctx)
	if err != nil {
		return "", "", err
	}
	return said.Authorization, said.Token, nil
}

// metadata returns what the provider said last, asking when that is old.
func (p *Provider) metadata(ctx context.Context) (*metadata, error) {
	p.prepare()
	p.mu.Lock()
	now := p.Now()
	said, fault := p.said, p.fault
	due := (said == nil || now.Sub(p.got) >= metadataFresh) && !now.Before(p.next)
	p.mu.Unlock()
	switch {
	case !due && said != nil:
		return said, nil
	case !due:
		return nil, fault
	}
	done := p.flight.DoChan("", func() (any, error) { p.ask(); return nil, nil })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("oauth: asking the provider who it is: %w", ctx.Err())
	case <-done:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.said == nil {
		return nil, p.fault
	}
	return p.said, nil
}

// ask asks once, for everybody who waits.
func (p *Provider) ask() {
	p.mu.Lock()
	now := p.Now()
	justNow := now.Before(p.next) || p.said != nil && now.Sub(p.got) < metadataFresh
	p.mu.Unlock()
	if justNow {
		return // another one has come between
	}
	ctx, cancel := context.WithTimeout(context.Background(), providerTimeout)
	defer cancel()
	said, err := p.discover(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.Now()
	if err != nil {
		p.pause = min(max(2*p.pause, firstRetry), longestRetry)
		p.fault, p.next = err, now.Add(p.pause)
		return
	}
	if p.said != nil && p.said.Keys == said.Keys {
		said.keys = p.said.keys // keep what is known of them
	}
	p.said, p.fault, p.got, p.next, p.pause = said, nil, now, now, 0
}

func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	found, err := oidc.NewProvider(p.context(ctx), p.Issuer)
	if err != nil {
		return nil, providerFault(context.Background(), "who it is", err)
	}
	said := &metadata{provider: found}
	if err := found.Claims(said); err != nil {
		return nil, providerFault(context.Background(), "who it is", err)
	}
	if said.Authorization == "" || said.Token == "" || said.Keys == "" {
		return nil, because(ErrProvider, "its metadata name no authorization_endpoint, token_endpoint or jwks_uri")
	}
	said.keys = &keySet{client: p.client, url: said.Keys, now: p.Now}
	return said, nil
}

// context makes the libraries use our guarded client.
func (p *Provider) context(ctx context.Context) context.Context {
	p.prepare()
	return oidc.ClientContext(ctx, p.client)
}

// takesForm and takesHeader are the ways in which the token endpoint takes our secret (OpenID Connect Core 1.0 section 9).
func (m *metadata) takesForm() bool { return slices.Contains(m.TokenAuth, "client_secret_post") }
func (m *metadata) takesHeader() bool {
	return len(m.TokenAuth) == 0 || slices.Contains(m.TokenAuth, "client_secret_basic")
}

// exchange asks the token endpoint. A provider that takes secrets both ways may take ours one way only, as it is
// registered: what it refuses with invalid_client is asked the other way, which uses up no code. oauth2's own trying
// out would.
func (m *metadata) exchange(config oauth2.Config, ask func(oauth2.Config) (*oauth2.Token, error)) (*oauth2.Token, error) {
	token, err := ask(config)
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode == "invalid_client" && config.Endpoint.AuthStyle == oauth2.AuthStyleInHeader && m.takesForm() {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		if token, err = ask(config); err == nil {
			m.inForm.Store(true)
		}
	}
	return token, err
}

// config is the client of ours at the provider.
func (m *metadata) config(id, secret, redirect string, scopes []string) oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if secret == "" || m.inForm.Load() || !m.takesHeader() {
		style = oauth2.AuthStyleInParams
	}
	return oauth2.Config{
		ClientID: id, ClientSecret: secret, RedirectURL: redirect, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style},
	}
}
