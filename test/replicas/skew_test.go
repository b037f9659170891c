package replicas

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// anotherClock is what is put into time.Now: seconds that the environment asks for.
const anotherClock = `func Now() Time {
	sec, nsec, mono := runtimeNow()
	if text, ok := syscall.Getenv("DAVWOPI_TEST_CLOCK_AHEAD"); ok {
		n, by := int64(0), int64(1)
		for _, c := range []byte(text) {
			if c == '-' {
				by = -1
			} else {
				n = 10*n + int64(c-'0')
			}
		}
		sec += by * n
	}
`

// skewed builds the daemon with a clock that can be wrong, and returns what starts it so
// many seconds ahead, for daemon.Options.Under.
func skewed(t *testing.T) func(seconds int) []string {
	t.Helper()
	dir := t.TempDir()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	var text []byte
	if err == nil {
		text, err = os.ReadFile(source)
	}
	if err != nil {
		t.Skipf("the sources of Go are not here: %v", err)
	}
	const begins = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), begins) != 1 || strings.Contains(string(text), "\t\"syscall\"\n") {
		t.Fatal("time.Now of this Go is another one: the test must learn it")
	}
	changed := strings.Replace(string(text), begins, anotherClock, 1)
	changed = strings.Replace(changed, "import (\n", "import (\n\t\"syscall\"\n", 1)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: filepath.Join(dir, "time.go")}})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "davwopi")
	for name, content := range map[string]string{
		"time.go": changed, "overlay.json": string(overlay),
		"start": "#!/bin/sh\nexport DAVWOPI_TEST_CLOCK_AHEAD=\"$1\"\nshift 2\nexec " + program + " \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "davwopi/cmd/davwopi")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building with another clock: %v\n%s", err, out)
	}
	return func(seconds int) []string { return []string{filepath.Join(dir, "start"), fmt.Sprint(seconds)} }
}

// TestClocksApart: the clocks of two bridges are 30 s apart, more than any lease lasts, one
// before and one behind the database's. Locks are as exclusive as ever, a document is saved
// through both, and either is taken over in the same time.
func TestClocksApart(t *testing.T) {
	if !long() {
		t.Skip("builds everything with another clock, a minute or more: set DAVWOPI_TEST_REPLICAS=1")
	}
	daemon.NeedsDisk(t)
	ahead := skewed(t)
	h := newHouse(t, upstream.Strict(t), wopi.Collabora, "saves: {patience: 500ms}")
	early, late := h.start(daemon.Options{Under: ahead(15)}), h.start(daemon.Options{Under: ahead(-15)})
	for d, want := range map[*daemon.Daemon]time.Duration{early: 15 * time.Second, late: -15 * time.Second} {
		if out, err := d.Run("state", "check"); err != nil || !strings.Contains(out, "ahead of this machine's") {
			t.Errorf("state check: %v\n%s", err, out)
		}
		if said := h.clockOf(d); (said - want).Abs() > 5*time.Second {
			t.Fatalf("the clock of a bridge is %v ahead, it should be %v", said, want)
		}
	}
	race(t, h.open("raced.odt", "x"), 100)
	c := h.open("a.odt", "first")
	session, err := c.Open(t.Context())
	if err != nil || session.ReadOnly {
		t.Fatal(err)
	}
	for n := range 40 { // alternating: no save is "outside", no lease is taken from the living
		if a, err := session.Save(t.Context(), []byte(fmt.Sprint("save ", n)), false); err != nil || a.Status != 200 {
			t.Fatalf("save %d: %s %v", n, a, err)
		}
	}
	for _, victim := range []*daemon.Daemon{early, late} {
		other := early
		if victim == early {
			other = late
		}
		h.over(victim)
		h.upstream.Quirks.Fail(upstream.Fault{Status: 503})
		text := fmt.Sprintf("waits with a bridge that is %v ahead", h.clockOf(victim))
		if a, err := session.Save(t.Context(), []byte(text), false); err != nil || a.Status != 200 {
			t.Fatalf("%s %v", a, err)
		}
		// While both live nobody takes it from the other, whatever their clocks say.
		time.Sleep(8 * time.Second)
		victim.Kill()
		begin := time.Now()
		h.upstream.Quirks.Reset()
		h.over(other)
		until(t, "the save is delivered", func() bool { on, _ := h.upstream.Read(t, "a.odt"); return on == text })
		took(t, "the save was delivered", time.Since(begin))
		victim.Restart()
		h.over(early, late)
	}
	if a, err := session.Close(t.Context()); err != nil || a.Status != 200 {
		t.Errorf("%s %v", a, err)
	}
}

// clockOf is how far a bridge's clock is ahead of ours, by the Date of its answers.
func (h *house) clockOf(d *daemon.Daemon) time.Duration {
	h.t.Helper()
	r, err := (&toBridge{h.listens[d]}).get(h.t, h.proxy.URL+"/healthz")
	if err != nil {
		h.t.Fatal(err)
	}
	return time.Until(r).Round(time.Second)
}
