package web_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
)

// upload sends a form with files, as a browser without script does; taken is its choice.
func (b *browser) upload(folder, taken string, files ...[2]string) answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if taken != "" {
		if err := form.WriteField("taken", taken); err != nil {
			b.t.Fatal(err)
		}
	}
	for _, f := range files {
		head := textproto.MIMEHeader{}
		head.Set("Content-Disposition", `form-data; name="files"; filename="`+strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(f[0])+`"`)
		w, err := form.CreatePart(head)
		if err == nil {
			_, err = io.WriteString(w, f[1])
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.h.server.URL+"/folder/"+folder+"/upload", &body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

func TestUploadingByAForm(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/old.txt", "old")
	h.up.Write(t, "team/sub/x", "x")
	b := h.person("anna")
	team := b.get("/").id(t, "team")
	old := b.get("/folder/"+team).id(t, "old.txt")
	contains(t, b.get("/folder/"+team+"/upload").body, `type="file"`, "multiple", `enctype="multipart/form-data"`)

	page := b.goOn(b.upload(team, "", [2]string{"a.txt", "one"}, [2]string{"b.txt", "two"}))
	contains(t, page.body, "2 files are uploaded.", "<bdi>a.txt</bdi>", "<bdi>b.txt</bdi>")
	contains(t, b.goOn(b.upload(team, "", [2]string{"c.txt", ""})).body, "“c.txt” is uploaded.")
	if h.stored("team/a.txt") != "one" || h.stored("team/b.txt") != "two" {
		t.Error("the bytes are not there")
	}
	// A name that is taken: both are kept if nothing is said.
	got := b.upload(team, "", [2]string{"old.txt", "new"})
	contains(t, got.body, "<bdi>old (1).txt</bdi>", "(came as <bdi>old.txt</bdi>)")
	if h.stored("team/old.txt") != "old" || h.stored("team/old (1).txt") != "new" {
		t.Errorf("%d, and on disk %q and %q", got.status, h.stored("team/old.txt"), h.stored("team/old (1).txt"))
	}
	contains(t, b.upload(team, "skip", [2]string{"old.txt", "new"}).body, "left out")
	if b.goOn(b.upload(team, "replace", [2]string{"old.txt", "newer"})).id(t, "old.txt") != old || h.stored("team/old.txt") != "newer" {
		t.Error("it was not replaced, or has another ID")
	}
	contains(t, b.upload(team, "replace", [2]string{"sub", "x"}).body, "A folder of that name is there already.", "not uploaded")
	if got := b.upload(team, ""); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "choose a file first") {
		t.Errorf("without a file: %d", got.status)
	}
	if got := b.post("/folder/"+team+"/upload", url.Values{"files": {"x"}}); got.status != http.StatusBadRequest {
		t.Errorf("another kind of form: %d", got.status)
	}
	h.locked(old, locks.Actor{Member: "m", Editor: "https://office.example", Office: wopi.Collabora, UserID: "ben", Name: "Ben"})
	contains(t, b.upload(team, "replace", [2]string{"old.txt", "stolen"}).body, "<bdi>Ben</bdi> has it open")
	if h.stored("team/old.txt") != "newer" {
		t.Error("what somebody has open was replaced")
	}
}

// Names that would harm somebody are made ones that do not; what cannot be is refused.
func TestHostileNamesOfUploads(t *testing.T) {
	h := newHouse(t, nil)
	b := h.person("anna")
	home := b.get("/").home(t)
	long := strings.Repeat("ü", 130) + ".txt" // 264 bytes
	for _, c := range []struct{ came, want string }{
		{`<img src=x onerror=alert(1)>.txt`, `_img src=x onerror=alert(1)_.txt`},
		{`it's "quoted".txt`, `it's _quoted_.txt`},
		{"invoice\u202etxt.exe", "invoicetxt.exe"},
		{"line\nbreak.txt", "line_break.txt"},
		{"..", "document"}, {"dots...", "dots"}, {" blanks .txt ", "blanks .txt"},
		{".~lock.a.odt#", "_.~lock.a.odt#"}, {"~$a.docx", "_~$a.docx"}, {".davwopi-x.tmp", "_.davwopi-x.tmp"},
		{"Zu\u0308rich.txt", "Zu\u0308rich.txt"}, // as a Mac sends it; names are bytes
		{long, ""},
	} {
		got := b.postJSON("/folder/"+home+"/uploads", fmt.Sprintf(`{"name":%q,"size":0,"taken":"both"}`, c.came), "Sec-Fetch-Site", "same-origin")
		if got.status != http.StatusCreated {
			t.Errorf("%q: %d %s", c.came, got.status, got.body)
			continue
		}
		begun := mustJSON[struct{ Upload, Name string }](t, got.body)
		if c.want != "" && begun.Name != c.want || len(begun.Name) > 255 || !strings.HasSuffix(begun.Name, filepath.Ext(c.want)) {
			t.Errorf("%q became %q, want %q", c.came, begun.Name, c.want)
		}
		if got := b.postJSON("/upload/"+begun.Upload, `{"taken":"both"}`, "Sec-Fetch-Site", "same-origin"); got.status != http.StatusOK {
			t.Errorf("%q: %d %s", c.came, got.status, got.body)
		}
	}
	page := b.get("/?all=").body
	for _, bad := range []string{"<img src=x", `"quoted"`, "\u202e"} {
		if strings.Contains(page, bad) {
			t.Errorf("the list has %q", bad)
		}
	}
	if made, err := filepath.Glob(filepath.Join(filepath.Dir(h.up.Dir), "*.exe")); err != nil || len(made) > 0 {
		t.Errorf("outside of the folder: %q, %v", made, err)
	}
}

// Typed names are not bent: people are told.
func TestHostileNamesThatAreTyped(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "x")
	b := h.person("anna")
	root := b.get("/")
	a, home := root.id(t, "a.txt"), root.home(t)
	for name, words := range map[string]string{
		"": "give it a name", "  ": "give it a name", "..": "only dots", ".": "only dots", "x/y.txt": "slashes", `x\y.txt`: "slashes", "x\ny": "line breaks",
		"a\u202etxt.exe": "turn the direction", "a\u2066b": "turn the direction", "dot.": "ends with a dot", ".~lock.x#": "mark open documents", "~$x.docx": "mark open documents",
		strings.Repeat("ü", 128): "too long", "\x00": "slashes",
	} {
		for _, got := range []answer{
			b.post("/rename/"+a, url.Values{"name": {name}}), b.post("/folder/"+home+"/new", url.Values{"kind": {"folder"}, "name": {name}}),
		} {
			if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, words) || !strings.Contains(got.body, `role="alert"`) {
				t.Errorf("%q: %d, without %q", name, got.status, words)
			}
		}
	}
	// What is odd but possible is shown as text, on every page that names it.
	odd := `<img src=x onerror=alert(1)> "it's".txt`
	made := b.goOn(b.post("/rename/"+a, url.Values{"name": {odd}}))
	for _, page := range []answer{made, b.get("/rename/" + a), b.get("/move/" + a), b.get("/delete/" + a), b.get("/document/" + a), b.get("/?q=img")} {
		if strings.Contains(page.body, "<img") || !strings.Contains(page.body, "&lt;img") {
			t.Errorf("the name is markup on\n%.600s", page.body[strings.Index(page.body, "<main"):])
		}
	}
	decomposed := "Zu\u0308rich"
	b.goOn(b.post("/folder/"+home+"/new", url.Values{"kind": {"folder"}, "name": {decomposed}}))
	contains(t, b.get("/?q=zürich").body, "<bdi>"+decomposed+"</bdi>")
	contains(t, b.get("/?q=ZURICH").body, "<bdi>"+decomposed+"</bdi>")
	contains(t, b.get("/?q=%3Cimg+nothing").body, "Nothing here is called “<bdi>&lt;img nothing</bdi>”.")
}

