package idmap_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

// hardNames are names that people, programs and other systems give.
var hardNames = []string{
	"plain.txt", "a b.txt", "100%.txt", "%41.txt", "#1.txt", "a+b.txt", "a;b.txt", "a&b=c.txt", "what?.txt", "'quoted' \"twice\".txt",
	"[1] (2) {3}.txt", "\U0001F600 \U0001F469\u200D\U0001F4BB.txt", "trailing.", "trailing ", " leading.txt", "~$tilde.txt", "a,b@c!.txt",
	"Z\u00fcrich.txt", "Zu\u0308rich.txt", "\u65e5\u672c\u8a9e.txt", "readme.txt", "README.txt", "CON", "a:b|c*d<e>.txt", "..txt", "a..b",
	strings.Repeat("x", 140) + ".txt", strings.Repeat("\u00fc", 125) + "x.txt",
}

// oneForm are servers for which both forms of a letter are one.
var oneForm = map[string]bool{"rclone": true, "nextcloud": true, "nextcloud-plain": true}

// TestNames: on every server each name is a file of its own with an ID of its own, which
// is found by it, and follows it to the next name, on the disk. Names that a server
// refuses to show are left out.
func TestNames(t *testing.T) {
	servers := map[string]func(*testing.T) *shop{
		"real apache":   func(t *testing.T) *shop { return realShop(t, upstream.Apache(t)) },
		"real nginx":    func(t *testing.T) *shop { return shopOver(t, upstream.Nginx(t)) },
		"real lighttpd": func(t *testing.T) *shop { return realShop(t, upstream.Lighttpd(t)) },
		"real rclone":   func(t *testing.T) *shop { return shopOver(t, upstream.Rclone(t)) },
	}
	for _, p := range upstream.Presets() {
		servers[p.Name] = func(t *testing.T) *shop { return newShop(t, p) }
	}
	for name, start := range servers {
		if testing.Short() && !strings.HasPrefix(name, "real") && name != "nextcloud" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS != "linux" {
				t.Skip("other systems know fewer names")
			}
			t.Parallel()
			w := start(t)
			names := hardNames
			if oneForm[name] {
				names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "Zu\u0308rich.txt" })
			}
			for i, n := range names {
				w.server.Write(w, "d/"+n, strings.Repeat("x", i+1))
			}
			w.list("")
			ids := map[idmap.FileID]string{}
			shown := map[string]idmap.FileID{}
			for _, e := range w.entries("d") {
				if other, had := ids[e.ID]; had {
					t.Errorf("%q and %q have one ID", e.Name, other)
				}
				ids[e.ID], shown[e.Name] = e.Name, e.ID
				sum := sha256.Sum256([]byte(strings.Repeat("x", int(e.Revision.Size))))
				w.must(w.m.Hash(w.Context(), e.ID, e.Revision.Number, sum[:]))
			}
			t.Logf("%d of %d names", len(shown), len(names))
			if len(shown) < len(names)-2 {
				t.Errorf("only %d names are shown", len(shown))
			}
			for n, id := range shown {
				if got := w.where(id); got != "d/"+n {
					t.Errorf("%q is found at %q", n, got)
				}
				if e := w.see("d/" + n); e.ID != id {
					t.Errorf("%q has another ID when it is looked at", n)
				}
			}
			w.must(os.Rename(filepath.Join(w.server.Dir, "d"), filepath.Join(w.server.Dir, "e")))
			w.list("")
			for n, id := range shown {
				if got := w.where(id); got != "e/"+n {
					t.Errorf("in the renamed folder %q is found at %q", n, got)
				}
			}
		})
	}
}

// TestOneFileBySeveralNames: where the server takes upper and lower case, or both forms of
// a letter, for one, a file has one ID by whatever name it is asked for, a rename to
// another of these names keeps it, and where the server tells them apart they are two.
func TestOneFileBySeveralNames(t *testing.T) {
	ids := func(on bool) func(*upstream.Quirks) {
		return func(q *upstream.Quirks) {
			q.CaseIsSame, q.NFDIsNFC, q.TimeETags, q.NoResourceID = true, true, true, !on
		}
	}
	for _, c := range []struct {
		name        string
		set         func(*upstream.Quirks)
		first, then string
		one         bool
	}{
		{"upper case, no IDs", ids(false), "d/readme.txt", "d/README.txt", true},
		{"upper case, IDs", ids(true), "d/readme.txt", "d/README.txt", true},
		{"the folder's upper case, no IDs", ids(false), "d/readme.txt", "D/readme.txt", true},
		{"decomposed, no IDs", ids(false), "d/Z\u00fcrich.txt", "d/Zu\u0308rich.txt", true},
		{"decomposed, rclone", upstream.As("rclone"), "d/Z\u00fcrich.txt", "d/Zu\u0308rich.txt", true},
		{"decomposed, nextcloud", upstream.As("nextcloud"), "d/Z\u00fcrich.txt", "d/Zu\u0308rich.txt", true},
		{"told apart, copied with its time", upstream.As("apache"), "d/readme.txt", "d/README.txt", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newShop(t, upstream.Preset{Name: c.name, Set: c.set})
			id := w.opened(c.first)
			w.list("d")
			if !c.one {
				text, _ := w.server.Read(w, c.first)
				w.server.Write(w, c.then, text)
				w.must(sameTime(filepath.Join(w.server.Dir, c.first), filepath.Join(w.server.Dir, c.then)))
			}
			if e := w.see(c.then); (e.ID == id) != c.one {
				t.Errorf("one file: %v, by the other name %+v", c.one, e)
			}
			w.list("d")
			if got := w.where(id); got != c.first && !(c.one && got == c.then) {
				t.Errorf("found at %q", got)
			}
			if !c.one {
				return
			}
			if filepath.Dir(c.first) == filepath.Dir(c.then) {
				w.mv(c.first, c.then)
			}
			for _, e := range w.entries("d") {
				if e.Kind == idmap.File && e.ID != id {
					t.Errorf("after the rename %+v", e)
				}
			}
		})
	}
}

// entries lists a folder.
func (w *shop) entries(name string) []idmap.Entry {
	w.Helper()
	p, all := dav.Path("/"+name), []dav.Resource(nil)
	w.must(w.view.List(w.Context(), p, func(r dav.Resource) error { all = append(all, r); return nil }))
	entries, err := w.m.SeeAll(w.Context(), w.s, p, all, true, w.view)
	w.must(err)
	return entries
}
