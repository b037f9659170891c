package torture

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// program finds an executable, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("needs " + name)
	}
	return path
}

// TestPowerCut lets the power fail at many moments of two runs: over the embedded
// server, and while saves wait for a real Apache that is dead and stays so. No
// acknowledged save, ID, lock or rename is missing. Then each fsync that the daemon
// does is left out, and something is.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	t.Parallel()
	seed := uint64(number(t, "DAVWOPI_TEST_TORTURE_SEED", int(time.Now().UnixNano()%1_000_000)))
	t.Logf("DAVWOPI_TEST_TORTURE_SEED=%d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	tales := []*tale{overEmbedded(t)}
	tales[0].powerCuts(t, dice)
	tales = append(tales, inAnOutage(t))
	tales[1].powerCuts(t, dice)
	withoutFsyncs(t, dice, tales...)
	for _, k := range tales {
		t.Logf("the daemon was started %d times on what a power cut had left", k.starts)
	}
}

func overEmbedded(t *testing.T) *tale {
	t.Helper()
	return record(t, "", "", func(k *tale) {
		k.begin = 1
		clients := make([]*office.Client, 4)
		for i, ext := range extensions {
			o := k.d.Open("-editor", "none", fmt.Sprintf("/d%d%s", i, ext))
			clients[i] = &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken}
			a, err := clients[i].CheckFileInfo(t.Context())
			k.keep("ID", clients[i], "", a, err)
		}
		for i, c := range clients {
			k.edit(t.Context(), c, fmt.Sprintf("d%d", i), i)
		}
	})
}

// edit is what one person does with one document.
func (k *tale) edit(ctx context.Context, c *office.Client, name string, n int) {
	k.t.Helper()
	lock := "lock of " + name
	a, err := c.Lock(ctx, lock)
	k.keep("lock", c, lock, a, err)
	last := name + extensions[n] + "/0"
	for round := range 4 {
		id := fmt.Sprintf("%s/%d", name, round+1)
		k.from[id], last = []string{last}, id
		a, err = c.PutFile(ctx, lock, contents(id, 300+3000*round), nil)
		k.keep("save", c, id, a, err)
		if round == 1 {
			a, err = c.RenameFile(ctx, lock, name+"-renamed", nil)
			k.keep("rename", c, name+"-renamed"+extensions[n], a, err)
		}
	}
	copied := name + "/copy"
	k.from[copied] = []string{last}
	a, err = c.PutRelativeSuggested(ctx, "copy of "+name+extensions[n], contents(copied, 700))
	k.keep("save", c, copied, a, err)
	if n%2 == 0 {
		a, err = c.Unlock(ctx, lock)
		k.keep("unlock", c, lock, a, err)
	}
}

// inAnOutage is a run in which saves wait.
func inAnOutage(t *testing.T) *tale {
	t.Helper()
	daemon.NeedsDisk(t)
	apache := upstream.Apache(t)
	cool := office.NewEditor(t, wopi.Collabora, true, "odt")
	only := office.NewEditor(t, wopi.OnlyOffice, true, "docx")
	yaml := fmt.Sprintf("upstream: {url: %q, user: %q, password: %q}\nsign_in: {kind: link}\neditors: [%q, %q]\nsaves: {patience: 1s}\n",
		apache.URL, apache.User, apache.Password, cool.URL, only.URL)
	k := record(t, yaml, apache.Dir, func(k *tale) {
		var sessions []*office.Session
		for i, e := range []*office.Editor{cool, only} {
			o := k.d.Open(fmt.Sprintf("/d%d%s", i, extensions[i]))
			c := e.Client(o.WOPISrc, o.AccessToken)
			c.LockID = fmt.Sprintf("lock of d%d", i)
			s, err := c.Open(t.Context())
			if err != nil || s.ReadOnly {
				t.Fatalf("%v", err)
			}
			sessions = append(sessions, s)
		}
		apache.Program.Kill()
		last := map[int]string{0: "d0.odt/0", 1: "d1.docx/0"}
		for round := range 4 {
			for i, s := range sessions {
				id := fmt.Sprintf("d%d/%d", i, round+1)
				k.from[id], last[i] = []string{last[i]}, id
				a, err := s.Save(t.Context(), contents(id, 1000+5000*round), false)
				k.keep("waiting", s.Client, id, a, err)
			}
		}
	})
	k.begin = k.promises[0].at + 1
	return k
}

// powerCuts lets the power fail at many moments of a recording.
func (k *tale) powerCuts(t *testing.T, dice *rand.Rand) {
	t.Helper()
	last := k.calls[len(k.calls)-1].end
	whole := k.replay(last, nil)
	whole.wantAsOnDisk(t)
	cuts := number(t, "DAVWOPI_TEST_POWER_CUTS", 8)
	for n := range cuts {
		at := k.promises[dice.IntN(len(k.promises))].at // right after an answer
		if n%2 == 1 {
			at = k.begin + dice.IntN(last-k.begin)
		}
		if missing := k.fail(at, nil, dice); len(missing) > 0 {
			t.Errorf("the power failed at line %d of %d: missing %v", at, last, missing)
		}
	}
	t.Logf("%d power cuts in a run with %d promises; fsyncs: %v", cuts, len(k.promises), whole.synced)
}

// unneeded are the fsyncs without which nothing that was promised can be missing.
var unneeded = map[string]string{
	"state/state.db-journal": "SQLite's journal while it makes the database, before anything is promised",
}

// withoutFsyncs leaves out the fsyncs of one kind of file after another: something
// must be missing then, in one of the recordings.
func withoutFsyncs(t *testing.T, dice *rand.Rand, tales ...*tale) {
	t.Helper()
	kinds := map[string]bool{}
	for _, k := range tales {
		for c := range k.replay(k.calls[len(k.calls)-1].end, nil).synced {
			kinds[c] = true
		}
	}
	for _, c := range slices.Sorted(maps.Keys(kinds)) {
		said := ""
		for try := 0; try < 8 && said == ""; try++ {
			for _, k := range tales {
				if said == "" {
					said = k.without(c, try, dice)
				}
			}
		}
		switch why := unneeded[c]; {
		case said == "" && why == "":
			t.Errorf("without the fsync of %s nothing is ever missing: it is not needed, or this test proves nothing", c)
		case said != "":
			t.Logf("without the fsync of %s is missing: %.200s", c, said)
		}
	}
}

// without leaves out the fsyncs of a kind and says what is missing then; "" nothing.
func (k *tale) without(c string, try int, dice *rand.Rand) string {
	k.t.Helper()
	forget := func(path string) bool { return class(k.roots, path) == c }
	at := k.promises[len(k.promises)-1].at
	if try > 0 {
		at = k.promises[dice.IntN(len(k.promises))].at
	}
	return strings.Join(k.fail(at, forget, dice), ", ")
}
