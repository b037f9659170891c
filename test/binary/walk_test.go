package binary

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/idmap"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// alwaysWalking is the configuration of a daemon that makes one round after the other.
const alwaysWalking = "walk: {every: 300ms, at_any_time: true, requests_per_second: 1000}\n"

// walkers runs f against the embedded server and each real one, walking.
func walkers(t *testing.T, f func(t *testing.T, d *daemon.Daemon, write func(name, text string), folder string)) {
	needDaemon(t)
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		d := daemon.StartEmpty(t, alwaysWalking)
		f(t, d, d.Write, d.Dir)
	})
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"apache": upstream.Apache, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			d := daemon.Start(t, serviceConfig(s)+alwaysWalking)
			measured(t, d, 1)
			f(t, d, func(name, text string) { s.Write(t, name, text) }, s.Dir)
		})
	}
}

var walkedLine = regexp.MustCompile(`walked.* requests=(\d+)`)

// rounds are the requests of each round that the daemon has finished.
func rounds(d *daemon.Daemon) (requests []int) {
	for _, m := range walkedLine.FindAllStringSubmatch(d.Log(), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			panic(err) // the pattern
		}
		requests = append(requests, n)
	}
	return requests
}

// until waits for what comes about by itself.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// knownAt is where the database has a file. Nobody is asked, so nothing is found by it.
func knownAt(t *testing.T, d *daemon.Daemon, id string) string {
	t.Helper()
	out, err := d.Run("ids", id)
	if err != nil {
		t.Fatal(err)
	}
	var all []idmap.Description
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	if all[0].State != "live" {
		return all[0].State
	}
	return string(all[0].Path)
}

// TestWalkNoticesWhatIsRenamedOnTheDisk: files and folders are renamed and moved on the
// disk of each server while nobody looks. The daemon knows where they are, and a link
// to them opens them.
func TestWalkNoticesWhatIsRenamedOnTheDisk(t *testing.T) {
	walkers(t, func(t *testing.T, d *daemon.Daemon, write func(name, text string), folder string) {
		for _, name := range []string{"team/deep/Report.txt", "team/deep/Other.txt", "team/Plan.txt", "other/c.txt", "far/away/d.txt"} {
			write(name, "this is "+name)
		}
		for i := range 20 {
			write(fmt.Sprintf("archive/%02d/old.txt", i), fmt.Sprintf("old %d", i))
		}
		c := client(d, "/team/deep/Report.txt")
		must2(t)(c.GetFile(t.Context(), -1))
		client(d, "/other/c.txt")
		id := path.Base(c.WOPISrc)
		next := func() int {
			n := len(rounds(d))
			until(t, "a round", func() bool { return len(rounds(d)) > n+1 })
			return n
		}
		next() // the neighbours are known now
		for _, step := range []struct{ what, from, to, now string }{
			{"file renamed", "team/deep/Report.txt", "team/deep/Report 2026.txt", "/team/deep/Report 2026.txt"},
			{"file moved", "team/deep/Report 2026.txt", "other/Report.txt", "/other/Report.txt"},
			{"file moved back", "other/Report.txt", "team/deep/Report.txt", "/team/deep/Report.txt"},
			{"folder renamed", "team/deep", "team/deeper", "/team/deeper/Report.txt"},
			{"ancestor renamed", "team", "crew", "/crew/deeper/Report.txt"},
			{"folder moved to where nobody was", "crew/deeper", "far/away/deeper", "/far/away/deeper/Report.txt"},
		} {
			from := len(rounds(d))
			if err := os.Rename(filepath.Join(folder, step.from), filepath.Join(folder, step.to)); err != nil {
				t.Fatal(err)
			}
			until(t, step.what, func() bool { return knownAt(t, d, id) == step.now })
			until(t, "the end of the round", func() bool { return len(rounds(d)) > from })
			sum := 0
			for _, n := range rounds(d)[from:] {
				sum += n
			}
			t.Logf("%s: %d requests in %d rounds", step.what, sum, len(rounds(d))-from)
			if most := 120 * (len(rounds(d)) - from); sum > most {
				t.Errorf("%s cost %d requests, more than %d", step.what, sum, most)
			}
			got := must2(t)(c.GetFile(t.Context(), -1))
			if string(got.Body) != "this is team/deep/Report.txt" {
				t.Errorf("%s: the ID opens %q", step.what, got.Body)
			}
			next()
		}
	})
}

