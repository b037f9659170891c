package saves

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzSpoolName: a name that a backup may bring is one file in the journal's own folder.
func FuzzSpoolName(f *testing.F) {
	for _, s := range []string{"../state.db", "a", "aaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbbbb", "CON", "a\x00"} {
		f.Add(s)
	}
	f.Add(spoolName("abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz"))
	f.Fuzz(func(t *testing.T, name string) {
		if !IsSpool(name) {
			return
		}
		if filepath.Base(name) != name || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\:`) {
			t.Fatalf("%q", name)
		}
	})
}
