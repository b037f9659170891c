package saves

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sync/atomic"
	"testing"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap/sqldb"
	"davwopi/test/upstream"
)

// sleeper lets whoever saves "the older save" fall asleep at a step, and calls meanwhile
// when the lease is over. It returns what the sleeper is told.
func (g *rig) sleeper(o *opened, step string, meanwhile func()) error {
	g.t.Helper()
	slept := false
	g.saves.crash = func(s string) error {
		if s == step && !slept {
			slept = true
			g.later(21 * time.Second)
			meanwhile()
		}
		return nil
	}
	_, err := o.put("the older save")
	if !slept {
		g.t.Fatal("it never slept")
	}
	g.saves.crash = nil
	return err
}

// at is the same editor, whose requests come to another bridge.
func (o *opened) at(s *Saves) *opened {
	second := *o
	second.g = &rig{t: o.g.t, saves: s}
	return &second
}

// another is a journal of another bridge with the patience of a saint. The database's
// clock goes on while its requests pause; waited says for how long.
func (g *rig) another(patience time.Duration) (s *Saves, waited *atomic.Int64) {
	waited = new(atomic.Int64)
	s = g.journal(g.t.TempDir(), func(s *Saves) {
		s.Patience, s.WhenDown, s.ownSpool = patience, Auto, true
		s.disk.room = func(string) (room, error) { return room{free: 1 << 40, total: 1 << 41}, nil }
		s.clock = func() time.Time { return time.Unix(0, waited.Load()) }
		s.pause = func(ctx context.Context, d time.Duration) error {
			waited.Add(int64(d))
			g.later(d)
			return ctx.Err()
		}
	})
	return s, waited
}

// underWay are the strategies that write into place in the end, and where they sleep.
var underWay = []struct {
	profile davbackend.Profile
	step    string
}{{davbackend.Embedded, "put journaled"}, {davbackend.Embedded, "put sent"}, {inChunks, "assembly journaled"}, {inChunks, "assembly sent"}}

// TestUploadUnderWay: what an upload into place of a bridge that is gone may still do is
// waited for, for the upstream's idle limit after the lease of that bridge.
func TestUploadUnderWay(t *testing.T) {
	for _, c := range underWay {
		t.Run(c.profile.Name+", "+c.step, func(t *testing.T) {
			g := newRigFor(t, c.profile)
			g.client.Idle = time.Minute
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			other, waited := g.another(10 * time.Minute)
			err := g.sleeper(o, c.step, func() {
				if _, err := o.at(other).put("the newer save"); err != nil {
					t.Errorf("whoever takes over: %v", err)
				}
				if w := time.Duration(waited.Load()); w < 58*time.Second || w > 90*time.Second {
					t.Errorf("it waited for %v", w)
				}
			})
			keptEntry(t, err)
			g.wantOn("a.txt", "the newer save")
		})
	}
}

// TestTempUnderWay: an upload beside the file is not waited for; it is removed.
func TestTempUnderWay(t *testing.T) {
	g := newRigFor(t, davbackend.Unknown)
	g.client.Idle = time.Minute
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	other, waited := g.another(10 * time.Minute)
	keptEntry(t, g.sleeper(o, "move journaled", func() {
		if _, err := o.at(other).put("the newer save"); err != nil || waited.Load() > int64(time.Second) {
			t.Errorf("whoever takes over: %v, after %v", err, time.Duration(waited.Load()))
		}
	}))
	g.wantOn("a.txt", "the newer save")
	g.wantNoTemps()
}

// TestUploadUnderWayForLonger: a save whose patience is over before waits in the journal
// where its editor would not try again, and is an error elsewhere; nothing is written
// before the upload is over, and then the newest.
func TestUploadUnderWayForLonger(t *testing.T) {
	for _, office := range []wopi.Office{wopi.Collabora, wopi.Microsoft} {
		t.Run(office.String(), func(t *testing.T) {
			g := newRigFor(t, davbackend.Embedded)
			g.client.Idle = time.Minute
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", office)
			other, _ := g.another(20 * time.Second)
			_ = g.sleeper(o, "put journaled", func() { // what it is told later is not the question
				_, err := o.at(other).put("the newer save")
				if office == wopi.Microsoft {
					keptEntry(t, err)
				} else if err != nil {
					t.Errorf("whoever takes over: %v", err)
				}
				g.wantOn("a.txt", "old")
				other.sweep(t.Context())
				g.wantOn("a.txt", "old")
				g.later(2 * time.Minute)
				other.sweep(t.Context())
				if office == wopi.Collabora {
					g.wantOn("a.txt", "the newer save")
				}
			})
			if office == wopi.Collabora {
				g.wantOn("a.txt", "the newer save")
			}
		})
	}
}

