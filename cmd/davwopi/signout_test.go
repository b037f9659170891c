package main

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

// TestSomebodyIsThrownOut: of one person everything ends, of the others nothing; a name that is several people's is asked
// back about.
func TestSomebodyIsThrownOut(t *testing.T) {
	h := sharingHouse(t)
	var err error
	h.phones, err = facade.New(t.Context(), h.db, h.sealer, facade.Facade{
		Base: h.config.PublicURL.URL, Clients: []facade.Client{{ID: "office", Redirects: []string{"https://localhost"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const file = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	type had struct{ cookie, token, password string }
	people := map[string]had{}
	enter := func(p oauth.Principal) {
		t.Helper()
		cookie, session, err := h.sessions.Start(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := h.tokens.Mint(t.Context(), access.Grant{File: file, Space: 1, Upstream: "main", Principal: p, Session: session, Rights: access.Edit})
		if err != nil {
			t.Fatal(err)
		}
		password, _, err := h.passwords.Make(t.Context(), p, "laptop")
		if err != nil {
			t.Fatal(err)
		}
		people[p.Subject] = had{cookie, token, password}
	}
	phone := oauth.Principal{Issuer: "https://id.example", Subject: "3", Name: "Pia", SignIn: "pia@example.test"}
	enter(oauth.Principal{Issuer: "https://id.example", Subject: "1", Name: "Mira", SignIn: "mira@example.test"})
	enter(oauth.Principal{Issuer: "https://id.example", Subject: "2", Name: "Mira", SignIn: "m@example.test"})
	enter(oauth.Principal{Issuer: "https://id.example", Subject: "4", Name: "Mo", SignIn: "m@example.test"})
	_, sealed, err := h.phones.Begin(t.Context(), url.Values{"client_id": {"office"}, "redirect_uri": {"https://localhost"}, "response_type": {"code"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	request, err := h.phones.Open(t.Context(), sealed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.phones.Allow(t.Context(), phone, request); err != nil {
		t.Fatal(err)
	}

	if out, err := h.signOut(t.Context(), signOutArguments{"Mira@example.test"}); err != nil || out.Browsers != 1 || out.Name != "Mira" {
		t.Errorf("%+v, %v", out, err)
	}
	for subject, in := range people {
		_, err1 := h.sessions.Get(t.Context(), in.cookie)
		_, err2 := h.tokens.Open(t.Context(), in.token, file)
		_, err3 := h.passwords.Check(t.Context(), in.password)
		for what, err := range map[string]error{"browser": err1, "document": err2, "app password": err3} {
			if (err != nil) != (subject == "1") {
				t.Errorf("%s of %s: %v", what, subject, err)
			}
		}
	}
	if _, err := h.signOut(t.Context(), signOutArguments{"m@example.test"}); err == nil || !strings.Contains(err.Error(), "2, 4") {
		t.Errorf("two people: %v", err)
	}
	if _, err := h.signOut(t.Context(), signOutArguments{"4"}); err != nil {
		t.Errorf("by the subject: %v", err)
	}
	if _, err := h.signOut(t.Context(), signOutArguments{"pia@example.test"}); err != nil {
		t.Errorf("of a phone only: %v", err)
	}
	if list, err := h.phones.People(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("a phone is still let in: %v, %v", list, err)
	}
	if _, err := h.signOut(t.Context(), signOutArguments{"nobody"}); err == nil || errors.Is(err, errUsage) {
		t.Errorf("nobody: %v", err)
	}
}

// TestThrownOutWhileAsking: a request with an app password that came in just before gets no
// access token afterwards.
func TestThrownOutWhileAsking(t *testing.T) {
	h := sharingHouse(t)
	mira := oauth.Principal{Issuer: "https://id.example", Subject: "1", Name: "Mira"}
	_, password, err := h.passwords.Make(t.Context(), mira, "laptop")
	if err != nil {
		t.Fatal(err)
	}
	mint := func() error {
		_, _, err := h.tokens.Mint(t.Context(), access.Grant{File: "aaaaaaaaaaaaaaaaaaaaaaaaaa", Space: 1, Upstream: "main",
			Principal: mira, Session: access.DAVPrefix + password.ID, Rights: access.Edit})
		return err
	}
	if err := mint(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.signOut(t.Context(), signOutArguments{"1"}); err != nil {
		t.Fatal(err)
	}
	if err := mint(); !errors.Is(err, access.ErrExpired) {
		t.Errorf("it got a token: %v", err)
	}
}

// TestAppPasswordsOfOthers: of somebody who is signed in, and later of whoever has one; signing out ends them.
func TestAppPasswordsOfOthers(t *testing.T) {
	h := sharingHouse(t)
	h.bridge.DAV = http.NotFoundHandler()
	ctx := t.Context()
	mira := oauth.Principal{Issuer: "https://id.example", Subject: "1", Name: "Mira", SignIn: "mira@example.test"}
	if _, err := h.newAppPassword(ctx, appPasswordArguments{Name: "laptop", User: "mira@example.test"}); err == nil {
		t.Error("made for somebody whom nobody knows")
	}
	_, session, err := h.sessions.Start(ctx, mira)
	if err != nil {
		t.Fatal(err)
	}
	made, err := h.newAppPassword(ctx, appPasswordArguments{Name: "laptop", User: "mira@example.test"})
	if err != nil || made.User != "1" {
		t.Fatalf("%+v, %v", made, err)
	}
	if err := h.sessions.End(ctx, session); err != nil {
		t.Fatal(err)
	}
	if p, err := h.checkAppPassword(ctx, "", made.Password); err != nil || p.Principal.Key() != mira.Key() {
		t.Errorf("%+v, %v", p, err)
	}
	if may, err := h.hasAppPassword(ctx, mira); !may || err != nil {
		t.Errorf("has one: %v, %v", may, err)
	}
	if may, err := h.hasAppPassword(ctx, owner()); may || err != nil {
		t.Errorf("the owner has none: %v, %v", may, err)
	}
	list, err := h.listAppPasswords(ctx, appPasswordArguments{User: "1"})
	if err != nil || len(list) != 1 || list[0].Label != "laptop" {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := h.revokeAppPassword(ctx, revokeArguments{ID: list[0].ID}); err == nil {
		t.Error("revoked as the owner's")
	}
	if _, err := h.signOut(ctx, signOutArguments{"mira@example.test"}); err != nil {
		t.Error(err)
	}
	if _, err := h.checkAppPassword(ctx, "", made.Password); !errors.Is(err, oauth.ErrAppPassword) {
		t.Errorf("after signing out: %v", err)
	}
}
