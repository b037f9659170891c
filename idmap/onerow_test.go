package idmap_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/test/upstream"
)

// placesIn are the rows of all places, but for when they were seen.
func placesIn(t *testing.T, db *sqldb.DB) map[string]bool {
	t.Helper()
	rows, err := db.Read().Query(t.Context(), `SELECT parent, space, name, waiting, resource, missing FROM idmap_place`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]bool{}
	for rows.Next() {
		var parent, space, waiting, resource, missing int64
		var name string
		if err := rows.Scan(&parent, &space, &name, &waiting, &resource, &missing); err != nil {
			t.Fatal(err)
		}
		all[fmt.Sprintf("%d below %d of %d is %q, gave way %v, missing %v", resource, parent, space, name, waiting != 0, missing != 0)] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRenameOfAFolderIsOneRow: by ourselves or behind our back, whatever lies below it.
func TestRenameOfAFolderIsOneRow(t *testing.T) {
	for _, preset := range append([]upstream.Preset{{Name: "strict", Set: func(*upstream.Quirks) {}}}, upstream.Presets()...) {
		for _, moved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, moved %v", preset.Name, moved), func(t *testing.T) {
				t.Parallel()
				w := newShop(t, preset)
				for _, name := range []string{"f/a.txt", "f/b.txt", "f/sub/c.txt", "f/sub/d.txt", "f/sub/sub/e.txt"} {
					w.opened(name)
				}
				w.must(os.Mkdir(filepath.Join(w.server.Dir, "g"), 0o777))
				for _, dir := range []string{"", "g", "f", "f/sub", "f/sub/sub"} {
					w.list(dir)
				}
				to, above := "h", ""
				if moved {
					to, above = "g/f", "g"
				}
				before := placesIn(t, w.m.DB)
				w.mv("f", to)
				w.list(above)
				changed := difference(placesIn(t, w.m.DB), before)
				if len(changed) != 1 {
					t.Errorf("behind our back: %d rows: %q", len(changed), changed)
				}
				e := w.see(to)
				before = placesIn(t, w.m.DB)
				w.mv(to, "z")
				res, err := w.view.Stat(t.Context(), "/z")
				w.must(err)
				_, err = w.m.Moved(t.Context(), w.s, e.ID, "/z", res)
				w.must(err)
				if changed := difference(placesIn(t, w.m.DB), before); len(changed) != 1 {
					t.Errorf("by ourselves: %d rows: %q", len(changed), changed)
				}
			})
		}
	}
}

func difference(now, before map[string]bool) []string {
	for row := range before {
		delete(now, row)
	}
	return slices.Sorted(maps.Keys(now))
}
