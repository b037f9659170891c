package saves

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// said lists what the uploads were asked, "METHOD name", without the folders' names.
func (g *rig) said() (all []string) {
	for _, r := range g.server.Requests() {
		if at := strings.Index(r.Path, "/uploads/"); at >= 0 && r.Method != "PROPFIND" {
			parts := strings.Split(strings.Trim(r.Path[at:], "/"), "/")
			name := "folder"
			if len(parts) > 3 {
				name = parts[3]
			}
			all = append(all, fmt.Sprintf("%s %s %d", r.Method, name, r.Status))
		}
	}
	return all
}

func wantSaid(t *testing.T, g *rig, want ...string) {
	t.Helper()
	if got := g.said(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the uploads were asked\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestChunks: a save goes in chunks under the person's uploads, and is put together
// under the lock and the ETag. The file keeps its own ID, the lock is there again, and
// nothing is left.
func TestChunks(t *testing.T) {
	for _, loses := range []bool{false, true} {
		t.Run(fmt.Sprintf("the lock is lost %v", loses), func(t *testing.T) {
			g := newRigFor(t, inChunks)
			g.cloud.LoseLocks(loses)
			g.pieces()
			g.server.Write(t, "a & b.txt", "old")
			o := g.open("a & b.txt", wopi.Collabora)
			native := o.target.File.ID
			was, err := g.view.Stat(t.Context(), "/a & b.txt")
			if err != nil {
				t.Fatal(err)
			}
			g.server.Forget()
			o.mustPut("the save")
			wantSaid(t, g, "MKCOL folder 201", "PUT 00001 201", "PUT 00002 201", "PUT 00003 201", "MOVE .file 204")
			g.wantOn("a & b.txt", "the save")
			g.wantNoTemps()
			now, err := g.view.Stat(t.Context(), "/a & b.txt")
			if err != nil || now.NativeID != was.NativeID || g.target("a & b.txt").File.ID != native {
				t.Errorf("the file is %s now, was %s: %v", now.NativeID, was.NativeID, err)
			}
			if len(now.Locks) != 1 {
				t.Errorf("locks afterwards: %+v", now.Locks)
			}
			for _, r := range g.server.Requests() {
				if cond := r.Header.Get("If"); r.Method == "MOVE" && (!strings.Contains(cond, "a%20%26%20b.txt> (<") || !strings.Contains(cond, string(was.ETag))) {
					t.Errorf("the condition is %q", cond)
				}
				if r.Chunks {
					t.Errorf("%s %s came without a length", r.Method, r.Path)
				}
			}
			o.mustPut("again")
			o.mustPut("") // nothing to be put together
			g.wantOn("a & b.txt", "")
			g.wantNoTemps()
		})
	}
}

// TestChunkTooSmall: an object store refuses parts below 5 MB, which ours never are.
func TestChunkTooSmall(t *testing.T) {
	g := newRigFor(t, inChunks)
	g.saves.chunk = 0
	g.saves = g.journal(t.TempDir(), func(s *Saves) { s.chunk = 0 })
	g.cloud.LeastChunk(5 << 20)
	g.server.Write(t, "a.bin", "old")
	o := g.open("a.bin", wopi.Microsoft)
	g.server.Forget()
	long := strings.Repeat("0123456789abcdef", (21<<20)/16)
	o.mustPut(long)
	wantSaid(t, g, "MKCOL folder 201", "PUT 00001 201", "PUT 00002 201", "PUT 00003 201", "MOVE .file 204")
	if got, _ := g.on("a.bin"); got != long {
		t.Error("other bytes are there")
	}
}

// TestChunkBreaksOff: a dropped connection costs one chunk.
func TestChunkBreaksOff(t *testing.T) {
	g := newRigFor(t, inChunks)
	g.pieces()
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.server.Forget()
	g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Name: "00002", Cut: true, After: 1, Times: 1})
	o.mustPut("the save")
	wantSaid(t, g, "MKCOL folder 201", "PUT 00001 201", "PUT 00002 0", "PUT 00002 201", "PUT 00003 201", "MOVE .file 204")
	g.wantNoTemps()
}

