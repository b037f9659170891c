package torture

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/test/daemon"
	durable "davwopi/test/disk"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// A story is what goes wrong around a few saves, so that the daemon needs some of its
// protections. The ledger is satisfied in the end; without one of them it is not.
type story struct {
	what    string
	without []string // the protections that are needed, by their names in bridge/saves and bridge/locks
	setting func(*stage)
	play    func(*stage)
	long    bool // not needed each time
}

// A stage is one daemon over one server, with a ledger of its own.
type stage struct {
	*desk
	t       *testing.T
	options daemon.Options
	yaml    string
	server  *upstream.Server
	d       *daemon.Daemon
	people  []*person
}

// TestWithout plays every story twice: with the release, which is told to leave a
// protection out and does not listen, and with a program that does. Some of them only with
// DAVWOPI_TEST_TORTURE_WITHOUT=1, which `make torture` sets.
func TestWithout(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	t.Parallel()
	all := number(t, "DAVWOPI_TEST_TORTURE_WITHOUT", 0) > 0
	daemon.Program(t)
	daemon.Faulty(t)
	for _, s := range stories() {
		if s.long && !all {
			continue
		}
		t.Run(s.what, func(t *testing.T) {
			t.Parallel()
			said := s.run(t, s.without[0], false)
			if said != "" {
				t.Errorf("with all protections: %s", said)
			}
			for _, without := range s.without {
				begin := time.Now()
				said := s.run(t, without, true)
				if said == "" {
					t.Errorf("without %q the ledger is satisfied: it is not needed, or the story proves nothing", without)
				}
				t.Logf("without %q, after %v: %s", without, time.Since(begin).Round(100*time.Millisecond), said)
			}
		})
	}
}

// run plays the story and returns what the ledger is not satisfied with, "" nothing.
func (s story) run(t *testing.T, without string, faulty bool) string {
	t.Helper()
	dir := t.TempDir()
	g := &stage{t: t, options: daemon.Options{State: filepath.Join(durable.Folder(t), "state"), Without: without, Faulty: faulty}}
	g.desk = &desk{locks: filepath.Join(dir, "locks"), editors: map[string]*office.Editor{}, answers: map[string]int{}, waited: map[string]bool{}}
	if err := os.Mkdir(g.locks, 0o700); err != nil {
		t.Fatal(err)
	}
	ledger := filepath.Join(dir, "l")
	startLedger(t, ledger)
	g.book = openBook(ledger)
	g.server = upstream.Strict(t)
	g.yaml = fmt.Sprintf("upstream: {url: %q, user: %q, password: %q, idle: 2s}\nsign_in: {kind: link}\nsaves: {patience: 1s}\nlocks: {announce_locks: false}\n",
		g.server.URL, g.server.User, g.server.Password)
	for i, kind := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
		g.editors[extensions[i]] = office.NewEditor(t, kind, true, extensions[i][1:])
	}
	g.yaml += fmt.Sprintf("editors: [%q, %q, %q]\n", g.editors[".odt"].URL, g.editors[".docx"].URL, g.editors[".xlsx"].URL)
	if s.setting != nil {
		s.setting(g)
	}
	g.d = daemon.StartWith(t, g.yaml, g.options)
	g.desk.setting = setting{PID: os.Getpid(), State: g.d.State, Folders: map[string]string{"main": g.server.Dir}}
	if !until(30*time.Second, func() bool { return strings.Contains(g.d.Log(), "the upstream is measured") }) {
		t.Fatal("the server was not measured")
	}
	s.play(g)
	return g.judged()
}

// judged lets everybody go and asks the ledger.
func (g *stage) judged() string {
	g.t.Helper()
	ctx := g.t.Context()
	for _, p := range g.people {
		_ = p.leave(ctx) // a lock that stays is seen
	}
	patience := 30 * time.Second
	if g.options.Faulty {
		patience = 8 * time.Second // what is finished at all is finished within 5
	}
	g.quiet(patience)
	q := question{Socket: g.desk.setting.socket(), Folders: []string{g.server.Dir}}
	r, err := g.book.judge(ctx, q)
	if err != nil {
		g.t.Fatal(err)
	}
	var said []string
	if r.bad() > 0 {
		said = append(said, r.String())
	}
	if len(said) > 0 {
		patience = 0 // it is known already
	}
	if stuck := g.stuck(patience); len(stuck) > 0 {
		said = append(said, fmt.Sprintf("locks that are stuck: %v", stuck))
	}
	if r.Acknowledged == 0 {
		g.t.Error("nothing was acknowledged: the story proves nothing")
	}
	return strings.Join(said, "; ")
}

// journal is what the daemon lists.
func (g *stage) journal() []saveLine {
	g.t.Helper()
	var list []saveLine
	if err := bridge.Ask(g.t.Context(), g.desk.setting.socket(), "saves", struct{}{}, &list); err != nil {
		g.t.Fatal(err)
	}
	return list
}

