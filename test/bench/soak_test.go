package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// profiles is a folder for Go's profiles of the daemon, "" none are made.
var profiles = os.Getenv("DAVWOPI_BENCH_PROFILES")

// A soak is many documents that are open at once. Each is saved once a minute, looked at
// by its editor every second minute, and its lock is refreshed every fifth; the minutes
// of a test are shorter.
type soak struct {
	*stand
	minute    time.Duration
	minutes   int
	documents []*document

	mu      sync.Mutex
	saves   [][]time.Duration // by minute; guarded by mu, as all below
	samples [][]sample
	failed  int
	asked   int // requests that are no saves
	err     error
}

// A document is open.
type document struct {
	session *office.Session
	name    string
	bytes   []byte
}

// A sample is the daemon at one moment.
type sample struct{ rss, goroutines, files float64 }

const soakSize = 24 << 10 // a letter

// BenchmarkSoak keeps a thousand documents open for ten minutes (DESIGN.md 13).
func BenchmarkSoak(b *testing.B) {
	documents, minutes := number(b, "DAVWOPI_BENCH_SOAK_DOCUMENTS", 1000), number(b, "DAVWOPI_BENCH_SOAK_MINUTES", 10)
	if testing.Short() {
		documents, minutes = 50, 4
	}
	for _, k := range kinds[:2] {
		b.Run(k.name, func(b *testing.B) {
			began := time.Now()
			s := newSoak(b, k, documents, minutes)
			if testing.Short() {
				s.minute = 5 * time.Second
			}
			opened := time.Since(began)
			s.run(b)
			s.close(b)
			s.tell(b, opened)
		})
	}
}

func number(b *testing.B, variable string, usual int) int {
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s=%s: a number is wanted", variable, text)
	}
	return n
}

// newSoak opens the documents.
func newSoak(t testing.TB, k kind, documents, minutes int) *soak {
	t.Helper()
	editor := office.NewEditor(t, wopi.Collabora, true, "odt")
	s := &soak{
		stand: newStand(t, k, fmt.Sprintf("editors: [%q]\n", editor.URL)), minute: time.Minute, minutes: minutes,
		documents: make([]*document, documents), saves: make([][]time.Duration, minutes), samples: make([][]sample, minutes),
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	next := make(chan int)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for i := range next {
				d, err := s.open(t.Context(), t, i, client, editor)
				s.documents[i] = d
				s.note(err)
			}
		})
	}
	for i := range documents {
		next <- i
	}
	close(next)
	running.Wait()
	if s.failed > 0 {
		t.Fatalf("%d of %d documents could not be opened, first %v", s.failed, documents, s.err)
	}
	return s
}

func (s *soak) open(ctx context.Context, t testing.TB, i int, client *http.Client, editor *office.Editor) (*document, error) {
	d := &document{name: fmt.Sprintf("soak/letter %04d.odt", i), bytes: make([]byte, soakSize)}
	chance := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)})
	_, _ = chance.Read(d.bytes) // never fails
	s.writeBytes(t, d)
	var o daemon.Opened
	in := map[string]string{"Path": "/" + d.name, "Mode": "edit", "Editor": editor.URL}
	if err := bridge.Ask(ctx, filepath.Join(s.d.State, "admin.sock"), "open", in, &o); err != nil {
		return nil, err
	}
	c := editor.Client(o.WOPISrc, o.AccessToken)
	c.HTTP = client
	var err error
	if d.session, err = c.Open(ctx); err != nil {
		return nil, err
	}
	if d.session.ReadOnly || !bytes.Equal(d.session.Contents, d.bytes) {
		err = fmt.Errorf("%s: locked, or has other bytes", d.name)
	}
	return d, err
}

func (s *soak) writeBytes(t testing.TB, d *document) {
	t.Helper()
	file := filepath.Join(s.dir, d.name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Error(err)
	}
	_ = os.Chmod(filepath.Dir(file), 0o777) // the server may be another user
	if err := os.WriteFile(file, d.bytes, 0o666); err != nil {
		t.Error(err)
	}
	_ = os.Chmod(file, 0o666)
}

// run lets time pass, as it does for all documents.
func (s *soak) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(s.minutes)*s.minute)
	defer cancel()
	began := time.Now()
	var running sync.WaitGroup
	for i, d := range s.documents {
		phase := time.Duration(i) * s.minute / time.Duration(len(s.documents))
		running.Go(func() { s.edit(ctx, d, began, phase) })
	}
	for n := 1; wait(ctx, began.Add(time.Duration(n)*s.minute/6)); n++ {
		minute := s.at(began)
		now, err := s.sample(ctx)
		if ctx.Err() != nil {
			break
		}
		s.note(err)
		s.samples[minute] = append(s.samples[minute], now)
		if n == 3*6-1 || n == s.minutes*6-1 {
			s.note(s.profile(ctx, minute))
		}
	}
	running.Wait()
}

// at is the minute that we are in.
func (s *soak) at(began time.Time) int {
	return min(int(time.Since(began)/s.minute), s.minutes-1)
}

