package saves

import (
	"crypto/sha256"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// outside changes a file behind the bridge's back.
func (g *rig) outside(name, content string) { g.t.Helper(); g.server.Write(g.t, name, content) }

// TestChangedOutside is the table of DESIGN 7.7, editor by editor.
func TestChangedOutside(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		for _, office := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft, wopi.TextEditor, wopi.AnyOffice} {
			t.Run(office.String(), func(t *testing.T) {
				name := office.String() + ".odt"
				g.server.Write(t, name, "old")
				o := g.open(name, office)
				o.mustPut("mine 1")
				g.outside(name, "theirs!")
				_, err := o.put("mine 2")
				c := conflictOf(t, err)
				g.wantOn(name, "theirs!")
				if !strings.HasPrefix(c.Copy, office.String()+" (conflict Ann 2026-11-20 ") || !strings.HasSuffix(c.Copy, ").odt") {
					t.Errorf("the copy is called %q", c.Copy)
				}
				g.wantOn(c.Copy, "mine 2")
				if c.Outside.Number != g.target(name).File.Revision.Number {
					t.Errorf("told of %+v, there is %+v", c.Outside, g.target(name).File.Revision)
				}
				if c.Ask != (office == wopi.Collabora) || c.Diverted != (office == wopi.OnlyOffice) || c.Current != o.id {
					t.Errorf("answer is %+v", c)
				}
				// One copy per (file, base, editing), replaced by later saves.
				_, err = o.put("mine 3")
				again := conflictOf(t, err)
				if again.Copy != c.Copy {
					t.Errorf("the next save went to %q, the first to %q", again.Copy, c.Copy)
				}
				g.wantOn(c.Copy, "mine 3")
				g.wantOn(name, "theirs!")
				g.wantNoTemps()
			})
		}
	})
}

func TestCollaboraOverwrites(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.odt", "old")
		o := g.open("a.odt", wopi.Collabora)
		g.outside("a.odt", "theirs")
		noStamp := func(p *Put) { p.Timestamp = "" }
		if _, err := o.putWith("mine 1", noStamp); err == nil || !conflictOf(t, err).Ask {
			t.Fatal("no timestamp without an earlier 1010 is no licence")
		}
		g.outside("a.odt", "theirs again")
		_, err := o.putWith("mine 2", noStamp)
		if c := conflictOf(t, err); !c.Ask {
			t.Errorf("newer than what was reported: %+v, want 1010 again", c)
		}
		g.wantOn("a.odt", "theirs again")

		rev, err := o.putWith("mine 3", noStamp)
		if err != nil {
			t.Fatalf("the person chose to overwrite: %v", err)
		}
		g.wantOn("a.odt", "mine 3")
		g.keptCopy("a (outside ", "theirs again")
		g.wantNoTemps()

		// One overwrite: the next save is an ordinary one, and the next change
		// outside is one again.
		o.stamp = rev.LastModified
		o.mustPut("mine 4")
		g.outside("a.odt", "theirs, a third time")
		_, err = o.putWith("mine 5", noStamp)
		if c := conflictOf(t, err); !c.Ask {
			t.Errorf("answer is %+v", c)
		}
		g.wantOn("a.odt", "theirs, a third time")
	})
}

func TestOverwriteWhereCopyIsUnsupported(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.server.Write(t, "a.odt", "old")
	o := g.open("a.odt", wopi.Collabora)
	g.outside("a.odt", "theirs")
	g.server.Quirks.Fail(upstream.Fault{Method: "COPY", Status: 405})
	_, err := o.put("mine 1")
	conflictOf(t, err)
	if _, err := o.putWith("mine 2", func(p *Put) { p.Timestamp = "" }); err != nil {
		t.Fatal(err)
	}
	g.wantOn("a.odt", "mine 2")
	g.keptCopy("a (outside ", "theirs")
	g.wantNoTemps()
}

// keptCopy wants a file whose name begins with prefix to hold want.
func (g *rig) keptCopy(prefix, want string) {
	g.t.Helper()
	for _, n := range g.names() {
		if got, _ := g.on(n); strings.HasPrefix(n, prefix) && got == want {
			return
		}
	}
	g.t.Errorf("no %q...) holds %q: %v", prefix, want, g.names())
}

