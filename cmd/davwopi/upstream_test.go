package main

import (
	"errors"
	"net/url"
	"testing"

	"davwopi/bridge/access"
	"davwopi/config"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// TestPeopleOfACloud: only the cloud's address is configured; everybody who signs in
// with the name and password there sees their own files, and nobody else gets in.
func TestPeopleOfACloud(t *testing.T) {
	cloud := upstream.Nextcloud(t, "/cloud")
	ben := cloud.AddAccount(t, "ben@example.org", "ben", "ben's")
	cloud.Write(t, "of ann.txt", "a")
	ben.Write(t, "of ben.txt", "b")
	base, err := url.Parse(cloud.Base)
	if err != nil {
		t.Fatal(err)
	}
	up, err := newUpstream(&config.Upstream{Name: "main", URL: config.URL{URL: base}, Auth: "user", Roots: "per_user"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Client.CloseIdle)
	h := &house{config: &config.Config{SignIn: config.SignIn{Upstream: "main"}}, upstreams: &access.Upstreams{List: []*access.Upstream{up}}}
	for name, cred := range map[string]davbackend.Credential{"/of ann.txt": cloud.Credential(), "/of ben.txt": ben.Credential()} {
		if err := h.checkPassword(t.Context(), cred.User, cred.Secret); err != nil {
			t.Errorf("%s signs in: %v", cred.User, err)
		}
		if err := h.checkPassword(t.Context(), cred.User, "wrong"); !errors.Is(err, oauth.ErrRefused) {
			t.Errorf("%s with a wrong password: %v", cred.User, err)
		}
		view := up.Client.As(cred)
		if p, err := view.ByNativeID(t.Context(), mustStat(t, view, name)); err != nil || string(p) != name {
			t.Errorf("%s is at %q, %v", name, p, err)
		}
	}
}

func mustStat(t *testing.T, v *davbackend.View, name string) (nativeID string) {
	t.Helper()
	res, err := v.Stat(t.Context(), dav.Path(name))
	if err != nil || res.NativeID == "" {
		t.Fatalf("%s: %+v, %v", name, res, err)
	}
	return res.NativeID
}
