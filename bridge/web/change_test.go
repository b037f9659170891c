package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/test/upstream"
)

// stored is what the upstream has under a name, "" nothing.
func (h *house) stored(name string) string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.up.Dir, filepath.FromSlash(name)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	return string(b)
}

// goOn goes where an answer leads, which must be a page that is shown.
func (b *browser) goOn(a answer) answer {
	b.t.Helper()
	if a.status != http.StatusSeeOther {
		b.t.Fatalf("status %d instead of a way on:\n%.2000s", a.status, a.body)
	}
	page := b.get(a.header.Get("Location"))
	if page.status != http.StatusOK {
		b.t.Fatalf("%s is %d", a.header.Get("Location"), page.status)
	}
	return page
}

var undoForm = regexp.MustCompile(`<form method="post" action="(/undo/[a-z2-7]{16})">`)

// undo presses the button that takes back what a page says was done.
func (b *browser) undo(page answer) answer {
	b.t.Helper()
	m := undoForm.FindStringSubmatch(page.body)
	if m == nil {
		b.t.Fatalf("nothing can be taken back on\n%.3000s", page.body)
	}
	return b.post(m[1], nil)
}

// A rename, a move and what takes them back say what was done, and the ID stays.
func TestRenamingAndMoving(t *testing.T) {
	h := newHouse(t, nil)
	for _, name := range []string{"a.txt", "b.txt", "team/c.txt", "team/deep/d.txt"} {
		h.up.Write(t, name, name)
	}
	b := h.person("anna")
	root := b.get("/")
	a, team := root.id(t, "a.txt"), root.id(t, "team")
	contains(t, b.get("/rename/"+a).body, `value="a.txt" data-stem="1"`)

	renamed := b.goOn(b.post("/rename/"+a, url.Values{"name": {" Plan.txt "}}))
	contains(t, renamed.body, "“a.txt” is now called “Plan.txt”.", `<tr class="fresh" data-id="`+a+`"`)
	if got := renamed.id(t, "Plan.txt"); got != a || h.stored("Plan.txt") != "a.txt" {
		t.Errorf("ID %s, was %s; on disk %q", got, a, h.stored("Plan.txt"))
	}
	back := b.goOn(b.undo(renamed))
	contains(t, back.body, "“a.txt” is back.")
	if back.id(t, "a.txt") != a || strings.Contains(back.body, "/undo/") {
		t.Error("another ID, or it can be taken back twice")
	}
	if got := b.undo(renamed); got.status != http.StatusGone {
		t.Errorf("taken back twice: %d", got.status)
	}

	contains(t, b.get("/move/"+a).body, "It is in this folder already.", "disabled", `?to=`+team)
	contains(t, b.get("/move/"+a+"?to="+team).body, "Move here", "<b><bdi>team</bdi></b>")
	moved := b.goOn(b.post("/move/"+a, url.Values{"to": {team}}))
	contains(t, moved.body, "“a.txt” is now in “team”.")
	if moved.id(t, "a.txt") != a || h.stored("team/a.txt") != "a.txt" {
		t.Error("it is not there, or has another ID")
	}
	if b.goOn(b.undo(moved)).id(t, "a.txt") != a || h.stored("a.txt") == "" {
		t.Error("it is not back")
	}

	// A folder takes along what is in it.
	inside := b.get("/folder/"+team).id(t, "c.txt")
	b.goOn(b.post("/rename/"+team, url.Values{"name": {"Gruppe"}}))
	if b.get("/folder/"+team).id(t, "c.txt") != inside {
		t.Error("what is in a renamed folder has another ID")
	}
	deep := b.get("/folder/"+team).id(t, "deep")
	if got := b.post("/move/"+team, url.Values{"to": {deep}}); got.status != http.StatusConflict || !strings.Contains(got.body, "into itself") {
		t.Errorf("into itself: %d", got.status)
	}
	if got := b.post("/rename/"+a, url.Values{"name": {"b.txt"}}); got.status != http.StatusConflict || !strings.Contains(got.body, "is there already") || h.stored("b.txt") != "b.txt" {
		t.Errorf("onto another: %d", got.status)
	}
	h.up.Write(t, "Gruppe/a.txt", "another")
	if got := b.post("/move/"+a, url.Values{"to": {team}}); got.status != http.StatusConflict || h.stored("Gruppe/a.txt") != "another" {
		t.Errorf("onto another: %d", got.status)
	}
}

