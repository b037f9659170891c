package saves

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestOldSaveNeverFollowsANewOne: a save was journaled when the process died, and the
// upstream was away when the next process looked. Meanwhile the editor has saved again,
// and that entry has left the journal. The old one stays for recovery.
func TestOldSaveNeverFollowsANewOne(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		o.mustPut("before")
		g.die("journaled")
		if _, err := o.put("the save that waits"); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		g.restart()
		g.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
		g.recover()
		g.server.Quirks.Reset()
		g.wantState("the save that waits", stateSpooled)
		o.mustPut("the newer save")
		for range 2 { // the newer entry goes, as long as the older one is not tried again
			g.later(lateAfter + time.Second)
			if err := g.saves.lookAgain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if left := g.inJournal("the newer save"); len(left) > 0 {
			t.Fatalf("the newer save is still in the journal: %v", left)
		}
		g.restart()
		g.recover()
		g.wantOn("a.txt", "the newer save")
	})
}

// TestMoveThatWasDoneAndRefused: a gateway answers the MOVE with a refusal after the
// upstream has carried it out.
func TestMoveThatWasDoneAndRefused(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusLocked, http.StatusInsufficientStorage} {
		g := newRig(t, upstream.Strict(t), davbackend.Unknown)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.OnlyOffice)
		inner := g.client.Transport
		g.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := inner.RoundTrip(r)
			if err == nil && r.Method == "MOVE" {
				resp.StatusCode = status
				resp.Header.Set("WWW-Authenticate", `Basic realm="dav"`)
			}
			return resp, err
		})
		if _, err := o.put("the save"); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		g.wantOn("a.txt", "the save")
		g.wantNoTemps()
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWriterWithoutLocksDuringTheUpload: an upload may take minutes. Who writes the
// file meanwhile by SMB is not written over.
func TestWriterWithoutLocksDuringTheUpload(t *testing.T) {
	for _, method := range []string{"GET", http.MethodPut} {
		g := newRig(t, upstream.Strict(t), davbackend.Unknown)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		g.server.Quirks.Fail(upstream.Fault{Method: method, Times: 1, Then: func() {
			if err := os.WriteFile(filepath.Join(g.server.Dir, "a.txt"), []byte("somebody else's work"), 0o666); err != nil {
				t.Error(err)
			}
		}})
		_, err := o.put("the save")
		conflictOf(t, err)
		g.wantOn("a.txt", "somebody else's work")
		g.somewhere("the save")
		g.wantNoTemps()
	}
}

// TestWriterBetweenPutAndLook: somebody writes as many bytes right after the PUT. That is
// no save of ours.
func TestWriterBetweenPutAndLook(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Microsoft)
	g.server.Quirks.Fail(upstream.Fault{Method: http.MethodPut, Name: "a.txt", Times: 1, Then: func() {
		if err := os.WriteFile(filepath.Join(g.server.Dir, "a.txt"), []byte("their save"), 0o666); err != nil {
			t.Error(err)
		}
	}})
	_, err := o.put("this save.")
	conflictOf(t, err)
	g.wantOn("a.txt", "their save")
	g.somewhere("this save.")
}

// TestCopyInTheFilesPlace: the file is moved away on the disk, and an equal copy is
// put where it was. The save goes to the file.
func TestCopyInTheFilesPlace(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		o.mustPut("one")
		if err := os.Rename(filepath.Join(g.server.Dir, "a.txt"), filepath.Join(g.server.Dir, "b.txt")); err != nil {
			t.Fatal(err)
		}
		g.server.Write(t, "a.txt", "one")
		rev, err := o.put("two")
		if err != nil {
			t.Fatal(err)
		}
		g.wantOn("b.txt", "two")
		g.wantOn("a.txt", "one")
		if e, err := g.ids.Known(context.Background(), g.space, o.target.File.ID); err != nil || e.Path != "/b.txt" || e.Revision.Number != rev.Number {
			t.Errorf("the file is %+v, %v", e, err)
		}
	})
}

// TestPieceOfAFailedSave: an upload in place broke off for longer than the request's
// patience. What it left is ours: the next save replaces it, and without one the
// journal makes it whole.
func TestPieceOfAFailedSave(t *testing.T) {
	for _, after := range []int64{0, 7} {
		for _, name := range []string{"the next save", "nobody", "a rename"} {
			g := newRig(t, upstream.Strict(t), davbackend.Profile{Name: "in place", InPlace: true})
			g.server.Quirks.Set(func(q *upstream.Quirks) { q.PartialWrites = true })
			g.server.Write(t, "a.txt", "the old contents")
			o := g.open("a.txt", wopi.Microsoft)
			g.server.Quirks.Fail(upstream.Fault{Method: http.MethodPut, Cut: true, After: after})
			_, err := o.put("the contents of the save")
			keptEntry(t, err)
			g.server.Quirks.Reset()
			if name == "a rename" {
				e, err := g.locks.Move(t.Context(), g.target("a.txt"), o.actor, &o.id, dav.Path("/b.txt"))
				if err != nil {
					t.Fatal(err)
				}
				o.target.File = e
				o.mustPut("the contents of the next save")
				g.wantOn("b.txt", "the contents of the next save")
				continue
			}
			if name == "nobody" {
				g.restart()
				g.recover()
				g.wantOn("a.txt", "the contents of the save")
				continue
			}
			o.mustPut("the contents of the next save")
			g.wantOn("a.txt", "the contents of the next save")
			if n := len(g.names()); n != 1 {
				t.Errorf("the folder holds %q", g.names())
			}
		}
	}
}

// TestPieceOfAFallback: the same where a PUT into place was only the last resort: MOVE is
// refused, or there is no room beside the file. The server is killed, and leaves a piece;
// so is the process. The journal writes it again.
func TestPieceOfAFallback(t *testing.T) {
	for _, after := range []int64{0, 7} {
		for _, refused := range []bool{true, false} {
			for _, dies := range []bool{true, false} {
				g := newRig(t, upstream.Strict(t), davbackend.Unknown)
				g.server.Quirks.Set(func(q *upstream.Quirks) { q.PartialWrites, q.MoveLocked423 = true, refused })
				g.server.Write(t, "a.txt", "the old contents")
				o := g.open("a.txt", wopi.Microsoft)
				if !refused {
					g.server.Quirks.Fail(upstream.Fault{Method: http.MethodPut, Name: tempPrefix, Status: http.StatusInsufficientStorage})
					quotaOf(g, 10_000)
				}
				reached := false
				g.server.Quirks.Fail(upstream.Fault{Method: http.MethodPut, Name: "a.txt", Cut: true, After: after, Before: func() {
					reached = true
					g.server.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Status: http.StatusBadGateway})
				}})
				if dies {
					g.die("put sent")
				}
				_, err := o.put("the contents of the save")
				if !reached || err == nil {
					t.Fatalf("written into place: %v, PutFile: %v", reached, err)
				}
				g.wantOn("a.txt", "the contents of the save"[:after])
				g.server.Quirks.Reset()
				g.server.Quirks.Set(func(q *upstream.Quirks) { q.PartialWrites, q.MoveLocked423 = true, refused })
				g.restart()
				g.recover()
				g.saves.sweep(t.Context())
				g.wantOn("a.txt", "the contents of the save")
				g.wantNoTemps()
			}
		}
	}
}
