package wire

import (
	"net/http"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/oauth"
)

// TestOneRefusedCredentialLocksNobodyOut: Ben's password was changed on the server.
// He is sent to sign in again; Anna, who has the document open, saves on.
func TestOneRefusedCredentialLocksNobodyOut(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, profile, func(h *house) { h.perUser = true })
			defer h.complain(t)
			h.server.Write(t, "a.txt", before)
			e := h.at("/a.txt")
			good := h.server.Credential()
			h.must(h.creds.Put(t.Context(), ben.Key(), "main", oauth.Secret{Kind: "password", User: good.User, Secret: "changed since"}))
			annas, bens := h.open(e, wopi.Collabora, anna), h.open(e, wopi.Collabora, ben)
			ctx := t.Context()
			want := func(status int, a interface{ String() string }, got int, err error) {
				t.Helper()
				if err != nil || got != status {
					t.Errorf("%v %v, want %d", a, err, status)
				}
			}
			a, err := annas.Lock(ctx, "L")
			want(http.StatusOK, a, a.Status, err)
			for range 3 {
				b, err := bens.CheckFileInfo(ctx)
				want(http.StatusUnauthorized, b, b.Status, err)
				b, err = bens.GetFile(ctx, -1)
				want(http.StatusUnauthorized, b, b.Status, err)
				a, err = annas.CheckFileInfo(ctx)
				want(http.StatusOK, a, a.Status, err)
				a, err = annas.PutFile(ctx, "L", []byte("saved by anna"), nil)
				want(http.StatusOK, a, a.Status, err)
			}
			a, err = annas.Unlock(ctx, "L")
			want(http.StatusOK, a, a.Status, err)
			if got, _ := h.server.Read(t, "a.txt"); got != "saved by anna" {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}
