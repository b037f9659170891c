package saves

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// backTo makes the rig's state one that comes from a backup made now.
func (g *rig) backTo() {
	g.t.Helper()
	ctx := g.t.Context()
	for _, room := range []error{g.ids.NewEpoch(ctx), Restored(ctx, g.db, g.saves.Dir), locks.Restored(ctx, g.db)} {
		if room != nil {
			g.t.Fatal(room)
		}
	}
	g.patient(Queue, nil)
	g.recover()
}

// TestRestoredWaitingSaves: what a backup says is waiting is written only over exactly
// what lay there when it began to wait; everything else that may have happened since the
// backup was made is left alone.
func TestRestoredWaitingSaves(t *testing.T) {
	const waiting = "the save that waited, and a bit more"
	for n, c := range []struct {
		name  string
		since func(g *rig) // the backup was made
		on    string       // what the file holds in the end
		asis  bool         // nothing was written to it
		copy  bool         // the bytes are in a conflict copy
	}{
		{"nothing happened", func(*rig) {}, waiting, false, false},
		{"it was delivered", func(g *rig) { g.outside("a.txt", waiting) }, waiting, true, false},
		{"it was delivered, and saved over", func(g *rig) { g.outside("a.txt", "newer") }, "newer", true, true},
		{"it was taken back to what it rests on", func(g *rig) { g.outside("a.txt", "old 2") }, "old 2", true, true},
		{"it was taken back to an earlier save of the same editing", func(g *rig) { g.outside("a.txt", "old 1") }, "old 1", true, true},
		{"it holds the beginning of the bytes", func(g *rig) { g.outside("a.txt", waiting[:12]) }, waiting[:12], true, true},
		{"it was emptied", func(g *rig) { g.outside("a.txt", "") }, "", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			each := sqldbtest.Each
			if n > 0 && testing.Short() { // that both databases do it is seen
				each = func(t *testing.T, f func(*testing.T, *sqldb.DB)) { f(t, sqldbtest.Prepared(t, "saves", tables(t))) }
			}
			each(t, func(t *testing.T, db *sqldb.DB) {
				g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
				g.patient(Queue, nil)
				g.server.Write(t, "a.txt", "first")
				o := g.open("a.txt", wopi.Collabora)
				o.mustPut("old 1")
				o.mustPut("old 2")
				g.down()
				told := o.mustPut(waiting)
				g.server.Quirks.Reset()
				c.since(g)
				g.backTo()
				var held *locks.MismatchError
				if err := g.locks.Lock(t.Context(), o.target, locks.Actor{Editor: "https://other.example"}, "stranger"); !errors.As(err, &held) {
					t.Errorf("another editor locks the file: %v", err)
				}
				before := g.wire.written()
				for range 3 {
					g.saves.sweep(t.Context())
				}
				g.wantOn("a.txt", c.on)
				if written := g.wire.written() > before; written == (c.asis && !c.copy) {
					t.Errorf("something was written: %v", written)
				}
				copies := 0
				for _, n := range g.names() {
					if body, _ := g.on(n); n != "a.txt" && body == waiting {
						copies++
					}
				}
				if (copies == 1) != c.copy || copies > 1 {
					t.Errorf("%d copies among %v; %v", copies, g.names(), g.heard)
				}
				if !c.copy {
					g.wantStrings(o, told)
				}
				g.wantNoTemps()
			})
		})
	}
}

// TestRestoredSavesWaitForOldLocks: a lock that our own bridge may have taken after the
// backup was made is no reason for a conflict copy before it must have run out.
func TestRestoredSavesWaitForOldLocks(t *testing.T) {
	for _, goes := range []bool{true, false} {
		g := newRig(t, upstream.Strict(t), davbackend.Unknown)
		g.patient(Queue, nil)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.down()
		told := o.mustPut("the save")
		g.server.Quirks.Reset()
		g.server.DropLocks(t, "/a.txt")
		if _, _, err := g.view.Lock(t.Context(), "/a.txt", davbackend.LockRequest{Owner: "Ann via davwopi", Timeout: time.Hour}); err != nil {
			t.Fatal(err)
		}
		g.backTo()
		g.saves.sweep(t.Context())
		g.wantState("the save", stateWaiting)
		if n := g.names(); len(n) != 1 {
			for _, name := range n {
				if name != "a.txt" && !strings.HasPrefix(name, tempPrefix) {
					t.Errorf("the folder holds %v", n)
				}
			}
		}
		if goes {
			g.server.DropLocks(t, "/a.txt")
		}
		g.later(oldLocks + time.Minute)
		g.up() // the next try is due
		g.saves.sweep(t.Context())
		if goes {
			g.wantOn("a.txt", "the save")
			g.wantStrings(o, told)
		} else {
			g.wantOn("a.txt", "old")
			g.wantState("the save", stateConflict)
		}
	}
}

