package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/upstream"
)

// A cell is one size and one number of people.
type cell struct {
	size   int64
	desks  int
	one    bool // all have the same document
	cycles []cycle
	most   int           // rounds of each cycle
	limit  time.Duration // for each cycle, after which no round is begun
}

func (c cell) String() string {
	text := fmt.Sprintf("%s/%d", sized(c.size), c.desks)
	if c.one {
		text += "-together"
	}
	return text
}

func sized(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if u := int64(1) << (30 - 10*i); n >= u && n%u == 0 {
			return fmt.Sprintf("%d%s", n/u, unit)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// cells are what is measured on each server.
func cells() []cell {
	all := []cycle{looking, enumerating, holding, locking}
	if testing.Short() {
		return []cell{
			{size: 10 << 10, desks: 1, cycles: all, most: 5, limit: time.Second},
			{size: 100 << 10, desks: 16, cycles: all, most: 3, limit: time.Second},
		}
	}
	var cells []cell
	for _, size := range []int64{10 << 10, 100 << 10, 10 << 20} {
		for _, desks := range []int{1, 16, 64} {
			cells = append(cells, cell{size: size, desks: desks, cycles: all, most: max(6, 200/desks), limit: 4 * time.Second})
		}
	}
	for _, desks := range []int{16, 64} {
		cells = append(cells, cell{size: 100 << 10, desks: desks, one: true, cycles: []cycle{looking}, most: max(6, 200/desks), limit: 4 * time.Second})
	}
	return cells
}

// BenchmarkLoad measures each operation beside the bare request to the same server, by
// turns in the same run, so that what slows one down slows down both.
func BenchmarkLoad(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			st := newStand(b, k, "")
			now, peak := st.d.RSS()
			tell(b, "Memory/idle", figure{"now-MiB", mib(now)}, figure{"peak-MiB", mib(peak)})
			for _, c := range cells() {
				st.measure(b, c)
			}
		})
	}
}

// BenchmarkLarge is BenchmarkLoad with documents that are better not held in memory.
func BenchmarkLarge(b *testing.B) {
	both := []cycle{looking, holding}
	large := []cell{{size: 100 << 20, desks: 1, cycles: both, most: 7}, {size: 1 << 30, desks: 1, cycles: both, most: 3}}
	if testing.Short() {
		large = []cell{{size: 16 << 20, desks: 1, cycles: both, most: 3}}
	}
	for _, k := range kinds[:3] {
		b.Run(k.name, func(b *testing.B) {
			st := newStand(b, k, "")
			for _, c := range large {
				c.limit = time.Minute
				st.measure(b, c)
			}
			if k.start == nil && !testing.Short() { // as much as the disk bears
				st.measure(b, cell{size: 1 << 30, desks: 16, one: true, cycles: both[:1], most: 1})
			}
		})
	}
}

// measure measures one cell and reports it.
func (st *stand) measure(b *testing.B, c cell) {
	before, _ := st.d.RSS()
	st.d.ForgetPeak()
	desks := st.desks(b, c.desks, c.size, c.one)
	failed := 0
	for _, cy := range c.cycles {
		p := st.play(b, desks, cy, c.most, c.limit)
		failed += p.failed
		p.tell(b, c.String())
	}
	if failed == 0 {
		st.check(b, desks)
	}
	now, peak := st.d.RSS()
	tell(b, "Memory/"+c.String(), figure{"before-MiB", mib(before)}, figure{"after-MiB", mib(now)}, figure{"peak-MiB", mib(peak)})
	for _, p := range desks {
		p.http.CloseIdleConnections()
	}
}

// check looks whether the server has what was saved last.
func (st *stand) check(t testing.TB, desks []*desk) {
	t.Helper()
	for _, p := range desks {
		if err := st.holds(p.name, p.saved); err != nil {
			t.Error(err)
		}
	}
}

// A played is what was measured of one cycle.
type played struct {
	cycle cycle
	trips map[wopi.Operation]float64 // requests to the server for each operation
	*tally
}

