package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/config"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// A hostileRig is the whole house over a folder, attacked through its handler.
type hostileRig struct {
	*house
	t   *testing.T
	dir string
	log *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHostileRig(t *testing.T, settings string) *hostileRig {
	t.Helper()
	base := t.TempDir()
	r := &hostileRig{t: t, dir: filepath.Join(base, "docs"), log: new(lockedBuffer)}
	file := filepath.Join(base, "c.yaml")
	r.must(os.WriteFile(file, []byte(settings), 0o600))
	c, err := config.Load(file, nil, config.Overrides{"dir": r.dir, "state": filepath.Join(base, "state"), "log.level": "debug"})
	r.must(err)
	c.Listening("127.0.0.1:8880")
	r.house, err = build(t.Context(), c, zerolog.New(r.log), &bridge.Threshold{}, "")
	t.Cleanup(func() {
		if err := r.house.close(); err != nil {
			t.Error(err)
		}
	})
	r.must(err)
	return r
}

func (r *hostileRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *hostileRig) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	r.must(os.MkdirAll(filepath.Dir(path), 0o755))
	r.must(os.WriteFile(path, []byte(content), 0o600))
}

func (r *hostileRig) read(name string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
	r.must(err)
	return string(content)
}

var anna = oauth.Principal{Issuer: "link", Subject: "guest:anna", Name: "anna"}

// open returns a document's address and an access token.
func (r *hostileRig) open(path string) (address, token string) {
	r.t.Helper()
	out, err := r.pages.Open(r.t.Context(), web.OpenRequest{Path: path, Principal: anna, Editor: web.NoEditor})
	r.must(err)
	return strings.TrimPrefix(out.WOPISrc, "http://127.0.0.1:8880"), out.AccessToken
}

// ask sends a request; header is name, value, name, value...
func (r *hostileRig) ask(method, target, body string, header ...string) *http.Response {
	r.t.Helper()
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	request.Host = "127.0.0.1:8880"
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.bridge.Handler().ServeHTTP(w, request)
	return w.Result()
}

func TestEditorsMakeNoLockFiles(t *testing.T) {
	r := newHostileRig(t, "")
	r.write("a.txt", "text")
	r.write(".~lock.a.txt#", "bob")
	r.write("plain", "text")
	address, token := r.open("/a.txt")
	plain, plainToken := r.open("/plain")
	for _, name := range []string{".~lock.a.txt#", ".~LOCK.b.txt#", "~$b.docx", ".davwopi-0123456789abcdef.tmp", "+AH4-$b.docx"} {
		for header, want := range map[string]int{"X-WOPI-RelativeTarget": 400, "X-WOPI-SuggestedTarget": 200} {
			got := r.ask("POST", address+"?access_token="+token, "evil", "X-WOPI-Override", "PUT_RELATIVE", header, name,
				"X-WOPI-OverwriteRelativeTarget", "true")
			if got.StatusCode != want {
				t.Errorf("%s %s: %s", header, name, got.Status)
			}
		}
		got := r.ask("POST", plain+"?access_token="+plainToken, "", "X-WOPI-Override", "RENAME_FILE", "X-WOPI-RequestedName", name)
		if got.StatusCode != 400 || got.Header.Get("X-WOPI-InvalidFileNameError") == "" {
			t.Errorf("rename to %s: %s", name, got.Status)
		}
	}
	if got := r.read(".~lock.a.txt#"); got != "bob" {
		t.Errorf("bob's lock file is %q", got)
	}
	entries, err := os.ReadDir(r.dir)
	r.must(err)
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		if name != ".~lock.a.txt#" && (strings.HasPrefix(name, ".~lock.") || strings.HasPrefix(name, "~$") || strings.HasPrefix(name, ".davwopi-")) {
			t.Errorf("%s was made", e.Name())
		}
	}
}

