package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// A stand is the built daemon in front of one WebDAV server, and the way past it.
type stand struct {
	name           string
	d              *daemon.Daemon
	dir            string   // the folder behind the server
	dav            *url.URL // where the server itself answers
	user, password string
	trips          *atomic.Int64 // requests that the daemon made; nil: not counted
}

// stands are the servers that the operations are measured on. Those that are not
// installed are skipped by name.
var stands = []struct {
	name  string
	start func(testing.TB) *upstream.Server // nil: the embedded one
}{{"embedded", nil}, {"apache", upstream.Apache}, {"rclone", upstream.Rclone}}

const quiet = "walk: {enabled: false}\nsign_in: {kind: link}\n"

func newStand(b *testing.B, name string, start func(testing.TB) *upstream.Server, counted bool) *stand {
	b.Helper()
	st := &stand{name: name}
	if start == nil {
		st.d = daemon.StartEmpty(b, quiet+"upstream: {expose: true}\n")
		st.dir = st.d.Dir
		out, err := st.d.Run("app-password", "-name", "bench")
		found := regexp.MustCompile(`(?m)^user +(\S+)\npassword +(\S+)$`).FindStringSubmatch(out)
		if err != nil || found == nil {
			b.Fatal(out, err)
		}
		st.user, st.password = found[1], found[2]
		st.dav = parsed(b, st.d.URL+"/dav/")
		return st
	}
	s := start(b)
	st.dir, st.dav, st.user, st.password = s.Dir, parsed(b, s.URL), s.User, s.Password
	through := s.URL
	if counted {
		st.trips = new(atomic.Int64)
		through = counting(b, st.dav, st.trips)
	}
	st.d = daemon.Start(b, fmt.Sprintf(quiet+"upstream: {url: %q, user: %q, password: %q}\n", through, s.User, s.Password))
	for end := time.Now().Add(time.Minute); !strings.Contains(st.d.Log(), "the upstream is measured"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("the server was not measured: %s", st.d.Log())
		}
	}
	return st
}

func parsed(b *testing.B, address string) *url.URL {
	b.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// counting is a proxy in front of a server that counts requests.
func counting(b *testing.B, to *url.URL, trips *atomic.Int64) string {
	b.Helper()
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, to.Host
		if destination := r.In.Header.Get("Destination"); destination != "" {
			r.Out.Header.Set("Destination", strings.Replace(destination, r.In.Host, to.Host, 1))
		}
		if condition := r.In.Header.Get("If"); condition != "" {
			r.Out.Header.Set("If", strings.ReplaceAll(condition, r.In.Host, to.Host))
		}
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trips.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	b.Cleanup(server.Close)
	return server.URL + to.Path
}

// write puts a file behind the server.
func (st *stand) write(b *testing.B, name string, body []byte) {
	b.Helper()
	file := filepath.Join(st.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		b.Fatal(err)
	}
	_ = os.Chmod(filepath.Dir(file), 0o777) // the server may be another user
	if err := os.WriteFile(file, body, 0o666); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		b.Fatal(err)
	}
}

// A desk is one person with one document, and a file beside it for bare requests.
type desk struct {
	st     *stand
	office *office.Client
	folder *office.Client // the container
	bare   string         // name of the file that bare requests go to
	body   []byte
	token  string // of the bare lock
	http   *http.Client
}

func (st *stand) desk(b *testing.B, i, size int) *desk {
	b.Helper()
	p := &desk{st: st, body: bytes.Repeat([]byte{byte(i)}, size), http: &http.Client{Transport: &http.Transport{}}}
	name := fmt.Sprintf("bench-%d/document-%d.txt", size, i)
	p.bare = fmt.Sprintf("bench-%d/bare-%d.txt", size, i)
	st.write(b, name, p.body)
	st.write(b, p.bare, p.body)
	o := st.d.Open("/" + name)
	p.office = &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken, HTTP: p.http}
	a, err := p.office.EnumerateAncestors(context.Background())
	var above struct {
		AncestorsWithRootFirst []struct{ Url string }
	}
	if err == nil {
		err = json.Unmarshal(a.Body, &above)
	}
	if err != nil || len(above.AncestorsWithRootFirst) == 0 {
		b.Fatalf("%v, %v", a, err)
	}
	last := above.AncestorsWithRootFirst[len(above.AncestorsWithRootFirst)-1]
	if p.folder, err = p.office.At(last.Url); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.http.CloseIdleConnections)
	return p
}