// wait waits for a moment; false if ctx ends before.
func wait(ctx context.Context, until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// edit is what one person and the editor do.
func (s *soak) edit(ctx context.Context, d *document, began time.Time, phase time.Duration) {
	for minute := 0; wait(ctx, began.Add(time.Duration(minute)*s.minute+phase)); minute++ {
		// What has begun is not cut off when time is up.
		ctx := context.WithoutCancel(ctx)
		next := slices.Clone(d.session.Contents)
		binary.BigEndian.PutUint64(next, uint64(minute)+1)
		start := time.Now()
		a, err := d.session.Save(ctx, next, false)
		took := time.Since(start)
		if s.answered("save", a, err) {
			s.saved(began, took)
		}
		if minute%5 == 4 {
			a, err := d.session.Refresh(ctx)
			s.answered("refresh", a, err)
		}
		if minute%2 == 1 {
			a, err := d.session.Client.CheckFileInfo(ctx)
			s.answered("look", a, err)
		}
	}
}

func (s *soak) saved(began time.Time, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := s.at(began)
	s.saves[minute] = append(s.saves[minute], took)
}

// answered reports whether the answer was 200, and counts.
func (s *soak) answered(what string, a office.Answer, err error) bool {
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s", a)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	s.note(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if what != "save" {
		s.asked++
	}
	return err == nil
}

func (s *soak) note(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	if s.err == nil {
		s.err = err
	}
}

// sample looks at the daemon.
func (s *soak) sample(ctx context.Context) (sample, error) {
	all, err := s.figures(ctx)
	if err != nil {
		return sample{}, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.d.PID()))
	if err != nil {
		return sample{}, err
	}
	now, _ := s.d.RSS()
	return sample{rss: mib(now), goroutines: all["go_goroutines"], files: float64(len(files))}, nil
}

// profile keeps what the daemon has in memory, and what it does, if that is wanted.
func (s *soak) profile(ctx context.Context, minute int) error {
	if profiles == "" {
		return nil
	}
	for _, what := range []string{"heap", "goroutine"} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.metrics, "metrics")+"debug/pprof/"+what, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil {
			err = os.WriteFile(filepath.Join(profiles, fmt.Sprintf("%s-%s-minute-%d.pprof", s.name, what, minute+1)), text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close closes all documents, and looks whether each is as it was saved last.
func (s *soak) close(t testing.TB) {
	t.Helper()
	for _, d := range s.documents {
		a, err := d.session.Close(t.Context())
		s.answered("close", a, err)
		is, err := os.ReadFile(filepath.Join(s.dir, d.name))
		if err != nil || !bytes.Equal(is, d.session.Contents) {
			t.Errorf("%s is not what was saved last (%v)", d.name, err)
		}
	}
	if s.failed > 0 {
		t.Errorf("%d requests failed, first %v", s.failed, s.err)
	}
	all, err := s.figures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range all {
		state, ok := labelled(name, "davwopi_saves_entries{", "state")
		// The bytes of the last saves stay for a while, to be looked for once more.
		if n != 0 && (strings.HasPrefix(name, "davwopi_locks{") || ok && state != "preimage" && state != "verified") {
			t.Errorf("when all documents were closed, %s is %v", name, n)
		}
	}
}

// tell reports each minute, and how the last one compares with the third.
func (s *soak) tell(b *testing.B, opened time.Duration) {
	var all []time.Duration
	for i := range s.minutes {
		if len(s.saves[i]) == 0 || len(s.samples[i]) == 0 {
			b.Errorf("nothing happened in minute %d", i+1)
			continue
		}
		p50, p99 := percentiles(s.saves[i])
		m := middle(s.samples[i])
		tell(b, fmt.Sprintf("minute-%02d", i+1), figure{"saves", float64(len(s.saves[i]))}, figure{"p50-ms", p50 / 1000}, figure{"p99-ms", p99 / 1000},
			figure{"RSS-MiB", m.rss}, figure{"goroutines", m.goroutines}, figure{"files", m.files})
		all = append(all, s.saves[i]...)
	}
	if s.minutes < 4 || b.Failed() {
		return
	}
	p50, p99 := percentiles(all)
	third, last := middle(s.samples[2]), middle(s.samples[s.minutes-1])
	_, peak := s.d.RSS()
	tell(b, "whole", figure{"documents", float64(len(s.documents))}, figure{"opened-s", opened.Seconds()}, figure{"saves", float64(len(all))}, figure{"others", float64(s.asked)},
		figure{"failed", float64(s.failed)}, figure{"p50-ms", p50 / 1000}, figure{"p99-ms", p99 / 1000}, figure{"peak-MiB", mib(peak)},
		figure{"RSS-last/third", last.rss / third.rss}, figure{"goroutines-last/third", last.goroutines / third.goroutines}, figure{"files-last/third", last.files / third.files})
}

// middle is the median of each figure.
func middle(all []sample) sample {
	median := func(of func(sample) float64) float64 {
		values := make([]float64, len(all))
		for i, s := range all {
			values[i] = of(s)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return sample{
		rss:        median(func(s sample) float64 { return s.rss }),
		goroutines: median(func(s sample) float64 { return s.goroutines }),
		files:      median(func(s sample) float64 { return s.files }),
	}
}

// TestSoak is BenchmarkSoak in small.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	t.Parallel()
	s := newSoak(t, kind{name: "strict", start: upstream.Strict}, 6, 3)
	s.minute = time.Second
	s.run(t)
	s.close(t)
	saves, samples := 0, 0
	for i := range s.minutes {
		saves, samples = saves+len(s.saves[i]), samples+len(s.samples[i])
	}
	if saves < len(s.documents) || samples == 0 || s.asked < len(s.documents) {
		t.Errorf("%d saves, %d samples, %d others", saves, samples, s.asked)
	}
	for _, minute := range s.samples {
		for _, x := range minute {
			if x.rss <= 0 || x.goroutines <= 0 || x.files <= 0 {
				t.Errorf("a sample is %+v", x)
			}
		}
	}
}
