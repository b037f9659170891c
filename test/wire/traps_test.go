package wire

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/profile"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// The traps of upstreams.md 3.8: what single servers do that hurts whoever does not
// know it, and what the bridge does there.

// on runs f over a preset: while nothing is known about it, and when it was measured.
func on(t *testing.T, preset string, f func(t *testing.T, h *house)) {
	t.Helper()
	all := newOffices(t)
	for _, known := range []string{"unknown", "measured"} {
		if known == "unknown" && testing.Short() {
			continue
		}
		t.Run(known, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, davbackend.Unknown, nil)
			defer h.complain(t)
			h.server.Quirks.Set(upstream.As(preset))
			if known == "measured" {
				h.measure()
			}
			h.server.Forget()
			f(t, h)
		})
	}
}

// with changes one more switch.
func (h *house) with(change func(*upstream.Quirks)) { h.server.Quirks.Set(change) }

// foreign locks the file at p for somebody else.
func (h *house) foreign(p dav.Path, who string) dav.ActiveLock {
	h.t.Helper()
	lock, _, err := h.view(ben).Lock(h.t.Context(), p, davbackend.LockRequest{Owner: who, Timeout: 30 * time.Minute})
	h.must(err)
	return lock
}

// wantTidy: nothing but these files is on the upstream, once all has settled, and
// no lock, whatever the upstream shows.
func (h *house) wantTidy(names ...string) {
	h.t.Helper()
	h.settle()
	h.wantOnly(names...)
	h.server.Quirks.Reset()
	for _, name := range names {
		h.wantUnlocked(dav.Path("/" + name))
	}
}

// TestLighttpdHangsOnTwoTimeouts: every LOCK, and every refresh, asks for one Second-N,
// and a lock that ends after 600 s is kept for an hour.
func TestLighttpdHangsOnTwoTimeouts(t *testing.T) {
	on(t, "lighttpd", func(t *testing.T, h *house) {
		s, _ := h.began("a.txt", wopi.Microsoft)
		h.opened = s
		for range 15 {
			h.later(4 * time.Minute)
			h.refresh()
			h.must(h.locks.Tend(t.Context()))
		}
		if n := h.server.Count("LOCK"); n < 7 {
			t.Errorf("only %d LOCKs in an hour of locks that last ten minutes", n)
		}
		if _, _, err := h.view(ben).Lock(t.Context(), "/a.txt", davbackend.LockRequest{Owner: "Zoe", Timeout: time.Minute}); err == nil {
			t.Error("the file is not locked any more")
		}
		h.mustSave(s, "one")
		if _, err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		h.wantOneTimeout()
		h.wantFile("a.txt", "one")
		h.wantTidy("a.txt")
	})
}

// TestApacheTagsAreWeakAtFirst: a save right after a save is no conflict, nor is one
// after the tag has become strong; what somebody else wrote in between is.
func TestApacheTagsAreWeakAtFirst(t *testing.T) {
	on(t, "apache", func(t *testing.T, h *house) {
		s, e := h.began("a.txt", wopi.Microsoft)
		for _, text := range []string{"one", "two", "thr"} {
			h.mustSave(s, text)
		}
		weakly := h.at("/a.txt").Revision.Number
		res, err := h.view(anna).Stat(t.Context(), "/a.txt")
		if err != nil || !res.ETag.Weak() {
			t.Fatalf("the tag is %s, %v: the test proves nothing", res.ETag, err)
		}
		for res.ETag.Weak() {
			time.Sleep(50 * time.Millisecond)
			if res, err = h.view(anna).Stat(t.Context(), "/a.txt"); err != nil {
				t.Fatal(err)
			}
		}
		if again := h.at("/a.txt"); again.Revision.Number != weakly || again.ID != e.ID {
			t.Error("the tag that became strong is a change")
		}
		h.mustSave(s, "four")
		h.must(os.WriteFile(h.path("a.txt"), []byte("somebody else wrote this"), 0o666))
		if a := h.save(s, "five"); a.Status != http.StatusConflict {
			t.Errorf("PutFile over what somebody else wrote: %s", a)
		}
		h.wantFile("a.txt", "somebody else wrote this")
		h.wantKept("five")
	})
}

