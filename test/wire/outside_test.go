package wire

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// eachProfile runs f with a house that saves in place, with one that saves by temp and
// MOVE, and with one whose upstream has no IDs either.
func eachProfile(t *testing.T, f func(t *testing.T, h *house)) {
	all := newOffices(t)
	for _, profile := range both {
		if testing.Short() && !profile.InPlace {
			continue
		}
		t.Run(profile.Name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, all, profile, nil)
			defer h.complain(t)
			f(t, h)
		})
	}
	t.Run("no IDs", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, all, davbackend.Unknown, func(h *house) { h.noIDs = true })
		defer h.complain(t)
		f(t, h)
	})
}

// began opens name, which holds before, in an office.
func (h *house) began(name string, kind wopi.Office) (*office.Session, idmap.Entry) {
	h.t.Helper()
	h.server.Write(h.t, name, before)
	e := h.at("/" + name)
	return h.reopened(e, kind), e
}

func (h *house) reopened(e idmap.Entry, kind wopi.Office) *office.Session {
	h.t.Helper()
	s, err := h.open(e, kind, anna).Open(h.t.Context())
	h.must(err)
	if s.ReadOnly {
		h.t.Fatal("the file cannot be opened for editing")
	}
	return s
}

func (h *house) save(s *office.Session, contents string) office.Answer {
	h.t.Helper()
	a, err := s.Save(h.t.Context(), []byte(contents), false)
	h.must(err)
	return a
}

func (h *house) mustSave(s *office.Session, contents string) {
	h.t.Helper()
	if a := h.save(s, contents); a.Status != http.StatusOK {
		h.t.Fatalf("PutFile: %s", a)
	}
}

func (h *house) wantFile(name, want string) {
	h.t.Helper()
	if got, there := h.server.Read(h.t, name); got != want {
		h.t.Errorf("%s holds %q (there: %v), want %q", name, got, there, want)
	}
}

func (h *house) wantKept(contents ...string) {
	h.t.Helper()
	for _, c := range contents {
		if !h.keeps(c) {
			h.t.Errorf("%q is nowhere", c)
		}
	}
}

func (h *house) path(name string) string {
	return filepath.Join(h.server.Dir, filepath.FromSlash(name))
}

func (h *house) rename(from, to string) {
	h.t.Helper()
	h.must(os.MkdirAll(filepath.Dir(h.path(to)), 0o777))
	h.must(os.Rename(h.path(from), h.path(to)))
}

// TestOutsideEditDuringASave: somebody who knows no DAV locks writes the file during
// each request of a save. What they wrote is not gone, and neither is the save.
func TestOutsideEditDuringASave(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		for _, kind := range kinds {
			for _, at := range []struct {
				method string
				then   bool
			}{{"PROPFIND", false}, {"PROPFIND", true}, {"GET", false}, {"GET", true}, {"PUT", false}, {"PUT", true}} {
				if profile.InPlace && at.method == "PUT" && at.then {
					continue // after the save: no business of its
				}
				name := profile.Name + "/" + kind.String() + "/" + at.method
				if at.then {
					name += ", done"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					h := newHouse(t, all, profile, nil)
					defer h.complain(t)
					s, e := h.began("a.txt", kind)
					write := func() { h.must(os.WriteFile(h.path("a.txt"), []byte("somebody else wrote this"), 0o666)) }
					f := upstream.Fault{Method: at.method, Times: 1, Before: write}
					if at.then {
						f.Before, f.Then = nil, write
					}
					h.server.Quirks.Fail(f)
					a := h.save(s, "the save")
					h.wantKept("the save", "somebody else wrote this")
					if got, _ := h.server.Read(t, "a.txt"); a.Status == http.StatusOK && kind != wopi.OnlyOffice && got != "the save" {
						t.Errorf("answered 200, and the file holds %q", got)
					}
					if h.at("/a.txt").ID != e.ID {
						t.Error("the file has another ID")
					}
				})
			}
		}
	}
}