// TestRecoveryWaits: an entry whose upload into place may be under way is left alone by
// recovery, too: a newer save may have come since.
func TestRecoveryWaits(t *testing.T) {
	g := newRigFor(t, davbackend.Embedded)
	g.client.Idle = 5 * time.Minute
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.die("put journaled")
	g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Hang: true})
	if _, err := o.put("the save"); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	// A process that dies does not give its lease back.
	if err := g.db.Write(t.Context(), leaseOfTheDead(g)); err != nil {
		t.Fatal(err)
	}
	g.server.Quirks.Reset()
	g.restart() // two minutes later
	g.recover()
	g.wantOn("a.txt", "old")
	g.later(5 * time.Minute)
	g.recover()
	g.wantOn("a.txt", "the save")
}

// TestUploadEndsWithItsLease: whoever does not reach the database any more, or was
// asleep, ends its upload into place when its lease does.
func TestUploadEndsWithItsLease(t *testing.T) {
	away := errors.New("the database is away")
	for _, asleep := range []bool{false, true} {
		name := map[bool]string{false: "cut off", true: "asleep"}[asleep]
		t.Run(name, func(t *testing.T) {
			g := newRigFor(t, davbackend.Embedded)
			g.client.Idle = 10 * time.Minute
			g.leases(200 * time.Millisecond)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			begin := time.Now()
			if asleep {
				g.saves.crash = func(step string) error {
					if step == "put journaled" {
						g.db.SetFault(func() error { return away })
						time.Sleep(time.Second) // longer than the lease: that is what is tested
					}
					return nil
				}
			} else {
				g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Hang: true, Before: func() {
					g.db.SetFault(func() error { return away })
				}})
			}
			if _, err := o.put("the save"); err == nil {
				t.Error("it was acknowledged")
			}
			if took := time.Since(begin); took > 2*time.Minute {
				t.Errorf("the upload went on for %v", took)
			}
			g.db.SetFault(nil)
			g.wantOn("a.txt", "old")
		})
	}
}

// leases makes the leases of the rig live for so long.
func (g *rig) leases(d time.Duration) {
	g.t.Helper()
	book, err := locks.New(g.t.Context(), locks.Locks{DB: g.db, IDs: g.ids, Upstreams: g.locks.Upstreams, OnError: g.onError, LeaseFor: d})
	if err != nil {
		g.t.Fatal(err)
	}
	g.locks, g.saves.Locks = book, book
}

// leaseOfTheDead puts the file's lease back as the process has left it.
func leaseOfTheDead(g *rig) func(sqldb.Queryer) error {
	return func(tx sqldb.Queryer) error {
		now, err := g.db.Now(g.t.Context())
		if err != nil {
			return err
		}
		_, err = tx.Exec(g.t.Context(), `UPDATE locks_lease SET until = ?, linger = ?`,
			sqldb.Millis(now.Add(20*time.Second)), g.client.IdleLimit().Milliseconds())
		return err
	}
}

// TestLatePut: a PUT of a process that was killed arrives when the next one has saved
// anew. It shows a lock that is not there any more, however little the upstream knows of
// conditions.
func TestLatePut(t *testing.T) {
	for _, recovered := range []bool{true, false} {
		t.Run(fmt.Sprintf("recovered %v", recovered), func(t *testing.T) {
			blind := davbackend.Embedded
			blind.Conditions = false
			g := newRigFor(t, blind)
			g.server.Quirks.Set(func(q *upstream.Quirks) { q.IgnoreConditions = true })
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			late := g.astray()
			g.die("put sent")
			if _, err := o.put("the older save"); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			g.server.Quirks.Set(func(q *upstream.Quirks) { q.Answer = nil })
			g.restart()
			if recovered {
				g.recover()
				g.wantOn("a.txt", "the older save")
			}
			o.mustPut("the newer save")
			g.arrivesLate(<-late, "the older save")
			g.wantOn("a.txt", "the newer save")
			o.mustPut("the last save")
			g.wantOn("a.txt", "the last save")
		})
	}
}

