package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/test/upstream"
)

// link finds the address of an entry's way on, the first on the page.
func (a answer) link(t *testing.T, action string) string {
	t.Helper()
	m := regexp.MustCompile(`"(/saves/[a-z2-7]{16}/` + action + `)"`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no way to %s in:\n%s", action, a.body)
	}
	return m[1]
}

// kept is a save of anna's that did not get through, with the upstream back.
func (h *house) kept(id, text string) *writer {
	h.t.Helper()
	h.Saves.WhenDown = "refuse"
	w := h.writes(id, "anna", wopi.TextEditor)
	h.down()
	if err := w.save(text); err == nil {
		h.t.Fatal("it was saved")
	}
	h.up.Quirks.Reset()
	w.close()
	return w
}

func TestSavesThatDidNotGetThrough(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/a <b>.txt", "old")
	anna, ben := h.person("anna"), h.person("ben")
	contains(t, anna.get("/saves").body, "Everything that you saved has arrived.")
	top := anna.get("/")
	id := anna.get("/folder/"+top.id(t, "team")).id(t, "a &lt;b&gt;.txt")
	h.kept(id, "did not get through")
	page := anna.get("/saves")
	contains(t, page.body, "Did not get through", "a &lt;b&gt;.txt", "19 B")
	restore, drop, download := page.link(t, "restore"), page.link(t, "drop"), page.link(t, "download")
	if got := anna.get(download); got.body != "did not get through" || got.header.Get("Content-Disposition") == "" || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("download: %d %q %v", got.status, got.body, got.header)
	}
	if strings.Contains(ben.get("/saves").body, "/saves/") {
		t.Error("somebody else is shown it")
	}
	for _, got := range []answer{ben.get(download), ben.get(drop), ben.post(drop, nil), ben.post(restore, nil), ben.post(strings.Replace(drop, "drop", "deliver", 1), nil)} {
		if got.status != http.StatusNotFound || strings.Contains(got.body, "did not get") {
			t.Errorf("somebody else: %d", got.status)
		}
	}
	contains(t, anna.get(drop).body, "Throw away this save of “a &lt;b&gt;.txt”?")
	if got := anna.post(restore, nil); got.status != http.StatusSeeOther || got.header.Get("Location") != "/saves?said=restored" {
		t.Fatalf("restore: %d %q", got.status, got.body)
	}
	m := regexp.MustCompile(`<bdi>(a &lt;b&gt; \(recovered anna [^<]*\)\.txt)</bdi>`).FindStringSubmatch(anna.get("/folder/" + top.id(t, "team")).body)
	if m == nil {
		t.Fatal("it is not beside its document")
	}
	name := strings.NewReplacer("&lt;", "<", "&gt;", ">").Replace(m[1])
	if got, _ := h.up.Read(t, "team/"+name); got != "did not get through" {
		t.Errorf("the copy holds %q", got)
	}
	contains(t, anna.get("/saves").body, "Everything that you saved has arrived.")

	h.kept(id, "not wanted")
	drop = anna.get("/saves").link(t, "drop")
	if got := anna.post(drop, nil); got.header.Get("Location") != "/saves?said=dropped" {
		t.Errorf("drop: %d %q", got.status, got.body)
	}
	if got := anna.get(drop); got.status != http.StatusNotFound {
		t.Errorf("dropped: %d", got.status)
	}
	contains(t, anna.get(drop).body, "This is not here any more")
}

// TestRestoreWhereTheDocumentIsGone, and its folder: it goes as near as there is.
func TestRestoreWhereTheDocumentIsGone(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/a.txt", "old")
	anna := h.person("anna")
	top := anna.get("/")
	h.kept(anna.get("/folder/"+top.id(t, "team")).id(t, "a.txt"), "did not get through")
	h.must(os.RemoveAll(filepath.Join(h.up.Dir, "team")))
	if got := anna.post(anna.get("/saves").link(t, "restore"), nil); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	contains(t, anna.get("/").body, "a (recovered anna ")
}

// TestUndoOnThePage: the last save of a document is undone, by who made it.
func TestUndoOnThePage(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "at first")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/").id(t, "a.txt")
	w := h.writes(id, "anna", wopi.TextEditor)
	h.must(w.save("a mistake"))
	page := anna.get("/saves")
	contains(t, page.body, "Undo last save…", "before that it had 8 B")
	undo, download := page.link(t, "undo"), page.link(t, "download")
	if got := anna.get(download); got.body != "at first" {
		t.Errorf("the earlier version: %d %q", got.status, got.body)
	}
	if got := anna.post(undo, nil); got.status != http.StatusConflict || !strings.Contains(got.body, "Somebody has this document open") {
		t.Errorf("while it is open: %d", got.status)
	}
	w.close()
	if strings.Contains(ben.get("/saves").body, "/undo") {
		t.Error("somebody else is offered it")
	}
	contains(t, anna.get(undo).body, "Put “a.txt” back?", "(8 B)", "(9 B)")
	for _, want := range []string{"at first", "a mistake"} {
		if got := anna.post(anna.get("/saves").link(t, "undo"), nil); got.header.Get("Location") != "/saves?said=undone" {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if got, _ := h.up.Read(t, "a.txt"); got != want {
			t.Errorf("it holds %q, want %q", got, want)
		}
	}
}

