package binary

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/profile"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// curl is another WebDAV program at the same server, with the same account.
type curl struct {
	t                 *testing.T
	url, user, secret string
}

// do sends one request and returns the status.
func (c curl) do(method, path string, args ...string) int {
	c.t.Helper()
	all := append([]string{"-sS", "-o", os.DevNull, "-w", "%{http_code}", "-X", method}, args...)
	if c.user != "" {
		all = append(all, "-u", c.user+":"+c.secret)
	}
	out, err := exec.Command("curl", append(all, strings.TrimSuffix(c.url, "/")+path)...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("curl %s %s: %v: %s", method, path, err, out)
	}
	status, err := strconv.Atoi(string(out))
	if err != nil {
		c.t.Fatalf("curl %s %s printed %q", method, path, out)
	}
	return status
}

func (c curl) put(path, text string, args ...string) int {
	return c.do("PUT", path, append(args, "--data-binary", text, "-H", "Content-Type: text/plain")...)
}

func (c curl) move(from, to string) int {
	return c.do("MOVE", from, "-H", "Destination: "+strings.TrimSuffix(c.url, "/")+to, "-H", "Overwrite: T")
}

func (c curl) lock(path, owner string) int {
	const body = `<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>%s</D:owner></D:lockinfo>`
	return c.do("LOCK", path, "-H", "Content-Type: application/xml", "-H", "Timeout: Second-600", "-H", "Depth: 0", "--data-binary", fmt.Sprintf(body, owner))
}

// foreigners runs f against every server, with its profile and a foreign program.
func foreigners(t *testing.T, f func(t *testing.T, d *daemon.Daemon, folder string, c curl, p profile.Facts)) {
	needDaemon(t)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("wants curl (Debian's package curl)")
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		d := daemon.StartEmpty(t, "upstream: {expose: true}\n")
		out, err := d.Run("app-password", "-name", "curl")
		if err != nil {
			t.Fatal(err)
		}
		c := curl{t: t, url: d.URL + "/dav/"}
		for line := range strings.Lines(out) {
			switch fields := strings.Fields(line); fields[0] {
			case "user":
				c.user = fields[1]
			case "password":
				c.secret = fields[1]
			}
		}
		f(t, d, d.Dir, c, profile.Embedded())
	})
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			d := daemon.Start(t, serviceConfig(s))
			measured(t, d, 1)
			var p profile.Facts
			text, err := os.ReadFile(filepath.Join("../../davbackend/profile/testdata", name+".json"))
			if err == nil {
				err = json.Unmarshal(text, &p)
			}
			if err != nil {
				t.Fatal(err)
			}
			f(t, d, s.Dir, curl{t: t, url: s.URL, user: s.User, secret: s.Password}, p)
		})
	}
}

// TestForeignProgramDuringAnEditing: what the profile promises is what another
// WebDAV program meets while a document is open.
func TestForeignProgramDuringAnEditing(t *testing.T) {
	foreigners(t, func(t *testing.T, d *daemon.Daemon, folder string, c curl, p profile.Facts) {
		if p.Lock != "works" {
			t.Fatalf("the table says of LOCK: %s", p.Lock)
		}
		put(t, folder, "Report.txt", "first")
		e := client(d, "/Report.txt")
		must2(t)(e.Lock(t.Context(), "L"))
		must2(t)(e.GetFile(t.Context(), -1))
		for what, status := range map[string]int{
			"PUT": c.put("/Report.txt", "evil"), "LOCK": c.lock("/Report.txt", "somebody"),
			"MOVE": c.move("/Report.txt", "/Stolen.txt"), "DELETE": c.do("DELETE", "/Report.txt"),
		} {
			if status < 400 {
				t.Errorf("%s of an open document was answered %d", what, status)
			}
		}
		put(t, folder, "Other.txt", "other")
		if status := c.move("/Other.txt", "/Report.txt"); status < 400 {
			t.Errorf("MOVE onto an open document was answered %d", status)
		}
		must2(t)(e.PutFile(t.Context(), "L", []byte("second"), nil))
		if on := read(t, folder, "Report.txt"); on != "second" {
			t.Errorf("on disk: %q", on)
		}
		must2(t)(e.Unlock(t.Context(), "L"))
		if status := c.put("/Report.txt", "third"); status >= 300 {
			t.Errorf("after Unlock PUT is answered %d", status)
		}
		noTemps(t, folder)
	})
}

// TestForeignLockFirst: who opens the document in another program first keeps it; the
// editor learns who it is where the server tells.
func TestForeignLockFirst(t *testing.T) {
	foreigners(t, func(t *testing.T, d *daemon.Daemon, folder string, c curl, p profile.Facts) {
		put(t, folder, "Report.txt", "first")
		if status := c.lock("/Report.txt", "Zoe Zebra"); status != http.StatusOK {
			t.Fatalf("LOCK is answered %d", status)
		}
		e := client(d, "/Report.txt")
		a := status2(t, 409)(e.Lock(t.Context(), "L"))
		if lock, there := a.Lock(); !there || lock != "" {
			t.Errorf("X-WOPI-Lock %q, %v", lock, there)
		}
		reason := a.Header.Get(wopi.HeaderLockFailureReason)
		if named := strings.Contains(reason, "Zoe Zebra"); reason == "" || named != (p.LockShown == "token and owner") {
			t.Errorf("lockdiscovery shows %s, and the reason is %q", p.LockShown, reason)
		}
		status2(t, 409)(e.PutFile(t.Context(), "L", []byte("evil"), nil))
		if on := read(t, folder, "Report.txt"); on != "first" {
			t.Errorf("on disk: %q", on)
		}
	})
}

// TestFolderAboveIsMovedAway: some servers let another program rename the folder
// around a locked file. The next save lands where the file is now.
func TestFolderAboveIsMovedAway(t *testing.T) {
	foreigners(t, func(t *testing.T, d *daemon.Daemon, folder string, c curl, _ profile.Facts) {
		team := filepath.Join(folder, "team")
		if err := errors.Join(os.Mkdir(team, 0o777), os.Chmod(team, 0o777)); err != nil {
			t.Fatal(err)
		}
		put(t, folder, "team/Report.txt", "first")
		e := client(d, "/team/Report.txt")
		must2(t)(e.Lock(t.Context(), "L"))
		must2(t)(e.GetFile(t.Context(), -1))
		moved := c.move("/team/", "/moved/") < 300
		a, err := e.PutFile(t.Context(), "L", []byte("second"), nil)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		err = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if text, readErr := os.ReadFile(path); readErr == nil && string(text) == "second" {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		kept, err := d.Run("saves", "list")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("moved %v, PutFile %d, found %v", moved, a.Status, found)
		if moved && (a.Status != http.StatusOK || read(t, folder, "moved/Report.txt") != "second" || len(found) != 1) {
			t.Errorf("the folder was moved; PutFile was answered %s, %v hold the save, the journal has:\n%s", a, found, kept)
		}
		if !moved && (a.Status != http.StatusOK || read(t, folder, "team/Report.txt") != "second") {
			t.Errorf("the folder was not moved, and PutFile was answered %s", a)
		}
	})
}
