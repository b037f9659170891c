//go:build unix

package sqldbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var errAbsent = errors.New("sqldbtest: no PostgreSQL")

// A server is a running PostgreSQL.
type server struct {
	dir  string   // sockets, data and log; removed by the shell
	pipe *os.File // the shell ends the server when this is closed
}

func (s *server) url() string { return "postgres:///postgres?user=postgres&host=" + s.dir }

// The shell outlives the test process by the time it takes to stop the server.
const script = `"$0/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off -c shared_buffers=16MB -c max_connections=200 >"$1/log" 2>&1 &
pid=$!
cat >/dev/null
kill -INT $pid
wait $pid
rm -rf "$1"`

func start() (*server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	// Not t.TempDir: names of sockets may have 107 bytes.
	dir, err := os.MkdirTemp("/tmp", "sqldbtest-")
	if err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	as, err := owner(dir)
	if err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("sqldbtest: initdb: %w: %s", err, out)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	defer r.Close()
	sh := exec.Command("/bin/sh", "-c", script, bin, dir)
	sh.Dir, sh.Stdin = dir, r
	// A group of its own: an interrupt from the terminal is the test's, not the server's.
	sh.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	if err := sh.Start(); err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	s := &server{dir: dir, pipe: w}
	return s, s.wait()
}

// wait returns when the server answers.
func (s *server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, s.url())
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.pipe.Close()
			return fmt.Errorf("sqldbtest: PostgreSQL does not answer: %w: %s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// owner gives dir to whom the server runs as: PostgreSQL refuses to run as root.
// nil is ourselves.
func owner(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("sqldbtest: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, fmt.Errorf("sqldbtest: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// binaries finds the directory of initdb and postgres. Debian keeps it out of PATH.
func binaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errAbsent
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}