// What is open is refused, with who has it; nothing is done.
func TestWhatIsOpenStays(t *testing.T) {
	h := newHouse(t, nil)
	h.Locks.Respect = true
	h.up.Write(t, "team/a.docx", "hello")
	h.up.Write(t, "desk.odt", "hello")
	b := h.person("anna")
	root := b.get("/")
	team, desk := root.id(t, "team"), root.id(t, "desk.odt")
	a := b.get("/folder/"+team).id(t, "a.docx")
	h.locked(a, locks.Actor{Member: "m", Editor: "https://office.example", Office: wopi.Collabora, UserID: "ben", Name: "Ben <b>"})
	h.up.Write(t, ".~lock.desk.odt#", ",Zoe,z,pc,;")
	for what, try := range map[string]func() answer{
		"rename":            func() answer { return b.post("/rename/"+a, url.Values{"name": {"b.docx"}}) },
		"move":              func() answer { return b.post("/move/"+a, url.Values{"to": {b.get("/").home(t)}}) },
		"delete":            func() answer { return b.post("/delete/"+a, nil) },
		"rename the folder": func() answer { return b.post("/rename/"+team, url.Values{"name": {"other"}}) },
		"delete the folder": func() answer { return b.post("/delete/"+team, nil) },
	} {
		got := try()
		if got.status != http.StatusConflict {
			t.Errorf("%s: %d", what, got.status)
		}
		contains(t, got.body, "“a.docx” is open", "Ben &lt;b&gt;", "when it is closed", `href="/open"`)
	}
	for what, path := range map[string]string{"rename": "/rename/", "delete": "/delete/"} {
		got := b.post(path+desk, url.Values{"name": {"other.odt"}})
		if got.status != http.StatusConflict {
			t.Errorf("%s what LibreOffice has open: %d", what, got.status)
		}
		contains(t, got.body, "“desk.odt” is open", "Zoe")
	}
	if h.stored("team/a.docx") != "hello" || h.stored("desk.odt") != "hello" {
		t.Error("something was done all the same")
	}
}

// home is the ID of the folder that a page shows.
func (a answer) home(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`data-folder="([a-z2-7]{26})"`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no list in\n%.2000s", a.body)
	}
	return m[1]
}

// Where there is no trash one is asked, and told how much goes; the IDs die.
func TestDeletingForGood(t *testing.T) {
	h := newHouse(t, nil)
	for _, name := range []string{"a.txt", "team/b.txt", "team/deep/c.txt", "team/deep/d.txt"} {
		h.up.Write(t, name, "x")
	}
	b := h.person("anna")
	root := b.get("/")
	a, team := root.id(t, "a.txt"), root.id(t, "team")
	inside := b.get("/folder/"+team).id(t, "b.txt")
	contains(t, b.get("/delete/"+a).body, "Delete “a.txt”?", "Nobody can bring it back", `class="danger"`)
	contains(t, b.get("/delete/"+team).body, "3 files and 1 folder")
	if h.stored("a.txt") == "" {
		t.Fatal("asking has deleted it")
	}
	gone := b.goOn(b.post("/delete/"+a, nil))
	contains(t, gone.body, "“a.txt” is deleted.")
	if strings.Contains(gone.body, "/undo/") || h.stored("a.txt") != "" {
		t.Error("it is there, or can be had back")
	}
	b.goOn(b.post("/delete/"+team, nil))
	if _, err := os.Stat(filepath.Join(h.up.Dir, "team")); err == nil {
		t.Error("the folder is there")
	}
	for _, id := range []string{a, team, inside} {
		if got := b.get("/document/" + id); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", id, got.status)
		}
	}
}

// On a Nextcloud nobody is asked for long: it comes back with its ID.
func TestDeletingIntoATrash(t *testing.T) {
	var cloud *upstream.Cloud
	h := newHouse(t, func(h *house) {
		cloud = upstream.Nextcloud(t, "/cloud")
		cloud.HaveTrash()
		service := cloud.Credential()
		h.Upstreams.List = []*access.Upstream{{Name: "main", DisplayName: "Cloud", Client: cloud.Client(t), Service: &service}}
	})
	cloud.Write(t, "a.txt", "hello")
	cloud.Write(t, "team/b.txt", "hello")
	b := h.person("anna")
	root := b.get("/")
	a, team := root.id(t, "a.txt"), root.id(t, "team")
	inside := b.get("/folder/"+team).id(t, "b.txt")
	contains(t, root.body, "data-trash")
	contains(t, b.get("/document/"+a).body, `<form method="post" action="/delete/`+a+`">`)
	contains(t, b.get("/delete/"+a).body, "goes to the trash of Cloud")
	for _, id := range []string{a, team} {
		gone := b.goOn(b.post("/delete/"+id, nil))
		if got := b.get("/document/" + id); got.status != http.StatusNotFound {
			t.Errorf("after it is deleted: %d", got.status)
		}
		back := b.goOn(b.undo(gone))
		contains(t, back.body, "is back.", `data-id="`+id+`"`)
	}
	if got := b.get("/folder/"+team).id(t, "b.txt"); got != inside {
		t.Errorf("what is in it has the ID %s, had %s", got, inside)
	}
	gone := b.goOn(b.post("/delete/"+a, nil))
	if got := h.person("ben").undo(gone); got.status != http.StatusGone {
		t.Errorf("by somebody else: %d", got.status)
	}
}

