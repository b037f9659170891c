package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"davwopi/bridge/access"
	"davwopi/oauth"
)

// Throwing somebody out: a phone was lost, or somebody has left.

type signOutArguments struct{ Name string }

type signOutResult struct {
	Name     string
	Browsers int // that were signed in
}

// signOut ends at once whatever a person has opened anywhere: browsers, phones, documents, app passwords. What waits in the
// save journal is still delivered, so the tokens that the provider gave us for it stay.
func (h *house) signOut(ctx context.Context, in signOutArguments) (signOutResult, error) {
	p, err := h.whoIs(ctx, in.Name)
	if err != nil {
		return signOutResult{}, err
	}
	out := signOutResult{Name: p.Name}
	// In this order nothing that was on its way slips through.
	sessions, err := h.sessions.EndAll(ctx, p.Key())
	if err != nil {
		return out, err
	}
	out.Browsers = len(sessions)
	for _, session := range sessions {
		if err := h.tokens.SignedOut(ctx, session, nil); err != nil {
			return out, err
		}
	}
	programs, err := h.passwords.List(ctx, p.Key())
	if err != nil {
		return out, err
	}
	for _, with := range programs {
		if err := h.tokens.SignedOut(ctx, access.DAVPrefix+with.ID, nil); err != nil {
			return out, err
		}
	}
	if h.phones != nil {
		if err := h.phones.RevokeAll(ctx, p.Key()); err != nil {
			return out, err
		}
	}
	if h.docs != nil {
		if err := h.docs.Forget(ctx, p.Key()); err != nil {
			return out, err
		}
	}
	return out, errors.Join(h.tokens.RevokePrincipal(ctx, p.Key()), h.passwords.RevokeAll(ctx, p.Key()),
		h.upstreams.Credentials.DeleteAll(ctx, p.Key()))
}

// whoIs is the one person of that sign-in name or subject who is signed in anywhere, or has an app password.
func (h *house) whoIs(ctx context.Context, name string) (oauth.Principal, error) {
	places := []func(context.Context) ([]oauth.Principal, error){h.sessions.People, h.passwords.People}
	if h.phones != nil {
		places = append(places, h.phones.People)
	}
	var list []oauth.Principal
	for _, people := range places {
		more, err := people(ctx)
		if err != nil {
			return oauth.Principal{}, err
		}
		list = append(list, more...)
	}
	meant := h.person(name)
	byKey := map[string]oauth.Principal{}
	var said []string
	for _, p := range list {
		if p.Key() == meant.Key() || p.Subject == name {
			return p, nil // nobody else has that one
		}
		if name == p.Login || strings.EqualFold(name, p.SignIn) {
			byKey[p.Key()] = p
			said = append(said, p.Subject)
		}
	}
	slices.Sort(said)
	switch len(byKey) {
	case 0:
		return oauth.Principal{}, fmt.Errorf("nobody called %q is signed in", name)
	case 1:
		for _, p := range byKey {
			return p, nil
		}
	}
	return oauth.Principal{}, fmt.Errorf("several people are called %q; say which: %s", name, strings.Join(slices.Compact(said), ", "))
}

// signOutCommand is davwopi signout.
func signOutCommand(ctx context.Context, k *call) error {
	rest, err := k.parse(1, 1)
	if err != nil {
		return err
	}
	var out signOutResult
	if err := k.ask(ctx, "signout", signOutArguments{rest[0]}, &out); err != nil {
		return err
	}
	fmt.Fprintf(k.stdout, "%s is signed out everywhere: %d browsers, and every phone, open document and app password\n", out.Name, out.Browsers)
	return nil
}