// A tally is what all desks write down.
type tally struct {
	mu       sync.Mutex
	bridged  map[string][]time.Duration // guarded by mu, as all below
	bare     map[string][]time.Duration
	failed   int // rounds through the daemon that failed, and those past it
	notOurs  int
	firstErr error
}

func newTally() *tally {
	return &tally{bridged: map[string][]time.Duration{}, bare: map[string][]time.Duration{}}
}

// play lets all desks do a cycle: a few rounds through the daemon, then as many past
// it, and the next time the other way round. The first round is not counted:
// connections are made in it, and what is replaced is kept.
func (st *stand) play(t testing.TB, desks []*desk, c cycle, most int, limit time.Duration) played {
	t.Helper()
	ctx := t.Context()
	aside := newTally()
	if c.begin != nil {
		each(desks, func(p *desk) { aside.note(true, c.begin(ctx, p)) })
	}
	for _, bridged := range []bool{true, false} {
		each(desks, func(p *desk) { p.round(ctx, c, bridged, aside) })
	}
	before := st.soFar(t)
	counted := newTally()
	turn := 1
	if len(desks) > 1 {
		turn = 3
	}
	const least = 3
	began, swapped := time.Now(), false
	for n := 0; n < most && (n < least || time.Since(began) < limit); n += turn {
		for _, bridged := range []bool{!swapped, swapped} {
			each(desks, func(p *desk) {
				for range min(turn, most-n) {
					p.round(ctx, c, bridged, counted)
				}
			})
		}
		swapped = !swapped
	}
	after := st.soFar(t)
	if c.end != nil {
		each(desks, func(p *desk) { aside.note(true, c.end(ctx, p)) })
	}
	counted.add(aside)
	if counted.firstErr != nil {
		t.Logf("%s, %s: %d and past the daemon %d failed, first %v", st.name, c.name, counted.failed, counted.notOurs, counted.firstErr)
	}
	return played{c, after.since(before), counted}
}

// each runs f for all desks at once.
func each(desks []*desk, f func(*desk)) {
	var running sync.WaitGroup
	for _, p := range desks {
		running.Go(func() { f(p) })
	}
	running.Wait()
}

// round does all steps once.
func (p *desk) round(ctx context.Context, c cycle, bridged bool, into *tally) {
	took := make([]time.Duration, 0, len(c.steps))
	var whole time.Duration
	for _, s := range c.steps {
		do := s.bare
		if bridged {
			do = s.wopi
		}
		began := time.Now()
		if err := do(ctx, p); err != nil {
			into.note(bridged, fmt.Errorf("%s: %w", s.operation, err))
			return
		}
		took = append(took, time.Since(began))
		whole += took[len(took)-1]
	}
	into.mu.Lock()
	defer into.mu.Unlock()
	times := into.bare
	if bridged {
		times = into.bridged
	}
	for i, s := range c.steps {
		times[string(s.operation)] = append(times[string(s.operation)], took[i])
	}
	if c.whole != "" {
		times[c.whole] = append(times[c.whole], whole)
	}
}

// note counts what failed, if anything did.
func (y *tally) note(bridged bool, err error) {
	if err == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if bridged {
		y.failed++
	} else {
		y.notOurs++
	}
	if y.firstErr == nil {
		y.firstErr = err
	}
}

// add adds the failures of another tally.
func (y *tally) add(other *tally) {
	y.failed, y.notOurs = y.failed+other.failed, y.notOurs+other.notOurs
	if y.firstErr == nil {
		y.firstErr = other.firstErr
	}
}

