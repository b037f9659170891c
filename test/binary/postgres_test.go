package binary

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// postgresConfig is the configuration of bridges that share a new PostgreSQL database.
func postgresConfig(t *testing.T, more string) string {
	t.Helper()
	where := strings.Replace(sqldbtest.Postgres(t), "user=postgres", "user=postgres&password=geheim", 1)
	dir := t.TempDir()
	putSecret(t, dir, "url", where+"\n")
	put(t, dir, "key", strings.Repeat("0123456789abcdef", 4)+"\n")
	if err := os.Chmod(filepath.Join(dir, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("state: {url_file: %q}\nsecret_key_file: %q\n", filepath.Join(dir, "url"), filepath.Join(dir, "key")) + more
}

// elsewhere is the same document through another bridge.
func elsewhere(e *office.Editor, o daemon.Opened, from, to *daemon.Daemon) *office.Client {
	return e.Client(strings.Replace(o.WOPISrc, from.URL, to.URL, 1), o.AccessToken)
}

// TestTwoBridgesOnPostgreSQL: a document is opened on one bridge and saved through both.
// The file server goes away, and what was acknowledged is shown by the other bridge, which
// delivers it when the first one is killed. Then the first comes back and goes on.
func TestTwoBridgesOnPostgreSQL(t *testing.T) {
	needDaemon(t)
	ctx := t.Context()
	s := upstream.Strict(t)
	cool := office.NewEditor(t, wopi.Collabora, true, "odt")
	config := postgresConfig(t, serviceConfig(s)+fmt.Sprintf("replicas: true\neditors: [%q]\nsaves: {patience: 1s}\n", cool.URL))
	one, two := daemon.Start(t, config), daemon.Start(t, config)
	s.Write(t, "a.odt", "first")
	o := one.Open("/a.odt")
	session, err := cool.Client(o.WOPISrc, o.AccessToken).Open(ctx)
	if err != nil || session.ReadOnly {
		t.Fatal(err)
	}
	other := elsewhere(cool, o, one, two)
	shown := func(c *office.Client, want string) {
		t.Helper()
		var info wopi.CheckFileInfo
		if err := must2(t)(c.CheckFileInfo(ctx)).JSON(&info); err != nil {
			t.Fatal(err)
		}
		if a := must2(t)(c.GetFile(ctx, -1)); string(a.Body) != want || a.ItemVersion() != info.Version {
			t.Errorf("GetFile %q %s, CheckFileInfo %s, want %q", a.Body, a.ItemVersion(), info.Version, want)
		}
	}
	must2(t)(session.Save(ctx, []byte("second"), false))
	shown(other, "second")
	if a := status2(t, 409)(other.Lock(ctx, "somebody else's")); a.Header.Get(wopi.HeaderLock) != session.LockID {
		t.Errorf("the other bridge says that %q holds the lock", a.Header.Get(wopi.HeaderLock))
	}
	session.Client = other
	must2(t)(session.Save(ctx, []byte("third"), false))
	session.Client = cool.Client(o.WOPISrc, o.AccessToken)
	shown(session.Client, "third")

	s.Quirks.Fail(upstream.Fault{Status: 503})
	must2(t)(session.Save(ctx, []byte("waits, saved through the first"), false))
	shown(other, "waits, saved through the first")
	session.Client = other
	must2(t)(session.Save(ctx, []byte("waits, saved through the second"), false))
	session.Client = cool.Client(o.WOPISrc, o.AccessToken)
	must2(t)(session.Save(ctx, []byte("the last that waits"), false))
	one.Kill()
	shown(other, "the last that waits")
	if spools, _ := filepath.Glob(filepath.Join(one.State, "saves", "*.spool")); spools != nil {
		t.Errorf("files were made: %v", spools)
	}
	s.Quirks.Reset()
	begin := time.Now()
	until(t, "the other bridge delivers", func() bool { on, _ := s.Read(t, "a.odt"); return on == "the last that waits" })
	t.Logf("delivered %v after the first bridge was killed", time.Since(begin).Round(time.Millisecond))

	one.Restart()
	shown(session.Client, "the last that waits")
	must2(t)(session.Save(ctx, []byte("the end"), true))
	must2(t)(session.Close(ctx))
	if on, _ := s.Read(t, "a.odt"); on != "the end" {
		t.Errorf("a.odt holds %q", on)
	}
	if a, b := must1(t)(one.Run("ids", "/a.odt")), must1(t)(two.Run("ids", "/a.odt")); a != b {
		t.Errorf("the bridges know the file differently: %s %s", a, b)
	}
	for _, d := range []*daemon.Daemon{one, two} {
		if strings.Contains(d.Log(), "geheim") || strings.Contains(d.Log(), "postgres:") {
			t.Errorf("the address of the database is in the log: %s", d.Log())
		}
	}
	noTemps(t, s.Dir)
}

func must1(t *testing.T) func(string, error) string {
	return func(out string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// command runs the program and gives all that it says.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), daemon.Program(t), args...).CombinedOutput()
	return string(out), err
}

// TestPostgreSQLRefuses: a second bridge that is no replica, one with another key, and
// replicas without a database to share.
func TestPostgreSQLRefuses(t *testing.T) {
	needDaemon(t)
	config := postgresConfig(t, "")
	first := daemon.Start(t, config+"replicas: true\n")
	refused := func(yaml, want string, args ...string) {
		t.Helper()
		dir := t.TempDir()
		putConfig(t, dir, yaml)
		args = append([]string{"serve", "-config", filepath.Join(dir, "davwopi.yaml"), "-listen", "127.0.0.1:0", "-dir", filepath.Join(dir, "documents")}, args...)
		out, err := command(t, args...)
		if err == nil || !strings.Contains(out, want) || strings.Contains(out, "geheim") {
			t.Errorf("%v: %s\nwant %s", err, out, want)
		}
	}
	mine := filepath.Join(t.TempDir(), "state")
	refused(config, "set replicas: true for both", "-state", mine)
	refused(strings.Replace(config, "/key", "/url", 1)+"replicas: true\n", "secret key", "-state", mine)
	key := filepath.Join(t.TempDir(), "other.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("fedcba9876543210", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(config, "\n")
	refused(lines[0]+fmt.Sprintf("\nsecret_key_file: %q\nreplicas: true\n", key), "have another secret key", "-state", mine)
	refused(config+"replicas: true\n", "in use by another process", "-state", first.State)
	refused("replicas: true\n", "replicas: needs state.url", "-state", mine)
	if out, err := first.Run("state", "backup", t.TempDir()); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("a backup of PostgreSQL: %v %s", err, out)
	}
	if _, err := first.Run("state", "restored"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("restored, under a daemon: %v", err)
	}
}

// TestFilesOfOneBridgeAlone: where the bytes are on one bridge's disk and not where the
// others can read them, nothing is acknowledged that the file server has not got; on a
// volume that both have it is, and the other bridge shows it.
func TestFilesOfOneBridgeAlone(t *testing.T) {
	needDaemon(t)
	daemon.NeedsDisk(t)
	ctx := t.Context()
	cool := office.NewEditor(t, wopi.Collabora, true, "odt")
	for _, c := range []struct {
		name, saves string
		want        int
	}{
		{"each its own files", "store: files", 500},
		{"a volume for both", fmt.Sprintf("dir: %q", t.TempDir()), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := upstream.Strict(t)
			config := postgresConfig(t, serviceConfig(s)+fmt.Sprintf("replicas: true\neditors: [%q]\nsaves: {patience: 1s, %s}\n", cool.URL, c.saves))
			one, two := daemon.Start(t, config), daemon.Start(t, config)
			s.Write(t, "a.odt", "first")
			o := one.Open("/a.odt")
			session, err := cool.Client(o.WOPISrc, o.AccessToken).Open(ctx)
			if err != nil || session.ReadOnly {
				t.Fatal(err)
			}
			s.Quirks.Fail(upstream.Fault{Status: 503})
			if a, err := session.Save(ctx, []byte("second"), false); err != nil || a.Status != c.want {
				t.Fatalf("a save while the file server is away: %s %v", a, err)
			}
			s.Quirks.Reset()
			want := "first"
			if c.want == 200 {
				want = "second"
			}
			if a := must2(t)(elsewhere(cool, o, one, two).GetFile(ctx, -1)); string(a.Body) != want {
				t.Errorf("the other bridge shows %q", a.Body)
			}
		})
	}
}