// dav sends one request to the server itself.
func (p *desk) dav(method, name, body string, header ...string) (http.Header, error) {
	r, err := http.NewRequest(method, p.st.dav.JoinPath(name).String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if p.st.user != "" {
		r.SetBasicAuth(p.st.user, p.st.password)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = []string{header[i+1]}
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s", method, name, answer.Status)
	}
	return answer.Header, nil
}

const (
	propfind = `<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getcontentlength/><D:getetag/><D:getlastmodified/></D:prop></D:propfind>`
	lockinfo = `<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`
	lockID   = "a lock of the bench"
)

func good(a office.Answer, err error) error {
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s", a)
	}
	return err
}

// An operation is one of WOPI, and the one of WebDAV that comes closest. begin and end
// are done once for each desk, after follows each round.
type operation struct {
	name             string
	begin, wopi, end func(context.Context, *desk) error
	bare             func(*desk) error
	after            func(context.Context, *desk) error
}

func lock(ctx context.Context, p *desk) error { return good(p.office.Lock(ctx, lockID)) }

func unlock(ctx context.Context, p *desk) error { return good(p.office.Unlock(ctx, lockID)) }

func bareLock(p *desk) error {
	header, err := p.dav("LOCK", p.bare, lockinfo, "Content-Type", "application/xml", "Timeout", "Second-1800", "Depth", "0")
	if err == nil {
		p.token = header.Get("Lock-Token")
	}
	return err
}

func bareUnlock(p *desk) error {
	_, err := p.dav("UNLOCK", p.bare, "", "Lock-Token", p.token)
	return err
}

func both(first, second func(context.Context, *desk) error) func(context.Context, *desk) error {
	return func(ctx context.Context, p *desk) error {
		if err := first(ctx, p); err != nil {
			return err
		}
		return second(ctx, p)
	}
}

func bareOnly(f func(*desk) error) func(context.Context, *desk) error {
	return func(_ context.Context, p *desk) error { return f(p) }
}

var operations = []operation{
	{name: "CheckFileInfo",
		wopi: func(ctx context.Context, p *desk) error { return good(p.office.CheckFileInfo(ctx)) },
		bare: func(p *desk) error {
			_, err := p.dav("PROPFIND", p.bare, propfind, "Depth", "0", "Content-Type", "application/xml")
			return err
		}},
	{name: "GetFile",
		wopi: func(ctx context.Context, p *desk) error { return good(p.office.GetFile(ctx, -1)) },
		bare: func(p *desk) error { _, err := p.dav("GET", p.bare, ""); return err }},
	{name: "RefreshLock", begin: both(lock, bareOnly(bareLock)), end: both(unlock, bareOnly(bareUnlock)),
		wopi: func(ctx context.Context, p *desk) error { return good(p.office.RefreshLock(ctx, lockID)) },
		bare: func(p *desk) error {
			_, err := p.dav("LOCK", p.bare, "", "If", "("+p.token+")", "Timeout", "Second-1800")
			return err
		}},
	{name: "PutFile", begin: lock, end: unlock,
		wopi: func(ctx context.Context, p *desk) error {
			p.body[0]++ // other bytes: equal ones need not be sent on
			return good(p.office.PutFile(ctx, lockID, p.body, nil))
		},
		bare: func(p *desk) error {
			_, err := p.dav("PUT", p.bare, string(p.body))
			return err
		}},
	{name: "EnumerateChildren",
		wopi: func(ctx context.Context, p *desk) error {
			return good(p.folder.Do(ctx, http.MethodGet, "/children", "", nil, nil))
		},
		bare: func(p *desk) error {
			_, err := p.dav("PROPFIND", filepath.Dir(p.bare)+"/", propfind, "Depth", "1", "Content-Type", "application/xml")
			return err
		}},
	// Last, because Apache loses locks when many are taken at once, whoever asks: what
	// it then takes for locked stays so.
	{name: "Lock", wopi: lock, bare: bareLock, after: both(unlock, bareOnly(bareUnlock))},
}

