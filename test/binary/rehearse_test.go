package binary

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"davwopi/bridge/rehearse"
	"davwopi/test/daemon"
)

// TestRehearse plays all scenes on every upstream through the built program, and
// leaves nothing: no file, no lock, no entry of the journal.
func TestRehearse(t *testing.T) {
	upstreams(t, func(t *testing.T, d *daemon.Daemon, folder string) {
		before, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(folder, "documents") { // the embedded one needs no measuring
			measured(t, d, 1)
		}
		text, err := d.Run("rehearse", "-json")
		if err != nil {
			t.Fatal(err)
		}
		var report rehearse.Report
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			t.Fatal(err)
		}
		if len(report.Results) < 10 || report.At.IsZero() {
			t.Errorf("the report: %s", text)
		}
		for _, r := range report.Results {
			if !r.Outcome.Good() {
				t.Errorf("%s: %s, %s", r.Scene, r.Outcome, r.Words)
			}
		}
		after, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(after) != len(before) {
			t.Errorf("the folder had %d entries and has %d: %v", len(before), len(after), after)
		}
		for _, what := range []string{"locks", "saves"} {
			if list, err := d.Run(what, "list"); err != nil || strings.Count(list, "\n") != 1 {
				t.Errorf("%s: %v\n%s", what, err, list)
			}
		}
	})
}
