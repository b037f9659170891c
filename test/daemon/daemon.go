// Package daemon builds davwopi and runs it, for tests of the whole program.
//
// It owns one build per test process and the life of each daemon: started on a
// free loopback port, ended with its test, killed without warning on demand.
package daemon

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A build is a program that is built once.
type build struct {
	once sync.Once
	file string
	err  error
}

var release, faulty build

// Program builds the program once and returns its file.
func Program(t testing.TB) string {
	t.Helper()
	return release.program(t, "davwopi", "")
}

// Faulty is [Program] with the tag faults: it leaves out the protection that is named in
// the variable DAVWOPI_TEST_WITHOUT (bridge/saves/without.go, bridge/locks/without.go).
func Faulty(t testing.TB) string {
	t.Helper()
	return faulty.program(t, "davwopi-faults", "faults")
}

func (b *build) program(t testing.TB, name, tags string) string {
	t.Helper()
	b.once.Do(func() {
		variable := "DAVWOPI_TEST_BUILT_" + name
		if b.file = os.Getenv(variable); b.file != "" {
			return // by the test that has started this process
		}
		if b.file, b.err = compile(name, tags); b.err == nil {
			b.err = os.Setenv(variable, b.file)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.file
}

// compile leaves one program per user and checkout in the temporary directory,
// however many test processes run: each builds beside it and renames.
func compile(name, tags string) (string, error) {
	root, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	checkout := fnv.New64a()
	checkout.Write(root) // never fails
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("davwopi-test-program-%d-%x", os.Getuid(), checkout.Sum64()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	fresh := filepath.Join(dir, fmt.Sprintf("new-%s-%d", name, os.Getpid()))
	command := exec.Command("go", "build", "-tags", tags, "-o", fresh, "davwopi/cmd/davwopi")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	file := filepath.Join(dir, name)
	return file, os.Rename(fresh, file)
}

// A Daemon is a running davwopi.
type Daemon struct {
	URL   string // where it listens
	Link  string // the first sign-in link; "" where people sign in by password
	State string // state directory
	Dir   string // served folder, where there is no upstream

	t       testing.TB
	program string
	under   []string // runs program
	listen  string   // where it must listen, "": where it did first
	env     []string
	config  string
	command *exec.Cmd
	log     *lockedBuffer
	ended   chan error
}

// Start runs `davwopi serve` with the YAML text as its configuration, on a free
// port, with its state and folder in fresh temporary directories. The folder gets
// the sample files, as there is none yet.
func Start(t testing.TB, yaml string) *Daemon {
	t.Helper()
	d := prepare(t, yaml)
	d.run()
	return d
}

// StartEmpty is [Start] over an empty folder.
func StartEmpty(t testing.TB, yaml string) *Daemon {
	t.Helper()
	d := prepare(t, yaml)
	if err := os.Mkdir(d.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d.run()
	return d
}

// Options are the surroundings of a daemon that a test has made itself.
type Options struct {
	State string   // state directory, "": a fresh one
	Dir   string   // folder to serve, "": a fresh one that is empty
	Under []string // command that runs the program as its child or in its own place
	// Listen is where it listens, "" a free port: for one that has a public_url, which is
	// its URL then. It listens there again after a restart.
	Listen string
	// Without is a protection that is left out: of a program that was built for that, if
	// Faulty; else the release is told to, and does not listen.
	Without string
	Faulty  bool
	// MayFail: [StartWith] returns nil if the daemon does not start, and the test goes on.
	MayFail bool
}

// StartWith is [Start] with other surroundings.
func StartWith(t testing.TB, yaml string, o Options) *Daemon {
	t.Helper()
	d := prepare(t, yaml)
	d.under, d.listen = o.Under, o.Listen
	if o.Faulty {
		d.program = Faulty(t)
	}
	if o.Without != "" {
		d.env = []string{"DAVWOPI_TEST_WITHOUT=" + o.Without}
	}
	if o.State != "" {
		d.State = o.State
	}
	if o.Dir != "" {
		d.Dir = o.Dir
	} else if err := os.Mkdir(d.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if o.MayFail {
		if !d.begin(d.first(), 30*time.Second) {
			return nil
		}
		d.t.Cleanup(d.end)
		return d
	}
	d.run()
	return d
}

// StartAt is [StartEmpty] on an address that the test has chosen beforehand, because others must know it.
func StartAt(t testing.TB, yaml, listen string) *Daemon {
	t.Helper()
	d := prepare(t, yaml)
	if err := os.Mkdir(d.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d.runAt(listen)
	return d
}

// StartOn is [StartEmpty] with its state in a directory that the test has made.
func StartOn(t testing.TB, yaml, state string) *Daemon {
	t.Helper()
	return StartWith(t, yaml, Options{State: state})
}

// NeedsDisk skips where saves never wait: on a tmpfs or an overlay, or a disk that is
// nearly full.
func NeedsDisk(t testing.TB) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(t.TempDir(), &st); err != nil {
		t.Fatal(err)
	}
	if kind := uint32(st.Type); kind == 0x01021994 || kind == 0x794c7630 || st.Bavail*uint64(st.Bsize) < 256<<20 || st.Bavail*uint64(st.Bsize) < min(st.Blocks/20*uint64(st.Bsize), 8<<30) {
		t.Skip("the temporary directory is a tmpfs or an overlay, or nearly full: no save would wait")
	}
}

func prepare(t testing.TB, yaml string) *Daemon {
	t.Helper()
	root := t.TempDir()
	d := &Daemon{t: t, program: Program(t), State: filepath.Join(root, "state"), Dir: filepath.Join(root, "documents"), log: new(lockedBuffer)}
	d.config = filepath.Join(root, "davwopi.yaml")
	if err := os.WriteFile(d.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *Daemon) run() {
	d.t.Helper()
	d.runAt(d.first())
}

// first is where a new daemon listens.
func (d *Daemon) first() string { return cmp.Or(d.listen, "127.0.0.1:0") }

// again is where it listens after a restart.
func (d *Daemon) again() string { return cmp.Or(d.listen, strings.TrimPrefix(d.URL, "http://")) }

func (d *Daemon) runAt(listen string) {
	d.t.Helper()
	d.start(listen)
	d.t.Cleanup(d.end)
}

// end ends the daemon with its test.
func (d *Daemon) end() {
	d.Stop()
	if d.t.Failed() {
		d.t.Logf("log of the daemon:\n%s", d.Log())
	}
}

var (
	linkPattern = regexp.MustCompile(`https?://\S+/link/\S+`)
	addrPattern = regexp.MustCompile(`^davwopi serves .* at (https?://\S+)`)
)

func (d *Daemon) start(listen string) {
	d.t.Helper()
	if !d.begin(listen, 30*time.Second) {
		d.t.Fatalf("the daemon ended, or did not become ready\n%s", d.Log())
	}
}

// environment is ours without the variables of test/bench, which are no configuration.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DAVWOPI_BENCH_") })
}

// begin starts the daemon; false if it ended, or was not ready within limit and is
// dead now.
func (d *Daemon) begin(listen string, limit time.Duration) bool {
	d.t.Helper()
	args := append(slices.Clone(d.under), d.program, "serve", "-config", d.config, "-listen", listen, "-state", d.State, "-dir", d.Dir)
	d.command = exec.Command(args[0], args[1:]...)
	d.command.Env = append(append(environment(), "DAVWOPI_SECRET_KEY="), d.env...)
	d.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.command.Stderr = d.log
	out, err := d.command.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.command.Start(); err != nil {
		d.t.Fatal(err)
	}
	ready := make(chan struct{})
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(out)
		told := false
		for lines.Scan() {
			line := lines.Text()
			if m := addrPattern.FindStringSubmatch(line); m != nil {
				d.URL = m[1]
			}
			if m := linkPattern.FindString(line); m != "" {
				d.Link = m
			}
			if strings.HasPrefix(line, "open ") && !told {
				told = true
				close(ready)
			}
		}
	}()
	d.ended = make(chan error, 1)
	go func() { <-drained; d.ended <- d.command.Wait() }()
	select {
	case <-ready:
		return true
	case <-d.ended:
		d.command = nil
	case <-time.After(limit):
		d.Kill()
	}
	return false
}

// Stop asks the daemon to end and waits for it.
func (d *Daemon) Stop() {
	if d.command == nil {
		return
	}
	_ = d.command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-d.ended:
		if err != nil {
			d.t.Errorf("the daemon ended with %v\n%s", err, d.Log())
		}
	case <-time.After(40 * time.Second):
		d.t.Error("the daemon did not stop")
		d.Kill()
	}
	d.command = nil
}

// Kill ends the daemon as a power cut would: without warning.
func (d *Daemon) Kill() {
	_ = d.command.Process.Kill()
	<-d.ended
	d.command = nil
}

// Restart starts the daemon again on the same state and address.
func (d *Daemon) Restart() {
	d.t.Helper()
	d.start(d.again())
}

// RestartFor is [Daemon.Restart] for a daemon that is killed if it is not ready in
// time, without the test's failing; false then.
func (d *Daemon) RestartFor(limit time.Duration) bool {
	d.t.Helper()
	return d.begin(d.again(), limit)
}

// Log is what the daemon has logged so far.
func (d *Daemon) Log() string { return d.log.String() }

// PID is the process ID of the running daemon.
func (d *Daemon) PID() int { return d.command.Process.Pid }

// RSS is the resident memory of the daemon now, and its peak, in bytes.
func (d *Daemon) RSS() (now, peak int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.PID()))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			now = kib << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			peak = kib << 10
		}
	}
	return now, peak
}

// ForgetPeak makes the peak of [Daemon.RSS] begin anew.
func (d *Daemon) ForgetPeak() {
	d.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.PID()), []byte("5"), 0); err != nil {
		d.t.Fatal(err)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
