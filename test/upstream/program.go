package upstream

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// program finds an executable that may be in a folder that is not in a user's PATH.
func program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := "/usr/sbin/" + name
	if _, err := os.Stat(path); err == nil {
		return path
	}
	t.Skip("needs " + name)
	return ""
}

// needs skips the test if a module is missing.
func needs(t testing.TB, path, what string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs " + what)
	}
}

// A place is where one real server keeps its things: root is its document root, and
// the collection served to tests is root/dav, so that a path in the base URL is tested.
type place struct {
	home string // configuration, logs, temporary files
	root string
	dir  string
	uid  int // whom files belong to, -1 ourselves
	gid  int

	program *Program // that start has started
}

// newPlace makes the folders; as is the user that the server runs as when the tests
// run as root, "" ourselves.
func newPlace(t testing.TB, as string) *place {
	t.Helper()
	home := t.TempDir()
	p := &place{home: home, root: filepath.Join(home, "root"), dir: filepath.Join(home, "root", "dav"), uid: -1, gid: -1}
	for _, dir := range []string{p.dir, filepath.Join(home, "tmp"), filepath.Join(home, "state")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if as == "" || os.Geteuid() != 0 {
		return p
	}
	u, err := user.Lookup(as)
	if err != nil {
		t.Skip("needs the user " + as)
	}
	p.uid, p.gid = number(t, u.Uid), number(t, u.Gid)
	for _, dir := range []string{p.root, p.dir, filepath.Join(home, "tmp"), filepath.Join(home, "state")} {
		p.own(dir)
	}
	// testing makes the parents of TempDir for us alone.
	for dir := home; len(dir) > len(filepath.Clean(os.TempDir())); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func number(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// own gives a file to the server's user. A failure shows in the server's answers.
func (p *place) own(path string) {
	if p.uid >= 0 {
		_ = os.Chown(path, p.uid, p.gid)
	}
}

func (p *place) write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(p.home, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a server on a free port until the test ends; command gets the port. A
// port that somebody else took in between is tried anew.
func (p *place) start(t testing.TB, name string, command func(port int) *exec.Cmd) string {
	t.Helper()
	var said string
	for range 3 {
		g := &Program{t: t, name: name, home: p.home, port: freePort(t), command: command}
		if g.run() {
			t.Cleanup(g.end)
			p.program = g
			return fmt.Sprintf("http://127.0.0.1:%d/dav/", g.port)
		}
		g.end()
		said = g.out.String()
	}
	t.Fatalf("%s does not start: %s", name, said)
	return ""
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// answers waits until the server speaks HTTP, false if it ended or never does.
func answers(port int, ended <-chan struct{}) bool {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/dav/", port))
		if err == nil {
			resp.Body.Close()
			// A stranger on our port would not ask for our realm.
			return strings.Contains(resp.Header.Get("WWW-Authenticate"), "realm=")
		}
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// lockedBuffer keeps what a program says.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