// patch sends a piece.
func (b *browser) patch(upload string, at int, piece string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPatch, fmt.Sprintf("%s/upload/%s?at=%d", b.h.server.URL, upload, at), strings.NewReader(piece))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

// The page's script: begin, send, ask how far it came, go on, finish; asked about a name
// that is taken, before and after.
func TestUploadingInPieces(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "old.txt", "old")
	b := h.person("anna")
	root := b.get("/")
	home, old := root.home(t), root.id(t, "old.txt")
	type told struct {
		Upload, Name, Old, Href, Done, Taken, Error, Message, ID string
		At                                                       int64
	}
	post := func(path, body string, want int) told {
		t.Helper()
		got := b.postJSON(path, body, "Sec-Fetch-Site", "same-origin")
		if got.status != want {
			t.Fatalf("%s %s: %d %s", path, body, got.status, got.body)
		}
		return mustJSON[told](t, got.body)
	}
	if got := post("/folder/"+home+"/uploads", `{"name":"old.txt","size":3}`, http.StatusConflict); got.Error != "taken" || got.Taken != "file" || got.Name != "old.txt" {
		t.Errorf("a name that is taken: %+v", got)
	}
	begun := post("/folder/"+home+"/uploads", `{"name":"new.txt","size":11}`, http.StatusCreated)
	if got := b.patch(begun.Upload, 0, "hello"); got.status != http.StatusOK {
		t.Fatal(got)
	}
	if got := b.patch(begun.Upload, 0, "hello"); got.status != http.StatusConflict || mustJSON[told](t, got.body).At != 5 {
		t.Errorf("sent again: %d %s", got.status, got.body)
	}
	if got := mustJSON[told](t, b.get("/upload/"+begun.Upload).body); got.At != 5 {
		t.Errorf("%+v", got)
	}
	if got := h.person("ben").get("/upload/" + begun.Upload); got.status != http.StatusNotFound {
		t.Errorf("by somebody else: %d", got.status)
	}
	if got := post("/upload/"+begun.Upload, `{}`, http.StatusBadRequest); got.Error != "short" {
		t.Errorf("too early: %+v", got)
	}
	if got := b.patch(begun.Upload, 5, " world"); got.status != http.StatusOK {
		t.Fatal(got)
	}
	h.up.Write(t, "new.txt", "meanwhile")
	if got := post("/upload/"+begun.Upload, `{"taken":"ask"}`, http.StatusConflict); got.Error != "taken" {
		t.Errorf("taken meanwhile: %+v", got)
	}
	if got := post("/upload/"+begun.Upload, `{"taken":"both"}`, http.StatusOK); got.Done != "made" || got.Name != "new (1).txt" || got.Old != "new.txt" || got.Href == "" {
		t.Errorf("%+v", got)
	}
	if h.stored("new.txt") != "meanwhile" || h.stored("new (1).txt") != "hello world" {
		t.Error("the bytes are not there, or over others")
	}
	post("/upload/"+begun.Upload, `{}`, http.StatusNotFound)

	again := post("/folder/"+home+"/uploads", `{"name":"old.txt","size":3,"taken":"replace"}`, http.StatusCreated)
	b.patch(again.Upload, 0, "new")
	if got := post("/upload/"+again.Upload, `{"taken":"replace"}`, http.StatusOK); got.Done != "replaced" || got.ID != old || h.stored("old.txt") != "new" {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{`{"name":"x","size":-1}`, fmt.Sprintf(`{"name":"x","size":%d}`, int64(5)<<40)} {
		if got := b.postJSON("/folder/"+home+"/uploads", bad, "Sec-Fetch-Site", "same-origin"); got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", bad, got.status)
		}
	}
	post("/folder/"+home+"/uploads", `no JSON`, http.StatusBadRequest)
	if got := h.browser().get("/upload/" + again.Upload); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "signed_out") {
		t.Errorf("without a sign-in: %d %s", got.status, got.body)
	}

	folder := post("/folder/"+home+"/folders", `{"name":"album"}`, http.StatusOK)
	if same := post("/folder/"+home+"/folders", `{"name":"album"}`, http.StatusOK); same.ID != folder.ID || folder.ID == "" {
		t.Errorf("made twice: %+v, %+v", folder, same)
	}
	if got := post("/folder/"+home+"/folders", `{"name":"old.txt"}`, http.StatusConflict); got.Error != "taken" {
		t.Errorf("over a file: %+v", got)
	}
}

