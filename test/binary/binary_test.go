package binary

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

func needDaemon(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
}

// client is an office that works with a document opened by `davwopi open`.
func client(d *daemon.Daemon, args ...string) *office.Client {
	o := d.Open(args...)
	return &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken}
}

func must(t *testing.T, a office.Answer, err error) office.Answer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != http.StatusOK {
		t.Fatalf("got %s", a)
	}
	return a
}

func status(t *testing.T, want int, a office.Answer, err error) office.Answer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != want {
		t.Errorf("got %s, want status %d", a, want)
	}
	return a
}

func TestBareMachine(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "")
	c := d.Browser(d.Link)
	page := get(t, c, d.URL+"/", 200)
	for _, want := range []string{"Welcome.txt", "Letter.docx", "Projects"} {
		if !strings.Contains(page, want) {
			t.Errorf("the list lacks %s", want)
		}
	}
	t.Run("a link works once", func(t *testing.T) {
		r, err := http.Post(d.Link, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode < 400 {
			t.Errorf("second use: %s", r.Status)
		}
	})
	t.Run("without a session there is no list", func(t *testing.T) {
		if text := get(t, http.DefaultClient, d.URL+"/", 200); strings.Contains(text, "Letter.docx") {
			t.Error("listed")
		}
	})
	t.Run("an office file says what to add", func(t *testing.T) {
		m := regexp.MustCompile(`/(?:edit|view)/[a-z2-7]{26}`).FindAllString(page, -1)
		found := false
		for _, link := range m {
			if strings.Contains(get(t, c, d.URL+link, 0), "editors:") {
				found = true
			}
		}
		if !found {
			t.Errorf("no page says how to connect an editor; links %v", m)
		}
	})
	t.Run("state is the operator's own", func(t *testing.T) {
		for _, name := range []string{"", "state.db", "secret.key", "admin.sock"} {
			info, err := os.Stat(filepath.Join(d.State, name))
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v %v", name, info.Mode(), err)
			}
		}
	})
}

func get(t *testing.T, c *http.Client, address string, want int) string {
	t.Helper()
	r, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want != 0 && r.StatusCode != want {
		t.Errorf("%s: %s", address, r.Status)
	}
	return string(body)
}

// upstreams runs f against the daemon on the embedded server and on each real one
// that is installed.
func upstreams(t *testing.T, f func(t *testing.T, d *daemon.Daemon, folder string)) {
	needDaemon(t)
	t.Run("embedded", func(t *testing.T) {
		d := daemon.Start(t, "")
		f(t, d, d.Dir)
	})
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			d := daemon.Start(t, serviceConfig(s))
			f(t, d, s.Dir)
		})
	}
}

// serviceConfig points the daemon at a server with one account for everybody.
func serviceConfig(s *upstream.Server) string {
	return fmt.Sprintf("upstream: {url: %q, user: %q, password: %q}\nsign_in: {kind: link}\n", s.URL, s.User, s.Password)
}

func TestTheLoopOfAnEditing(t *testing.T) {
	upstreams(t, func(t *testing.T, d *daemon.Daemon, folder string) {
		ctx := context.Background()
		put(t, folder, "Report.txt", "first")
		c := client(d, "/Report.txt")
		var info wopi.CheckFileInfo
		if err := must2(t)(c.CheckFileInfo(ctx)).JSON(&info); err != nil {
			t.Fatal(err)
		}
		if info.BaseFileName != "Report.txt" || info.Size != 5 || !info.UserCanWrite || !info.SupportsLocks {
			t.Errorf("%+v", info)
		}
		locked := must2(t)(c.Lock(ctx, `{"S":"one","F":4}`))
		if locked.ItemVersion() != info.Version {
			t.Errorf("Lock: version %q, CheckFileInfo %q", locked.ItemVersion(), info.Version)
		}
		got := must2(t)(c.GetFile(ctx, -1))
		if string(got.Body) != "first" || got.ItemVersion() != info.Version {
			t.Errorf("GetFile: %q %q", got.Body, got.ItemVersion())
		}
		saved := must2(t)(c.PutFile(ctx, `{"S":"one","F":4}`, []byte("second"), nil))
		if saved.ItemVersion() == info.Version || saved.ItemVersion() == "" {
			t.Errorf("PutFile: version %q", saved.ItemVersion())
		}
		if on := read(t, folder, "Report.txt"); on != "second" {
			t.Errorf("on disk: %q", on)
		}
		wrong := status2(t, 409)(c.PutFile(ctx, "other", []byte("evil"), nil))
		if lock, there := wrong.Lock(); !there || lock != `{"S":"one","F":4}` {
			t.Errorf("X-WOPI-Lock on 409: %q", lock)
		}
		again := must2(t)(c.PutFile(ctx, `{"S":"one","F":4}`, []byte("second"), nil))
		if again.ItemVersion() == saved.ItemVersion() {
			t.Error("equal bytes gave an equal version")
		}
		must2(t)(c.RenameFile(ctx, `{"S":"one","F":4}`, "Größe & Co", []byte("forgotten")))
		if on := read(t, folder, "Größe & Co.txt"); on != "second" {
			t.Errorf("after the rename: %q", on)
		}
		must2(t)(c.PutFile(ctx, `{"S":"one","F":4}`, []byte("third"), nil))
		unlocked := must2(t)(c.Unlock(ctx, `{"S":"one","F":4}`))
		if err := must2(t)(c.CheckFileInfo(ctx)).JSON(&info); err != nil || info.Version != unlocked.ItemVersion() {
			t.Errorf("after Unlock: %q, CheckFileInfo %q %v", unlocked.ItemVersion(), info.Version, err)
		}
		if info.BaseFileName != "Größe & Co.txt" {
			t.Errorf("name: %q", info.BaseFileName)
		}
		noTemps(t, folder)
	})
}

