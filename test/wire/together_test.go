package wire

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// together runs functions at the same time.
func together(f ...func()) {
	var all sync.WaitGroup
	for _, f := range f {
		all.Go(f)
	}
	all.Wait()
}

// slowly makes the upstream take its time with a method, so that races are lost.
func (h *house) slowly(method string) {
	h.server.Quirks.Fail(upstream.Fault{Method: method, Times: 4, Before: func() { time.Sleep(30 * time.Millisecond) }})
}

// TestCoEditors: two grants of one editing save at the same time, with one lock ID.
// Each answer of 200 has a version of its own, and the last is what is there.
func TestCoEditors(t *testing.T) {
	for _, row := range []struct {
		name   string
		second oauth.Principal
		own    bool
	}{{"two people", ben, false}, {"two people with credentials of their own", ben, true}, {"one person, two tokens", anna, false}} {
		t.Run(row.name, func(t *testing.T) {
			all := newOffices(t)
			for _, profile := range both {
				t.Run(profile.Name, func(t *testing.T) {
					t.Parallel()
					h := newHouse(t, all, profile, func(h *house) { h.perUser, h.patience = row.own, 10*time.Second })
					defer h.complain(t)
					first, e := h.began("a.txt", wopi.Microsoft)
					second := h.open(e, wopi.Microsoft, row.second)
					second.LockID = first.LockID
					other, err := second.Open(t.Context())
					h.must(err)
					if other.ReadOnly {
						t.Fatal("the second may not edit")
					}
					var mu sync.Mutex
					versions := map[string]string{}
					save := func(s *office.Session, who string) func() {
						return func() {
							for i := range 4 {
								body := fmt.Sprintf("%s wrote this, %d", who, i)
								a, err := s.Save(t.Context(), []byte(body), false)
								if err != nil || a.Status != http.StatusOK {
									continue // superseded by the other's
								}
								mu.Lock()
								if was, had := versions[a.ItemVersion()]; had {
									t.Errorf("version %s is %q and %q", a.ItemVersion(), was, body)
								}
								versions[a.ItemVersion()] = body
								mu.Unlock()
							}
						}
					}
					together(save(first, "the first"), save(other, "the second"))
					if len(versions) < 4 {
						t.Errorf("only %d of 8 saves were answered 200", len(versions))
					}
					a, err := first.Client.CheckFileInfo(t.Context())
					h.must(err)
					var info wopi.CheckFileInfo
					h.must(a.JSON(&info))
					h.wantFile("a.txt", versions[info.Version])
					if a, err := first.Close(t.Context()); err != nil || a.Status != http.StatusOK {
						t.Errorf("Unlock: %v %v", a, err)
					}
					h.settle()
					h.wantOnly("a.txt")
					h.wantUnlocked("/a.txt")
				})
			}
		})
	}
}

// TestSaveRacesUnlock: the exit save and UNLOCK are under way together.
func TestSaveRacesUnlock(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		for i, kind := range kinds {
			name := fmt.Sprintf("%d.txt", i)
			s, e := h.began(name, kind)
			h.mustSave(s, "one")
			h.slowly("PUT")
			var put, unlock office.Answer
			var puterr, unlockerr error
			again := *s
			together(func() { put, puterr = s.Save(t.Context(), []byte("the exit save"), true) },
				func() {
					time.Sleep(15 * time.Millisecond)
					unlock, unlockerr = again.Close(t.Context())
				})
			h.must(puterr)
			h.must(unlockerr)
			if put.Status != http.StatusOK || unlock.Status != http.StatusOK {
				t.Errorf("%s: PutFile: %s, Unlock: %s", kind, put, unlock)
			}
			a, err := h.open(e, wopi.Microsoft, ben).CheckFileInfo(t.Context())
			h.must(err)
			var info wopi.CheckFileInfo
			h.must(a.JSON(&info))
			if v := put.ItemVersion(); v != info.Version {
				t.Errorf("%s: PutFile says version %s, it is %s", kind, v, info.Version)
			}
			h.wantFile(name, "the exit save")
		}
		h.server.Quirks.Reset()
		h.settle()
		h.wantOnly("0.txt", "1.txt", "2.txt", "3.txt")
		for i := range kinds {
			h.wantUnlocked(dav.Path(fmt.Sprintf("/%d.txt", i)))
		}
	})
}