// TestOutsideEditBeforeLock: Collabora reads, then locks. What changed in between is
// not its base.
func TestOutsideEditBeforeLock(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		h.server.Write(t, "a.txt", before)
		c := h.open(h.at("/a.txt"), wopi.Collabora, anna)
		h.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Times: 1, Before: func() {
			h.must(os.WriteFile(h.path("a.txt"), []byte("somebody else wrote this"), 0o666))
		}})
		s, err := c.Open(t.Context())
		h.must(err)
		if string(s.Contents) != before {
			t.Fatalf("read %q", s.Contents)
		}
		if a := h.save(s, "the save"); a.Status != http.StatusConflict {
			t.Errorf("PutFile: %s", a)
		}
		h.wantFile("a.txt", "somebody else wrote this")
		h.wantKept("the save")
	})
}

// TestFolderRenamedOutside: a folder above is renamed on the disk while the file is
// open. The next save follows it, by its resource-id or by its fingerprint, and lands
// where it is now.
func TestFolderRenamedOutside(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, e := h.began("work/deep/a.txt", wopi.Collabora)
		h.at("/work")
		h.mustSave(s, "one")
		h.rename("work", "play")
		h.mustSave(s, "before anybody has seen it")
		h.wantFile("play/deep/a.txt", "before anybody has seen it")
		if h.at("/play/deep/a.txt").ID != e.ID {
			t.Fatal("the file has another ID")
		}
		h.mustSave(s, "two")
		h.wantFile("play/deep/a.txt", "two")
		if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
			t.Errorf("Unlock: %v %v", a, err)
		}
		h.settle()
		h.wantFile("play/deep/a.txt", "two")
		h.wantUnlocked("/play/deep/a.txt")
	})
}

// wantOnly checks that these files are on the upstream, and no others.
func (h *house) wantOnly(names ...string) {
	h.t.Helper()
	if got := h.names(); strings.Join(got, "|") != strings.Join(names, "|") {
		h.t.Errorf("on the upstream: %q, want %q", got, names)
	}
}

// TestFileMovedAwayAndCopiedBack: the file is moved on the disk and a copy of it put
// where it was. The copy is not the file.
func TestFileMovedAwayAndCopiedBack(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, e := h.began("a.txt", wopi.Microsoft)
		h.mustSave(s, "one")
		h.rename("a.txt", "archive/a.txt")
		h.server.Write(t, "a.txt", "one")
		h.save(s, "two")
		h.wantKept("one", "two")
		if h.noIDs {
			return // equal contents in its place are the document's: the save went there
		}
		at := h.at("/archive/a.txt")
		if at.ID != e.ID {
			t.Errorf("the file that was moved has another ID")
		}
		if h.at("/a.txt").ID == e.ID {
			t.Errorf("the copy has the file's ID")
		}
	})
}

// TestReplacedByAnotherProgram: a desktop program saves by a temporary file and a rename
// on the disk, while the document is open here. It stays the same document, and what was
// written is an outside edit of it.
func TestReplacedByAnotherProgram(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, e := h.began("a.docx", wopi.Microsoft)
		h.mustSave(s, "one")
		h.server.Write(t, "~WRD0001.tmp", "the desktop's")
		h.rename("~WRD0001.tmp", "a.docx")
		if a := h.save(s, "two"); a.Status != http.StatusConflict {
			t.Errorf("PutFile: %s", a)
		}
		h.wantFile("a.docx", "the desktop's")
		h.wantKept("two")
		found, _, err := h.ids.Find(t.Context(), h.space, e.ID, h.view(anna))
		if err != nil || found.Path != "/a.docx" {
			t.Errorf("the document is at %q, %v", found.Path, err)
		}
		_, err = s.Close(t.Context())
		h.must(err)
		h.mustSave(h.reopened(found, wopi.Microsoft), "three")
		h.wantFile("a.docx", "three")
	})
}

// TestReplacedByAFolder: a folder takes the file's name while it is open.
func TestReplacedByAFolder(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, e := h.began("a.txt", wopi.Collabora)
		h.must(os.Remove(h.path("a.txt")))
		h.must(os.MkdirAll(h.path("a.txt/inner"), 0o777))
		h.server.Write(t, "a.txt/inner/b.txt", "inside")
		h.save(s, "the save")
		h.wantKept("the save")
		h.wantFile("a.txt/inner/b.txt", "inside")
		if h.at("/a.txt").ID == e.ID {
			t.Error("the folder has the file's ID")
		}
	})
}

