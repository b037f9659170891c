package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/standins"
)

// ahead lets a test put a page's clock forward: self.ahead is by how many ms.
const ahead = `{ const now = Date.now.bind(Date); Date.now = () => now() + (self.ahead || 0); }`

func (w *Window) onNewPages(script string) {
	w.call("POST", "/goog/cdp/execute", map[string]any{"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": map[string]string{"source": script}}, nil)
}

// TestHostPageAroundOnlyOffice: it tells only that something was typed; that it is saved
// the page learns from the journal.
func TestHostPageAroundOnlyOffice(t *testing.T) {
	driver, editor := Start(t), standins.New(t, wopi.OnlyOffice, "docx")
	d := daemon.StartEmpty(t, "editors: ["+editor.URL+"]\n")
	d.Write("Bericht.docx", "one")
	d.Write("Berg.png", "\x89PNG and more")
	k := desk{driver.Open(t, 1200, 800, still), editor, newShots(t)}
	k.onNewPages(ahead)
	k.Go(d.Link)
	k.opens("Bericht.docx")
	k.Click("#mode") // View only
	k.state("reading")
	k.inside(func() { k.find("body[data-loaded]") })
	k.presses("edit") // the editor's own button: UI_Edit
	k.state("saved")
	k.inside(func() { k.find("body[data-loaded]") })
	k.types(control + end + release + ", two")
	k.Title("• Bericht.docx")
	k.state("unsaved")
	k.presses("save") // which docs_api_config allows
	k.state("saved")
	k.Sees("Saved at ")
	onDisk(k.Window, d, "Bericht.docx", "one, two")

	k.inside(func() {
		k.Type("#name", "Jahresbericht")
		k.Click("#rename")
	})
	k.Title("Jahresbericht.docx – ")
	k.presses("share")
	k.Until("the page of links in a tab of its own", func() bool { return k.windows() == 2 })
	k.presses("insert")
	k.inside(func() { k.find(`#doc[data-focus=blurred]`) })
	k.Run(`[...document.querySelectorAll('#pictures-list button')].find((b) => b.textContent.includes('Berg')).click()`, nil)
	k.inside(func() { k.find(`#doc[data-picture="13"]`); k.find(`#doc[data-focus=grabbed]`) })
	k.presses("saveas")
	onDisk(k.Window, d, "Copy of Jahresbericht.docx", "one, two")

	// It takes no new token, so the page asks for a fresh start in time. Its old one saves
	// for as long as it works.
	k.Run(`self.ahead = 9.8 * 3600000; document.dispatchEvent(new Event('visibilitychange'))`, nil)
	k.Sees("should load it again before")
	k.shots.take(k.Window, "46-host-ends")
	k.types(", three")
	k.presses("close")
	k.Sees("Sign out")
	k.Until("the save at the end", func() bool { return strings.Contains(d.Read("Jahresbericht.docx"), "three") })
	k.calm()
}

func TestHostPageAroundMicrosoft(t *testing.T) {
	driver, editor := Start(t), standins.New(t, wopi.Microsoft, "xlsx")
	d := daemon.StartEmpty(t, "editors: ["+editor.URL+"]\n")
	d.Write("Kasse.xlsx", "1")
	k := desk{driver.Open(t, 1200, 800), editor, newShots(t)}
	k.Go(d.Link)
	k.opens("Kasse.xlsx")
	k.types("2")
	k.state("unsaved")
	k.presses("save")
	k.state("saved")
	k.inside(func() {
		k.Type("#name", "Kasse 2026")
		k.Click("#rename")
	})
	k.Title("Kasse 2026.xlsx – ")

	// By the page's bar, under the editor's lock: it saves on to the new name.
	k.Click("#more summary")
	k.Click("#rename")
	k.Type("#ask-name", control+"a"+release+"Kasse & Co\n")
	k.Title("Kasse & Co.xlsx – ")
	k.Sees("The document is now called “Kasse & Co.xlsx”.")
	k.shots.take(k.Window, "56-host-renamed")
	k.types("3")
	k.presses("save")
	k.Until("the save at the new name", func() bool {
		b, err := os.ReadFile(filepath.Join(d.Dir, "Kasse & Co.xlsx"))
		return err == nil && len(b) == 3
	})
	k.Click("#more summary")
	k.Click("#rename")
	k.Type("#ask-name", control+"a"+release+"a/b\n")
	k.Sees("The document could not be renamed. A name cannot hold slashes")
	k.inside(func() {
		k.Type("#name", control+"a"+release+"Kasse 2026")
		k.Click("#rename")
	})
	k.Title("Kasse 2026.xlsx – ")
	k.presses("share")
	k.Until("the page of links in a tab of its own", func() bool { return k.windows() == 2 })
	k.presses("close")
	k.Sees("Kasse 2026.xlsx")
	if got := d.Read("Kasse 2026.xlsx"); len(got) != 3 {
		t.Errorf("on the disk is %q", got)
	}
	k.calm()
}