// TestApacheRefusesPutWith207: a new file in a locked folder is answered 207, with the
// refusal inside. Nobody is told that it is there.
func TestApacheRefusesPutWith207(t *testing.T) {
	on(t, "apache", func(t *testing.T, h *house) {
		h.server.Write(t, "d/x.txt", before)
		s, _ := h.began("d/a.txt", wopi.Microsoft)
		h.foreign("/d", "Zoe")
		h.server.Forget()
		a, err := s.Client.PutRelativeSuggested(t.Context(), "b.txt", []byte("the copy"))
		h.must(err)
		if a.Status == http.StatusOK {
			t.Errorf("PutRelativeFile: %s", a)
		}
		saw := false
		for _, r := range h.server.Requests() {
			saw = saw || r.Method == "PUT" && r.Status == http.StatusMultiStatus
		}
		if !saw {
			t.Error("no PUT was answered 207: the test proves nothing")
		}
		put := h.save(s, "the save")
		if got, _ := h.server.Read(t, "d/a.txt"); (put.Status == http.StatusOK) != (got == "the save") {
			t.Errorf("PutFile: %s, and the file holds %q", put, got)
		}
		h.wantKept("the save")
		for _, name := range h.names() {
			if name != "d/a.txt" && name != "d/x.txt" && !strings.Contains(name, ".~lock.") {
				t.Errorf("%s is on the upstream", name)
			}
		}
	})
}

// TestRclonePretendsToKeepProperties: PROPPATCH succeeds, and nothing is there.
func TestRclonePretendsToKeepProperties(t *testing.T) {
	on(t, "rclone", func(t *testing.T, h *house) {
		h.server.Write(t, "a.txt", before)
		stamp := dav.PropName{Space: "urn:x", Local: "stamp"}
		there, err := h.view(anna).SetProps(t.Context(), "/a.txt", map[dav.PropName]string{stamp: "mine"}, davbackend.Condition{})
		if err != nil || len(there) != 0 {
			t.Errorf("kept %v, %v", there, err)
		}
		if h.server.Count("PROPPATCH") != 1 {
			t.Error("PROPPATCH was not even tried")
		}
		facts, err := profile.Measure(t.Context(), h.view(anna), nil)
		if err != nil || facts.DeadProps != "pretended" {
			t.Errorf("measured %q, %v", facts.DeadProps, err)
		}
	})
}