// What the rules keep from a person they cannot change by these pages either.
func TestChangingWithinTheRules(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Rules = access.Rules{
			{Who: []string{"*"}, Path: "/read", Rights: access.View}, {Who: []string{"*"}, Path: "/half/secret", Rights: 0},
		}
	})
	for _, name := range []string{"read/a.txt", "half/secret/b.txt", "half/c.txt", "d.txt"} {
		h.up.Write(t, name, "x")
	}
	b := h.person("anna")
	root := b.get("/")
	read, half, d := root.id(t, "read"), root.id(t, "half"), root.id(t, "d.txt")
	a := b.get("/folder/"+read).id(t, "a.txt")
	list := b.get("/folder/" + read).body
	if strings.Contains(list, "/new") || strings.Contains(list, "data-can") || strings.Contains(list, "data-upload") {
		t.Error("a folder to read offers changes")
	}
	for what, got := range map[string]answer{
		"rename":                       b.post("/rename/"+a, url.Values{"name": {"x.txt"}}),
		"delete":                       b.post("/delete/"+a, nil),
		"move out":                     b.post("/move/"+a, url.Values{"to": {root.home(t)}}),
		"delete with something hidden": b.post("/delete/"+half, nil),
		"rename with something hidden": b.post("/rename/"+half, url.Values{"name": {"x"}}),
		"make":                         b.post("/folder/"+read+"/new", url.Values{"kind": {"txt"}, "name": {"x"}}),
		"upload":                       b.postJSON("/folder/"+read+"/uploads", `{"name":"x","size":1}`, "Sec-Fetch-Site", "same-origin"),
		"delete everything":            b.post("/delete/"+root.home(t), nil),
	} {
		if got.status != http.StatusForbidden {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	if got := b.post("/move/"+d, url.Values{"to": {read}}); got.status != http.StatusConflict || !strings.Contains(got.body, "may not change") {
		t.Errorf("move in: %d", got.status)
	}
	if got := b.post("/rename/"+b.get("/folder/"+half).id(t, "c.txt"), url.Values{"name": {"secret"}}); got.status == http.StatusSeeOther {
		t.Errorf("onto what is hidden: %d", got.status)
	}
	for _, name := range []string{"read/a.txt", "half/secret/b.txt", "half/c.txt", "d.txt"} {
		if h.stored(name) != "x" {
			t.Errorf("%s was changed", name)
		}
	}
}

// A page of somebody else's cannot have a person's browser change anything.
func TestForeignPagesChangeNothing(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "x")
	b := h.person("anna")
	root := b.get("/")
	a, home := root.id(t, "a.txt"), root.home(t)
	for _, try := range []struct{ method, path string }{
		{"POST", "/rename/" + a}, {"POST", "/move/" + a}, {"POST", "/delete/" + a}, {"POST", "/folder/" + home + "/new"}, {"POST", "/folder/" + home + "/upload"},
		{"POST", "/folder/" + home + "/uploads"}, {"POST", "/folder/" + home + "/folders"}, {"POST", "/undo/" + strings.Repeat("a", 16)},
		{"POST", "/upload/" + strings.Repeat("a", 16)}, {"PATCH", "/upload/" + strings.Repeat("a", 16)}, {"DELETE", "/upload/" + strings.Repeat("a", 16)},
	} {
		req, err := http.NewRequestWithContext(t.Context(), try.method, h.server.URL+try.path, strings.NewReader("name=x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		if got := b.do(req); got.status != http.StatusForbidden {
			t.Errorf("%s %s: %d", try.method, try.path, got.status)
		}
	}
	if h.stored("a.txt") != "x" {
		t.Error("it was changed")
	}
}

// An upstream that refuses, or does not answer, is named; what is done is found out later.
func TestChangesThatTheUpstreamRefuses(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "x")
	b := h.person("anna")
	a := b.get("/").id(t, "a.txt")
	for _, c := range []struct {
		fault upstream.Fault
		want  int
		words string
	}{
		{upstream.Fault{Method: "MOVE", Status: http.StatusForbidden}, http.StatusForbidden, "does not let your account"},
		{upstream.Fault{Method: "MOVE", Status: http.StatusInsufficientStorage}, http.StatusInsufficientStorage, "no room"},
		{upstream.Fault{Method: "MOVE", Status: http.StatusBadRequest}, http.StatusUnprocessableEntity, "does not take this name"},
		{upstream.Fault{Status: http.StatusServiceUnavailable}, http.StatusServiceUnavailable, "Home NAS does not answer"},
	} {
		h.up.Quirks.Fail(c.fault)
		got := b.post("/rename/"+a, url.Values{"name": {"b.txt"}})
		h.up.Quirks.Reset()
		if got.status != c.want || !strings.Contains(got.body, c.words) {
			t.Errorf("%+v: %d\n%.1500s", c.fault, got.status, got.body[strings.Index(got.body, "<main"):])
		}
	}
	if h.stored("a.txt") != "x" {
		t.Error("it is gone")
	}
}
