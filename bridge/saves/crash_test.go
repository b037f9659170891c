package saves

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

var steps = []struct {
	step    string
	profile davbackend.Profile
}{
	{"spooled", davbackend.Embedded},
	{"journaled", davbackend.Embedded},
	{"compared", davbackend.Embedded},
	{"put journaled", davbackend.Embedded},
	{"put sent", davbackend.Embedded},
	{"landed", davbackend.Embedded},
	{"recorded", davbackend.Embedded},
	{"spooled", davbackend.Unknown},
	{"journaled", davbackend.Unknown},
	{"compared", davbackend.Unknown},
	{"temp journaled", davbackend.Unknown},
	{"temp sent", davbackend.Unknown},
	{"move journaled", davbackend.Unknown},
	{"move sent", davbackend.Unknown},
	{"landed", davbackend.Unknown},
	{"recorded", davbackend.Unknown},
	{"spooled", inChunks},
	{"journaled", inChunks},
	{"compared", inChunks},
	{"chunks journaled", inChunks},
	{"chunk sent", inChunks},
	{"assembly journaled", inChunks},
	{"assembly sent", inChunks},
	{"landed", inChunks},
	{"recorded", inChunks},
}

// TestCrashAfterEachStep kills the process at every step of a save. After a
// restart the bytes are at the target if the upstream still held the base, nothing
// is half done, and the next save of the same editing meets no false alarm.
func TestCrashAfterEachStep(t *testing.T) {
	for _, c := range steps {
		t.Run(c.profile.Name+", "+c.step, func(t *testing.T) {
			g := newRigFor(t, c.profile)
			g.pieces()
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.OnlyOffice)
			o.mustPut("before")
			died := false
			g.saves.crash = func(s string) error {
				if s == c.step {
					died = true
					return errCrash
				}
				return nil
			}
			if _, err := o.put("the save"); !errors.Is(err, errCrash) || !died {
				t.Fatalf("it did not die at %q: %v", c.step, err)
			}
			g.restart()
			g.recover()
			g.somewhere("the save")
			if c.step != "spooled" { // without a row nobody knows what it rests on
				g.wantOn("a.txt", "the save")
			}
			g.wantNoTemps()
			o.mustPut("after")
			g.wantOn("a.txt", "after")
			if n := len(g.names()); n != 1 {
				t.Errorf("the folder holds %v", g.names())
			}
			g.later(lateAfter + time.Second)
			g.saves.sweep(t.Context())
			g.saves.sweep(t.Context())
			for _, e := range mustList(t, g.saves) {
				if e.State == stateDelivering || e.State == stateSpooled {
					t.Errorf("entry %+v is never settled", e)
				}
			}
		})
	}
}

func mustList(t *testing.T, s *Saves) []Entry {
	t.Helper()
	list, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCrashAndChangedOutside: bytes nobody was answered for are never written over
// what somebody else wrote while we were dead.
func TestCrashAndChangedOutside(t *testing.T) {
	for _, s := range strategies {
		for _, step := range []string{"journaled", "put journaled", "temp sent", "move journaled", "chunk sent", "assembly journaled"} {
			t.Run(s.name+", "+step, func(t *testing.T) {
				g := newRigFor(t, s.profile)
				g.server.Write(t, "a.txt", "old")
				o := g.open("a.txt", wopi.Collabora)
				g.die(step)
				if _, err := o.put("the save"); err == nil {
					return // a step of the other strategy
				}
				g.outside("a.txt", "theirs")
				g.restart()
				g.recover()
				g.wantOn("a.txt", "theirs")
				g.wantState("the save", stateUnacknowledged)
				g.wantNoTemps()
			})
		}
	}
}

// TestCrashInTheMove: the MOVE of an x/net-based server has removed the target and
// got no further when we died.
func TestCrashInTheMove(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.die("move sent")
	g.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Times: 1, Status: 500, Before: func() { g.remove("a.txt") }})
	if _, err := o.put("the save"); err == nil {
		t.Fatal("it lived")
	}
	if len(g.temps()) != 1 {
		t.Fatalf("the folder holds %v", g.names())
	}
	g.restart()
	g.recover()
	g.wantOn("a.txt", "the save")
	g.wantNoTemps()
	if e := g.target("a.txt").File; e.ID != o.target.File.ID {
		t.Errorf("the file is %s now, was %s", e.ID, o.target.File.ID)
	}
	o.mustPut("after")
	g.wantOn("a.txt", "after")
}

