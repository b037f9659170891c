package saves

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// TestRealServers saves, meets a change from outside and overwrites it, as a server
// of which nothing is known.
func TestRealServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"Apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, start(t), davbackend.Unknown)
			g.server.Write(t, "a.odt", "old")
			o := g.open("a.odt", wopi.Collabora)
			o.mustPut("one")
			o.mustPut("two, longer")
			last := o.mustPut("three")
			g.wantOn("a.odt", "three")
			g.wantNoTemps()
			known, err := g.ids.Known(t.Context(), g.space, o.target.File.ID)
			if err != nil || known.Revision.Version != last.Version {
				t.Errorf("known as %+v, %v", known, err)
			}
			g.outside("a.odt", "changed outside")
			_, err = o.put("four")
			c := conflictOf(t, err)
			g.wantOn("a.odt", "changed outside")
			g.wantOn(c.Copy, "four")
			if _, err := o.putWith("five", func(p *Put) { p.Timestamp = "" }); err != nil {
				t.Fatal(err)
			}
			g.wantOn("a.odt", "five")
			g.keptCopy("a (outside ", "changed outside")
			g.wantNoTemps()
			e, err := g.saves.Create(t.Context(), Place{Space: g.space, Upstream: "main", View: g.view, Folder: "/"},
				func(n int) (string, bool) { return "new ü.odt", n == 0 }, strings.NewReader("made"), 4)
			if err != nil || e.Name != "new ü.odt" {
				t.Errorf("made %+v, %v", e, err)
			}
			g.wantOn("new ü.odt", "made")
			g.later(lateAfter + time.Second)
			g.saves.sweep(t.Context())
			for _, e := range mustList(t, g.saves) {
				if e.State != statePreimage {
					t.Errorf("entry %+v is left; heard %v", e, g.heard)
				}
			}
			if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBothDatabases runs the journal's queries on SQLite and PostgreSQL.
func TestBothDatabases(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
		g.server.Write(t, "a.odt", "old")
		o := g.open("a.odt", wopi.OnlyOffice)
		o.mustPut("one")
		g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Status: 503})
		_, err := o.put("two")
		id := keptEntry(t, err).Entry
		g.server.Quirks.Reset()
		g.die("move journaled")
		if _, err := o.put("three"); err == nil {
			t.Fatal("it lived")
		}
		g.restart()
		g.recover()
		g.wantOn("a.odt", "three")
		if err := g.saves.Drop(t.Context(), id); err != nil && !errors.Is(err, ErrNoEntry) {
			t.Error(err)
		}
		g.outside("a.odt", "theirs")
		_, err = o.put("four")
		conflictOf(t, err)
		_, err = o.put("five")
		conflictOf(t, err)
		g.later(retention * 6)
		g.saves.sweep(t.Context()) // what it finds replaced only now is offered from now on
		g.later(retention + time.Hour)
		g.saves.sweep(t.Context())
		if left := mustList(t, g.saves); len(left) != 0 {
			t.Errorf("left: %+v (%v)", left, g.heard)
		}
	})
}

// TestSavesTakeTurns: saves of one file from many requests never interleave, and
// none is lost without a word.
func TestSavesTakeTurns(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		g.saves.Patience = 10 * time.Second
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				one := *o
				body := strings.Repeat(string(rune('a'+i)), 1000)
				_, err := one.put(body)
				var kept *KeptError
				if err != nil && !(errors.As(err, &kept) && errors.Is(err, errSuperseded)) {
					t.Errorf("save %d: %v", i, err)
				}
			})
		}
		all.Wait()
		got, _ := g.on("a.txt")
		if len(got) != 1000 || strings.Trim(got, got[:1]) != "" {
			t.Errorf("a.txt holds a mixture: %.40q... of %d", got, len(got))
		}
		g.wantNoTemps()
	})
}

// TestEditorHangsUp: once the body is here the request's end stops nothing.
func TestEditorHangsUp(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		ctx, hangUp := context.WithCancel(t.Context())
		g.saves.crash = func(step string) error {
			if step == "spooled" {
				hangUp()
			}
			return nil
		}
		if _, err := g.saves.Put(ctx, o.target, o.actor, Put{Lock: &o.id, Body: strings.NewReader("exit save"), Length: 9, Timestamp: o.stamp}); err != nil {
			t.Error(err)
		}
		g.wantOn("a.txt", "exit save")
	})
}

