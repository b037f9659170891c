package browser

import (
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/standins"
)

// TestOthersChangeTheDocument under each editor: the page shows both versions, and nothing
// is overwritten but by the person's word.
func TestOthersChangeTheDocument(t *testing.T) {
	driver := Start(t)
	cool, only, office := standins.New(t, wopi.Collabora, "odt"), standins.New(t, wopi.OnlyOffice, "docx"), standins.New(t, wopi.Microsoft, "xlsx")
	d := daemon.StartEmpty(t, "editors: ["+cool.URL+", "+only.URL+", "+office.URL+"]\n")
	for _, name := range []string{"a.odt", "b.docx", "c.xlsx", "d.txt"} {
		d.Write(name, "old")
	}
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("a.odt")
	// clash changes the document here and elsewhere, and saves.
	clash := func(k desk, name string) {
		t.Helper()
		k.Go(d.URL + "/")
		k.opens(name)
		k.types(control + end + release + " and mine")
		k.state("unsaved")
		d.Write(name, "by another program")
		k.presses("save")
		k.inside(func() {
			k.Until("an answer", func() bool {
				var said string
				k.Run(`return document.getElementById('status').textContent`, &said)
				return said != "" && said != "saving"
			})
		})
		k.looksNow()
		k.contains("Others have changed this document", "Nothing was overwritten", "changed by another program on Documents", "saved by you", "conflict Owner", "18 B", "12 B", "Look at it")
		if got := d.Read(name); got != "by another program" {
			t.Fatalf("%s was overwritten with %q", name, got)
		}
	}

	t.Run("collabora", func(t *testing.T) {
		k := desk{w, cool, newShots(t)}
		clash(k, "a.odt")
		k.Sees("asks you in a moment")
		k.shots.take(w, "50-conflict-collabora")
		k.Click("#conflict .primary") // Keep both
		k.presses("overwrite")
		k.state("saved")
		onDisk(w, d, "a.odt", "old and mine")
		if got := d.Read(beside(t, d, "a (outside", ".odt")); got != "by another program" {
			t.Errorf("the other version is kept as %q", got)
		}
	})
	t.Run("onlyoffice", func(t *testing.T) {
		k := desk{w, only, newShots(t)}
		clash(k, "b.docx")
		k.Sees("What you save from now on goes into your copy")
		k.inside(func() { k.find(`#doc[data-focus=blurred]`) })
		k.shots.take(w, "51-conflict-onlyoffice")
		k.Click("#conflict .primary")
		k.inside(func() { k.find(`#doc[data-focus=grabbed]`) })
		k.presses("close")
		w.Sees("Sign out")
		if got := d.Read(beside(t, d, "b (conflict Owner", ".docx")); got != "old and mine" {
			t.Errorf("the copy holds %q", got)
		}
	})
	t.Run("microsoft", func(t *testing.T) {
		k := desk{w, office, newShots(t)}
		clash(k, "c.xlsx")
		k.Click("#conflict-copy") // Go on with my copy
		k.Title("c (conflict Owner")
		k.inside(func() { k.find("body[data-loaded]"); k.Sees("old and mine") })
	})
	t.Run("text", func(t *testing.T) {
		k := desk{w, nil, newShots(t)}
		k.Go(d.URL + "/")
		k.Sees("d.txt")
		open(w, "d.txt")
		k.Sees("All changes saved")
		k.Type("#text", control+end+release+" and mine")
		d.Write("d.txt", "by another program")
		k.Type("#text", control+"s"+release)
		k.contains("This file was changed meanwhile", "by another program on Documents", "18 bytes", "12 bytes", "conflict Owner")
		k.Run(`[...document.querySelectorAll('#ask-choices button')].find((b) => b.textContent.startsWith('Keep both')).click()`, nil)
		k.contains("Your version is kept as", "by another program")
		k.shots.take(w, "52-conflict-text-both")
		if got := d.Read(beside(t, d, "d (conflict Owner", ".txt")); got != "old and mine" {
			t.Errorf("the copy holds %q", got)
		}
		k.Click("#close")
		k.Frame("")
		k.Sees("Sign out")
	})
	for _, e := range []*standins.Editor{cool, only, office} {
		for _, s := range e.Saves() {
			if strings.Contains(s.Text, "by another program") {
				t.Errorf("%s saved what others wrote: %+v", e.Kind, s)
			}
		}
	}
}
