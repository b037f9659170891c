package bench

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"davwopi/test/daemon"
)

// BenchmarkStart is how long the built daemon takes on this state from its start to
// its first answer, and what it holds then.
func BenchmarkStart(b *testing.B) {
	l := newLarge(b)
	program := daemon.Program(b)
	dir := filepath.Join(b.TempDir(), "documents")
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	l.serve(b, program, dir) // it makes what a first start makes
	for _, c := range []struct {
		name string
		cold bool
	}{{"Warm", false}, {"Cold", true}} {
		b.Run(c.name, func(b *testing.B) {
			var all []time.Duration
			var memory int64
			for b.Loop() {
				if c.cold {
					l.forget(b)
				}
				took, held := l.serve(b, program, dir)
				all, memory = append(all, took), held
			}
			report(b, all)
			b.ReportMetric(float64(memory)/(1<<20), "MiB")
		})
	}
}

// serve starts the daemon on the map, which is closed meanwhile, and ends it.
func (l *large) serve(b *testing.B, program, dir string) (took time.Duration, held int64) {
	b.Helper()
	l.close(b)
	defer l.open(b)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		b.Fatal(err)
	}
	command := exec.Command(program, "serve", "-listen", address, "-state", l.dir, "-dir", dir)
	// Variables of that name are configuration.
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DAVWOPI_") })
	var said bytes.Buffer
	command.Stderr = &said
	began := time.Now()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	for {
		answer, err := http.Get("http://" + address + "/healthz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
		}
		if took = time.Since(began); took > 2*time.Minute {
			_ = command.Process.Kill()
			b.Fatalf("no answer: %v, %v: %s", err, command.Wait(), &said)
		}
		time.Sleep(time.Millisecond) // what is measured is far above
	}
	took = time.Since(began)
	held, _ = resident(b, command.Process.Pid)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		b.Fatal(err)
	}
	return took, held
}
