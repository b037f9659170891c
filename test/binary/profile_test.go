package binary

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

const isMeasured = "the upstream is measured"

// measured waits for the line that says so, the n-th one, and returns it.
func measured(t *testing.T, d *daemon.Daemon, n int) string {
	t.Helper()
	for range 600 {
		seen := 0
		for line := range strings.Lines(d.Log()) {
			if !strings.Contains(line, isMeasured) {
				continue
			}
			if seen++; seen == n {
				return line
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the upstream was not measured")
	return ""
}

// probes are the folders of a measuring in the root.
func probes(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "davwopi-probe-") {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestMeasured: the daemon finds out what its upstream is while it already serves,
// saves accordingly, and does not measure again after a restart.
func TestMeasured(t *testing.T) {
	needDaemon(t)
	for name, c := range map[string]struct {
		start   func(testing.TB) *upstream.Server
		kind    string
		inPlace bool
	}{
		"apache":   {upstream.Apache, "apache", true},
		"nginx":    {upstream.Nginx, "nginx", true},
		"lighttpd": {upstream.Lighttpd, "lighttpd", true},
		"rclone":   {upstream.Rclone, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.start(t)
			put(t, s.Dir, "Report.txt", "first")
			d := daemon.Start(t, serviceConfig(s))
			line := measured(t, d, 1)
			for _, want := range []string{"in_place=" + fmt.Sprint(c.inPlace), "kind=" + c.kind} {
				if !strings.Contains(line, want) {
					t.Errorf("the log lacks %q: %s", want, line)
				}
			}
			if left := probes(t, s.Dir); left != nil {
				t.Errorf("left behind: %v", left)
			}
			d.Kill()
			d.Restart()
			editing := client(d, "/Report.txt")
			must2(t)(editing.Lock(t.Context(), "L"))
			must2(t)(editing.PutFile(t.Context(), "L", []byte("second"), nil))
			must2(t)(editing.Unlock(t.Context(), "L"))
			if on := read(t, s.Dir, "Report.txt"); on != "second" {
				t.Errorf("on disk: %q", on)
			}
			if n := strings.Count(d.Log(), isMeasured); n != 1 {
				t.Errorf("measured %d times", n)
			}
		})
	}
}

// TestKilledWhileMeasuring: the next start removes what is there, and measures. A
// proxy holds one request in the middle back, so that the daemon dies just then.
func TestKilledWhileMeasuring(t *testing.T) {
	needDaemon(t)
	s := upstream.Apache(t)
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	const middle = 30
	var requests atomic.Int64
	reached, killed := make(chan struct{}), make(chan struct{})
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == middle {
			close(reached)
			<-killed
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, user: %q, password: %q}\nsign_in: {kind: link}\n", proxy.URL+target.Path, s.User, s.Password))
	select {
	case <-reached:
	case <-time.After(30 * time.Second):
		close(killed)
		t.Fatal("nothing was measured")
	}
	d.Kill()
	close(killed)
	if probes(t, s.Dir) == nil {
		t.Fatal("nothing was left behind: the test proves nothing")
	}
	d.Restart()
	measured(t, d, 1)
	if left := probes(t, s.Dir); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// TestMeasuredAtTheFirstSignIn: where everybody comes with the own password, the
// first who may write lends the account, and opens documents meanwhile.
func TestMeasuredAtTheFirstSignIn(t *testing.T) {
	needDaemon(t)
	s := upstream.Apache(t)
	put(t, s.Dir, "Report.txt", "first")
	d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, auth: user, roots: shared}\n", s.URL))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	defer c.CloseIdleConnections()
	if strings.Contains(d.Log(), isMeasured) {
		t.Error("measured before anybody has signed in")
	}
	r, err := c.PostForm(d.URL+"/signin", url.Values{"user": {s.User}, "password": {s.Password}})
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if page := get(t, c, d.URL+"/", 200); !strings.Contains(page, "Report.txt") {
		t.Error("not signed in")
	}
	measured(t, d, 1)
	if left := probes(t, s.Dir); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if strings.Contains(d.Log(), s.Password) {
		t.Error("the log holds the password")
	}
}
