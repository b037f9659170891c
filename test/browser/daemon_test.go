package browser

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A daemon is the built program over a folder of its own.
type daemon struct {
	t                  testing.TB
	binary, dir, state string
	link, address      string

	extra   []string  // further arguments of serve
	running *exec.Cmd // nil: not now
	lines   chan string
}

// built is the folder of the program that all tests share; TestMain removes it.
var built = struct {
	once sync.Once
	dir  string
	err  error
}{}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // the system clears its temporary folder too
	}
	os.Exit(code)
}

// binary builds davwopi once.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "davwopi-browser-"); built.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(built.dir, "davwopi"), "davwopi/cmd/davwopi").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "davwopi")
}

// startDaemon starts davwopi as a person would, and waits for its link.
// extra are further arguments of serve.
func startDaemon(t *testing.T, extra ...string) *daemon {
	t.Helper()
	home := t.TempDir()
	d := &daemon{t: t, binary: binary(t), dir: filepath.Join(home, "documents"), state: filepath.Join(home, "state"), extra: extra}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d.start("127.0.0.1:0")
	t.Cleanup(d.stop)
	d.address = d.link[:strings.Index(d.link, "/link/")]
	return d
}

// start runs the daemon and waits for its link.
func (d *daemon) start(listen string) {
	d.t.Helper()
	serve := exec.Command(d.binary, append([]string{"serve", "-listen", listen, "-dir", d.dir, "-state", d.state}, d.extra...)...)
	out, err := serve.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	serve.Stderr = serve.Stdout
	if err := serve.Start(); err != nil {
		d.t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	d.running, d.lines = serve, lines
	d.link = d.waitForLink()
}

// kill ends the daemon as a power cut would.
func (d *daemon) kill() {
	d.t.Helper()
	if err := d.running.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	_ = d.running.Wait() // it was killed
	d.running = nil
}

// again starts a killed daemon where it was, and where the pages look for it.
func (d *daemon) again() {
	d.t.Helper()
	d.start(strings.TrimPrefix(d.address, "http://"))
}

var linkPattern = regexp.MustCompile(`http://127\.0\.0\.1:\d+/link/[\w-]+`)

func (d *daemon) waitForLink() string {
	d.t.Helper()
	var seen []string
	for timeout := time.After(Patience); ; {
		select {
		case line, ok := <-d.lines:
			if !ok {
				d.t.Fatalf("the daemon ended:\n%s", strings.Join(seen, "\n"))
			}
			if link := linkPattern.FindString(line); link != "" {
				return link
			}
			seen = append(seen, line)
		case <-timeout:
			d.t.Fatalf("no link was printed:\n%s", strings.Join(seen, "\n"))
		}
	}
}

// stop ends the daemon as a service manager would and shows its log if the test
// failed.
func (d *daemon) stop() {
	if d.running == nil {
		return
	}
	if err := d.running.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Logf("stop: %v", err)
	}
	if err := d.running.Wait(); err != nil {
		d.t.Errorf("the daemon did not end well: %v", err)
	}
	for line := range d.lines {
		if d.t.Failed() {
			d.t.Log(line)
		}
	}
}

// invite makes a link for another person.
func (d *daemon) invite(name string) string {
	d.t.Helper()
	out, err := exec.Command(d.binary, "invite", "-state", d.state, "-name", name).CombinedOutput()
	if err != nil {
		d.t.Fatalf("invite: %v\n%s", err, out)
	}
	link := linkPattern.FindString(string(out))
	if link == "" {
		d.t.Fatalf("invite printed no link: %s", out)
	}
	return link
}

func (d *daemon) write(name, content string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) read(name string) string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}