// rounds is how often each desk does each operation: about 100 MB of saves.
func rounds(size, desks int) int { return min(100, max(3, 100<<20/size/desks/2)) }

// BenchmarkWOPI measures each operation against the bare request to the same server,
// one after the other in the same run, so that what slows one down slows down both.
func BenchmarkWOPI(b *testing.B) {
	sizes := []int{10 << 10, 100 << 10, 10 << 20}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, s := range stands {
		b.Run(s.name, func(b *testing.B) {
			st := newStand(b, s.name, s.start, false)
			for _, size := range sizes {
				for _, desks := range []int{1, 16} {
					st.measure(b, size, desks)
				}
			}
			now, peak := st.d.RSS()
			b.Logf("%s: the daemon holds %d MiB, at its peak %d", s.name, now>>20, peak>>20)
		})
	}
}

func (st *stand) measure(b *testing.B, size, desks int) {
	all := make([]*desk, desks)
	for i := range all {
		all[i] = st.desk(b, i, size)
	}
	for _, op := range operations {
		b.Run(fmt.Sprintf("%s/%dKB/%d", op.name, size>>10, desks), func(b *testing.B) {
			var mu sync.Mutex
			var bridged, bare []time.Duration
			var failed int
			var running sync.WaitGroup
			for _, p := range all {
				running.Go(func() {
					r := p.play(b.Context(), op, rounds(size, desks))
					mu.Lock()
					defer mu.Unlock()
					if r.err != nil && failed == 0 {
						b.Logf("%s: %v", op.name, r.err)
					}
					bridged, bare, failed = append(bridged, r.bridged...), append(bare, r.bare...), failed+r.failed
				})
			}
			running.Wait()
			if len(bridged) == 0 {
				b.Fatal("no round went well")
			}
			for b.Loop() { // counts the rounds, which mean nothing here
			}
			b50, b99 := percentiles(bare)
			w50, w99 := percentiles(bridged)
			b.ReportMetric(w50, "p50-µs")
			b.ReportMetric(w99, "p99-µs")
			b.ReportMetric(b50, "bare-p50-µs")
			b.ReportMetric(b99, "bare-p99-µs")
			b.ReportMetric(w50/b50, "ratio")
			b.ReportMetric(float64(failed), "failed")
		})
	}
}

// A played is what a desk has measured.
type played struct {
	bridged, bare []time.Duration
	failed        int
	err           error // of the last round that failed
}

// play does one operation n times, each beside the bare request. The first round is
// not counted: connections are made in it.
func (p *desk) play(ctx context.Context, op operation, n int) (r played) {
	fail := func(err error) { r.failed, r.err = r.failed+1, err }
	if op.begin != nil {
		if err := op.begin(ctx, p); err != nil {
			fail(err)
			return r
		}
	}
	for i := range n + 1 {
		began := time.Now()
		err := op.wopi(ctx, p)
		between := time.Now()
		if err == nil {
			err = op.bare(p)
		}
		ended := time.Now()
		if op.after != nil && err == nil {
			err = op.after(ctx, p)
		}
		switch {
		case err != nil:
			fail(err)
		case i > 0:
			r.bridged, r.bare = append(r.bridged, between.Sub(began)), append(r.bare, ended.Sub(between))
		}
	}
	if op.end != nil {
		if err := op.end(ctx, p); err != nil {
			fail(err)
		}
	}
	return r
}

// BenchmarkTrips counts the requests that each operation makes to the server, when
// the document has been opened and saved before.
func BenchmarkTrips(b *testing.B) {
	for _, s := range stands[1:] {
		b.Run(s.name, func(b *testing.B) {
			st := newStand(b, s.name, s.start, true)
			p := st.desk(b, 0, 10<<10)
			for _, op := range operations {
				b.Run(op.name, func(b *testing.B) {
					var n int64
					counted := op
					counted.wopi = func(ctx context.Context, p *desk) error {
						before := st.trips.Load()
						err := op.wopi(ctx, p)
						n = st.trips.Load() - before
						return err
					}
					// Twice: the first save may fetch what it replaces.
					if r := p.play(b.Context(), counted, 1); r.err != nil {
						b.Fatal(r.err)
					}
					for b.Loop() { // counts the rounds, which mean nothing here
					}
					b.ReportMetric(float64(n), "requests")
				})
			}
		})
	}
}