func TestHiddenNamesAreNotTold(t *testing.T) {
	r := newHostileRig(t, `access: [{who: ["*"], path: /there.txt, rights: none}, {who: ["*"], path: /absent.txt, rights: none}]`)
	r.write("a.txt", "text")
	r.write("there.txt", "secret")
	address, token := r.open("/a.txt")
	for _, overwrite := range []string{"true", "false"} {
		var answers []string
		for _, name := range []string{"there.txt", "absent.txt"} {
			got := r.ask("POST", address+"?access_token="+token, "evil", "X-WOPI-Override", "PUT_RELATIVE",
				"X-WOPI-RelativeTarget", name, "X-WOPI-OverwriteRelativeTarget", overwrite)
			got.Header.Del("X-Request-Id")
			text, err := json.Marshal(got.Header)
			r.must(err)
			answers = append(answers, got.Status+string(text))
		}
		if answers[0] != answers[1] || !strings.HasPrefix(answers[0], "501") {
			t.Errorf("overwrite %s: %q and %q", overwrite, answers[0], answers[1])
		}
	}
	got := r.ask("POST", address+"?access_token="+token, "mine", "X-WOPI-Override", "PUT_RELATIVE", "X-WOPI-SuggestedTarget", "absent.txt")
	var made struct{ Name string }
	r.must(json.NewDecoder(got.Body).Decode(&made))
	if made.Name != "absent (1).txt" {
		t.Errorf("suggested: %s %q", got.Status, made.Name)
	}
	if got := r.read("there.txt"); got != "secret" {
		t.Errorf("there.txt is %q", got)
	}
}

func TestTheExposedFolder(t *testing.T) {
	r := newHostileRig(t, `{public_url: "http://127.0.0.1:8880/office", upstream: {expose: true}, access: [{who: ["*"], path: /ro, rights: view}]}`)
	r.write("ro/a.html", "<script>")
	password, _, err := r.passwords.Make(t.Context(), owner(), "")
	r.must(err)
	as := func(password string) string {
		q := httptest.NewRequest("GET", "/", nil)
		q.SetBasicAuth("owner", password)
		return q.Header.Get("Authorization")
	}
	if got := r.ask("GET", "/office/dav/ro/a.html", "", "Authorization", as("wrong")); got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("wrong password: %s", got.Status)
	}
	right := as(password)
	got := r.ask("GET", "/office/dav/ro/a.html", "", "Authorization", right)
	for name, want := range map[string]string{
		"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
	} {
		if !strings.HasPrefix(got.Header.Get(name), want) {
			t.Errorf("%s is %q", name, got.Header.Get(name))
		}
	}
	got = r.ask("PROPFIND", "/office/dav/ro/", "", "Authorization", right, "Depth", "1")
	listing, err := io.ReadAll(got.Body)
	r.must(err)
	if !strings.Contains(string(listing), ">/office/dav/ro/a.html<") {
		t.Errorf("%s %s", got.Status, listing)
	}
	for to, want := range map[string]int{"/office/dav/b.html": 201, "/office/dav/ro/b.html": 403, "/b.html": 502} {
		if got := r.ask("COPY", "/office/dav/ro/a.html", "", "Authorization", right, "Destination", to); got.StatusCode != want {
			t.Errorf("COPY to %s: %s", to, got.Status)
		}
	}
	if got := r.ask("PUT", "/office/dav/ro/a.html", "x", "Authorization", right); got.StatusCode != 403 {
		t.Errorf("PUT: %s", got.Status)
	}
}

// Somebody signs out, and another person begins an editing: CheckFileInfo does not
// make the first a member of it.
func TestSignedOutJoinsNothing(t *testing.T) {
	r := newHostileRig(t, "")
	r.write("a.txt", "text")
	address, ben := r.open("/a.txt")
	id := idmap.FileID(address[strings.LastIndexByte(address, '/')+1:])
	space, err := r.upstreams.Space(t.Context(), "main", anna)
	r.must(err)
	token, grant, err := r.tokens.Mint(t.Context(), access.Grant{
		File: id, Space: space, Upstream: "main", Principal: anna, Session: "s", Rights: access.Edit,
	})
	r.must(err)
	lock := func(token, override, lock string) {
		t.Helper()
		if got := r.ask("POST", address+"?access_token="+token, "", "X-WOPI-Override", override, "X-WOPI-Lock", lock); got.StatusCode != 200 {
			t.Fatalf("%s %s: %s", override, lock, got.Status)
		}
	}
	members := func() map[string]time.Time {
		m, err := r.locks.Members(t.Context())
		r.must(err)
		return m
	}
	lock(token, "LOCK", "A")
	r.must(r.tokens.SignedOut(context.WithoutCancel(t.Context()), "s", members()))
	lock(token, "UNLOCK", "A")
	before := members()[grant.Member()]
	lock(ben, "LOCK", "B")
	if got := r.ask("GET", address+"?access_token="+token, ""); got.StatusCode != 401 {
		t.Fatalf("CheckFileInfo of somebody else's editing: %s", got.Status)
	}
	if after := members()[grant.Member()]; !after.Equal(before) {
		t.Errorf("the reprieve went from %v to %v", before, after)
	}
}

