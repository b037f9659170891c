package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/standins"
)

// A desk is a person at a host page, with an editor's stand-in in its frame.
type desk struct {
	*Window
	editor *standins.Editor
	shots  shots
}

// opens follows a name in the list and waits until the document is there.
func (k desk) opens(name string) {
	k.t.Helper()
	k.Sees(name)
	follow(k.Window, name)
	k.inside(func() { k.find("body[data-loaded]") })
	k.state("saved")
}

// inside works in the frame.
func (k desk) inside(work func()) {
	k.t.Helper()
	k.Frame("iframe[name=editor]")
	work()
	k.Frame("")
}

func (k desk) types(text string) {
	k.t.Helper()
	k.inside(func() { k.Type("#doc", text) })
}

func (k desk) presses(button string) {
	k.t.Helper()
	k.inside(func() { k.Click("#" + button) })
}

// state waits until the bar shows one of its states, and returns what it says.
func (k desk) state(want string) string {
	k.t.Helper()
	k.find(fmt.Sprintf("#state[data-state=%s]", want))
	var said string
	k.Run(`return document.getElementById('state').innerText.trim()`, &said)
	return said
}

func (k desk) contains(parts ...string) {
	k.t.Helper()
	for _, part := range parts {
		k.Sees(part)
	}
}

// onDisk waits until a file of the served folder holds text.
func onDisk(w *Window, d *daemon.Daemon, name, want string) {
	w.t.Helper()
	w.Until(fmt.Sprintf("%q in %s", want, name), func() bool {
		b, err := os.ReadFile(filepath.Join(d.Dir, name))
		return err == nil && string(b) == want
	})
}

// beside finds the one file of the served folder whose name has all parts.
func beside(t *testing.T, d *daemon.Daemon, parts ...string) string {
	t.Helper()
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, e := range entries {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(e.Name(), p)
		}
		if all && found != "" {
			t.Errorf("%s and %s", found, e.Name())
		}
		if all {
			found = e.Name()
		}
	}
	if found == "" {
		t.Fatalf("no file with %q in its name: %v", parts, entries)
	}
	return found
}

// windows is how many tabs and windows there are; the further ones are closed.
func (k desk) windows() int {
	k.t.Helper()
	var here string
	var all []string
	k.call("GET", "/window", nil, &here)
	k.call("GET", "/window/handles", nil, &all)
	for _, other := range all {
		if other != here {
			k.call("POST", "/window", map[string]string{"handle": other}, nil)
			k.call("DELETE", "/window", nil, nil)
		}
	}
	k.call("POST", "/window", map[string]string{"handle": here}, nil)
	return len(all)
}

// calm fails the test if the browser complained of a policy or a script.
func (k desk) calm() {
	k.t.Helper()
	for _, line := range k.Console() {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "Uncaught") || strings.Contains(line, "postMessage") {
			k.t.Errorf("the browser complains: %s", line)
		}
	}
}

// TestHostPageAroundCollabora: open, type, save, rename, put in a picture, share, save as, close.
func TestHostPageAroundCollabora(t *testing.T) {
	driver, editor := Start(t), standins.New(t, wopi.Collabora, "odt")
	d := daemon.StartEmpty(t, "editors: ["+editor.URL+"]\n")
	d.Write("Brief.odt", "Hallo")
	d.Write("Bilder/Berg.png", "\x89PNG and more")
	d.Write("Bilder/Notiz.txt", "no picture")
	k := desk{driver.Open(t, 1200, 800), editor, newShots(t)}
	k.Go(d.Link)
	k.opens("Brief.odt")
	k.types(control + end + release + ", Welt")
	k.Title("• Brief.odt")
	if said := k.state("unsaved"); said != "Not saved yet" {
		t.Errorf("the bar says %q", said)
	}
	k.shots.take(k.Window, "40-host-unsaved")
	k.Click("#save")
	k.state("saved")
	k.Sees("Saved at ")
	onDisk(k.Window, d, "Brief.odt", "Hallo, Welt")
	k.shots.take(k.Window, "41-host-saved")

	k.inside(func() {
		k.Type("#name", "Brief an Jörg")
		k.Click("#rename")
	})
	k.Title("Brief an Jörg.odt – ")
	onDisk(k.Window, d, "Brief an Jörg.odt", "Hallo, Welt")

	k.presses("insert")
	k.contains("Put in a picture", "Bilder")
	k.Click("#pictures-list li:nth-last-child(1) button")
	k.Sees("Berg.png")
	k.shots.take(k.Window, "42-host-picture")
	k.Run(`[...document.querySelectorAll('#pictures-list button')].find((b) => b.textContent.includes('Berg')).click()`, nil)
	k.inside(func() { k.find(`#doc[data-picture="13"]`) })

	k.Click("#more summary")
	k.shots.take(k.Window, "43-host-menu")
	k.Click("#more summary")
	k.presses("history")
	k.Until("the document's page in a tab of its own", func() bool { return k.windows() == 2 })

	k.presses("saveas")
	k.Sees("Save a copy")
	k.shots.take(k.Window, "44-host-save-as")
	k.Type("#ask-name", control+"a"+release+"Zweite Fassung.odt\n")
	k.Title("Zweite Fassung.odt – ")
	k.inside(func() { k.find("body[data-loaded]") })
	if d.Read("Zweite Fassung.odt") != "Hallo, Welt" || d.Read("Brief an Jörg.odt") != "Hallo, Welt" {
		t.Error("the copy or the document is not as it was")
	}
	k.types("!")
	k.presses("close")
	k.Sees("Sign out")
	k.Until("the save at the end", func() bool { return strings.Contains(d.Read("Zweite Fassung.odt"), "!") })
	k.calm()
}

// TestTwoPeopleInOneDocument see each other, and each other's words.
func TestTwoPeopleInOneDocument(t *testing.T) {
	driver, editor := Start(t), standins.New(t, wopi.Collabora, "odt")
	d := daemon.StartEmpty(t, "editors: ["+editor.URL+"]\n")
	d.Write("Liste.odt", "one ")
	anna := desk{driver.Open(t, 1200, 800), editor, newShots(t)}
	anna.Go(d.Link)
	anna.opens("Liste.odt")
	ben := desk{driver.Open(t, 1200, 800), editor, newShots(t)}
	ben.Go(d.Invite("Ben Müller"))
	ben.opens("Liste.odt")
	ben.Sees("has this document open too. You can work on it together.")
	anna.Sees("with Ben Müller")
	anna.types(control + end + release + "two ")
	ben.Title("• Liste.odt")
	ben.inside(func() { ben.Sees("one two") })
	ben.types(control + end + release + "three")
	anna.inside(func() { anna.Sees("one two three") })
	anna.shots.take(anna.Window, "45-host-together")
	ben.Click("#save")
	anna.state("saved")
	onDisk(anna.Window, d, "Liste.odt", "one two three")
	anna.types("! ")
	anna.Click("#back")
	anna.Sees("Sign out")
	if saves := editor.Saves(); len(saves) != 1 {
		t.Errorf("saved while Ben still works in it: %+v", saves)
	}
	ben.Click("#back")
	ben.Sees("Sign out")
	ben.Until("the save at the end", func() bool { return len(editor.Saves()) == 2 && editor.Saves()[1].Exit })
	anna.calm()
	ben.calm()
}
