package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/profile"
	"davwopi/idmap"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// newRehearsal wires the rooms over a server, whose client knows what its profile
// says.
func newRehearsal(t *testing.T, s *upstream.Server, patience time.Duration) *Rehearsal {
	t.Helper()
	ctx, db := context.Background(), sqldbtest.New(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ids, err := idmap.New(ctx, db)
	must(err)
	credential := s.Credential()
	ups := &access.Upstreams{List: []*access.Upstream{{Name: "main", Client: s.Client(t), Service: &credential}}, IDs: ids}
	ups.Sealer, err = oauth.NewSealer(make([]byte, 32))
	must(err)
	book, err := locks.New(ctx, locks.Locks{DB: db, IDs: ids, Upstreams: ups, Respect: true, Announce: true})
	must(err)
	journal, err := saves.New(ctx, saves.Saves{Dir: filepath.Join(t.TempDir(), "saves"), DB: db, IDs: ids, Locks: book, Patience: patience})
	must(err)
	store, err := profile.New(ctx, db)
	must(err)
	r, err := New(ctx, Rehearsal{DB: db, IDs: ids, Locks: book, Saves: journal, Upstreams: ups, Profiles: store})
	must(err)
	return r
}

// TestScenesOnRealServers: on each server every scene ends as the README's table
// says.
func TestScenesOnRealServers(t *testing.T) {
	for name, c := range map[string]struct {
		start func(testing.TB) *upstream.Server
		want  []Outcome
	}{
		"embedded": {upstream.Embedded, []Outcome{Works, Refused, Refused, Kept, Kept, Refused, Refused, Works, Works, Works}},
		"apache":   {upstream.Apache, []Outcome{Works, Refused, Refused, Kept, Kept, Refused, Refused, Works, Works, Works}},
		"nginx":    {upstream.Nginx, []Outcome{Works, Refused, Refused, Kept, Kept, Refused, Refused, Works, Works, Works}},
		"lighttpd": {upstream.Lighttpd, []Outcome{Works, Refused, Refused, Kept, Kept, Refused, Refused, Works, Works, Works}},
		"rclone":   {upstream.Rclone, []Outcome{Works, Refused, Refused, Kept, Kept, Refused, Refused, Works, Works, Works}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.start(t)
			r := newRehearsal(t, s, 0)
			if f, err := r.Profiles.Measure(t.Context(), "main", s.View(t), nil); err != nil {
				t.Fatal(err)
			} else if name != "embedded" {
				r.Upstreams.List[0].Client.Learn(f.Profile())
			}
			report, err := r.Play(t.Context(), "main", oauth.Principal{Issuer: "test", Subject: "anna"})
			if err != nil {
				t.Fatal(err)
			}
			for i, result := range report.Results {
				t.Logf("%-8s %s: %s", result.Outcome, result.Scene, result.Words)
				if result.Outcome != c.want[i] {
					t.Errorf("%s: %s, want %s", result.Scene, result.Outcome, c.want[i])
				}
			}
			if last, known, err := r.Last(t.Context(), "main"); err != nil || !known || written(t, last) != written(t, report) {
				t.Errorf("kept %+v %v %v", last, known, err)
			}
			nothingLeft(t, r, s)
		})
	}
}

// written is all of a report that is kept: what it says in other languages is not.
func written(t *testing.T, r Report) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// nothingLeft: neither on the upstream nor among IDs, locks and saves.
func nothingLeft(t *testing.T, r *Rehearsal, s *upstream.Server) {
	t.Helper()
	err := s.View(t).List(t.Context(), dav.Root, func(res dav.Resource) error {
		t.Errorf("%s is left on the upstream", res.Path)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if rows, err := r.Locks.List(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%d lock rows are left, %v", len(rows), err)
	}
	if entries, err := r.Saves.List(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("the journal keeps %+v, %v", entries, err)
	}
}

// TestScenesWithoutLocks: where the server has no LOCK nothing keeps the stranger
// out, and everything is noticed all the same.
func TestScenesWithoutLocks(t *testing.T) {
	s := upstream.Strict(t)
	s.Quirks.Set(func(q *upstream.Quirks) { q.NoLock = true })
	r := newRehearsal(t, s, 0)
	report, err := r.Play(t.Context(), "main", oauth.Principal{Issuer: "test", Subject: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Outcome{Works, Refused, Kept, Kept, Kept, Followed, Kept, Kept, Works, Works}
	for i, result := range report.Results {
		if result.Outcome != want[i] {
			t.Errorf("%s: %s (%s), want %s", result.Scene, result.Outcome, result.Words, want[i])
		}
	}
	for _, l := range words.All()[1:] {
		for i, said := range report.In(l).Results {
			for _, text := range []struct{ said, english string }{{said.Scene, report.Results[i].Scene}, {said.Words, report.Results[i].Words}} {
				if text.said == text.english || text.said == "" || strings.HasPrefix(text.said, "play.") || strings.HasPrefix(text.said, "ended.") {
					t.Errorf("%s: %q is %q", l.Tag(), text.english, text.said)
				}
			}
		}
	}
	nothingLeft(t, r, s)
}

// TestAServerThatLosesBytes is found out: uploads over a document arrive empty, and
// it says that all went well.
func TestAServerThatLosesBytes(t *testing.T) {
	s := upstream.Strict(t)
	r := newRehearsal(t, s, 200*time.Millisecond)
	s.Quirks.Fail(upstream.Fault{Method: "PUT", Name: "scene", Truncate: true})
	report, err := r.Play(t.Context(), "main", oauth.Principal{Issuer: "test", Subject: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Results[0]; got.Outcome.Good() {
		t.Errorf("%s: %s (%s)", got.Scene, got.Outcome, got.Words)
	}
	nothingLeft(t, r, s)
}

// TestReadOnlyUpstreamCannotBeRehearsedOn, and is not touched.
func TestReadOnlyUpstreamCannotBeRehearsedOn(t *testing.T) {
	s := upstream.Strict(t)
	r := newRehearsal(t, s, 0)
	s.Quirks.Fail(upstream.Fault{Method: "MKCOL", Status: 403})
	if _, err := r.Play(t.Context(), "main", oauth.Principal{Issuer: "test", Subject: "anna"}); !errors.Is(err, dav.ErrDenied) {
		t.Errorf("got %v", err)
	}
	if _, known, _ := r.Last(t.Context(), "main"); known {
		t.Error("a report is kept")
	}
}
