package browser

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// TestTheFolderIsRenamedUnderAnOpenDocument: a document stays open in the text editor
// while somebody renames its folder on the disk, and then the document itself. Each save
// arrives where it is by then, under the same ID, and nothing is left where it was.
func TestTheFolderIsRenamedUnderAnOpenDocument(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		d := daemon.StartEmpty(t, "")
		renamedWhileOpen(t, d, d.Dir, d.Write)
	})
	t.Run("apache", func(t *testing.T) {
		s := upstream.Apache(t)
		d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, user: %q, password: %q}\nsign_in: {kind: link}\n", s.URL, s.User, s.Password))
		renamedWhileOpen(t, d, s.Dir, func(name, text string) { s.Write(t, name, text) })
	})
}

func renamedWhileOpen(t *testing.T, d *daemon.Daemon, folder string, write func(name, text string)) {
	driver := Start(t)
	shots := newShots(t)
	kind := path.Base(t.Name())
	write("Contracts/Offer.txt", "one\n")
	write("Contracts/Prices.txt", "a neighbour\n")
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(folder, from), filepath.Join(folder, to)); err != nil {
			t.Fatal(err)
		}
	}
	arrived := func(w *Window, name, want, old string) {
		t.Helper()
		w.Until(fmt.Sprintf("%q in %s", want, name), func() bool {
			text, err := os.ReadFile(filepath.Join(folder, name))
			return err == nil && string(text) == want
		})
		if _, err := os.Stat(filepath.Join(folder, old)); !os.IsNotExist(err) {
			t.Errorf("something is at %s: %v", old, err)
		}
	}

	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("Contracts")
	follow(w, "Contracts")
	w.Sees("Offer.txt")
	open(w, "Offer.txt")
	w.Sees("All changes saved")
	address := w.address()
	w.Type("#text", control+end+release+"two\n")
	shots.take(w, "30-"+kind+"-open")

	rename("Contracts", "Contracts 2026")
	w.Type("#text", control+"s"+release)
	w.Sees("Saved at")
	arrived(w, "Contracts 2026/Offer.txt", "one\ntwo\n", "Contracts")
	shots.take(w, "31-"+kind+"-saved-in-the-renamed-folder")

	rename("Contracts 2026/Offer.txt", "Contracts 2026/Offer, signed.txt")
	w.Type("#text", control+end+release+"three\n"+control+"s"+release)
	arrived(w, "Contracts 2026/Offer, signed.txt", "one\ntwo\nthree\n", "Contracts 2026/Offer.txt")
	if now := w.address(); now != address {
		t.Errorf("the document was opened at %s and is at %s now", address, now)
	}
	shots.take(w, "32-"+kind+"-saved-under-the-new-name")
	w.Click("#close")
	w.Frame("")
	w.Sees("Offer, signed.txt")
	shots.take(w, "33-"+kind+"-the-list")
	open(w, "Offer, signed.txt")
	w.Sees("three")
	if id, was := path.Base(w.address()), path.Base(address); id != was || len(id) != 26 {
		t.Errorf("opened from the list it has the ID %s, and had %s", id, was)
	}
	if got, err := os.ReadFile(filepath.Join(folder, "Contracts 2026/Prices.txt")); err != nil || string(got) != "a neighbour\n" {
		t.Errorf("the neighbour: %q, %v", got, err)
	}
	clean(t, w)
	entries, err := os.ReadDir(filepath.Join(folder, "Contracts 2026"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(e.Name(), ".DAV") && !strings.HasPrefix(e.Name(), ".~lock.Offer, signed") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// address is that of the page, without what comes after its path.
func (w *Window) address() string {
	w.t.Helper()
	var address string
	w.call("GET", "/url", nil, &address)
	address, _, _ = strings.Cut(address, "?")
	return address
}
