package davbackend_test

import (
	"errors"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestTrash: Nextcloud's developer manual, "Trashbin".
func TestTrash(t *testing.T) {
	cloud := upstream.Nextcloud(t, "/cloud")
	v, ctx := cloud.View(t), t.Context()
	if has, err := v.HasTrash(ctx); err != nil || has {
		t.Errorf("switched off: %v, %v", has, err)
	}
	cloud.HaveTrash()
	if has, err := v.HasTrash(ctx); err != nil || !has {
		t.Fatalf("switched on: %v, %v", has, err)
	}
	for name, body := range map[string]string{"team/ä & b.txt": "one", "team/deep/c.txt": "two", "d.txt": "three"} {
		cloud.Write(t, name, body)
	}
	ids := make(map[dav.Path]string)
	remove := func(p dav.Path) {
		t.Helper()
		res, err := v.Stat(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		ids[p] = res.NativeID
		if err := v.Delete(ctx, p, davbackend.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	back := func(p, want dav.Path) {
		t.Helper()
		got, err := v.Untrash(ctx, ids[p])
		if err != nil || got != want {
			t.Fatalf("%s came back at %q (%v), want %q", p, got, err, want)
		}
		if res, err := v.Stat(ctx, want); err != nil || res.NativeID != ids[p] {
			t.Errorf("%s: %q, %v, was %q", want, res.NativeID, err, ids[p])
		}
	}
	remove("/team/ä & b.txt")
	remove("/team/deep")
	back("/team/deep", "/team/deep")
	back("/team/ä & b.txt", "/team/ä & b.txt")
	if _, err := v.Stat(ctx, "/team/deep/c.txt"); err != nil {
		t.Error(err)
	}
	remove("/d.txt")
	cloud.Write(t, "d.txt", "another")
	back("/d.txt", "/d (restored).txt")
	for name, id := range map[string]string{"what is back": ids["/d.txt"], "nothing": "00000999oc1testcloud", "no ID": "", "not a number": "storage$x!y"} {
		if _, err := v.Untrash(ctx, id); !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Elsewhere there is no trash, and nobody is asked for one.
func TestNoTrashElsewhere(t *testing.T) {
	for name, s := range map[string]*upstream.Server{"strict": upstream.Strict(t), "opencloud": upstream.OpenCloud(t, "").Server} {
		v := s.View(t)
		if _, err := v.Stat(t.Context(), "/"); err != nil {
			t.Fatal(err)
		}
		s.Forget()
		if has, err := v.HasTrash(t.Context()); err != nil || has {
			t.Errorf("%s: %v, %v", name, has, err)
		}
		if _, err := v.Untrash(t.Context(), "00000042oc1testcloud"); err == nil {
			t.Errorf("%s: got something back", name)
		}
		if name == "strict" && s.Count("PROPFIND") != 0 {
			t.Errorf("%s was asked", name)
		}
	}
}