func must2(t *testing.T) func(office.Answer, error) office.Answer {
	return func(a office.Answer, err error) office.Answer { t.Helper(); return must(t, a, err) }
}

func status2(t *testing.T, want int) func(office.Answer, error) office.Answer {
	return func(a office.Answer, err error) office.Answer { t.Helper(); return status(t, want, a, err) }
}

func put(t *testing.T, folder, name, text string) {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// noTemps sees that nothing of ours stays beside the documents.
func noTemps(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		measuring := strings.HasPrefix(e.Name(), ".davwopi-probe-") // just going on
		if strings.Contains(e.Name(), "davwopi") && !measuring || strings.HasPrefix(e.Name(), ".~lock") {
			t.Errorf("%s was left", e.Name())
		}
	}
}

// TestKilled kills the daemon without warning in the middle of an editing.
func TestKilled(t *testing.T) {
	upstreams(t, func(t *testing.T, d *daemon.Daemon, folder string) {
		ctx := context.Background()
		put(t, folder, "Report.txt", "first")
		c := client(d, "/Report.txt")
		var before, after wopi.CheckFileInfo
		must2(t)(c.Lock(ctx, "L1"))
		must2(t)(c.GetFile(ctx, -1))
		must2(t)(c.PutFile(ctx, "L1", []byte("second"), nil))
		if err := must2(t)(c.CheckFileInfo(ctx)).JSON(&before); err != nil {
			t.Fatal(err)
		}
		d.Kill()
		d.Restart()
		if err := must2(t)(c.CheckFileInfo(ctx)).JSON(&after); err != nil {
			t.Fatal(err)
		}
		if before.Version != after.Version || before.LastModifiedTime != after.LastModifiedTime {
			t.Errorf("version %q %q became %q %q", before.Version, before.LastModifiedTime, after.Version, after.LastModifiedTime)
		}
		held := must2(t)(c.GetLock(ctx))
		if lock, _ := held.Lock(); lock != "L1" {
			t.Errorf("lock: %q", lock)
		}
		status2(t, 409)(c.Lock(ctx, "L2"))
		begin := time.Now()
		must2(t)(c.PutFile(ctx, "L1", []byte("third"), nil))
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the first save after the crash waited %s for a lease of the dead", took)
		}
		must2(t)(c.Unlock(ctx, "L1"))
		if again := d.Open("/Report.txt"); again.WOPISrc != c.WOPISrc {
			t.Errorf("ID: %s became %s", c.WOPISrc, again.WOPISrc)
		}
		if on := read(t, folder, "Report.txt"); on != "third" {
			t.Errorf("on disk: %q", on)
		}
	})
}

// TestGibibyte moves a file of 1 GiB through GetFile and PutFile.
func TestGibibyte(t *testing.T) {
	needDaemon(t)
	gibibyte(t, daemon.Start(t, ""))
}

// TestGibibyteInTheDatabase is TestGibibyte with the journal in PostgreSQL.
func TestGibibyteInTheDatabase(t *testing.T) {
	needDaemon(t)
	if os.Getenv("DAVWOPI_TEST_GIBIBYTE") == "" {
		t.Skip("writes some 3 GiB: set DAVWOPI_TEST_GIBIBYTE=1")
	}
	gibibyte(t, daemon.Start(t, postgresConfig(t, "")))
}

