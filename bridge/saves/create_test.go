package saves

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

func TestCreate(t *testing.T) {
	eachStrategy(t, func(t *testing.T, g *rig) {
		place := Place{Space: g.space, Upstream: "main", View: g.view, Folder: dav.Root}
		names := func(all ...string) func(int) (string, bool) {
			return func(n int) (string, bool) {
				if n >= len(all) {
					return "", false
				}
				return all[n], true
			}
		}
		make := func(body string, all ...string) (idmap.Entry, error) {
			return g.saves.Create(t.Context(), place, names(all...), strings.NewReader(body), int64(len(body)))
		}
		e, err := make("one", "a.txt")
		if err != nil || e.Name != "a.txt" || e.Revision.Size != 3 || !g.same("a.txt", e) {
			t.Errorf("made %+v, %v", e, err)
		}
		g.wantOn("a.txt", "one")
		if _, err := make("two", "a.txt"); !errors.Is(err, dav.ErrExists) {
			t.Errorf("the name is taken: %v", err)
		}
		e, err = make("three", "a.txt", "a (1).txt")
		if err != nil || e.Name != "a (1).txt" {
			t.Errorf("made %+v, %v", e, err)
		}
		g.wantOn("a.txt", "one")
		g.wantNoTemps()
		for _, bad := range []string{"", "..", "a/b", "a\\b", "a\x00"} {
			if _, err := make("x", bad); !errors.Is(err, dav.ErrBadPath) {
				t.Errorf("the name %q: %v", bad, err)
			}
		}
		if _, err := g.saves.Create(t.Context(), place, names("short"), strings.NewReader("ab"), 3); !errors.Is(err, dav.ErrIncomplete) {
			t.Errorf("a short body: %v", err)
		}
		createFails(t, g, make)
	})
}

func createFails(t *testing.T, g *rig, make func(body string, names ...string) (idmap.Entry, error)) {
	for _, f := range []upstream.Fault{
		{Method: "PUT", LoseAnswer: true, Times: 1},
		{Method: "MOVE", LoseAnswer: true, Times: 1},
		{Method: "PUT", Truncate: true, After: 1, Times: 1},
		{Method: "MOVE", Status: 502, Times: 1},
	} {
		name := "new" + f.Method + "x"
		_ = os.Remove(filepath.Join(g.server.Dir, name))
		g.server.Quirks.Fail(f)
		if _, err := make("four", name, "a second "+name); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
		g.wantOn(name, "four")
		if _, twice := g.on("a second " + name); twice {
			t.Errorf("%+v: made twice", f)
		}
	}
	g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Status: 507, Times: 1})
	_, err := make("five", "b.txt")
	if k := keptEntry(t, err); !errors.Is(k, dav.ErrFull) {
		t.Errorf("507: %v", err)
	}
	g.somewhere("five")
	g.wantNoTemps()
}

// same reports whether the file called name is e.
func (g *rig) same(name string, e idmap.Entry) bool {
	g.t.Helper()
	now := g.target(name).File
	return now.ID == e.ID && now.Revision.Number == e.Revision.Number
}

func TestCreateDies(t *testing.T) {
	for _, step := range []string{"spooled", "journaled", "temp journaled", "temp sent", "move journaled", "move sent", "landed"} {
		t.Run(step, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Unknown)
			g.die(step)
			_, err := g.saves.Create(t.Context(), Place{Space: g.space, Upstream: "main", View: g.view, Folder: dav.Root},
				func(n int) (string, bool) { return "a.txt", n == 0 }, strings.NewReader("made"), 4)
			if !errors.Is(err, errCrash) {
				t.Fatalf("it lived: %v", err)
			}
			g.restart()
			g.recover()
			g.somewhere("made")
			g.wantNoTemps()
			if got, there := g.on("a.txt"); there && got != "made" {
				t.Errorf("half a file: %q", got)
			}
		})
	}
}