// TestUndoIsForWhoMayWrite: the rules, and the upstream's own word.
func TestUndoIsForWhoMayWrite(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "at first")
	anna := h.person("anna")
	w := h.writes(anna.get("/").id(t, "a.txt"), "anna", wopi.TextEditor)
	h.must(w.save("by anna"))
	w.close()
	page := anna.get("/saves")
	undo, download := page.link(t, "undo"), page.link(t, "download")
	h.Pages.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.View}}
	if got := anna.post(undo, nil); got.status != http.StatusForbidden {
		t.Errorf("who may only read: %d", got.status)
	}
	h.Pages.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: 0}}
	for _, got := range []answer{anna.post(undo, nil), anna.get(download)} {
		if got.status != http.StatusNotFound {
			t.Errorf("who may not see it: %d", got.status)
		}
	}
	if got, _ := h.up.Read(t, "a.txt"); got != "by anna" {
		t.Errorf("it holds %q", got)
	}
}

// TestDeliverWithAnotherSignIn: the credential of a waiting save is refused. Who may
// write the document sends it on its way; who may only read it is not told of it.
func TestDeliverWithAnotherSignIn(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.onDisk()
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.Edit}, {Who: []string{"carla"}, Path: "/", Rights: access.View}}
	})
	h.up.Write(t, "a.txt", "old")
	anna, ben, carla := h.person("anna"), h.person("ben"), h.person("carla")
	w := h.writes(anna.get("/").id(t, "a.txt"), "anna", wopi.TextEditor)
	h.down()
	h.must(w.save("saved in the outage"))
	page := anna.get("/saves")
	contains(t, page.body, "On their way", "waiting for <bdi>Home NAS</bdi>")
	if strings.Contains(page.body, "/deliver") || strings.Contains(page.body, "/restore") {
		t.Error("ways that lead nowhere")
	}
	h.up.Quirks.Reset()
	h.up.Quirks.Fail(upstream.Fault{Status: http.StatusUnauthorized})
	h.needsSignIn()
	h.up.Quirks.Reset()
	contains(t, anna.get("/saves").body, "has refused the sign-in", "Send it with my sign-in")
	if strings.Contains(carla.get("/saves").body, "a.txt") {
		t.Error("who may only read is told of it")
	}
	page = ben.get("/saves")
	contains(t, page.body, "a.txt", "by <bdi>anna</bdi>")
	deliver := page.link(t, "deliver")
	for _, action := range []string{"download", "drop"} {
		if got := ben.get(strings.Replace(deliver, "deliver", action, 1)); got.status != http.StatusNotFound {
			t.Errorf("somebody else's bytes, %s: %d", action, got.status)
		}
	}
	if got := carla.post(deliver, nil); got.status != http.StatusNotFound {
		t.Errorf("who may only read: %d", got.status)
	}
	if got := ben.post(deliver, nil); got.header.Get("Location") != "/saves?said=delivered" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	h.deliver("a.txt", "saved in the outage")
	if got := ben.post(deliver, nil); got.status != http.StatusNotFound {
		t.Errorf("once more: %d", got.status)
	}
}

// TestStrayOnThePage: what was spooled when the program died is shown to who has the
// document open, with what became of it and for how long it is kept.
func TestStrayOnThePage(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/a.txt", "old")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/folder/"+anna.get("/").id(t, "team")).id(t, "a.txt")
	h.writes(id, "anna", wopi.TextEditor)
	spool := filepath.Join(h.Saves.Dir, "bbbbbbbbbbbbbbbb."+id+".spool")
	if err := os.WriteFile(spool, []byte("nobody was answered"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Saves.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	page := anna.get("/saves")
	contains(t, page.body, "Did not get through", "a.txt", "19 B", "This server stopped while it was being saved", "kept until")
	if got := anna.get(page.link(t, "download")); got.body != "nobody was answered" {
		t.Errorf("download: %d %q", got.status, got.body)
	}
	if strings.Contains(ben.get("/saves").body, "/saves/") {
		t.Error("somebody else is shown it")
	}
	if got := anna.post(page.link(t, "restore"), nil); got.header.Get("Location") != "/saves?said=restored" {
		t.Errorf("restore: %d %q", got.status, got.body)
	}
}

// TestCopiesOnThePage shows the two versions of a document until its copy is deleted.
func TestCopiesOnThePage(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	anna := h.person("anna")
	id := anna.get("/").id(t, "a.txt")
	w := h.writes(id, "anna", wopi.TextEditor)
	h.up.Write(t, "a.txt", "by another program")
	if err := w.save("mine"); err == nil {
		t.Fatal("no conflict")
	}
	w.close()
	contains(t, anna.get("/saves").body, "Changed by others meanwhile", "conflict anna", `href="/view/`+id+`"`)
	m := regexp.MustCompile(`a \(conflict anna [^<"]*\.txt`).FindString(anna.get("/").body)
	if m == "" {
		t.Fatal("there is no copy")
	}
	contains(t, anna.goOn(anna.post("/delete/"+anna.get("/").id(t, m), nil)).body, "is deleted")
	if page := anna.get("/saves").body; strings.Contains(page, "conflict anna") || !strings.Contains(page, "Everything that you saved has arrived") {
		t.Errorf("the copy was deleted, and is still offered:\n%s", page)
	}
}