func gibibyte(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	const size, most = 1 << 30, 64 << 20
	file, err := os.Create(filepath.Join(d.Dir, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	file.Close()
	c := client(d, "-editor", "none", "/big.bin")
	ctx := context.Background()
	must2(t)(c.Lock(ctx, "L"))
	r, err := c.Send(ctx, http.MethodGet, "contents", "", nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r.Body)
	r.Body.Close()
	if err != nil || n != size {
		t.Fatalf("GetFile: %d bytes, %v", n, err)
	}
	body := io.LimitReader(pattern{}, size)
	r, err = c.Send(ctx, http.MethodPost, "contents", wopi.OverridePut, map[string]string{wopi.HeaderLock: "L"}, body, size)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("PutFile: %s", r.Status)
	}
	_, peak := d.RSS()
	t.Logf("peak RSS %d MiB", peak>>20)
	if peak >= most {
		t.Errorf("peak RSS is %d MiB, not under %d", peak>>20, most>>20)
	}
	must2(t)(c.Unlock(ctx, "L"))
	if info, err := os.Stat(filepath.Join(d.Dir, "big.bin")); err != nil || info.Size() != size {
		t.Errorf("on disk: %v %v", info, err)
	}
}

// pattern is an endless body that is not all zeros.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 7)
	}
	return len(p), nil
}

func TestTokensAreForOneFile(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "")
	put(t, d.Dir, "a.txt", "a")
	put(t, d.Dir, "b.txt", "b")
	a, b := client(d, "/a.txt"), client(d, "/b.txt")
	a.AccessToken, b.AccessToken = b.AccessToken, a.AccessToken
	for _, c := range []*office.Client{a, b} {
		status2(t, 401)(c.CheckFileInfo(t.Context()))
		status2(t, 401)(c.GetFile(t.Context(), -1))
		status2(t, 401)(c.PutFile(t.Context(), "", []byte("x"), nil))
	}
	view := client(d, "-mode", "view", "/a.txt")
	var info wopi.CheckFileInfo
	if err := must2(t)(view.CheckFileInfo(t.Context())).JSON(&info); err != nil || info.UserCanWrite || !info.ReadOnly {
		t.Errorf("%+v %v", info, err)
	}
	status2(t, 404)(view.Lock(t.Context(), "L"))
	status2(t, 501)(view.RenameFile(t.Context(), "", "c", nil))
}

// TestNoSecretIsLogged looks for everything secret in the whole log at debug.
func TestNoSecretIsLogged(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "log: {level: debug}\n")
	put(t, d.Dir, "a.txt", "a")
	o := d.Open("/a.txt")
	c := &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken}
	must2(t)(c.Lock(t.Context(), "L"))
	must2(t)(c.PutFile(t.Context(), "L", []byte("b"), nil))
	c.AccessToken += "x"
	status2(t, 401)(c.CheckFileInfo(t.Context()))
	key, err := os.ReadFile(filepath.Join(d.State, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	host, err := url.Parse(o.HostURL)
	if err != nil {
		t.Fatal(err)
	}
	for what, secret := range map[string]string{
		"access token": o.AccessToken, "sign-in link": d.Link[strings.LastIndex(d.Link, "/")+1:],
		"secret key": strings.TrimSpace(string(key)), "ticket": host.Path[strings.LastIndex(host.Path, "/")+1:],
	} {
		if len(secret) < 16 {
			t.Fatalf("%s: %q", what, secret)
		}
		if strings.Contains(d.Log(), secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
}

func TestConfigurationFaults(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	put(t, filepath.Dir(bad), "bad.yaml", "lisen: x\nupstream: {auth: nobody}\nlog: {level: loud}\n")
	out, err := d.Run("config", "check", "-config", bad)
	if err == nil || !strings.Contains(err.Error(), "exit status 2") {
		t.Fatalf("%v %s", err, out)
	}
	for _, want := range []string{"lisen: unknown key", "upstream.auth:", "log.level:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s in %v", want, err)
		}
	}
	if _, err := d.Run("ids", "/nothing-here"); err == nil {
		t.Error("ids of nothing")
	}
	if out, err := d.Run("ids", "/"); err != nil || !strings.Contains(out, `"container"`) {
		// the root gets its ID with the first listing
		d.Browser(d.Link)
		if out, err = d.Run("ids", "/"); err != nil || !strings.Contains(out, `"container"`) {
			t.Errorf("%v %s", err, out)
		}
	}
	if _, err := d.Run("version"); err != nil {
		t.Error(err)
	}
}

func TestASecondDaemonIsRefused(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "")
	_, err := d.Run("serve", "-listen", "127.0.0.1:0", "-dir", d.Dir)
	if err == nil {
		t.Fatal("it ran")
	}
	if _, err := d.Run("invite"); err != nil {
		t.Errorf("the first daemon's socket was taken: %v", err)
	}
}