// TestCrashInThePut: an upload in place broke off and the upstream keeps the piece.
func TestCrashInThePut(t *testing.T) {
	long := letters(50_000)
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.die("put sent")
	g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Truncate: true, After: 100, Times: 1})
	if _, err := o.put(long); err == nil {
		t.Fatal("it lived")
	}
	g.wantOn("a.txt", long[:100])
	g.restart()
	g.recover()
	g.wantOn("a.txt", long)
}

// TestRecoverWithTheUpstreamDown leaves everything for Run.
func TestRecoverWithTheUpstreamDown(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.die("compared")
		if _, err := o.put("the save"); err == nil {
			t.Fatal("it lived")
		}
		g.restart()
		g.server.Quirks.Fail(upstream.Fault{Status: 503})
		g.recover()
		g.wantOn("a.txt", "old")
		g.somewhere("the save")
		g.server.Quirks.Reset()
		g.saves = g.journal(g.saves.Dir, nil) // its patience with the entry is new
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "the save")
	})
}

// TestRecoverWithAHungUpstream: an upstream that takes requests and answers none does
// not hold up the start.
func TestRecoverWithAHungUpstream(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.die("compared")
		if _, err := o.put("the save"); err == nil {
			t.Fatal("it lived")
		}
		g.restart()
		g.server.Quirks.Fail(upstream.Fault{Hang: true})
		begin := time.Now()
		g.recover()
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("the start was held up for %v", took)
		}
		g.somewhere("the save")
		if heard := strings.Join(g.heard, "\n"); strings.Contains(heard, "settling") {
			t.Errorf("what is only put off is no error: %s", heard)
		}
		g.server.Quirks.Reset()
		g.saves = g.journal(g.saves.Dir, nil) // its patience with the entry is new
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "the save")
	})
}

// TestLeaseOfTheDead: as long as the lease of whoever wrote the row runs, nobody
// settles it.
func TestLeaseOfTheDead(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.die("compared")
	if _, err := o.put("the save"); err == nil {
		t.Fatal("it lived")
	}
	lease, err := g.locks.Lease(t.Context(), o.target.File.ID, "it lives", 0)
	if err != nil {
		t.Fatal(err)
	}
	g.saves = g.journal(g.saves.Dir, nil)
	g.recover()
	lease.Release()
	g.wantOn("a.txt", "old")
	g.wantState("the save", stateSpooled)
	g.recover()
	g.wantOn("a.txt", "the save")
}

// TestTakenOver: a process that slept through its lease writes nothing more; with
// the fences switched off it does, so the test would notice.
func TestTakenOver(t *testing.T) {
	for n, c := range []struct {
		step    string
		profile davbackend.Profile
		harmful bool // without fences
	}{
		{"compared", davbackend.Embedded, true},
		{"compared", davbackend.Unknown, true},
		{"temp sent", davbackend.Unknown, true},
		{"compared", inChunks, false}, // the ETag in its condition is another one
		{"compared", blindChunks, true},
		{"chunk sent", blindChunks, true},
		{"assembly sent", inChunks, false},
		{"put sent", davbackend.Embedded, false},
		{"landed", davbackend.Embedded, false},
		{"landed", davbackend.Unknown, false},
	} {
		for i, another := range []bool{false, true} { // another bridge, or another request of this one
			if testing.Short() && (i+n)%2 != 0 {
				continue
			}
			for _, fenced := range []bool{true, false} {
				if !fenced && !c.harmful {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s, another bridge %v, fenced %v", c.profile.Name, c.step, another, fenced), func(t *testing.T) {
					g := newRigFor(t, c.profile)
					g.server.Write(t, "a.txt", "old")
					o := g.open("a.txt", wopi.Collabora)
					awake := g.saves
					if another {
						awake = g.journal(t.TempDir(), nil)
					}
					if !fenced {
						g.saves.without = theFence
					}
					slept := false
					g.saves.crash = func(s string) error {
						if s == c.step && !slept {
							slept = true
							g.later(time.Hour) // in which nobody renewed the lease
							second := *o
							second.g = &rig{t: g.t, saves: awake}
							if _, err := second.put("the newer save"); err != nil {
								t.Errorf("whoever takes over: %v", err)
							}
						}
						return nil
					}
					_, err := o.put("the older save")
					if !slept {
						t.Fatal("it never slept")
					}
					got, _ := g.on("a.txt")
					if fenced {
						keptEntry(t, err)
						if got != "the newer save" {
							t.Errorf("a.txt holds %q", got)
						}
						g.wantNoTemps()
					} else if got == "the newer save" {
						t.Error("without fences nothing happened: the test proves nothing")
					}
				})
			}
		}
	}
}