// TestTwoPeopleOneLock: a DAV lock belongs to who took it. A co-editor whose own
// credential is refused for the lock alone saves with the lock taker's.
func TestTwoPeopleOneLock(t *testing.T) {
	for _, c := range []struct {
		what   string
		status int // of bob's writes to the file
		probe  int // of bob's writes beside it; 0: he may
		saved  bool
	}{
		{"423 to the co-editor's own credential", 423, 0, true},
		{"412", 412, 0, true},
		{"403 is never passed on to another person's credential", 403, 0, false},
		{"401 neither", 401, 0, false},
		{"423 to somebody who may not write here at all", 423, 403, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			eachStrategy(t, func(t *testing.T, g *rig) {
				g.server.Quirks.AddUser("bob", "b")
				bob := g.perUser("bob", "b")
				g.server.Write(t, "a.txt", "old")
				o := g.open("a.txt", wopi.Collabora) // as ann
				g.server.Quirks.Set(func(q *upstream.Quirks) {
					q.Answer = func(r *http.Request) http.Handler {
						user, _, _ := r.BasicAuth()
						status := c.status
						switch {
						case user != "bob" || r.Method != "PUT" && r.Method != "MOVE":
							return nil
						case r.Method == "PUT" && strings.Contains(r.URL.Path, tempPrefix):
							status = c.probe
						}
						if status == 0 {
							return nil
						}
						return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
					}
				})
				second := *o
				second.target.View, second.actor.UserID, second.actor.Member, second.actor.Name = bob, "bob", "grant-bob", "Bob"
				_, err := second.put("bob's words")
				if c.saved != (err == nil) {
					t.Errorf("bob's save: %v (%v)", err, g.heard)
				}
				if c.saved {
					g.wantOn("a.txt", "bob's words")
				} else {
					g.wantOn("a.txt", "old")
				}
				g.somewhere("bob's words")
				g.wantNoTemps()
			})
		})
	}
}

// perUser makes the upstream one where everybody comes as themselves; ann is whom
// the rig is already.
func (g *rig) perUser(name, password string) *davbackend.View {
	g.t.Helper()
	ctx := g.t.Context()
	ups := g.locks.Upstreams
	var err error
	if ups.Credentials, err = oauth.NewCredentials(ctx, g.db, ups.Sealer); err != nil {
		g.t.Fatal(err)
	}
	ups.List[0].Service = nil
	g.pins = make(map[string]func(context.Context) ([]byte, error))
	for _, cred := range []davbackend.Credential{g.server.Credential(), {Kind: "password", User: name, Secret: password}} {
		p := oauth.Principal{Issuer: "test", Subject: cred.User}
		if err := ups.Credentials.Put(ctx, p.Key(), "main", oauth.Secret(cred)); err != nil {
			g.t.Fatal(err)
		}
		g.pins[cred.User] = func(ctx context.Context) ([]byte, error) { return ups.Pin(ctx, "main", p) }
	}
	return g.client.As(davbackend.Credential{Kind: "password", User: name, Secret: password})
}

func TestNewRefuses(t *testing.T) {
	for _, s := range []Saves{{}, {Dir: t.TempDir()}, {Dir: t.TempDir(), DB: sqldbtest.New(t)}} {
		if _, err := New(t.Context(), s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	if again := g.journal(g.saves.Dir, nil); again.store != g.saves.store {
		t.Error("the directory got another name")
	}
	if other := g.journal(t.TempDir(), nil); other.store == g.saves.store {
		t.Error("two directories have one name")
	}
}

func TestRunEnds(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- g.saves.Run(ctx) }()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	held := &ConflictError{Copy: "secret name.odt", Current: "secret lock"}
	for _, err := range []error{held, &ConflictError{}, &KeptError{Entry: "e", Err: access.ErrUpstream}, &foreignError{"x"}, &locks.MismatchError{}} {
		if text := err.Error(); text == "" || strings.Contains(text, "secret") {
			t.Errorf("%T says %q", err, text)
		}
	}
}

// TestAcknowledgedAndGone: what was acknowledged and then taken away by somebody else
// is not dropped when a later save of the editing is there: nobody knows whether that
// rests on it.
func TestAcknowledgedAndGone(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		o.mustPut("acknowledged")
		g.outside("a.txt", "theirs")
		g.later(lateAfter + time.Second)
		g.saves.sweep(t.Context())
		g.wantState("acknowledged", stateUnacknowledged)
		_, err := o.put("refused")
		conflictOf(t, err) // 1010
		if _, err := o.putWith("on the person's word", func(p *Put) { p.Timestamp = "" }); err != nil {
			t.Fatal(err)
		}
		g.wantOn("a.txt", "on the person's word")
		g.wantState("acknowledged", stateUnacknowledged)
	})
}