// TestSFTPGoTellsAnotherTag: the tag in the answer to PUT is never the file's. The next
// save is no conflict.
func TestSFTPGoTellsAnotherTag(t *testing.T) {
	on(t, "sftpgo", func(t *testing.T, h *house) {
		for i, kind := range kinds {
			name := fmt.Sprintf("%d.txt", i)
			s, _ := h.began(name, kind)
			for _, text := range []string{"one", "two", "three"} {
				h.mustSave(s, text)
			}
			h.wantFile(name, "three")
			if _, err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		h.wantTidy("0.txt", "1.txt", "2.txt", "3.txt")
	})
}

// TestOpenCloudWantsLockToken: saves show the token in Lock-Token, never in both
// headers, and the owner has no markup, which would come back without its prefix.
func TestOpenCloudWantsLockToken(t *testing.T) {
	on(t, "opencloud", func(t *testing.T, h *house) {
		var mu sync.Mutex
		var owners []string
		h.with(func(q *upstream.Quirks) {
			q.Answer = func(r *http.Request) http.Handler {
				if r.Method != "LOCK" || r.ContentLength == 0 {
					return nil
				}
				body, _ := io.ReadAll(r.Body) // a client that has left says nothing
				r.Body = io.NopCloser(bytes.NewReader(body))
				asked, err := dav.DecodeElement(bytes.NewReader(body), dav.Limits{})
				owner, ok := asked.Child("DAV:", "owner")
				mu.Lock()
				defer mu.Unlock()
				if err != nil || !ok || len(owner.Children) > 0 {
					t.Errorf("LOCK with %s", body)
				}
				owners = append(owners, owner.Text)
				return nil
			}
		})
		s, e := h.began("a.txt", wopi.Microsoft)
		h.mustSave(s, "one")
		h.mustSave(s, "two")
		if a, err := s.Client.RenameFile(t.Context(), s.LockID, "b", nil); err != nil || a.Status != http.StatusOK {
			t.Errorf("RenameFile: %v %v", a, err)
		}
		h.mustSave(s, "three")
		for _, r := range h.server.Requests() {
			token, lists := r.Header.Get("Lock-Token"), r.Header.Get("If")
			switch {
			case r.Method == "PUT" && token != "" && lists != "":
				t.Errorf("PUT %s with both headers", r.Path)
			case r.Method == "PUT" && lists != "" && r.Status < 300:
				t.Errorf("PUT %s with If was answered %d", r.Path, r.Status)
			}
		}
		if _, err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if len(owners) == 0 {
			t.Error("nothing was locked")
		}
		h.wantFile("b.txt", "three")
		if h.at("/b.txt").ID != e.ID {
			t.Error("the file has another ID")
		}
		h.wantTidy("b.txt")
	})
}

// TestNginxSaysThatItUnlocks: UNLOCK with a token that is not there is 204, and whoever
// has the lock keeps it; the refresh of a lost lock makes another. The name has a
// space, since nginx does not decode tags.
func TestNginxSaysThatItUnlocks(t *testing.T) {
	on(t, "nginx", func(t *testing.T, h *house) {
		s, e := h.began("a b.txt", wopi.Microsoft)
		h.mustSave(s, "one")
		h.server.DropLocks(t, "/a b.txt") // a restart
		h.later(31 * time.Minute)         // the keeper's time
		if a, err := s.Refresh(t.Context()); err != nil || a.Status != http.StatusOK && a.Status != http.StatusConflict {
			t.Errorf("RefreshLock: %v %v", a, err)
		}
		h.must(h.locks.Tend(t.Context()))
		h.mustSave(s, "two")
		if res, err := h.view(anna).Stat(t.Context(), "/a b.txt"); err != nil || len(res.Locks) != 1 {
			t.Errorf("locks %v, %v: one is ours", res.Locks, err)
		}
		h.server.DropLocks(t, "/a b.txt")
		zoe := h.foreign("/a b.txt", "Zoe")
		if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
			t.Errorf("Unlock: %v %v", a, err)
		}
		h.settle()
		if res, err := h.view(anna).Stat(t.Context(), "/a b.txt"); err != nil || len(res.Locks) != 1 || res.Locks[0].Token != zoe.Token {
			t.Errorf("locks %v, %v: Zoe's is to stay", res.Locks, err)
		}
		a, err := h.open(e, wopi.Microsoft, ben).Lock(t.Context(), "next")
		h.must(err)
		if id, there := a.Lock(); a.Status != http.StatusConflict || id != "" || !there {
			t.Errorf("Lock of what Zoe has: %s", a)
		}
		h.must(h.view(ben).Unlock(t.Context(), "/a b.txt", zoe.Token))
		h.mustSave(h.reopened(e, wopi.Microsoft), "three")
		h.wantFile("a b.txt", "three")
	})
}

// TestNextcloudIsBusyForAMoment: a 423 that no lock explains passes; nobody is told
// that the file is locked.
func TestNextcloudIsBusyForAMoment(t *testing.T) {
	for _, preset := range []string{"nextcloud", "nextcloud-plain"} {
		t.Run(preset, func(t *testing.T) {
			on(t, preset, func(t *testing.T, h *house) {
				s, e := h.began("a.txt", wopi.Microsoft)
				for i, method := range []string{"GET", "PUT", "MOVE"} {
					h.server.Quirks.Fail(upstream.Fault{Method: method, Times: 2, Status: http.StatusLocked})
					text := fmt.Sprintf("number %d", i)
					h.mustSave(s, text)
					h.wantFile("a.txt", text)
				}
				h.server.Quirks.Fail(upstream.Fault{Method: "GET", Times: 2, Status: http.StatusLocked})
				a, err := h.open(e, wopi.Microsoft, ben).GetFile(t.Context(), -1)
				h.must(err)
				if a.Status != http.StatusOK || string(a.Body) != "number 2" {
					t.Errorf("GetFile: %s", a)
				}
				h.server.Quirks.Fail(upstream.Fault{Method: "GET", Status: http.StatusLocked}) // and for long
				a, err = h.open(e, wopi.Microsoft, ben).GetFile(t.Context(), -1)
				h.must(err)
				if a.Status != http.StatusInternalServerError || strings.Contains(strings.ToLower(a.String()), "locked") {
					t.Errorf("GetFile of what is being written: %s", a)
				}
			})
		})
	}
}

