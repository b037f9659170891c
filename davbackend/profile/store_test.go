package profile

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

func newStore(t *testing.T, db *sqldb.DB) *Store {
	t.Helper()
	s, err := New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s, server := newStore(t, db), upstream.Strict(t)
		client := server.Client(t)
		client.Assumed = davbackend.Unknown
		v := client.As(server.Credential())
		if _, known, err := s.Facts(t.Context(), "main"); err != nil || known {
			t.Fatalf("before: %v %v", known, err)
		}
		f, err := s.Measure(t.Context(), "main", v, []byte("sealed"))
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Profile(); got != f.Profile() || !got.Conditions {
			t.Errorf("the client has not learned it: %+v", got)
		}
		again, known, err := newStore(t, db).Facts(t.Context(), "main")
		if err != nil || !known || again != f {
			t.Errorf("kept %+v (%v %v), measured %+v", again, known, err, f)
		}
		if _, known, _ := s.Facts(t.Context(), "other"); known {
			t.Error("another upstream has its facts")
		}
		for _, table := range []string{"profile_scratch", "profile_claim"} {
			if n := count(t, db, table); n != 0 {
				t.Errorf("%s has %d lines left", table, n)
			}
		}
	})
}

func count(t *testing.T, db *sqldb.DB, table string) (n int) {
	t.Helper()
	if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOneMeasuresAtATime: who comes second is told so, until the first has died for 20 s.
// A first that lives keeps its claim for as long as it needs.
func TestOneMeasuresAtATime(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var now atomic.Int64
		now.Store(time.Now().UnixMilli())
		db.SetClock(func() time.Time { return time.UnixMilli(now.Load()) })
		s, server := newStore(t, db), upstream.Strict(t)
		if _, err := s.claim(t.Context(), "main", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Measure(t.Context(), "main", server.View(t), nil); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
		if n := len(server.Requests()); n != 0 {
			t.Errorf("%d requests", n)
		}
		now.Add((20 * time.Second).Milliseconds())
		if _, err := s.Measure(t.Context(), "main", server.View(t), nil); err != nil {
			t.Error(err)
		}
		mine, err := s.claim(t.Context(), "main", 0)
		if err != nil {
			t.Fatal(err)
		}
		now.Add((19 * time.Second).Milliseconds())
		if mine, err = s.claim(t.Context(), "main", mine); err != nil {
			t.Fatalf("renewing: %v", err)
		}
		now.Add((19 * time.Second).Milliseconds())
		if _, err := s.claim(t.Context(), "main", 0); !errors.Is(err, ErrBusy) {
			t.Errorf("what was renewed was taken: %v", err)
		}
		now.Add(time.Minute.Milliseconds())
		other, err := s.claim(t.Context(), "main", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.claim(t.Context(), "main", mine); !errors.Is(err, ErrBusy) {
			t.Errorf("who slept has renewed a claim that is another's: %v", err)
		}
		s.unclaim(t.Context(), "main", mine)
		if _, err := s.claim(t.Context(), "main", 0); !errors.Is(err, ErrBusy) {
			t.Errorf("who slept has ended another's claim: %v", err)
		}
		s.unclaim(t.Context(), "main", other)
		if _, err := s.claim(t.Context(), "main", 0); err != nil {
			t.Errorf("what was given back: %v", err)
		}
		if err := s.Alone(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.claim(t.Context(), "main", 0); err != nil {
			t.Errorf("after Alone: %v", err)
		}
	})
}

// TestAReaderDoesNotUnlearn: what was measured with write access stays.
func TestAReaderDoesNotUnlearn(t *testing.T) {
	db := sqldbtest.New(t)
	s, server := newStore(t, db), upstream.Strict(t)
	full, err := s.Measure(t.Context(), "main", server.View(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	server.Quirks.Fail(upstream.Fault{Method: "MKCOL", Status: http.StatusForbidden})
	f, err := s.Measure(t.Context(), "main", server.View(t), nil)
	if err != nil || !f.ReadOnly {
		t.Fatalf("%+v %v", f, err)
	}
	if kept, _, _ := s.Facts(t.Context(), "main"); kept != full {
		t.Errorf("kept %+v", kept)
	}
}

// TestChanged: an update of the server shows in its headers.
func TestChanged(t *testing.T) {
	server := upstream.Strict(t)
	f, err := Measure(t.Context(), server.View(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := Changed(t.Context(), server.View(t), f); err != nil || changed {
		t.Errorf("changed %v, %v", changed, err)
	}
	f.Server = "another/1.0"
	if changed, err := Changed(t.Context(), server.View(t), f); err != nil || !changed {
		t.Errorf("changed %v, %v", changed, err)
	}
}

// TestKilledWhileMeasuring: whatever the process was doing, the next one removes what
// it has left, a lock on it too.
func TestKilledWhileMeasuring(t *testing.T) {
	server := upstream.Strict(t)
	v := server.View(t)
	f, err := Measure(t.Context(), v, nil)
	if err != nil {
		t.Fatal(err)
	}
	for after := 3; after < f.Requests; after += 11 {
		db := sqldbtest.New(t)
		s := newStore(t, db)
		ctx, kill := context.WithCancel(t.Context())
		var n atomic.Int64
		server.Quirks.Set(func(q *upstream.Quirks) {
			q.Answer = func(r *http.Request) http.Handler {
				if n.Add(1) < int64(after) {
					return nil
				}
				kill() // from here on nothing reaches the server: the process is dead
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			}
		})
		if _, err := s.Measure(ctx, "main", v, nil); err == nil {
			t.Fatalf("after %d requests it was not killed", after)
		}
		server.Quirks.Reset()
		if err := s.Tidy(t.Context(), func(context.Context, string, []byte) (*davbackend.View, error) { return v, nil }); err != nil {
			t.Errorf("after %d requests: %v", after, err)
		}
		nothingLeft(t, v)
		if n := count(t, db, "profile_scratch"); n != 0 {
			t.Errorf("after %d requests %d folders are remembered", after, n)
		}
	}
}

// TestTidyKeepsWhatItCannotRemove, and tries again.
func TestTidyKeepsWhatItCannotRemove(t *testing.T) {
	db := sqldbtest.New(t)
	s, server := newStore(t, db), upstream.Strict(t)
	v := server.View(t)
	c := &scratch{s: s, upstream: "main", pinned: []byte("sealed")}
	dir := dav.Path("/" + prefix + "x")
	if err := errors.Join(c.Made(t.Context(), dir), v.Mkcol(t.Context(), dir)); err != nil {
		t.Fatal(err)
	}
	server.Quirks.Fail(upstream.Fault{Method: "DELETE", Times: 1, Status: 503})
	open := func(_ context.Context, upstream string, pinned []byte) (*davbackend.View, error) {
		if upstream != "main" || string(pinned) != "sealed" {
			t.Errorf("opened %s with %q", upstream, pinned)
		}
		return v, nil
	}
	if err := s.Tidy(t.Context(), open); !errors.Is(err, dav.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := s.Tidy(t.Context(), open); err != nil || count(t, db, "profile_scratch") != 0 {
		t.Errorf("then %v", err)
	}
	nothingLeft(t, v)
}

// TestEmbeddedFacts are readable, and make the profile that the program assumes.
func TestEmbeddedFacts(t *testing.T) {
	got := Embedded().Profile()
	want := davbackend.Embedded
	want.Form = got.Form // either is taken
	if got != want {
		t.Errorf("%+v, the program assumes %+v", got, want)
	}
}