func TestTextEditorOverwrites(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.TextEditor)
		g.outside("a.txt", "theirs")
		_, err := o.put("mine 1")
		shown := conflictOf(t, err).Outside.Version
		g.outside("a.txt", "theirs again")
		base := func(p *Put) { p.Base = shown }
		_, err = o.putWith("mine 2", base)
		if c := conflictOf(t, err); c.Outside.Version == shown {
			t.Error("told of what it knew already")
		} else {
			shown = c.Outside.Version
		}
		g.wantOn("a.txt", "theirs again")
		if _, err = o.putWith("mine 3", base); err != nil {
			t.Fatal(err)
		}
		g.wantOn("a.txt", "mine 3")
		g.keptCopy("a (outside ", "theirs again")
		if _, err = o.putWith("mine 4", func(p *Put) { p.Base = "made up" }); err != nil {
			t.Errorf("a Version that never was, when nothing has changed: %v", err)
		}
	})
}

func TestOnlyOfficeIsDiverted(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.docx", "old")
		o := g.open("a.docx", wopi.OnlyOffice)
		g.outside("a.docx", "theirs")
		_, err := o.put("mine 1")
		c := conflictOf(t, err)
		copied := g.target(c.Copy)
		if c.Revision.Version != copied.File.Revision.Version || c.Revision.LastModified == "" {
			t.Errorf("answered with %+v, the copy is %+v", c.Revision, copied.File.Revision)
		}
		first := c.Revision.Version
		// All later saves go there, until the editing ends, whatever is at the file.
		_, err = o.put("mine 2")
		c = conflictOf(t, err)
		if !c.Diverted || c.Copy != copied.File.Name || c.Revision.Version == first {
			t.Errorf("the second is %+v", c)
		}
		g.wantOn(c.Copy, "mine 2")
		g.wantOn("a.docx", "theirs")
		t.Run("a copy that somebody has changed is not written over", func(t *testing.T) {
			g.outside(c.Copy, "merged by hand")
			_, err = o.put("mine 3")
			next := conflictOf(t, err)
			if next.Copy == c.Copy {
				t.Error("the same copy")
			}
			g.wantOn(c.Copy, "merged by hand")
			g.wantOn(next.Copy, "mine 3")
			c = next
		})
		t.Run("nor one that somebody has open", func(t *testing.T) {
			g.open(c.Copy, wopi.Collabora)
			_, err = o.put("mine 4")
			next := conflictOf(t, err)
			g.wantOn(c.Copy, "mine 3")
			g.wantOn(next.Copy, "mine 4")
		})
	})
}

// TestCopyCannotBeMade: 200 is said to ONLYOFFICE only for bytes seen on the
// upstream; the others get their 409 in any case.
func TestCopyCannotBeMade(t *testing.T) {
	for _, office := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
		for _, status := range []int{403, 503, 507} {
			t.Run(office.String(), func(t *testing.T) {
				g := newRig(t, upstream.Strict(t), davbackend.Embedded)
				g.server.Write(t, "a.odt", "old")
				o := g.open("a.odt", office)
				g.outside("a.odt", "theirs")
				g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Name: tempPrefix, Status: status})
				_, err := o.put("mine")
				g.wantOn("a.odt", "theirs")
				if len(g.inJournal("mine")) != 1 {
					t.Error("the bytes are not in the journal")
				}
				if office == wopi.OnlyOffice {
					keptEntry(t, err)
					return
				}
				if c := conflictOf(t, err); c.Copy != "" || c.Ask != (office == wopi.Collabora) {
					t.Errorf("answer is %+v", c)
				}
				g.wantState("mine", stateConflict)
				g.wantNoTemps()
			})
		}
	}
}

// TestTimestampIsTheBase: an X-COOL-WOPI-Timestamp that names a revision which the
// editing wrote is the base exactly; what else it says does not matter.
func TestTimestampIsTheBase(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.odt", "old")
	o := g.open("a.odt", wopi.Collabora)
	first := o.mustPut("one")
	o.mustPut("two")
	o.stamp = first.LastModified
	o.mustPut("three") // its own revisions are never outside
	for _, stamp := range []string{"", "2026-01-01T00:00:00.0000000Z", "not a time", "\x00"} {
		o.stamp = stamp
		o.mustPut("four " + strings.Trim(stamp, "\x00"))
	}
	g.outside("a.odt", "theirs")
	theirs := g.target("a.odt").File.Revision
	o.stamp = theirs.LastModified // told by a later CheckFileInfo, never read
	_, err := o.put("five")
	conflictOf(t, err)
	g.wantOn("a.odt", "theirs")
}

