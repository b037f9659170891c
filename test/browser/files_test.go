package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// choose gives files of this machine to an input, as a file dialog would.
func (w *Window) choose(css string, paths ...string) {
	w.t.Helper()
	w.call(http.MethodPost, "/element/"+w.find(css)+"/value", map[string]string{"text": strings.Join(paths, "\n")}, nil)
}

// menuOf opens the menu of a row.
func (w *Window) menuOf(name string) {
	w.t.Helper()
	w.Until("a row "+name, func() bool {
		var ok bool
		w.Run(`const row = [...document.querySelectorAll('tbody tr')].find((r) => r.querySelector('.name').textContent === '`+name+`');
			row?.querySelector('.to-more').click();
			return Boolean(row)`, &ok)
		return ok
	})
	w.find(".menu.floating:not([hidden])")
}

// pick takes one of the entries of a menu.
func (w *Window) pick(label string) {
	w.t.Helper()
	var ok bool
	w.Run(`const item = [...document.querySelectorAll('.menu.floating [role=menuitem]')].find((e) => e.textContent === '`+label+`'); item?.click(); return Boolean(item)`, &ok)
	if !ok {
		w.t.Fatalf("the menu has no %q", label)
	}
}

// names are those of the rows that are shown.
func (w *Window) names() []string {
	w.t.Helper()
	var names []string
	w.Run(`return [...document.querySelectorAll('tbody tr:not([hidden]) .name')].map((n) => n.textContent.trim())`, &names)
	return names
}

// shows waits for the rows to be those.
func (w *Window) shows(names ...string) {
	w.t.Helper()
	w.Until(fmt.Sprintf("the rows %q", names), func() bool { return strings.Join(w.names(), "|") == strings.Join(names, "|") })
}

