package wire

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// A mishap is something that goes wrong between the bridge and the upstream.
type mishap struct {
	name    string
	methods []string // nil: any
	arm     func(h *house, method string, times int)
}

func faulty(f upstream.Fault) func(*house, string, int) {
	return func(h *house, method string, times int) {
		f := f
		f.Method, f.Times = method, times
		h.server.Quirks.Fail(f)
	}
}

func afterwards(status int) func(*house, string, int) {
	return func(h *house, method string, times int) {
		if times == 0 {
			times = 1 << 20
		}
		h.wire.after(method, status, times)
	}
}

// hangs is the mishap that only the limit of progress ends.
const hangs = "hang"

var mishaps = []mishap{
	{"cut before", nil, faulty(upstream.Fault{Cut: true})},
	{"cut in the body", []string{"PUT"}, faulty(upstream.Fault{Cut: true, After: 7})},
	{"423 before", nil, faulty(upstream.Fault{Status: http.StatusLocked})},
	{"412 before", nil, faulty(upstream.Fault{Status: http.StatusPreconditionFailed})},
	{"507 before", nil, faulty(upstream.Fault{Status: http.StatusInsufficientStorage})},
	{"413 before", nil, faulty(upstream.Fault{Status: http.StatusRequestEntityTooLarge})},
	{"500 before", nil, faulty(upstream.Fault{Status: http.StatusInternalServerError})},
	{"401 before", nil, faulty(upstream.Fault{Status: http.StatusUnauthorized})},
	{"403 before", nil, faulty(upstream.Fault{Status: http.StatusForbidden})},
	{"503 before", nil, faulty(upstream.Fault{Status: http.StatusServiceUnavailable})},
	{"answer lost", nil, faulty(upstream.Fault{LoseAnswer: true})},
	{"answer cut", []string{"GET", "PROPFIND", "LOCK"}, faulty(upstream.Fault{CutAnswer: true, After: 5})},
	{hangs, nil, faulty(upstream.Fault{Hang: true})},
	{"slow", nil, faulty(upstream.Fault{Before: func() { time.Sleep(60 * time.Millisecond) }})},
	{"truncated with 2xx", []string{"PUT"}, faulty(upstream.Fault{Truncate: true, After: 7})},
	{"empty with 2xx", []string{"PUT"}, faulty(upstream.Fault{Truncate: true})},
	{"500 after", nil, afterwards(http.StatusInternalServerError)},
	{"504 after", nil, afterwards(http.StatusGatewayTimeout)},
	{"401 after", nil, afterwards(http.StatusUnauthorized)},
	{"423 after", nil, afterwards(http.StatusLocked)},
	{"412 after", nil, afterwards(http.StatusPreconditionFailed)},
	{"507 after", nil, afterwards(http.StatusInsufficientStorage)},
}

// A scene is one mishap in one step of one editing.
type scene struct {
	m       manners
	profile davbackend.Profile
	quirk   string
	step    string
	method  string
	mishap  mishap
	times   int // 0: as long as the step lasts
}

func (s scene) String() string {
	often := "once"
	if s.times == 0 {
		often = "always"
	}
	return fmt.Sprintf("%s/%s/%s/%s/%s/%s/%s", s.m.name, s.profile.Name, s.quirk, s.step, s.method, s.mishap.name, often)
}

// storages are the kinds of upstream on which mishaps are played.
var storages = []struct {
	name    string
	profile davbackend.Profile
	set     func(*upstream.Quirks)
}{
	{"strict", davbackend.Embedded, func(*upstream.Quirks) {}},
	{"strict", davbackend.Unknown, func(*upstream.Quirks) {}},
	{"careless", davbackend.Unknown, func(q *upstream.Quirks) {
		q.IgnoreConditions, q.IfETagFails, q.HideLocks, q.PartialWrites, q.NoPutETag, q.MoveLosesLock = true, true, true, true, true, true
	}},
	{"in place and careless", davbackend.Profile{Name: "in place", InPlace: true}, func(q *upstream.Quirks) {
		q.PartialWrites, q.NoPutETag, q.HideOwner = true, true, true
	}},
	{"no LOCK", davbackend.Unknown, func(q *upstream.Quirks) { q.NoLock, q.NoPutETag = true, true }},
}

