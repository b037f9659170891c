package upstream_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func body(s string) davbackend.Body {
	return davbackend.Body{Size: int64(len(s)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }}
}

// do sends a bare request as User.
func do(t *testing.T, s *upstream.Server, method, name, content string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+name, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(s.User, s.Password)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// A fixture has a file "/a" with "one", a folder "/d", and the view of a client.
func fixture(t *testing.T) (*upstream.Server, *davbackend.View) {
	t.Helper()
	s := upstream.Strict(t)
	s.Write(t, "a", "one")
	s.Write(t, "d/x", "x")
	v := s.View(t)
	if _, err := v.Stat(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	return s, v
}

func stat(t *testing.T, v *davbackend.View, p dav.Path) dav.Resource {
	t.Helper()
	res, err := v.Stat(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func lock(t *testing.T, v *davbackend.View, p dav.Path) dav.ActiveLock {
	t.Helper()
	l, _, err := v.Lock(t.Context(), p, davbackend.LockRequest{Owner: "me", Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFaults(t *testing.T) {
	none := davbackend.Condition{}
	whole := strings.Repeat("0123456789", 1000)
	for _, c := range []struct {
		name    string
		partial bool
		fault   upstream.Fault
		want    error
		left    string // what the file then holds
	}{
		{"status", false, upstream.Fault{Status: 507}, dav.ErrFull, "one"},
		{"cut, atomic server", false, upstream.Fault{Cut: true, After: 5}, dav.ErrUnavailable, "one"},
		{"cut, truncating server", true, upstream.Fault{Cut: true, After: 5}, dav.ErrUnavailable, "01234"},
		{"lost answer", false, upstream.Fault{LoseAnswer: true}, dav.ErrUnavailable, whole},
		{"truncated and yes", false, upstream.Fault{Truncate: true, After: 7}, nil, "0123456"},
		{"hang", false, upstream.Fault{Hang: true}, dav.ErrUnavailable, "one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, v := fixture(t)
			if c.fault.Hang {
				v.Client().Idle = 80 * time.Millisecond
			}
			s.Quirks.Set(func(q *upstream.Quirks) { q.PartialWrites = c.partial })
			var before, then atomic.Int32
			c.fault.Method, c.fault.Name, c.fault.Times = "PUT", "a", 1
			c.fault.Before, c.fault.Then = func() { before.Add(1) }, func() { then.Add(1) }
			s.Quirks.Fail(c.fault)
			if err := v.Put(t.Context(), "/a", body(whole), none); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("first: %v", err)
			}
			if got, _ := s.Read(t, "a"); got != c.left {
				t.Errorf("left: %d bytes, want %d", len(got), len(c.left))
			}
			if done := c.fault.LoseAnswer || c.fault.Truncate; before.Load() != 1 || done != (then.Load() == 1) {
				t.Errorf("hooks ran %d and %d times", before.Load(), then.Load())
			}
			if err := s.View(t).Put(t.Context(), "/a", body("two"), none); err != nil {
				t.Errorf("the fault is over: %v", err)
			}
		})
	}
	t.Run("answer cut", func(t *testing.T) {
		s, v := fixture(t)
		s.Quirks.Fail(upstream.Fault{Method: "GET", CutAnswer: true, After: 2})
		content, err := v.Get(t.Context(), "/a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		if b, err := io.ReadAll(content); !errors.Is(err, dav.ErrIncomplete) || string(b) != "on" {
			t.Errorf("%q, %v", b, err)
		}
		s.Quirks.Reset()
		if content, err := v.Get(t.Context(), "/a", 0, -1); err != nil {
			t.Error(err)
		} else {
			content.Close()
		}
	})
}

// A client that leaves in the middle of a PUT, on a server that truncates in place.
func TestPartialWriteOfAClientThatLeaves(t *testing.T) {
	s, v := fixture(t)
	s.Quirks.Set(func(q *upstream.Quirks) { q.PartialWrites = true })
	b := davbackend.Body{Size: 1 << 20, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 300<<10)), strings.NewReader(""))), nil
	}}
	if err := v.Put(t.Context(), "/a", b, davbackend.Condition{}); !errors.Is(err, dav.ErrIncomplete) {
		t.Errorf("%v", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		got, _ := s.Read(t, "a")
		if got != "one" {
			if len(got) >= 1<<20 || strings.Trim(got, "x") != "" {
				t.Errorf("left %d bytes", len(got))
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was left behind")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestLogUsersAndLocks(t *testing.T) {
	s, v := fixture(t)
	s.Forget()
	if err := v.Put(t.Context(), "/b c", body("hello"), davbackend.Condition{}); err != nil {
		t.Fatal(err)
	}
	all := s.Requests()
	if len(all) != 1 || all[0].Method != "PUT" || all[0].Path != "/b c" || all[0].Status != 201 || all[0].Bytes != 5 || all[0].Chunks || s.Count("PUT") != 1 {
		t.Errorf("log %+v", all)
	}
	bob := s.Client(t).As(davbackend.Credential{Kind: "password", User: "bob", Secret: "b"})
	if _, err := bob.Stat(t.Context(), "/a"); !errors.Is(err, dav.ErrUnauthorized) {
		t.Errorf("unknown user: %v", err)
	}
	s.Quirks.AddUser("bob", "b")
	if _, err := bob.Stat(t.Context(), "/a"); err != nil {
		t.Errorf("known user: %v", err)
	}
	l := lock(t, v, "/a")
	s.DropLocks(t, "/a")
	if _, err := v.RefreshLock(t.Context(), "/a", l.Token, time.Minute); !errors.Is(err, dav.ErrChanged) {
		t.Errorf("dropped lock: %v", err)
	}
}