// TestDeletedDuringASave: the file vanishes during each request of a save.
func TestDeletedDuringASave(t *testing.T) {
	for _, method := range []string{"PROPFIND", "GET", "PUT", "MOVE"} {
		t.Run(method, func(t *testing.T) {
			eachProfile(t, func(t *testing.T, h *house) {
				s, _ := h.began("a.txt", wopi.Collabora)
				h.server.Quirks.Fail(upstream.Fault{Method: method, Times: 1, Before: func() { _ = os.Remove(h.path("a.txt")) }})
				h.save(s, "the save")
				h.wantKept("the save")
				_, err := s.Close(t.Context())
				h.must(err)
				h.settle()
				h.wantKept("the save")
				for _, name := range h.names() {
					if strings.HasPrefix(filepath.Base(name), ".") {
						t.Errorf("%s is left", name)
					}
				}
			})
		})
	}
}

// TestOtherDAVClients: they are kept out while the file is open.
func TestOtherDAVClients(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, _ := h.began("a.txt", wopi.Collabora)
		view := h.server.View(t)
		for _, try := range []func() error{
			func() error { return view.Delete(t.Context(), "/a.txt", davbackend.Condition{}) },
			func() error {
				return view.Move(t.Context(), "/a.txt", "/b.txt", true, davbackend.Condition{}, davbackend.Condition{})
			},
		} {
			var err error
			h.server.Quirks.Fail(upstream.Fault{Method: "PUT", Times: 1, Before: func() { err = try() }})
			h.mustSave(s, "the save")
			if err == nil {
				t.Error("another client got through in mid-save")
			}
		}
		h.wantFile("a.txt", "the save")
	})
}

// TestClockJumps: the lock expires during an editing, and the clock goes back.
func TestClockJumps(t *testing.T) {
	for _, m := range allManners {
		t.Run(m.name, func(t *testing.T) {
			eachProfile(t, func(t *testing.T, h *house) {
				s, e := h.began("a.txt", m.kind)
				h.mustSave(s, "one")
				h.later(31 * time.Minute)
				h.mustSave(s, "two, after the lock expired")
				h.later(31 * time.Minute)
				h.must(h.locks.Tend(t.Context()))
				h.mustSave(s, "three, after the keeper came")
				h.later(-40 * time.Minute)
				h.mustSave(s, "four, in the past")
				if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
					t.Errorf("Unlock: %v %v", a, err)
				}
				h.later(45 * time.Minute)
				h.settle()
				h.wantFile("a.txt", "four, in the past")
				h.wantOnly("a.txt")
				h.wantUnlocked("/a.txt")
				h.mustSave(h.reopened(e, wopi.Microsoft), "five")
			})
		})
	}
}

// TestExpiredAndChangedOutside: the lock expired, somebody wrote the file, the old
// lock ID comes back.
func TestExpiredAndChangedOutside(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, e := h.began("a.txt", wopi.Microsoft)
		h.mustSave(s, "one")
		h.later(31 * time.Minute)
		h.must(h.locks.Tend(t.Context()))
		other := h.reopened(e, wopi.Microsoft)
		h.mustSave(other, "the other's")
		if a := h.save(s, "two"); a.Status != http.StatusConflict {
			t.Errorf("PutFile with the old lock: %s", a)
		}
		h.wantFile("a.txt", "the other's")
		h.wantKept("two")
		h.mustSave(other, "the other's second")
		h.wantFile("a.txt", "the other's second")
	})
}

func (h *house) wantUnlocked(p dav.Path) {
	h.t.Helper()
	res, err := h.view(anna).Stat(h.t.Context(), p)
	h.must(err)
	for _, l := range res.Locks {
		h.t.Errorf("a DAV lock of %q is left on %s", l.Owner, p)
	}
}

// TestDesktopLockFileAppears: somebody opens the file by SMB while it is edited
// here. The editing goes on; the next one waits.
func TestDesktopLockFileAppears(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		s, e := h.began("a.docx", wopi.Microsoft)
		h.server.Write(t, "~$a.docx", "\x04Carl"+strings.Repeat(" ", 157))
		h.mustSave(s, "one")
		_, err := s.Close(t.Context())
		h.must(err)
		h.wantFile("a.docx", "one")
		a, err := h.open(e, wopi.Microsoft, ben).Lock(t.Context(), "next")
		if err != nil || a.Status != http.StatusConflict || !strings.Contains(a.String(), "Carl") {
			t.Errorf("Lock beside Carl's lock file: %v %v", a, err)
		}
		h.settle()
		h.wantUnlocked("/a.docx")
	})
}