// A form of many megabytes is never in memory as a whole.
func TestALargeFormIsStreamed(t *testing.T) {
	h := newHouse(t, nil)
	b := h.person("anna")
	home := b.get("/").home(t)
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	const size = 48 << 20
	go func() {
		part, err := form.CreateFormFile("files", "film.bin")
		if err == nil {
			_, err = io.Copy(part, io.LimitReader(zeros{}, size))
		}
		if err == nil {
			err = form.Close()
		}
		w.CloseWithError(err)
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/folder/"+home+"/upload", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := b.do(req); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > size/2 {
		t.Errorf("%d bytes of memory for a file of %d", grown, size)
	}
	if info, err := os.Stat(filepath.Join(h.up.Dir, "film.bin")); err != nil || info.Size() != size {
		t.Errorf("%v, %v", info, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A form that breaks off makes no file of what came.
func TestAFormThatBreaksOff(t *testing.T) {
	h := newHouse(t, nil)
	b := h.person("anna")
	home := b.get("/").home(t)
	const boundary = "xxxx"
	body := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"files\"; filename=\"half.txt\"\r\n\r\nhalf of it"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/folder/"+home+"/upload", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if got := b.do(req); got.status == http.StatusSeeOther {
		t.Errorf("%d", got.status)
	}
	if h.stored("half.txt") != "" {
		t.Error("half a file was made")
	}
}

// What is made new is a document of its kind, or a template's copy; and opens.
func TestMakingSomethingNew(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.withEditor(wopi.Collabora, "docx", "odt")
		h.Upstreams.List[0].Templates = "/Vorlagen"
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/Vorlagen/geheim.docx", Rights: 0}}
	})
	for name, body := range map[string]string{"Vorlagen/Brief.docx": "letterhead", "Vorlagen/geheim.docx": "secret", "Vorlagen/tief/x.docx": "x", "team/taken.docx": "x"} {
		h.up.Write(t, name, body)
	}
	b := h.person("anna")
	if _, err := h.Editors.Action(t.Context(), "docx", "edit", 1, ""); err != nil {
		t.Fatal(err)
	}
	team := b.get("/").id(t, "team")
	page := b.get("/folder/" + team + "/new?kind=docx").body
	contains(t, page, `value="docx" checked`, `value="odt"`, `value="txt"`, `value="folder"`, `value="/Brief.docx"`)
	for _, not := range []string{"geheim", "tief", `value="xlsx"`} {
		if strings.Contains(page, not) {
			t.Errorf("%q is offered", not)
		}
	}
	make := func(kind, name string) answer {
		t.Helper()
		return b.post("/folder/"+team+"/new", url.Values{"kind": {kind}, "name": {name}})
	}
	if got := make("docx", "Plan"); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/edit/") {
		t.Errorf("%d to %q", got.status, got.header.Get("Location"))
	}
	if got := h.stored("team/Plan.docx"); !strings.HasPrefix(got, "PK\x03\x04") || !strings.Contains(got, "word/document.xml") {
		t.Errorf("a new document is %.20q", got)
	}
	make("/Brief.docx", "An Oma.docx")
	if got := h.stored("team/An Oma.docx"); got != "letterhead" {
		t.Errorf("from a template: %q", got)
	}
	make("/geheim.docx", "x") // what is not offered is the first that is
	if got := h.stored("team/x.docx"); got == "secret" {
		t.Error("a template that is hidden was taken")
	}
	make("txt", "leer")
	if _, err := os.Stat(filepath.Join(h.up.Dir, "team", "leer.txt")); err != nil {
		t.Error(err)
	}
	contains(t, b.goOn(make("folder", "Ordner")).body, "“Ordner” is created.", `<tr class="fresh"`)
	for kind, name := range map[string]string{"docx": "taken", "folder": "Ordner"} {
		if got := make(kind, name); got.status != http.StatusConflict || !strings.Contains(got.body, "is there already") || !strings.Contains(got.body, `value="`+name+`"`) {
			t.Errorf("%s over another: %d", kind, got.status)
		}
	}
	if h.stored("team/taken.docx") != "x" {
		t.Error("it was replaced")
	}
}

