package oauth

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func newSessions(t *testing.T, db *sqldb.DB) *Sessions {
	t.Helper()
	s, err := NewSessions(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t *testing.T, s *Sessions, p Principal) (cookie, id string) {
	t.Helper()
	cookie, id, err := s.Start(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return cookie, id
}

func mustSession(t *testing.T, s *Sessions, cookie string) Session {
	t.Helper()
	got, err := s.Get(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mustNoSession(t *testing.T, s *Sessions, cookie string) {
	t.Helper()
	if got, err := s.Get(t.Context(), cookie); !errors.Is(err, ErrNoSession) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSession(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newSessions(t, db)
		cookie, id := start(t, s, anna)
		other, otherID := start(t, s, anna)
		if cookie == other || id == otherID || strings.Contains(cookie, id) {
			t.Fatal("two sessions are one")
		}
		got := mustSession(t, s, cookie)
		if got.ID != id || got.Principal.Key() != anna.Key() || got.Principal.Name != anna.Name ||
			!slices.Equal(got.Principal.Groups, anna.Groups) || !got.Expires.Equal(c.Now().Add(s.Idle)) {
			t.Errorf("%+v", got)
		}
		if err := s.End(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		mustNoSession(t, s, cookie)
		mustSession(t, s, other)
		if err := s.End(t.Context(), id); err != nil {
			t.Errorf("ending twice: %v", err)
		}
		for _, bad := range []string{"", "x", id, otherID, cookie + "x", strings.Repeat("a", 43), strings.Repeat("\x00", 43), strings.Repeat("a", 1<<20)} {
			mustNoSession(t, s, bad)
		}
		if _, _, err := s.Start(t.Context(), Principal{Name: "nobody"}); !errors.Is(err, ErrPrincipal) {
			t.Errorf("a session of nobody: %v", err)
		}
	})
}

func TestSessionTimes(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newSessions(t, db)
		s.Idle, s.Lifetime = time.Hour, 2*time.Hour
		idle, _ := start(t, s, anna)
		used, _ := start(t, s, anna)
		c.add(50 * time.Minute)
		mustSession(t, s, used)
		c.add(10 * time.Minute)
		mustNoSession(t, s, idle)
		mustSession(t, s, used)
		c.add(50 * time.Minute)
		if got := mustSession(t, s, used); !got.Expires.Equal(c.Now().Add(10 * time.Minute)) {
			t.Errorf("its lifetime ends at %v, not %v", c.Now().Add(10*time.Minute), got.Expires)
		}
		c.add(10 * time.Minute)
		mustNoSession(t, s, used) // in use all the time

		fresh, _ := start(t, s, anna)
		c.add(s.Idle - time.Millisecond)
		if got := mustSession(t, s, fresh); !got.Expires.Equal(c.Now().Add(s.Idle)) {
			t.Errorf("expires %v", got.Expires)
		}
		s.Idle = 30 * time.Minute // a new configuration holds for old sessions
		c.add(s.Idle)
		mustNoSession(t, s, fresh)
	})
}

func TestSessionUseIsNotedOnceAMinute(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newSessions(t, db)
		cookie, id := start(t, s, anna)
		used := func() (ms int64) {
			if err := db.Read().QueryRow(t.Context(), `SELECT used FROM oauth_session WHERE id = ?`, id).Scan(&ms); err != nil {
				t.Fatal(err)
			}
			return ms
		}
		begin := used()
		c.add(59 * time.Second)
		mustSession(t, s, cookie)
		if used() != begin {
			t.Error("noted within the minute")
		}
		c.add(time.Second)
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if _, err := s.Get(t.Context(), cookie); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if used() != sqldb.Millis(c.Now()) {
			t.Error("not noted after a minute")
		}
	})
}

func TestSessionsEndAllAndClean(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := setClock(db)
		s := newSessions(t, db)
		bert := Principal{Issuer: anna.Issuer, Subject: "bert"}
		one, id1 := start(t, s, anna)
		two, id2 := start(t, s, anna)
		others, _ := start(t, s, bert)
		ids, err := s.EndAll(t.Context(), anna.Key())
		slices.Sort(ids)
		want := []string{id1, id2}
		slices.Sort(want)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%v, %v", ids, err)
		}
		mustNoSession(t, s, one)
		mustNoSession(t, s, two)
		mustSession(t, s, others)
		if ids, err := s.EndAll(t.Context(), anna.Key()); err != nil || len(ids) != 0 {
			t.Errorf("again: %v, %v", ids, err)
		}

		c.add(s.Idle - time.Minute)
		young, _ := start(t, s, bert)
		c.add(time.Minute)
		if err := s.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM oauth_session`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
		mustSession(t, s, young)
	})
}

// TestStoreKeepsNoSecrets looks into every column of every table of the room.
func TestStoreKeepsNoSecrets(t *testing.T) {
	db := sqldbtest.New(t)
	s := newSessions(t, db)
	cookie, _ := start(t, s, anna)
	links, err := NewLinks(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	link, err := links.Make(t.Context(), Principal{Subject: "anna"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	apps, err := NewAppPasswords(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	app, _, err := apps.Make(t.Context(), anna, "laptop")
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := NewCredentials(t.Context(), db, testSealer(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := credentials.Put(t.Context(), anna.Key(), "main", Secret{KindPassword, "anna", "hunter2"}); err != nil {
		t.Fatal(err)
	}
	for table, columns := range map[string]int{"oauth_session": 6, "oauth_link": 3, "oauth_app_password": 7, "oauth_credential": 3} {
		cells := make([]any, columns)
		for i := range cells {
			cells[i] = new([]byte)
		}
		if err := db.Read().QueryRow(t.Context(), `SELECT * FROM `+table).Scan(cells...); err != nil {
			t.Fatal(err)
		}
		for i, cell := range cells {
			for _, secret := range []string{cookie, link, app, strings.ReplaceAll(app, "-", ""), "hunter2"} {
				if bytes.Contains(*cell.(*[]byte), []byte(secret)) {
					t.Errorf("%s column %d holds a secret", table, i)
				}
			}
		}
	}
	mustHide(t, s, cookie)
	mustHide(t, links, link)
	mustHide(t, apps, app)
	mustHide(t, mustSession(t, s, cookie), cookie)
}
