package idmap

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

var (
	versionForm      = regexp.MustCompile(`^[0-9]+\.[a-z2-7]{9}$`)
	lastModifiedForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$`)
)

// No string of a file recurs, whatever the upstream's clock does, over laps of
// the seven digits and over new epochs.
func TestNoStringRecurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &resource{id: newFileID()}
		e := epoch{num: 1, nonce: random(20)}
		base := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "base"), 0)
		versions, times := map[string]bool{}, map[string]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0: // many revisions that nobody looks at
				jump := rapid.Int64Range(0, lap).Draw(t, "jump")
				if r.revision > 0 && r.revision/lap != (r.revision+jump)/lap {
					r.floor = r.top + 1 // as each revision between would have
				}
				r.revision += jump
			case 1:
				e = epoch{num: e.num + 1, nonce: random(20)}
			}
			modified := base.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "clock")) * time.Second)
			r.number(e, modified, base)
			if versions[r.version] || times[r.lastModified] {
				t.Fatalf("revision %d: %s, %s", r.revision, r.version, r.lastModified)
			}
			versions[r.version], times[r.lastModified] = true, true
			if !versionForm.MatchString(r.version) || !lastModifiedForm.MatchString(r.lastModified) {
				t.Fatalf("%s, %s", r.version, r.lastModified)
			}
		}
	})
}

// A revision a whole lap later has the same digits, and one of a new epoch may.
func TestNoStringRecursWithEqualDigits(t *testing.T) {
	when := time.Unix(1e9, 0)
	r := &resource{id: newFileID(), revision: 4}
	one, two := epoch{num: 1, nonce: random(20)}, epoch{num: 2, nonce: random(20)}
	for one.shift(r.id) <= two.shift(r.id) {
		one.nonce = random(20)
	}
	r.number(one, when, when) // 5
	first := r.lastModified
	r.revision = lap - 1
	r.number(one, when, when)
	r.revision = lap + 4
	r.number(one, when, when)
	if first[20:] != r.lastModified[20:] || first == r.lastModified {
		t.Errorf("a lap later: %s, %s", first, r.lastModified)
	}
	second := r.lastModified
	r.revision += one.shift(r.id) - two.shift(r.id) - 1
	r.number(two, when, when)
	if second[20:] != r.lastModified[20:] || second == r.lastModified {
		t.Errorf("in a new epoch: %s, %s", second, r.lastModified)
	}
}

func TestLastModifiedIsTheUpstreams(t *testing.T) {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		modified time.Time
		want     string
	}{
		{"seconds of the upstream", time.Date(2019, 2, 3, 4, 5, 6, 789e6, time.FixedZone("", 3600)), "2019-02-03T03:05:06"},
		{"unknown: now", time.Time{}, "2026-11-20T09:00:00"},
		{"before 1970: now", time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), "2026-11-20T09:00:00"},
		{"after 9000: now", time.Date(30828, 1, 1, 0, 0, 0, 0, time.UTC), "2026-11-20T09:00:00"},
	} {
		r := &resource{id: newFileID()}
		r.number(epoch{1, random(20)}, c.modified, now)
		if r.lastModified[:19] != c.want {
			t.Errorf("%s: %s", c.name, r.lastModified)
		}
	}
}

// After a restore, a file goes through the same numbers again.
func TestRestoreBeginsAnEpoch(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		m, err := New(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Space(ctx, "nas", "")
		if err != nil {
			t.Fatal(err)
		}
		res := dav.Resource{Path: "/x", ETag: `"1"`, Size: 1, Modified: time.Unix(1e9, 0)}
		x, err := m.At(ctx, s, res)
		if err != nil {
			t.Fatal(err)
		}
		backup, err := resourceBy(ctx, db.Read(), `r.id = ?`, x.ID)
		if err != nil {
			t.Fatal(err)
		}
		met := map[string]bool{}
		for round := range 3 {
			for range 20 {
				e, err := m.Wrote(ctx, s, x.ID, res, nil)
				if err != nil {
					t.Fatal(err)
				}
				if met[e.Revision.Version] || met[e.Revision.LastModified] {
					t.Fatalf("round %d: %+v", round, e.Revision)
				}
				met[e.Revision.Version], met[e.Revision.LastModified] = true, true
			}
			err := db.Write(ctx, func(tx sqldb.Queryer) error {
				if _, err := tx.Exec(ctx, `DELETE FROM idmap_revision`); err != nil {
					return err
				}
				return (&change{tx: tx}).save(ctx, backup)
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.NewEpoch(ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// New on a database that has an epoch does not begin another.
func TestNewKeepsTheEpoch(t *testing.T) {
	sqldbtest.EachWhere(t, func(t *testing.T, where string) {
		ctx := t.Context()
		var first idAndVersion
		for i := range 3 {
			db, err := sqldb.Open(ctx, where)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			m, err := New(ctx, db)
			if err != nil {
				t.Fatal(err)
			}
			s, err := m.Space(ctx, "nas", "")
			if err != nil {
				t.Fatal(err)
			}
			e, err := m.At(ctx, s, dav.Resource{Path: "/a/x", Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = idAndVersion{e.ID, e.Revision.Version}
			}
			if got := (idAndVersion{e.ID, e.Revision.Version}); got != first {
				t.Fatalf("after a restart %v, before %v", got, first)
			}
			var epochs int
			if err := db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM idmap_epoch`).Scan(&epochs); err != nil || epochs != 1 {
				t.Fatal(epochs, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

type idAndVersion struct {
	id      FileID
	version string
}

func TestShiftStaysWithinSevenDigits(t *testing.T) {
	for i := range 1000 {
		if s := (epoch{1, strconv.Itoa(i)}).shift(newFileID()); s < 0 || s >= lap {
			t.Fatal(s)
		}
	}
	if fmt.Sprintf("%07d", lap-1) != "9999999" {
		t.Fatal("a lap is not seven digits")
	}
}

// TestRestoredPlacesAreLookedAt: after a restore the first look at each place counts,
// however short ago the backup says that it was seen, and is not a change by itself.
func TestRestoredPlacesAreLookedAt(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		m, err := New(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Space(ctx, "main", "")
		if err != nil {
			t.Fatal(err)
		}
		res := dav.Resource{Path: "/a.txt", Size: 3, ETag: `"1"`, Modified: time.Unix(1_700_000_000, 0)}
		before, err := m.At(ctx, s, res)
		if err != nil {
			t.Fatal(err)
		}
		unseen := func() (n int) {
			t.Helper()
			if err := db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM idmap_place WHERE seen = 0`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if unseen() != 0 {
			t.Fatal("the first epoch forgets what was seen")
		}
		if err := m.NewEpoch(ctx); err != nil {
			t.Fatal(err)
		}
		if n := unseen(); n != 2 { // the root, too
			t.Fatalf("%d places are to be looked at", n)
		}
		after, err := m.At(ctx, s, res)
		if err != nil || after.ID != before.ID || after.Revision.Version != before.Revision.Version {
			t.Errorf("%+v became %+v, %v", before, after, err)
		}
		if n := unseen(); n != 1 {
			t.Errorf("%d places are to be looked at after a look", n)
		}
	})
}