// TestTouchedIsNotChanged: an ETag that changed while the contents did not is
// compared by sha256 (DESIGN 7.7).
func TestTouchedIsNotChanged(t *testing.T) {
	for _, noticed := range []bool{false, true} {
		eachStrategy(t, func(t *testing.T, g *rig) {
			g.server.Write(t, "a.odt", "old")
			o := g.open("a.odt", wopi.Microsoft)
			o.mustPut("same")
			before := g.target("a.odt").File.Revision
			g.outside("a.odt", "same")
			if noticed {
				if now := g.target("a.odt").File.Revision; now.Number == before.Number {
					t.Fatal("the ETag did not change")
				}
			}
			o.mustPut("next")
			g.wantOn("a.odt", "next")
			g.outside("a.odt", "NEXT")
			_, err := o.put("third")
			conflictOf(t, err)
			g.wantOn("a.odt", "NEXT")
		})
	}
}

// TestTouchedAfterItWasReadIsNotChanged: the base comes from GetFile alone, whose
// bytes were hashed on the way, and a CheckFileInfo has noticed the new ETag.
func TestTouchedAfterItWasReadIsNotChanged(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.odt", "same")
		o := g.open("a.odt", wopi.TextEditor)
		sum := sha256.Sum256([]byte("same"))
		read := o.target.File.Revision
		if err := g.ids.Hash(t.Context(), o.target.File.ID, read.Number, sum[:]); err != nil {
			t.Fatal(err)
		}
		g.outside("a.odt", "same")
		if now := g.target("a.odt").File.Revision; now.Number == read.Number {
			t.Fatal("the ETag did not change")
		}
		o.mustPut("next")
		g.wantOn("a.odt", "next")
	})
}

// TestSupersededLock: a lock ID that this file's editing has had, while somebody
// else holds the file now, ends as a conflict copy (DESIGN 6).
func TestSupersededLock(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.TextEditor)
		old := o.id
		if err := g.locks.Relock(t.Context(), o.target, o.actor, o.id, "other tab"); err != nil {
			t.Fatal(err)
		}
		o.id = "other tab"
		o.mustPut("from the other tab")
		o.id = old
		_, err := o.put("from the first tab")
		c := conflictOf(t, err)
		if c.Current != "other tab" {
			t.Errorf("the lock is said to be %q", c.Current)
		}
		g.wantOn("a.txt", "from the other tab")
		g.wantOn(c.Copy, "from the first tab")
	})
}

// TestSaveAfterUnlock: Collabora before July 2023 unlocks before its exit save.
func TestSaveAfterUnlock(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.odt", "old")
		o := g.open("a.odt", wopi.Collabora)
		o.mustPut("one")
		if err := g.locks.Unlock(t.Context(), o.target, o.actor, o.id); err != nil {
			t.Fatal(err)
		}
		o.mustPut("exit save")
		g.wantOn("a.odt", "exit save")
	})
}

// TestMovedByTheBridge: the save goes where the file is now.
func TestMovedByTheBridge(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.odt", "old")
		g.server.Write(t, "d/other", "")
		o := g.open("a.odt", wopi.Collabora)
		if _, err := g.locks.Move(t.Context(), o.target, o.actor, &o.id, dav.Path("/d/b.odt")); err != nil {
			t.Fatal(err)
		}
		o.mustPut("new") // the target still names the old path
		g.wantOn("d/b.odt", "new")
		if _, there := g.on("a.odt"); there {
			t.Error("the old name came back")
		}
	})
}

func TestDiesBetweenOutsideCopyAndWrite(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.odt", "old")
	o := g.open("a.odt", wopi.Collabora)
	g.outside("a.odt", "theirs")
	_, err := o.put("mine 1")
	conflictOf(t, err)
	g.die("outside kept")
	if _, err := o.putWith("mine 2", func(p *Put) { p.Timestamp = "" }); err == nil {
		t.Fatal("it lived")
	}
	g.restart()
	g.recover()
	g.somewhere("mine 2")
	g.wantOn("a.odt", "theirs")
}
