package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/daemon"
	"davwopi/test/office"
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
	daemon.Program(t) // built before anything is measured
	kills := number(t, "DAVWOPI_TEST_TORTURE_KILLS", 50)
	documents := number(t, "DAVWOPI_TEST_TORTURE_DOCUMENTS", 60)
	uptime := time.Duration(number(t, "DAVWOPI_TEST_TORTURE_UPTIME", 400)) * time.Millisecond
	seed := number(t, "DAVWOPI_TEST_TORTURE_SEED", int(time.Now().UnixNano()%1_000_000))
	rounds := (kills + 199) / 200
	for round := range rounds {
		all := kills*(round+1)/rounds - kills*round/rounds
		p := plan{Seed: uint64(seed + round), Files: documents, Uptime: uptime}
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
	if err := os.Mkdir(filepath.Join(dir, "locks"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &desk{
		locks: filepath.Join(dir, "locks"), editors: map[string]*office.Editor{}, answers: map[string]int{},
		autosave: time.Duration(p.Files) * time.Second / 15, waited: map[string]bool{},
	}
	for i, kind := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
		e := office.NewEditor(t, kind, true, extensions[i][1:])
		d.editors[extensions[i]] = e
		p.Editors = append(p.Editors, e.URL)
	}
	startLedger(t, p.Ledger)
	d.book = openBook(p.Ledger)
	enraged := startSaboteur(t, p)
	d.setting = await[setting](t, enraged, filepath.Join(dir, "setting.json"), time.Minute)
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
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
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

// settle waits until nothing in the journal is on its way any more.
func (d *desk) settle(t *testing.T) {
	t.Helper()
	begin := time.Now()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var list []saveLine
		if err := bridge.Ask(t.Context(), d.setting.socket(), "saves", struct{}{}, &list); err != nil {
			t.Fatal(err)
		}
		var moving []saveLine
		for _, e := range list {
			if e.State == "spooled" || e.State == "delivering" || e.State == "waiting" {
				moving = append(moving, e)
			}
		}
		if len(moving) == 0 {
			t.Logf("settled in %v", time.Since(begin).Round(time.Millisecond))
			return
		}
		if time.Now().After(end) {
			t.Errorf("%d saves are never settled: %+v", len(moving), moving)
			return
		}
	}
}

// verdict asks the ledger, and looks for locks that are stuck.
func (d *desk) verdict(t *testing.T, people []*person) {
	t.Helper()
	var stuck []string
	for _, p := range people {
		stuck = append(stuck, p.stuck(t)...)
	}
	q := question{Socket: d.setting.socket()}
	for _, f := range d.setting.Folders {
		q.Folders = append(q.Folders, f)
	}
	var r ruling
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		var err error
		if r, err = d.book.judge(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if len(r.Litter) == 0 || time.Now().After(end) { // what is left over is swept later
			break
		}
	}
	t.Logf("%v, %d locks stuck %v", r, len(stuck), stuck)
	t.Logf("journal: %v", r.States)
	if r.bad() > 0 || len(stuck) > 0 {
		t.Error("the ledger is not satisfied")
		d.tell(t, people, fmt.Sprint(r, stuck))
	}
	if r.Acknowledged == 0 || r.Files != len(people) {
		t.Errorf("%d saves were acknowledged, and %d documents are there of %d", r.Acknowledged, r.Files, len(people))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, never := range []string{"open 401", "save 401", "unlock 401"} {
		if n := d.answers[never]; n > 0 {
			t.Errorf("%d times %s: a grant was lost", n, never)
		}
	}
	ended := 0
	for _, p := range people {
		ended += p.ended
	}
	// The embedded server knows its files; elsewhere a document that was renamed in a crash
	// and edited by another program meanwhile cannot be told from a stranger.
	if t.Logf("%d IDs were given up", ended); ended > 0 && len(d.setting.Accounts) == 0 {
		t.Error("an ID was lost although the server has its own")
		d.tell(t, people, "")
	}
}

// tell prints what the people have been through whose documents are spoken of, and
// keeps state and folders if DAVWOPI_TEST_TORTURE_KEEP says where.
func (d *desk) tell(t *testing.T, people []*person, said string) {
	t.Helper()
	for _, p := range people {
		name := fmt.Sprintf("d%04d", p.number)
		if p.ended > 0 && said == "" || strings.Contains(said, name+".") || strings.Contains(said, name+"-") || strings.Contains(said, fmt.Sprintf("outside/%d/", p.number)) {
			t.Logf("%s:\n%s", p, strings.Join(p.history, "\n"))
		}
	}
	where := os.Getenv("DAVWOPI_TEST_TORTURE_KEEP")
	if where == "" {
		return
	}
	from := []string{fmt.Sprintf("/proc/%d/root%s", d.setting.PID, d.setting.State), filepath.Dir(d.locks)}
	for _, f := range d.setting.Folders {
		from = append(from, f)
	}
	for i, f := range from {
		if out, err := exec.Command("cp", "-a", f, filepath.Join(where, fmt.Sprintf("%s-%d-%d", filepath.Base(f), d.setting.PID, i))).CombinedOutput(); err != nil {
			t.Logf("keeping %s: %v %s", f, err, out)
		}
	}
}

// stuck says which locks are held although everybody has left.
func (p *person) stuck(t *testing.T) []string {
	t.Helper()
	var found []string
	a, err := p.client.GetLock(t.Context())
	if lock, _ := a.Lock(); err != nil || a.Status != 200 || lock != "" {
		found = append(found, fmt.Sprintf("%s: GetLock %s %v", p, a, err))
	}
	var info wopi.CheckFileInfo
	a, err = p.client.CheckFileInfo(t.Context())
	if err != nil || a.Status != 200 || a.JSON(&info) != nil {
		return append(found, fmt.Sprintf("%s: CheckFileInfo %s %v", p, a, err))
	}
	account, outside := p.setting.Accounts[p.upstream]
	if !outside {
		return found
	}
	base, err := url.Parse(account.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &davbackend.Client{Base: base}
	defer client.CloseIdle()
	view := client.As(davbackend.Credential{Kind: "password", User: account.User, Secret: account.Password})
	res, err := view.Stat(t.Context(), dav.Path("/"+strings.TrimPrefix(info.BaseFileName, "/")))
	if err != nil || len(res.Locks) > 0 {
		found = append(found, fmt.Sprintf("%s: upstream %+v %v", p, res.Locks, err))
	}
	return found
}
