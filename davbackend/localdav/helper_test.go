//go:build linux

package localdav

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A house is a server over a folder, with the two ways in.
type house struct {
	t   testing.TB
	dir string
	db  *sqldb.DB
	s   *Server
	rt  http.RoundTripper
	url string
}

func newHouse(t testing.TB) *house {
	t.Helper()
	return openHouse(t, t.TempDir(), sqldbtest.New(t))
}

func openHouse(t testing.TB, dir string, db *sqldb.DB) *house {
	t.Helper()
	s, err := Open(dir, db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &house{t: t, dir: dir, db: db, s: s, rt: s.RoundTripper(), url: "http://localdav.invalid"}
}

// reopen is a restart.
func (h *house) reopen() *house {
	h.t.Helper()
	if err := h.s.Close(); err != nil {
		h.t.Fatal(err)
	}
	return openHouse(h.t, h.dir, h.db)
}

// overSocket is the same server behind a real one.
func (h *house) overSocket() *house {
	srv := httptest.NewServer(h.s)
	h.t.Cleanup(srv.Close)
	transport := &http.Transport{DisableKeepAlives: true}
	h.t.Cleanup(transport.CloseIdleConnections)
	o := *h
	o.rt, o.url = transport, srv.URL
	return &o
}

// both runs f in process and over a socket.
func both(t *testing.T, f func(t *testing.T, h *house)) {
	t.Run("in process", func(t *testing.T) { f(t, newHouse(t)) })
	t.Run("over a socket", func(t *testing.T) { f(t, newHouse(t).overSocket()) })
}

type answered struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value". In them URL is this server's.
func (h *house) do(method, path, body string, headers ...string) answered {
	h.t.Helper()
	a, err := h.try(context.Background(), method, path, body, headers...)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (h *house) try(ctx context.Context, method, path, body string, headers ...string) (answered, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.url+path, strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	for _, line := range headers {
		k, v, _ := strings.Cut(line, ": ")
		r.Header.Add(k, strings.ReplaceAll(v, "URL", h.url))
	}
	res, err := h.rt.RoundTrip(r)
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answered{res.StatusCode, res.Header, string(data)}, err
}

// want sends a request and insists on a status.
func (h *house) want(status int, method, path, body string, headers ...string) answered {
	h.t.Helper()
	a := h.do(method, path, body, headers...)
	if a.status != status {
		h.t.Fatalf("%s %s %q: %d, want %d\n%s", method, path, headers, a.status, status, a.body)
	}
	return a
}

func (h *house) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) read(name string) string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

func (h *house) absent(name string) {
	h.t.Helper()
	if _, err := os.Lstat(filepath.Join(h.dir, name)); !os.IsNotExist(err) {
		h.t.Fatalf("%s is there: %v", name, err)
	}
}

// names are what is on the disk, hidden things too.
func (h *house) names(dir string) []string {
	h.t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.dir, dir))
	if err != nil {
		h.t.Fatal(err)
	}
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func (h *house) prop(path, name string) string {
	h.t.Helper()
	a := h.want(207, "PROPFIND", path, `<propfind xmlns="DAV:"><prop><`+name+`/></prop></propfind>`, "Depth: 0")
	if strings.Contains(a.body, "404 Not Found") {
		return ""
	}
	m := regexp.MustCompile(`(?s)<D:` + name + `>(.*?)</D:` + name + `>`).FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], "&#34;", `"`)
}

func (h *house) etag(path string) string {
	h.t.Helper()
	e := h.prop(path, "getetag")
	if !regexp.MustCompile(`^"[0-9a-f]{32}"$`).MatchString(e) {
		h.t.Fatalf("ETag of %s is %q", path, e)
	}
	return e
}

func (h *house) id(path string) string {
	h.t.Helper()
	id := h.prop(path, "resource-id")
	if !strings.HasPrefix(id, "<D:href>urn:uuid:") {
		h.t.Fatalf("resource-id of %s is %q", path, id)
	}
	return id
}

const lockBody = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:%s/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>%s</D:owner></D:lockinfo>`

// take takes a lock and returns its token.
func (h *house) take(path string, headers ...string) string {
	h.t.Helper()
	return h.takeAs("exclusive", path, headers...)
}

func (h *house) takeAs(scope, path string, headers ...string) string {
	h.t.Helper()
	if len(headers) == 0 {
		headers = []string{"Depth: 0", "Timeout: Second-1800"}
	}
	a := h.do("LOCK", path, fmt.Sprintf(lockBody, scope, "Ann"), headers...)
	if a.status != 200 && a.status != 201 {
		h.t.Fatalf("LOCK %s: %d\n%s", path, a.status, a.body)
	}
	token := strings.Trim(a.header.Get("Lock-Token"), "<>")
	if !regexp.MustCompile(`^opaquelocktoken:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(token) {
		h.t.Fatalf("lock token %q", token)
	}
	return token
}

func newDB(t testing.TB) *sqldb.DB { return sqldbtest.New(t) }
