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
	embedded = []davbackend.Profile{davbackend.Embedded}
	unknown  = []davbackend.Profile{davbackend.Unknown}
	both     = []davbackend.Profile{davbackend.Embedded, davbackend.Unknown}
)

// quirkRows are the rows of what real servers do that the strict one can play, each
// with the profiles under which a bridge must cope with it.
var quirkRows = []struct {
	name     string
	profiles []davbackend.Profile
	set      func(*upstream.Quirks)
}{
	{"strict", both, func(*upstream.Quirks) {}},
	{"native IDs", both, func(q *upstream.Quirks) { q.NativeIDs = true }},
	{"weak ETags", unknown, func(q *upstream.Quirks) { q.WeakETags = true }},
	{"unquoted ETags", both, func(q *upstream.Quirks) { q.UnquotedETags = true }},
	{"no ETag in PROPFIND", unknown, func(q *upstream.Quirks) { q.NoPropfindETag = true }},
	{"no ETag on PUT", both, func(q *upstream.Quirks) { q.NoPutETag = true }},
	{"another ETag on PUT", both, func(q *upstream.Quirks) { q.OtherPutETag = true }},
	{"another ETag on GET", both, func(q *upstream.Quirks) { q.OtherGetETag = true }},
	{"conditions ignored", both, func(q *upstream.Quirks) { q.IgnoreConditions = true }},
	{"ETags in If fail", both, func(q *upstream.Quirks) { q.IfETagFails = true }},
	{"wrong If-Match is 409", both, func(q *upstream.Quirks) { q.ETagConflict = true }},
	{"no LOCK", both, func(q *upstream.Quirks) { q.NoLock = true }},
	{"locks last 600 s at most", both, func(q *upstream.Quirks) { q.LockCap = 600 * time.Second }},
	{"timeout reported as Infinite", both, func(q *upstream.Quirks) { q.LockSays = "Infinite" }},
	{"timeout reported as Second-0", both, func(q *upstream.Quirks) { q.LockSays = "Second-0" }},
	{"timeout reported as nothing", both, func(q *upstream.Quirks) { q.LockSays = "Second-" }},
	{"locks not shown", both, func(q *upstream.Quirks) { q.HideLocks = true }},
	{"owners not shown", both, func(q *upstream.Quirks) { q.HideOwner = true }},
	{"tokens in Lock-Token only", []davbackend.Profile{openCloud}, func(q *upstream.Quirks) { q.OnlyLockToken = true }},
	{"If and Lock-Token together are 412", both, func(q *upstream.Quirks) { q.RefuseBoth = true }},
	{"path-only tag is 412", both, func(q *upstream.Quirks) { q.RefuseTagPath = true }},
	{"any token refreshes", both, func(q *upstream.Quirks) { q.RefreshLies = true }},
	{"a wrong UNLOCK is 204", both, func(q *upstream.Quirks) { q.UnlockLies = true }},
	{"MOVE onto a file loses its lock", both, func(q *upstream.Quirks) { q.MoveLosesLock = true }},
	{"MOVE onto a locked file is 412", both, func(q *upstream.Quirks) { q.MoveLocked412 = true }},
	{"LOCK creates and says 200", both, func(q *upstream.Quirks) { q.LockQuietCreate = true }},
	{"LOCK on nothing is 500", both, func(q *upstream.Quirks) { q.LockUnmapped500 = true }},
	{"PROPPATCH is 405", both, func(q *upstream.Quirks) { q.NoDeadProps = 405 }},
	{"PROPPATCH stores nothing", both, func(q *upstream.Quirks) { q.ForgetProps = true }},
	{"multistatus as 200", both, func(q *upstream.Quirks) { q.MultiAs200 = true }},
	{"collections want a slash", both, func(q *upstream.Quirks) { q.SlashStatus = 301 }},
	{"PROPFIND of a collection is 301", both, func(q *upstream.Quirks) { q.PropfindSlash = 301 }},
	{"MOVE into a missing folder is 500", both, func(q *upstream.Quirks) { q.MissingParent = 500 }},
	{"GET is compressed", both, func(q *upstream.Quirks) { q.GzipGet = true }},
	{"no ranges", both, func(q *upstream.Quirks) { q.NoRanges = true }},
	{"PUT answers 200", both, func(q *upstream.Quirks) { q.PutStatus = 200 }},
	{"PUT answers 201", both, func(q *upstream.Quirks) { q.PutStatus = 201 }},
	{"PUT answers 207", both, func(q *upstream.Quirks) { q.PutStatus = 207 }},
	{"broken PUT leaves a piece", both, func(q *upstream.Quirks) { q.PartialWrites = true }},
	{"refusals in HTML", both, func(q *upstream.Quirks) { q.HTMLErrors = true }},
	{"nginx", unknown, func(q *upstream.Quirks) {
		q.NoPropfindETag, q.NoPutETag, q.IgnoreConditions, q.HideOwner, q.UnlockLies, q.NoDeadProps, q.LockCap = true, true, true, true, true, 405, time.Hour
	}},
	{"x/net", unknown, func(q *upstream.Quirks) {
		q.IgnoreConditions, q.IfETagFails, q.HideLocks, q.RefuseTagPath, q.NoDeadProps, q.PutStatus, q.PartialWrites = true, true, true, true, 403, 201, true
	}},
	{"lighttpd", unknown, func(q *upstream.Quirks) {
		q.LockCap, q.HideOwner, q.RefreshLies, q.MoveLocked412 = 600*time.Second, true, true, true
	}},
	{"SFTPGo", unknown, func(q *upstream.Quirks) {
		q.IgnoreConditions, q.IfETagFails, q.OtherPutETag, q.PutStatus, q.PartialWrites, q.GzipGet = true, true, true, 201, true, true
	}},
	{"plain Nextcloud", unknown, func(q *upstream.Quirks) { q.NativeIDs, q.NoLock, q.PartialWrites, q.HTMLErrors = true, true, true, true }},
	{"Nextcloud with files_lock", unknown, func(q *upstream.Quirks) {
		q.NativeIDs, q.MoveLosesLock, q.PartialWrites, q.LockSays = true, true, true, "Second-"
	}},
}

// TestEditingOnEveryUpstream plays a whole editing of every office on every kind of
// upstream: every save is answered 200 and is there.
func TestEditingOnEveryUpstream(t *testing.T) {
	all := newOffices(t)
	for i, row := range quirkRows {
		for _, profile := range row.profiles {
			t.Run(row.name+"/"+profile.Name, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, all, profile, nil)
				defer h.complain(t)
				h.server.Quirks.Set(row.set)
				for j, m := range allManners {
					if !testing.Short() || (i+j)%len(allManners) == 0 {
						playWhole(t, h, m)
					}
				}
			})
		}
	}
}

// playWhole plays an editing in which nothing may go wrong.
func playWhole(t *testing.T, h *house, m manners) {
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
	h.settle()
	e.check()
	if t.Failed() {
		t.Fatalf("%s: see above", m.name)
	}
}
