package saves

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

func TestStrays(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	o.mustPut("new")
	for name, body := range map[string]string{
		"aaaaaaaaaaaaaaaa.part":                         "half",
		spoolName("bbbbbbbbbbbbbbbb", o.target.File.ID): "whole, without a row",
		spoolName("cccccccccccccccc", o.target.File.ID): "new", // what the file has
		spoolName("dddddddddddddddd", ""):               "of a file that was never made",
	} {
		if err := os.WriteFile(filepath.Join(g.saves.Dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lost := g.inJournal("new")[0]
	g.restart()
	g.recover()
	g.wantState("half")
	g.wantState("whole, without a row", stateUnacknowledged)
	g.wantState("new", stateVerified)
	g.wantState("of a file that was never made", stateUnacknowledged)
	e := g.inJournal("whole, without a row")[0]
	if e.Name != "a.txt" || e.User != "ann" || e.Upstream != "main" || e.Why != Stopped || e.Until.Sub(e.At) != retention {
		t.Errorf("the stray is %+v", e)
	}
	if own, err := g.saves.OwnOf(t.Context(), "ann"); err != nil || len(own.Kept) != 1 || own.Kept[0].ID != e.ID {
		t.Errorf("ann is shown %+v, %v", own.Kept, err)
	}
	if e := g.inJournal("of a file that was never made")[0]; e.User != "" {
		t.Errorf("a file of nobody's is %s's", e.User)
	}
	if parts, _ := filepath.Glob(filepath.Join(g.saves.Dir, "*.part")); len(parts) > 0 {
		t.Errorf("left: %v", parts)
	}
	straysGo(t, g, lost)
}

// TestStrayOfAFirstSave: also the first save of an editing is found again by its person,
// and can be put beside its document; one of a document that nobody has open is nobody's.
func TestStrayOfAFirstSave(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "old")
	g.server.Write(t, "b.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	closed := g.target("b.txt")
	g.die("spooled")
	if _, err := o.put("the save"); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	name := spoolName("bbbbbbbbbbbbbbbb", closed.File.ID)
	if err := os.WriteFile(filepath.Join(g.saves.Dir, name), []byte("nobody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.restart()
	g.recover()
	own, err := g.saves.OwnOf(t.Context(), "ann")
	if err != nil || len(own.Kept) != 1 || own.Kept[0].Name != "a.txt" {
		t.Fatalf("ann is shown %+v, %v", own.Kept, err)
	}
	to, err := g.saves.PlaceOf(t.Context(), own.Kept[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	made, err := g.saves.Restore(t.Context(), own.Kept[0].ID, to)
	if err != nil {
		t.Fatal(err)
	}
	g.wantOn(made.Name, "the save")
	g.wantState("the save", stateVerified) // the copy's own
	if e := g.inJournal("nobody's")[0]; e.User != "" || e.Name != "" {
		t.Errorf("%+v", e)
	}
}

// straysGo: what is lost, dropped or touched is not shown any more.
func straysGo(t *testing.T, g *rig, lost Entry) {
	t.Run("a row without its file goes", func(t *testing.T) {
		r, err := g.saves.entry(t.Context(), lost.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(g.saves.path(r)); err != nil {
			t.Fatal(err)
		}
		g.recover()
		if _, err := g.saves.entry(t.Context(), lost.ID); !errors.Is(err, ErrNoEntry) {
			t.Errorf("the row: %v", err)
		}
	})
	t.Run("a dropped one goes", func(t *testing.T) {
		id := g.inJournal("of a file that was never made")[0].ID
		if err := g.saves.Drop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := g.saves.Drop(t.Context(), id); !errors.Is(err, ErrNoEntry) {
			t.Errorf("twice: %v", err)
		}
		g.wantState("of a file that was never made")
	})
	t.Run("bytes that were touched are not shown", func(t *testing.T) {
		e := g.inJournal("whole, without a row")[0]
		path := filepath.Join(g.saves.Dir, spoolName(e.ID, e.File))
		if err := os.WriteFile(path, []byte("whole, with another"), 0o600); err != nil {
			t.Fatal(err)
		}
		if body, _, err := g.saves.Open(t.Context(), e.ID); err == nil {
			body.Close()
			t.Error("Open gave them")
		}
	})
}
