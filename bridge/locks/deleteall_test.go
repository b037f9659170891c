package locks

import (
	"context"
	"errors"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// A container goes with all that is in it, and so do the IDs.
func TestDeleteAll(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"strict": upstream.Strict, "Apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			h := houseOn(t, sqldbtest.New(t), start(t))
			ctx := context.Background()
			a := h.folder("/a")
			deep := h.folder("/a/deep")
			f := h.file("a/deep/x.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
			ok(t, h.DeleteAll(ctx, h.target(a), anna))
			for _, id := range []idmap.FileID{a, deep, f} {
				if _, err := h.ids.Known(ctx, h.space, id); !errors.Is(err, idmap.ErrNotFound) {
					t.Errorf("%s is known: %v", id, err)
				}
			}
			if _, err := h.view().Stat(ctx, "/a"); !errors.Is(err, dav.ErrNotFound) {
				t.Errorf("upstream: %v", err)
			}
			if h.count("locks_intent") != 0 {
				t.Errorf("%d intents", h.count("locks_intent"))
			}
		})
	}
}

// What is open below, by whomever, keeps the container; so does a waiting save, and a
// document that a desktop program has open.
func TestDeleteAllIsRefusedWhileSomethingIsOpen(t *testing.T) {
	ctx := context.Background()
	for name, hold := range map[string]func(h *house, f idmap.FileID){
		"somebody else's lock": func(h *house, f idmap.FileID) { ok(t, h.Lock(ctx, h.target(f), ben, "B")) },
		"one's own lock":       func(h *house, f idmap.FileID) { ok(t, h.Lock(ctx, h.target(f), anna, "A")) },
		"a waiting save": func(h *house, f idmap.FileID) {
			ok(t, h.db.Write(ctx, func(tx sqldb.Queryer) error { return h.Pin(ctx, tx, f, docs, h.clock.read()) }))
		},
		"LibreOffice": func(h *house, _ idmap.FileID) { h.server.Write(t, "a/deep/.~lock.Report.docx#", ",Ben,b,pc,;") },
		"Word":        func(h *house, _ idmap.FileID) { h.server.Write(t, "a/deep/~$Report.docx", "\x03Ben") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.Respect = true
			a := h.folder("/a")
			h.folder("/a/deep")
			f := h.file("a/deep/Report.docx", "hello")
			beside := h.folder("/b")
			hold(h, f)
			h.server.Forget()
			m := is409(t, h.DeleteAll(ctx, h.target(a), anna), "")
			if name == "LibreOffice" && (m.Holder != "Ben" || m.File != "Report.docx") {
				t.Errorf("%+v", m)
			}
			if n := h.server.Count("DELETE"); n != 0 {
				t.Errorf("%d DELETE", n)
			}
			h.knownAt(f, "/a/deep/Report.docx")
			ok(t, h.DeleteAll(ctx, h.target(beside), anna))
		})
	}
}

// A lock file without its document, and an old one, hold up nobody.
func TestDeleteAllOverLockFilesOfNobody(t *testing.T) {
	h := newHouse(t)
	h.Respect = true
	a := h.folder("/a")
	h.file("a/Report.docx", "hello")
	h.server.Write(t, "a/.~lock.Gone.docx#", ",Ben,b,pc,;")
	ok(t, h.DeleteAll(context.Background(), h.target(a), anna))
}

// Making keeps the container where it is, and Mkcol makes nothing over anything.
func TestMakingInAContainer(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a := h.folder("/a")
	h.file("a/taken", "hello")
	target := h.target(a)
	err := h.Making(ctx, target, h.k.patience, func() error {
		made, err := h.Mkcol(ctx, target, "new")
		if err != nil {
			return err
		}
		h.knownAt(made.File.ID, "/a/new")
		h.k.patience = 0
		if _, err := h.MoveContainer(ctx, target, ben, "/c"); !errors.Is(err, ErrBusy) {
			t.Errorf("moved meanwhile: %v", err)
		}
		for _, name := range []string{"new", "taken"} {
			if _, err := h.Mkcol(ctx, target, name); !errors.Is(err, dav.ErrExists) {
				t.Errorf("over %s: %v", name, err)
			}
		}
		if _, err := h.Mkcol(ctx, target, "x/y"); !errors.Is(err, dav.ErrBadPath) {
			t.Errorf("a path: %v", err)
		}
		return nil
	})
	ok(t, err)
	_, err = h.MoveContainer(ctx, target, ben, "/c")
	ok(t, err)
	if err := h.Making(ctx, target, h.k.patience, func() error { t.Error("made"); return nil }); !errors.Is(err, ErrBusy) {
		t.Errorf("in a container that was moved: %v", err)
	}
}
