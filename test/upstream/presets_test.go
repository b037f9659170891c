package upstream_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend/profile"
	"davwopi/test/upstream"
)

// play tries all cells of a column. differs are those in which this one server does
// not do what was measured.
func play(t *testing.T, s *upstream.Server, column string, differs map[string]string) {
	i := slices.Index(columns, column)
	for n, c := range cells {
		want := strings.Split(c.want, " ")[i]
		if other := differs[c.name]; other != "" {
			want = other
		}
		if got := c.try(newBench(t, s, strconv.Itoa(n)+"/")); got != want && want != "-" {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

// TestPresetsAreTheMatrix tries the cells on every preset.
func TestPresetsAreTheMatrix(t *testing.T) {
	for _, column := range columns {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			s := upstream.Strict(t)
			s.Quirks.Set(upstream.As(column))
			play(t, s, column, nil)
		})
	}
}

// TestRealServersAreTheMatrix tries the same on those servers that are here.
func TestRealServersAreTheMatrix(t *testing.T) {
	for _, real := range []struct {
		column  string
		start   func(testing.TB) *upstream.Server
		differs map[string]string
	}{
		{"apache", upstream.Apache, map[string]string{"Destination on another host": "201"}},
		{"nginx", upstream.Nginx, map[string]string{"Destination without a host": "204"}},
		{"lighttpd", upstream.Lighttpd, map[string]string{"MOVE of the parent": "200"}},
		{"rclone", upstream.Rclone, map[string]string{ // 1.60, the matrix has 1.75
			"PUT into a missing folder": "404", "NFC and NFD": "404", "SEARCH": "400", "REPORT": "400",
		}},
	} {
		t.Run(real.column, func(t *testing.T) { play(t, real.start(t), real.column, real.differs) })
	}
}

// TestPresetsMeasureLikeRealServers: what a client finds out about a preset is what it
// finds out about the server itself.
func TestPresetsMeasureLikeRealServers(t *testing.T) {
	for _, c := range []struct {
		name    string
		differs map[string]any // rclone 1.60 is what was measured there, the preset is 1.75
	}{
		{"apache", nil}, {"nginx", nil}, {"lighttpd", nil},
		{"rclone", map[string]any{"nfd_is_nfc": true, "dead_props": "pretended"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := upstream.Strict(t)
			s.Quirks.Set(upstream.As(c.name))
			f, err := profile.Measure(t.Context(), s.View(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			f.At, f.Server, f.Requests = time.Time{}, "", 0
			var got, want map[string]any
			raw, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(filepath.Join("..", "..", "davbackend", "profile", "testdata", c.name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(file, &want); err != nil {
				t.Fatal(err)
			}
			for key, value := range c.differs {
				want[key] = value
			}
			for key := range want {
				if got[key] != want[key] {
					t.Errorf("%s: %v, want %v", key, got[key], want[key])
				}
			}
		})
	}
}
