package saves

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

// A death ends a process at one of the points of a deed: before a request to the
// upstream, before a commit, before a change of the directory. From then on nothing of
// that process reaches anything.
type death struct {
	mu     sync.Mutex
	at     int      // how many points are passed alive; -1: all
	passed []string // guarded by mu
	dead   bool     // guarded by mu
}

func (d *death) point(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dead && len(d.passed) == d.at {
		d.dead = true
	}
	if d.dead {
		return errCrash
	}
	d.passed = append(d.passed, what)
	return nil
}

// mortal lets the process of the rig die at d's point.
func (g *rig) mortal(d *death) {
	g.db.SetFault(func() error { return d.point("commit") })
	g.wire.mu.Lock()
	g.wire.before = d.point
	g.wire.mu.Unlock()
	real := g.saves.disk
	g.saves.disk.create = func(path string) (spoolFile, error) {
		if err := d.point("create file"); err != nil {
			return spoolFile{}, err
		}
		f, err := real.create(path)
		sync := f.sync
		f.sync = func() error { return errors.Join(d.point("fsync"), sync()) }
		return f, err
	}
	g.saves.disk.rename = func(from, to string) error {
		if err := d.point("rename file"); err != nil {
			return err
		}
		return real.rename(from, to)
	}
	g.saves.disk.remove = func(path string) error {
		if err := d.point("remove file"); err != nil {
			return err
		}
		return real.remove(path)
	}
}

// reborn is the next process on the same database, directory and upstream.
func (g *rig) reborn() {
	g.t.Helper()
	g.db.SetFault(nil)
	g.wire.mu.Lock()
	g.wire.before = nil
	g.wire.mu.Unlock()
	g.later(2 * time.Minute)
	ctx := g.t.Context()
	ups := g.locks.Upstreams
	var err error
	if g.ids, err = idmap.New(ctx, g.db); err != nil {
		g.t.Fatal(err)
	}
	ups.IDs = g.ids
	if g.locks, err = locks.New(ctx, locks.Locks{DB: g.db, IDs: g.ids, Upstreams: ups, OnError: g.onError}); err != nil {
		g.t.Fatal(err)
	}
	g.patient(Auto, nil)
}

// settled lets the background work until nothing is left for it.
func (g *rig) settled() error {
	if err := g.saves.Recover(g.t.Context()); err != nil {
		return err
	}
	for range 4 {
		g.later(15 * time.Second)
		if err := g.locks.Tend(g.t.Context()); err != nil {
			return err
		}
		g.saves.live.mu.Lock()
		clear(g.saves.live.tries)
		g.saves.live.mu.Unlock()
		g.saves.sweep(g.t.Context())
	}
	return nil
}

// A deed is an operation that changes both the database and the upstream.
type deed struct {
	what    string
	profile davbackend.Profile
	office  wopi.Office
	ready   func(*scene) // before the process that dies; nil: the file is open
	do      func(*scene) error
	want    func(*scene) // in the end; nil: the file has what was there or what was saved
}

// A scene is one deed in one rig.
type scene struct {
	*rig
	o        *opened
	folder   locks.Target // of "rename of a folder"
	acked    bool         // the deed was answered with success
	resolved string
}

