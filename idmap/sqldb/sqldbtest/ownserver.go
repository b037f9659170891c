//go:build unix

package sqldbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a PostgreSQL of one test, which may crash and come back. It has nothing
// else to do with what [Postgres] gives.
type Server struct {
	t       testing.TB
	bin     string
	dir     string
	as      *syscall.Credential
	options []string
	command *exec.Cmd
	log     *os.File
}

// NewServer starts one that syncs to disk, with further settings such as
// "max_connections=50". It ends with the test, which is skipped if PostgreSQL is not
// installed.
func NewServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	bin, err := binaries()
	if errors.Is(err, errAbsent) {
		t.Skip("PostgreSQL is not installed")
	}
	s := &Server{t: t, bin: bin}
	if err == nil {
		s.dir, err = os.MkdirTemp("/tmp", "sqldbtest-") // names of sockets may have 107 bytes
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(s.dir) })
	if s.as, err = owner(s.dir); err != nil {
		t.Fatal(err)
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.as}
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	s.options = []string{"-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-c", "listen_addresses=", "-c", "shared_buffers=32MB"}
	for _, setting := range settings {
		s.options = append(s.options, "-c", setting)
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.log.Close() })
	s.Start()
	t.Cleanup(func() {
		if s.command != nil {
			s.Crash()
		}
	})
	return s
}

// URL is what sqldb.Open takes.
func (s *Server) URL() string { return "postgres:///postgres?user=postgres&host=" + s.dir }

// Start starts it, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.command = exec.Command(filepath.Join(s.bin, "postgres"), s.options...)
	s.command.Dir, s.command.Stdout, s.command.Stderr = s.dir, s.log, s.log
	s.command.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGQUIT}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, s.URL())
		if err == nil {
			c.Close(ctx)
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("PostgreSQL does not answer: %v\n%s", err, s.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Crash ends it at once: nothing is written out, and connections break.
func (s *Server) Crash() {
	s.t.Helper()
	_ = s.command.Process.Signal(syscall.SIGQUIT)
	_ = s.command.Wait() // it says that it was killed
	s.command = nil
}

// Pause stops all of it in the middle of what it does, as a machine that swaps; the
// function lets it go on.
func (s *Server) Pause() (resume func()) {
	s.t.Helper()
	all := append(children(s.command.Process.Pid), s.command.Process.Pid)
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	return func() {
		for _, pid := range all {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
}

// Log is what the server has said.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.log.Name())
	return string(text)
}

// children are the processes that PID has started.
func children(pid int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		if child, parent, ok := parentOf(file); ok && parent == pid {
			all = append(all, child)
		}
	}
	return all
}

// parentOf reads a process and its parent from /proc/PID/stat; the name between them may
// have anything in it.
func parentOf(file string) (pid, parent int, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, false // it has ended
	}
	end := strings.LastIndexByte(string(text), ')')
	if end < 0 {
		return 0, 0, false
	}
	var state string
	_, err1 := fmt.Sscan(string(text), &pid)
	_, err2 := fmt.Sscan(string(text[end+1:]), &state, &parent)
	return pid, parent, err1 == nil && err2 == nil
}
