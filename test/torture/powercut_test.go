package torture

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge"
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

// A promise is what an answer of the daemon has said.
type promise struct {
	request string // X-Request-Id of the answer
	what    string // "save", "lock", "unlock", "rename", "ID"
	client  *office.Client
	id      string // of the file
	value   string // version, lock ID, name

	at int // line of the log at which the answer went out
}

// A tale is a recorded run: what was promised, and what the daemon did for it.
type tale struct {
	t        *testing.T
	d        *daemon.Daemon
	yaml     string
	promises []*promise
	from     map[string][]string // versions, as in the ledger
	calls    []call
	roots    []string
	begin    int    // line from which on the power may fail
	outside  string // folder of an upstream that has power of its own; "" there is none
	starts   int
}

// record starts a daemon whose calls are recorded, and ends it without power after
// act.
func record(t *testing.T, yaml, outside string, act func(*tale)) *tale {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	under := recorder(t, log)
	if out, err := exec.Command(under[0], "-qq", "-e", "trace=none", "true").CombinedOutput(); err != nil {
		t.Skipf("tracing is not permitted here: %v %s", err, out)
	}
	k := &tale{t: t, yaml: yaml, outside: outside, from: map[string][]string{}, roots: []string{filepath.Join(dir, "state"), filepath.Join(dir, "documents")}}
	if err := os.Mkdir(k.roots[1], 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		k.document(fmt.Sprintf("d%d%s", i, extensions[i]))
	}
	k.d = daemon.StartWith(t, yaml, daemon.Options{State: k.roots[0], Dir: k.roots[1], Under: under})
	act(k)
	k.d.Invite("nobody") // the last answer that counts is in the log before it is cut off
	k.d.Kill()
	for end := time.Now().Add(time.Minute); running(log); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the recorder does not end")
		}
	}
	k.calls = readCalls(t, log)
	k.find()
	return k
}

// running reports whether a process has a text in its command line.
func running(text string) bool {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(all, func(file string) bool {
		line, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(line), text) // else it has just ended
	})
}

// document makes one before the daemon begins.
func (k *tale) document(name string) {
	k.t.Helper()
	folder := k.roots[1]
	if k.outside != "" {
		folder = k.outside
	}
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, contents(name+"/0", 500), 0o666); err != nil {
		k.t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil { // Apache is somebody else
		k.t.Fatal(err)
	}
}

// keep notes what an answer of 200 has said.
func (k *tale) keep(what string, c *office.Client, value string, a office.Answer, err error) {
	k.t.Helper()
	if err != nil || a.Status != 200 {
		k.t.Fatalf("%s: %s %v", what, a, err)
	}
	k.promises = append(k.promises, &promise{
		request: a.Header.Get("X-Request-Id"), what: what, client: c, id: path.Base(strings.Split(c.WOPISrc, "?")[0]), value: value,
	})
}

// find looks for the answers in the log.
func (k *tale) find() {
	k.t.Helper()
	missing := map[string]*promise{}
	for _, p := range k.promises {
		missing[p.request] = p
	}
	for _, c := range k.calls {
		if c.name != "write" || !strings.HasPrefix(c.args[0], "socket:") {
			continue
		}
		_, rest, ok := strings.Cut(c.args[1], "X-Request-Id: ")
		if !ok {
			continue
		}
		id, _, _ := strings.Cut(rest, "\r\n")
		if p := missing[id]; p != nil {
			p.at = c.end
			delete(missing, id)
		}
	}
	if len(missing) > 0 {
		for _, p := range missing {
			k.t.Errorf("the answer about %s %s is not in the log", p.what, p.value)
		}
	}
}

// fail plays the run up to a line of the log, without the fsyncs that forget names,
// takes the power away, starts the daemon on what is left and says what is missing.
func (k *tale) fail(at int, forget func(string) bool, dice *rand.Rand) (missing []string) {
	k.t.Helper()
	disk := k.replay(at, forget)
	into := k.t.TempDir()
	how := dice.IntN(3) // everything else is lost, or some of it, or very little
	disk.cut(k.t, into, func() bool { return how > 0 && dice.IntN(4) < how })
	return k.missing(at, into)
}

