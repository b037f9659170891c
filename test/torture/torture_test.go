package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"davwopi/bridge"
	"davwopi/test/daemon"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(ledgerVariable); socket != "" {
		if err := runLedger(socket, socket+".log"); err != nil {
			fmt.Fprintln(os.Stderr, "ledger:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const ledgerVariable = "DAVWOPI_TEST_TORTURE_LEDGER"

// number reads an environment variable.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestTorture lets people edit documents while the daemon is killed and everything
// around it misbehaves, and lets the ledger judge. In rounds of at most 200 kills.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	t.Parallel()
	daemon.Program(t) // built before anything is measured, and once for all processes
	if os.Getenv(leaveOutVariable) != "" {
		daemon.Faulty(t)
	}
	kills := number(t, "DAVWOPI_TEST_TORTURE_KILLS", 50)
	documents := number(t, "DAVWOPI_TEST_TORTURE_DOCUMENTS", 60)
	uptime := time.Duration(number(t, "DAVWOPI_TEST_TORTURE_UPTIME", 400)) * time.Millisecond
	seed := number(t, "DAVWOPI_TEST_TORTURE_SEED", int(time.Now().UnixNano()%1_000_000))
	without := os.Getenv(leaveOutVariable)
	rounds := (kills + 199) / 200
	for round := range rounds {
		all := kills*(round+1)/rounds - kills*round/rounds
		p := plan{Seed: uint64(seed + round), Files: documents, Uptime: uptime, Without: without}
		t.Run(fmt.Sprintf("round %d", round+1), func(t *testing.T) {
			t.Run("servers", func(t *testing.T) {
				t.Parallel()
				p := p
				p.Storage, p.Kills = "servers", all-all/2
				torture(t, p)
			})
			t.Run("embedded", func(t *testing.T) {
				t.Parallel()
				p := p
				p.Storage, p.Kills = "embedded", all/2
				torture(t, p)
			})
		})
	}
}

func torture(t *testing.T, p plan) {
	t.Logf("DAVWOPI_TEST_TORTURE_SEED=%d", p.Seed)
	dir := t.TempDir()
	p.Dir, p.Ledger = dir, filepath.Join(dir, "l")
	d := newDesk(t, &p, 15)
	enraged := startSaboteur(t, p)
	d.setting = await[setting](t, enraged, filepath.Join(dir, "setting.json"), 5*time.Minute)
	if d.setting.Disk != "" {
		t.Logf("the disk is never full here: %s", d.setting.Disk)
	}
	people := d.people(t, p.Seed, p.Files)
	calm := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour*24)
	defer cancel()
	var all sync.WaitGroup
	failed := make(chan error, len(people))
	for _, who := range people {
		all.Go(func() { failed <- who.live(ctx, calm) })
	}
	d.ready(t, people)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	watched := make(chan struct{})
	go func() { defer close(watched); d.watch(ctx, calm) }()
	done := await[deeds](t, enraged, filepath.Join(dir, "deeds.json"), time.Duration(p.Kills)*30*time.Second+time.Minute)
	close(calm)
	begin := time.Now()
	time.AfterFunc(5*time.Minute, cancel) // in which every document must be saved once more
	all.Wait()
	<-watched
	close(failed)
	for err := range failed {
		if err != nil {
			t.Error(err)
		}
	}
	t.Log(done)
	t.Logf("every document was saved once more and closed within %v", time.Since(begin).Round(time.Millisecond))
	t.Log(d.figures())
	t.Logf("%d saves were seen waiting for their upstream", len(d.waited))
	d.settle(t)
	d.verdict(t, people)
}

// startLedger starts the third process.
func startLedger(t *testing.T, socket string) {
	t.Helper()
	start(t, []string{"-test.run=^$"}, []string{ledgerVariable + "=" + socket}, &syscall.SysProcAttr{})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the ledger does not start")
		}
	}
}

