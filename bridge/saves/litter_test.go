package saves

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// looksBack lets the time pass in which litter is looked for.
func (g *rig) looksBack() {
	g.t.Helper()
	for _, look := range litterLooks {
		g.later(look)
		g.saves.sweep(g.t.Context())
	}
}

// wantNoLitter: nothing is on the server, or left to be looked for.
func (g *rig) wantNoLitter() {
	g.t.Helper()
	g.wantNoTemps()
	var n int
	err := g.saves.DB.Read().QueryRow(g.t.Context(), `SELECT COUNT(*) FROM saves_litter`).Scan(&n)
	if err != nil || n > 0 {
		g.t.Errorf("%d temporary files are looked for, %v", n, err)
	}
}

// TestLateTemp: the process dies while a temporary file is on its way, the next one finds
// nothing to remove, and then it arrives.
func TestLateTemp(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.die("temp journaled")
	if _, err := o.put("the save"); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	g.outside("a.txt", "theirs") // so that nobody sends it again
	temp := ""
	for _, e := range mustList(t, g.saves) {
		temp = tempName(e.ID)
	}
	g.restart()
	g.recover()
	g.wantState("the save", stateUnacknowledged)
	g.server.Write(t, temp, "the save")
	if len(g.temps()) != 1 {
		t.Fatalf("the folder holds %v", g.names())
	}
	g.looksBack()
	g.wantNoLitter()
}

// TestTempThatStays: the server does not answer when a temporary file is to be removed that
// nobody needs any more, for a while or for good.
func TestTempThatStays(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault upstream.Fault
		ends  bool
	}{
		{"for a while", upstream.Fault{Method: "DELETE", Status: http.StatusServiceUnavailable}, true},
		{"for good", upstream.Fault{Method: "DELETE", Status: http.StatusForbidden}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Unknown)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Collabora)
			g.server.Quirks.Fail(c.fault)
			g.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Status: http.StatusMethodNotAllowed})
			o.mustPut("the save")
			g.wantOn("a.txt", "the save")
			if len(g.temps()) != 1 {
				t.Fatalf("the test wants a temporary file to stay: %v", g.names())
			}
			if c.ends {
				g.up()
				g.looksBack()
				g.wantNoLitter()
				return
			}
			for range 10 {
				g.later(litterFor / 8)
				g.saves.sweep(t.Context())
			}
			asked := 0
			for _, r := range g.server.Requests() {
				if r.Method == http.MethodDelete && strings.Contains(r.Path, tempPrefix) {
					asked++
				}
			}
			if asked > 12 {
				t.Errorf("the server was asked %d times", asked)
			}
			g.up()
			g.server.Write(t, g.temps()[0], "")
			g.looksBack()
			if len(g.temps()) != 1 {
				t.Error("it is asked after the time that it is asked for")
			}
		})
	}
}

// TestDiesBeforeItTidies: the save went into place in the end, is written down, and nobody
// removes the temporary file that it was first sent to.
func TestDiesBeforeItTidies(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.server.Quirks.Fail(upstream.Fault{Method: "MOVE", Status: http.StatusMethodNotAllowed})
	g.die("recorded")
	if _, err := o.put("the save"); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if len(g.temps()) != 1 {
		t.Fatalf("the test wants a temporary file to stay: %v", g.names())
	}
	g.restart()
	g.recover()
	g.looksBack()
	g.wantNoLitter()
	g.wantOn("a.txt", "the save")
}

// TestTempTakenUpAgain: a save that is restored is sent by the same temporary file, which is
// no litter then.
func TestTempTakenUpAgain(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Collabora)
	g.die("temp sent")
	if _, err := o.put("the save"); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	r := g.entries(stateDelivering)
	if len(r) != 1 {
		t.Fatalf("%+v", r)
	}
	row, err := g.saves.entry(t.Context(), r[0].ID)
	if err == nil {
		err = g.saves.litter(t.Context(), row, row.temp)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.later(litterLooks[0] + time.Second)
	if err := g.saves.clearLitter(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(g.temps()) != 1 {
		t.Error("it was removed")
	}
	var n int
	if err := g.saves.DB.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM saves_litter`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d are looked for, %v", n, err)
	}
}
