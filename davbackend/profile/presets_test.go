package profile

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"davwopi/test/upstream"
)

// TestPresets measures the strict server as each column of the matrix and compares
// with testdata: with that of the real server where it can be had here.
func TestPresets(t *testing.T) {
	for _, p := range upstream.Presets() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			s := upstream.Strict(t)
			s.Quirks.Set(p.Set)
			v := s.View(t)
			f, err := Measure(t.Context(), v, nil)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", p.Name+".json")
			text, err := os.ReadFile(file)
			if os.IsNotExist(err) || *update && !realOnes[p.Name] {
				if err := os.WriteFile(file, []byte(comparable(f)), 0o666); err != nil {
					t.Fatal(err)
				}
				t.Fatalf("%s is new", file)
			}
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			got := fields(t, f)
			if p.Name == "rclone" {
				// The preset is 1.75, Debian's is 1.60, which refuses properties in words.
				want["nfd_is_nfc"], want["dead_props"] = true, "pretended"
			}
			for _, key := range slices.Sorted(maps.Keys(want)) {
				if !reflect.DeepEqual(got[key], want[key]) {
					t.Errorf("%s: %v, want %v", key, got[key], want[key])
				}
			}
		})
	}
}

// realOnes are measured for real, too.
var realOnes = map[string]bool{"apache": true, "nginx": true, "lighttpd": true, "rclone": true}
