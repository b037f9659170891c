//go:build linux

package localdav

import (
	"bufio"
	"context"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The cases that may fail. None does: shared locks are kept, too.
var litmusMayFail = map[string]bool{}

// Debian's litmus, every suite and every case.
func TestLitmus(t *testing.T) {
	program, err := exec.LookPath("litmus")
	if err != nil {
		t.Skip("litmus is not installed")
	}
	h := newHouse(t)
	srv := httptest.NewServer(h.s)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-k", srv.URL+"/")
	cmd.Dir = t.TempDir() // it writes its logs there
	cmd.Env = append(cmd.Environ(), "TESTS=basic copymove props locks http")
	out, _ := cmd.CombinedOutput() // its status is that of the last suite only
	line := regexp.MustCompile(`^\s*\d+\. (\S+?)\.+ (\S+)(.*)$`)
	suites := map[string]int{}
	suite, cases := "", 0
	for in := bufio.NewScanner(strings.NewReader(string(out))); in.Scan(); {
		text := in.Text()
		if at := strings.LastIndexByte(text, '\r'); at >= 0 { // a progress meter
			text = text[at+1:]
		}
		if name, ok := strings.CutPrefix(text, "-> running `"); ok {
			suite = strings.TrimSuffix(name, "':")
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		cases++
		suites[suite]++
		if m[2] != "pass" && !litmusMayFail[suite+"/"+m[1]] {
			t.Errorf("%s: %s: %s%s", suite, m[1], m[2], m[3])
		}
	}
	if len(suites) != 5 || cases < 100 {
		t.Errorf("%d suites, %d cases", len(suites), cases)
	}
	if t.Failed() || testing.Verbose() {
		t.Logf("%s", out)
	}
}
