package saves

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// asBob is the same editing, by bob with his own credential.
func (o *opened) asBob(view *davbackend.View) *opened {
	b := *o
	b.target.View, b.target.Pin = view, o.g.pins["bob"]
	b.actor.UserID, b.actor.Member, b.actor.Name = "bob", "grant-bob", "Bob"
	return &b
}

// TestHandoverOnApache: Apache lets nobody write but the person who took the lock, not
// even with its token. Two people with accounts of their own edit one document; the lock
// passes to whoever saves.
func TestHandoverOnApache(t *testing.T) {
	for _, profile := range []davbackend.Profile{davbackend.Unknown, davbackend.Embedded} {
		t.Run(profile.Name, func(t *testing.T) {
			g := newRig(t, upstream.Apache(t), profile)
			view := g.perUser("bob", "b")
			g.server.Write(t, "a.odt", "old")
			ann := g.open("a.odt", wopi.Collabora)
			bob := ann.asBob(view)
			for i, o := range []*opened{ann, bob, bob, ann, bob} {
				text := strings.Repeat("x", i) + " by " + o.actor.UserID
				o.stamp = ""
				if _, err := o.put(text); err != nil {
					t.Fatalf("save %d, of %s: %v (%v)", i, o.actor.UserID, err, g.heard)
				}
				g.wantOn("a.odt", text)
				if err := view.Put(t.Context(), "/a.odt", davbackend.Body{Open: empty, Size: 0}, davbackend.Condition{}); !errors.Is(err, dav.ErrLocked) {
					t.Fatalf("after save %d the file is not locked: %v", i, err)
				}
			}
			g.later(time.Minute)
			if err := g.locks.Unlock(t.Context(), ann.target, ann.actor, ann.id); err != nil {
				t.Fatal(err)
			}
			if _, _, err := g.view.Lock(t.Context(), "/a.odt", davbackend.LockRequest{Owner: "Word on a desk", Timeout: time.Minute}); err != nil {
				t.Errorf("our lock is still there: %v", err)
			}
			g.wantNoTemps()
			if n := g.names(); len(n) != 1 {
				t.Errorf("the folder holds %v", n)
			}
		})
	}
}

func empty() (io.ReadCloser, error) { return http.NoBody, nil }

// bindLocks lets only the person write who took the lock, as Apache does.
func (g *rig) bindLocks() { g.bindLocksBy(http.StatusForbidden) }

// bindLocksBy is bindLocks of a server that says so with a status.
func (g *rig) bindLocksBy(status int) {
	g.server.Quirks.AddUser("bob", "b")
	holder := "ann"
	g.binds = func(q *upstream.Quirks) {
		q.Answer = func(r *http.Request) http.Handler {
			user, _, _ := r.BasicAuth()
			uses := strings.Contains(r.Header.Get("If"), "opaquelocktoken:") || r.Method == "UNLOCK"
			switch {
			case r.Method == "LOCK" && r.Header.Get("If") == "":
				holder = user
			case uses && user != holder:
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			}
			return nil
		}
	}
	g.server.Quirks.Set(g.binds)
}

// TestHandoverFails: somebody takes the lock in the gap, or the upstream goes away. The
// bytes are kept, the file is as it was, and the row is mended by the keeper.
func TestHandoverFails(t *testing.T) {
	for _, c := range []struct {
		what  string
		fault upstream.Fault
	}{
		{"UNLOCK is refused", upstream.Fault{Method: "UNLOCK", Status: 403}},
		{"LOCK is not answered", upstream.Fault{Method: "LOCK", Status: 503}},
		{"bob may not write here", upstream.Fault{Method: "PUT", Name: tempPrefix, Status: 403}},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Embedded)
			view := g.perUser("bob", "b")
			g.bindLocks()
			g.server.Write(t, "a.odt", "old")
			ann := g.open("a.odt", wopi.Microsoft)
			g.server.Quirks.Fail(c.fault)
			_, err := ann.asBob(view).put("bob's words")
			if err == nil {
				t.Fatal("it was saved")
			}
			g.wantOn("a.odt", "old")
			g.somewhere("bob's words")
			g.server.Quirks.Reset()
			g.bindLocks()
			g.later(time.Minute)
			if err := g.locks.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
			ann.mustPut("ann's words")
			g.wantOn("a.odt", "ann's words")
		})
	}
}