func deeds() []deed {
	save := func(s *scene) error {
		_, err := s.o.put("the save")
		if c := (*ConflictError)(nil); errors.As(err, &c) && c.Diverted {
			return nil // the editor is told 200
		}
		return err
	}
	all := []deed{
		{what: "conflict copy", profile: davbackend.Embedded, office: wopi.OnlyOffice,
			ready: func(s *scene) { s.outside("a.txt", "theirs") }, do: save, want: wantBoth},
		{what: "overwriting on the person's word", profile: davbackend.Unknown, office: wopi.Collabora,
			ready: func(s *scene) {
				s.outside("a.txt", "theirs")
				conflictOf(s.t, second(s.o.put("refused"))) // 1010
			},
			do: func(s *scene) error {
				_, err := s.o.putWith("the save", func(p *Put) { p.Timestamp = "" })
				return err
			}, want: wantOutside},
		{what: "waiting and delivery", profile: davbackend.Embedded, office: wopi.Collabora, do: waitAndDeliver},
		{what: "waiting and delivery", profile: davbackend.Unknown, office: wopi.OnlyOffice, do: waitAndDeliver},
		{what: "create", profile: davbackend.Unknown, do: create, want: wantCreated},
		{what: "create", profile: davbackend.Embedded, do: create, want: wantCreated},
		{what: "rename under lock", profile: davbackend.Unknown, do: rename, want: wantRenamed},
		{what: "delete", profile: davbackend.Unknown, ready: func(s *scene) { s.must(s.unlock()) }, do: remove, want: wantRemoved},
		{what: "lock", profile: davbackend.Unknown, ready: func(s *scene) { s.must(s.unlock()) }, do: func(s *scene) error {
			return s.locks.Lock(s.t.Context(), s.o.target, s.o.actor, s.o.id)
		}},
		{what: "unlock", profile: davbackend.Unknown, do: func(s *scene) error { return s.unlock() }},
		{what: "unlock and relock", profile: davbackend.Unknown, do: func(s *scene) error {
			return s.locks.Relock(s.t.Context(), s.o.target, s.o.actor, s.o.id, "another")
		}},
		{what: "a co-editor's save with the taker's credential", profile: davbackend.Unknown, office: wopi.Collabora, ready: coEditor, do: save},
		{what: "handover to the co-editor who saves", profile: davbackend.Unknown, office: wopi.Collabora, ready: handover, do: save},
		{what: "handover to the co-editor who saves", profile: davbackend.Embedded, office: wopi.Microsoft, ready: handover, do: save},
		{what: "rename of a folder with an open file", profile: davbackend.Unknown, ready: inFolder, do: renameFolder, want: wantFolder},
	}
	for _, p := range []davbackend.Profile{davbackend.Embedded, davbackend.Unknown, inChunks} {
		all = append(all, deed{what: "save", profile: p, office: wopi.Microsoft, do: save})
	}
	return all
}

func second[A any](_ A, err error) error { return err }

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) unlock() error {
	return s.locks.Unlock(s.t.Context(), s.o.target, s.o.actor, s.o.id)
}

func waitAndDeliver(s *scene) error {
	s.down()
	_, err := s.o.put("the save")
	s.acked = err == nil
	s.up()
	s.saves.sweep(s.t.Context())
	return err
}

func create(s *scene) error {
	place := Place{Space: s.space, Upstream: "main", View: s.view, Folder: dav.Root}
	_, err := s.saves.Create(s.t.Context(), place, func(n int) (string, bool) { return "new.txt", n == 0 }, strings.NewReader("the save"), 8)
	return err
}

func wantCreated(s *scene) {
	s.t.Helper()
	got, there := s.on("new.txt")
	if there && got != "the save" || s.acked && !there {
		s.t.Errorf("new.txt holds %q (there: %v)", got, there)
	}
	s.wantOn("a.txt", "before")
}

func rename(s *scene) error {
	return second(s.locks.Move(s.t.Context(), s.o.target, s.o.actor, &s.o.id, "/b.txt"))
}

func wantRenamed(s *scene) {
	s.t.Helper()
	a, old := s.on("a.txt")
	b, new := s.on("b.txt")
	if old == new || s.acked && old || a+b != "before" {
		s.t.Errorf("a.txt %q, b.txt %q", a, b)
	}
	if at := s.o.target.File.Path; old != (at == "/a.txt") {
		s.t.Errorf("the ID is at %s", at)
	}
}

func remove(s *scene) error {
	return s.locks.Delete(s.t.Context(), s.o.target, s.o.actor)
}

func wantRemoved(s *scene) {
	s.t.Helper()
	got, there := s.on("a.txt")
	if there != (s.resolved != "") || there && got != "before" || s.acked && there {
		s.t.Errorf("a.txt %q (there: %v), its ID: %s", got, there, s.resolved)
	}
}

// wantBoth: what another program wrote is there, and what was acknowledged is in a copy.
func wantBoth(s *scene) {
	s.t.Helper()
	s.wantOn("a.txt", "theirs")
	if s.acked {
		s.somewhere("the save")
	}
}

