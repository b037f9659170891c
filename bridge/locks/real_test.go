package locks

import (
	"context"
	"errors"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// TestRealServers goes through an editing on each server that is installed.
func TestRealServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"Apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			h := houseOn(t, sqldbtest.New(t), start(t))
			ctx := context.Background()
			f := h.file("a.docx", "hello")
			ok(t, h.Lock(ctx, h.target(f), anna, "A"))
			hasLock := h.row(f).token != ""
			if !hasLock {
				t.Logf("%s has no LOCK", name)
			}
			is409(t, h.Lock(ctx, h.target(f), ben, "B"), "A")
			stranger := func(p dav.Path) error {
				return h.view().Put(ctx, p, davbackend.Body{Open: bytesOf("x"), Size: 1}, davbackend.Condition{})
			}
			if err := stranger("/a.docx"); hasLock && !errors.Is(err, dav.ErrLocked) {
				t.Errorf("a stranger's PUT: %v", err)
			}
			if hasLock {
				_, err := h.save(f, anna, id("A"), "edited")
				ok(t, err)
			}
			h.clock.forward(20 * time.Minute)
			h.tend() // a refresh that the server takes
			ok(t, h.Refresh(ctx, h.target(f), anna, "A"))
			if r := h.row(f); r.lost {
				t.Errorf("row %+v; heard %q", r, h.told.all())
			}
			_, err := h.Move(ctx, h.target(f), anna, id("A"), "/b.docx")
			ok(t, err)
			if r := h.row(f); r.lost || r.path != "/b.docx" {
				t.Errorf("row %+v; heard %q", r, h.told.all())
			}
			if err := stranger("/b.docx"); hasLock && !errors.Is(err, dav.ErrLocked) {
				t.Errorf("a stranger's PUT after the rename: %v", err)
			}
			ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
			ok(t, stranger("/b.docx")) // nothing is left
			if hasLock {
				token := h.foreign("/b.docx", "Zoe")
				is409(t, h.Lock(ctx, h.target(f), anna, "A"), "")
				ok(t, h.view().Unlock(ctx, "/b.docx", token))
			}
			ok(t, h.Delete(ctx, h.target(f), anna))
			if problems := h.told.all(); len(problems) != 0 {
				t.Errorf("heard %q", problems)
			}
			h.vanished(t)
		})
	}
}

// vanished: a LOCK of what was renamed behind our back leaves nothing.
func (h *house) vanished(t *testing.T) {
	f := h.file("c.docx", "hello")
	target := h.target(f)
	h.gone(t, "d.docx", target)
	err := h.Lock(context.Background(), target, anna, "A")
	if !errors.Is(err, dav.ErrNotFound) && h.row(f).token != "" {
		t.Errorf("%v, want not found", err)
	}
	if _, there := h.server.Read(t, "c.docx"); there {
		t.Error("LOCK's empty file stays")
	}
}
