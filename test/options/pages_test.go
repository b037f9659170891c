package options

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// TestPagesNameWhatIsThere: every test, fuzz target, file and link that a page of deploy/docs
// names is there.
func TestPagesNameWhatIsThere(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		text, err := os.ReadFile(p)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(root + "/deploy/docs/*.md")
	if err != nil || len(pages) < 5 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	file := regexp.MustCompile("`((?:cmd|bridge|davbackend|idmap|oauth|config|test|deploy)/[\\w./-]+)`")
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(text), -1) {
			if !tests[m[1]] {
				t.Errorf("%s: there is no test %s", page, m[1])
			}
		}
		for _, m := range file.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s: there is no %s", page, m[1])
			}
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
			}
		}
	}
}

// TestIntegrationPage: what the page for programs says of errors is the table of bridge/web,
// but for those that only davwopi's own pages are answered.
func TestIntegrationPage(t *testing.T) {
	page, err := os.ReadFile(root + "/deploy/docs/INTEGRATION.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(root + "/bridge/web/api.go")
	if err != nil {
		t.Fatal(err)
	}
	inPages := map[string]bool{"link_over": true, "signed_out": true, "other_person": true}
	codes := regexp.MustCompile(`(?m)^\t\{[\w.]+, http\.Status\w+, "(\w+)", `).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 10 {
		t.Fatalf("%d errors in the table", len(codes))
	}
	for _, m := range codes {
		if !inPages[m[1]] && !strings.Contains(string(page), "`"+m[1]+"`") {
			t.Errorf("INTEGRATION.md does not say what %s means", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`json:\"(\\w+)\"`").FindAllStringSubmatch(string(source), -1) {
		if !strings.Contains(string(page), "`"+m[1]+"`") {
			t.Errorf("INTEGRATION.md does not say what %s is for", m[1])
		}
	}
}
