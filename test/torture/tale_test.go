package torture

import (
	"fmt"
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
	"davwopi/test/daemon"
	"davwopi/test/office"
)

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
	if err := r.journal(k.t.Context(), filepath.Join(d.State, "admin.sock"), there, saveLine.keepsNow); err != nil {
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
