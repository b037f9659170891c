package saves

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// outages is how many stories TestNeverLostInOutages plays per upstream and office;
// DAVWOPI_OUTAGES=n plays more.
func outages() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("DAVWOPI_OUTAGES"), 10, 64); err == nil {
		return n
	}
	return 3
}

// TestNeverLostInOutages is TestNeverLost with outages that last, during which saves
// are acknowledged, sessions end and begin, and the process dies at any step of a save
// or of a delivery. Whatever was acknowledged last is at the target, in a copy or in the
// journal after every step, and when all is well again nothing waits and nothing is
// pinned.
func TestNeverLostInOutages(t *testing.T) {
	for _, profile := range []davbackend.Profile{davbackend.Embedded, davbackend.Unknown, inChunks} {
		for _, office := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice} {
			t.Run(profile.Name+", "+office.String(), func(t *testing.T) {
				g := newRigFor(t, profile)
				g.pieces()
				g.patient(Auto, nil)
				waited := 0
				for seed := range outages() {
					s := &outageStory{storm: storm{g: g, rand: rand.New(rand.NewPCG(seed, uint64(office)+7)), name: fmt.Sprintf("o%d.odt", seed)}}
					s.run(t, office)
					waited += s.waited
					if t.Failed() {
						t.Fatalf("seed %d: %s", seed, strings.Join(s.story, "; "))
					}
				}
				if waited == 0 {
					t.Error("no save has waited: nothing was tested")
				}
				t.Logf("%d saves waited", waited)
			})
		}
	}
}

// TestNeverLostByTwo is the same with two people in one editing, each with a credential of
// their own, on a server that lets nobody write but who took the lock.
func TestNeverLostByTwo(t *testing.T) {
	for _, profile := range []davbackend.Profile{davbackend.Embedded, davbackend.Unknown} {
		for _, status := range []int{http.StatusForbidden, http.StatusLocked} {
			t.Run(fmt.Sprintf("%s, %d", profile.Name, status), func(t *testing.T) {
				g := newRig(t, upstream.Strict(t), profile)
				view := g.perUser("bob", "b")
				g.patient(Auto, nil)
				for seed := range outages() {
					g.bindLocksBy(status)
					s := &outageStory{storm: storm{g: g, rand: rand.New(rand.NewPCG(seed, uint64(status))), name: fmt.Sprintf("t%d.odt", seed)}}
					s.turn = func() {
						if s.rand.IntN(2) == 0 {
							return
						}
						next := s.o.asBob(view)
						if s.o.actor.UserID == "bob" {
							next.target.View, next.target.Pin = g.view, g.pins["ann"]
							next.actor.UserID, next.actor.Member, next.actor.Name = "ann", "grant-"+s.o.actor.Office.String(), "Ann via davwopi"
						}
						s.o = next
						s.say("now %s", next.actor.UserID)
					}
					s.run(t, wopi.Collabora)
					if t.Failed() {
						t.Fatalf("seed %d: %s", seed, strings.Join(s.story, "; "))
					}
				}
			})
		}
	}
}

type outageStory struct {
	storm
	acked  string // what the editor was told is saved, last
	waited int
	turn   func() // before each step; nil: always the same person
}

func (s *outageStory) run(t *testing.T, office wopi.Office) {
	s.outside = "first " + s.name
	s.g.server.Write(t, s.name, s.outside)
	s.o = s.g.open(s.name, office)
	for n := range 14 {
		if s.turn != nil {
			s.turn()
		}
		switch s.rand.IntN(9) {
		case 0:
			s.outside = fmt.Sprintf("theirs %d of %s", n, s.name)
			s.say("outside")
			s.g.outside(s.name, s.outside)
		case 1, 2:
			s.say("down")
			s.g.down()
		case 3:
			s.say("up")
			s.g.up()
			s.g.saves.sweep(t.Context())
		case 4:
			s.trouble()
		case 5:
			s.die(t, n)
		default:
			s.put(t, n)
		}
		s.g.somewhere(s.outside)
		s.told()
	}
	s.end(t)
}

// end is when all is well again: nothing waits and nothing is pinned.
func (s *outageStory) end(t *testing.T) {
	s.say("the end")
	s.g.up()
	for range 3 {
		s.g.saves.sweep(t.Context())
		s.g.up()
	}
	s.told()
	if w, err := s.g.saves.Waiting(t.Context(), s.o.target.File.ID); err != nil || w != nil {
		t.Errorf("still waiting: %+v, %v", w, err)
	}
	var pinned int
	if err := s.g.db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM locks_waiting`).Scan(&pinned); err != nil || pinned > 0 {
		t.Errorf("%d files are pinned, %v", pinned, err)
	}
	s.put(t, 99)
	s.told()
}

// told checks what the editor was told last.
func (s *outageStory) told() {
	s.g.t.Helper()
	if s.acked != "" {
		s.g.somewhere(s.acked)
	}
}

// die kills the process during a save or a delivery, and starts the next.
func (s *outageStory) die(t *testing.T, n int) {
	at := steps[s.rand.IntN(len(steps))].step
	if s.rand.IntN(3) == 0 {
		at = []string{"to wait", "waiting"}[s.rand.IntN(2)]
	}
	s.g.die(at)
	dying := ""
	if s.rand.IntN(2) == 0 {
		s.g.saves.sweep(t.Context())
		s.say("crash at %s of a sweep", at)
	} else {
		body := fmt.Sprintf("dying words %d at %s in %s", n, at, s.name)
		_, err := s.o.put(body)
		s.say("crash at %s: %v", at, err)
		var conflict *ConflictError
		if err == nil || errors.As(err, &conflict) && conflict.Copy != "" {
			s.acked = body
		}
		dying = body
		if at != "spooled" || err != nil && !errors.Is(err, errCrash) {
			s.kept(body, err)
		}
	}
	s.g.later(2 * 60e9)
	s.g.patient(Auto, nil)
	s.g.recover()
	for _, name := range s.g.names() {
		if on, _ := s.g.on(name); dying != "" && on == dying && !strings.HasPrefix(name, tempPrefix) {
			s.acked = dying // nobody was told, but it is a newer one of the same editor, or in their copy
		}
	}
	for _, e := range s.g.inJournal(dying) {
		if e.State == stateWaiting || e.State == stateAside {
			s.acked = dying
		}
	}
	if err := s.g.locks.Lock(t.Context(), s.o.target, s.o.actor, s.o.id); err != nil {
		s.say("lock: %v", err)
	}
}

// kept checks that bytes that were taken are somewhere; a refusal before is none.
func (s *outageStory) kept(body string, err error) {
	var mismatch *locks.MismatchError
	if !errors.As(err, &mismatch) {
		s.g.somewhere(body)
	}
}

func (s *outageStory) put(t *testing.T, n int) {
	body := fmt.Sprintf("mine %d of %s", n, s.name)
	_, err := s.o.put(body)
	s.say("put %d: %v", n, err)
	var conflict *ConflictError
	switch {
	case err == nil:
		s.acked = body
		for _, e := range s.g.inJournal(body) {
			if e.State == stateWaiting || e.State == stateAside {
				s.waited++
				return
			}
		}
		s.g.wantOn(s.name, body)
	case errors.As(err, &conflict) && conflict.Copy != "":
		s.acked = body // it replaces an earlier copy of this editing
		s.g.wantOn(conflict.Copy, body)
	default:
		s.kept(body, err)
	}
}