// until waits for something, but not for ever.
func until(limit time.Duration, done func() bool) bool {
	for end := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// quiet waits until nothing in the journal is on its way.
func (g *stage) quiet(limit time.Duration) {
	g.t.Helper()
	until(limit, func() bool { return g.onTheWay() == 0 })
}

func (g *stage) onTheWay() (n int) {
	g.t.Helper()
	for _, e := range g.journal() {
		if e.onItsWay() {
			n++
		}
	}
	return n
}

// stuck are the documents that are locked on the server although everybody has left.
func (g *stage) stuck(limit time.Duration) (stuck []string) {
	g.t.Helper()
	view := g.server.View(g.t)
	until(limit, func() bool {
		stuck = nil
		for _, p := range g.people {
			res, err := view.Stat(g.t.Context(), dav.Path(p.path))
			if err != nil || len(res.Locks) > 0 {
				stuck = append(stuck, fmt.Sprintf("%s %v", p.path, err))
			}
		}
		return len(stuck) == 0
	})
	return stuck
}

// person makes a document and opens it.
func (g *stage) person(ext string) *person {
	g.t.Helper()
	p := g.closed(ext)
	if !p.open(g.t.Context()) {
		g.t.Fatalf("it cannot be opened: %v", p.history)
	}
	return p
}

// closed makes a document.
func (g *stage) closed(ext string) *person {
	g.t.Helper()
	n := len(g.people)
	p := &person{desk: g.desk, number: n, upstream: "main", path: fmt.Sprintf("/d%04d%s", n, ext)}
	id := p.upstream + p.path + "/0"
	g.note(note{What: noteSent, Version: id})
	g.server.Write(g.t, p.path[1:], string(contents(id, 1000+n)))
	g.people = append(g.people, p)
	return p
}

func (g *stage) note(n note) {
	g.t.Helper()
	if err := g.book.write(g.t.Context(), n); err != nil {
		g.t.Fatal(err)
	}
}

// save is one save of p, as the next version of what p has; the answer's status, 0 none.
func (g *stage) save(p *person) int {
	g.t.Helper()
	return g.send(p, func(text []byte) (office.Answer, error) { return p.session.Save(g.t.Context(), text, false) })
}

func (g *stage) send(p *person, put func([]byte) (office.Answer, error)) int {
	g.t.Helper()
	id, text := g.version(p)
	a, err := put(text)
	g.answered(p, id, a, err)
	return a.Status
}

// version is the next one of p, which the ledger knows of.
func (g *stage) version(p *person) (id string, text []byte) {
	g.t.Helper()
	p.made++
	id = fmt.Sprintf("main%s/%d", p.path, p.made)
	g.note(note{What: noteSent, Version: id, From: p.from})
	p.from = []string{id}
	return id, contents(id, 2000+100*p.made)
}

func (g *stage) answered(p *person, id string, a office.Answer, err error) {
	g.t.Helper()
	p.count("save", a, err)
	if err == nil && a.Status == http.StatusOK {
		g.note(note{What: noteAcked, Version: id})
	}
}

// outside writes a document behind everybody's back.
func (g *stage) outside(p *person) {
	old, there := g.server.Read(g.t, p.path[1:])
	was, whole := versionOf([]byte(old))
	if !there || !whole {
		return // the ledger sees it
	}
	id := fmt.Sprintf("outside/%d/%d", p.number, time.Now().UnixNano())
	_ = g.book.write(context.Background(), note{What: noteOutside, Version: id, From: []string{was}}) // else the ledger is satisfied too easily
	g.server.Write(g.t, p.path[1:], string(contents(id, 4000)))
}

const leaveOutVariable = "DAVWOPI_TEST_TORTURE_LEAVE_OUT"

// byChance are the protections of which a short run of TestTorture notices that they are
// left out, whatever its dice say; the others need a story.
var byChance = []string{"base", "copy", "outside"}

// TestWithoutByChance leaves each protection out of a short run of TestTorture and says
// what the ledger has noticed.
func TestWithoutByChance(t *testing.T) {
	kills := number(t, "DAVWOPI_TEST_TORTURE_WITHOUT", 0)
	if kills == 0 {
		t.Skip("set DAVWOPI_TEST_TORTURE_WITHOUT to the number of kills for each protection")
	}
	var all []string
	for _, s := range stories() {
		all = append(all, s.without...)
	}
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTorture$", "-test.v")
			c.Env = append(os.Environ(), leaveOutVariable+"="+name, fmt.Sprintf("DAVWOPI_TEST_TORTURE_KILLS=%d", kills))
			out, err := c.CombinedOutput()
			for _, line := range strings.Split(string(out), "\n") {
				if strings.Contains(line, "verdict_test.go") {
					t.Logf("%.400s", strings.TrimSpace(line))
				}
			}
			t.Logf("noticed: %v", err != nil)
			if err == nil && slices.Contains(byChance, name) {
				t.Error("the ledger is satisfied")
			}
		})
	}
}
