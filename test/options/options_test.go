package options

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"davwopi/config"
)

// TestThePageIsWhatTheProgramSays: the page is what the comments say now, and every variable that
// it names is one that is read.
func TestThePageIsWhatTheProgramSays(t *testing.T) {
	want, err := Markdown("../../config")
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../deploy/docs/CONFIGURATION.md")
	if err != nil || string(have) != want {
		t.Errorf("deploy/docs/CONFIGURATION.md is not what config says (%v): go generate ./config", err)
	}
	if n := strings.Count(want, "\n### "); n < 100 {
		t.Errorf("only %d keys: the sources are read wrongly", n)
	}
	for _, m := range regexp.MustCompile("Variable `(DAVWOPI_[A-Z_]+)`").FindAllStringSubmatch(want, -1) {
		if _, err := config.Load("", []string{m[1] + "="}, nil); err != nil && strings.Contains(err.Error(), "no key has this variable") {
			t.Errorf("%s is no variable", m[1])
		}
	}
}
