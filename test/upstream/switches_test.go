package upstream_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

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
		{"UnlockWrong", func(q *upstream.Quirks) { q.UnlockWrong = 204 }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
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
		{"GzipAsked, GzipETag", func(q *upstream.Quirks) { q.GzipAsked, q.GzipETag = true, true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			zipped, plain := do(t, s, "GET", "a", "", "Accept-Encoding", "gzip"), do(t, s, "GET", "a", "", "Accept-Encoding", "identity")
			return zipped.Header.Get("Content-Encoding") == "gzip" && strings.HasSuffix(zipped.Header.Get("ETag"), `-gzip"`) &&
				plain.Header.Get("Content-Encoding") == ""
		}},
		{"SecondETags", func(q *upstream.Quirks) { q.SecondETags = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return sameSecond(t, v, "/a", func() { do(t, s, "PUT", "a", "two") })
		}},
		{"FileETags", func(q *upstream.Quirks) { q.FileETags = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return sameSecond(t, v, "/a", func() { do(t, s, "PUT", "a", "two") }) && stat(t, v, "/a").ETag != stat(t, v, "/d/x").ETag
		}},
		{"MoveNewETag", func(q *upstream.Quirks) { q.MoveNewETag = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			before := stat(t, v, "/a").ETag
			ok := is(do(t, s, "MOVE", "a", "", "Destination", s.URL+"b", "If-Match", string(before)), 201)
			return ok && stat(t, v, "/b").ETag != before
		}},
		{"CaseIsSame", func(q *upstream.Quirks) { q.CaseIsSame = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "GET", "D/X", ""), 200) && is(do(t, s, "PUT", "A", "two"), 204) && is(do(t, s, "MOVE", "D/X", "", "Destination", s.URL+"D/b"), 201)
		}},
		{"Hrefs", func(q *upstream.Quirks) { q.Hrefs = upstream.OtherOrigin }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			b, _ := io.ReadAll(do(t, s, "PROPFIND", "", "", "Depth", "1").Body)
			return strings.Contains(string(b), "<href>http://backend.invalid:8080/dav/d/</href>")
		}},
		{"TimeoutHangs", func(q *upstream.Quirks) { q.TimeoutHangs = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			body := string(dav.LockBody("me"))
			return is(do(t, s, "LOCK", "a", body, "Timeout", "Infinite, Second-4100000000"), 500) && s.Hangs() == 1 &&
				is(do(t, s, "LOCK", "a", body, "Timeout", "Second-100, Infinite"), 200)
		}},
		{"EchoOwner", func(q *upstream.Quirks) { q.EchoOwner = true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			body := strings.Replace(string(dav.LockBody("me")), "me", "<D:href>me</D:href>", 1)
			b, _ := io.ReadAll(do(t, s, "LOCK", "a", body).Body)
			return strings.Contains(string(b), "<D:href>me</D:href>") && !strings.Contains(string(b), "xmlns:D")
		}},
		{"RefreshSays", func(q *upstream.Quirks) { q.RefreshSays = "Infinity" }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			l := lock(t, v, "/a")
			granted, err := v.RefreshLock(t.Context(), "/a", l.Token, time.Minute)
			return l.Timeout > 0 && granted == 0 && err == nil && stat(t, v, "/a").Locks[0].Timeout == 0
		}},
		{"HalfWritten", func(q *upstream.Quirks) { q.HalfWritten = "piece" }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return during(t, s, v, "two")
		}},
		{"HalfWritten, refused", func(q *upstream.Quirks) { q.HalfWritten = "423" }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return during(t, s, v, "423")
		}},
		{"BrokenPutDeletes", func(q *upstream.Quirks) { q.PartialWrites, q.BrokenPutDeletes = true, true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return left(t, s, v, "/a") == "nothing" && left(t, s, v, "/new") == "nothing"
		}},
		{"NewPutGone", func(q *upstream.Quirks) { q.PartialWrites, q.NewPutGone = true, true }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return left(t, s, v, "/a") == "tw" && left(t, s, v, "/new") == "nothing"
		}},
		{"AtOnce", func(q *upstream.Quirks) { q.AtOnce = 1 }, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			content, err := v.Get(t.Context(), "/a", 0, -1) // keeps its connection
			if err != nil {
				t.Fatal(err)
			}
			defer content.Close()
			_, err = s.View(t).Stat(t.Context(), "/a")
			_, turned := s.Connections()
			return errors.Is(err, dav.ErrUnavailable) && turned == 1
		}},
		{"Headers, Refuse", func(q *upstream.Quirks) {
			q.Headers, q.Refuse = map[string]string{"Server": "it"}, map[string]int{"SEARCH": 599}
		}, func(t *testing.T, s *upstream.Server, v *davbackend.View) bool {
			return is(do(t, s, "SEARCH", "", ""), 599) && do(t, s, "GET", "a", "").Header.Get("Server") == "it"
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

// sameSecond reports whether an edit within one second shows in the ETag.
func sameSecond(t *testing.T, v *davbackend.View, p dav.Path, edit func()) (unseen bool) {
	t.Helper()
	for range 5 {
		edit()
		before := stat(t, v, p)
		edit()
		if after := stat(t, v, p); before.Modified.Equal(after.Modified) {
			return before.ETag == after.ETag
		}
	}
	t.Fatal("every second was over at once")
	return false
}

// during reports whether a reader of "/a" gets want while "two..." is being written
// over it. What was sent takes a moment to arrive.
func during(t *testing.T, s *upstream.Server, v *davbackend.View, want string) bool {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- v.Put(t.Context(), "/a", davbackend.Body{Size: 6, Open: func() (io.ReadCloser, error) { return r, nil }}, davbackend.Condition{})
	}()
	if _, err := io.WriteString(w, "two"); err != nil {
		t.Fatal(err)
	}
	got := ""
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline) && got != want; {
		resp := do(t, s, "GET", "a", "")
		b, _ := io.ReadAll(resp.Body)
		if got = string(b); resp.StatusCode != 200 {
			got = strconv.Itoa(resp.StatusCode)
		}
	}
	if _, err := io.WriteString(w, "end"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return got == want
}

// left is what lies at p after a PUT that broke off.
func left(t *testing.T, s *upstream.Server, v *davbackend.View, p dav.Path) string {
	t.Helper()
	s.Quirks.Fail(upstream.Fault{Method: "PUT", Times: 1, Cut: true, After: 2})
	if err := v.Put(t.Context(), p, body("two"), davbackend.Condition{}); !errors.Is(err, dav.ErrUnavailable) {
		t.Error(err)
	}
	got, there := s.Read(t, p.Base())
	if !there {
		return "nothing"
	}
	return got
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
