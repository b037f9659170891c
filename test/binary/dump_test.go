package binary

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// postgresTool finds a program of PostgreSQL, which Debian keeps out of PATH.
func postgresTool(t *testing.T, name string) string {
	t.Helper()
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		t.Skip(name + " is not installed")
	}
	return found[len(found)-1]
}

// TestPostgreSQLIsDumpedAndPutBack follows the README: pg_dump while a save waits, the
// database is lost, the dump is put back, and davwopi is told so. The save arrives, the ID
// is the same, and no token of then opens anything.
func TestPostgreSQLIsDumpedAndPutBack(t *testing.T) {
	needDaemon(t)
	ctx := t.Context()
	s := upstream.Strict(t)
	cool := office.NewEditor(t, wopi.Collabora, true, "odt")
	config := postgresConfig(t, serviceConfig(s)+fmt.Sprintf("editors: [%q]\nsaves: {patience: 1s}\n", cool.URL))
	file := regexp.MustCompile(`url_file: "([^"]+)"`).FindStringSubmatch(config)[1]
	u, err := url.Parse(strings.TrimSpace(read(t, filepath.Dir(file), filepath.Base(file))))
	if err != nil {
		t.Fatal(err)
	}
	host, schema := u.Query().Get("host"), u.Query().Get("search_path")
	tool := func(in, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, postgresTool(t, name), append([]string{"-h", host, "-U", "postgres"}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v %s", name, err, out)
		}
		return string(out)
	}
	d := daemon.Start(t, config)
	s.Write(t, "a.odt", "first")
	o := d.Open("/a.odt")
	session, err := cool.Client(o.WOPISrc, o.AccessToken).Open(ctx)
	if err != nil || session.ReadOnly {
		t.Fatal(err)
	}
	id, _ := idAt(t, d, "/a.odt")
	s.Quirks.Fail(upstream.Fault{Status: 503})
	must2(t)(session.Save(ctx, []byte("waits"), false))
	dump := tool("", "pg_dump", "-n", schema, "postgres")
	d.Stop()
	tool("DROP SCHEMA "+schema+" CASCADE", "psql", "-q", "postgres")
	tool(dump, "psql", "-q", "-v", "ON_ERROR_STOP=1", "postgres")
	s.Quirks.Reset()
	if out := must1(t)(d.Run("state", "restored")); !strings.Contains(out, "counts as restored") {
		t.Error(out)
	}
	d.Restart()
	until(t, "the save to arrive", func() bool { on, _ := s.Read(t, "a.odt"); return on == "waits" })
	if again, _ := idAt(t, d, "/a.odt"); again != id {
		t.Errorf("the ID was %s and is %s", id, again)
	}
	status2(t, 401)(cool.Client(o.WOPISrc, o.AccessToken).CheckFileInfo(ctx))
}