// TestRestoredUnansweredSaves: what a backup says was on its way is never written, nor is
// anything taken for a piece of it; its temp goes.
func TestRestoredUnansweredSaves(t *testing.T) {
	for _, step := range []string{"journaled", "temp sent", "move journaled", "put journaled", "put sent"} {
		t.Run(step, func(t *testing.T) {
			profile := davbackend.Unknown
			if step == "put journaled" || step == "put sent" {
				profile = davbackend.Embedded
			}
			g := newRig(t, upstream.Strict(t), profile)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			g.die(step)
			if _, err := o.put("the save"); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			g.outside("a.txt", "the")
			g.later(2 * time.Minute)
			g.backTo()
			g.saves.sweep(t.Context())
			g.wantOn("a.txt", "the")
			g.wantState("the save", stateUnacknowledged)
			g.wantNoTemps()
		})
	}
}

// TestRestoredBetweenTwoSaves: the backup was made while the next save was about to begin
// to wait. The one before it is delivered all the same.
func TestRestoredBetweenTwoSaves(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.patient(Queue, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.down()
	told := o.mustPut("acknowledged")
	g.die("to wait")
	if _, err := o.put("on its way"); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	g.server.Quirks.Reset()
	g.later(2 * time.Minute)
	g.backTo()
	for range 3 {
		g.saves.sweep(t.Context())
	}
	g.wantOn("a.txt", "acknowledged")
	if now := g.known(o).Revision; now.Version != told.Version {
		t.Errorf("the file is %s, the editor was told %s", now.Version, told.Version)
	}
	g.wantState("on its way", stateUnacknowledged)
}

// TestNothingRecursAfterARestore: strings that were given out after the backup was made
// are never those of other contents.
func TestNothingRecursAfterARestore(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	copied := filepath.Join(t.TempDir(), "state.db")
	if err := g.db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, body := range []string{"after 1", "after 2", "after 3"} {
		rev := o.mustPut(body)
		given[rev.Version], given[rev.LastModified] = true, true
	}
	again := newRigOn(t, mustOpen(t, copied), g.server, davbackend.Unknown)
	again.backTo()
	p := again.open("a.txt", wopi.Collabora)
	if p.target.File.ID != o.target.File.ID {
		t.Errorf("the file was %s and is %s", o.target.File.ID, p.target.File.ID)
	}
	for _, body := range []string{"restored 1", "restored 2", "restored 3"} {
		now := p.mustPut(body)
		if given[now.Version] || given[now.LastModified] {
			t.Errorf("%s, %s was given out before", now.Version, now.LastModified)
		}
	}
}

// TestFilesKeptForABackup: what leaves the journal while a backup is made is in the
// backup's directory, and nothing is when none is made.
func TestFilesKeptForABackup(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.patient(Queue, nil)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.down()
	o.mustPut("zero") // stays: it may have left a temp upstream
	o.mustPut("one")
	list, err := Spools(t.Context(), g.db)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	spool := list[1].Name
	dir := t.TempDir()
	stop, err := g.saves.KeepRemoved(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.saves.KeepRemoved(t.TempDir()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("two backups at once: %v", err)
	}
	o.mustPut("two") // replaces one
	if b, err := os.ReadFile(filepath.Join(dir, spool)); err != nil || string(b) != "one" {
		t.Errorf("the backup has %q, %v", b, err)
	}
	stop()
	o.mustPut("three")
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("kept after the backup: %v", left)
	}
	list, err = Spools(t.Context(), g.db)
	if err != nil || len(list) != 2 || !list[1].Acknowledged || !IsSpool(list[1].Name) {
		t.Fatalf("the database speaks of %+v, %v", list, err)
	}
	if b, err := os.ReadFile(filepath.Join(g.saves.Dir, list[1].Name)); err != nil || int64(len(b)) != list[1].Size || !bytes.Equal(b, []byte("three")) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestIsSpool(t *testing.T) {
	for name, want := range map[string]bool{
		"abcdefghijklmnop.spool": true, "abcdefghijklmnop.abcdefghijklmnopqrstuvwxyz.spool": true,
		"": false, ".spool": false, "store": false, "../x.spool": false, "a/b.spool": false, "a.b.c.spool": false, "A.spool": false,
		"a.part": false, "a.spool\x00": false,
	} {
		if got := IsSpool(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
