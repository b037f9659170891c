package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"davwopi/davbackend"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// A plan is what the saboteur is told.
type plan struct {
	Dir     string // where it writes its setting and its account, and where the flocks are
	Ledger  string // socket
	Editors []string
	Storage string // "embedded" or "servers"
	Seed    uint64
	Kills   int
	Files   int
	Uptime  time.Duration // of the daemon, on average
	Without string        // protection that is left out, "" none
}

// A setting is what the saboteur has set up.
type setting struct {
	URL      string
	PID      int // of the saboteur, whose mounts the state directory is in
	State    string
	Folders  map[string]string // by upstream
	Accounts map[string]account
	Disk     string // why the disk is never full, "" if it is
}

type account struct{ URL, User, Password string }

// socket is the daemon's for commands, seen through the saboteur's mounts.
func (s setting) socket() string { return fmt.Sprintf("/proc/%d/root%s/admin.sock", s.PID, s.State) }

// deeds are what the saboteur has done.
type deeds struct {
	Kills, InStart                     int // of the daemon; while it was starting
	UpstreamKills, Pauses, Slow, Full  int
	Outside, OutsideBusy, OutsideTries int
	Starts                             int
	Took, Longest, Down                time.Duration
}

func (d deeds) String() string {
	return fmt.Sprintf("%d kills of the daemon in %v, %d of them while it started; %d kills, %d stops and %d slow times of upstreams; "+
		"the disk full %d times; %d edits by others (%d more found a save on its way); %d starts took %v, the longest %v",
		d.Kills, d.Took.Round(time.Second), d.InStart, d.UpstreamKills, d.Pauses, d.Slow, d.Full, d.Outside, d.OutsideBusy, d.Starts, d.Down.Round(time.Millisecond), d.Longest.Round(time.Millisecond))
}

// A saboteur has everything in hand that can go wrong.
type saboteur struct {
	plan
	t       *testing.T
	d       *daemon.Daemon
	servers []*upstream.Server
	folders map[string]string
	book    *book
	image   string // mount point of the state directory's disk, "" if there is none

	disk  sync.Mutex // held while the disk is full, and by who must have room
	deeds deeds
	busy  atomic.Int64
	wrote atomic.Int64
	views map[string]*davbackend.View // of the upstreams

	// disturbed is when something was last killed, stopped or let go on, in ns since
	// 1970: for a moment after it a server may still be busy with what a dead daemon sent.
	disturbed atomic.Int64
}

// TestSaboteur is the second process of TestTorture, and nothing by itself.
func TestSaboteur(t *testing.T) {
	text := os.Getenv(planVariable)
	if text == "" {
		t.Skip("is started by TestTorture")
	}
	s := &saboteur{t: t, folders: map[string]string{}, views: map[string]*davbackend.View{}}
	if err := json.Unmarshal([]byte(text), &s.plan); err != nil {
		t.Fatal(err)
	}
	s.book = openBook(s.Ledger)
	s.setUp()
	for _, err := os.Stat(filepath.Join(s.Dir, "go")); err != nil; _, err = os.Stat(filepath.Join(s.Dir, "go")) {
		time.Sleep(10 * time.Millisecond) // TestTorture has a limit for it
	}
	s.rage()
	s.tell("deeds.json", s.deeds)
	_, _ = io.Copy(io.Discard, os.Stdin) // until TestTorture has looked at everything
}

const planVariable = "DAVWOPI_TEST_TORTURE_PLAN"

// tell leaves v for TestTorture.
func (s *saboteur) tell(name string, v any) {
	s.t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Dir, name+".part"), text, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(s.Dir, name+".part"), filepath.Join(s.Dir, name))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *saboteur) setUp() {
	s.t.Helper()
	state := filepath.Join(s.t.TempDir(), "state")
	why := s.mount(state)
	yaml := fmt.Sprintf("editors: [%q, %q, %q]\nsaves: {patience: 500ms}\nlocks: {announce_locks: false}\nlog: {level: info}\n", s.Editors[0], s.Editors[1], s.Editors[2])
	if s.Storage == "embedded" {
		s.d = daemon.StartWith(s.t, yaml, daemon.Options{State: state, Without: s.Without, Faulty: s.Without != ""})
		s.folders["main"] = s.d.Dir
	} else {
		s.servers = []*upstream.Server{upstream.Apache(s.t), upstream.NginxLocking(s.t, "20s"), upstream.Rclone(s.t)}
		yaml += "sign_in: {kind: link}\nupstreams:\n"
		for _, u := range s.servers {
			yaml += fmt.Sprintf("- {name: %s, url: %q, user: %q, password: %q, idle: 2s}\n", u.Name, u.URL, u.User, u.Password)
			s.folders[u.Name], s.views[u.Name] = u.Dir, u.View(s.t)
		}
		s.d = daemon.StartWith(s.t, yaml, daemon.Options{State: state, Without: s.Without, Faulty: s.Without != ""})
	}
	accounts := map[string]account{}
	for _, u := range s.servers {
		accounts[u.Name] = account{u.URL, u.User, u.Password}
	}
	s.tell("setting.json", setting{s.d.URL, os.Getpid(), state, s.folders, accounts, why})
}