// TestUploadExpires: the folder is gone in the middle of it; another one is begun.
func TestUploadExpires(t *testing.T) {
	for _, at := range []upstream.Fault{{Method: "PUT", Name: "00002"}, {Method: "MOVE", Name: ".file"}} {
		g := newRigFor(t, inChunks)
		g.pieces()
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		at.Times, at.Before = 1, func() {
			for _, id := range g.cloud.Uploads() {
				if err := g.view.DropUpload(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		}
		g.server.Quirks.Fail(at)
		o.mustPut("the save")
		g.wantOn("a.txt", "the save")
		g.wantNoTemps()
	}
}

// TestTornAssembly: the server dies while it writes the chunks over the file. What is
// there then is known as ours, and the save is whole in the end.
func TestTornAssembly(t *testing.T) {
	for _, lives := range []bool{true, false} {
		t.Run(fmt.Sprintf("we live %v", lives), func(t *testing.T) {
			long := letters(50_000)
			g := newRigFor(t, inChunks)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			g.cloud.TearAssembly(100)
			if lives {
				o.mustPut(long)
			} else {
				g.die("assembly sent")
				if _, err := o.put(long); !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				g.wantOn("a.txt", long[:100])
				g.restart()
				g.recover()
			}
			g.wantOn("a.txt", long)
			g.wantNoTemps()
			if n := len(g.names()); n != 1 {
				t.Errorf("the folder holds %v", g.names())
			}
		})
	}
}

// TestAssemblyGoesOn: a gateway gives up, and the server goes on. The folder is not
// touched while that may be so, and not used again.
func TestAssemblyGoesOn(t *testing.T) {
	g := newRigFor(t, inChunks)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.server.Forget()
	g.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Name: ".file", Status: http.StatusGatewayTimeout, Times: 1})
	first := ""
	g.saves.crash = func(step string) error {
		if left := g.cloud.Uploads(); step == "assembly sent" && first == "" && len(left) == 1 {
			first = left[0]
		} else if step == "chunk sent" && first != "" && (len(left) != 2 || left[0] != first && left[1] != first) {
			t.Errorf("folders while the first may still be at work: %v", left)
		}
		return nil
	}
	o.mustPut("the save")
	wantSaid(t, g, "MKCOL folder 201", "PUT 00001 201", "MOVE .file 504", "MKCOL folder 201", "PUT 00001 201", "MOVE .file 204", "DELETE folder 204")
	g.wantOn("a.txt", "the save")
	g.wantNoTemps()
}

// TestChangedOutsideUnderTheChunks: somebody who knows no locks saves while the chunks
// are on their way.
func TestChangedOutsideUnderTheChunks(t *testing.T) {
	g := newRigFor(t, inChunks)
	g.pieces()
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Microsoft)
	once := false
	g.saves.crash = func(step string) error {
		if step == "chunk sent" && !once {
			once = true
			g.outside("a.txt", "theirs")
		}
		return nil
	}
	_, err := o.put("mine")
	c := conflictOf(t, err)
	g.wantOn("a.txt", "theirs")
	g.wantOn(c.Copy, "mine")
	g.wantNoTemps()
}

// TestNoUploads: the cloud knows no chunked uploads any more. The save goes in place.
func TestNoUploads(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusForbidden, http.StatusNotImplemented} {
		g := newRigFor(t, inChunks)
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Microsoft)
		g.server.Quirks.Fail(upstream.Fault{Method: "MKCOL", Status: status})
		o.mustPut("new")
		g.wantOn("a.txt", "new")
	}
}

// TestChunksOfTheDead: what an earlier process has sent is removed when its entry is
// settled, and nothing of anybody else's.
func TestChunksOfTheDead(t *testing.T) {
	g := newRigFor(t, inChunks)
	g.pieces()
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.die("chunk sent")
	if _, err := o.put("the save"); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	mine := g.cloud.Uploads()
	if len(mine) != 1 {
		t.Fatalf("uploads: %v", mine)
	}
	g.outside("a.txt", "theirs")
	g.restart()
	g.recover()
	g.wantOn("a.txt", "theirs")
	g.wantState("the save", stateUnacknowledged)
	g.wantNoTemps()
	g.later(time.Hour)
	g.saves.sweep(t.Context())
	if n := g.server.Count(http.MethodDelete); n != 1 {
		t.Errorf("%d DELETEs", n)
	}
}

// TestQuotaOfChunks: no room is said at a chunk already.
func TestQuotaOfChunks(t *testing.T) {
	g := newRigFor(t, inChunks)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Microsoft)
	g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Name: "0000", Status: http.StatusInsufficientStorage})
	_, err := o.put("too much")
	if k := keptEntry(t, err); !errors.Is(k, dav.ErrFull) {
		t.Error(k)
	}
	g.wantOn("a.txt", "old")
	g.wantNoTemps()
}
