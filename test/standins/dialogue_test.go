package standins

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
)

var kinds = []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft}

// TestDialogues: every message that the host page knows of is one of a real editor.
func TestDialogues(t *testing.T) {
	said, heard := map[string]bool{}, map[string]bool{}
	for _, kind := range kinds {
		d, err := Read(kind)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Editor) < 8 || len(d.Page) < 3 {
			t.Errorf("%s: %d messages of the editor and %d of the page", kind, len(d.Editor), len(d.Page))
		}
		for name := range d.Editor {
			said[name] = true
		}
		for name := range d.Page {
			heard[name] = true
		}
	}
	var script string
	for _, name := range []string{"host.js", "hostacts.js"} {
		text, err := os.ReadFile("../../bridge/web/assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		script += string(text)
	}
	table := script[strings.Index(script, "const heard = {"):]
	table = table[:strings.Index(table, "\n  };")]
	names := regexp.MustCompile(`(?m)^    ([A-Z][A-Za-z_]+):`).FindAllStringSubmatch(table, -1)
	if len(names) < 15 {
		t.Fatalf("the table of what host.js hears was not found: %v", names)
	}
	for _, n := range names {
		if !said[n[1]] && !strings.HasPrefix(n[1], "Davwopi_") {
			t.Errorf("host.js hears %s, which no editor says", n[1])
		}
	}
	posted := regexp.MustCompile(`(?:post|order)\((?:open \? )?'([A-Za-z_]+)'`).FindAllStringSubmatch(script, -1)
	if len(posted) < 6 {
		t.Fatalf("what host.js says was not found: %v", posted)
	}
	for _, n := range posted {
		if !heard[n[1]] && !strings.HasPrefix(n[1], "Davwopi_") {
			t.Errorf("host.js says %s, which no editor hears", n[1])
		}
	}
}

func TestDialoguesThatAreNone(t *testing.T) {
	for _, line := range []string{
		"< | A | | |", "< | | x:string | | s", "? | A | | | s", "> | A | | never | s", "> | A | | | s", "< | A | x | | s", "< | A | | any | s", "every | x",
	} {
		d := Dialogue{Editor: map[string]Message{}, Page: map[string]Message{}}
		if err := d.add(line); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}