// mount puts an ext4 file system of its own under the state directory. It returns
// why not.
func (s *saboteur) mount(state string) string {
	s.t.Helper()
	if err := os.Mkdir(state, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if os.Getenv(privateVariable) == "" {
		return "no mount namespace of its own is permitted"
	}
	image := filepath.Join(s.Dir, "state.ext4")
	f, err := os.Create(image)
	if err == nil {
		err = f.Truncate(2 << 30) // of which little is ever written; 256 MiB must stay free for saves to wait
		f.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", image}, {"mount", "-o", "loop", image, state}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Sprintf("%s: %v %s", args[0], err, out)
		}
	}
	s.image = state
	s.t.Cleanup(func() {
		if err := syscall.Unmount(state, 0); err != nil {
			s.t.Errorf("unmounting the state: %v", err)
		}
	})
	return ""
}

const privateVariable = "DAVWOPI_TEST_TORTURE_PRIVATE"

// rage kills the daemon as often as planned, and does all the rest meanwhile.
func (s *saboteur) rage() {
	begin := time.Now()
	ctx, stop := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	for n, f := range []func(context.Context, *rand.Rand){s.troubleUpstreams, s.fillDisk, s.editOutside} {
		all.Go(func() { f(ctx, rand.New(rand.NewPCG(s.Seed, uint64(100+n)))) })
	}
	dice := rand.New(rand.NewPCG(s.Seed, 99))
	for s.deeds.Kills < s.Kills {
		pause(ctx, 10*time.Millisecond+within(dice, 2*s.Uptime))
		s.d.Kill()
		s.disturb()
		s.deeds.Kills++
		s.restart(dice)
	}
	stop()
	all.Wait()
	s.deeds.Took = time.Since(begin)
	s.deeds.Outside, s.deeds.OutsideBusy = int(s.wrote.Load()), int(s.busy.Load())
}

// restart starts the daemon again; every third time it is killed before it is ready.
// It needs room on the disk to start.
func (s *saboteur) restart(dice *rand.Rand) {
	s.disk.Lock()
	defer s.disk.Unlock()
	for dice.IntN(3) == 0 && s.deeds.Kills < s.Kills {
		if s.d.RestartFor(within(dice, 120*time.Millisecond)) {
			return
		}
		s.deeds.Kills++
		s.deeds.InStart++
	}
	begin := time.Now()
	s.d.Restart()
	s.deeds.Longest = max(s.deeds.Longest, time.Since(begin))
	s.deeds.Starts++
	s.deeds.Down += time.Since(begin)
}

func (s *saboteur) disturb() { s.disturbed.Store(time.Now().UnixNano()) }

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// troubleUpstreams kills, stops and slows one server after another.
func (s *saboteur) troubleUpstreams(ctx context.Context, dice *rand.Rand) {
	for len(s.servers) > 0 && ctx.Err() == nil {
		pause(ctx, 200*time.Millisecond+within(dice, 1500*time.Millisecond))
		p := s.servers[dice.IntN(len(s.servers))].Program
		s.disturb()
		switch dice.IntN(3) {
		case 0:
			p.Kill()
			s.deeds.UpstreamKills++
			pause(ctx, within(dice, 6*time.Second))
			p.Start()
			s.disturb()
		case 1:
			p.Pause()
			s.deeds.Pauses++
			pause(ctx, within(dice, 4*time.Second))
			p.Resume()
			s.disturb()
		case 2: // a tenth of its speed
			s.deeds.Slow++
			for end := time.Now().Add(within(dice, 3*time.Second)); time.Now().Before(end) && ctx.Err() == nil; {
				p.Pause()
				pause(ctx, 45*time.Millisecond)
				p.Resume()
				s.disturb()
				pause(ctx, 5*time.Millisecond)
			}
		}
	}
}

// fillDisk leaves some KiB on the disk of the state directory, for a while.
func (s *saboteur) fillDisk(ctx context.Context, dice *rand.Rand) {
	for s.image != "" && ctx.Err() == nil {
		pause(ctx, time.Second+within(dice, 3*time.Second))
		s.disk.Lock()
		ballast := filepath.Join(s.image, "ballast")
		if err := fill(ballast, s.image, dice.Int64N(200<<10)); err != nil {
			s.t.Errorf("filling the disk: %v", err)
		}
		s.deeds.Full++
		pause(ctx, within(dice, 700*time.Millisecond))
		if err := os.Remove(ballast); err != nil {
			s.t.Errorf("emptying the disk: %v", err)
		}
		s.disk.Unlock()
	}
}

// fill makes a file of all that is free but for so many bytes.
func fill(path, disk string, left int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for range 20 { // until there is no more than that: the daemon writes meanwhile
		var st unix.Statfs_t
		if err := unix.Statfs(disk, &st); err != nil {
			return err
		}
		free := int64(st.Bavail)*st.Bsize - left
		info, err := f.Stat()
		if err != nil || free <= 0 {
			return err
		}
		if err := unix.Fallocate(int(f.Fd()), 0, 0, info.Size()+free); err != nil && err != unix.ENOSPC {
			return err
		}
	}
	return nil
}

// within is a random time below d.
func within(dice *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(dice.Int64N(int64(d)))
}
