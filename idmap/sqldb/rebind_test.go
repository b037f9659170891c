package sqldb

import (
	"strings"
	"testing"
)

func TestRebind(t *testing.T) {
	for in, want := range map[string]string{
		`SELECT 1`:                          `SELECT 1`,
		`a = ? AND b = ?`:                   `a = $1 AND b = $2`,
		`a = '?' AND b = ?`:                 `a = '?' AND b = $1`,
		`a = 'it''s ?' AND b = ?`:           `a = 'it''s ?' AND b = $1`,
		`"col?" = ?`:                        `"col?" = $1`,
		"-- why?\n a = ?":                   "-- why?\n a = $1",
		`/* ? */ a = ? /* ? `:               `/* ? */ a = $1 /* ? `,
		`a - ? / ?`:                         `a - $1 / $2`,
		`a = 'open ?`:                       `a = 'open ?`,
		strings.Repeat(`?,`, 10) + `? -- ?`: `$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11 -- ?`,
	} {
		if got := rebind(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

// What is outside of quotes and comments loses its question marks, and nothing
// else changes.
func FuzzRebind(f *testing.F) {
	for _, s := range []string{"?", "'?'", `"?"?`, "--?\n?", "/*?*/?", "''''?", "-", "/", "'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "$") {
			t.Skip("cannot be told from what rebind writes")
		}
		got := rebind(s)
		if n := strings.Count(got, "$"); strings.Count(got, "?")+n != strings.Count(s, "?") {
			t.Fatalf("%q became %q", s, got)
		}
		if again := rebind(got); again != got {
			t.Fatalf("%q, and again %q", got, again)
		}
	})
}