// TestUnlockTellsTheVersionOfTheSaveItWaitedFor: the answer to UNLOCK comes after the
// save, and so does its version.
func TestUnlockTellsTheVersionOfTheSaveItWaitedFor(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, _ := h.began("a.txt", wopi.Microsoft)
		h.mustSave(s, "one")
		under := make(chan struct{})
		h.server.Quirks.Fail(upstream.Fault{Method: "PUT", Times: 1, Before: func() {
			close(under)
			time.Sleep(80 * time.Millisecond)
		}})
		var put, unlock office.Answer
		together(func() { put = h.save(s, "two") }, func() {
			<-under
			var err error
			unlock, err = s.Client.Unlock(t.Context(), s.LockID)
			if err != nil {
				t.Error(err)
			}
		})
		if put.ItemVersion() != unlock.ItemVersion() || put.Status != http.StatusOK {
			t.Errorf("PutFile %s says %q, Unlock after it %q", put, put.ItemVersion(), unlock.ItemVersion())
		}
	})
}

// TestSaveRacesRename: autosave and RenameFile are under way together.
func TestSaveRacesRename(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		for i := range 6 {
			dir := fmt.Sprintf("d%d", i)
			s, e := h.began(dir+"/a.txt", wopi.Collabora)
			h.slowly([]string{"PUT", "MOVE", "LOCK", "PROPFIND", "UNLOCK", "GET"}[i])
			var put, rename office.Answer
			together(func() { put = h.save(s, "the save") }, func() {
				time.Sleep(time.Duration(i*7) * time.Millisecond)
				var err error
				if rename, err = s.Client.RenameFile(t.Context(), s.LockID, "b", nil); err != nil {
					t.Error(err)
				}
			})
			h.server.Quirks.Reset()
			if put.Status != http.StatusOK || rename.Status != http.StatusOK {
				t.Errorf("%d: PutFile: %s, RenameFile: %s", i, put, rename)
			}
			h.mustSave(s, "and another")
			_, err := s.Close(t.Context())
			h.must(err)
			h.wantFile(dir+"/b.txt", "and another")
			if h.at("/"+dir+"/b.txt").ID != e.ID {
				t.Errorf("%d: the file has another ID", i)
			}
		}
		h.settle()
		if got := h.names(); len(got) != 6 {
			t.Errorf("on the upstream: %q", got)
		}
	})
}

// TestPutRelativeRacesAnEditing: somebody saves a copy over a file that is being
// opened. Either is refused, or is there; nothing that was answered 200 is gone.
func TestPutRelativeRacesAnEditing(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		for i := range 6 {
			dir := fmt.Sprintf("d%d", i)
			h.server.Write(t, dir+"/target.txt", before)
			target := h.at("/" + dir + "/target.txt")
			source, _ := h.began(dir+"/source.txt", wopi.Microsoft)
			h.slowly([]string{"PUT", "MOVE", "LOCK", "PROPFIND", "GET", "PUT"}[i])
			var over, put office.Answer
			var s *office.Session
			together(func() {
				var err error
				if over, err = source.Client.PutRelativeSpecific(t.Context(), "target.txt", true, []byte("the copy")); err != nil {
					t.Error(err)
				}
			}, func() {
				time.Sleep(time.Duration(i*5) * time.Millisecond)
				var err error
				if s, err = h.open(target, wopi.Collabora, ben).Open(t.Context()); err != nil {
					t.Error(err)
					return
				}
				if !s.ReadOnly {
					put, err = s.Save(t.Context(), []byte("the editing"), false)
					if err != nil {
						t.Error(err)
					}
				}
			})
			h.server.Quirks.Reset()
			got, _ := h.server.Read(t, dir+"/target.txt")
			if over.Status == http.StatusOK {
				h.wantKept("the copy")
			}
			if put.Status == http.StatusOK && got != "the editing" {
				t.Errorf("%d: the editing was answered 200, the file holds %q; PutRelativeFile: %s", i, got, over)
			}
			if put.Status != 0 {
				h.wantKept("the editing")
			}
			if h.at("/"+dir+"/target.txt").ID != target.ID {
				t.Errorf("%d: the file has another ID", i)
			}
		}
	})
}

// TestRestartBetweenSteps: the process is another one at every request.
func TestRestartBetweenSteps(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		for _, m := range allManners {
			t.Run(profile.Name+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, all, profile, nil)
				defer h.complain(t)
				e := newEpisode(h, m)
				for _, s := range m.steps() {
					s.do(e)
					h.restart()
					h.later(20 * time.Second) // less than what a save after UNLOCK may take
				}
				if len(e.all) > 0 {
					t.Errorf("saves that were not answered 200: %q", e.all)
				}
				h.settle()
				e.check()
			})
		}
	}
}

