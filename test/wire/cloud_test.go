package wire

import (
	"net/http"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// eachCloud runs f with a house of which only the address of a cloud is configured.
func eachCloud(t *testing.T, f func(t *testing.T, h *house, cloud *upstream.Cloud)) {
	all := newOffices(t)
	for _, kind := range []struct {
		name  string
		start func(testing.TB, string) *upstream.Cloud
	}{{"Nextcloud", upstream.Nextcloud}, {"ownCloud", upstream.OwnCloud}, {"OpenCloud", upstream.OpenCloud}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			cloud := kind.start(t, "/cloud")
			h := newHouse(t, all, cloud.Profile, func(h *house) { h.server, h.address = cloud.Server, cloud.Base })
			defer h.complain(t)
			f(t, h, cloud)
		})
	}
}

// TestMovedElsewhereOnACloud: others move a file to another folder, and then that
// folder, while nobody looks and while it is open. Its ID is found again by the
// cloud's own, and what is saved lands where the file is.
func TestMovedElsewhereOnACloud(t *testing.T) {
	eachCloud(t, func(t *testing.T, h *house, cloud *upstream.Cloud) {
		h.server.Write(t, "a/report.docx", before)
		h.server.Write(t, "b/other.docx", "other")
		h.server.Write(t, "c/other.docx", "other")
		e := h.at("/a/report.docx")
		others := cloud.View(t)
		move := func(from, to dav.Path) {
			t.Helper()
			h.must(others.Move(t.Context(), from, to, false, davbackend.Condition{}, davbackend.Condition{}))
		}
		move("/a/report.docx", "/b/renamed.docx")
		a, err := h.open(e, wopi.Collabora, anna).CheckFileInfo(t.Context())
		h.must(err)
		if a.Status != http.StatusOK {
			t.Fatalf("after the file was moved: %s", a)
		}
		if now := h.at("/b/renamed.docx"); now.ID != e.ID {
			t.Fatalf("the file is %s now, was %s", now.ID, e.ID)
		}
		s := h.reopened(e, wopi.Microsoft)
		h.mustSave(s, "one")
		h.rename("b", "c/b again") // as these clouds let others do, whatever is locked below
		h.mustSave(s, "two")
		h.wantFile("c/b again/renamed.docx", "two")
		if now := h.at("/c/b again/renamed.docx"); now.ID != e.ID {
			t.Errorf("the file is %s now, was %s", now.ID, e.ID)
		}
		_, err = s.Close(t.Context())
		h.must(err)
	})
}

// TestEditingOnACloud plays a whole editing of every office on every cloud, with the
// saves that the cloud wants.
func TestEditingOnACloud(t *testing.T) {
	eachCloud(t, func(t *testing.T, h *house, cloud *upstream.Cloud) {
		var played []*episode
		for _, m := range allManners {
			played = append(played, playWhole(t, h, m))
		}
		h.settle()
		for _, e := range played {
			e.check()
		}
		if left := cloud.Uploads(); len(left) > 0 {
			t.Errorf("uploads are left: %v", left)
		}
	})
}

// TestTripsInChunks: a save in chunks costs no more requests than one by temp and MOVE,
// and one more where the lock has to be taken again.
func TestTripsInChunks(t *testing.T) {
	all := newOffices(t)
	for _, loses := range []bool{false, true} {
		cloud := upstream.Nextcloud(t, "")
		cloud.LoseLocks(loses)
		h := newHouse(t, all, cloud.Profile, func(h *house) {
			h.server, h.address, h.quiet, h.blind = cloud.Server, cloud.Base, true, true
		})
		s, _ := h.began("a.docx", wopi.Microsoft)
		h.mustSave(s, "one")
		h.forgetLines(4)
		h.mustSave(s, "two")
		most := 5
		if loses {
			most++
		}
		if l := h.forgetLines(1)[0]; l.Operation != wopi.OpPutFile || l.Trips > most {
			t.Errorf("%s costs %d requests, at most %d are allowed", l.Operation, l.Trips, most)
		}
	}
}

// TestMayOnlyRead: a share that the cloud says may only be read is offered for reading.
func TestMayOnlyRead(t *testing.T) {
	eachCloud(t, func(t *testing.T, h *house, cloud *upstream.Cloud) {
		for name, may := range map[string]bool{"mine.docx": true, "theirs.docx": false} {
			h.server.Write(t, name, before)
			if !may {
				cloud.Allow(name, "SG")
			}
			a, err := h.open(h.at("/"+name), wopi.Collabora, anna).CheckFileInfo(t.Context())
			h.must(err)
			var info wopi.CheckFileInfo
			h.must(a.JSON(&info))
			if info.UserCanWrite != may || info.ReadOnly == may || info.UserCanRename != may {
				t.Errorf("%s: UserCanWrite %v, ReadOnly %v, UserCanRename %v", name, info.UserCanWrite, info.ReadOnly, info.UserCanRename)
			}
		}
	})
}
