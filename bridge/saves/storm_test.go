package saves

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// TestNeverLost lets an editor save, other programs write, and things go wrong in
// any order, and checks after every step that the editor's last bytes and the last
// version from outside are at the target, in a copy or in the journal, and that the
// editor was told the truth.
func TestNeverLost(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 1 // under the race detector
	}
	for _, profile := range []davbackend.Profile{davbackend.Embedded, davbackend.Unknown, inChunks} {
		for _, office := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
			t.Run(profile.Name+", "+office.String(), func(t *testing.T) {
				g := newRigFor(t, profile)
				g.pieces()
				for seed := range seeds {
					s := &storm{g: g, rand: rand.New(rand.NewPCG(seed, uint64(office))), name: fmt.Sprintf("f%d.odt", seed)}
					s.run(t, office)
					if t.Failed() {
						t.Fatalf("seed %d: %s", seed, strings.Join(s.story, "; "))
					}
				}
			})
		}
	}
}

type storm struct {
	g       *rig
	rand    *rand.Rand
	name    string
	o       *opened
	outside string // what another program wrote last, if nobody was told that it is gone
	story   []string
}

func (s *storm) run(t *testing.T, office wopi.Office) {
	s.outside = "first " + s.name
	s.g.server.Write(t, s.name, s.outside)
	s.o = s.g.open(s.name, office)
	for n := range 8 {
		switch s.rand.IntN(6) {
		case 0:
			s.outside = fmt.Sprintf("theirs %d of %s", n, s.name)
			s.say("outside")
			s.g.outside(s.name, s.outside)
		case 1:
			s.trouble()
		case 2:
			s.crash(n)
		default:
			s.put(t, n)
		}
		s.g.somewhere(s.outside)
	}
	s.g.server.Quirks.Reset()
	s.put(t, 99)
	s.g.somewhere(s.outside)
	if temps := s.g.temps(); len(temps) > 0 {
		s.g.saves.sweep(t.Context()) // of a crash whose upstream was away
	}
}

func (s *storm) say(format string, args ...any) {
	s.story = append(s.story, fmt.Sprintf(format, args...))
}

func (s *storm) trouble() {
	methods := []string{"PUT", "MOVE", "PROPFIND", "GET", "COPY", ""}
	f := upstream.Fault{Method: methods[s.rand.IntN(len(methods))], Times: 1 + s.rand.IntN(3)}
	switch s.rand.IntN(5) {
	case 0:
		f.LoseAnswer = true
	case 1:
		f.Cut, f.After = true, 3
	case 2:
		f.Truncate, f.After, f.Method = true, 4, "PUT"
	default:
		all := []int{500, 503, 423, 412, 404, 507, 403}
		f.Status = all[s.rand.IntN(len(all))]
	}
	s.say("trouble %+v", f)
	s.g.server.Quirks.Fail(f)
}

func (s *storm) crash(n int) {
	at := steps[s.rand.IntN(len(steps))].step
	body := fmt.Sprintf("dying words %d at %s in %s", n, at, s.name)
	s.g.die(at)
	_, err := s.o.put(body)
	s.say("crash %s: %v", at, err)
	s.g.restart()
	s.g.recover()
	s.g.somewhere(body)
	// The lock lived on or not; the editor locks again, as it would.
	if err := s.g.locks.Lock(s.g.t.Context(), s.o.target, s.o.actor, s.o.id); err != nil {
		s.say("lock: %v", err)
	}
}

func (s *storm) put(t *testing.T, n int) {
	body := fmt.Sprintf("mine %d of %s", n, s.name)
	var change func(*Put)
	if s.o.actor.Office == wopi.Collabora && s.rand.IntN(3) == 0 {
		change = func(p *Put) { p.Timestamp = "" }
	}
	_, err := s.o.putWith(body, change)
	s.say("put %d: %v", n, err)
	var mismatch *locks.MismatchError
	var conflict *ConflictError
	switch {
	case err == nil:
		s.g.wantOn(s.name, body)
	case errors.As(err, &conflict) && conflict.Copy != "":
		s.g.wantOn(conflict.Copy, body)
	case errors.As(err, &mismatch): // told before the body was read
	default:
		if len(s.g.inJournal(body)) == 0 {
			t.Errorf("told %v, and the journal has not got it", err)
		}
	}
}
