package binary

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/test/daemon"
	"davwopi/test/docserver"
)

// docsDaemon is a daemon whose editor is ds, with that secret.
func docsDaemon(t *testing.T, ds *docserver.Server, secret, more string) *daemon.Daemon {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return daemon.StartEmpty(t, fmt.Sprintf("editors:\n  - {url: %q, jwt_secret_file: %q%s}\n", ds.URL, file, more))
}

var pageData = regexp.MustCompile(`(?s)<script type="application/json" id="data"[^>]*>(.*?)</script>`)

// openDocs opens a document in an editor, by the page that the API leads to.
func openDocs(t *testing.T, d *daemon.Daemon, ds *docserver.Server, path string) *docserver.Editor {
	t.Helper()
	opened := d.Open(path)
	if opened.ActionURL != "" || opened.HostURL == "" {
		t.Fatalf("opened by a form at %q, page %q", opened.ActionURL, opened.HostURL)
	}
	page := get(t, http.DefaultClient, opened.HostURL, http.StatusOK)
	found := pageData.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no data in the page: %.500s", page)
	}
	var data struct {
		Docs struct{ Config json.RawMessage }
	}
	if err := json.Unmarshal([]byte(found[1]), &data); err != nil {
		t.Fatal(err)
	}
	e, err := ds.Open(data.Docs.Config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestDocsAPISurvivesKills(t *testing.T) {
	needDaemon(t)
	ds := docserver.Start(t, nil)
	d := docsDaemon(t, ds, docserver.Secret, "")
	d.Write("Brief.docx", "one")
	e := openDocs(t, d, ds, "/Brief.docx")
	if e.Content != "one" || e.Joined.Answer != 0 {
		t.Fatalf("%+v", e)
	}
	d.Kill()
	d.Restart()
	e.Type("two")
	if told, err := e.Save(); err != nil || told.Answer != 0 || d.Read("Brief.docx") != "two" {
		t.Fatalf("after a restart: %+v, %v, %q", told, err, d.Read("Brief.docx"))
	}
	// Killed while the result is being fetched: the document server tries again, and meets
	// the daemon that has come back.
	content := strings.Repeat("three ", 1000)
	fetching, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	result := ds.Stream("docx", func() (io.ReadCloser, int64) {
		held := false
		first.Do(func() { held = true })
		if !held {
			return io.NopCloser(strings.NewReader(content)), int64(len(content))
		}
		return &holding{Reader: strings.NewReader(content), half: len(content) / 2, reached: fetching, goOn: goOn}, int64(len(content))
	})
	said := map[string]any{"status": 2, "url": result, "filetype": "docx", "users": []string{e.ID}, "lastsave": time.Now().UTC().Format("2006-01-02T15:04:05.000Z")}
	answered := make(chan error, 1)
	go func() {
		_, err := ds.Send(e.Callback(), e.Signed(said))
		answered <- err
	}()
	<-fetching
	d.Kill()
	close(goOn)
	if err := <-answered; err == nil {
		t.Fatal("the measure is broken: there was an answer")
	}
	if got := d.Read("Brief.docx"); got != "two" {
		t.Fatalf("half a result came to the file: %.20q", got)
	}
	d.Restart()
	for range 2 { // and once more, because the answer to that was lost
		if told, err := ds.Send(e.Callback(), e.Signed(said)); err != nil || told.Answer != 0 {
			t.Fatalf("%+v, %v", told, err)
		}
	}
	if got := d.Read("Brief.docx"); got != content {
		t.Errorf("%d bytes: %.20q", len(got), got)
	}
	noTemps(t, d.Dir)
	if entries, err := os.ReadDir(d.Dir); err != nil || len(entries) != 1 {
		t.Errorf("files: %v, %v", entries, err)
	}
	if next := openDocs(t, d, ds, "/Brief.docx"); next.Key == e.Key || next.Content != content {
		t.Errorf("the next one: key %q of %q, %d bytes", next.Key, e.Key, len(next.Content))
	}
}

// holding stops half-way until it is told to go on.
type holding struct {
	io.Reader
	half          int
	reached, goOn chan struct{}
	once          sync.Once
}

// Read gives the first half, and waits.
func (h *holding) Read(p []byte) (int, error) {
	if h.half > 0 {
		n, err := h.Reader.Read(p[:min(len(p), h.half)])
		h.half -= n
		return n, err
	}
	h.once.Do(func() { close(h.reached); <-h.goOn })
	return h.Reader.Read(p)
}

// Close has nothing to close.
func (h *holding) Close() error { return nil }

func TestDocsAPIGibibyte(t *testing.T) {
	needDaemon(t)
	if os.Getenv("DAVWOPI_TEST_GIBIBYTE") == "" {
		t.Skip("writes some 3 GiB: set DAVWOPI_TEST_GIBIBYTE=1")
	}
	const size = 1 << 30
	ds := docserver.Start(t, nil)
	d := docsDaemon(t, ds, docserver.Secret, "")
	d.Write("Brief.docx", "one")
	e := openDocs(t, d, ds, "/Brief.docx")
	for _, announced := range []int64{size, -1} {
		before, _ := d.RSS()
		url := ds.Stream("docx", func() (io.ReadCloser, int64) { return io.NopCloser(io.LimitReader(pattern{}, size)), announced })
		begun := time.Now()
		told, err := ds.Send(e.Callback(), e.Signed(map[string]any{"status": 6, "url": url, "filetype": "docx", "users": []string{e.ID}}))
		if err != nil || told.Answer != 0 {
			t.Fatalf("%+v, %v", told, err)
		}
		info, err := os.Stat(filepath.Join(d.Dir, "Brief.docx"))
		if err != nil || info.Size() != size {
			t.Fatalf("%v, %v", info, err)
		}
		now, peak := d.RSS()
		t.Logf("announced %d: %s, RSS %d MiB before, %d after, %d at most", announced, time.Since(begun).Round(time.Millisecond), before>>20, now>>20, peak>>20)
		if peak > 128<<20 {
			t.Errorf("it took %d MiB", peak>>20)
		}
	}
}

func TestDoctorOfTheDocsAPI(t *testing.T) {
	needDaemon(t)
	other := func(s *docserver.Server) { s.Header = "AuthorizationJwt" }
	for name, c := range map[string]struct {
		change       func(*docserver.Server)
		secret, more string
		want         []finding // Text is part of it
	}{
		"all is well": {other, docserver.Secret, ", jwt_header: AuthorizationJwt", []finding{
			{Check: "jwt", Severity: "ok", Text: "and we what it signs"},
			{Check: "wopi_access", Severity: "ok", Text: "It reaches us"},
			{Check: "editor", Severity: "ok", Text: docserver.Version},
			{Check: "clock", Severity: "ok", Text: "agrees"},
		}},
		"its licence has expired": {func(s *docserver.Server) { s.Expired = true }, docserver.Secret, "", []finding{
			{Check: "editor", Severity: "warning", Text: "licence is not valid"},
		}},
		"another secret": {nil, "another-secret-0123456789abcdefgh", "", []finding{{Check: "jwt", Severity: "error", Text: "does not accept what we sign"}}},
		"another header": {other, docserver.Secret, "", []finding{{Check: "jwt", Severity: "error", Text: "no token that we accept"}}},
		"it does not reach us": {func(s *docserver.Server) { s.Unreachable = true }, docserver.Secret, "", []finding{
			{Check: "wopi_access", Severity: "error", Text: "address at home"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ds := docserver.Start(t, c.change)
			d := docsDaemon(t, ds, c.secret, c.more)
			r, _ := examined(t, d)
			for _, want := range c.want {
				found := r.of(want.Check, want.Severity)
				if !slices.ContainsFunc(found, func(f finding) bool { return f.About == ds.URL && strings.Contains(f.Text, want.Text) }) {
					t.Errorf("no %s %s %q: %+v", want.Check, want.Severity, want.Text, r.Findings)
				}
			}
		})
	}
}
