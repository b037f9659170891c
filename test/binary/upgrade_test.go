package binary

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// TestUpgrade edits with an older program, stops it, and goes on with this one on the same state:
// the tables of then are changed, and the ID, the token, the lock, the session and the contents
// are those of before.
func TestUpgrade(t *testing.T) {
	older := os.Getenv("DAVWOPI_TEST_OLDER")
	if older == "" {
		t.Skip("set DAVWOPI_TEST_OLDER to an older davwopi (make upgrade)")
	}
	needDaemon(t)
	// The older one stands in the place of the program that is built here.
	before := daemon.StartWith(t, "", daemon.Options{Under: []string{"sh", "-c", `shift; exec "` + older + `" "$@"`, "sh"}})
	put(t, before.Dir, "a.txt", "first")
	browser := before.Browser(before.Link)
	c := client(before, "/a.txt")
	must2(t)(c.Lock(t.Context(), "L"))
	must2(t)(c.PutFile(t.Context(), "L", []byte("by the older one"), nil))
	before.Stop()

	now := daemon.StartWith(t, "", daemon.Options{State: before.State, Dir: before.Dir})
	here, err := url.Parse(now.URL)
	if err != nil {
		t.Fatal(err)
	}
	there, err := url.Parse(before.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.WOPISrc = strings.Replace(c.WOPISrc, there.Host, here.Host, 1)
	if a := must2(t)(c.GetFile(t.Context(), -1)); string(a.Body) != "by the older one" {
		t.Errorf("reads %q", a.Body)
	}
	if lock, _ := must2(t)(c.GetLock(t.Context())).Lock(); lock != "L" {
		t.Errorf("locked by %q", lock)
	}
	must2(t)(c.PutFile(t.Context(), "L", []byte("by the newer one"), nil))
	must2(t)(c.Unlock(t.Context(), "L"))
	if on := read(t, now.Dir, "a.txt"); on != "by the newer one" {
		t.Errorf("on disk: %q", on)
	}
	if again := now.Open("/a.txt"); again.WOPISrc != c.WOPISrc {
		t.Errorf("the ID was %s and is %s", c.WOPISrc, again.WOPISrc)
	}
	// Cookies go by the host, whatever the port.
	r, err := browser.Get(now.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK || strings.Contains(r.Request.URL.Path, "signin") {
		t.Errorf("signed out: %s", r.Request.URL)
	}
}