// TestHTMLErrorBodies: a refusal may come with any body. What the editor hears is the
// bridge's own.
func TestHTMLErrorBodies(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		h.with(func(q *upstream.Quirks) { q.HTMLErrors = true })
		ctx := t.Context()
		h.server.Write(t, "other.txt", before)
		s, e := h.began("a.txt", wopi.Microsoft)
		h.mustSave(s, "one")
		for _, status := range []int{400, 403, 404, 405, 409, 412, 423, 500, 502, 503, 507} {
			for _, ask := range []struct {
				method string
				do     func() (office.Answer, error)
			}{
				{"PROPFIND", func() (office.Answer, error) { return h.open(e, wopi.Microsoft, ben).CheckFileInfo(ctx) }},
				{"GET", func() (office.Answer, error) { return h.open(e, wopi.Microsoft, ben).GetFile(ctx, -1) }},
				{"LOCK", func() (office.Answer, error) {
					return h.open(h.at("/other.txt"), wopi.Microsoft, ben).Lock(ctx, "theirs")
				}},
				{"MOVE", func() (office.Answer, error) { return s.Client.RenameFile(ctx, s.LockID, "b", nil) }},
			} {
				h.server.Quirks.Fail(upstream.Fault{Method: ask.method, Status: status})
				a, err := ask.do()
				h.server.Quirks.Reset()
				h.with(func(q *upstream.Quirks) { q.HTMLErrors = true })
				h.must(err)
				if text := a.String(); strings.Contains(text, "DOCTYPE") || strings.Contains(text, "nbsp") {
					t.Errorf("%s with %d: the editor hears %s", ask.method, status, text)
				}
				switch a.Status {
				case 200, 400, 401, 404, 409, 413, 500, 501:
				default:
					t.Errorf("%s with %d: answered %s", ask.method, status, a)
				}
			}
		}
		h.mustSave(s, "two")
	})
}

// TestCompressedAnswersHaveOtherTags: mod_deflate puts -gzip on the tag of GET. That
// is neither a change nor a condition, and the contents are what they were.
func TestCompressedAnswersHaveOtherTags(t *testing.T) {
	for _, preset := range []string{"apache", "sftpgo"} {
		t.Run(preset, func(t *testing.T) {
			on(t, preset, func(t *testing.T, h *house) {
				h.with(func(q *upstream.Quirks) { q.GzipGet, q.GzipETag = true, true })
				s, e := h.began("a.txt", wopi.Microsoft)
				if string(s.Contents) != before {
					t.Errorf("GetFile gave %q", s.Contents)
				}
				h.mustSave(s, "one")
				h.mustSave(s, "two")
				a, err := h.open(e, wopi.Microsoft, ben).GetFile(t.Context(), -1)
				h.must(err)
				if string(a.Body) != "two" || a.Header.Get("Content-Encoding") != "" {
					t.Errorf("GetFile: %s", a)
				}
				_, err = s.Close(t.Context())
				h.must(err)
				h.wantTidy("a.txt")
			})
		})
	}
}

