package browser

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// shots keeps screenshots, numbered, in the folder DAVWOPI_SCREENSHOTS.
type shots struct {
	t   testing.TB
	dir string
}

func newShots(t testing.TB) shots {
	dir := os.Getenv("DAVWOPI_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return shots{t, dir}
}

// take keeps a picture, and lets axe-core look at the page, or at the frame in which the
// window is, in light and dark.
func (s shots) take(w *Window, name string) {
	s.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		w.wears(scheme)
		for _, f := range w.axe() {
			s.t.Errorf("%s, %s: %s", name, scheme, f)
		}
	}
	w.wears("")
	s.keep(w, name)
}

func (s shots) keep(w *Window, name string) {
	s.t.Helper()
	png := w.Screenshot()
	if !bytes.HasPrefix(png, []byte("\x89PNG")) || len(png) < 2000 {
		s.t.Errorf("%s: not a picture of a page (%d bytes)", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(s.dir, name+".png"), png, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

const (
	control = "\uE009"
	release = "\uE000"
	end     = "\uE010"
)

// clean fails the test if the browser complained: a policy that forbids what a
// page does, a script that broke. What a refused lock answers is logged too.
func clean(t *testing.T, w *Window) {
	t.Helper()
	for _, line := range w.Console() {
		if !strings.Contains(line, "status of 409") {
			t.Errorf("the browser complains: %s", line)
		}
	}
}

// follow clicks a name in the list.
func follow(w *Window, name string) {
	w.t.Helper()
	w.Run(`[...document.querySelectorAll('.name a')].find((a) => a.textContent === '`+name+`').click()`, nil)
}

func open(w *Window, name string) {
	w.t.Helper()
	follow(w, name)
	w.Frame("iframe[name=editor]")
}

func TestTheFirstFiveMinutes(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	shots := newShots(t)
	d.Write("Einkauf.txt", shopping)
	d.Write("Brief.docx", "not really")
	d.Write("Tabelle.ods", "x")
	d.Write("Vortrag.odp", "x")
	d.Write("Projekte/Plan.md", "# Plan\n")
	d.Write("Bilder/Urlaub.jpg", "x")
	d.Write("config.yaml", "a: 1\n")
	d.Write("Handbuch.pdf", "x")
	d.Write("Musik.mp3", "x")
	d.Write("Archiv.zip", "x")

	owner := driver.Open(t, 1200, 800)
	owner.Go(d.Link)
	owner.Sees("Einkauf.txt")
	owner.Sees("Projekte")
	shots.take(owner, "01-list")
	clean(t, owner)

	ownerWrites(t, d, owner, shots)

	guest := driver.Open(t, 1200, 800)
	guest.Go(d.Invite("Oma Jürgens"))
	guestReads(t, guest, shots)

	owner.Click("#close")
	owner.Frame("")
	owner.Sees("Einkauf.txt")
	guest.Click(".note button") // Try again
	guest.Sees("All changes saved")
	guest.Type("#text", control+end+release+"Sekt\n")
	guest.Click("#save")
	guest.Sees("Saved at")
	if got, want := d.Read("Einkauf.txt"), shopping+"Käse\r\nSekt\r\n"; got != want {
		t.Fatalf("on the disk is %q, want %q", got, want)
	}
	guest.Click("#close")
	guest.Frame("")
	guest.Sees("Sign out")
	clean(t, guest)
}

// shopping is the file at first: with a byte order mark and CRLF, which stay.
const shopping = "\ufeffEier\r\nMilch\r\nBrötchen\r\n"

func ownerWrites(t *testing.T, d *daemon.Daemon, owner *Window, shots shots) {
	t.Helper()
	open(owner, "Einkauf.txt")
	owner.Sees("All changes saved")
	owner.Sees("UTF-8 with BOM · CRLF")
	owner.Type("#text", control+end+release+"Käse\n")
	owner.Sees("Unsaved changes")
	owner.Frame("")
	owner.Title("• Einkauf.txt")
	owner.Frame("iframe[name=editor]")
	shots.take(owner, "02-typed")
	owner.Type("#text", control+"s"+release)
	owner.Sees("Saved at")
	if got, want := d.Read("Einkauf.txt"), shopping+"Käse\r\n"; got != want {
		t.Fatalf("on the disk is %q, want %q", got, want)
	}
	clean(t, owner)
}

func guestReads(t *testing.T, guest *Window, shots shots) {
	t.Helper()
	guest.Sees("Einkauf.txt")
	guest.Sees("Sign out")
	shots.take(guest, "03-list-held")
	ownerName := ""
	guest.Run(`return document.querySelector('.chip').textContent`, &ownerName)
	if ownerName == "" {
		t.Error("the list does not say who holds the file")
	}
	open(guest, "Einkauf.txt")
	guest.Sees(ownerName + " is editing this file")
	guest.Sees("Käse")
	var readOnly bool
	guest.Run(`return document.getElementById('text').readOnly && document.getElementById('save').disabled`, &readOnly)
	if !readOnly {
		t.Error("the second person can type")
	}
	shots.take(guest, "04-read-only")
	clean(t, guest)
}

func TestReloadAndTheSamePersonElsewhere(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	shots := newShots(t)
	d.Write("notes.txt", "one\n")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("notes.txt")
	open(w, "notes.txt")
	w.Sees("All changes saved")

	// A reload goes on editing: it takes over its own lock.
	w.Frame("")
	w.call("POST", "/refresh", nil, nil)
	w.Frame("iframe[name=editor]")
	w.Sees("All changes saved")
	w.Type("#text", control+end+release+"two\n"+control+"s"+release)
	w.Sees("Saved at")

	// A second tab of the same person is offered to take over.
	var first string
	w.call("GET", "/window", nil, &first)
	var address string
	w.Frame("")
	w.call("GET", "/url", nil, &address)
	var second struct{ Handle string }
	w.call("POST", "/window/new", map[string]string{"type": "tab"}, &second)
	w.call("POST", "/window", map[string]string{"handle": second.Handle}, nil)
	w.Go(address)
	w.Frame("iframe[name=editor]")
	w.Sees("You have this file open in another tab or window.")
	shots.take(w, "05-take-over")
	w.Click(".note button")
	w.Sees("All changes saved")
	w.Type("#text", control+end+release+"three\n"+control+"s"+release)
	w.Sees("Saved at")
	w.call("POST", "/window", map[string]string{"handle": first}, nil)
	w.Frame("iframe[name=editor]")
	w.Sees("You have taken this file over in another tab or window.")
	if got := d.Read("notes.txt"); got != "one\ntwo\nthree\n" {
		t.Fatalf("on the disk is %q", got)
	}
}

func TestChangedOutside(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	shots := newShots(t)
	d.Write("list.txt", "one\n")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("list.txt")
	open(w, "list.txt")
	w.Sees("All changes saved")
	w.Type("#text", control+end+release+"mine\n")
	d.Write("list.txt", "theirs\n")
	w.Type("#text", control+"s"+release)
	w.Sees("This file was changed meanwhile")
	shots.take(w, "06-changed-outside")
	if got := d.Read("list.txt"); got != "theirs\n" {
		t.Fatalf("the other version was overwritten with %q", got)
	}
	w.Click("#ask-choices button:first-child") // overwrite with my version
	w.Sees("Saved at")
	if got := d.Read("list.txt"); got != "one\nmine\n" {
		t.Fatalf("on the disk is %q", got)
	}
}

func TestFilesThatAreNotPlainText(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	d.Write("latin.txt", "caf\xe9\n")
	d.Write("binary.txt", "a\x00b")
	d.Write("empty.txt", "")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("latin.txt")
	var list string
	w.call("GET", "/url", nil, &list)
	for name, words := range map[string]string{"latin.txt": "not stored as UTF-8", "binary.txt": "contains binary data"} {
		w.Go(list)
		open(w, name)
		w.Sees(words)
		w.Sees("Read-only")
	}
	w.Go(list)
	open(w, "empty.txt")
	w.Sees("All changes saved")
	w.Type("#text", "first"+control+"s"+release)
	w.Sees("Saved at")
	if got := d.Read("empty.txt"); got != "first" {
		t.Errorf("on the disk is %q", got)
	}
	if d.Read("latin.txt") != "caf\xe9\n" || d.Read("binary.txt") != "a\x00b" {
		t.Error("a file that is only shown was changed")
	}
}

func TestClosingAndLeavingWithUnsavedText(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	shots := newShots(t)
	d.Write("draft.txt", "one\n")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("draft.txt")
	var list string
	w.call("GET", "/url", nil, &list)
	open(w, "draft.txt")
	w.Sees("All changes saved")
	w.Type("#text", control+end+release+"two\n")
	w.Click("#close")
	w.Sees("Save before closing?")
	shots.take(w, "09-close")
	w.Click("#ask-choices button:last-child") // go on editing
	w.Frame("")
	w.Go(list) // the browser's own question is answered with leaving
	w.Sees("Sign out")
	open(w, "draft.txt")
	w.Sees("There is text that you typed here and did not save.")
	w.Click(".note button") // put it back
	w.Sees("two")
	w.Click("#close")
	w.Click("#ask-choices button") // save and close
	w.Frame("")
	w.Sees("Sign out")
	if got := d.Read("draft.txt"); got != "one\ntwo\n" {
		t.Fatalf("on the disk is %q", got)
	}
}
