package upstream_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

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