func wantOutside(s *scene) {
	s.t.Helper()
	s.somewhere("theirs")
	if s.acked {
		s.wantOn("a.txt", "the save")
	}
}

func coEditor(s *scene) {
	s.must(s.unlock())
	s.server.Quirks.AddUser("bob", "b")
	bob := s.perUser("bob", "b")
	s.o = s.open("a.txt", wopi.Collabora) // as ann
	s.o.target.Pin = s.pins["bob"]
	s.server.Quirks.Set(func(q *upstream.Quirks) {
		q.Answer = func(r *http.Request) http.Handler {
			if user, _, _ := r.BasicAuth(); user != "bob" || r.Method != "MOVE" {
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusLocked) })
		}
	})
	s.o.target.View, s.o.actor.UserID, s.o.actor.Member, s.o.actor.Name = bob, "bob", "grant-bob", "Bob"
}

// handover is about a server on which only who took the lock may write.
func handover(s *scene) {
	s.must(s.unlock())
	bob := s.perUser("bob", "b")
	s.bindLocks()
	s.o = s.open("a.txt", s.o.actor.Office).asBob(bob) // ann has it
}

func inFolder(s *scene) {
	s.must(s.unlock())
	s.must(os.Mkdir(s.server.Dir+"/dir", 0o777))
	s.must(os.WriteFile(s.server.Dir+"/dir/c.txt", []byte("in the folder"), 0o666))
	s.o, s.folder = s.open("dir/c.txt", wopi.Collabora), s.target("dir")
}

func renameFolder(s *scene) error {
	return second(s.locks.MoveContainer(s.t.Context(), s.folder, s.o.actor, "/elsewhere"))
}

func wantFolder(s *scene) {
	s.t.Helper()
	a, old := s.on("dir/c.txt")
	b, new := s.on("elsewhere/c.txt")
	if old == new || s.acked && old || a+b != "in the folder" {
		s.t.Errorf("dir/c.txt %q, elsewhere/c.txt %q", a, b)
	}
}

// wantSaved: the whole save or what was there before it, and the save if it was acknowledged.
func wantSaved(s *scene) {
	s.t.Helper()
	got, _ := s.on("a.txt")
	if got != "the save" && (s.acked && s.somewhereElse() || got != "before") {
		s.t.Errorf("a.txt holds %q; acknowledged: %v", got, s.acked)
	}
}

// somewhereElse is for deeds that save nothing.
func (s *scene) somewhereElse() bool { return len(s.inJournal("the save")) > 0 || s.o.g != s.rig }

// pointRounds is how often each point is played: 20 times by make torture. 0, as
// otherwise: every fourth point once, others each time.
func pointRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("DAVWOPI_TEST_POINT_ROUNDS")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEveryPoint lets the process die between every two steps of every deed: a first
// run without a death lists them. In every second round the next process dies too, at
// a random point of its recovery.
func TestEveryPoint(t *testing.T) {
	rounds := pointRounds(t)
	if testing.Short() {
		t.Skip("hundreds of deaths: not with -short")
	}
	seed := int(time.Now().UnixNano() % 1_000_000)
	for _, d := range deeds() {
		t.Run(d.what+", "+d.profile.Name, func(t *testing.T) {
			t.Parallel()
			whole := &death{at: -1}
			d.play(t, whole, nil)
			counts := map[string]int{}
			for at, what := range whole.passed {
				if rounds == 0 && (at+seed)%4 != 0 {
					continue
				}
				for round := range max(rounds, 1) {
					dice := rand.New(rand.NewPCG(uint64(seed), uint64(100*at+round)))
					if (at+round)%2 == 0 {
						dice = nil
					}
					d.play(t, &death{at: at}, dice)
					if t.Failed() {
						t.Fatalf("seed %d: dead before point %d of %d, %s; round %d; the points are %v", seed, at, len(whole.passed), what, round, whole.passed)
					}
				}
				counts[what] += max(rounds, 1)
			}
			var said []string
			for _, what := range slices.Sorted(maps.Keys(counts)) {
				said = append(said, fmt.Sprintf("%d before %s", counts[what], what))
			}
			t.Logf("%d points; died %s", len(whole.passed), strings.Join(said, ", "))
		})
	}
}

