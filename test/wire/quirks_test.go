package wire

import (
	"regexp"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/profile"
	"davwopi/test/upstream"
)

// A profile for OpenCloud, as a probe would find it.
var openCloud = davbackend.Profile{Name: "opencloud", InPlace: true, Form: davbackend.FormLockToken}

var (
	unknown = []davbackend.Profile{davbackend.Unknown}
	both    = []davbackend.Profile{davbackend.Embedded, davbackend.Unknown}
)

// quirkRows are the rows of what real servers do that the strict one can play, each
// with the profiles under which a bridge must cope with it.
var quirkRows = []struct {
	name     string
	profiles []davbackend.Profile
	set      func(*upstream.Quirks)
	noIDs    bool
}{
	{"strict", both, func(*upstream.Quirks) {}, false},
	{"no IDs", both, func(*upstream.Quirks) {}, true},
	{"native IDs", both, func(q *upstream.Quirks) { q.NativeIDs = true }, false},
	{"weak ETags", unknown, func(q *upstream.Quirks) { q.WeakETags = true }, false},
	{"unquoted ETags", both, func(q *upstream.Quirks) { q.UnquotedETags = true }, false},
	{"no ETag in PROPFIND", unknown, func(q *upstream.Quirks) { q.NoPropfindETag = true }, false},
	{"no ETag on PUT", both, func(q *upstream.Quirks) { q.NoPutETag = true }, false},
	{"another ETag on PUT", both, func(q *upstream.Quirks) { q.OtherPutETag = true }, false},
	{"another ETag on GET", both, func(q *upstream.Quirks) { q.OtherGetETag = true }, false},
	{"conditions ignored", both, func(q *upstream.Quirks) { q.IgnoreConditions = true }, false},
	{"ETags in If fail", both, func(q *upstream.Quirks) { q.IfETagFails = true }, false},
	{"wrong If-Match is 409", both, func(q *upstream.Quirks) { q.ETagConflict = true }, false},
	{"no LOCK", both, func(q *upstream.Quirks) { q.NoLock = true }, false},
	{"locks last 600 s at most", both, func(q *upstream.Quirks) { q.LockCap = 600 * time.Second }, false},
	{"timeout reported as Infinite", both, func(q *upstream.Quirks) { q.LockSays = "Infinite" }, false},
	{"timeout reported as Second-0", both, func(q *upstream.Quirks) { q.LockSays = "Second-0" }, false},
	{"timeout reported as nothing", both, func(q *upstream.Quirks) { q.LockSays = "Second-" }, false},
	{"locks not shown", both, func(q *upstream.Quirks) { q.HideLocks = true }, false},
	{"owners not shown", both, func(q *upstream.Quirks) { q.HideOwner = true }, false},
	{"tokens in Lock-Token only", []davbackend.Profile{openCloud}, func(q *upstream.Quirks) { q.OnlyLockToken = true }, false},
	{"If and Lock-Token together are 412", both, func(q *upstream.Quirks) { q.RefuseBoth = true }, false},
	{"path-only tag is 412", both, func(q *upstream.Quirks) { q.RefuseTagPath = true }, false},
	{"any token refreshes", both, func(q *upstream.Quirks) { q.RefreshLies = true }, false},
	{"a wrong UNLOCK is 204", both, func(q *upstream.Quirks) { q.UnlockWrong = 204 }, false},
	{"MOVE onto a file loses its lock", both, func(q *upstream.Quirks) { q.MoveLosesLock = true }, false},
	{"MOVE onto a locked file is 412", both, func(q *upstream.Quirks) { q.MoveLocked412 = true }, false},
	{"LOCK creates and says 200", both, func(q *upstream.Quirks) { q.LockQuietCreate = true }, false},
	{"LOCK on nothing is 500", both, func(q *upstream.Quirks) { q.LockUnmapped500 = true }, false},
	{"PROPPATCH is 405", both, func(q *upstream.Quirks) { q.NoDeadProps = 405 }, false},
	{"PROPPATCH stores nothing", both, func(q *upstream.Quirks) { q.ForgetProps = true }, false},
	{"multistatus as 200", both, func(q *upstream.Quirks) { q.MultiAs200 = true }, false},
	{"collections want a slash", both, func(q *upstream.Quirks) { q.SlashStatus = 301 }, false},
	{"PROPFIND of a collection is 301", both, func(q *upstream.Quirks) { q.PropfindSlash = 301 }, false},
	{"MOVE into a missing folder is 500", both, func(q *upstream.Quirks) { q.MissingParent = 500 }, false},
	{"GET is compressed", both, func(q *upstream.Quirks) { q.GzipGet = true }, false},
	{"no ranges", both, func(q *upstream.Quirks) { q.NoRanges = true }, false},
	{"PUT answers 200", both, func(q *upstream.Quirks) { q.PutStatus = 200 }, false},
	{"PUT answers 201", both, func(q *upstream.Quirks) { q.PutStatus = 201 }, false},
	{"PUT answers 207", both, func(q *upstream.Quirks) { q.PutStatus = 207 }, false},
	{"ETags weak for a while", both, func(q *upstream.Quirks) { q.WeakFor = 2 * time.Second }, false},
	{"ETags of seconds", both, func(q *upstream.Quirks) { q.SecondETags = true }, true},
	{"ETags of seconds and inode", both, func(q *upstream.Quirks) { q.FileETags = true }, true},
	{"another ETag after MOVE", both, func(q *upstream.Quirks) { q.MoveNewETag = true }, false},
	{"no lockdiscovery", both, func(q *upstream.Quirks) { q.NoLockDiscovery = true }, false},
	{"upper and lower case are one", both, func(q *upstream.Quirks) { q.CaseIsSame = true }, false},
	{"LOCK makes what has no contents", both, func(q *upstream.Quirks) { q.LockNull = true }, false},
	{"a refresh makes a lock", both, func(q *upstream.Quirks) { q.RefreshMakes = true }, false},
	{"broken PUT deletes the file", unknown, func(q *upstream.Quirks) { q.PartialWrites, q.BrokenPutDeletes = true, true }, false},
	{"broken PUT leaves a piece", both, func(q *upstream.Quirks) { q.PartialWrites = true }, false},
	{"refusals in HTML", both, func(q *upstream.Quirks) { q.HTMLErrors = true }, false},
}