// TestWaitingSaveOfACoEditor: the DAV lock is ann's, and bound to her; what waits is bob's. The
// lock is kept for what waits, and so it must not be what keeps it waiting.
func TestWaitingSaveOfACoEditor(t *testing.T) {
	for _, profile := range []davbackend.Profile{davbackend.Unknown, davbackend.Embedded} {
		for _, c := range []struct {
			status int
			left   bool
		}{{403, false}, {403, true}, {423, false}, {423, true}} {
			t.Run(fmt.Sprintf("%s, %d, all have left %v", profile.Name, c.status, c.left), func(t *testing.T) {
				g := newRig(t, upstream.Strict(t), profile)
				view := g.perUser("bob", "b")
				g.patient(Auto, nil)
				g.bindLocksBy(c.status)
				g.server.Write(t, "a.odt", "old")
				ann := g.open("a.odt", wopi.OnlyOffice)
				g.down()
				if _, err := ann.asBob(view).put("bob's words"); err != nil {
					t.Fatal(err)
				}
				if c.left {
					if err := g.locks.Unlock(t.Context(), ann.target, ann.actor, ann.id); err != nil {
						t.Fatal(err)
					}
				}
				g.up()
				g.arrives()
				g.wantOn("a.odt", "bob's words")
				g.wantNoTemps()
				if !c.left {
					ann.stamp = ""
					ann.mustPut("ann's words")
					g.wantOn("a.odt", "ann's words")
				}
			})
		}
	}
}

// TestWaitingSaveAndTheTakersPassword: the lock is ann's, whose password is another one since.
// It is not bob who has to sign in: when the lock has ended his save arrives by itself.
func TestWaitingSaveAndTheTakersPassword(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusLocked} {
		g := newRig(t, upstream.Strict(t), davbackend.Embedded)
		view := g.perUser("bob", "b")
		g.patient(Auto, nil)
		g.bindLocksBy(status)
		g.server.Write(t, "a.odt", "old")
		ann := g.open("a.odt", wopi.OnlyOffice)
		g.down()
		if _, err := ann.asBob(view).put("bob's words"); err != nil {
			t.Fatal(err)
		}
		ended := g.refuseAnn()
		g.up()
		g.saves.sweep(t.Context())
		waits := g.entries(stateWaiting)
		if len(waits) != 1 || waits[0].SignIn {
			t.Errorf("%d: there wait %+v (%v)", status, waits, g.heard)
		}
		ended(view)
		g.arrives()
		g.wantOn("a.odt", "bob's words")
	}
}

// TestLentToAWaitingSave: ann's password is another one since, bob lends his credential, and
// the lock is still ann's. It arrives when that has ended, and bob is asked once.
func TestLentToAWaitingSave(t *testing.T) {
	for _, profile := range []davbackend.Profile{davbackend.Unknown, davbackend.Embedded} {
		for _, status := range []int{http.StatusForbidden, http.StatusLocked} {
			t.Run(fmt.Sprintf("%s, %d", profile.Name, status), func(t *testing.T) {
				g := newRig(t, upstream.Strict(t), profile)
				view := g.perUser("bob", "b")
				g.patient(Auto, nil)
				g.bindLocksBy(status)
				g.server.Write(t, "a.odt", "old")
				ann := g.open("a.odt", wopi.OnlyOffice)
				g.down()
				ann.mustPut("ann's words")
				ended := g.refuseAnn()
				g.up()
				g.saves.sweep(t.Context())
				w, err := g.saves.Waiting(t.Context(), ann.target.File.ID)
				if err != nil || w == nil || !w.NeedsSignIn {
					t.Fatalf("%+v, %v", w, err)
				}
				if err := g.saves.Lend(t.Context(), w, ann.asBob(view).target); err != nil {
					t.Fatal(err)
				}
				g.saves.sweep(t.Context())
				if waits := g.entries(stateWaiting); len(waits) != 1 || waits[0].SignIn {
					t.Errorf("there wait %+v (%v)", waits, g.heard)
				}
				ended(view)
				g.arrives()
				g.wantOn("a.odt", "ann's words")
				g.wantNoTemps()
			})
		}
	}
}

// refuseAnn lets the server refuse ann's credential, from the next up on, and returns how her
// lock ends.
func (g *rig) refuseAnn() (ended func(*davbackend.View)) {
	bound, over := g.binds, false
	g.binds = func(q *upstream.Quirks) {
		bound(q)
		locked := q.Answer
		q.Answer = func(r *http.Request) http.Handler {
			if user, _, _ := r.BasicAuth(); user == "ann" {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
			}
			if over {
				return nil
			}
			return locked(r)
		}
	}
	return func(view *davbackend.View) {
		g.t.Helper()
		over = true
		for _, lock := range g.davLocks("/a.odt", view) {
			if err := view.Unlock(g.t.Context(), "/a.odt", lock.Token); err != nil {
				g.t.Fatal(err)
			}
		}
	}
}

func (g *rig) davLocks(p dav.Path, view *davbackend.View) []dav.ActiveLock {
	g.t.Helper()
	res, err := view.Stat(g.t.Context(), p)
	if err != nil {
		g.t.Fatal(err)
	}
	return res.Locks
}