// A guest with the right to edit puts files into what was shared, and does no more.
func TestGuestsUpload(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "team/a.txt", "x")
	h.up.Write(t, "other/b.txt", "x")
	anna := h.person("anna")
	root := anna.get("/")
	team, other := root.id(t, "team"), root.id(t, "other")
	guest := h.browser()
	base := guest.comeIn(anna.share(team, "for", "anybody", "rights", "edit"), "Zoe", "")
	page := guest.get(base + "/")
	contains(t, page.body, base+"/folder/"+team+"/new", base+"/folder/"+team+"/upload", "data-upload")
	if strings.Contains(page.body, "data-can") || strings.Contains(page.body, "data-links") {
		t.Error("a guest is offered to rename, or an address that is none")
	}
	got := guest.post(base+"/folder/"+team+"/new", url.Values{"kind": {"folder"}, "name": {"von Zoe"}})
	contains(t, guest.goOn(got).body, "“von Zoe” is created.")
	begun := guest.postJSON(base+"/folder/"+team+"/uploads", `{"name":"z.txt","size":0}`, "Sec-Fetch-Site", "same-origin")
	if begun.status != http.StatusCreated {
		t.Fatal(begun)
	}
	done := guest.postJSON(base+"/upload/"+mustJSON[struct{ Upload string }](t, begun.body).Upload, `{}`, "Sec-Fetch-Site", "same-origin")
	if done.status != http.StatusOK || !strings.Contains(done.body, base+"/edit/") {
		t.Errorf("%d %s", done.status, done.body)
	}
	for _, path := range []string{"/folder/" + other + "/new", "/folder/" + other + "/upload"} {
		if got := guest.get(base + path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	a := page.body[strings.Index(page.body, `data-id="`)+9:][:26]
	for _, path := range []string{"/rename/", "/move/", "/delete/"} {
		if got := guest.get(base + path + a); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// /open?path= leads where another program's Edit button wants to, also past a sign-in.
func TestOpenByPath(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/read", Rights: access.View}, {Who: []string{"*"}, Path: "/hidden", Rights: 0}}
	})
	for _, name := range []string{"team/ä b&c.txt", "read/r.txt", "hidden/h.txt"} {
		h.up.Write(t, name, "x")
	}
	b := h.person("anna")
	to := func(q url.Values) answer { return b.get("/open?" + q.Encode()) }
	for _, c := range []struct{ path, mode, want string }{
		{"/team/ä b&c.txt", "", "/edit/"}, {"/team/ä b&c.txt", "edit", "/edit/"}, {"/team/ä b&c.txt", "view", "/view/"}, {"/read/r.txt", "", "/view/"}, {"/team", "", "/folder/"},
	} {
		got := to(url.Values{"path": {c.path}, "mode": {c.mode}})
		if got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), c.want) {
			t.Errorf("%s %s: %d to %q", c.path, c.mode, got.status, got.header.Get("Location"))
		}
	}
	if a, b := to(url.Values{"path": {"/team/ä b&c.txt"}}), b.get("/folder/"+b.get("/").id(t, "team")).id(t, "ä b&amp;c.txt"); !strings.HasSuffix(a.header.Get("Location"), b) {
		t.Error("another ID than the list has")
	}
	for path, want := range map[string]int{"/hidden/h.txt": 404, "/nothing": 404, "relative": 400, "/a/../b": 400, "": 400} {
		if got := to(url.Values{"path": {path}}); got.status != want {
			t.Errorf("%q: %d", path, got.status)
		}
	}
	if got := to(url.Values{"path": {"/read/r.txt"}, "mode": {"steal"}}); got.status != http.StatusBadRequest {
		t.Errorf("another mode: %d", got.status)
	}
	if got := to(url.Values{"path": {"/read/r.txt"}, "upstream": {"other"}}); got.status != http.StatusNotFound {
		t.Errorf("another upstream: %d", got.status)
	}
	contains(t, b.get("/open").body, "Open now") // without a path it is what it was
	stranger := h.browser().get("/open?" + url.Values{"path": {"/team/ä b&c.txt"}, "evil": {"//x"}}.Encode())
	next, err := url.Parse(stranger.header.Get("Location"))
	if err != nil || next.Query().Get("next") != "/open?path=%2Fteam%2F%C3%A4+b%26c.txt" {
		t.Errorf("sign in, and then %q (%v)", next.Query().Get("next"), err)
	}
}

// A search is a page like any other: sorted, in pages, without script.
func TestFindingByName(t *testing.T) {
	h := newHouse(t, nil)
	many(t, h.up.Dir, 620)
	h.up.Write(t, "Übersicht.txt", "x")
	b := h.person("anna")
	page := b.get("/?q=file+1&sort=name&dir=desc")
	contains(t, page.body, `name="q" value="file 1"`, `<input type="hidden" name="dir" value="desc">`, "111 entries", `href="?dir=desc&amp;sort=name">Show all`)
	if strings.Contains(page.body, "<bdi>file 2.txt</bdi>") {
		t.Error("what was not asked for is shown")
	}
	contains(t, b.get("/?q=file").body, "620 entries", "page 1 of 2", `href="?page=2&amp;q=file"`)
	contains(t, b.get("/?q=uber").body, "Übersicht.txt", "1 entry")
}
