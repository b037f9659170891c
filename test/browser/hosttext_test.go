package browser

import (
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/standins"
)

// TestHostPageAroundTheTextEditor: rename, copy, read and edit, by the page's bar.
func TestHostPageAroundTheTextEditor(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	d.Write("Notizen.txt", "one\n")
	k := desk{driver.Open(t, 1200, 800), nil, newShots(t)}
	k.Go(d.Link)
	k.Sees("Notizen.txt")
	follow(k.Window, "Notizen.txt")
	k.state("saved")
	k.inside(func() { k.Type("#text", control+end+release+"two\n") })
	k.state("unsaved")

	k.Click("#more summary")
	k.Click("#rename")
	k.Sees("New name")
	k.Type("#ask-name", control+"a"+release+"Übersicht (+ neu)\n")
	k.Title("• Übersicht (+ neu).txt – ")
	onDisk(k.Window, d, "Übersicht (+ neu).txt", "one\n")
	k.Click("#save")
	onDisk(k.Window, d, "Übersicht (+ neu).txt", "one\ntwo\n")
	k.Click("#more summary")
	k.Click("#rename")
	k.Type("#ask-name", control+"a"+release+"a/b\n")
	k.inside(func() { k.Sees("The file could not be renamed") })

	k.Click("#more summary")
	k.Click("#copy")
	k.Type("#ask-name", control+"a"+release+"Kopie.txt\n")
	k.Sees("A copy was saved as “Kopie.txt”.")
	k.shots.take(k.Window, "53-host-text-copied")
	onDisk(k.Window, d, "Kopie.txt", "one\ntwo\n")

	k.Click("#mode") // View only
	k.state("reading")
	k.inside(func() {
		k.Sees("You are reading this file.")
		k.Click(".note button") // Edit
	})
	k.state("saved")
	k.inside(func() { k.Type("#text", control+end+release+"three\n") })
	k.state("unsaved")
	k.Click("#back") // asks first
	k.inside(func() {
		k.Sees("Save before closing?")
		k.Click("#ask-choices button:first-child")
	})
	k.Sees("Sign out")
	onDisk(k.Window, d, "Übersicht (+ neu).txt", "one\ntwo\nthree\n")
	k.calm()
}

// TestSomebodyElseHasTheDocument in another program: it can only be read, the page says
// who has it, and that it is free again.
func TestSomebodyElseHasTheDocument(t *testing.T) {
	driver, cool, other := Start(t), standins.New(t, wopi.Collabora, "odt"), standins.New(t, wopi.OnlyOffice, "odt")
	d := daemon.StartEmpty(t, "editors: ["+cool.URL+", "+other.URL+"]\n")
	d.Write("Plan.odt", "a plan")
	held := d.Open("-user", "Großmutter Müller", "-editor", other.URL, "/Plan.odt")
	hers := office.Client{WOPISrc: held.WOPISrc, AccessToken: held.AccessToken, Office: wopi.OnlyOffice}
	if a, err := other.Client(&hers).Lock(t.Context(), "hers"); err != nil || a.Status != 200 {
		t.Fatal(a, err)
	}
	k := desk{driver.Open(t, 1200, 800), cool, newShots(t)}
	k.Go(d.Link)
	k.Sees("Plan.odt")
	follow(k.Window, "Plan.odt")
	k.contains("Großmutter Müller has had this document open since", "in another program, so it can only be read for now.")
	k.state("reading")
	k.shots.take(k.Window, "54-host-read-only")
	k.inside(func() { k.find("#doc[readonly]") })
	if a, err := other.Client(&hers).Unlock(t.Context(), "hers"); err != nil || a.Status != 200 {
		t.Fatal(a, err)
	}
	k.looksNow()
	k.Sees("Nobody else has this document open any more.")
	k.Click("[data-key=holder] button")
	k.state("saved")
	k.inside(func() { k.find("#doc:not([readonly])") })
	k.calm()
}

// TestTheBarOnAPhone: everything is there, in the menu, and nothing is wider than the screen,
// also in German, whose words are longer.
func TestTheBarOnAPhone(t *testing.T) {
	driver, editor := Start(t), standins.New(t, wopi.Collabora, "odt")
	d := daemon.StartEmpty(t, "editors: ["+editor.URL+"]\n")
	name := strings.TrimSuffix(longName, ".txt") + ".odt"
	d.Write(name, "text")
	e := eye{driver.Open(t, 320, 640, append([]string{"--accept-lang=de"}, dark...)...), newShots(t), looks[3]}
	k := desk{e.w, editor, e.shots}
	k.Go(d.Link)
	k.opens(name)
	k.types("x")
	k.state("unsaved")
	e.sees("Ungespeichert", "host")
	k.Click("#more summary")
	e.sees("Nur lesen", "host-menu")
	d.Write(name, "by another program")
	k.Click("#save")
	e.sees("Andere haben dieses Dokument geändert", "host-conflict")
	k.Click("#conflict .primary")
	k.presses("overwrite")
	k.state("saved")
	k.Click("#more summary")
	k.Click("#copy")
	e.sees("Name der Kopie", "host-save-as")
	k.Click("#ask button[formnovalidate]")
	k.Click("#back")
	k.Sees("Abmelden")
	k.calm()
}
