package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// A kind is a server that the operations are measured on.
type kind struct {
	name  string
	start func(testing.TB) *upstream.Server // nil: the embedded one
	delay time.Duration                     // of the wire to it, there and back
}

// kinds are all. Those that are not installed are skipped by name.
var kinds = []kind{
	{name: "embedded"},
	{name: "apache", start: upstream.Apache},
	{name: "rclone", start: upstream.Rclone},
	{name: "apache+20ms", start: upstream.Apache, delay: 20 * time.Millisecond},
}

// A stand is the built daemon in front of one WebDAV server, and the way past it.
type stand struct {
	name           string
	d              *daemon.Daemon
	dir            string   // the folder behind the server
	dav            *url.URL // where the server itself answers, at the end of the wire
	user, password string
	metrics        string // address of the daemon's own figures
	stat, list     string // the bodies of the PROPFINDs that the daemon asks of any server
}

const quiet = "walk: {enabled: false}\nsign_in: {kind: link}\n"

// newStand starts both. more is configuration.
func newStand(t testing.TB, k kind, more string) *stand {
	t.Helper()
	st := &stand{name: k.name}
	listen := daemon.FreePort(t)
	st.metrics = "http://" + listen + "/metrics"
	config := quiet + more + fmt.Sprintf("metrics: {listen: %q, profiles: %v}\n", listen, profiles != "")
	if k.start == nil {
		st.embedded(t, config)
	} else {
		s := k.start(t)
		address := s.URL
		if k.delay > 0 {
			address = slow(t, s.URL, k.delay)
		}
		st.dir, st.dav, st.user, st.password = s.Dir, parsed(t, address), s.User, s.Password
		st.d = daemon.Start(t, config+fmt.Sprintf("upstream: {url: %q, user: %q, password: %q}\n", address, s.User, s.Password))
		for end := time.Now().Add(2 * time.Minute); !strings.Contains(st.d.Log(), "the upstream is measured"); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the server was not measured: %s", st.d.Log())
			}
		}
	}
	st.stat = asked(t, func(v *davbackend.View) error { _, err := v.Stat(t.Context(), "/a"); return err })
	st.list = asked(t, func(v *davbackend.View) error {
		return v.List(t.Context(), "/a", func(dav.Resource) error { return nil })
	})
	return st
}

func (st *stand) embedded(t testing.TB, config string) {
	t.Helper()
	st.d = daemon.StartEmpty(t, config+"upstream: {expose: true}\n")
	st.dir = st.d.Dir
	out, err := st.d.Run("app-password", "-name", "bench")
	found := regexp.MustCompile(`(?m)^user +(\S+)\npassword +(\S+)$`).FindStringSubmatch(out)
	if err != nil || found == nil {
		t.Fatal(out, err)
	}
	st.user, st.password = found[1], found[2]
	st.dav = parsed(t, st.d.URL+"/dav/")
}

func parsed(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// asked is the body of the first request that ask makes of a server.
func asked(t testing.TB, ask func(*davbackend.View) error) string {
	t.Helper()
	heard := &hearing{}
	client := &davbackend.Client{Base: parsed(t, "http://nobody.invalid/"), Transport: heard}
	defer client.CloseIdle()
	if err := ask(client.As(davbackend.Credential{})); err == nil || heard.body == "" {
		t.Fatalf("nothing was asked: %v", err)
	}
	return heard.body
}

// hearing keeps what is said first, and answers nothing.
type hearing struct{ body string }

// RoundTrip never succeeds.
func (h *hearing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
		if b, err := io.ReadAll(r.Body); err == nil && h.body == "" {
			h.body = string(b)
		}
	}
	return nil, errors.New("nobody is there")
}

// write puts a file behind the server.
func (st *stand) write(t testing.TB, name string, c content) {
	t.Helper()
	file := filepath.Join(st.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(filepath.Dir(file), 0o777) // the server may be another user
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, c.reader()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Chmod(0o666), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// holds says what is wrong if the server's file is not c.
func (st *stand) holds(name string, c content) error {
	f, err := os.Open(filepath.Join(st.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	is, want := make([]byte, 1<<20), make([]byte, 1<<20)
	wanted := c.reader()
	for at := 0; ; at += len(is) {
		n, err := io.ReadFull(f, is)
		m, _ := io.ReadFull(wanted, want)
		if !bytes.Equal(is[:n], want[:m]) {
			return fmt.Errorf("%s is not what was saved last, from byte %d on", name, at)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// remove takes a folder away from behind the server.
func (st *stand) remove(t testing.TB, folder string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(st.dir, folder)); err != nil {
		t.Fatal(err)
	}
}

// figures asks the daemon for its figures: by name with labels, as they are written.
func (st *stand) figures(ctx context.Context) (map[string]float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, st.metrics, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		var n float64
		if _, err := fmt.Sscan(value, &n); ok && err == nil && name != "#" {
			all[name] = n
		}
	}
	return all, nil
}