// TestUpstreamSignIn signs in with the name and password of a real Apache, in the
// mode in which the upstream sees each person's own.
func TestUpstreamSignIn(t *testing.T) {
	needDaemon(t)
	s := upstream.Apache(t)
	put(t, s.Dir, "Report.txt", "first")
	d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, auth: user, roots: shared}\n", s.URL))
	for password, want := range map[string]bool{"wrong": false, s.Password: true} {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := &http.Client{Jar: jar}
		r, err := c.PostForm(d.URL+"/signin", url.Values{"user": {s.User}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if listed := strings.Contains(get(t, c, d.URL+"/", 0), "Report.txt"); listed != want {
			t.Errorf("password %q: listed %v", password, listed)
		}
	}
	c := client(d, "-user", s.User, "/Report.txt")
	must2(t)(c.Lock(t.Context(), "L"))
	must2(t)(c.PutFile(t.Context(), "L", []byte("second"), nil))
	must2(t)(c.Unlock(t.Context(), "L"))
	if on := read(t, s.Dir, "Report.txt"); on != "second" {
		t.Errorf("on disk: %q", on)
	}
	if strings.Contains(d.Log(), s.Password) {
		t.Error("the log holds the password")
	}
}

func TestUpstreamDown(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "upstream: {url: 'http://127.0.0.1:1/', user: u, password: geheim}\nsign_in: {kind: link}\n")
	c := d.BrowserTo(d.Link)
	page := get(t, c, d.URL+"/", 0)
	if !strings.Contains(page, "127.0.0.1:1") || strings.Contains(page, "geheim") {
		t.Errorf("the page does not say which server: %s", page)
	}
	if !strings.Contains(d.Log(), "does not answer") || strings.Contains(d.Log(), "geheim") {
		t.Errorf("log: %s", d.Log())
	}
}

func TestSavesOfAnEditorThatSigns(t *testing.T) {
	needDaemon(t)
	e := office.NewEditor(t, wopi.Collabora, true, "odt")
	d := daemon.Start(t, fmt.Sprintf("editors: [%q]\n", e.URL))
	put(t, d.Dir, "a.odt", "first")
	o := d.Open("/a.odt")
	unsigned := &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken}
	status2(t, 500)(unsigned.CheckFileInfo(t.Context()))
	c := e.Client(o.WOPISrc, o.AccessToken)
	s, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.ReadOnly || string(s.Contents) != "first" {
		t.Errorf("%+v", s)
	}
}

// TestExposedDAV reaches the served folder by WebDAV, with an app password only.
func TestExposedDAV(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "upstream: {expose: true}\n")
	out, err := d.Run("app-password", "-name", "laptop")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)address\s+(\S+)\nuser\s+(\S+)\npassword\s+(\S+)\n`).FindStringSubmatch(out)
	if m == nil {
		t.Fatal(out)
	}
	for password, want := range map[string]bool{m[3]: true, "wrong": false, "": false} {
		base, err := url.Parse(m[1])
		if err != nil {
			t.Fatal(err)
		}
		client := &davbackend.Client{Base: base}
		view := client.As(davbackend.Credential{Kind: "password", User: m[2], Secret: password})
		seen := 0
		err = view.List(t.Context(), "/", func(r dav.Resource) error { seen++; return nil })
		if want != (err == nil && seen >= 3) {
			t.Errorf("password %q: %d entries, %v", password, seen, err)
		}
		if want {
			if err := view.Move(t.Context(), "/Welcome.txt", "/Projects/Moved.txt", false, davbackend.Condition{}, davbackend.Condition{}); err != nil {
				t.Error(err)
			}
		}
		client.CloseIdle()
	}
	if read(t, d.Dir, "Projects/Moved.txt") == "" {
		t.Error("nothing was moved")
	}
	c := client(d, "/Projects/Moved.txt")
	must2(t)(c.Lock(t.Context(), "L"))
	must2(t)(c.PutFile(t.Context(), "L", []byte("through both doors"), nil))
	must2(t)(c.Unlock(t.Context(), "L"))
}