// replay plays the calls up to a line of the log.
func (k *tale) replay(at int, forget func(string) bool) *disk {
	k.t.Helper()
	d := newDisk(k.roots, forget)
	// The folders are there from the beginning, with the documents, and durable.
	for _, r := range k.roots[1:] {
		d.files[r], d.durable[r] = &inode{dir: true}, &inode{dir: true}
		for i := range 4 {
			name := fmt.Sprintf("d%d%s", i, extensions[i])
			if k.outside == "" {
				n := &inode{bytes: contents(name+"/0", 500), left: contents(name+"/0", 500)}
				d.files[filepath.Join(r, name)], d.durable[filepath.Join(r, name)] = n, n
			}
		}
	}
	for _, c := range k.calls {
		if c.end > at {
			break
		}
		d.play(k.t, c)
	}
	return d
}

// missing starts the daemon on the folders that the power cut has left.
func (k *tale) missing(at int, into string) (missing []string) {
	k.t.Helper()
	k.starts++
	d := daemon.StartWith(k.t, k.yaml, daemon.Options{State: filepath.Join(into, "state"), Dir: filepath.Join(into, "documents"), MayFail: true})
	if d == nil {
		return []string{"everything: the daemon does not start"}
	}
	defer d.Kill()
	folders := []string{d.Dir}
	if k.outside != "" {
		folders = []string{k.outside}
	}
	var r ruling
	there := map[string]bool{}
	for _, f := range folders {
		if err := r.search(f, there); err != nil {
			k.t.Fatal(err)
		}
	}
	if err := r.journal(k.t.Context(), filepath.Join(d.State, "admin.sock"), there); err != nil {
		k.t.Fatal(err)
	}
	if k.outside == "" && len(r.Damaged) > 0 {
		missing = append(missing, fmt.Sprintf("damaged %v", r.Damaged))
	}
	kept := keptBy(there, k.from)
	for i, p := range k.promises {
		if p.at > at {
			break
		}
		if !k.kept(d, i, kept, at) {
			missing = append(missing, fmt.Sprintf("%s %s of %s", p.what, p.value, p.id))
		}
	}
	return missing
}

// kept reports whether the i-th promise holds, or was taken back since. The promises
// are in the order of their answers, and each request came after the answer before it.
func (k *tale) kept(d *daemon.Daemon, i int, kept map[string]bool, at int) bool {
	k.t.Helper()
	p := k.promises[i]
	for j, later := range k.promises[i+1:] {
		begun := at > k.promises[i+j].at // the one before it was answered
		if begun && later.id == p.id && (p.what == later.what || p.what == "lock" && later.what == "unlock") && p.what != "save" {
			return true
		}
	}
	switch p.what {
	case "save":
		return kept[p.value]
	case "rename":
		_, err := os.Stat(filepath.Join(d.Dir, p.value))
		return err == nil
	case "ID":
		out, err := d.Run("ids", p.id)
		return err == nil && strings.Contains(out, p.id)
	case "lock":
		var list []struct{ File, State string }
		if err := bridge.Ask(k.t.Context(), filepath.Join(d.State, "admin.sock"), "locks", struct{}{}, &list); err != nil {
			return false
		}
		return slices.ContainsFunc(list, func(l struct{ File, State string }) bool { return l.File == p.id })
	case "waiting": // the token, the lock and the bytes, while the upstream is still away
		return k.readable(d, p, kept)
	}
	return true
}

// readable asks as the office does that has the document open.
func (k *tale) readable(d *daemon.Daemon, p *promise, kept map[string]bool) bool {
	k.t.Helper()
	c := *p.client
	own, err := url.Parse(c.WOPISrc)
	if err != nil {
		k.t.Fatal(err)
	}
	now, err := url.Parse(d.URL)
	if err != nil {
		k.t.Fatal(err)
	}
	own.Host = now.Host
	c.WOPISrc = own.String()
	ctx := k.t.Context()
	locked, err := c.GetLock(ctx)
	if lock, _ := locked.Lock(); err != nil || lock != p.client.LockID {
		return false
	}
	got, err := c.GetFile(ctx, -1)
	if err != nil || got.Status != 200 {
		return false
	}
	version, whole := versionOf(got.Body)
	return whole && keptBy(map[string]bool{version: true}, k.from)[p.value]
}

// TestPowerCut lets the power fail at many moments of two runs: over the embedded
// server, and while saves wait for a real Apache that is dead and stays so. No
// acknowledged save, ID, lock or rename is missing. Then each fsync that the daemon
// does is left out, and something is.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
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
	cuts := number(t, "DAVWOPI_TEST_POWER_CUTS", 12)
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
