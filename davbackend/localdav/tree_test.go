//go:build linux

package localdav

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMkcol(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "MKCOL", "/d", "")
		h.want(405, "MKCOL", "/d", "")
		h.want(405, "MKCOL", "/d/", "")
		h.want(405, "MKCOL", "/", "")
		h.want(201, "MKCOL", "/d/e/", "")
		h.want(409, "MKCOL", "/none/d", "")
		h.want(201, "PUT", "/f", "x")
		h.want(405, "MKCOL", "/f", "")
		h.want(409, "MKCOL", "/f/d", "")
		h.want(415, "MKCOL", "/g", "<x/>")
		h.absent("g")
		if got := h.names("."); !slices.Equal(got, []string{"d", "f"}) {
			t.Error(got)
		}
	})
}

func TestDelete(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(404, "DELETE", "/f", "")
		h.want(201, "PUT", "/f", "x")
		h.want(204, "DELETE", "/f", "")
		h.absent("f")
		must(t, os.MkdirAll(h.disk("d/e/f"), 0o755))
		for i := range 3 * batch {
			h.write(fmt.Sprintf("d/e/%d", i), "x")
		}
		h.want(201, "PUT", "/d/ours", "x")
		h.want(207, "PROPPATCH", "/d/ours", setProperty("n", "p", "1"))
		h.want(400, "DELETE", "/d", "", "Depth: 0")
		h.want(204, "DELETE", "/d/", "")
		if got := h.names("."); len(got) != 0 {
			t.Error(got)
		}
		for _, table := range []string{"localdav_binding", "localdav_property"} {
			if n := h.count(`SELECT COUNT(*) FROM ` + table); n != 0 {
				t.Error(table, "has rows of what is gone", n)
			}
		}
	})
}

// A program that runs as root may remove anything: the disk itself has to refuse.
func TestDeleteComesBack(t *testing.T) {
	h := newHouse(t)
	must(t, os.MkdirAll(h.disk("d/e"), 0o755))
	h.write("d/e/stays", "x")
	h.write("d/goes", "x")
	if err := setImmutable(h.disk("d/e"), true); err != nil {
		t.Skip("chattr +i is not allowed")
	}
	t.Cleanup(func() { must(t, setImmutable(h.disk("d/e"), false)) })
	a := h.want(207, "DELETE", "/d", "")
	if !strings.Contains(a.body, "<D:href>/d/e/stays</D:href>") || !strings.Contains(a.body, "403") {
		t.Error(a.body)
	}
	if h.read("d/e/stays") != "x" || len(h.names(".")) != 1 {
		t.Error(h.names("."))
	}
}

func TestCopyAndMoveOfFolders(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		reset := func() {
			for _, name := range h.names(".") {
				must(t, os.RemoveAll(h.disk(name)))
			}
			must(t, os.MkdirAll(h.disk("d/e/empty"), 0o755))
			h.write("d/f", "f")
			h.write("d/e/g", "g")
			must(t, os.MkdirAll(h.disk("old/sub"), 0o755))
			h.write("old/x", "x")
			h.write("file", "file")
		}
		whole := func(name string) {
			t.Helper()
			if h.read(name+"/f") != "f" || h.read(name+"/e/g") != "g" || len(h.names(name+"/e")) != 2 || len(h.names(name)) != 2 {
				t.Error(name)
			}
			for _, n := range h.names(".") {
				if hiddenName(n) {
					t.Error(n)
				}
			}
		}
		for _, c := range []struct {
			to     string
			status int
		}{{"/new", 201}, {"/old", 204}, {"/file", 204}} {
			reset()
			h.want(c.status, "COPY", "/d", "", "Destination: URL"+c.to)
			whole("d")
			whole(c.to[1:])
			reset()
			id := h.id("/d")
			h.want(c.status, "MOVE", "/d", "", "Destination: URL"+c.to)
			h.absent("d")
			whole(c.to[1:])
			if h.id(c.to) != id {
				t.Error("a moved folder has another id")
			}
		}
		reset()
		for _, method := range []string{"COPY", "MOVE"} {
			h.want(412, method, "/d", "", "Destination: URL/old", "Overwrite: F")
			h.want(412, method, "/file", "", "Destination: URL/old", "Overwrite: F")
			h.want(403, method, "/d", "", "Destination: URL/d/e/in")
			h.want(403, method, "/d/e", "", "Destination: URL/d")
			h.want(403, method, "/d", "", "Destination: URL/d/")
			h.want(409, method, "/d", "", "Destination: URL/none/d")
		}
		h.want(204, "COPY", "/file", "", "Destination: URL/old")
		if h.read("old") != "file" {
			t.Error("a file over a folder")
		}
		reset()
		h.want(204, "MOVE", "/file", "", "Destination: URL/old")
		if h.read("old") != "file" {
			t.Error("a file over a folder")
		}
		reset()
		h.want(201, "COPY", "/d", "", "Destination: URL/flat", "Depth: 0")
		if len(h.names("flat")) != 0 {
			t.Error(h.names("flat"))
		}
		h.want(201, "MOVE", "/d/f", "", "Destination: URL/old/f")
		h.want(404, "MOVE", "/d/f", "", "Destination: URL/old/f")
	})
}

func TestCopyFollowsLinksOnce(t *testing.T) {
	h := newHouse(t)
	must(t, os.MkdirAll(h.disk("d/e"), 0o755))
	h.write("f", "f")
	must(t, os.Symlink("../f", h.disk("d/link")))
	must(t, os.Symlink("none", h.disk("d/dangling")))
	h.want(201, "COPY", "/d", "", "Destination: URL/c")
	if fi, err := os.Lstat(h.disk("c/link")); err != nil || !fi.Mode().IsRegular() || h.read("c/link") != "f" {
		t.Error("a link is copied as what it shows", err)
	}
	must(t, os.Symlink("..", h.disk("d/e/up")))
	h.want(508, "COPY", "/d", "", "Destination: URL/loop")
	h.absent("loop")
	if got := h.names("."); !slices.Equal(got, []string{"c", "d", "f"}) {
		t.Error(got)
	}
}

// File systems without RENAME_EXCHANGE and RENAME_NOREPLACE.
func TestSwapWithoutExchange(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	must(t, os.MkdirAll(h.disk("old/sub"), 0o755))
	g, err := h.s.stageFolder(ctx, ".")
	must(t, err)
	in := installation{staged: g.rel, to: place{"/old", "old", "old"}}
	must(t, h.s.swapWithout(in, false))
	if len(h.names("old")) != 0 || len(h.names(g.rel)) != 1 || len(h.names(".")) != 2 {
		t.Error(h.names("."))
	}
	h.s.discard(ctx, g)
	h.write("f", "old")
	h.write("g", "new")
	must(t, h.s.swapWithout(installation{staged: "g", to: place{"/f", "f", "f"}}, true))
	if h.read("f") != "new" {
		t.Error(h.read("f"))
	}
}
