package torture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLedgerNotices: whatever is taken away, the ledger says so; and it says nothing
// of what is right.
func TestLedgerNotices(t *testing.T) {
	promised := []note{
		{What: noteSent, Version: "0"},
		{What: noteSent, Version: "1", From: []string{"0"}},
		{What: noteAcked, Version: "1"},
		{What: noteOutside, Version: "x", From: []string{"1"}},
		{What: noteSent, Version: "2", From: []string{"1"}},
		{What: noteAcked, Version: "2"},
		{What: noteSent, Version: "3", From: []string{"2"}},
	}
	whole := func(id string) string { return string(contents(id, 300)) }
	for _, c := range []struct {
		what                                                string
		files                                               map[string]string
		lost, overwritten, damaged, litter, doubles, copies int
	}{
		{what: "all is there", files: map[string]string{"d1.txt": whole("2"), "d1 (outside).txt": whole("x")}, copies: 1},
		{what: "a save that nobody was answered for has the one before it", files: map[string]string{"d1.txt": whole("3"), "d1 (outside).txt": whole("x")}, copies: 1},
		{what: "the save is gone", files: map[string]string{"d1.txt": whole("x")}, lost: 1},
		{what: "the old contents are back", files: map[string]string{"d1.txt": whole("1"), "d1 (outside).txt": whole("x")}, lost: 1, copies: 1},
		{what: "everything is gone", lost: 2, overwritten: 1},
		{what: "the edit of another program is gone", files: map[string]string{"d1.txt": whole("2")}, overwritten: 1},
		{what: "a piece of a save", files: map[string]string{"d1.txt": whole("2")[:250], "d1 (outside).txt": whole("x")}, lost: 1, damaged: 1, copies: 1},
		{what: "more than a save", files: map[string]string{"d1.txt": whole("2") + "x", "d1 (outside).txt": whole("x")}, lost: 1, damaged: 1, copies: 1},
		{what: "nothing of a save", files: map[string]string{"d1.txt": "", "d1 (outside).txt": whole("x")}, lost: 1, damaged: 1, copies: 1},
		{what: "a temporary file is left", files: map[string]string{"d1.txt": whole("2"), "d1 (outside).txt": whole("x"), ".davwopi-a.tmp": ""}, litter: 1, copies: 1},
		{what: "a document is there twice", files: map[string]string{"d1.txt": whole("2"), "d1-r1.txt": whole("2"), "d1 (outside).txt": whole("x")}, doubles: 1, copies: 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l := &ledger{notes: promised}
			r, err := l.judge(t.Context(), question{Folders: []string{dir}})
			if err != nil {
				t.Fatal(err)
			}
			got := [...]int{len(r.Lost), len(r.Overwritten), len(r.Damaged), len(r.Litter), len(r.Doubles), r.Copies}
			if want := [...]int{c.lost, c.overwritten, c.damaged, c.litter, c.doubles, c.copies}; got != want {
				t.Errorf("lost, overwritten, damaged, left over, twice, copies: %v, want %v\n%v", got, want, r)
			}
		})
	}
}

// TestVersions: what is not whole is no version.
func TestVersions(t *testing.T) {
	for _, size := range []int{0, 60, 149, 150, 151, 1000, 20_001} {
		text := contents("apache/d0001.odt/7", size)
		if id, whole := versionOf(text); id != "apache/d0001.odt/7" || !whole {
			t.Errorf("%d: %q %v", size, id, whole)
		}
		if size > 200 && len(text) != size {
			t.Errorf("%d bytes instead of %d", len(text), size)
		}
		for _, cut := range []int{0, 1, 20, len(text) / 2, len(text) - 1} {
			if _, whole := versionOf(text[:cut]); whole {
				t.Errorf("%d of %d bytes are whole", cut, len(text))
			}
		}
		zeroed := strings.Repeat("\x00", len(text))
		if _, whole := versionOf([]byte(zeroed)); whole {
			t.Error("zeros are whole")
		}
	}
}