// A local file to be uploaded.
func local(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesOfAPerson(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	shots := newShots(t)
	d.Write("Reisen/Rom.txt", "a")
	d.Write("Notizen.txt", "b")
	d.Write("Zürich.txt", "c")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.shows("Reisen", "Notizen.txt", "Zürich.txt")

	// Filter as one types: without regard to case and to marks on letters.
	w.Type("#q", "ZUR")
	w.shows("Zürich.txt")
	w.Type("#q", "x")
	w.Sees("Nothing here is called")
	w.Run(`const q = document.getElementById('q'); q.value = ''; q.dispatchEvent(new Event('input'))`, nil)
	w.shows("Reisen", "Notizen.txt", "Zürich.txt")

	// Something new.
	w.Click("details.drop summary")
	shots.take(w, "files-new-menu")
	w.Click(".drop .menu li:nth-child(1) a")
	w.Sees("The right ending is added by itself.")
	shots.take(w, "files-new-page")
	w.Type("#name", "Rezepte\uE007")
	w.Sees("“Rezepte” is created.")
	shots.take(w, "files-made")
	w.shows("Reisen", "Rezepte", "Notizen.txt", "Zürich.txt")

	// Rename, and take it back.
	w.menuOf("Notizen.txt")
	shots.take(w, "files-menu")
	w.pick("Rename…")
	w.Sees("Rename “Notizen.txt”")
	var marked string
	w.Run(`const f = document.getElementById('name'); return f.value.slice(f.selectionStart, f.selectionEnd)`, &marked)
	if marked != "Notizen" {
		t.Errorf("%q is marked", marked)
	}
	w.Type("#name", "Zürich\uE007") // what is marked is typed over
	w.Sees("Something of that name is there already.")
	shots.take(w, "files-rename-taken")
	w.Run(`document.getElementById('name').value = 'Ideen.txt'`, nil)
	w.Click(".primary")
	w.Sees("“Notizen.txt” is now called “Ideen.txt”.")
	w.Click(".done form button")
	w.Sees("“Notizen.txt” is back.")
	w.shows("Reisen", "Rezepte", "Notizen.txt", "Zürich.txt")

	// Move.
	w.menuOf("Zürich.txt")
	w.pick("Move…")
	w.Sees("It is in this folder already.")
	w.Click(".picks li:nth-child(1) a")
	w.Until("a way to move", func() bool {
		var ok bool
		w.Run(`return !document.querySelector('main .primary')?.disabled`, &ok)
		return ok
	})
	shots.take(w, "files-move")
	w.Click(".primary")
	w.Sees("“Zürich.txt” is now in “Reisen”.")
	w.shows("Rom.txt", "Zürich.txt")
	if d.Read("Reisen/Zürich.txt") != "c" {
		t.Error("it is not there")
	}

	// Delete: this server has no trash, so one is asked first.
	w.menuOf("Rom.txt")
	w.pick("Delete…")
	w.Sees("Nobody can bring it back")
	shots.take(w, "files-delete")
	w.Click(".danger")
	w.Sees("“Rom.txt” is deleted.")
	w.shows("Zürich.txt")
	clean(t, w)
}

// asked is the name of the file that a dialog asks about, "" if there is none.
func asked(w *Window) (name string) {
	w.Run(`return document.querySelector('dialog.ask h2')?.textContent.split(/[“”]/)[1] ?? ''`, &name)
	return name
}

func TestUploading(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	shots := newShots(t)
	d.Write("brief.txt", "old")
	d.Write("liste.txt", "old")
	dir := t.TempDir()
	brief, liste := local(t, dir, "brief.txt", "new"), local(t, dir, "liste.txt", "new")
	big := local(t, dir, "film.bin", strings.Repeat("0123456789abcdef", 20<<16)) // 20 MiB: three pieces
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("brief.txt")

	w.choose("#choose-files", brief, liste, big)
	w.Sees(" is there already")
	shots.take(w, "upload-asks")
	first, replaces, keeps := asked(w), "2", "1"
	if first == "liste.txt" { // two are begun at once: whichever the server answers first
		replaces, keeps = keeps, replaces
	}
	w.Click("dialog .steps button:nth-child(" + replaces + ")")
	w.Until("the other question", func() bool { now := asked(w); return now != "" && now != first })
	w.Click("dialog .steps button:nth-child(" + keeps + ")")
	w.Sees("3 files are uploaded")
	w.shows("brief.txt", "film.bin", "liste (1).txt", "liste.txt")
	shots.take(w, "upload-done")
	for name, want := range map[string]string{"brief.txt": "new", "liste.txt": "old", "liste (1).txt": "new"} {
		if got := d.Read(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if got, err := os.ReadFile(big); err != nil || d.Read("film.bin") != string(got) {
		t.Error("film.bin is not what was uploaded")
	}
	clean(t, w)

	// A whole folder.
	w.Click(".uploads > div button")
	local(t, dir, "ordner/a.txt", "a")
	local(t, dir, "ordner/tief/b.txt", "b")
	w.choose("#choose-folder", filepath.Join(dir, "ordner"))
	w.Sees("2 files are uploaded")
	if d.Read("ordner/a.txt") != "a" || d.Read("ordner/tief/b.txt") != "b" {
		t.Error("the folder is not there")
	}
	w.shows("ordner", "brief.txt", "film.bin", "liste (1).txt", "liste.txt")

	// The list is another one now, and is still filtered as one types.
	w.Type("#q", "nowhere")
	w.Sees("Nothing here is called")
	clean(t, w)
}

// Whoever goes back to a list sees what has become of it, and not what the browser remembers.
func TestBackToAList(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	d.Write("Notizen.txt", "a")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.menuOf("Notizen.txt")
	w.pick("Rename…")
	w.Sees("Rename “Notizen.txt”")
	w.Run(`document.getElementById('name').value = 'Ideen.txt'`, nil)
	w.Click(".primary")
	w.Sees("“Notizen.txt” is now called “Ideen.txt”.")
	d.Write("Neues.txt", "b")
	w.Run(`history.go(-2)`, nil)
	w.shows("Ideen.txt", "Neues.txt")
	w.Type("#q", "neu")
	w.shows("Neues.txt")
	clean(t, w)
}

// The daemon is killed in the middle of an upload, and comes back: it goes on where it was.
func TestAnUploadOutlivesTheDaemon(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	dir := t.TempDir()
	content := strings.Repeat("fedcba9876543210", 40<<16) // 40 MiB
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("This folder is empty.")
	w.choose("#choose-files", local(t, dir, "film.bin", content))
	w.Until("a part of it", func() bool {
		var part float64
		w.Run(`return document.querySelector('.uploads progress')?.value ?? 0`, &part)
		return part > .2
	})
	d.Kill()
	d.Restart()
	w.Sees("1 file is uploaded")
	if d.Read("film.bin") != content {
		t.Error("film.bin is not what was uploaded")
	}
}

// What is cancelled leaves nothing, here and there.
func TestCancelling(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("This folder is empty.")
	w.Run(`// the line is slow: each piece waits to be let go
		const send = XMLHttpRequest.prototype.send;
		XMLHttpRequest.prototype.send = function (body) { setTimeout(() => send.call(this, body), 60000); }`, nil)
	dir := t.TempDir()
	film := local(t, dir, "film.bin", strings.Repeat("x", 1<<20))
	w.choose("#choose-files", film, local(t, dir, "b.bin", "b"), local(t, dir, "c.bin", "c"), local(t, dir, "d.bin", "d"))
	cancelled := func(want int) {
		t.Helper()
		w.Until(fmt.Sprintf("%d cancelled, and the focus not lost", want), func() bool {
			var got struct {
				Words  int
				Inside bool
			}
			w.Run(`return {
				words: [...document.querySelectorAll('.uploads .words')].filter((e) => e.textContent === 'cancelled').length,
				inside: !!document.activeElement.closest('.uploads')}`, &got)
			return got.Words == want && got.Inside
		})
	}
	w.Click(".uploads li button")
	cancelled(1)
	w.Click(".uploads > div button:not([hidden])") // all the others
	cancelled(4)
	w.Sees("Nothing was uploaded")
	w.Click(".uploads > div button:not([hidden])")
	w.choose("#choose-files", film)
	w.Click(".uploads li button")
	w.Sees("cancelled")
	w.Until("nothing in the state directory", func() bool {
		left, err := filepath.Glob(filepath.Join(d.State, "saves", "*.incoming"))
		return err == nil && len(left) == 0
	})
	if w.names() != nil && len(w.names()) != 0 {
		t.Errorf("%q", w.names())
	}
}

// Everything is in reach of the keyboard.
func TestFilesByKeyboard(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	d.Write("a.txt", "a")
	d.Write("b.txt", "b")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("b.txt")
	press := func(keys string) {
		t.Helper()
		w.call(http.MethodPost, "/actions", map[string]any{"actions": []any{map[string]any{"type": "key", "id": "k", "actions": []any{
			map[string]string{"type": "keyDown", "value": keys}, map[string]string{"type": "keyUp", "value": keys},
		}}}}, nil)
	}
	focus := func() (text string) {
		w.Run(`const e = document.activeElement; return e.getAttribute('aria-label') || e.textContent || e.id`, &text)
		return text
	}
	press("/")
	if got := focus(); got != "q" {
		t.Errorf("after / the focus is on %q", got)
	}
	w.Run(`document.querySelector('.to-more').focus()`, nil)
	press("\uE007")
	w.find(".menu.floating:not([hidden])")
	if got := focus(); got != "Open" {
		t.Errorf("in the menu the focus is on %q", got)
	}
	press("\uE015")
	press("\uE013")
	press("\uE013")
	if got := focus(); got != "Details" {
		t.Errorf("up from the first is %q", got)
	}
	press("\uE00C")
	if got := focus(); got != "More for a.txt" {
		t.Errorf("after Escape the focus is on %q", got)
	}
}

func TestFilePagesOnEveryScreen(t *testing.T) {
	d := daemon.StartEmpty(t, "upstream: {templates: /Vorlagen}\n")
	d.Write("Vorlagen/Briefkopf mit Logo.docx", "x")
	d.Write("Vorlagen/"+longName, "x")
	for _, l := range looks {
		d.Write(l.name+"/"+longName, "x")
		d.Write(l.name+"/Bilder/x.jpg", "x")
		d.Write(l.name+"/Leer/y", "x")
	}
	onEveryScreen(t, func(e eye) {
		w := e.w
		w.Go(d.Invite("Anna-Katharina Müller-Lüdenscheidt"))
		w.Sees("Vorlagen")
		follow(w, e.look.name)
		w.Sees("Protokoll")
		var here string
		w.call(http.MethodGet, "/url", nil, &here)
		e.sees("Protokoll", "files-list")
		w.menuOf(longName)
		e.sees("Copy link", "files-menu")
		w.pick("Details")
		e.sees("It stays the same", "files-details")
		w.Go(here)
		w.Sees("Protokoll")
		w.menuOf(longName)
		w.pick("Rename…")
		e.sees("Rename “", "files-rename")
		w.Go(here)
		w.Sees("Protokoll")
		w.menuOf(longName)
		w.pick("Move…")
		e.sees("Move “", "files-move")
		w.Go(here)
		w.Sees("Protokoll")
		w.menuOf("Bilder")
		w.pick("Delete…")
		e.sees("1 file", "files-delete")
		w.Go(here + "/new?kind=docx")
		e.sees("Briefkopf", "files-new")
		w.Go(here + "/upload")
		e.sees("up to", "files-upload")
		w.Go(here)
		w.Sees("Protokoll")
		w.Click("details.drop summary")
		e.sees("Something else…", "files-new-menu")
		w.Click("details.drop summary")
		w.choose("#choose-files", local(t, t.TempDir(), longName, "y"), local(t, t.TempDir(), "Kurz.txt", "y"))
		e.sees("is there already", "files-asks")
		w.Click("dialog .steps button:nth-child(1)")
		w.Sees("2 files are uploaded")
		e.sees("uploaded as", "files-uploaded")
	})
}