// startSaboteur starts the second process, with mounts of its own where that is
// permitted. The channel is closed when it ends.
func startSaboteur(t *testing.T, p plan) <-chan struct{} {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run=^TestSaboteur$", "-test.v", "-test.timeout=0"}
	env := []string{planVariable + "=" + string(text)}
	attr := &syscall.SysProcAttr{}
	if privateMounts() {
		attr.Unshareflags, env = syscall.CLONE_NEWNS, append(env, privateVariable+"=1")
	}
	return start(t, args, env, attr)
}

// privateMounts reports whether this process may have mounts of its own.
func privateMounts() bool {
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return c.Run() == nil
}

// start runs this test binary in another part, until the test ends.
func start(t *testing.T, args, env []string, attr *syscall.SysProcAttr) <-chan struct{} {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), env...)
	attr.Pdeathsig = syscall.SIGKILL
	c.SysProcAttr = attr
	out, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = out, out
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var failure error
	go func() { failure = c.Wait(); close(ended) }()
	t.Cleanup(func() {
		in.Close()
		select {
		case <-ended:
		case <-time.After(2 * time.Minute):
			t.Error("a process of the test does not end")
			_ = c.Process.Kill()
			<-ended
		}
		if failure != nil {
			t.Errorf("%v: %v", args, failure)
		}
		if text, err := os.ReadFile(out.Name()); t.Failed() && err == nil {
			t.Logf("%v said:\n%s", args, text[max(0, len(text)-60_000):])
		}
		out.Close()
	})
	return ended
}

// await waits for a file that the saboteur writes.
func await[T any](t *testing.T, ended <-chan struct{}, path string, limit time.Duration) (v T) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		text, err := os.ReadFile(path)
		if err == nil {
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		select {
		case <-ended:
			t.Fatalf("the saboteur ended before it wrote %s", filepath.Base(path))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("the saboteur does not write %s", filepath.Base(path))
		}
	}
}

// people make a document for each, in the folders of the upstreams in turn.
func (d *desk) people(t *testing.T, seed uint64, documents int) []*person {
	t.Helper()
	var names []string
	for name := range d.setting.Folders {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []*person
	for i := range documents {
		p := &person{
			desk: d, number: i, upstream: names[i%len(names)], rand: rand.New(rand.NewPCG(seed, uint64(1000+i))),
			path: fmt.Sprintf("/d%04d%s", i, extensions[i/len(names)%len(extensions)]),
		}
		file := filepath.Join(d.setting.Folders[p.upstream], p.path)
		id := p.upstream + p.path + "/0"
		if err := d.book.write(t.Context(), note{What: noteSent, Version: id}); err != nil {
			t.Fatal(err)
		}
		// No two have one size: where an ETag is made of size and second, they would be
		// one document to whoever looks for a lost one.
		if err := os.WriteFile(file, contents(id, 1000+i), 0o666); err != nil {
			t.Fatal(err)
		}
		folder, err := os.Stat(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		if st := folder.Sys().(*syscall.Stat_t); os.Geteuid() == 0 {
			if err := os.Chown(file, int(st.Uid), int(st.Gid)); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, p)
	}
	return all
}

// ready waits until everybody has a document open.
func (d *desk) ready(t *testing.T, people []*person) {
	t.Helper()
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		d.mu.Lock()
		opened := d.answers["open 200"]
		d.mu.Unlock()
		if opened >= len(people) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d documents were opened", opened, len(people))
		}
	}
}

// watch looks now and then which saves wait for their upstream, until calm.
func (d *desk) watch(ctx context.Context, calm <-chan struct{}) {
	for {
		select {
		case <-calm:
			return
		case <-time.After(2 * time.Second):
		}
		var list []saveLine
		if bridge.Ask(ctx, d.setting.socket(), "saves", struct{}{}, &list) != nil {
			continue // it is dead just now
		}
		for _, e := range list {
			if e.State == "waiting" {
				d.waited[e.ID] = true
			}
		}
	}
}