// scenes are all that there are: every mishap of every method that a step uses, as
// an editing without mishaps shows. What the offices say differs in words, not in the
// requests that follow, but for who unlocks first.
func scenes(t *testing.T, all offices) []scene {
	t.Helper()
	var list []scene
	for _, storage := range storages {
		used := map[bool]map[string][]string{}
		for _, m := range allManners {
			if used[m.unlockFirst] == nil {
				used[m.unlockFirst] = methodsByStep(t, all, storage.profile, storage.set, m)
			}
			for _, s := range m.steps() {
				for _, method := range used[m.unlockFirst][s.name] {
					for _, mishap := range mishaps {
						if mishap.methods != nil && !slices.Contains(mishap.methods, method) {
							continue
						}
						for _, times := range []int{1, 0} {
							list = append(list, scene{m, storage.profile, storage.name, s.name, method, mishap, times})
						}
					}
				}
			}
		}
	}
	return list
}

func methodsByStep(t *testing.T, all offices, profile davbackend.Profile, quirks func(*upstream.Quirks), m manners) map[string][]string {
	t.Helper()
	h := newHouse(t, all, profile, scene{}.house)
	h.server.Quirks.Set(quirks)
	e := newEpisode(h, m)
	used := map[string][]string{}
	for _, s := range m.steps() {
		h.server.Forget()
		s.do(e)
		used[s.name] = methods(h)
	}
	return used
}

func methods(h *house) []string {
	var list []string
	for _, r := range h.server.Requests() {
		if !slices.Contains(list, r.Method) {
			list = append(list, r.Method)
		}
	}
	return list
}

// TestMishaps: what was answered 200 is there; what was not is there whole, or the
// old contents are and the journal has it. In the end nothing is left over and
// nothing is stuck.
func TestMishaps(t *testing.T) {
	all := newOffices(t)
	list := scenes(t, all)
	t.Logf("%d scenes", len(list))
	dice := seed(t)
	dice.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	if n := scenesToPlay(); n < len(list) {
		list = list[:n]
	}
	for _, s := range list {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			s.play(t, all)
		})
	}
}

func scenesToPlay() int {
	if n, err := strconv.Atoi(os.Getenv("DAVWOPI_WIRE_SCENES")); err == nil {
		return n
	}
	switch {
	case everything:
		return math.MaxInt
	case testing.Short():
		return 20
	}
	return 100
}

func (s scene) play(t *testing.T, all offices) {
	h := newHouse(t, all, s.profile, s.house)
	defer h.complain(t)
	h.server.Quirks.Set(func(q *upstream.Quirks) { s.quirks(q) })
	e := newEpisode(h, s.m)
	for _, step := range s.m.steps() {
		if step.name == s.step {
			s.mishap.arm(h, s.method, s.times)
		}
		step.do(e)
		if step.name == s.step {
			h.server.Quirks.Reset()
			h.server.Quirks.Set(func(q *upstream.Quirks) { s.quirks(q) })
			h.wire.after("", 0, 0)
		}
	}
	h.settle()
	h.later(31 * time.Minute) // an Unlock that did not come through
	h.settle()
	e.check()
}

func (s scene) house(h *house) {
	h.patience = 400 * time.Millisecond
	if s.mishap.name == hangs {
		h.idle = 700 * time.Millisecond // how long each scene takes
	}
}

func (s scene) quirks(q *upstream.Quirks) {
	for _, storage := range storages {
		if storage.name == s.quirk && storage.profile.Name == s.profile.Name {
			storage.set(q)
		}
	}
}
