package wire

import (
	"net/http"
	"os"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// TestOpenDocumentIsFollowed: while a document is open somebody renames its folder, moves
// it, or moves the folder, on the disk of each server. Nobody has looked; the next save
// lands where it is now, under the same ID, and nothing is left at the old place.
func TestOpenDocumentIsFollowed(t *testing.T) {
	all := newOffices(t)
	presets := append(upstream.Presets(), upstream.Preset{Name: "strict", Set: func(*upstream.Quirks) {}})
	for _, preset := range presets {
		if testing.Short() && preset.Name != "strict" && preset.Name != "apache" {
			continue
		}
		for _, c := range []struct{ what, from, to, now string }{
			{"folder renamed", "papers", "play", "play/deep/a.txt"},
			{"folder moved", "papers/deep", "other/deep", "other/deep/a.txt"},
			{"file renamed", "papers/deep/a.txt", "papers/deep/b.txt", "papers/deep/b.txt"},
			{"file moved", "papers/deep/a.txt", "other/b.txt", "other/b.txt"},
		} {
			t.Run(preset.Name+"/"+c.what, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, all, davbackend.Unknown, nil)
				h.server.Quirks.Set(preset.Set)
				if preset.Name != "strict" {
					h.measure()
				}
				defer h.complain(t)
				h.server.Write(t, "other/c.txt", "another")
				h.server.Write(t, "papers/deep/c.txt", "a neighbour")
				neighbour := h.at("/papers/deep/c.txt")
				s, e := h.began("papers/deep/a.txt", wopi.Collabora)
				h.mustSave(s, "one")
				h.rename(c.from, c.to)
				h.mustSave(s, "two, where it is now")
				h.wantFile(c.now, "two, where it is now")
				if _, err := os.Stat(h.path("papers/deep/a.txt")); err == nil {
					t.Error("something is at the old place")
				}
				if a, err := s.Close(t.Context()); err != nil || a.Status != http.StatusOK {
					t.Errorf("Unlock: %v %v", a, err)
				}
				h.settle()
				h.wantFile(c.now, "two, where it is now")
				if at := h.at("/" + c.now); at.ID != e.ID {
					t.Error("the file has another ID")
				}
				found, _, err := h.ids.Find(t.Context(), h.space, neighbour.ID, h.view(anna))
				if err != nil {
					t.Errorf("the neighbour: %v", err)
				} else {
					h.wantFile(string(found.Path)[1:], "a neighbour")
				}
			})
		}
	}
}
