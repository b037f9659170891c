package browser

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/test/daemon"
	"davwopi/test/docserver"
)

// docsDaemon is a daemon whose editor is a document server without WOPI.
func docsDaemon(t *testing.T, ds *docserver.Server) *daemon.Daemon {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(secret, []byte(docserver.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return daemon.StartEmpty(t, "editors:\n  - url: "+ds.URL+"\n    name: Docs\n    jwt_secret_file: "+secret+"\n")
}

// inDocs goes into the frame of the editor.
func inDocs(w *Window) {
	w.t.Helper()
	w.Frame("")
	w.Frame("iframe[name=frameEditor]")
}

// heard waits for a call of a method of the editor's and decodes its argument.
func heard(w *Window, method string, into any) {
	w.t.Helper()
	inDocs(w)
	var line string
	w.Until(method, func() bool {
		for l := range strings.Lines(w.Text()) {
			if rest, ok := strings.CutPrefix(l, method+" "); ok {
				line = rest
				return true
			}
		}
		return false
	})
	if err := json.Unmarshal([]byte(line), into); err != nil {
		w.t.Fatalf("%s %s: %v", method, line, err)
	}
}

// pageConfig is the configuration that the page has given to the editor.
func pageConfig(w *Window) []byte {
	w.t.Helper()
	w.Frame("")
	var text string
	w.Run(`return JSON.stringify(JSON.parse(document.getElementById('data').textContent).docs.config)`, &text)
	return []byte(text)
}

// reloads demands that a click makes the page anew.
func reloads(w *Window, button string) {
	w.t.Helper()
	w.Frame("")
	w.Run(`window.old = true`, nil)
	inDocs(w)
	w.Click(button)
	w.Frame("")
	w.Until("a reload", func() bool {
		var old bool
		return w.try(http.MethodPost, "/execute/sync", map[string]any{"script": "return Boolean(window.old)", "args": []any{}}, &old) == nil && !old
	})
	inDocs(w)
	w.Sees("edit as")
}

func TestTheDocsAPI(t *testing.T) {
	driver := Start(t)
	ds := docserver.Start(t, nil)
	d := docsDaemon(t, ds)
	shots := newShots(t)
	d.Write("Brief.docx", "one")
	d.Write("Bild.png", "\x89PNG\r\n")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("Brief.docx")
	follow(w, "Brief.docx")
	inDocs(w)
	w.Sees("edit as")
	w.Sees("desktop, shard true")
	shots.take(w, "40-docs")

	var config struct {
		EditorConfig struct {
			CreateURL string
			Recent    []struct{ Title, URL string }
		}
	}
	if err := json.Unmarshal(pageConfig(w), &config); err != nil || !strings.HasPrefix(config.EditorConfig.CreateURL, d.URL+"/folder/") || !strings.HasSuffix(config.EditorConfig.CreateURL, "/new?kind=docx") {
		t.Errorf("createUrl %q, %v", config.EditorConfig.CreateURL, err)
	}

	// An editing by the same configuration, so that there is somebody, and a version.
	e, err := ds.Open(pageConfig(w))
	if err != nil || e.Content != "one" {
		t.Fatalf("%+v, %v", e, err)
	}
	inDocs(w)
	w.Click("#onRequestUsers")
	var users struct {
		C     string
		Users []struct{ ID, Name string }
	}
	heard(w, "setUsers", &users)
	if users.C != "info" || len(users.Users) != 1 || users.Users[0].ID != e.ID || users.Users[0].Name == "" {
		t.Errorf("users: %+v", users)
	}

	w.Click("#onRequestRename")
	w.Frame("")
	w.Title("Renamed in the editor.docx")
	if got := d.Read("Renamed in the editor.docx"); got != "one" {
		t.Errorf("after renaming: %q", got)
	}
	w.Until("the new title with the editors", func() bool { return ds.Title(e.Key) == "Renamed in the editor.docx" })

	inDocs(w)
	w.Click("#onRequestSaveAs")
	w.Frame("")
	w.Sees("A copy was saved as “Copy.docx”.")
	shots.take(w, "41-docs-copy")
	if got := d.Read("Copy.docx"); got != "a copy" {
		t.Errorf("the copy: %q", got)
	}

	docsPicture(t, w, ds, shots)

	e.Type("two")
	if told, err := e.Close(); err != nil || told.Answer != 0 {
		t.Fatalf("%+v, %v", told, err)
	}
	if got := d.Read("Renamed in the editor.docx"); got != "two" {
		t.Fatalf("on the disk is %q", got)
	}
	reloads(w, "#onOutdatedVersion")
	docsHistory(t, w, ds, d)

	inDocs(w)
	w.Click("#onDocumentStateChange")
	w.Frame("")
	w.Title("• Renamed in the editor.docx")
	inDocs(w)
	w.Click("#onError")
	w.Frame("")
	w.Sees("Docs says: Download failed.")
	shots.take(w, "42-docs-fault")
	inDocs(w)
	w.Click("#onRequestClose")
	w.Frame("")
	w.Sees("Sign out")
	follow(w, "Copy.docx")
	inDocs(w)
	w.Sees("edit as")
	if err := json.Unmarshal(pageConfig(w), &config); err != nil || len(config.EditorConfig.Recent) != 1 || config.EditorConfig.Recent[0].Title != "Renamed in the editor.docx" {
		t.Errorf("recent %+v, %v", config.EditorConfig.Recent, err)
	}
	inDocs(w)
	w.Click("#onRequestClose")
	w.Frame("")
	w.Sees("Sign out")
	w.Sees("Bild.png")
	clean(t, w)
}

// docsPicture puts a picture into the document.
func docsPicture(t *testing.T, w *Window, ds *docserver.Server, shots shots) {
	t.Helper()
	inDocs(w)
	w.Click("#onRequestInsertImage")
	w.Frame("")
	w.Sees("Bild.png")
	shots.take(w, "43-docs-picture")
	w.Click("#pictures-list button:has(use[href='#k-image'])")
	var image struct {
		C      string
		Images []struct{ FileType, URL string }
		Token  string
	}
	heard(w, "insertImage", &image)
	if image.C != "add" || len(image.Images) != 1 || image.Images[0].FileType != "png" || image.Token == "" {
		t.Fatalf("%+v", image)
	}
	if got, err := ds.Download(image.Images[0].URL); err != nil || got != "\x89PNG\r\n" {
		t.Errorf("the picture: %q, %v", got, err)
	}
}

// docsHistory looks at an old version, and puts it back.
func docsHistory(t *testing.T, w *Window, ds *docserver.Server, d *daemon.Daemon) {
	t.Helper()
	inDocs(w)
	w.Click("#onRequestHistory")
	var history struct {
		CurrentVersion int
		History        []struct {
			Version      int
			Key, Created string
		}
	}
	heard(w, "refreshHistory", &history)
	if history.CurrentVersion != 2 || len(history.History) != 2 || history.History[0].Key == history.History[1].Key || history.History[0].Created == "" {
		t.Fatalf("%+v", history)
	}
	w.Click("#onRequestHistoryData")
	var old struct {
		Version                   int
		Key, URL, FileType, Token string
	}
	heard(w, "setHistoryData", &old)
	if old.Version != 1 || old.Key != history.History[0].Key || old.FileType != "docx" || old.Token == "" {
		t.Fatalf("%+v", old)
	}
	if got, err := ds.Download(old.URL); err != nil || got != "one" {
		t.Errorf("the old version: %q, %v", got, err)
	}
	reloads(w, "#onRequestHistoryClose")
	reloads(w, "#onRequestRestore")
	if got := d.Read("Renamed in the editor.docx"); got != "one" {
		t.Errorf("after restoring: %q", got)
	}
}

func TestADocsEditingThatOthersHaveChanged(t *testing.T) {
	driver := Start(t)
	ds := docserver.Start(t, nil)
	d := docsDaemon(t, ds)
	shots := newShots(t)
	d.Write("Brief.docx", "one")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("Brief.docx")
	follow(w, "Brief.docx")
	inDocs(w)
	w.Sees("edit as")
	e, err := ds.Open(pageConfig(w))
	if err != nil {
		t.Fatal(err)
	}
	d.Write("Brief.docx", "theirs, meanwhile")
	e.Type("mine")
	if told, err := e.Save(); err != nil || told.Answer != 0 {
		t.Fatalf("%+v, %v", told, err)
	}
	w.Frame("")
	w.Run(`dispatchEvent(new Event('online'))`, nil) // as if the 15 seconds were over
	w.Sees("Others have changed this document")
	w.Sees("(conflict Owner")
	shots.take(w, "48-docs-conflict")
	if got := d.Read("Brief.docx"); got != "theirs, meanwhile" {
		t.Errorf("the other version was overwritten with %q", got)
	}
	clean(t, w)
}

func TestADocsEditorThatIsReadOnlyOrGone(t *testing.T) {
	driver := Start(t)
	ds := docserver.Start(t, nil)
	d := docsDaemon(t, ds)
	shots := newShots(t)
	d.Write("Brief.docx", "one")
	w := driver.Open(t, 400, 800, "--user-agent=Mozilla/5.0 (Linux; Android 15) Mobile")
	w.Go(d.Link)
	w.Sees("Brief.docx")
	follow(w, "Brief.docx")
	inDocs(w)
	w.Sees("edit as")
	w.Sees("mobile, shard true")
	shots.take(w, "44-docs-phone")
	w.Frame("")
	var address string
	w.call(http.MethodGet, "/url", nil, &address)
	w.Go(strings.Replace(address, "/edit/", "/view/", 1))
	inDocs(w)
	w.Sees("view as")
	w.Frame("")
	w.Sees("Read only")
	ds.Down(true)
	w.Go(address)
	w.Sees("Docs has not answered yet.")
	shots.take(w, "45-docs-down")
}

func TestOlderFormatsAreConverted(t *testing.T) {
	driver := Start(t)
	ds := docserver.Start(t, func(s *docserver.Server) { s.Slow = 2 })
	d := docsDaemon(t, ds)
	shots := newShots(t)
	d.Write("Alt.doc", "old")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("Alt.doc")
	var list string
	w.call(http.MethodGet, "/url", nil, &list)
	follow(w, "Alt.doc")
	inDocs(w)
	w.Sees("view as")
	w.Frame("")
	w.Sees("edits copies of them")
	w.Click(".note a.button")
	w.Sees("A copy of this file is being made as DOCX")
	shots.take(w, "46-converting")
	inDocs(w)
	w.Sees("Alt.docx")
	w.Sees("edit as")
	if got := d.Read("Alt.docx"); got != "doc as docx: old" || d.Read("Alt.doc") != "old" {
		t.Errorf("%q, %q", got, d.Read("Alt.doc"))
	}
	// From there it is downloaded in other formats.
	w.Frame("")
	var pdf string
	w.Run(`return document.querySelector('.menu a[href*="to=pdf"]').href`, &pdf)
	w.Go(pdf)
	w.Sees("This file is being turned into PDF.")
	w.Sees("Done. Your browser fetches the file now.")
	ds.ConvertError = -5
	w.Go(list)
	w.Sees("Alt.doc")
	follow(w, "Alt.doc")
	w.Click(".note a.button")
	w.Sees("protected by a password")
	w.Sees("Try again")
	shots.take(w, "47-converting-failed")
}

// TestTemplatesInTheDocsAPI: the editor offers the house's own templates for its kind of
// document, and what is made of one lies beside the document.
func TestTemplatesInTheDocsAPI(t *testing.T) {
	driver := Start(t)
	ds := docserver.Start(t, nil)
	secret := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(secret, []byte(docserver.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemon.StartEmpty(t, "upstream: {templates: /Vorlagen}\neditors:\n  - url: "+ds.URL+"\n    name: Docs\n    jwt_secret_file: "+secret+"\n")
	d.Write("Brief.docx", "one")
	d.Write("Vorlagen/Rechnung & Mahnung.docx", "a template")
	d.Write("Vorlagen/Kasse.xlsx", "another kind")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("Brief.docx")
	follow(w, "Brief.docx")
	inDocs(w)
	w.Sees("edit as")
	var config struct {
		EditorConfig struct {
			Templates []struct{ Title, Image, URL string }
		}
	}
	if err := json.Unmarshal(pageConfig(w), &config); err != nil || len(config.EditorConfig.Templates) != 1 {
		t.Fatalf("%+v, %v", config, err)
	}
	one := config.EditorConfig.Templates[0]
	if one.Title != "Rechnung & Mahnung.docx" || !strings.HasPrefix(one.URL, d.URL+"/folder/") || !strings.HasPrefix(one.Image, d.URL+"/static/") {
		t.Errorf("%+v", one)
	}
	w.Go(one.URL) // as the editor opens it
	w.Sees("Rechnung & Mahnung.docx")
	w.Type("#name", control+"a"+release+"Rechnung 1\n")
	onDisk(w, d, "Rechnung 1.docx", "a template")
	inDocs(w)
	w.Sees("edit as")
	w.Frame("")
	w.Click("#more summary") // and the bar renames here, too: all who have it open are told
	w.Click("#rename")
	w.Type("#ask-name", control+"a"+release+"Rechnung 2.docx\n")
	w.Title("Rechnung 2.docx – ")
	onDisk(w, d, "Rechnung 2.docx", "a template")
	clean(t, w)
}
