package wire

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// TestTwins: names that differ only in composition or in case are different files
// here, and have different IDs.
func TestTwins(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		names := []string{"Z\u00fcrich.txt", "Zu\u0308rich.txt", "readme.txt", "README.txt"}
		ids := map[idmap.FileID]string{}
		for _, n := range names {
			s, e := h.began(n, wopi.Microsoft)
			if twin, had := ids[e.ID]; had {
				t.Fatalf("%q and %q have one ID", n, twin)
			}
			ids[e.ID] = n
			h.mustSave(s, "of "+n)
			a, err := s.Client.RenameFile(t.Context(), s.LockID, "readme", nil)
			h.must(err)
			_ = a
			a, err = s.Client.RenameFile(t.Context(), s.LockID, strings.TrimSuffix(n, ".txt"), nil)
			if err != nil || a.Status != http.StatusOK {
				t.Errorf("rename back to %q: %v %v", n, a, err)
			}
			h.mustSave(s, "again of "+n)
			_, err = s.Close(t.Context())
			h.must(err)
		}
		for _, n := range names {
			h.wantKept("again of " + n)
		}
		if len(h.names()) != len(names) {
			t.Errorf("on the upstream: %q", h.names())
		}
	})
}

// TestLongName: a name of 255 bytes leaves no room for anybody's additions.
func TestLongName(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		long := strings.Repeat("\u00fc", 125) + "x.txt"
		if len(long) != 255 {
			t.Fatal(len(long))
		}
		s, e := h.began("d/"+long, wopi.Collabora)
		h.mustSave(s, "one")
		h.must(os.WriteFile(h.path("d/"+long), []byte("somebody else wrote this"), 0o666))
		if a := h.save(s, "two"); a.Status != http.StatusConflict {
			t.Errorf("PutFile: %s", a)
		}
		h.wantKept("two", "somebody else wrote this")
		a, err := s.Overwrite(t.Context(), []byte("three"))
		if err != nil || a.Status != http.StatusOK {
			t.Errorf("Overwrite: %v %v", a, err)
		}
		h.wantFile("d/"+long, "three")
		h.wantKept("two", "somebody else wrote this")
		made, err := s.Client.PutRelativeSuggested(t.Context(), ".txt", []byte("beside"))
		if err != nil || made.Status != http.StatusOK {
			t.Errorf("PutRelativeFile: %v %v", made, err)
		}
		h.wantKept("beside")
		if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
			t.Errorf("Unlock: %v %v", a, err)
		}
		if h.at("/d/"+long).ID != e.ID {
			t.Error("another ID")
		}
	})
}

// TestEmptyFiles: an unlocked empty file may be written without a lock, once.
func TestEmptyFiles(t *testing.T) {
	eachProfile(t, func(t *testing.T, h *house) {
		h.server.Write(t, "new.txt", "")
		e := h.at("/new.txt")
		type outcome struct {
			body   string
			status int
		}
		done := make(chan outcome)
		for _, body := range []string{"first", "second", "third"} {
			go func() {
				a, err := h.open(e, wopi.Microsoft, anna).PutFile(context.Background(), "", []byte(body), nil)
				if err != nil {
					t.Error(err)
				}
				done <- outcome{body, a.Status}
			}()
		}
		won := ""
		for range 3 {
			switch o := <-done; o.status {
			case http.StatusOK:
				if won != "" {
					t.Errorf("%q and %q were both accepted", won, o.body)
				}
				won = o.body
			case http.StatusConflict, http.StatusInternalServerError:
			default:
				t.Errorf("%q: %d", o.body, o.status)
			}
		}
		h.wantFile("new.txt", won)
		s := h.reopened(e, wopi.Microsoft)
		h.mustSave(s, "")
		h.wantFile("new.txt", "")
		h.wantKept(won) // what a save of nothing replaced
	})
}