// astray takes each PUT and hangs up, and keeps what the first one said.
func (g *rig) astray() (first chan http.Header) {
	first = make(chan http.Header, 1)
	g.server.Quirks.Set(func(q *upstream.Quirks) {
		q.Answer = func(r *http.Request) http.Handler {
			if r.Method != http.MethodPut {
				return nil
			}
			select {
			case first <- r.Header.Clone():
			default:
			}
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}
	})
	return first
}

// arrivesLate carries out a PUT that was given up. It must be refused.
func (g *rig) arrivesLate(header http.Header, body string) {
	g.t.Helper()
	put, err := http.NewRequestWithContext(g.t.Context(), http.MethodPut, strings.TrimSuffix(g.server.URL, "/")+"/a.txt", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	put.Header = header
	answer, err := http.DefaultClient.Do(put)
	if err != nil {
		g.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusPreconditionFailed && answer.StatusCode != http.StatusLocked {
		g.t.Errorf("the late PUT was answered %s", answer.Status)
	}
}

// TestLatePutOfAFailedSave: a gateway gives up, and what is behind it carries the PUT out
// when the editor, who was told of the failure or that the save waits, has saved anew.
func TestLatePutOfAFailedSave(t *testing.T) {
	for _, office := range []wopi.Office{wopi.Microsoft, wopi.OnlyOffice} {
		t.Run(office.String(), func(t *testing.T) {
			blind := davbackend.Embedded
			blind.Conditions = false
			g := newRigFor(t, blind)
			g.patient(Auto, nil)
			g.server.Quirks.Set(func(q *upstream.Quirks) { q.IgnoreConditions = true })
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", office)
			late := g.astray()
			if _, err := o.put("the older save"); (err == nil) != (office == wopi.OnlyOffice) {
				t.Fatal(err)
			}
			g.server.Quirks.Set(func(q *upstream.Quirks) { q.Answer = nil })
			if office == wopi.OnlyOffice {
				g.arrives()
				g.wantOn("a.txt", "the older save")
			}
			o.mustPut("the newer save")
			g.arrivesLate(<-late, "the older save")
			g.wantOn("a.txt", "the newer save")
			o.mustPut("the last save")
			g.wantOn("a.txt", "the last save")
			if n := g.names(); len(n) != 1 {
				t.Errorf("the folder holds %v", n)
			}
		})
	}
}

// TestReplicasSendBesideTheFile: where several bridges share the work, what is sent into
// place is only what cannot be moved there.
func TestReplicasSendBesideTheFile(t *testing.T) {
	for _, c := range []struct {
		replicas, refused bool // MOVE onto a locked file is refused
		puts, moves       int  // onto a.txt
	}{{false, false, 1, 0}, {true, false, 0, 1}, {true, true, 1, 1}} {
		t.Run(fmt.Sprintf("replicas %v, MOVE refused %v", c.replicas, c.refused), func(t *testing.T) {
			g := newRigFor(t, davbackend.Embedded)
			g.saves.Replicas = c.replicas
			g.server.Quirks.Set(func(q *upstream.Quirks) { q.MoveLocked423 = c.refused })
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			g.server.Forget()
			o.mustPut("the save")
			puts, moves := 0, 0
			for _, r := range g.server.Requests() {
				switch {
				case r.Method == "MOVE":
					moves++
				case r.Method == http.MethodPut && r.Path == "/a.txt":
					puts++
				}
			}
			if puts != c.puts || moves != c.moves {
				t.Errorf("%d PUTs onto the file and %d MOVEs", puts, moves)
			}
			g.wantOn("a.txt", "the save")
			g.wantNoTemps()
		})
	}
}
