package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/config"
	"davwopi/oauth"
)

// TestGuestsWhoWouldSeeNothing: a configuration that invites them and shuts them out is
// refused, by its key.
func TestGuestsWhoWouldSeeNothing(t *testing.T) {
	for yaml, bad := range map[string]bool{
		"":                                     false,
		"access: [{who: ['*'], rights: view}]": false,
		"access: [{who: ['*'], rights: none}, {who: [owner], rights: edit}]":                                                    true,
		"access: [{who: ['*'], rights: none}, {who: ['group:guests'], path: /Shared, rights: view}]":                            false,
		"access: [{who: ['*'], rights: none, upstream: b}, {who: ['*'], rights: none, upstream: a}]\n" + twoUpstreams:           true,
		"access: [{who: ['*'], rights: none, upstream: b}]\n" + twoUpstreams:                                                    true,
		"access: [{who: ['*'], rights: none, upstream: b}, {who: ['*'], path: /c, rights: edit, upstream: b}]\n" + twoUpstreams: false,
	} {
		file := filepath.Join(t.TempDir(), "davwopi.yaml")
		if err := os.WriteFile(file, []byte(yaml+"\nsharing: {anonymous: true}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs strings.Builder
		status := run(t.Context(), []string{"config", "check", "-config", file}, surroundings{stdout: &out, stderr: &errs})
		said := strings.Contains(errs.String(), "sharing.anonymous: true, but the access rules show guests nothing")
		if bad != said || bad != (status == exitUsage) {
			t.Errorf("%s: %d %s%s", yaml, status, &out, &errs)
		}
	}
}

// twoUpstreams are one where everybody has an account of their own, and one where not.
const twoUpstreams = `upstreams:
- {name: a, url: 'https://nas.test/', auth: user, roots: shared}
- {name: b, url: 'https://other.test/'}
sign_in: {upstream: a}`

// TestTheDaemonRefusesToInviteNobody: serve says the same as config check.
func TestTheDaemonRefusesToInviteNobody(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "davwopi.yaml")
	yaml := "listen: 127.0.0.1:0\nstate: " + dir + "/state\ndir: " + dir + "/documents\naccess: [{who: ['*'], rights: none}]\nsharing: {anonymous: true}\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	status := run(t.Context(), []string{"serve", "-config", file}, surroundings{stdout: &out, stderr: &errs})
	if status != exitUsage || !strings.Contains(errs.String(), "sharing.anonymous: true, but") {
		t.Errorf("%d %s", status, &errs)
	}
}

// TestEditorsAskForOneLink: however often, and it needs a sign-in.
func TestEditorsAskForOneLink(t *testing.T) {
	h := sharingHouse(t)
	q := &endpoint.Request{File: "aaaaaaaaaaaaaaaaaaaaaaaaaa", Grant: access.Grant{
		Space: 1, Upstream: "main", Principal: oauth.Principal{Issuer: "link", Subject: "owner", Name: "Jo"},
	}}
	links := map[string]bool{}
	for i := range 6 {
		link, err := h.share(t.Context(), q, i%2 == 1)
		if err != nil || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/s/wbs_[A-Za-z0-9_-]{43}$`).MatchString(link) {
			t.Fatalf("%q, %v", link, err)
		}
		links[link] = true
	}
	if len(links) != 2 {
		t.Errorf("%d links", len(links))
	}
	list, err := h.listShares(t.Context(), struct{}{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, s := range list {
		if s.For != "people who sign in" || s.By != "Jo" || s.Expires != "never" || s.Path != "(deleted)" {
			t.Errorf("%+v", s)
		}
	}
}

// sharingHouse is a whole house over an empty folder.
func sharingHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	c, err := config.Load("", nil, config.Overrides{
		"listen": "127.0.0.1:1", "state": filepath.Join(dir, "state"), "dir": filepath.Join(dir, "documents"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Listening(c.Listen)
	log, loud := newLog(c, t.Output())
	h, err := build(t.Context(), c, log, loud, "")
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
