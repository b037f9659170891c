package binary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
)

// deeds reads an audit log: "what done by" of each line.
func deeds(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		var d struct {
			What, By string
			Done     bool
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		list = append(list, fmt.Sprintf("%s %v %s", d.What, d.Done, d.By))
	}
	return list
}

// TestAudit does what an operator may want to look up later, in a browser, in an editor and on
// the command line; rotates the file on the way; and looks for names of documents.
func TestAudit(t *testing.T) {
	needDaemon(t)
	file := filepath.Join(t.TempDir(), "audit.log")
	d := daemon.Start(t, fmt.Sprintf("log: {audit: %q}\n", file))
	put(t, d.Dir, "secret-plan.txt", "one")
	browser := d.Browser(d.Link)
	if r, err := http.Post(d.Link, "", nil); err != nil || r.StatusCode < 400 {
		t.Fatal(err)
	}
	c := client(d, "/secret-plan.txt")
	must2(t)(c.Lock(t.Context(), "L"))
	must2(t)(c.PutFile(t.Context(), "L", []byte("two"), nil))
	id := c.WOPISrc[strings.LastIndexByte(c.WOPISrc, '/')+1:]
	answer, err := browser.PostForm(d.URL+"/open/"+id+"/release", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	answer, err = browser.PostForm(d.URL+"/share/"+id, url.Values{"for": {"people"}, "rights": {"view"}})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if _, err := d.Run("saves", "undo", id); err != nil {
		t.Fatal(err)
	}
	must2(t)(c.DeleteFile(t.Context()))
	want := []string{"sign_in true browser", "sign_in false browser", "open true command", "release true browser", "share true browser", "undo true command", "delete true editor"}
	if got := deeds(t, file); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "secret-plan") {
		t.Errorf("%v, or the name of a document: %s", err, text)
	}

	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(d.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("SIGHUP opens nothing: %v", err)
		}
	}
	answer, err = browser.PostForm(d.URL+"/signout", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if got := deeds(t, file); len(got) != 1 || got[0] != "sign_out true browser" {
		t.Errorf("after the rotation: %v", got)
	}
}

// putSecret is put for its owner alone.
func putSecret(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// putConfig writes davwopi.yaml, in which there may be a secret.
func putConfig(t *testing.T, dir, yaml string) {
	t.Helper()
	putSecret(t, dir, "davwopi.yaml", yaml)
}

// TestGuardedSecrets: what others can read is refused with a line that says what to do, and the
// state directory is closed.
func TestGuardedSecrets(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "")
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	put(t, dir, "password", "hunter2")
	refused := func(yaml string, mode os.FileMode, want string) {
		t.Helper()
		config := filepath.Join(dir, "davwopi.yaml")
		put(t, dir, "davwopi.yaml", yaml)
		for file, mode := range map[string]os.FileMode{config: 0o644, secret: mode} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
		}
		_, err := d.Run("config", "check", "-config", config)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", yaml, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "chmod 600")):
			t.Errorf("%s: %v, want %q", yaml, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the secret is told", yaml)
		}
	}
	const upstream = "upstream: {url: https://nas.invalid/, user: a, "
	refused(fmt.Sprintf(upstream+"password_file: %q}\n", secret), 0o644, secret+" holds a secret")
	refused(fmt.Sprintf(upstream+"password_file: %q}\n", secret), 0o640, "")
	refused(upstream+"password: hunter2}\n", 0o600, "upstream.password")

	d.Stop()
	if err := os.Chmod(d.State, 0o755); err != nil {
		t.Fatal(err)
	}
	d.Restart()
	if info, err := os.Stat(d.State); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	foreign := t.TempDir()
	put(t, foreign, "holiday.jpg", "x")
	if err := os.Chmod(foreign, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Run("serve", "-state", foreign, "-listen", "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a state directory for all to write: %v", err)
	}
	if os.Geteuid() == 0 && strings.Count(d.Log(), "davwopi runs as root") != 2 { // two starts
		t.Errorf("not said once: %s", d.Log())
	}
}

// TestAutosaveNeverWaits edits in each editor's manner with the least that can be configured:
// an open document that is saved, refreshed and looked at at the same time is never turned away.
func TestAutosaveNeverWaits(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "wopi: {requests_per_token: 4}\n")
	for _, kind := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft, wopi.TextEditor} {
		name := fmt.Sprintf("%v.txt", kind)
		put(t, d.Dir, name, "first")
		o := d.Open("/" + name)
		c := &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken, Office: kind}
		s, err := c.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		whole := func(a office.Answer, err error) {
			if err != nil || a.Status != http.StatusOK {
				t.Errorf("%v: %v %v", kind, a, err)
			}
		}
		for round := range 10 {
			var all sync.WaitGroup
			all.Go(func() { whole(s.Save(t.Context(), fmt.Appendf(nil, "round %d", round), false)) })
			all.Go(func() { whole(c.CheckFileInfo(t.Context())) })
			all.Go(func() { whole(c.GetFile(t.Context(), -1)) })
			all.Go(func() { whole(c.RefreshLock(t.Context(), s.LockID)) })
			all.Wait()
		}
		must2(t)(s.Close(t.Context()))
		if on := read(t, d.Dir, name); on != "round 9" {
			t.Errorf("%v: %q", kind, on)
		}
	}
	if strings.Contains(d.Log(), "503") {
		t.Error(d.Log())
	}
}

// TestBodiesAreBounded: a document beyond saves.max_file_size is refused, announced or not, and
// nothing of it stays.
func TestBodiesAreBounded(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "saves: {max_file_size: 1M}\n")
	put(t, d.Dir, "a.txt", "before")
	c := client(d, "/a.txt")
	must2(t)(c.Lock(t.Context(), "L"))
	large := bytes.Repeat([]byte("x"), 1<<20+1)
	status2(t, 413)(c.PutFile(t.Context(), "L", large, nil))
	header := map[string]string{wopi.HeaderLock: "L"}
	r, err := c.Send(t.Context(), http.MethodPost, "/contents", "PUT", header, bytes.NewReader(large), -1)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("of unknown length: %s", r.Status)
	}
	if on := read(t, d.Dir, "a.txt"); on != "before" {
		t.Errorf("%d bytes on disk", len(on))
	}
	must2(t)(c.PutFile(t.Context(), "L", large[:1<<20], nil))
}
