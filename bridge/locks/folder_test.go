package locks

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestRefusedRenameOfAFolderTakesNoOther: something is at the target, and the folder
// itself was renamed outside just before. Its ID must not go to the other one.
func TestRefusedRenameOfAFolderTakesNoOther(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.NoResourceID = true })
	a := h.folder("/a")
	f := h.file("a/x.docx", "a's text")
	h.folder("/b")
	h.server.Write(t, "b/x.docx", "b's OTHER text")
	target := h.target(a)
	h.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Times: 1, Before: func() {
		if err := os.Rename(filepath.Join(h.server.Dir, "a"), filepath.Join(h.server.Dir, "c")); err != nil {
			t.Error(err)
		}
	}})
	e, err := h.MoveContainer(ctx, target, anna, "/b")
	if err == nil {
		t.Errorf("answered with success; ID of a now names %q", e.Path)
	}
	_, res, ferr := h.ids.Find(ctx, h.space, f, h.view())
	if ferr == nil && res.Size == int64(len("b's OTHER text")) {
		t.Errorf("the ID of a/x.docx names b/x.docx, another document")
	}
}

// TestLockFileThatMovesWithItsFolder could not be removed before: it is found where
// the file is then.
func TestLockFileThatMovesWithItsFolder(t *testing.T) {
	h := newHouse(t)
	h.Announce, h.Respect = true, true
	ctx := context.Background()
	a := h.folder("/a")
	f := h.file("a/x.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	target := h.target(a)
	h.server.Quirks.Fail(upstream.Fault{Method: "DELETE", Times: 1, Status: 503})
	_, err := h.MoveContainer(ctx, target, anna, "/b")
	ok(t, err)
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	for range 5 {
		h.clock.forward(time.Hour)
		h.tend()
	}
	if got, there := h.server.Read(t, "b/.~lock.x.docx#"); there {
		t.Errorf("lock file stays: %q; remembered: %d", got, h.count("locks_announced"))
	}
	if err := h.Lock(ctx, h.target(f), ben, "B"); err != nil {
		t.Errorf("ben is locked out: %v", err)
	}
}

// TestLockFileInAFolderRenamedOutside, while the document in it is open.
func TestLockFileInAFolderRenamedOutside(t *testing.T) {
	h := newHouse(t)
	h.Announce, h.Respect = true, true
	ctx := context.Background()
	h.folder("/a")
	f := h.file("a/x.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	if err := os.Rename(filepath.Join(h.server.Dir, "a"), filepath.Join(h.server.Dir, "b")); err != nil {
		t.Fatal(err)
	}
	// idmap learns it, as by a listing
	for _, p := range []string{"/b", "/b/x.docx"} {
		res, err := h.view().Stat(ctx, dav.Path(p))
		ok(t, err)
		_, err = h.ids.At(ctx, h.space, res)
		ok(t, err)
	}
	ok(t, h.Refresh(ctx, h.target(f), anna, "A"))
	h.clock.forward(10 * time.Minute)
	h.tend()
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	for range 5 {
		h.clock.forward(time.Hour)
		h.tend()
	}
	if got, there := h.server.Read(t, "b/.~lock.x.docx#"); there {
		t.Errorf("lock file stays: %q; remembered: %d", got, h.count("locks_announced"))
	}
	if err := h.Lock(ctx, h.target(f), ben, "B"); err != nil {
		t.Errorf("ben is locked out: %v", err)
	}
}

// TestLostAnswerToTheMoveOfAFolder, and somebody makes a folder of the old name.
func TestLostAnswerToTheMoveOfAFolder(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	h.server.Quirks.Set(func(q *upstream.Quirks) { q.NoResourceID = true })
	a := h.folder("/a")
	h.file("a/x.docx", "a's text")
	target := h.target(a)
	h.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Times: 1, LoseAnswer: true, Then: func() {
		if err := os.Mkdir(filepath.Join(h.server.Dir, "a"), 0o755); err != nil {
			t.Error(err)
		}
	}})
	if _, err := h.MoveContainer(ctx, target, anna, "/b"); err != nil {
		t.Error(err)
	}
	k, _ := h.ids.Known(ctx, h.space, a)
	if k.Path != "/b" {
		t.Errorf("the ID names a folder that somebody else has just made")
	}
}

// TestNamesBelowAreForWhoCanSeeThem: who may not look into a folder does not learn
// what is open in it.
func TestNamesBelowAreForWhoCanSeeThem(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a := h.folder("/a")
	h.folder("/a/private")
	f := h.file("a/private/Dismissal of Ben.docx", "hello")
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	target := h.target(a)
	h.server.Quirks.Set(func(q *upstream.Quirks) {
		q.Answer = func(r *http.Request) http.Handler {
			if !strings.Contains(r.URL.Path, "/private") {
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
		}
	})
	_, err := h.MoveContainer(ctx, target, ben, "/c")
	derr := h.DeleteContainer(ctx, target, ben)
	if strings.Contains(err.Error(), "Dismissal") || strings.Contains(derr.Error(), "Dismissal") {
		t.Errorf("rename: %v; delete: %v", err, derr)
	}
}
