package upstream

import (
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A Program is the process group of a real server, which a test may treat badly. It
// is used by one goroutine at a time.
type Program struct {
	t       testing.TB
	name    string
	home    string
	port    int
	command func(port int) *exec.Cmd

	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has
	out   lockedBuffer
}

// run starts the server; false if it does not come to answer.
func (p *Program) run() bool {
	p.t.Helper()
	p.cmd = p.command(p.port)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Dir = p.home
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	cmd, ended := p.cmd, make(chan struct{})
	p.ended = ended
	go func() { _ = cmd.Wait(); close(ended) }() // why it ended is in out
	return answers(p.port, ended)
}

// end ends the server and its children, all of which we started.
func (p *Program) end() {
	p.signal(syscall.SIGCONT)
	_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
	}
	p.Kill()
}

// signal reaches the whole group, which is ours alone; it may be empty.
func (p *Program) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// Kill ends the server without warning. When it returns nobody listens any more: the
// processes of a group do not die at once.
func (p *Program) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
		if err != nil {
			return
		}
		c.Close()
	}
}

// Pause stops the server in the middle of whatever it does, until Resume.
func (p *Program) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (p *Program) Resume() { p.signal(syscall.SIGCONT) }

// Start starts a killed server again, at its port and over its folder. It returns
// when the server answers.
func (p *Program) Start() {
	p.t.Helper()
	for range 3 { // what the dead one had open may not be free yet
		if p.run() {
			return
		}
		p.Kill()
	}
	p.t.Errorf("%s does not start again: %s", p.name, p.out.String())
}
