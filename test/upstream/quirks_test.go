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

// Each switch changes what it names, and the strict server does otherwise.
func TestSwitches(t *testing.T) {
	is := func(resp *http.Response, status int) bool { return resp.StatusCode == status }
	for _, c := range []struct {
		name string
		set  func(*upstream.Quirks)
		seen func(*testing.T, *upstream.Server, *davbackend.View) bool
	}{
		{"WeakETags", func(q *upstream.Quirks) { q.WeakETags = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			e := stat(t, v, "/a").ETag
			return e.Weak() && is(do(t, s, "PUT", "a", "x", "If-Match", string(e)), 412) && is(do(t, s, "PUT", "a", "x", "If", "(["+string(e)+"])"), 204)
		}},
		{"UnquotedETags", func(q *upstream.Quirks) { q.UnquotedETags = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			b, _ := io.ReadAll(do(t, s, "PROPFIND", "a", "", "Depth", "0").Body)
			_, rest, _ := strings.Cut(string(b), "getetag")
			return !strings.Contains(strings.SplitN(rest, "getetag", 2)[0], `"</`) && !strings.Contains(rest, "&#34;")
		}},
		{"NoPropfindETag", func(q *upstream.Quirks) { q.NoPropfindETag = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return stat(t, v, "/a").ETag == ""
		}},
		{"NoPutETag", func(q *upstream.Quirks) { q.NoPutETag = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return do(t, s, "PUT", "a", "x").Header.Get("ETag") == ""
		}},
		{"OtherPutETag", func(q *upstream.Quirks) { q.OtherPutETag = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return do(t, s, "PUT", "a", "x").Header.Get("ETag") != string(stat(t, v, "/a").ETag)
		}},
		{"OtherGetETag", func(q *upstream.Quirks) { q.OtherGetETag = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return do(t, s, "GET", "a", "").Header.Get("ETag") != string(stat(t, v, "/a").ETag)
		}},
		{"IgnoreConditions", func(q *upstream.Quirks) { q.IgnoreConditions = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "PUT", "a", "x", "If-Match", `"w"`), 204) && is(do(t, s, "PUT", "a", "x", "If-None-Match", "*"), 204) &&
				is(do(t, s, "PUT", "a", "x", "If", `(["w"])`), 204)
		}},
		{"IfETagFails", func(q *upstream.Quirks) { q.IfETagFails = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "PUT", "a", "x", "If", "(["+string(stat(t, v, "/a").ETag)+"])"), 412)
		}},
		{"ETagConflict", func(q *upstream.Quirks) { q.ETagConflict = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "PUT", "a", "x", "If-Match", `"w"`), 409)
		}},
		{"NoLock", func(q *upstream.Quirks) { q.NoLock = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			_, _, err := v.Lock(t.Context(), "/a", davbackend.LockRequest{})
			return errors.Is(err, dav.ErrUnsupported)
		}},
		{"LockCap", func(q *upstream.Quirks) { q.LockCap = 10 * time.Minute }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return lock(t, v, "/a").Timeout <= 10*time.Minute
		}},
		{"LockSays", func(q *upstream.Quirks) { q.LockSays = "Second-" }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return lock(t, v, "/a").Timeout == 0 && stat(t, v, "/a").Locks[0].Timeout == 0
		}},
		{"HideLocks", func(q *upstream.Quirks) { q.HideLocks = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			lock(t, v, "/a")
			return len(stat(t, v, "/a").Locks) == 0
		}},
		{"HideOwner", func(q *upstream.Quirks) { q.HideOwner = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			lock(t, v, "/a")
			return stat(t, v, "/a").Locks[0].Owner == ""
		}},
		{"OnlyLockToken", func(q *upstream.Quirks) { q.OnlyLockToken = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			token := "<" + string(lock(t, v, "/a").Token) + ">"
			return is(do(t, s, "PUT", "a", "x", "If", "("+token+")"), 423) && is(do(t, s, "PUT", "a", "x", "Lock-Token", token), 204)
		}},
		{"RefuseBoth", func(q *upstream.Quirks) { q.RefuseBoth = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			token := "<" + string(lock(t, v, "/a").Token) + ">"
			return is(do(t, s, "PUT", "a", "x", "If", "("+token+")", "Lock-Token", token), 412)
		}},
		{"RefuseTagPath", func(q *upstream.Quirks) { q.RefuseTagPath = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			token := "<" + string(lock(t, v, "/a").Token) + ">"
			return is(do(t, s, "PUT", "a", "x", "If", "</dav/a> ("+token+")"), 412)
		}},
		{"RefreshLies", func(q *upstream.Quirks) { q.RefreshLies = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			lock(t, v, "/a")
			return is(do(t, s, "LOCK", "a", "", "If", "(<urn:uuid:wrong>)"), 200)
		}},
		{"UnlockLies", func(q *upstream.Quirks) { q.UnlockLies = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			lock(t, v, "/a")
			return v.Unlock(t.Context(), "/a", "urn:uuid:wrong") == nil && len(stat(t, v, "/a").Locks) == 1
		}},
		{"MoveLosesLock", func(q *upstream.Quirks) { q.MoveLosesLock = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			l := lock(t, v, "/a")
			err := v.Move(t.Context(), "/d/x", "/a", true, davbackend.Condition{}, davbackend.Condition{Token: l.Token})
			return err == nil && len(stat(t, v, "/a").Locks) == 0
		}},
		{"MoveLocked412", func(q *upstream.Quirks) { q.MoveLocked412 = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			l := lock(t, v, "/a")
			return errors.Is(v.Move(t.Context(), "/d/x", "/a", true, davbackend.Condition{}, davbackend.Condition{Token: l.Token}), dav.ErrChanged)
		}},
		{"LockQuietCreate", func(q *upstream.Quirks) { q.LockQuietCreate = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			_, created, err := v.Lock(t.Context(), "/new", davbackend.LockRequest{})
			_, there := s.Read(t, "new")
			return err == nil && !created && there
		}},
		{"LockUnmapped500", func(q *upstream.Quirks) { q.LockUnmapped500 = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			_, _, err := v.Lock(t.Context(), "/new", davbackend.LockRequest{})
			return errors.Is(err, dav.ErrUnavailable)
		}},
		{"NoDeadProps", func(q *upstream.Quirks) { q.NoDeadProps = 405 }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return !keeps(t, v)
		}},
		{"ForgetProps", func(q *upstream.Quirks) { q.ForgetProps = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return !keeps(t, v)
		}},
		{"MultiAs200", func(q *upstream.Quirks) { q.MultiAs200 = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "PROPFIND", "a", "", "Depth", "0"), 200) && stat(t, v, "/a").Size == 3
		}},
		{"NativeIDs", func(q *upstream.Quirks) { q.NativeIDs = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return stat(t, v, "/a").NativeID != "" && stat(t, v, "/a").NativeID != stat(t, v, "/d").NativeID && stat(t, v, "/a").ResourceID != ""
		}},
		{"SlashStatus", func(q *upstream.Quirks) { q.SlashStatus = 308 }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "DELETE", "d", ""), 308) && v.Delete(t.Context(), "/d", davbackend.Condition{}) == nil
		}},
		{"PropfindSlash", func(q *upstream.Quirks) { q.PropfindSlash = 301 }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "PROPFIND", "d", "", "Depth", "0"), 301) && stat(t, v, "/d").Collection
		}},
		{"MissingParent", func(q *upstream.Quirks) { q.MissingParent = 500 }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "MOVE", "a", "", "Destination", s.URL+"none/a"), 500)
		}},
		{"GzipGet", func(q *upstream.Quirks) { q.GzipGet = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return do(t, s, "GET", "a", "").Header.Get("Content-Encoding") == "gzip"
		}},
		{"NoRanges", func(q *upstream.Quirks) { q.NoRanges = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "GET", "a", "", "Range", "bytes=1-1"), 200)
		}},
		{"PutStatus", func(q *upstream.Quirks) { q.PutStatus = 207 }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "PUT", "a", "x"), 207) && v.Put(t.Context(), "/a", body("y"), davbackend.Condition{}) == nil
		}},
		{"HTMLErrors", func(q *upstream.Quirks) { q.HTMLErrors = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return strings.HasPrefix(do(t, s, "GET", "none", "").Header.Get("Content-Type"), "text/html")
		}},
		{"Answer", func(q *upstream.Quirks) {
			q.Answer = func(*http.Request) http.Handler { return http.NotFoundHandler() }
		},
			func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
				return is(do(t, s, "GET", "a", ""), 404)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, v := fixture(t)
			s.Quirks.Set(c.set)
			if !c.seen(t, s, v) {
				t.Error("the switch changes nothing")
			}
			strict, v := fixture(t)
			if c.seen(t, strict, v) {
				t.Error("the strict server does so too")
			}
		})
	}
}

func keeps(t *testing.T, v *davbackend.View) bool {
	t.Helper()
	name := dav.PropName{Space: "urn:x", Local: "stamp"}
	got, err := v.SetProps(t.Context(), "/a", map[dav.PropName]string{name: "1"}, davbackend.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	return got[name] == "1"
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
