package house

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A supported is a row of the README's table of operations.
type supported struct {
	endpoint, operation, answer, file, test string
}

func readSupport(t *testing.T) []supported {
	t.Helper()
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text2, found := strings.Cut(string(text), "## What of WOPI works\n")
	if !found {
		t.Fatal("README.md has no table of operations")
	}
	table, _, _ := strings.Cut(text2, "\n## ")
	var rows []supported
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 7 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[1] != "endpoint" && !strings.HasPrefix(cells[1], "---") {
			rows = append(rows, supported{cells[1], cells[2], cells[3], cells[4], cells[5]})
		}
	}
	return rows
}

// TestReadmeTellsTheTruthAboutOperations compares the README's table with the words
// of WOPI, both ways, and with what the endpoints have in their tables.
func TestReadmeTellsTheTruthAboutOperations(t *testing.T) {
	tests, words, offered := map[string]bool{}, map[string]bool{}, map[string]bool{}
	shares := false // cmd/davwopi says who makes links
	inTable := regexp.MustCompile(`wopi\.Op(\w+):\s+\{Run: `)
	for _, s := range sources(t) {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(s.text), -1) {
			tests[m[1]] = tests[m[1]] || s.test
		}
		if s.room == "bridge/wopi" && !s.test {
			for _, m := range regexp.MustCompile(`(?m)^\tOp\w+\s+Operation = "(\w+)"`).FindAllStringSubmatch(string(s.text), -1) {
				words[m[1]] = true
			}
		}
		if s.room == "cmd/davwopi" && !s.test {
			shares = shares || regexp.MustCompile(`\bShare(:| =)`).Match(s.text)
		}
		if endpoint, ok := strings.CutPrefix(s.room, "bridge/"); ok && !s.test && endpoint != "endpoint" {
			for _, m := range inTable.FindAllStringSubmatch(string(s.text), -1) {
				offered[strings.Replace(endpoint, "bootstrap", "bootstrapper", 1)+" "+m[1]] = true
			}
		}
	}
	if !shares { // then the operation is there to say 501
		offered["files GetShareUrl"], offered["containers GetShareUrl"] = false, false
	}
	delete(words, "Unsupported")
	if len(words) < 30 || len(offered) < 25 {
		t.Fatalf("%d operations, %d in tables: the test reads the sources wrongly", len(words), len(offered))
	}
	told := map[string]bool{}
	for _, r := range readSupport(t) {
		name := r.endpoint + " " + r.operation
		if told[name] {
			t.Errorf("%s: told twice", name)
		}
		told[name] = true
		switch r.answer {
		case "yes":
			if r.operation != "FileUrl" && !offered[name] {
				t.Errorf("%s: is not in the endpoint's table", name)
			}
		case "no":
			if offered[name] {
				t.Errorf("%s: is in the endpoint's table", name)
			}
		default:
			t.Errorf("%s: %q is neither yes nor no", name, r.answer)
		}
		delete(words, r.operation)
		if _, err := os.Stat(root + "/" + r.file); err != nil || r.file == "" {
			t.Errorf("%s: there is no file %q", name, r.file)
		}
		if !tests[r.test] {
			t.Errorf("%s: there is no test %q", name, r.test)
		}
	}
	for name := range words {
		t.Errorf("%s: is not in the table", name)
	}
	for name := range offered {
		if !told[name] {
			t.Errorf("%s: is not in the table", name)
		}
	}
}
