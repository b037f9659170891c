package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// Two bridges share a PostgreSQL, behind a proxy that gives each request to the next.
type pair struct {
	*saboteur
	proxy   *daemon.RoundRobin
	daemons []*daemon.Daemon
	listens []string

	mu    sync.Mutex
	alive []bool // guarded by mu
}

// TestReplicas lets people edit through two bridges while either is killed, sometimes both,
// and their file servers are killed, stopped and slowed; and lets the ledger judge.
// DAVWOPI_TEST_TORTURE_REPLICA_KILLS says how often (`make replicas`: 200).
func TestReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	t.Parallel()
	database := sqldbtest.NewServer(t, "max_connections=200")
	daemon.Program(t)
	dir := t.TempDir()
	p := plan{
		Dir: dir, Ledger: filepath.Join(dir, "l"), Storage: "servers", Seed: uint64(number(t, "DAVWOPI_TEST_TORTURE_SEED", int(time.Now().UnixNano()%1_000_000))),
		Kills: number(t, "DAVWOPI_TEST_TORTURE_REPLICA_KILLS", 5), Files: number(t, "DAVWOPI_TEST_TORTURE_REPLICA_DOCUMENTS", 12), Uptime: 2 * time.Second,
	}
	t.Logf("DAVWOPI_TEST_TORTURE_SEED=%d", p.Seed)
	d := newDesk(t, &p, 10)
	two := startPair(t, p, d.book, database.URL())
	d.setting = two.setting(0)
	people := d.people(t, p.Seed, p.Files)
	calm := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	failed := make(chan error, len(people))
	for _, who := range people {
		all.Go(func() { failed <- who.live(ctx, calm) })
	}
	d.ready(t, people)
	two.rage()
	close(calm)
	begin := time.Now()
	enough := time.AfterFunc(5*time.Minute, cancel) // in which every document must be saved once more
	all.Wait()
	enough.Stop()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Error(err)
		}
	}
	t.Log(two.deeds)
	t.Logf("every document was saved once more and closed within %v", time.Since(begin).Round(time.Millisecond))
	t.Log(d.figures())
	for i := range two.daemons {
		d.setting = two.setting(i)
		d.settle(t)
	}
	two.measured(t)
	d.setting = two.setting(0)
	d.verdict(t, people)
}

// measured waits until nobody measures a server any more: a bridge that was killed over it
// leaves a folder, which is removed when its claim has run out.
func (p *pair) measured(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var left []string
		for _, dir := range p.folders {
			found, err := filepath.Glob(filepath.Join(dir, ".davwopi-probe-*"))
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, found...)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("left where servers were measured: %v", left)
			return
		}
	}
}

func startPair(t *testing.T, p plan, b *book, url string) *pair {
	t.Helper()
	two := &pair{
		saboteur: &saboteur{plan: p, t: t, book: b, folders: map[string]string{}, views: map[string]*davbackend.View{}},
		proxy:    daemon.NewRoundRobin(t), alive: []bool{true, true},
	}
	for name, text := range map[string]string{"url": url + "\n", "key": strings.Repeat("0123456789abcdef", 4) + "\n"} {
		if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	yaml := fmt.Sprintf("public_url: %s\ntrusted_proxies: [127.0.0.1/32]\nstate: {url_file: %q}\nsecret_key_file: %q\nreplicas: true\n"+
		"editors: [%q, %q, %q]\nsaves: {patience: 500ms}\nlocks: {announce_locks: false}\nsign_in: {kind: link}\nupstreams:\n",
		two.proxy.URL, filepath.Join(p.Dir, "url"), filepath.Join(p.Dir, "key"), p.Editors[0], p.Editors[1], p.Editors[2])
	two.servers = []*upstream.Server{upstream.Apache(t), upstream.NginxLocking(t, "20s"), upstream.Rclone(t)}
	for _, u := range two.servers {
		yaml += fmt.Sprintf("- {name: %s, url: %q, user: %q, password: %q, idle: 2s}\n", u.Name, u.URL, u.User, u.Password)
		two.folders[u.Name], two.views[u.Name] = u.Dir, u.View(t)
	}
	for range 2 {
		listen := daemon.FreePort(t)
		two.daemons = append(two.daemons, daemon.StartWith(t, yaml, daemon.Options{Listen: listen}))
		two.listens = append(two.listens, listen)
	}
	two.over()
	return two
}

// over lets the proxy know who is alive.
func (p *pair) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var listen []string
	for i, ok := range p.alive {
		if ok {
			listen = append(listen, p.listens[i])
		}
	}
	p.proxy.Over(listen...)
}

func (p *pair) setAlive(i int, alive bool) {
	p.mu.Lock()
	p.alive[i] = alive
	p.mu.Unlock()
	p.over()
}

// setting is where everything is, with the commands of one bridge.
func (p *pair) setting(i int) setting {
	accounts := map[string]account{}
	for _, u := range p.servers {
		accounts[u.Name] = account{u.URL, u.User, u.Password}
	}
	return setting{p.proxy.URL, os.Getpid(), p.daemons[i].State, p.folders, accounts, "the bytes are in the database"}
}

// rage kills either bridge as often as planned, every fourth time both, and does all the
// rest meanwhile. One that is dead stays so for up to half a minute: longer than a lease.
func (p *pair) rage() {
	begin := time.Now()
	ctx, stop := context.WithCancel(p.t.Context())
	var all sync.WaitGroup
	for n, f := range []func(context.Context, *rand.Rand){p.troubleUpstreams, p.editOutside} {
		all.Go(func() { f(ctx, rand.New(rand.NewPCG(p.Seed, uint64(100+n)))) })
	}
	dice := rand.New(rand.NewPCG(p.Seed, 99))
	for p.deeds.Kills < p.Kills {
		pause(ctx, 10*time.Millisecond+within(dice, 2*p.Uptime))
		victims := []int{dice.IntN(2)}
		if dice.IntN(4) == 0 {
			victims = []int{0, 1}
		}
		for _, i := range victims {
			p.daemons[i].Kill()
			p.setAlive(i, false)
			p.deeds.Kills++
		}
		p.disturb()
		dead := within(dice, 3*time.Second)
		if dice.IntN(8) == 0 {
			dead = 20*time.Second + within(dice, 10*time.Second)
		}
		pause(ctx, dead)
		for _, i := range victims {
			start := time.Now()
			p.daemons[i].Restart()
			p.setAlive(i, true)
			p.deeds.Starts++
			p.deeds.Down += time.Since(start)
			p.deeds.Longest = max(p.deeds.Longest, time.Since(start))
		}
	}
	stop()
	all.Wait()
	p.deeds.Took = time.Since(begin)
	p.deeds.Outside, p.deeds.OutsideBusy = int(p.wrote.Load()), int(p.busy.Load())
}