// TestSignOutAndExpiry: who signs out, or whose token ends, during an editing can
// still save it, and begins nothing new.
func TestSignOutAndExpiry(t *testing.T) {
	ends := []struct {
		name string
		do   func(*house)
	}{
		{"sign-out", func(h *house) {
			members, err := h.locks.Members(h.t.Context())
			h.must(err)
			h.must(h.tokens.SignedOut(h.t.Context(), "session of anna", members))
			h.must(h.creds.DeleteAll(h.t.Context(), anna.Key()))
		}},
		{"expiry", func(h *house) {
			for range 25 { // as the office does while the document is open
				h.later(24 * time.Minute)
				members, err := h.locks.Members(h.t.Context())
				h.must(err)
				h.must(h.tokens.Keep(h.t.Context(), members))
				h.must(h.locks.Tend(h.t.Context()))
				h.refresh()
			}
		}},
	}
	for _, end := range ends {
		for _, kind := range kinds {
			t.Run(end.name+"/"+kind.String(), func(t *testing.T) {
				eachProfile(t, func(t *testing.T, h *house) {
					s, _ := h.began("a.txt", kind)
					h.opened = s
					h.mustSave(s, "one")
					end.do(h)
					h.mustSave(s, "two")
					if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
						t.Errorf("Unlock: %v %v", a, err)
					}
					if a, err := s.Client.Lock(t.Context(), "a new one"); err != nil || a.Status == http.StatusOK {
						t.Errorf("Lock afterwards: %v %v", a, err)
					}
					if a, err := s.Client.GetFile(t.Context(), -1); err != nil || a.Status == http.StatusOK {
						t.Errorf("GetFile afterwards: %v %v", a, err)
					}
					h.wantFile("a.txt", "two")
					h.settle()
					h.wantOnly("a.txt")
					h.wantUnlocked("/a.txt")
				})
			})
		}
	}
}

// refresh keeps the lock of the opened file alive.
func (h *house) refresh() {
	h.t.Helper()
	a, err := h.opened.Refresh(h.t.Context())
	h.must(err)
	if a.Status != http.StatusOK {
		h.t.Fatalf("refreshing the lock: %s", a)
	}
}

// TestHalfAnswer: the upstream's answer breaks off. That is not the editor's fault,
// so it is no 400.
func TestHalfAnswer(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		h.server.Write(t, "a.txt", before)
		c := h.open(h.at("/a.txt"), wopi.Microsoft, anna)
		h.server.Quirks.Fail(upstream.Fault{Method: "PROPFIND", CutAnswer: true, After: 5})
		a, err := c.CheckFileInfo(t.Context())
		h.must(err)
		if a.Status != http.StatusInternalServerError {
			t.Errorf("CheckFileInfo: %s", a)
		}
	})
}

// TestRenameToTheSameName asks the lock rule like any other: of the lock, and of the
// editor.
func TestRenameToTheSameName(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, e := h.began("a.txt", wopi.Collabora)
		other := h.open(e, wopi.OnlyOffice, ben)
		for _, try := range []struct {
			c    *office.Client
			lock string
			want int
		}{{s.Client, s.LockID, 200}, {s.Client, "", 409}, {s.Client, "another", 409}, {other, s.LockID, 409}} {
			a, err := try.c.RenameFile(t.Context(), try.lock, "a", nil)
			h.must(err)
			if a.Status != try.want {
				t.Errorf("RenameFile with %q: %s, want %d", try.lock, a, try.want)
			}
		}
		h.later(31 * time.Minute) // the lock's time is the database's
		a, err := s.Client.RenameFile(t.Context(), "", "a", nil)
		h.must(err)
		if a.Status != http.StatusOK {
			t.Errorf("RenameFile after the lock has expired: %s", a)
		}
	})
}

// TestDerivedTokens: a file that PutRelativeFile has made is edited with the token
// in the answer.
func TestDerivedTokens(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, _ := h.began("a.txt", wopi.Microsoft)
		a, err := s.Client.PutRelativeSuggested(t.Context(), "b.txt", []byte("made"))
		h.must(err)
		var made wopi.PutRelativeFileInfo
		h.must(a.JSON(&made))
		c, err := s.Client.At(made.Url)
		h.must(err)
		b, err := c.Open(t.Context())
		h.must(err)
		if string(b.Contents) != "made" || b.ReadOnly || made.Name != "b.txt" {
			t.Errorf("%q holds %q, read-only %v", made.Name, b.Contents, b.ReadOnly)
		}
		h.mustSave(b, "edited")
		h.wantFile("b.txt", "edited")
		if strings.Contains(made.Url, s.Client.AccessToken) {
			t.Error("the parent's token is handed out")
		}
	})
}