// TestWalkGoesOnAfterAKill: the daemon is killed in the middle of a round, and goes on
// there when it is started again.
func TestWalkGoesOnAfterAKill(t *testing.T) {
	needDaemon(t)
	t.Parallel()
	const folders = 45
	s := upstream.Rclone(t)
	for i := range folders {
		s.Write(t, fmt.Sprintf("%02d/Report.txt", i), fmt.Sprintf("report %d", i))
	}
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	var listings atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PROPFIND" && r.Header.Get("Depth") == "1" {
			listings.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	s.URL = proxy.URL + target.Path
	d := daemon.Start(t, serviceConfig(s)+"walk: {every: 8s, at_any_time: true, requests_per_second: 10}\n")
	measured(t, d, 1)
	for i := range folders {
		d.Open(fmt.Sprintf("/%02d/Report.txt", i))
	}
	n := len(rounds(d))
	until(t, "the end of a round", func() bool { return len(rounds(d)) > n })
	listings.Store(0)
	until(t, "most of another round", func() bool { return listings.Load() > folders-8 })
	d.Kill()
	if len(rounds(d)) > n+1 {
		t.Fatal("the round was over before the kill")
	}
	before := listings.Swap(0)
	n = len(rounds(d))
	d.Restart()
	until(t, "the end of the round", func() bool { return len(rounds(d)) > n })
	t.Logf("%d listings before the kill, %d after it, of %d", before, listings.Load(), folders+1)
	if listings.Load() > folders/2 {
		t.Errorf("%d folders were listed after the kill: the round began anew", listings.Load())
	}
}

// TestLocalPath: where the server's folder is mounted here a document is known though it
// was edited and moved far away at once, and its folder though all in it was edited; and
// another folder is refused.
func TestLocalPath(t *testing.T) {
	needDaemon(t)
	t.Parallel()
	s := upstream.Apache(t)
	for _, name := range []string{"team/Report.txt", "team/Other.txt", "a.txt", "b.txt", "c.txt"} {
		s.Write(t, name, "this is "+name)
	}
	for i := range 40 {
		s.Write(t, fmt.Sprintf("archive/%02d/old.txt", i), fmt.Sprintf("old %d", i))
	}
	config := serviceConfig(s)
	d := daemon.Start(t, strings.Replace(config, "upstream: {", fmt.Sprintf("upstream: {local_path: %q, ", s.Dir), 1)+alwaysWalking)
	measured(t, d, 1)
	c := client(d, "/team/Report.txt")
	id := path.Base(c.WOPISrc)
	n := len(rounds(d))
	until(t, "two rounds", func() bool { return len(rounds(d)) > n+1 })
	change := func(from, to, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.Dir, from), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(s.Dir, from), filepath.Join(s.Dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	change("team/Report.txt", "archive/27/Report 2026.txt", "edited and moved far away at once")
	until(t, "the file", func() bool { return knownAt(t, d, id) == "/archive/27/Report 2026.txt" })
	if got := must2(t)(c.GetFile(t.Context(), -1)); string(got.Body) != "edited and moved far away at once" {
		t.Errorf("the ID opens %q", got.Body)
	}
	for _, name := range []string{"archive/27/Report 2026.txt", "archive/27/old.txt"} {
		s.Write(t, name, "edited while its folder is renamed: "+name)
	}
	if err := os.Rename(filepath.Join(s.Dir, "archive/27"), filepath.Join(s.Dir, "team/27")); err != nil {
		t.Fatal(err)
	}
	until(t, "the folder", func() bool { return knownAt(t, d, id) == "/team/27/Report 2026.txt" })
	most := slices.Max(rounds(d))
	t.Logf("rounds cost up to %d requests", most)

	dir := t.TempDir()
	putConfig(t, dir, strings.Replace(config, "upstream: {", fmt.Sprintf("upstream: {local_path: %q, ", t.TempDir()), 1))
	out, err := command(t, "serve", "-config", filepath.Join(dir, "davwopi.yaml"), "-listen", "127.0.0.1:0", "-state", filepath.Join(dir, "state"))
	if err == nil || !strings.Contains(out, "local_path") || !strings.Contains(out, "is another folder than") {
		t.Errorf("with another folder: %v, %s", err, out)
	}
}

// TestWatchNoticesAtOnce: no round of a walk is due, and nobody asks. The system says that
// a folder was renamed, and a document moved.
func TestWatchNoticesAtOnce(t *testing.T) {
	needDaemon(t)
	t.Parallel()
	d := daemon.StartEmpty(t, "walk: {every: 10h}\nlog: {level: debug}\n")
	d.Write("team/deep/Report.txt", "first")
	d.Write("other/c.txt", "other")
	client(d, "/other/c.txt")
	c := client(d, "/team/deep/Report.txt")
	id := path.Base(c.WOPISrc)
	must2(t)(c.GetFile(t.Context(), -1))
	must2(t)(c.Lock(t.Context(), "L")) // its folders are watched from now on, or soon
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(d.Dir, from), filepath.Join(d.Dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the watch", func() bool { return strings.Contains(d.Log(), "looked where names came or went") })
	rename("team", "crew")
	until(t, "the folder", func() bool { return knownAt(t, d, id) == "/crew/deep/Report.txt" })
	rename("crew/deep/Report.txt", "crew/Report 2026.txt")
	until(t, "the document", func() bool { return knownAt(t, d, id) == "/crew/Report 2026.txt" })
	must2(t)(c.PutFile(t.Context(), "L", []byte("second"), nil))
	if got := d.Read("crew/Report 2026.txt"); got != "second" {
		t.Errorf("on the disk is %q", got)
	}
	if n := len(rounds(d)); n > 1 {
		t.Errorf("%d rounds of a walk", n)
	}
}