// TestHrefsInOtherForms: doubled slashes, another case, another host, other escapes. A
// file that somebody renamed is found in such a listing, with its ID.
func TestHrefsInOtherForms(t *testing.T) {
	for name, form := range map[string]func(string) string{
		"//": upstream.DoubleSlash, "another case": upstream.OtherCase, "another host": upstream.OtherOrigin, "other escapes": upstream.OtherEscapes,
	} {
		t.Run(name, func(t *testing.T) {
			eachProfile(t, func(t *testing.T, h *house) {
				h.with(func(q *upstream.Quirks) { q.Hrefs, q.PropfindSlash = form, http.StatusMovedPermanently })
				for _, other := range []string{"d/one + two (3); é.txt", "d/e/x.txt", "d/100%.txt"} {
					h.server.Write(t, other, other)
				}
				s, e := h.began("d/a.txt", wopi.Microsoft)
				h.mustSave(s, "one")
				var names []string
				h.must(h.view(anna).List(t.Context(), "/d", func(res dav.Resource) error {
					if _, err := h.ids.At(t.Context(), h.space, res); err != nil {
						return err
					}
					names = append(names, string(res.Path))
					return nil
				}))
				for _, want := range []string{"/d/one + two (3); é.txt", "/d/e", "/d/100%.txt", "/d/a.txt"} {
					if !strings.Contains("\n"+strings.Join(names, "\n")+"\n", "\n"+want+"\n") {
						t.Errorf("%s is not in the listing %q", want, names)
					}
				}
				_, err := s.Close(t.Context())
				h.must(err)
				h.settle()
				if h.noIDs {
					return // nobody knows a moved file again
				}
				h.must(h.view(ben).Move(t.Context(), "/d/a.txt", "/d/b (1).txt", false, davbackend.Condition{}, davbackend.Condition{}))
				again := h.reopened(e, wopi.Microsoft)
				h.mustSave(again, "two")
				h.wantFile("d/b (1).txt", "two")
				for _, r := range h.server.Requests() {
					if strings.Contains(r.Path, "//") {
						t.Errorf("%s %s", r.Method, r.Path)
					}
				}
			})
		})
	}
}

// TestTooManyRequests: a server that says 429 wants to be asked again. What was saved
// arrives.
func TestTooManyRequests(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		h.patience = 8 * time.Second
		h.restart()
		s, _ := h.began("a.txt", wopi.Microsoft)
		for i, method := range []string{"PUT", "PROPFIND", "MOVE", ""} {
			h.server.Quirks.Fail(upstream.Fault{Method: method, Times: 1, Status: http.StatusTooManyRequests, RetryAfter: "1"})
			text := fmt.Sprintf("number %d", i)
			h.mustSave(s, text)
			h.server.Quirks.Reset()
			h.wantFile("a.txt", text)
		}
		_, err := s.Close(t.Context())
		h.must(err)
		h.wantTidy("a.txt")
	})
}

// TestTenConnections: a server that closes the eleventh connection, and twenty people
// who open and save at once through a bridge that may have ten.
func TestTenConnections(t *testing.T) {
	const people = 20
	all := newOffices(t)
	for _, profile := range both {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, profile, func(h *house) {
				h.connections, h.patience = 10, 20*time.Second
				h.server.Quirks.Set(func(q *upstream.Quirks) { q.AtOnce = 10 })
			})
			defer h.complain(t)
			var work []func()
			for i := range people {
				name := fmt.Sprintf("%d.txt", i)
				h.server.Write(t, name, before)
				c := h.open(h.at("/"+name), kinds[i%len(kinds)], anna)
				work = append(work, func() {
					s, err := c.Open(t.Context())
					if err != nil || s.ReadOnly {
						t.Errorf("%s: opening: %v", name, err)
						return
					}
					for _, text := range []string{"one of ", "two of "} {
						if a, err := s.Save(t.Context(), []byte(text+name), false); err != nil || a.Status != http.StatusOK {
							t.Errorf("%s: saving: %v %v", name, a, err)
						}
					}
					if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
						t.Errorf("%s: closing: %v %v", name, a, err)
					}
				})
			}
			together(work...)
			for i := range people {
				name := fmt.Sprintf("%d.txt", i)
				h.wantFile(name, "two of "+name)
				h.wantUnlocked(dav.Path("/" + name))
			}
			most, turned := h.server.Connections()
			if most > 10 || turned > 0 {
				t.Errorf("%d connections at once, %d were closed", most, turned)
			}
			t.Logf("%d connections at once", most)
		})
	}
}

// TestOneConnection: nothing waits for a connection while it has one, so that a bridge
// with a limit cannot wait for itself.
func TestOneConnection(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, profile, func(h *house) { h.connections = 1 })
			defer h.complain(t)
			for _, m := range allManners {
				e := playWhole(t, h, m)
				h.settle()
				e.check()
			}
		})
	}
}