// play does the deed once and dies in it, and perhaps in the recovery.
func (d deed) play(t *testing.T, first *death, dice *rand.Rand) {
	t.Helper()
	g := newRigFor(t, d.profile)
	g.pieces()
	g.server.Write(t, "a.txt", "old")
	g.patient(Auto, nil)
	s := &scene{rig: g, o: g.open("a.txt", d.office)}
	s.o.mustPut("before")
	if d.ready != nil {
		d.ready(s)
	}
	g.mortal(first)
	err := d.do(s)
	s.acked = s.acked || err == nil
	if first.at < 0 && err != nil {
		t.Fatalf("without a death: %v", err)
	}
	g.server.Quirks.Reset()
	if dice != nil {
		g.reborn()
		g.mortal(&death{at: dice.IntN(12)})
		_ = g.settled() // it dies, or has nothing to do
	}
	g.reborn()
	s.must(g.settled())
	s.after(d)
}

// after is what must hold in the end, whatever the deed was: the file is found, can be
// saved again and let go of, and nothing is left over.
func (s *scene) after(d deed) {
	s.t.Helper()
	ctx := s.t.Context()
	e, res, err := s.ids.Find(ctx, s.space, s.o.target.File.ID, s.view)
	switch {
	case err == nil:
		s.o.target.File, s.o.target.Seen, s.resolved = e, res, string(e.ID)
	case d.what != "delete":
		s.t.Errorf("the file is not found: %v", err)
		return
	}
	if d.want != nil {
		d.want(s)
	} else {
		wantSavedOrLocked(s, d)
	}
	s.wantNoTemps()
	if s.resolved != "" {
		s.again()
	}
	for _, e := range mustList(s.t, s.saves) {
		if e.State == stateDelivering || e.State == stateSpooled || e.State == stateWaiting {
			s.t.Errorf("entry %+v is never settled", e)
		}
	}
	var intents int
	if err := s.db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM locks_intent`).Scan(&intents); err != nil || intents != 0 {
		s.t.Errorf("%d intents are never settled: %v", intents, err)
	}
}

func wantSavedOrLocked(s *scene, d deed) {
	s.t.Helper()
	if strings.Contains(d.what, "lock") {
		s.wantOn("a.txt", "before")
		return
	}
	wantSaved(s)
}

// again locks, saves and unlocks as the same person would, and looks for locks that
// are stuck.
func (s *scene) again() {
	s.t.Helper()
	ctx := s.t.Context()
	current, err := s.locks.Get(ctx, s.o.target, s.o.actor)
	if err != nil {
		s.t.Errorf("GetLock: %v", err)
		return
	}
	if s.o.id = "the end"; current != "" {
		s.o.id = current
	}
	o := &opened{g: s.rig, target: s.o.target, actor: s.o.actor, id: s.o.id}
	o.lock()
	_, err = o.put("after")
	if c := (*ConflictError)(nil); errors.As(err, &c) { // what another program wrote is there: they take it
		s.must(s.locks.Unlock(ctx, o.target, o.actor, o.id))
		o.target = s.target(strings.TrimPrefix(string(o.target.File.Path), "/"))
		o.lock()
		_, err = o.put("after")
	}
	if err != nil {
		s.t.Errorf("the next save: %v", err)
	}
	if err := s.locks.Unlock(ctx, o.target, o.actor, o.id); err != nil {
		s.t.Errorf("Unlock: %v", err)
	}
	s.later(time.Minute)
	s.must(s.locks.Tend(ctx))
	body, err := s.view.Get(ctx, o.target.File.Path, 0, -1)
	s.must(err)
	text, err := io.ReadAll(body)
	body.Close()
	if err != nil || string(text) != "after" {
		s.t.Errorf("after the next save %s holds %q, %v", o.target.File.Path, text, err)
	}
	res, err := s.view.Stat(ctx, o.target.File.Path)
	if err != nil || len(res.Locks) > 0 {
		s.t.Errorf("locks that stay: %+v, %v", res.Locks, err)
	}
}