// tell reports what was measured, a line for each step.
func (p played) tell(b *testing.B, cell string) {
	names := make([]string, 0, len(p.cycle.steps)+1)
	trips, all := map[string]float64{}, 0.0
	for _, s := range p.cycle.steps {
		names = append(names, string(s.operation))
		trips[string(s.operation)] = p.trips[s.operation]
		all += p.trips[s.operation]
	}
	if p.cycle.whole != "" {
		names, trips[p.cycle.whole] = append(names, p.cycle.whole), all
	}
	for _, name := range names {
		figures := []figure{{"trips", trips[name]}, {"failed", float64(p.failed)}, {"bare-failed", float64(p.notOurs)}}
		if len(p.bridged[name]) > 0 && len(p.bare[name]) > 0 {
			w50, w99 := percentiles(p.bridged[name])
			b50, b99 := percentiles(p.bare[name])
			figures = append(figures, figure{"p50-µs", w50}, figure{"p99-µs", w99}, figure{"bare-p50-µs", b50}, figure{"bare-p99-µs", b99},
				figure{"ratio-p50", w50 / b50}, figure{"ratio-p99", w99 / b99}, figure{"rounds", float64(len(p.bridged[name]))})
		}
		tell(b, name+"/"+cell, figures...)
	}
}

// A count is how many WOPI requests there were of each operation, and how many requests
// to the server they caused.
type count map[wopi.Operation][2]float64

// soFar asks the daemon. It has counted a request when that is answered altogether.
func (st *stand) soFar(t testing.TB) count {
	t.Helper()
	all, err := st.figures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := count{}
	for name, n := range all {
		for i, counter := range []string{"davwopi_wopi_requests_total{", "davwopi_wopi_upstream_requests_total{"} {
			if operation, ok := labelled(name, counter, "operation"); ok {
				is := c[wopi.Operation(operation)]
				is[i] += n
				c[wopi.Operation(operation)] = is
			}
		}
	}
	return c
}

// since is how many requests to the server each operation took since before.
func (c count) since(before count) map[wopi.Operation]float64 {
	per := map[wopi.Operation]float64{}
	for operation, now := range c {
		was := before[operation]
		if n := now[0] - was[0]; n > 0 {
			per[operation] = (now[1] - was[1]) / n
		}
	}
	return per
}

// TestLoad is BenchmarkLoad in small, on a server that writes down what it is asked.
func TestLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	t.Parallel()
	var server *upstream.Server
	st := newStand(t, kind{name: "strict", start: func(t testing.TB) *upstream.Server { server = upstream.Strict(t); return server }}, "")
	const people, rounds = 3, 4
	desks := st.desks(t, people, 10<<10, false)
	for _, c := range []cycle{looking, enumerating, holding, locking} {
		server.Forget()
		before := st.upstream(t)
		p := st.play(t, desks, c, rounds, time.Minute)
		if p.failed != 0 || p.notOurs != 0 {
			t.Errorf("%s: %d, %d failed: %v", c.name, p.failed, p.notOurs, p.firstErr)
		}
		bare := 0
		for _, s := range c.steps {
			if n, m := len(p.bridged[string(s.operation)]), len(p.bare[string(s.operation)]); n != people*rounds || m != people*rounds {
				t.Errorf("%s: %d and %d times", s.operation, n, m)
			}
			bare += people * (rounds + 1)
			t.Logf("%s: %.2f requests", s.operation, p.trips[s.operation])
		}
		if c.begin != nil {
			bare += 2 * people
		}
		if ours, all := st.upstream(t)-before, len(server.Requests()); ours+bare != all {
			t.Errorf("%s: the server was asked %d times, of which %d by the daemon and %d past it", c.name, all, ours, bare)
		}
	}
	st.check(t, desks)
	desks[0].saved.serial++
	if st.holds(desks[0].name, desks[0].saved) == nil {
		t.Error("other bytes are taken for those that were saved")
	}
}

// upstream is how many requests the daemon has made of its server, for whatever reason.
func (st *stand) upstream(t testing.TB) int {
	t.Helper()
	all, err := st.figures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0.0
	for name, value := range all {
		if _, ok := labelled(name, "davwopi_upstream_requests_total{", "method"); ok {
			n += value
		}
	}
	return int(n)
}