func TestTheLogHoldsNoToken(t *testing.T) {
	r := newHostileRig(t, "wopi: {file_url: true}")
	r.write("a.txt", "text")
	address, token := r.open("/a.txt")
	for _, request := range [][]string{
		{"GET", address + "?access_token=" + token},
		{"GET", address + "?access_token=" + token + "x"},
		{"GET", address + "/contents?access_token=" + token},
		{"POST", address + "/contents?access_token=" + token},
		{"GET", "/wopi/fileurl/" + address[strings.LastIndexByte(address, '/')+1:] + "?access_token=" + token},
		{"GET", "/ticket/" + token}, {"POST", "/link/" + token}, {"GET", "/download/" + token},
	} {
		r.ask(request[0], request[1], "", "X-WOPI-Override", token, "X-WOPI-Lock", "L", "Cookie", "davwopi="+token)
		r.ask(request[0], request[1], "", "Authorization", "Bearer "+token, "X-WOPI-Override", "LOCK")
	}
	if said := r.log.String(); said == "" || strings.Contains(said, token[:20]) {
		t.Errorf("log: %s", said)
	}
}

// TestSignedOutStealsNothing: a person who was in an editing signs out, unlocks,
// and then tries her old token on the next person's editing.
func TestSignedOutStealsNothing(t *testing.T) {
	r := newHostileRig(t, "")
	r.write("a.txt", "old")
	_, session, err := r.sessions.Start(t.Context(), anna)
	r.must(err)
	address, token := r.openIn(session, "/a.txt")
	lock := func(token, override, id, body string) *http.Response {
		suffix := ""
		if override == "PUT" {
			suffix = "/contents"
		}
		return r.ask("POST", address+suffix+"?access_token="+token, body, "X-WOPI-Override", override, "X-WOPI-Lock", id)
	}
	want := func(status int, got *http.Response, what string) {
		t.Helper()
		if got.StatusCode != status {
			t.Errorf("%s: %s, want %d", what, got.Status, status)
		}
	}
	want(200, lock(token, "LOCK", "hers", ""), "Lock")
	members, err := r.locks.Members(t.Context())
	r.must(err)
	r.must(r.tokens.SignedOut(t.Context(), session, members))
	want(200, lock(token, "PUT", "hers", "her last words"), "save after sign-out")
	want(200, lock(token, "UNLOCK", "hers", ""), "Unlock after sign-out")

	_, his := r.openIn("", "/a.txt")
	want(200, lock(his, "LOCK", "his", ""), "his Lock")
	want(401, lock(token, "GET_LOCK", "", ""), "GetLock of his editing")
	want(401, lock(token, "PUT", "his", "stolen"), "PutFile with his lock ID")
	want(401, lock(token, "UNLOCK", "his", ""), "Unlock with his lock ID")
	want(401, r.ask("GET", address+"?access_token="+token, ""), "CheckFileInfo of his editing")
	if got := r.read("a.txt"); got != "her last words" {
		t.Errorf("the file holds %q", got)
	}
	want(200, lock(his, "PUT", "his", "his words"), "his save")
}

// openIn mints an edit token of a browser session, as the host page does.
func (r *hostileRig) openIn(session, path string) (address, token string) {
	r.t.Helper()
	view, err := r.upstreams.View(r.t.Context(), "main", anna)
	r.must(err)
	res, err := view.Stat(r.t.Context(), dav.Path(path))
	r.must(err)
	space, err := r.upstreams.Space(r.t.Context(), "main", anna)
	r.must(err)
	entry, err := r.ids.At(r.t.Context(), space, res)
	r.must(err)
	token, _, err = r.tokens.Mint(r.t.Context(), access.Grant{
		File: entry.ID, Space: space, Upstream: "main", Principal: anna, Session: session, Rights: access.Edit,
	})
	r.must(err)
	return "/wopi/files/" + string(entry.ID), token
}