// TestEditingOnEveryPreset plays a whole editing of every office on every server of the
// matrix: while nothing is known about it, and when it was measured. Every save is
// answered 200 and is there. The offices take turns.
func TestEditingOnEveryPreset(t *testing.T) {
	all := newOffices(t)
	for i, preset := range upstream.Presets() {
		for k, known := range []string{"unknown", "measured"} {
			t.Run(preset.Name+"/"+known, func(t *testing.T) {
				if testing.Short() && known == "unknown" {
					t.Skip("the careful way is the same on all")
				}
				t.Parallel()
				h := newHouse(t, all, davbackend.Unknown, nil)
				defer h.complain(t)
				h.server.Quirks.Set(preset.Set)
				if known == "measured" {
					h.measure()
				}
				var played []*episode
				for j, m := range allManners {
					if everything || (i+j+k)%len(allManners) < 2 {
						played = append(played, playWhole(t, h, m))
					}
				}
				h.settle()
				for _, e := range played {
					e.check()
				}
				h.wantOneTimeout()
			})
		}
	}
}

// measure makes the bridge know what its upstream does.
func (h *house) measure() {
	h.t.Helper()
	facts, err := profile.Measure(h.t.Context(), h.view(anna), nil)
	h.must(err)
	h.client.Learn(facts.Profile())
}

// wantOneTimeout: every LOCK asked for one Second-N, and nothing would have hung.
func (h *house) wantOneTimeout() {
	h.t.Helper()
	for _, r := range h.server.Requests() {
		if one := r.Header.Get("Timeout"); r.Method == "LOCK" && !secondN.MatchString(one) {
			h.t.Errorf("LOCK with Timeout: %s", one)
		}
	}
	if n := h.server.Hangs(); n > 0 {
		h.t.Errorf("lighttpd would have hung %d times", n)
	}
}

var secondN = regexp.MustCompile(`^Second-[1-9][0-9]*$`)

// TestEditingOnEveryUpstream does the same with every single quirk: every save is
// answered 200 and is there. The offices take turns.
func TestEditingOnEveryUpstream(t *testing.T) {
	all := newOffices(t)
	for i, row := range quirkRows {
		for k, profile := range row.profiles {
			t.Run(row.name+"/"+profile.Name, func(t *testing.T) {
				if testing.Short() && (k > 0 || i%2 > 0) {
					t.Skip("half of the quirks, on one profile: the code between the threads is the same")
				}
				t.Parallel()
				h := newHouse(t, all, profile, func(h *house) { h.noIDs = row.noIDs })
				defer h.complain(t)
				h.server.Quirks.Set(row.set)
				var played []*episode
				for j, m := range allManners {
					turn := (i+j)%len(allManners) == k
					if everything || turn {
						played = append(played, playWhole(t, h, m))
					}
				}
				h.settle()
				for _, e := range played {
					e.check()
				}
			})
		}
	}
}

// playWhole plays an editing in which nothing may go wrong.
func playWhole(t *testing.T, h *house, m manners) *episode {
	t.Helper()
	e := newEpisode(h, m)
	for _, s := range m.steps() {
		s.do(e)
		if e.s == nil || len(e.all) > 0 || e.name == "" {
			t.Fatalf("%s: %s: not answered as it should be", m.name, s.name)
		}
	}
	if got := e.look(); got != e.acked {
		t.Errorf("%s: the file holds %q, want %q", m.name, got, e.acked)
	}
	return e
}
