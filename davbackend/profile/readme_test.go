package profile

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestReadmeTable holds the README's table of what protects a document to what was
// measured: the rows that a profile decides.
func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| \n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == 6 {
			rows[cells[0]] = cells[1:]
		}
	}
	yes := func(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }
	for row, cell := range map[string]func(Facts) string{
		"who has it is named": func(f Facts) string { return yes(f.LockShown == "token and owner") },
		"the write itself is bound to the version that was seen": func(f Facts) string { return yes(f.Profile().Conditions) },
		"a save replaces the file": func(f Facts) string {
			if f.Profile().InPlace {
				return "in one step"
			}
			return "by a temporary file"
		},
		"another WebDAV program writes, renames or deletes it": func(f Facts) string {
			if f.Lock == "works" {
				return "refused"
			}
			return "possible"
		},
	} {
		var want []string
		for _, name := range []string{"embedded", "apache", "nginx", "lighttpd", "rclone"} {
			f := Embedded()
			if name != "embedded" {
				b, err := os.ReadFile("testdata/" + name + ".json")
				if err == nil {
					err = json.Unmarshal(b, &f)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, cell(f))
		}
		if !slices.Equal(rows[row], want) {
			t.Errorf("README.md, %q: %q, measured %q", row, rows[row], want)
		}
	}
}
