package wire

import (
	"context"
	"net/http"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/oauth"
	"davwopi/test/disk"
	"davwopi/test/upstream"
)

// deliver lets the journal work while do waits for what comes of it.
func (h *house) deliver(do func()) {
	run, stop := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.saves.Run(run) }()
	defer func() { stop(); <-ended }()
	do()
}

// TestForeignLockAtDelivery: the upstream comes back without our lock, and somebody at a
// desk has locked the file first. What waited goes beside it, and the desk's lock holds.
func TestForeignLockAtDelivery(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		for _, kind := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice} {
			t.Run(profile.Name+", "+kind.String(), func(t *testing.T) {
				t.Parallel()
				state := disk.Folder(t)
				h := newHouse(t, all, profile, func(h *house) {
					h.whenDown, h.patience, h.state = saves.Auto, 300*time.Millisecond, state
				})
				s, e := h.began("a.docx", kind)
				h.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
				h.expect(200)(s.Save(t.Context(), []byte("saved in the outage"), false))
				h.server.Quirks.Reset()
				h.server.DropLocks(t, e.Path)
				desk := h.server.View(t)
				lock, _, err := desk.Lock(t.Context(), e.Path, davbackend.LockRequest{Owner: "Word on a desk", Timeout: time.Hour})
				h.must(err)
				h.deliver(func() { h.arrived(e.Name, before) })
				found := h.folder()
				if found[e.Name] != before || len(found) != 2 {
					t.Errorf("the folder holds %v", found)
				}
				delete(found, e.Name)
				for name, text := range found {
					if text != "saved in the outage" {
						t.Errorf("%s holds %q", name, text)
					}
				}
				if _, err := desk.RefreshLock(t.Context(), e.Path, lock.Token, time.Hour); err != nil {
					t.Errorf("the desk's lock is gone: %v", err)
				}
			})
		}
	}
}

// TestSomebodyLendsTheirSignIn: Anna's password is changed while her save waits. It is not
// tried again until Ben, who may write the file, looks at it; a reader's look is not enough.
func TestSomebodyLendsTheirSignIn(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			state, ctx := disk.Folder(t), t.Context()
			h := newHouse(t, all, profile, func(h *house) {
				h.perUser, h.whenDown, h.patience, h.state = true, saves.Auto, 300*time.Millisecond, state
			})
			annas := h.server.Credential()
			benIsThere := func() { h.server.Quirks.AddUser("ben", "pw") }
			benIsThere()
			h.must(h.creds.Put(ctx, ben.Key(), "main", oauth.Secret{Kind: "password", User: "ben", Secret: "pw"}))
			s, e := h.began("a.docx", wopi.OnlyOffice)
			reader := h.open(e, wopi.OnlyOffice, ben)
			token, _, err := h.tokens.Mint(ctx, access.Grant{
				File: e.ID, Space: h.space, Upstream: "main", Principal: ben, Session: "reading", Rights: access.View, Editor: h.editor(wopi.OnlyOffice),
			})
			h.must(err)
			reader.AccessToken = token
			h.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
			h.expect(200)(s.Save(ctx, []byte("saved in the outage"), false))
			h.server.Quirks.Reset()
			benIsThere()
			h.server.Quirks.Set(func(q *upstream.Quirks) {
				q.Answer = func(r *http.Request) http.Handler {
					if user, _, _ := r.BasicAuth(); user != annas.User {
						return nil
					}
					return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
				}
			})
			h.deliver(func() {
				h.until("the save needs a sign-in", func() bool { return h.needs() == 1 })
				h.info(reader)
				if h.needs() != 1 {
					t.Error("a reader has lent a credential")
				}
				got := h.info(h.open(e, wopi.OnlyOffice, ben))
				if got.Size != int64(len("saved in the outage")) {
					t.Errorf("Ben is shown %d bytes", got.Size)
				}
				h.arrived(e.Name, "saved in the outage")
			})
			if found := h.folder(); len(found) != 1 {
				t.Errorf("the folder holds %v", found)
			}
		})
	}
}

// needs is how many saves need a sign-in.
func (h *house) needs() int {
	h.t.Helper()
	all, err := h.saves.NeedSignIn(h.t.Context())
	h.must(err)
	return len(all)
}

// until waits for what happens by itself.
func (h *house) until(what string, holds func() bool) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited in vain: %s", what)
		}
	}
}
