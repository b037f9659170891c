package wire

import (
	"testing"
	"time"

	"davwopi/davbackend"
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
	{"broken PUT leaves a piece", both, func(q *upstream.Quirks) { q.PartialWrites = true }, false},
	{"refusals in HTML", both, func(q *upstream.Quirks) { q.HTMLErrors = true }, false},
	{"nginx", unknown, func(q *upstream.Quirks) {
		q.NoPropfindETag, q.NoPutETag, q.IgnoreConditions, q.HideOwner, q.UnlockWrong, q.NoDeadProps, q.LockCap = true, true, true, true, 204, 405, time.Hour
	}, true},
	{"x/net", unknown, func(q *upstream.Quirks) {
		q.IgnoreConditions, q.IfETagFails, q.HideLocks, q.RefuseTagPath, q.NoDeadProps, q.PutStatus, q.PartialWrites = true, true, true, true, 403, 201, true
	}, true},
	{"lighttpd", unknown, func(q *upstream.Quirks) {
		q.LockCap, q.HideOwner, q.RefreshLies, q.MoveLocked412 = 600*time.Second, true, true, true
	}, true},
	{"SFTPGo", unknown, func(q *upstream.Quirks) {
		q.IgnoreConditions, q.IfETagFails, q.OtherPutETag, q.PutStatus, q.PartialWrites, q.GzipGet = true, true, true, 201, true, true
	}, true},
	{"plain Nextcloud", unknown, func(q *upstream.Quirks) {
		q.NativeIDs, q.NoLock, q.PartialWrites, q.HTMLErrors = true, true, true, true
	}, false},
	{"Nextcloud with files_lock", unknown, func(q *upstream.Quirks) {
		q.NativeIDs, q.MoveLosesLock, q.PartialWrites, q.LockSays = true, true, true, "Second-"
	}, false},
}

// TestEditingOnEveryUpstream plays a whole editing of every office on every kind of
// upstream: every save is answered 200 and is there. Where two profiles are possible
// the offices take turns with them.
func TestEditingOnEveryUpstream(t *testing.T) {
	all := newOffices(t)
	for i, row := range quirkRows {
		for k, profile := range row.profiles {
			t.Run(row.name+"/"+profile.Name, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, all, profile, func(h *house) { h.noIDs = row.noIDs })
				defer h.complain(t)
				h.server.Quirks.Set(row.set)
				var played []*episode
				for j, m := range allManners {
					turn := (i+j)%len(row.profiles) == k && (!testing.Short() || (i+j)%len(allManners) == 0)
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
