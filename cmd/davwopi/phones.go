package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/config"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

// openPhones makes the endpoints at which Office on phones signs people in, if they are configured.
func (h *house) openPhones(ctx context.Context) (err error) {
	c := h.config.OAuth
	if c.Mode != "facade" {
		return nil
	}
	f := facade.Facade{
		Base: h.config.PublicURL.URL, TokenHint: c.TokenHint, ExpiresAsText: c.ExpiresInAsText, Alive: h.mayStillComeIn, Ended: h.phoneEnds, Audit: h.auditPhones,
	}
	for i, k := range c.Clients {
		secrets, err := secretsOf(k)
		if err != nil {
			return fmt.Errorf("oauth.clients[%d]: %w", i, err)
		}
		f.Clients = append(f.Clients, facade.Client{ID: k.ID, Name: k.Name, Secrets: secrets, Redirects: k.Redirects})
	}
	h.phones, err = facade.New(ctx, h.db, h.sealer, f)
	return err
}

// secretsOf are the hashes of a program's secrets.
func secretsOf(k config.OAuthClient) (list [][32]byte, err error) {
	for _, text := range k.SecretSHA256 {
		var sum [32]byte
		if _, err := hex.Decode(sum[:], []byte(text)); err != nil {
			return nil, err
		}
		list = append(list, sum)
	}
	if k.SecretFile == "" {
		return list, nil
	}
	f, err := openSecret(k.SecretFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case len(line) < facade.MinSecret:
			return nil, fmt.Errorf("secret_file: a secret of %d characters can be guessed: take %d or more, at random", len(line), facade.MinSecret)
		default:
			list = append(list, facade.SecretHash(line))
		}
	}
	if len(list) == 0 {
		return nil, errors.New("secret_file holds no secret")
	}
	return list, nil
}

// phoneEnds ends what was made on the strength of a family's tokens.
func (h *house) phoneEnds(ctx context.Context, family string) error {
	return h.sessionEnds(ctx, access.PhonePrefix+family)
}

// sessionEnds ends the access tokens of a session ([access.Grant.Session]). What is being edited can still be saved.
func (h *house) sessionEnds(ctx context.Context, session string) error {
	members, err := h.locks.Members(ctx)
	if err != nil {
		return err
	}
	return h.tokens.SignedOut(ctx, session, members)
}

// mayStillComeIn asks whoever knows whether a person may come in: the sign-in provider, or an upstream that wants to see
// each person's own password. Where nobody knows, nothing ends. It returns them with the groups of now.
func (h *house) mayStillComeIn(ctx context.Context, p oauth.Principal) (oauth.Principal, error) {
	if h.people != nil && p.Issuer == h.issuer() {
		now, err := h.people.Again(ctx, p)
		if errors.Is(err, oauth.ErrNoCredential) {
			return p, fmt.Errorf("%w: %w", facade.ErrGone, err)
		}
		if err != nil {
			return p, err
		}
		p = now
	}
	for _, up := range h.upstreams.List {
		if up.Service != nil {
			continue
		}
		view, err := h.upstreams.View(ctx, up.Name, p)
		if err == nil {
			_, err = view.Stat(ctx, dav.Root)
		}
		switch {
		case errors.Is(err, access.ErrNeedsSignIn), errors.Is(err, dav.ErrUnauthorized):
			return p, fmt.Errorf("%w: %w", facade.ErrGone, err)
		case err != nil && !errors.Is(err, dav.ErrDenied):
			return p, err
		}
	}
	return p, nil
}

// launching is how people's own Office apps reach documents: for the links that start them.
func (h *house) launching() web.Launching {
	c := h.config
	l := web.Launching{Desktop: map[string]web.Desktop{}, Backs: slices.Concat(c.OAuth.URLSchemes.IOS, c.OAuth.URLSchemes.UWP)}
	if c.OAuth.Mode != "off" {
		l.Provider = c.OAuth.ProviderID
	}
	for _, up := range c.Upstreams {
		switch {
		case up.DesktopURL.URL != nil:
			l.Desktop[up.Name] = web.Desktop{Root: up.DesktopURL.URL}
		case up.Expose && c.PublicURL.Scheme == "https":
			l.Desktop[up.Name] = web.Desktop{Root: c.PublicURL.JoinPath("dav/"), May: h.hasAppPassword}
		}
	}
	return l
}

func (h *house) hasAppPassword(ctx context.Context, who oauth.Principal) (bool, error) {
	list, err := h.passwords.List(ctx, who.Key())
	return len(list) > 0, err
}

// auditPhones logs what the token endpoint was asked for.
func (h *house) auditPhones(_ context.Context, client, grant string, err error) {
	line := h.log.Info()
	if err != nil {
		line = h.log.Warn().Str("cause", bridge.Cause(err))
	}
	line.Str("client", client).Str("grant", grant).Msg("token endpoint")
}

// cleanPhones forgets what is over.
func (h *house) cleanPhones(ctx context.Context) error {
	if h.phones == nil {
		return nil
	}
	return h.phones.Clean(ctx)
}
